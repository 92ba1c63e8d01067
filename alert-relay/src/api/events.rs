//! Events as JSON, and the search among them.

use axum::{
    Json,
    extract::{Query as RawQuery, State},
};
use serde_json::{Value, json};

use super::{Problem, Shared, operation::Operation, query::Query};
use crate::{
    clock::{iso, now_ms},
    store::{self, EventFilter},
};

/// Events in a page unless asked otherwise.
const PAGE: u64 = 50;
/// Most events in a page.
const MAX_PAGE: u64 = 200;
/// Longest question in bytes.
const MAX_QUESTION: usize = 500;

/// `GET /v1/events`
pub(super) async fn list(
    State(shared): State<Shared>,
    RawQuery(given): RawQuery<Vec<(String, String)>>,
) -> Result<Json<Value>, Problem> {
    let query = Query::check(Operation::ListEvents, given)?;
    let limit = usize::try_from(query.number("limit", 1, MAX_PAGE)?.unwrap_or(PAGE)).unwrap_or(usize::MAX);
    let text = query.text("text").map(str::to_owned);
    if text.as_ref().is_some_and(|text| text.len() > MAX_QUESTION) {
        return Err(Problem::bad_request(format!("text: at most {MAX_QUESTION} bytes")));
    }
    let hours = query.number("hours", 1, store::MAX_HOURS)?;
    let since = query.number("since_ms", 0, wire::limits::MAX_TIME_MS)?;
    let filter = EventFilter {
        address: query.address("address"),
        since_ms: since.or(hours.map(|hours| now_ms().saturating_sub(hours * 3_600_000))),
        until_ms: query.number("until_ms", 0, wire::limits::MAX_TIME_MS)?,
        min_severity: query.severity("severity")?,
        category: query.category("category")?,
        text,
        before: query.number("before", 0, u64::MAX >> 1)?,
    };
    let mut page = shared.store.read_for_people(move |db| store::event_page(db, &filter, limit)).await?;
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|last| last.seq.to_string());
    let events: Vec<Value> = page
        .iter()
        .map(|stored| json!({"seq": stored.seq, "received": iso(stored.received_ms), "event": stored.event}))
        .collect();
    Ok(Json(json!({"events": events, "next": next})))
}
