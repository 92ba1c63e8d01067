//! What people do to incidents: acknowledge, resolve, reopen, comment.

use axum::{
    Json,
    extract::{Path, Request, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};
use wire::EventId;

use super::{MAX_WHO, Problem, Shared, body, incidents::shape, who};
use crate::{
    clock::now_ms,
    incident::Change,
    store::{self, ChangeOf},
};

/// Longest comment in bytes.
const MAX_TEXT: usize = 2000;

/// What may stand in the body.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    by: Option<String>,
    #[serde(default)]
    text: String,
}

/// `POST /v1/incidents/{id}/acknowledge`
pub(super) async fn acknowledge(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    change(&shared, &id, request, |_| Ok(Change::Acknowledge)).await
}

/// `POST /v1/incidents/{id}/resolve`
pub(super) async fn resolve(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    change(&shared, &id, request, |_| Ok(Change::Resolve)).await
}

/// `POST /v1/incidents/{id}/reopen`
pub(super) async fn reopen(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    change(&shared, &id, request, |_| Ok(Change::Reopen)).await
}

/// `POST /v1/incidents/{id}/comment`
pub(super) async fn comment(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    change(&shared, &id, request, |note| match note.text.as_str() {
        "" => Err(Problem::bad_request("text: a comment says something".to_owned())),
        text => Ok(Change::Comment(text.to_owned())),
    })
    .await
}

async fn change(
    shared: &Shared,
    id: &str,
    request: Request,
    what: impl FnOnce(&Note) -> Result<Change, Problem>,
) -> Result<Json<Value>, Problem> {
    let id: EventId = id.parse().map_err(|e| Problem::bad_request(format!("id: {e}")))?;
    let by = who(request.headers());
    let note = match body::json(request, "note").await? {
        empty if empty.is_empty() => Note::default(),
        body => checked(&body)?,
    };
    let by = note.by.clone().unwrap_or(by);
    let change = what(&note)?;
    let absent = || Problem::new(StatusCode::NOT_FOUND, format!("there is no incident {id}"));
    let known = shared.store.read(move |db| store::get_incident(db, id)).await?.ok_or_else(absent)?;
    let change = ChangeOf { id, key: known.key, change, by: Some(by), text: note.text };
    let changed = shared.store.change(vec![change]).await?.pop().flatten().ok_or_else(absent)?;
    let mut answer = shape(&changed.incident, now_ms());
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("changed".to_owned(), json!(changed.changed));
    }
    Ok(Json(answer))
}

/// Reads and checks a note.
fn checked(body: &[u8]) -> Result<Note, Problem> {
    let note: Note = serde_json::from_slice(body).map_err(|e| Problem::bad_request(e.to_string()))?;
    let plain = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n');
    if note.text.len() > MAX_TEXT || !plain(&note.text) {
        return Err(Problem::bad_request(format!("text: at most {MAX_TEXT} bytes, no control characters")));
    }
    if let Some(by) = &note.by
        && (by.trim().is_empty() || by.chars().count() > MAX_WHO || by.chars().any(char::is_control))
    {
        return Err(Problem::bad_request(format!("by: a name of 1 to {MAX_WHO} characters")));
    }
    Ok(note)
}

/// The same for fuzzers and their tests: what is accepted is bounded.
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn fuzz(body: &[u8]) {
    if let Ok(note) = checked(body) {
        assert!(note.text.len() <= MAX_TEXT && note.by.is_none_or(|by| by.chars().count() <= MAX_WHO));
    }
}
