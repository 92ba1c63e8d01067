//! Rows of `audit`: who changed what, and when.

use super::db::{Db, DbError};

/// Who changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actor {
    /// Somebody with the API token.
    Person,
    /// The relay, because a rule says so.
    Relay,
}

/// Notes a change.
pub(super) fn note(db: &Db, at_ms: u64, actor: Actor, action: &str, what: &str) -> Result<(), DbError> {
    let actor = match actor {
        Actor::Person => "person",
        Actor::Relay => "relay",
    };
    db.execute(
        "INSERT INTO audit (at_ms, actor, action, what) VALUES (?1, ?2, ?3, ?4)",
        &[at_ms.into(), actor.into(), action.into(), what.into()],
    )
    .map(drop)
}
