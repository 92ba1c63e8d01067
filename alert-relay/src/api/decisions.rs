//! Decisions about callers: the feed that filters pull, and what people change in it.

use axum::{
    Json,
    extract::{Path, Query as RawQuery, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use wire::{
    DecisionAction, EventId, MESSAGE_PREFIX, Subject,
    signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER},
};

use super::{
    Problem, Shared, body, number_of, operation::Operation, query::Query, shows_token, taken_back, who,
};
use crate::{
    clock::{iso, now_ms},
    entropy, ingest,
    store::{self, Decided, NewDecision, Reader, StoredDecision},
};

/// Longest reason in bytes.
const MAX_REASON: usize = 1000;
/// Longest decision: a year, in seconds.
const MAX_SECONDS: u64 = 366 * 86_400;
/// How long a decision lasts unless said otherwise.
const SECONDS: u64 = 3600;
/// Requests a minute of a throttled caller unless said otherwise.
const RATE: u32 = 10;

/// `GET /v1/decisions`: to whoever signs, what filters need, signed; to whoever shows the token, all that is known.
pub(super) async fn feed(
    State(shared): State<Shared>,
    RawQuery(given): RawQuery<Vec<(String, String)>>,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers();
    let is_person = !headers.contains_key(SIGNATURE_HEADER);
    // Without a key a signature says nothing.
    if !is_person && !shared.config.webhook_keys.is_empty() {
        let asked = request.uri().path_and_query().map_or("", |it| it.as_str());
        ingest::check_signature(&shared, headers, asked.as_bytes())?;
    } else if !shows_token(&shared, headers) {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "a signature or the API token is needed".to_owned(),
        ));
    }
    let query = Query::check(Operation::Decisions, given)?;
    let epoch = query.text("epoch").unwrap_or_default().to_owned();
    let since = query.number("since", 0, u64::MAX)?.unwrap_or(0);
    let reader = if is_person { Reader::Person } else { Reader::Filter };
    let page = shared.store.read(move |db| store::decision_page(db, reader, &epoch, since, now_ms())).await?;
    let tag = format!("\"{}-{}\"", page.epoch, page.serial);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let tag_header = HeaderValue::from_str(&tag).map(|tag| [(header::ETAG, tag)]);
    let Ok(tag_header) = tag_header else {
        return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no tag".to_owned()));
    };
    if !page.reset && page.decisions.is_empty() && known == Some(tag.as_str()) {
        return Ok((StatusCode::NOT_MODIFIED, tag_header).into_response());
    }
    if is_person {
        let entries: Vec<Value> = page.decisions.iter().map(shape).collect();
        let body = json!({
            "v": wire::VERSION,
            "epoch": page.epoch,
            "serial": page.serial,
            "reset": page.reset,
            "more": page.more,
            "entries": entries,
        });
        return Ok((tag_header, Json(body)).into_response());
    }
    let body = page.feed().to_json();
    let mut response = (tag_header, body.clone()).into_response();
    sign(&shared, response.headers_mut(), &body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Signs with every key: during a rotation filters have either.
fn sign(shared: &Shared, headers: &mut HeaderMap, body: &[u8]) {
    let (now, id) = (now_ms() / 1000, format!("{MESSAGE_PREFIX}{}", entropy::uuid(now_ms())));
    let signatures: Vec<String> =
        shared.config.webhook_keys.iter().map(|key| key.sign(&id, now, body)).collect();
    for (name, value) in
        [(ID_HEADER, id), (TIMESTAMP_HEADER, now.to_string()), (SIGNATURE_HEADER, signatures.join(" "))]
    {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

/// What somebody decides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    scope: String,
    value: String,
    action: String,
    rate: Option<u32>,
    seconds: Option<u64>,
    reason: String,
    incident: Option<EventId>,
}

/// `POST /v1/decisions`
pub(super) async fn create(State(shared): State<Shared>, request: Request) -> Result<Response, Problem> {
    let by = who(request.headers());
    let body = body::json(request, "decision").await?;
    let new = NewDecision { by, ..read(&body, now_ms())? };
    match shared.store.decide(new).await? {
        Decided::Made(stored) => Ok((StatusCode::CREATED, Json(shape(&stored))).into_response()),
        Decided::TooMany => {
            Err(Problem::new(StatusCode::CONFLICT, "there are too many decisions; take some back".to_owned()))
        }
        Decided::Allowed(why) => Err(Problem::new(StatusCode::CONFLICT, why)),
    }
}

/// Reads and checks the body of a decision.
pub(super) fn read(body: &[u8], now_ms: u64) -> Result<NewDecision, Problem> {
    let asked = serde_json::from_slice(body).map_err(|e| Problem::bad_request(e.to_string()))?;
    checked(asked, now_ms)
}

fn checked(asked: Asked, now_ms: u64) -> Result<NewDecision, Problem> {
    let refuse = |text: &str| Err(Problem::bad_request(text.to_owned()));
    let Some(subject) = Subject::parse(&asked.scope, &asked.value) else {
        return refuse(
            "scope and value: an address, a cidr that begins with its first address, a key_hash of 32 hex \
                       digits, or a user",
        );
    };
    // To filters somebody who is allowed is somebody about whom nothing is decided.
    let allows = asked.action == "allow";
    let action = match DecisionAction::parse(&asked.action) {
        None if allows => DecisionAction::Lift,
        Some(action) if action != DecisionAction::Lift => action,
        _ => return refuse("action: block, throttle, monitor or allow"),
    };
    let seconds = asked.seconds.unwrap_or(SECONDS);
    if !(1..=MAX_SECONDS).contains(&seconds) {
        return refuse("seconds: from 1 to a year");
    }
    let rate = match (action, asked.rate) {
        (DecisionAction::Throttle, rate) => rate.unwrap_or(RATE),
        (_, None) => 0,
        _ => return refuse("rate: only where the action is throttle"),
    };
    if action == DecisionAction::Throttle && !(1..=60_000).contains(&rate) {
        return refuse("rate: from 1 to 60000 requests a minute");
    }
    let reason = asked.reason.trim();
    if reason.is_empty() || reason.len() > MAX_REASON || reason.chars().any(char::is_control) {
        return refuse("reason: one line of 1 to 1000 bytes");
    }
    Ok(NewDecision {
        subject,
        action,
        rate,
        until: now_ms / 1000 + seconds,
        reason: reason.to_owned(),
        incident: asked.incident,
        automatic: false,
        allows,
        by: String::new(),
    })
}

/// `DELETE /v1/decisions/{id}`
pub(super) async fn remove(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let id = number_of(&id)?;
    taken_back(shared.store.lift(id, who(&headers)).await?, "decision", id)
}

fn shape(stored: &StoredDecision) -> Value {
    let decision = &stored.decision;
    json!({
        "id": decision.id,
        "scope": decision.subject.scope(),
        "value": decision.subject.value(),
        "action": if stored.allows { "allow" } else { decision.action.as_str() },
        "rate": decision.rate,
        "until": decision.until,
        "ends": iso(decision.until.saturating_mul(1000)),
        "created": iso(stored.created_ms),
        "reason": stored.reason,
        "incident": stored.incident,
        "automatic": stored.automatic,
    })
}
