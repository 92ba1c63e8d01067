//! Where the chain of each relay's log stands (see `logfile`), so that a digest names all of them, whoever makes it.

use super::db::{Db, DbError};
use crate::logfile::Head;

/// Most heads read for a digest.
const MAX_HEADS: u64 = 50;

/// Where a log stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogHead {
    /// Whose log it is.
    pub(crate) relay: String,
    /// `number:seal`.
    pub(crate) head: String,
    /// When that was, Unix milliseconds.
    pub(crate) at_ms: u64,
}

/// Keeps where a relay's log stands. How far its chain is known to have been: more than what is told now means that
/// somebody has put it back, and then what was known stays.
pub(super) fn save(db: &Db, relay: &str, head: &Head, now_ms: u64) -> Result<u64, DbError> {
    let (begun_ms, sequence) = (head.begun_ms, head.sequence);
    let saved = db.execute(
        "INSERT INTO log_heads (relay, begun_ms, sequence, head, at_ms) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (relay, begun_ms) DO UPDATE SET sequence = ?3, head = ?4, at_ms = ?5 \
         WHERE log_heads.sequence <= ?3",
        &[relay.into(), begun_ms.into(), sequence.into(), (&head.text).into(), now_ms.into()],
    )?;
    if saved > 0 {
        return Ok(sequence);
    }
    let sql = "SELECT sequence FROM log_heads WHERE relay = ?1 AND begun_ms = ?2";
    db.query_one(sql, &[relay.into(), begun_ms.into()], |row| row.uint(0))
}

/// The heads told of since a moment, by relay; a relay that has begun another chain has several.
pub(crate) fn log_heads(db: &Db, since_ms: u64) -> Result<Vec<LogHead>, DbError> {
    db.query(
        "SELECT relay, head, at_ms FROM log_heads WHERE at_ms >= ?1 ORDER BY relay, begun_ms DESC LIMIT ?2",
        &[since_ms.into(), MAX_HEADS.into()],
        |row| Ok(LogHead { relay: row.text(0)?, head: row.text(1)?, at_ms: row.uint(2)? }),
    )
}
