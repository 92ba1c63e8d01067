//! Short queries.

use rusqlite::{Connection, Row, ToSql, params, params_from_iter, types::Type};
use wire::{Category, Event, EventId, Severity};

use super::{
    codec::{broken, int, severity_code, uint_at},
    incidents,
};
use crate::incident::Incident;

/// An event as stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredEvent {
    /// Its place in the order of storing.
    pub(crate) seq: u64,
    /// When it was stored, Unix milliseconds.
    pub(crate) received_ms: u64,
    /// The event.
    pub(crate) event: Event,
}

/// A row of `seq, received_ms, body`.
pub(super) fn event_row(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    let body: String = row.get(2)?;
    Ok(StoredEvent {
        seq: uint_at(row, 0)?,
        received_ms: uint_at(row, 1)?,
        event: serde_json::from_str(&body).map_err(|e| broken(2, Type::Text, &e.to_string()))?,
    })
}

/// Events in the order of storing, after a sequence number.
pub(crate) fn events_after(db: &Connection, seq: u64, limit: usize) -> rusqlite::Result<Vec<StoredEvent>> {
    db.prepare_cached("SELECT seq, received_ms, body FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2")?
        .query_map(params![int(seq), int(limit as u64)], event_row)?
        .collect()
}

/// Which incidents to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct IncidentFilter {
    /// Of this model.
    pub(crate) model: Option<String>,
    /// At least so severe.
    pub(crate) min_severity: Option<Severity>,
    /// Of this category.
    pub(crate) category: Option<Category>,
    /// With an event at this moment or later, Unix milliseconds.
    pub(crate) since_ms: Option<u64>,
    /// Older than this one: its latest event and its id.
    pub(crate) before: Option<(u64, EventId)>,
}

/// A page of incidents, the latest first.
#[derive(Clone, Debug)]
pub(crate) struct IncidentPage {
    /// The incidents.
    pub(crate) incidents: Vec<Incident>,
    /// Whether there are more.
    pub(crate) more: bool,
}

/// A page of incidents by keyset: as fast at the end as at the beginning.
pub(crate) fn incident_page(
    db: &Connection,
    filter: &IncidentFilter,
    limit: usize,
) -> rusqlite::Result<IncidentPage> {
    let mut conditions: Vec<&str> = Vec::new();
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    if let Some(model) = &filter.model {
        conditions.push("model = ?");
        values.push(Box::new(model.clone()));
    }
    if let Some(severity) = filter.min_severity {
        conditions.push("severity >= ?");
        values.push(Box::new(severity_code(severity)));
    }
    if let Some(category) = filter.category {
        conditions.push("category = ?");
        values.push(Box::new(category.as_str()));
    }
    if let Some(since) = filter.since_ms {
        conditions.push("last_ms >= ?");
        values.push(Box::new(int(since)));
    }
    if let Some((last_ms, id)) = filter.before {
        conditions.push("(last_ms, id) < (?, ?)");
        values.push(Box::new(int(last_ms)));
        values.push(Box::new(id.to_bytes()));
    }
    let condition =
        if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    values.push(Box::new(int(limit as u64 + 1)));
    let sql = format!(
        "SELECT {} FROM incidents {condition} ORDER BY last_ms DESC, id DESC LIMIT ?",
        incidents::COLUMNS
    );
    let mut found: Vec<Incident> = db
        .prepare_cached(&sql)?
        .query_map(params_from_iter(values), incidents::row)?
        .collect::<rusqlite::Result<_>>()?;
    let more = found.len() > limit;
    found.truncate(limit);
    Ok(IncidentPage { incidents: found, more })
}

/// A mail of an incident and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// The mail's number among the incident's mails, from 0.
    pub(crate) sequence: u64,
    /// To whom.
    pub(crate) recipient: String,
    /// `pending`, `sent` or `parked`.
    pub(crate) state: String,
    /// How often it was tried.
    pub(crate) attempts: u64,
    /// When it was put into the outbox, Unix milliseconds.
    pub(crate) created_ms: u64,
    /// What was said last, if it failed.
    pub(crate) error: Option<String>,
}

/// What was mailed of an incident.
pub(crate) fn notifications_of(db: &Connection, incident: EventId) -> rusqlite::Result<Vec<Delivery>> {
    db.prepare_cached(
        "SELECT sequence, recipient, state, attempts, outbox.created_ms, error \
         FROM notifications JOIN outbox ON outbox.notification = notifications.id \
         WHERE incident = ?1 ORDER BY sequence, outbox.id LIMIT 500",
    )?
    .query_map(params![incident.to_bytes()], |row| {
        Ok(Delivery {
            sequence: uint_at(row, 0)?,
            recipient: row.get(1)?,
            state: row.get(2)?,
            attempts: uint_at(row, 3)?,
            created_ms: uint_at(row, 4)?,
            error: row.get(5)?,
        })
    })?
    .collect()
}

/// How the outbox stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutboxState {
    /// Mails not yet taken by a server.
    pub(crate) pending: u64,
    /// Since when the oldest of them waits, Unix milliseconds.
    pub(crate) oldest_ms: Option<u64>,
    /// Mails refused for good.
    pub(crate) parked: u64,
}

/// Counts the outbox; both parts are partial indexes.
pub(crate) fn outbox_state(db: &Connection) -> rusqlite::Result<OutboxState> {
    let (pending, oldest): (i64, Option<i64>) = db
        .prepare_cached("SELECT COUNT(*), MIN(created_ms) FROM outbox WHERE state = 'pending'")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let parked = db
        .prepare_cached("SELECT COUNT(*) FROM outbox WHERE state = 'parked'")?
        .query_row([], |row| uint_at(row, 0))?;
    Ok(OutboxState {
        pending: super::codec::uint(pending),
        oldest_ms: oldest.map(super::codec::uint),
        parked,
    })
}

/// Whether a mail waits that may be sent now.
pub(crate) fn outbox_is_due(db: &Connection, now_ms: u64) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM outbox WHERE state = 'pending' AND due_ms <= ?1 AND lease_ms <= ?1)",
    )?
    .query_row(params![int(now_ms)], |row| row.get(0))
}
