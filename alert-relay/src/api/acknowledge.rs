//! The page behind the link of a mail, and its button.

use axum::{
    extract::{Path, Query as RawQuery, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use wire::EventId;

use super::{Problem, Shared, operation::Operation, query::Query};
use crate::{
    acknowledge::Link,
    alert::{
        advice,
        clean::{clean, escape},
    },
    clock::now_ms,
    incident::{Change, Incident},
    store::{self, ChangeOf},
};

/// Longest recipient in bytes.
const MAX_RECIPIENT: usize = 400;

/// `GET /acknowledge/{id}`: changes nothing.
pub(super) async fn page(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    RawQuery(given): RawQuery<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let (_, incident) = check(&shared, &id, Query::check(Operation::AcknowledgePage, given)?).await?;
    let question = format!(
        "<p>{}: {}, {} severity, {} events. It is {} now.</p>\
         <form method=\"post\"><button type=\"submit\">Acknowledge</button></form>",
        escape(advice::title(incident.key.category)),
        escape(&clean(&incident.key.model, 100)),
        incident.severity.as_str(),
        incident.count,
        incident.state.as_str(),
    );
    html("Acknowledge this incident?", &question)
}

/// `POST /acknowledge/{id}`
pub(super) async fn act(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    RawQuery(given): RawQuery<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let (link, incident) = check(&shared, &id, Query::check(Operation::AcknowledgeByMail, given)?).await?;
    let change = ChangeOf {
        id: link.incident,
        key: incident.key,
        change: Change::Acknowledge,
        by: Some(format!("mail:{}", clean(&link.recipient, 80))),
        text: "by the link in a mail".to_owned(),
    };
    let changed = shared.store.change(vec![change]).await?.pop().flatten();
    let changed =
        changed.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "no such incident".to_owned()))?;
    let state = changed.incident.state.as_str();
    html("Thank you", &format!("<p>The incident is {state}. You may close this page.</p>"))
}

/// The link and its incident, if the seal holds.
async fn check(shared: &Shared, id: &str, query: Query) -> Result<(Link, Incident), Problem> {
    let incident: EventId = id.parse().map_err(|e| Problem::bad_request(format!("id: {e}")))?;
    let until_s = query.number("until", 0, u64::MAX / 1000)?.unwrap_or(0);
    let recipient = query.text("to").unwrap_or_default().to_owned();
    let link = Link { incident, recipient, until_s };
    let seal = query.text("seal").unwrap_or_default();
    if link.recipient.len() > MAX_RECIPIENT || !link.holds(seal, &shared.config.webhook_keys, now_ms()) {
        let says = "this link is not good, or no longer; open the incident instead";
        return Err(Problem::new(StatusCode::FORBIDDEN, says.to_owned()));
    }
    let known = shared.store.read(move |db| store::get_incident(db, incident)).await?;
    let known = known.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "no such incident".to_owned()))?;
    Ok((link, known))
}

/// No script, no style, one form that goes back to the same address.
fn html(title: &str, body: &str) -> Result<Response, Problem> {
    let text = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><meta name=\"robots\" content=\"noindex\">\
         <title>{title}</title></head><body><h1>{title}</h1>{body}</body></html>"
    );
    let policy = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    Ok(response)
}
