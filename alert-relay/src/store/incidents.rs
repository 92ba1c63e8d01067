//! Rows of `incidents`.

use wire::EventId;

use super::{
    StoredEvent,
    codec::{category_of, int, severity_code, severity_of},
    db::{Db, DbError, Row},
    read::event_row,
};
use crate::incident::{Incident, Key, Notify};

/// The columns, in the order of [`row`].
pub(super) const COLUMNS: &str = "id, model, category, client, severity, first_ms, last_ms, updated_ms, count, \
     refused, threats, due_ms, notify_sequence, notify_last_ms, notify_count, notify_severity";

/// One row.
pub(super) fn row(row: &Row<'_>) -> Result<Incident, DbError> {
    Ok(Incident {
        id: row.id(0)?,
        key: Key { model: row.text(1)?, category: category_of(&row.text(2)?), client: row.text(3)? },
        severity: row.severity(4)?,
        first_ms: row.uint(5)?,
        last_ms: row.uint(6)?,
        updated_ms: row.uint(7)?,
        count: row.uint(8)?,
        refused: row.uint(9)?,
        threats: row.json(10)?,
        notify: Notify {
            due_ms: row.opt_uint(11)?,
            sequence: row.uint(12)?,
            last_ms: row.uint(13)?,
            count: row.uint(14)?,
            severity: row.opt_uint(15)?.and_then(|code| severity_of(int(code))),
        },
    })
}

/// The incident with this id.
pub(crate) fn get(db: &Db, id: EventId) -> Result<Option<Incident>, DbError> {
    db.query_opt(&format!("SELECT {COLUMNS} FROM incidents WHERE id = ?1"), &[id.into()], row)
}

/// The latest incident of each key that has one, open or not.
pub(super) fn latest(db: &Db, keys: &[&Key]) -> Result<Vec<Incident>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM incidents WHERE model = ?1 AND category = ?2 AND client = ?3 \
         ORDER BY updated_ms DESC LIMIT 1"
    );
    let keys: Vec<_> = keys
        .iter()
        .map(|key| vec![(&key.model).into(), key.category.as_str().into(), (&key.client).into()])
        .collect();
    db.query_each(&sql, &keys, row)
}

/// Incidents whose next mail is due.
pub(crate) fn due(db: &Db, now_ms: u64, limit: usize) -> Result<Vec<Incident>, DbError> {
    let sql =
        format!("SELECT {COLUMNS} FROM incidents WHERE due_ms <= ?1 ORDER BY severity DESC, due_ms LIMIT ?2");
    db.query(&sql, &[now_ms.into(), limit.into()], row)
}

/// The latest events of an incident, newest first.
pub(crate) fn events_of(db: &Db, id: EventId, limit: usize) -> Result<Vec<StoredEvent>, DbError> {
    db.query(
        "SELECT seq, received_ms, body FROM events WHERE incident = ?1 ORDER BY seq DESC LIMIT ?2",
        &[id.into(), limit.into()],
        event_row,
    )
}

/// Writes incidents, new or not.
pub(super) fn save<'a>(db: &Db, incidents: impl Iterator<Item = &'a Incident>) -> Result<(), DbError> {
    let incidents: Vec<(&Incident, String)> = incidents
        // A list of plain structs: serialising it cannot fail.
        .map(|incident| {
            (incident, serde_json::to_string(&incident.threats).unwrap_or_else(|_| "[]".to_owned()))
        })
        .collect();
    let rows: Vec<_> = incidents
        .iter()
        .map(|(incident, threats)| {
            let Incident { key, notify, .. } = incident;
            vec![
                incident.id.into(),
                (&key.model).into(),
                key.category.as_str().into(),
                (&key.client).into(),
                severity_code(incident.severity).into(),
                incident.first_ms.into(),
                incident.last_ms.into(),
                incident.updated_ms.into(),
                incident.count.into(),
                incident.refused.into(),
                threats.into(),
                notify.due_ms.into(),
                notify.sequence.into(),
                notify.last_ms.into(),
                notify.count.into(),
                notify.severity.map(severity_code).into(),
            ]
        })
        .collect();
    db.execute_each(
        "INSERT INTO incidents (id, model, category, client, severity, first_ms, last_ms, updated_ms, count, \
         refused, threats, due_ms, notify_sequence, notify_last_ms, notify_count, notify_severity) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) \
         ON CONFLICT (id) DO UPDATE SET severity = ?5, first_ms = ?6, last_ms = ?7, updated_ms = ?8, \
         count = ?9, refused = ?10, threats = ?11, due_ms = ?12, notify_sequence = ?13, \
         notify_last_ms = ?14, notify_count = ?15, notify_severity = ?16",
        &rows,
    )
}
