//! Rows of `audit`: who changed what, and when.

use super::db::{Db, DbError};

/// Who changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actor<'a> {
    /// Somebody with the API token, under the name they gave.
    Person(&'a str),
    /// The relay, because a rule says so.
    Relay,
}

/// Notes a change.
pub(super) fn note(db: &Db, at_ms: u64, actor: Actor<'_>, action: &str, what: &str) -> Result<(), DbError> {
    let (actor, who) = match actor {
        Actor::Person(who) => ("person", who),
        Actor::Relay => ("relay", ""),
    };
    db.execute(
        "INSERT INTO audit (at_ms, actor, action, what, who) VALUES (?1, ?2, ?3, ?4, ?5)",
        &[at_ms.into(), actor.into(), action.into(), what.into(), who.into()],
    )
    .map(drop)
}

/// A change that was noted.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    /// Its number.
    pub(crate) id: u64,
    /// When, Unix milliseconds.
    pub(crate) at_ms: u64,
    /// `person` or `relay`.
    pub(crate) actor: String,
    /// The person's name, as far as they gave one.
    pub(crate) who: String,
    /// What was done.
    pub(crate) action: String,
    /// To what, as JSON.
    pub(crate) what: String,
}

/// Changes from before one, the latest first; one more than `limit` if there are more.
pub(crate) fn audit_page(
    db: &Db,
    action: Option<&str>,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Noted>, DbError> {
    db.query(
        "SELECT id, at_ms, actor, who, action, what FROM audit WHERE id < ?1 AND (?2 = '' OR action = ?2) \
         ORDER BY id DESC LIMIT ?3",
        &[before.unwrap_or(u64::MAX).into(), action.unwrap_or_default().into(), (limit + 1).into()],
        |row| {
            Ok(Noted {
                id: row.uint(0)?,
                at_ms: row.uint(1)?,
                actor: row.text(2)?,
                who: row.text(3)?,
                action: row.text(4)?,
                what: row.text(5)?,
            })
        },
    )
}
