//! Incidents as JSON.

use axum::{
    Json,
    extract::{Path, Query as RawQuery, State as Handed},
    http::StatusCode,
};
use serde_json::{Value, json};
use wire::EventId;

use super::{
    Problem, Shared,
    operation::Operation,
    query::{Query, cursor, parse_cursor},
};
use crate::{
    clock::{iso, now_ms},
    incident::{Incident, News, State, score},
    store::{self, Delivery, IncidentFilter, Relation, StoredEvent},
};

/// Incidents in a page unless asked otherwise.
const PAGE: u64 = 50;
/// Most incidents in a page.
const MAX_PAGE: u64 = 200;
/// Related incidents of each kind.
const RELATED: usize = 10;
/// Events shown with one incident.
const EVENTS: usize = 50;

/// `GET /v1/incidents`
pub(super) async fn list(
    Handed(shared): Handed<Shared>,
    RawQuery(given): RawQuery<Vec<(String, String)>>,
) -> Result<Json<Value>, Problem> {
    let query = Query::check(Operation::Incidents, given)?;
    let limit = query.number("limit", 1, MAX_PAGE)?.unwrap_or(PAGE);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let now = now_ms();
    let filter = filter(&query, now)?;
    let page = shared.store.read_for_people(move |db| store::incident_page(db, &filter, limit)).await?;
    let next = page.incidents.last().filter(|_| page.more).map(|last| cursor(last.last_ms, last.id));
    let incidents: Vec<Value> = page.incidents.iter().map(|incident| shape(incident, now)).collect();
    Ok(Json(json!({"incidents": incidents, "next": next})))
}

/// What of the incidents is asked for.
pub(super) fn filter(query: &Query, now: u64) -> Result<IncidentFilter, Problem> {
    let hours = query.number("hours", 1, store::MAX_HOURS)?;
    Ok(IncidentFilter {
        model: query.text("model").map(str::to_owned),
        min_severity: query.severity("severity")?,
        category: query.category("category")?,
        state: query.state("state")?,
        client: query.text("client").map(str::to_owned),
        campaign: query.id("campaign")?,
        min_score: query.thousandths("min_score")?,
        since_ms: hours.map(|hours| now.saturating_sub(hours * 3_600_000)),
        before: query.text("before").map(parse_cursor).transpose()?,
    })
}

/// `GET /v1/incidents/{id}`
pub(super) async fn one(
    Handed(shared): Handed<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let found = load(&shared, &id).await?;
    let now = now_ms();
    let mut body = shape(&found.incident, now);
    if let Some(fields) = body.as_object_mut() {
        let events: Vec<&wire::Event> = found.events.iter().map(|stored| &stored.event).collect();
        fields.insert("events".to_owned(), json!(events));
        let mails: Vec<Value> = found.mails.iter().map(delivery).collect();
        fields.insert("mails".to_owned(), json!(mails));
        let factors: Vec<Value> = score::factors(&found.incident, now)
            .iter()
            .map(|factor| json!({"name": factor.name, "value": rounded(factor.value), "weight": factor.weight}))
            .collect();
        fields.insert("factors".to_owned(), json!(factors));
        let timeline: Vec<Value> = found
            .timeline
            .iter()
            .map(|news| json!({"at": iso(news.at_ms), "what": news.what, "by": news.by, "text": news.text}))
            .collect();
        fields.insert("timeline".to_owned(), json!(timeline));
        let related: Vec<Value> = found
            .related
            .iter()
            .map(|(relation, other)| json!({"relation": word(*relation), "incident": shape(other, now)}))
            .collect();
        fields.insert("related".to_owned(), json!(related));
    }
    Ok(Json(body))
}

/// An incident and what belongs to it.
pub(super) struct Found {
    pub(super) incident: Incident,
    /// The latest events, newest first.
    pub(super) events: Vec<StoredEvent>,
    pub(super) mails: Vec<Delivery>,
    /// Oldest first.
    pub(super) timeline: Vec<News>,
    pub(super) related: Vec<(Relation, Incident)>,
}

/// The word for a relation.
pub(super) const fn word(relation: Relation) -> &'static str {
    match relation {
        Relation::Client => "client",
        Relation::Template => "template",
        Relation::Campaign => "campaign",
    }
}

/// To three digits.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Reads one incident.
pub(super) async fn load(shared: &Shared, id: &str) -> Result<Found, Problem> {
    let id: EventId = id.parse().map_err(|e| Problem::bad_request(format!("id: {e}")))?;
    shared
        .store
        .read_for_people(move |db| {
            let Some(incident) = store::get_incident(db, id)? else { return Ok(None) };
            let events = store::events_of(db, id, EVENTS)?;
            let mails = store::notifications_of(db, id)?;
            let timeline = store::timeline_of(db, id)?;
            let related = store::related(db, &incident, RELATED)?;
            Ok(Some(Found { incident, events, mails, timeline, related }))
        })
        .await?
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, format!("there is no incident {id}")))
}

pub(super) fn shape(incident: &Incident, now_ms: u64) -> Value {
    let score = score::thousandths(&score::factors(incident, now_ms));
    json!({
        "state": incident.state.as_str(),
        "state_since": iso(incident.state_ms),
        "state_by": incident.state_by,
        "score": score as f64 / 1000.0,
        "template": (incident.template != 0).then(|| format!("{:016x}", incident.template)),
        "looks_like": incident.label,
        "campaign": incident.campaign,
        "spread": incident.spread,
        "id": incident.id,
        "model": incident.key.model,
        "category": incident.key.category,
        "client": incident.key.client,
        "severity": incident.severity,
        "open": incident.state != State::Resolved,
        "first_seen": iso(incident.first_ms),
        "last_seen": iso(incident.last_ms),
        "count": incident.count,
        "refused": incident.refused,
        "threats": incident.threats,
        "mails_composed": incident.notify.sequence,
        "next_mail": incident.notify.due_ms.map(iso),
    })
}

fn delivery(mail: &Delivery) -> Value {
    json!({
        "sequence": mail.sequence,
        "recipient": mail.recipient,
        "state": mail.state,
        "attempts": mail.attempts,
        "created": iso(mail.created_ms),
        "error": mail.error,
        "channel": mail.channel,
        "receiver": mail.receiver,
        "receipt": mail.receipt,
    })
}
