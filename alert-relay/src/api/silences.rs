//! Silences that people make.

use axum::{
    Json,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{MAX_WHO, Problem, Shared, body, number_of, taken_back, who};
use crate::{
    clock::{iso, now_ms},
    route::Matcher,
    store::{self, NewSilence, StoredSilence},
};

/// Most matchers.
const MAX_MATCHERS: usize = 16;
/// Longest reason in bytes.
const MAX_REASON: usize = 1000;
/// Longest silence: 90 days, in seconds.
const MAX_SECONDS: u64 = 90 * 86_400;

/// What somebody wants.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(rename = "match")]
    matchers: Vec<String>,
    reason: String,
    seconds: u64,
    by: Option<String>,
}

/// `GET /v1/silences`
pub(super) async fn list(State(shared): State<Shared>) -> Result<Json<Value>, Problem> {
    let found = shared.store.read(|db| store::silences(db, now_ms())).await?;
    let silences: Vec<Value> = found.iter().map(shape).collect();
    Ok(Json(json!({"silences": silences})))
}

/// `POST /v1/silences`
pub(super) async fn create(State(shared): State<Shared>, request: Request) -> Result<Response, Problem> {
    let by = who(request.headers());
    let body = body::json(request, "silence").await?;
    let silence = read(&body, by, now_ms())?;
    let id = shared.store.silence(silence.clone()).await?.ok_or_else(|| {
        Problem::new(StatusCode::CONFLICT, "there are too many silences; end some".to_owned())
    })?;
    Ok((StatusCode::CREATED, Json(shape(&StoredSilence { id, silence }))).into_response())
}

/// Reads and checks the body of a silence.
pub(super) fn read(body: &[u8], by: String, now_ms: u64) -> Result<NewSilence, Problem> {
    let asked: Asked = serde_json::from_slice(body).map_err(|e| Problem::bad_request(e.to_string()))?;
    if !(1..=MAX_MATCHERS).contains(&asked.matchers.len()) {
        return Err(Problem::bad_request(format!("match: 1 to {MAX_MATCHERS} conditions")));
    }
    for text in &asked.matchers {
        Matcher::parse(text).map_err(|reason| Problem::bad_request(format!("match: {reason}")))?;
    }
    let plain = |text: &str, most: usize| {
        !text.trim().is_empty() && text.len() <= most && !text.chars().any(char::is_control)
    };
    if !plain(&asked.reason, MAX_REASON) {
        return Err(Problem::bad_request(format!("reason: one line of 1 to {MAX_REASON} bytes")));
    }
    if !(1..=MAX_SECONDS).contains(&asked.seconds) {
        return Err(Problem::bad_request("seconds: from 1 to 90 days".to_owned()));
    }
    let by = asked.by.unwrap_or(by);
    if !plain(&by, 4 * MAX_WHO) {
        return Err(Problem::bad_request("by: a name".to_owned()));
    }
    Ok(NewSilence {
        matchers: asked.matchers,
        by,
        reason: asked.reason,
        from_ms: now_ms,
        until_ms: now_ms + asked.seconds * 1000,
    })
}

/// `DELETE /v1/silences/{id}`
pub(super) async fn remove(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let id = number_of(&id)?;
    taken_back(shared.store.unsilence(id, who(&headers)).await?, "silence", id)
}

fn shape(stored: &StoredSilence) -> Value {
    let silence = &stored.silence;
    json!({
        "id": stored.id,
        "match": silence.matchers,
        "by": silence.by,
        "reason": silence.reason,
        "begins": iso(silence.from_ms),
        "ends": iso(silence.until_ms),
    })
}
