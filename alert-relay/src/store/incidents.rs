//! Rows of `incidents`.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use wire::EventId;

use super::{
    StoredEvent,
    codec::{broken, category_of, id_at, int, severity_at, severity_code, severity_of, uint, uint_at},
    read::event_row,
};
use crate::incident::{Incident, Key, Notify};

/// The columns, in the order of [`row`].
pub(super) const COLUMNS: &str = "id, model, category, client, severity, first_ms, last_ms, updated_ms, count, \
     refused, threats, due_ms, notify_sequence, notify_last_ms, notify_count, notify_severity";

/// One row.
pub(super) fn row(row: &Row<'_>) -> rusqlite::Result<Incident> {
    let category: String = row.get(2)?;
    let threats: String = row.get(10)?;
    let told: Option<i64> = row.get(15)?;
    Ok(Incident {
        id: id_at(row, 0)?,
        key: Key { model: row.get(1)?, category: category_of(&category), client: row.get(3)? },
        severity: severity_at(row, 4)?,
        first_ms: uint_at(row, 5)?,
        last_ms: uint_at(row, 6)?,
        updated_ms: uint_at(row, 7)?,
        count: uint_at(row, 8)?,
        refused: uint_at(row, 9)?,
        threats: serde_json::from_str(&threats)
            .map_err(|e| broken(10, rusqlite::types::Type::Text, &e.to_string()))?,
        notify: Notify {
            due_ms: row.get::<_, Option<i64>>(11)?.map(uint),
            sequence: uint_at(row, 12)?,
            last_ms: uint_at(row, 13)?,
            count: uint_at(row, 14)?,
            severity: told.and_then(severity_of),
        },
    })
}

/// The incident with this id.
pub(crate) fn get(db: &Connection, id: EventId) -> rusqlite::Result<Option<Incident>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM incidents WHERE id = ?1"))?
        .query_row(params![id.to_bytes()], row)
        .optional()
}

/// The latest incident of a key, open or not.
pub(super) fn latest(db: &Connection, key: &Key) -> rusqlite::Result<Option<Incident>> {
    db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM incidents WHERE model = ?1 AND category = ?2 AND client = ?3 \
         ORDER BY updated_ms DESC LIMIT 1"
    ))?
    .query_row(params![key.model, key.category.as_str(), key.client], row)
    .optional()
}

/// Incidents whose next mail is due.
pub(crate) fn due(db: &Connection, now_ms: u64, limit: usize) -> rusqlite::Result<Vec<Incident>> {
    db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM incidents WHERE due_ms <= ?1 ORDER BY severity DESC, due_ms LIMIT ?2"
    ))?
    .query_map(params![int(now_ms), int(limit as u64)], row)?
    .collect()
}

/// The latest events of an incident, newest first.
pub(crate) fn events_of(db: &Connection, id: EventId, limit: usize) -> rusqlite::Result<Vec<StoredEvent>> {
    db.prepare_cached(
        "SELECT seq, received_ms, body FROM events WHERE incident = ?1 ORDER BY seq DESC LIMIT ?2",
    )?
    .query_map(params![id.to_bytes(), int(limit as u64)], event_row)?
    .collect()
}

/// Writes an incident, new or not.
pub(super) fn save(db: &Connection, incident: &Incident) -> rusqlite::Result<()> {
    // A list of plain structs: serialising it cannot fail.
    let threats = serde_json::to_string(&incident.threats).unwrap_or_else(|_| "[]".to_owned());
    let notify = &incident.notify;
    db.prepare_cached(
        "INSERT INTO incidents (id, model, category, client, severity, first_ms, last_ms, updated_ms, count, \
         refused, threats, due_ms, notify_sequence, notify_last_ms, notify_count, notify_severity) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) \
         ON CONFLICT (id) DO UPDATE SET severity = ?5, first_ms = ?6, last_ms = ?7, updated_ms = ?8, \
         count = ?9, refused = ?10, threats = ?11, due_ms = ?12, notify_sequence = ?13, \
         notify_last_ms = ?14, notify_count = ?15, notify_severity = ?16",
    )?
    .execute(params![
        incident.id.to_bytes(),
        incident.key.model,
        incident.key.category.as_str(),
        incident.key.client,
        severity_code(incident.severity),
        int(incident.first_ms),
        int(incident.last_ms),
        int(incident.updated_ms),
        int(incident.count),
        int(incident.refused),
        threats,
        notify.due_ms.map(int),
        int(notify.sequence),
        int(notify.last_ms),
        int(notify.count),
        notify.severity.map(severity_code),
    ])?;
    Ok(())
}
