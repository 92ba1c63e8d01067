//! The page behind the link of a mail, and its button.

use axum::{
    extract::{Path, Query as RawQuery, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};
use wire::EventId;

use super::{Problem, Shared, operation::Operation, query::Query};
use crate::{
    acknowledge::{Link, MessageName},
    alert::{
        Letter, advice,
        clean::{clean, escape, show},
    },
    clock::now_ms,
    incident::{self, Change, Incident},
    store::{self, ChangeOf},
};

/// Longest recipient in bytes.
const MAX_RECIPIENT: usize = 400;
/// Large letters and a button that a thumb meets, in the light and in the dark.
const STYLE: &str = "body{font:17px/1.5 system-ui,sans-serif;max-width:38rem;margin:0 auto;padding:1rem;\
    overflow-wrap:anywhere}h1{font-size:1.4rem}button{font:inherit;font-weight:600;min-height:48px;padding:0 24px;\
    border:0;border-radius:6px;background:#1f5f99;color:#fff}li{margin:0 0 .5rem}";
/// Incidents described on the page.
const SHOWN: usize = 50;
/// Incidents changed in one go.
const AT_ONCE: usize = 25;

/// `GET /acknowledge/{id}`: changes nothing.
pub(super) async fn page(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    RawQuery(given): RawQuery<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let (_, incidents) = check(&shared, &id, Query::check(Operation::AcknowledgePage, given)?).await?;
    let mut lines: String = incidents.iter().take(SHOWN).map(line).collect();
    if incidents.len() > SHOWN {
        lines.push_str(&format!("<li>and {} more</li>", incidents.len() - SHOWN));
    }
    let open = incidents.iter().filter(|incident| incident.state == incident::State::Open).count();
    let (title, intro, button) = match incidents.len() {
        0 | 1 => ("Acknowledge this incident?".to_owned(), String::new(), "Acknowledge".to_owned()),
        many => (
            format!("Acknowledge these {many} incidents?"),
            format!("<p>The mail stood for them all. {open} of them are open.</p>"),
            format!("Acknowledge all {many}"),
        ),
    };
    let question = format!(
        "{intro}<form method=\"post\"><button type=\"submit\">\
         {button}</button></form><ul>{lines}</ul>"
    );
    html(&title, &question)
}

/// An incident of the list, so that whoever presses the button knows what it is about.
fn line(incident: &Incident) -> String {
    format!(
        "<li>{}: {}, {}, {} severity, {} events. It is {} now.</li>",
        escape(advice::title(incident.key.category)),
        escape(&clean(&incident.key.model, 100)),
        escape(&show(&incident.key.client, 100)),
        incident.severity.as_str(),
        incident.count,
        incident.state.as_str(),
    )
}

/// `POST /acknowledge/{id}`
pub(super) async fn act(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    RawQuery(given): RawQuery<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let (link, incidents) = check(&shared, &id, Query::check(Operation::AcknowledgeByMail, given)?).await?;
    let mut acknowledged = 0;
    let mut last = None;
    let changes: Vec<ChangeOf> = incidents
        .into_iter()
        .map(|incident| ChangeOf {
            id: incident.id,
            key: incident.key,
            change: Change::Acknowledge,
            by: Some(format!("mail:{}", clean(&link.recipient, 80))),
            text: "by the link in a mail".to_owned(),
        })
        .collect();
    let many = changes.len();
    // In steps: each is one transaction that others wait for.
    let mut rest = changes;
    while !rest.is_empty() {
        let later = rest.split_off(rest.len().min(AT_ONCE));
        for changed in shared.store.change(rest).await?.into_iter().flatten() {
            acknowledged += usize::from(changed.changed);
            last = Some(changed.incident.state);
        }
        rest = later;
    }
    let state = last.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "no such incident".to_owned()))?;
    let says = match many {
        1 => format!("The incident is {}.", state.as_str()),
        many => format!(
            "{acknowledged} of {many} incidents are acknowledged now; the others had been taken up or were over."
        ),
    };
    html("Thank you", &format!("<p>{says} You may close this page.</p>"))
}

/// The link and its incidents, if the seal holds: the one it names, or those that its message stood for when it was sent.
async fn check(shared: &Shared, id: &str, query: Query) -> Result<(Link, Vec<Incident>), Problem> {
    let incident: EventId = id.parse().map_err(|e| Problem::bad_request(format!("id: {e}")))?;
    let until_s = query.number("until", 0, u64::MAX / 1000)?.unwrap_or(0);
    let recipient = query.text("to").unwrap_or_default().to_owned();
    let of = query.text("of").map(str::parse).transpose();
    let of: Option<MessageName> = of.map_err(|e| Problem::bad_request(format!("of: {e}")))?;
    let link = Link { incident, of, recipient, until_s };
    let seal = query.text("seal").unwrap_or_default();
    if link.recipient.len() > MAX_RECIPIENT || !link.holds(seal, &shared.config.webhook_keys, now_ms()) {
        let says = "this link is not good, or no longer; open the incident instead";
        return Err(Problem::new(StatusCode::FORBIDDEN, says.to_owned()));
    }
    let known = shared.store.read(move |db| {
        let covered = match of {
            None => vec![incident],
            Some(of) => covered(store::message_of(db, of.group, of.sequence)?, of, incident),
        };
        let found = covered.into_iter().map(|id| store::get_incident(db, id));
        Ok(found.collect::<Result<Vec<_>, store::DbError>>()?.into_iter().flatten().collect::<Vec<_>>())
    });
    let known = known.await?;
    if known.is_empty() {
        return Err(Problem::new(StatusCode::NOT_FOUND, "no such incident".to_owned()));
    }
    Ok((link, known))
}

/// What a message stood for. If it is not kept any more, what it was about.
fn covered(message: Option<String>, of: MessageName, incident: EventId) -> Vec<EventId> {
    let letter = message.and_then(|message| serde_json::from_str::<Letter>(&message).ok());
    let covers = letter.and_then(|letter| letter.covers).filter(|covers| covers.message == of);
    match covers {
        Some(covers) if covers.incidents.contains(&incident) => covers.incidents,
        _ => vec![incident],
    }
}

/// No script, one form that goes back to the same address, and a style that is let in by its hash.
fn html(title: &str, body: &str) -> Result<Response, Problem> {
    let text = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><meta name=\"robots\" content=\"noindex\">\
         <title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>"
    );
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy)
        .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no policy".to_owned()))?;
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}
