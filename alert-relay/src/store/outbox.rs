//! Rows of `notifications` and `outbox`: what must still be told to whom.

use rusqlite::{Connection, params};

use super::{
    NewNotification,
    codec::{int, uint_at},
};

/// A mail taken from the outbox to be sent now.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    /// The row.
    pub(crate) id: i64,
    /// The composed mail as JSON.
    pub(crate) message: String,
    /// Its one recipient.
    pub(crate) recipient: String,
    /// How often it was tried before.
    pub(crate) attempts: u64,
    /// When it was put into the outbox, Unix milliseconds.
    pub(crate) created_ms: u64,
}

/// How sending one went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The receiver took it.
    Sent,
    /// Not now; try again at this moment.
    Retry {
        /// Unix milliseconds.
        at_ms: u64,
        /// What was said.
        error: String,
    },
    /// It will not be taken; a person has to look.
    Parked {
        /// What was said.
        error: String,
    },
}

/// Takes what is due, oldest first. Nobody else gets it until the lease has run out.
pub(super) fn claim(
    db: &Connection,
    now_ms: u64,
    lease_ms: u64,
    limit: usize,
) -> rusqlite::Result<Vec<Claimed>> {
    let claimed: Vec<Claimed> = db
        .prepare_cached(
            "SELECT outbox.id, message, recipient, attempts, outbox.created_ms \
             FROM outbox JOIN notifications ON notifications.id = notification \
             WHERE state = 'pending' AND due_ms <= ?1 AND lease_ms <= ?1 ORDER BY due_ms LIMIT ?2",
        )?
        .query_map(params![int(now_ms), int(limit as u64)], |row| {
            Ok(Claimed {
                id: row.get(0)?,
                message: row.get(1)?,
                recipient: row.get(2)?,
                attempts: uint_at(row, 3)?,
                created_ms: uint_at(row, 4)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut lease = db.prepare_cached("UPDATE outbox SET lease_ms = ?2 WHERE id = ?1")?;
    for one in &claimed {
        lease.execute(params![one.id, int(now_ms.saturating_add(lease_ms))])?;
    }
    Ok(claimed)
}

/// Notes how sending one went.
pub(super) fn settle(db: &Connection, id: i64, outcome: &Outcome, now_ms: u64) -> rusqlite::Result<()> {
    let (state, due_ms, settled_ms, error) = match outcome {
        Outcome::Sent => ("sent", None, Some(now_ms), None),
        Outcome::Retry { at_ms, error } => ("pending", Some(*at_ms), None, Some(error)),
        Outcome::Parked { error } => ("parked", None, Some(now_ms), Some(error)),
    };
    db.prepare_cached(
        "UPDATE outbox SET state = ?2, attempts = attempts + 1, due_ms = COALESCE(?3, due_ms), lease_ms = 0, \
         settled_ms = ?4, error = ?5 WHERE id = ?1 AND state = 'pending'",
    )?
    .execute(params![id, state, due_ms.map(int), settled_ms.map(int), error])?;
    Ok(())
}

/// One notification, and a row for each recipient.
pub(super) fn insert(db: &Connection, notification: &NewNotification, now_ms: u64) -> rusqlite::Result<()> {
    let (incident, sequence) = match &notification.about {
        Some(told) => (Some(told.incident.to_bytes()), told.sequence),
        None => (None, 0),
    };
    db.prepare_cached(
        "INSERT INTO notifications (incident, sequence, created_ms, message) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![incident, int(sequence), int(now_ms), notification.message])?;
    let id = db.last_insert_rowid();
    let mut statement = db.prepare_cached(
        "INSERT INTO outbox (notification, channel, recipient, state, due_ms, created_ms) \
         VALUES (?1, 'mail', ?2, 'pending', ?3, ?3)",
    )?;
    for recipient in &notification.recipients {
        statement.execute(params![id, recipient, int(now_ms)])?;
    }
    Ok(())
}
