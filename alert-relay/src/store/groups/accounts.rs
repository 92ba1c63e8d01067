//! What became of every event, counted for the digest.

use std::collections::BTreeMap;

use wire::Category;

use super::{
    super::{
        apply::Group,
        db::{Db, DbError},
    },
    HOUR_MS, OVERFLOW,
};
/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// In a message.
    Told,
    /// Above the hourly limit; counted in a later message.
    Suppressed,
    /// A silence held.
    Silenced,
    /// Something worse kept it.
    Inhibited,
    /// Not severe enough.
    Below,
    /// No route names anybody.
    Unrouted,
}

impl Fate {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Suppressed => "suppressed",
            Self::Silenced => "silenced",
            Self::Inhibited => "inhibited",
            Self::Below => "below",
            Self::Unrouted => "unrouted",
        }
    }
}

impl Group<'_> {
    /// Counts events by what became of them.
    pub(super) fn account(&self, accounts: BTreeMap<(String, Fate, Category), u64>) -> Result<(), DbError> {
        let hour = self.storing.now_ms / HOUR_MS;
        let rows: Vec<_> = accounts
            .iter()
            .map(|((receiver, fate, category), count)| {
                vec![
                    hour.into(),
                    receiver.into(),
                    fate.as_str().into(),
                    category.as_str().into(),
                    (*count).into(),
                ]
            })
            .collect();
        self.db.execute_each(
            "INSERT INTO accounts (hour, receiver, outcome, category, count) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (hour, receiver, outcome, category) DO UPDATE SET count = accounts.count + ?5",
            &rows,
        )
    }
}

/// Events of some hours by what became of them: receiver, outcome, category, count.
pub(crate) fn accounts(
    db: &Db,
    receiver: &str,
    from_ms: u64,
    until_ms: u64,
) -> Result<Vec<(String, String, u64)>, DbError> {
    db.query(
        "SELECT outcome, category, CAST(SUM(count) AS BIGINT) AS n FROM accounts \
         WHERE receiver IN (?1, '') AND hour >= ?2 AND hour < ?3 GROUP BY outcome, category ORDER BY outcome, n DESC",
        &[receiver.into(), (from_ms / HOUR_MS).into(), until_ms.div_ceil(HOUR_MS).into()],
        |row| Ok((row.text(0)?, row.text(1)?, row.uint(2)?)),
    )
}

/// Whether nobody has made this digest.
pub(crate) fn digest_is_due(db: &Db, name: &str, period: u64) -> Result<bool, DbError> {
    Ok(last_digest(db, name)?.is_none_or(|last| is_late(last, period)))
}

/// Whether the digest of a period is still to be made after another one. One of much later was made by a clock that was
/// ahead, while the clocks of two relays may well be on either side of the moment.
pub(super) const fn is_late(made: u64, period: u64) -> bool {
    made < period || made > period.saturating_add(1)
}

/// Whether no digest of this name was ever made: then the time before the relay was there is none to tell of.
pub(crate) fn digest_is_first(db: &Db, name: &str) -> Result<bool, DbError> {
    Ok(last_digest(db, name)?.is_none())
}

/// The number of the last digest of this name.
pub(super) fn last_digest(db: &Db, name: &str) -> Result<Option<u64>, DbError> {
    let key = format!("digest:{name}");
    db.query_opt("SELECT value FROM meta WHERE key = ?1", &[(&key).into()], |row| row.uint(0))
}

/// Events that wait to be told to somebody.
pub(crate) fn waiting(db: &Db, receiver: &str) -> Result<u64, DbError> {
    db.query_one(
        "SELECT CAST(COALESCE(SUM(pending), 0) AS BIGINT) FROM alert_groups WHERE receiver = ?1 AND place <> ?2",
        &[receiver.into(), OVERFLOW.into()],
        |row| row.uint(0),
    )
}
