//! Deleting what has been kept long enough, in small steps, so that nobody waits for it.

use super::db::{Db, DbError};

/// What is kept for a time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Events, with their texts.
    Events,
    /// Incidents that have been quiet since.
    Incidents,
    /// Mails that are settled, with the notifications they came from; as long as incidents.
    Mails,
    /// Counts by rule and minute.
    Metrics,
    /// Who changed what.
    Audit,
}

impl Class {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Events, Self::Incidents, Self::Mails, Self::Metrics, Self::Audit];
}

/// Deletes at most `limit` rows of a class from before a moment; how many. Fewer than `limit`: that was all.
pub(super) fn prune(db: &Db, class: Class, before_ms: u64, limit: usize) -> Result<u64, DbError> {
    let before = [before_ms.into(), limit.into()];
    match class {
        Class::Events => db.execute(
            "DELETE FROM events WHERE seq IN \
             (SELECT seq FROM events WHERE time_ms < ?1 ORDER BY time_ms LIMIT ?2)",
            &before,
        ),
        // One that still has something to tell is not old, whatever its clock says.
        Class::Incidents => db.execute(
            "DELETE FROM incidents WHERE id IN (SELECT id FROM incidents WHERE last_ms < ?1 AND updated_ms < ?1 \
             AND due_ms IS NULL ORDER BY last_ms LIMIT ?2)",
            &before,
        ),
        Class::Mails => prune_mails(db, before_ms, limit),
        Class::Metrics => db.execute(
            "DELETE FROM threats WHERE minute IN (SELECT minute FROM threats WHERE minute < ?1 \
             ORDER BY minute LIMIT ?2)",
            &[(before_ms / 60_000).into(), limit.into()],
        ),
        Class::Audit => db.execute(
            "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at_ms < ?1 ORDER BY at_ms LIMIT ?2)",
            &before,
        ),
    }
}

/// A notification goes with the last of its mails; those that still wait stay, and keep it.
fn prune_mails(db: &Db, before_ms: u64, limit: usize) -> Result<u64, DbError> {
    let old = "SELECT id FROM notifications WHERE created_ms < ?1 AND NOT EXISTS \
         (SELECT 1 FROM outbox WHERE notification = notifications.id AND state = 'pending') \
         ORDER BY created_ms LIMIT ?2";
    let ids = db.query(old, &[before_ms.into(), limit.into()], |row| row.int(0))?;
    let rows: Vec<_> = ids.iter().map(|id| vec![(*id).into()]).collect();
    db.execute_each("DELETE FROM outbox WHERE notification = ?1", &rows)?;
    db.execute_each("DELETE FROM notifications WHERE id = ?1", &rows)?;
    Ok(ids.len() as u64)
}

/// Takes work that one relay does for all, for a time. False if another one has it.
pub(super) fn take_lease(
    db: &Db,
    name: &str,
    holder: &str,
    now_ms: u64,
    until_ms: u64,
) -> Result<bool, DbError> {
    let taken = db.execute(
        "INSERT INTO leases (name, holder, until_ms) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE \
         SET holder = ?2, until_ms = ?3 WHERE leases.holder = ?2 OR leases.until_ms <= ?4",
        &[name.into(), holder.into(), until_ms.into(), now_ms.into()],
    )?;
    Ok(taken > 0)
}
