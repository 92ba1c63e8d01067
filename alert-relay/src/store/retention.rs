//! Deleting what has been kept long enough, in small steps, so that nobody waits for it.

use super::{
    db::{Db, DbError, Dialect},
    sums,
};

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

/// The oldest rows of a class from before `?1`, `?2` of them.
const fn old(class: Class) -> &'static str {
    match class {
        Class::Events => "SELECT seq FROM events WHERE time_ms < ?1 ORDER BY time_ms LIMIT ?2",
        // One that still has something to tell, by itself or in a group, is not old, whatever its clock says.
        Class::Incidents => {
            "SELECT id FROM incidents WHERE last_ms < ?1 AND updated_ms < ?1 AND due_ms IS NULL AND NOT EXISTS \
             (SELECT 1 FROM group_members JOIN alert_groups ON alert_groups.id = alert_group \
             WHERE incident = incidents.id AND alert_groups.due_ms IS NOT NULL) ORDER BY last_ms LIMIT ?2"
        }
        // A notification goes with the last of its mails; those that still wait keep it.
        Class::Mails => {
            "SELECT id FROM notifications WHERE created_ms < ?1 AND NOT EXISTS \
             (SELECT 1 FROM outbox WHERE notification = notifications.id AND state = 'pending') \
             ORDER BY created_ms LIMIT ?2"
        }
        Class::Metrics => {
            "SELECT minute FROM threats WHERE minute < CAST(?1 AS BIGINT) / 60000 ORDER BY minute LIMIT ?2"
        }
        Class::Audit => "SELECT id FROM audit WHERE at_ms < ?1 ORDER BY at_ms LIMIT ?2",
    }
}

/// Counts that there may be without any by rule.
const COUNTS: [&str; 2] = [
    "SELECT 1 FROM categories WHERE minute < CAST(?1 AS BIGINT) / 60000 LIMIT ?2",
    "SELECT 1 FROM accounts WHERE hour < CAST(?1 AS BIGINT) / 3600000 LIMIT ?2",
];

/// Whether there is something to delete. A question costs no commit.
pub(crate) fn is_due(db: &Db, class: Class, before_ms: u64) -> Result<bool, DbError> {
    let others = if class == Class::Metrics { &COUNTS[..] } else { &[] };
    for sql in std::iter::once(old(class)).chain(others.iter().copied()) {
        if db.query_opt(sql, &[before_ms.into(), 1_u64.into()], |_| Ok(()))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes at most `limit` rows of a class from before a moment (or the minute of the last of them); how many. None:
/// that was all.
pub(super) fn prune(db: &Db, class: Class, before_ms: u64, limit: usize) -> Result<u64, DbError> {
    let (table, key) = match class {
        Class::Events => return prune_events(db, before_ms, limit),
        Class::Incidents => return prune_incidents(db, before_ms, limit),
        Class::Mails => return prune_mails(db, before_ms, limit),
        Class::Metrics => return prune_counts(db, before_ms, limit),
        Class::Audit => ("audit", "id"),
    };
    let sql = format!("DELETE FROM {table} WHERE {key} IN ({})", old(class));
    db.execute(&sql, &[before_ms.into(), limit.into()])
}

/// All counts of a minute or an hour go together.
fn prune_counts(db: &Db, before_ms: u64, limit: usize) -> Result<u64, DbError> {
    let others = db.execute("DELETE FROM categories WHERE minute < ?1", &[(before_ms / 60_000).into()])?
        + db.execute("DELETE FROM accounts WHERE hour < ?1", &[(before_ms / 3_600_000).into()])?;
    sums::THREATS.forget(db, before_ms / 60_000)?;
    let sql = format!("DELETE FROM threats WHERE minute IN ({})", old(Class::Metrics));
    Ok(others + db.execute(&sql, &[before_ms.into(), limit.into()])?)
}

/// Events go with their words.
fn prune_events(db: &Db, before_ms: u64, limit: usize) -> Result<u64, DbError> {
    let seqs = db.query(old(Class::Events), &[before_ms.into(), limit.into()], |row| row.int(0))?;
    let rows: Vec<_> = seqs.iter().map(|seq| vec![(*seq).into()]).collect();
    let words = match db.dialect() {
        Dialect::Sqlite => "DELETE FROM events_text WHERE rowid = ?1",
        Dialect::Postgres => "DELETE FROM events_text WHERE seq = ?1",
    };
    db.execute_each(words, &rows)?;
    db.execute_each("DELETE FROM events WHERE seq = ?1", &rows)?;
    // What the summary knows of them goes with the last of a minute.
    let minute = before_ms / 60_000;
    sums::EVENTS.forget(db, minute)?;
    db.execute("DELETE FROM counts WHERE minute < ?1", &[minute.into()])?;
    // Of these there may be as many as events.
    let callers = "DELETE FROM callers WHERE client IN \
                   (SELECT client FROM callers WHERE minute < ?1 ORDER BY minute LIMIT ?2)";
    db.execute(callers, &[minute.into(), limit.into()])?;
    Ok(seqs.len() as u64)
}

/// Incidents go with their timelines.
fn prune_incidents(db: &Db, before_ms: u64, limit: usize) -> Result<u64, DbError> {
    let ids = db.query(old(Class::Incidents), &[before_ms.into(), limit.into()], |row| row.id(0))?;
    let rows: Vec<_> = ids.iter().map(|id| vec![(*id).into()]).collect();
    db.execute_each("DELETE FROM timeline WHERE incident = ?1", &rows)?;
    db.execute_each("DELETE FROM group_members WHERE incident = ?1", &rows)?;
    db.execute("DELETE FROM campaigns WHERE last_ms < ?1", &[before_ms.into()])?;
    db.execute("DELETE FROM silences WHERE until_ms < ?1", &[before_ms.into()])?;
    db.execute("DELETE FROM log_heads WHERE at_ms < ?1", &[before_ms.into()])?;
    db.execute_each("DELETE FROM incidents WHERE id = ?1", &rows)?;
    Ok(ids.len() as u64)
}

fn prune_mails(db: &Db, before_ms: u64, limit: usize) -> Result<u64, DbError> {
    let ids = db.query(old(Class::Mails), &[before_ms.into(), limit.into()], |row| row.int(0))?;
    let rows: Vec<_> = ids.iter().map(|id| vec![(*id).into()]).collect();
    db.execute_each("DELETE FROM outbox WHERE notification = ?1", &rows)?;
    db.execute_each("DELETE FROM notifications WHERE id = ?1", &rows)?;
    db.execute("DELETE FROM alert_groups WHERE updated_ms < ?1 AND due_ms IS NULL", &[before_ms.into()])?;
    Ok(ids.len() as u64)
}

/// Further than this the clocks of two relays are not apart.
const APART_MS: u64 = 3_600_000;

/// Takes work that one relay does for all, for a time. False if another one has it: for much longer than it is ever
/// taken only one whose clock was ahead can seem to.
pub(super) fn take_lease(
    db: &Db,
    name: &str,
    holder: &str,
    now_ms: u64,
    until_ms: u64,
) -> Result<bool, DbError> {
    let taken = db.execute(
        "INSERT INTO leases (name, holder, until_ms) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE \
         SET holder = ?2, until_ms = ?3 WHERE leases.holder = ?2 OR leases.until_ms <= ?4 OR leases.until_ms > ?5",
        &[
            name.into(),
            holder.into(),
            until_ms.into(),
            now_ms.into(),
            until_ms.saturating_add(APART_MS).into(),
        ],
    )?;
    Ok(taken > 0)
}
