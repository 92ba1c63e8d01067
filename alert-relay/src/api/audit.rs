//! Who changed what, as JSON.

use axum::{
    Json,
    extract::{Query as RawQuery, State},
};
use serde_json::{Value, json};

use super::{Problem, Shared, operation::Operation, query::Query};
use crate::{clock::iso, store};

/// Changes in a page unless asked otherwise.
const PAGE: u64 = 100;
/// Most changes in a page.
const MAX_PAGE: u64 = 500;

/// `GET /v1/audit`
pub(super) async fn list(
    State(shared): State<Shared>,
    RawQuery(given): RawQuery<Vec<(String, String)>>,
) -> Result<Json<Value>, Problem> {
    let query = Query::check(Operation::Audit, given)?;
    let limit = usize::try_from(query.number("limit", 1, MAX_PAGE)?.unwrap_or(PAGE)).unwrap_or(usize::MAX);
    let before = query.number("before", 0, u64::MAX >> 1)?;
    let action = query.text("action").map(str::to_owned);
    let mut page = shared
        .store
        .read_for_people(move |db| store::audit_page(db, action.as_deref(), before, limit))
        .await?;
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|last| last.id.to_string());
    let changes: Vec<Value> = page
        .iter()
        .map(|noted| {
            json!({
                "id": noted.id,
                "at": iso(noted.at_ms),
                "actor": noted.actor,
                "who": noted.who,
                "action": noted.action,
                "what": serde_json::from_str::<Value>(&noted.what).unwrap_or(Value::Null),
            })
        })
        .collect();
    Ok(Json(json!({"changes": changes, "next": next})))
}
