//! Decisions about callers, each change with a serial number of its own, so that filters can ask for what is new.

use rusqlite::{Connection, OptionalExtension as _, Row, params, types::Type};
use wire::{Decision, DecisionAction, DecisionFeed, EventId, Subject, limits::MAX_FEED_ENTRIES};

use super::codec::{broken, int, uint_at};

/// Most decisions that have not ended. Filters hold 200,000 unless told otherwise.
const MAX_DECISIONS: u64 = 100_000;

/// A decision on its way into the store.
#[derive(Clone, Debug)]
pub(crate) struct NewDecision {
    /// Whom it is about; one decision for each.
    pub(crate) subject: Subject,
    /// What to do.
    pub(crate) action: DecisionAction,
    /// Requests a minute, where it throttles.
    pub(crate) rate: u32,
    /// When it ends, Unix seconds.
    pub(crate) until: u64,
    /// Why, for people.
    pub(crate) reason: String,
    /// The incident it answers.
    pub(crate) incident: Option<EventId>,
    /// Whether the relay made it by itself.
    pub(crate) automatic: bool,
}

/// A decision as stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredDecision {
    /// What filters learn of it.
    pub(crate) decision: Decision,
    /// Why, for people.
    pub(crate) reason: String,
    /// The incident it answers.
    pub(crate) incident: Option<EventId>,
    /// Whether the relay made it by itself.
    pub(crate) automatic: bool,
    /// When it was made, Unix milliseconds.
    pub(crate) created_ms: u64,
    serial: u64,
}

/// A part of the list.
#[derive(Clone, Debug)]
pub(crate) struct DecisionPage {
    /// Which life of the list it is.
    pub(crate) epoch: String,
    /// The state that whoever reads it has then.
    pub(crate) serial: u64,
    /// Whether it begins anew.
    pub(crate) reset: bool,
    /// Whether there is more.
    pub(crate) more: bool,
    /// The decisions.
    pub(crate) decisions: Vec<StoredDecision>,
}

impl DecisionPage {
    /// What filters get.
    pub(crate) fn feed(self) -> DecisionFeed {
        DecisionFeed {
            epoch: self.epoch,
            serial: self.serial,
            reset: self.reset,
            more: self.more,
            entries: self.decisions.into_iter().map(|stored| stored.decision).collect(),
            rejected: 0,
        }
    }
}

const COLUMNS: &str =
    "id, scope, value, action, rate, until_s, reason, incident, automatic, created_ms, serial";

fn row(row: &Row<'_>) -> rusqlite::Result<StoredDecision> {
    let (scope, value, action): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
    let incident: Option<[u8; 16]> = row.get(7)?;
    let decision = Decision {
        id: uint_at(row, 0)?,
        subject: Subject::parse(&scope, &value).ok_or_else(|| broken(2, Type::Text, "no subject"))?,
        action: DecisionAction::parse(&action).ok_or_else(|| broken(3, Type::Text, "no action"))?,
        rate: row.get(4)?,
        until: uint_at(row, 5)?,
    };
    Ok(StoredDecision {
        decision,
        reason: row.get(6)?,
        incident: incident.and_then(|bytes| EventId::from_bytes(bytes).ok()),
        automatic: row.get(8)?,
        created_ms: uint_at(row, 9)?,
        serial: uint_at(row, 10)?,
    })
}

/// Makes a decision, in place of an earlier one about the same. `None`: there are too many.
pub(super) fn decide(
    db: &Connection,
    new: &NewDecision,
    now_ms: u64,
) -> rusqlite::Result<Option<StoredDecision>> {
    // Whoever knows of these forgets them by themselves.
    db.prepare_cached("DELETE FROM decisions WHERE until_s <= ?1")?.execute(params![int(now_ms / 1000)])?;
    let (scope, value) = (new.subject.scope(), new.subject.value());
    let known = find(db, scope, &value)?;
    if known.is_none() {
        let count =
            db.prepare_cached("SELECT COUNT(*) FROM decisions")?.query_row([], |row| uint_at(row, 0))?;
        if count >= MAX_DECISIONS {
            return Ok(None);
        }
    }
    let serial = next_serial(db)?;
    let sql = format!(
        "INSERT INTO decisions (scope, value, action, rate, until_s, reason, incident, automatic, created_ms, serial) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
         ON CONFLICT (scope, value) DO UPDATE SET action = ?3, rate = ?4, until_s = ?5, reason = ?6, incident = ?7, \
         automatic = ?8, created_ms = ?9, serial = ?10 RETURNING {COLUMNS}"
    );
    db.prepare_cached(&sql)?
        .query_row(
            params![
                scope,
                value,
                new.action.as_str(),
                new.rate,
                int(new.until),
                new.reason,
                new.incident.map(EventId::to_bytes),
                new.automatic,
                int(now_ms),
                int(serial),
            ],
            row,
        )
        .map(Some)
}

/// Takes a decision back. False if there is none of this number. It stays until its end, for filters to hear of it.
pub(super) fn lift(db: &Connection, id: u64, now_ms: u64) -> rusqlite::Result<bool> {
    let serial = next_serial(db)?;
    let changed = db
        .prepare_cached(
            "UPDATE decisions SET action = 'lift', serial = ?3 WHERE id = ?1 AND until_s > ?2 AND action <> 'lift'",
        )?
        .execute(params![int(id), int(now_ms / 1000), int(serial)])?;
    Ok(changed > 0)
}

/// Whether there is a decision about somebody that has not ended.
pub(super) fn is_decided(db: &Connection, subject: &Subject, now_ms: u64) -> rusqlite::Result<bool> {
    let known = find(db, subject.scope(), &subject.value())?;
    Ok(known.is_some_and(|(until, action)| until > now_ms / 1000 && action != "lift"))
}

fn find(db: &Connection, scope: &str, value: &str) -> rusqlite::Result<Option<(u64, String)>> {
    db.prepare_cached("SELECT until_s, action FROM decisions WHERE scope = ?1 AND value = ?2")?
        .query_row(params![scope, value], |row| Ok((uint_at(row, 0)?, row.get(1)?)))
        .optional()
}

fn next_serial(db: &Connection) -> rusqlite::Result<u64> {
    db.prepare_cached("UPDATE meta SET value = value + 1 WHERE key = 'decision_serial' RETURNING value")?
        .query_row([], |row| uint_at(row, 0))
}

/// What has changed since a state; all that has not ended where that state is unknown.
pub(crate) fn decision_page(
    db: &Connection,
    epoch: &str,
    since: u64,
    now_ms: u64,
) -> rusqlite::Result<DecisionPage> {
    let number = |key: &str| {
        db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?
            .query_row(params![key], |row| uint_at(row, 0))
    };
    let (own, latest) = (format!("{:x}", number("decision_epoch")?), number("decision_serial")?);
    let reset = epoch != own || since > latest;
    let after = if reset { 0 } else { since };
    let sql = format!(
        "SELECT {COLUMNS} FROM decisions WHERE serial > ?1 AND until_s > ?2 AND NOT (?3 AND action = 'lift') \
         ORDER BY serial LIMIT ?4"
    );
    let limit = int(MAX_FEED_ENTRIES as u64 + 1);
    let mut decisions: Vec<StoredDecision> = db
        .prepare_cached(&sql)?
        .query_map(params![int(after), int(now_ms / 1000), reset, limit], row)?
        .collect::<rusqlite::Result<_>>()?;
    let more = decisions.len() > MAX_FEED_ENTRIES;
    decisions.truncate(MAX_FEED_ENTRIES);
    let last = decisions.last().map(|last| last.serial);
    let serial = last.filter(|_| more).unwrap_or(latest);
    Ok(DecisionPage { epoch: own, serial, reset, more, decisions })
}
