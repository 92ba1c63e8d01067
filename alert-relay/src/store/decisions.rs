//! Decisions about callers, each change with a serial number of its own, so that filters can ask for what is new.

use wire::{Decision, DecisionAction, DecisionFeed, EventId, Subject, limits::MAX_FEED_ENTRIES};

use super::{
    audit::{self, Actor},
    db::{Db, DbError, Row, broken},
};

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
    /// The person who made it, if one did.
    pub(crate) by: String,
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

fn row(row: &Row<'_>) -> Result<StoredDecision, DbError> {
    let (scope, value, action) = (row.text(1)?, row.text(2)?, row.text(3)?);
    let decision = Decision {
        id: row.uint(0)?,
        subject: Subject::parse(&scope, &value).ok_or_else(|| broken(2, "no subject"))?,
        action: DecisionAction::parse(&action).ok_or_else(|| broken(3, "no action"))?,
        rate: u32::try_from(row.int(4)?).map_err(|_| broken(4, "no rate"))?,
        until: row.uint(5)?,
    };
    Ok(StoredDecision {
        decision,
        reason: row.text(6)?,
        incident: row.opt_id(7)?,
        automatic: row.int(8)? != 0,
        created_ms: row.uint(9)?,
        serial: row.uint(10)?,
    })
}

/// Makes a decision, in place of an earlier one about the same. `None`: there are too many.
pub(super) fn decide(db: &Db, new: &NewDecision, now_ms: u64) -> Result<Option<StoredDecision>, DbError> {
    // The serial comes first: its row keeps relays that decide at once from each other.
    let serial = next_serial(db)?;
    // Whoever knows of these forgets them by themselves.
    db.execute("DELETE FROM decisions WHERE until_s <= ?1", &[(now_ms / 1000).into()])?;
    let (scope, value) = (new.subject.scope(), new.subject.value());
    let known = find(db, scope, &value)?;
    if known.is_none() {
        let count = db.query_one("SELECT COUNT(*) FROM decisions", &[], |row| row.uint(0))?;
        if count >= MAX_DECISIONS {
            return Ok(None);
        }
    }
    let sql = format!(
        "INSERT INTO decisions (scope, value, action, rate, until_s, reason, incident, automatic, created_ms, serial) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
         ON CONFLICT (scope, value) DO UPDATE SET action = ?3, rate = ?4, until_s = ?5, reason = ?6, incident = ?7, \
         automatic = ?8, created_ms = ?9, serial = ?10 RETURNING {COLUMNS}"
    );
    let values = [
        scope.into(),
        (&value[..]).into(),
        new.action.as_str().into(),
        u64::from(new.rate).into(),
        new.until.into(),
        (&new.reason).into(),
        new.incident.into(),
        new.automatic.into(),
        now_ms.into(),
        serial.into(),
    ];
    let stored = db.query_one(&sql, &values, row)?;
    let actor = if new.automatic { Actor::Relay } else { Actor::Person(&new.by) };
    audit::note(db, now_ms, actor, "decide", &described(new, stored.decision.id))?;
    Ok(Some(stored))
}

/// A decision as the audit log keeps it.
fn described(new: &NewDecision, id: u64) -> String {
    serde_json::json!({
        "decision": id,
        "scope": new.subject.scope(),
        "value": new.subject.value(),
        "action": new.action.as_str(),
        "rate": new.rate,
        "until": new.until,
        "reason": new.reason,
        "incident": new.incident,
    })
    .to_string()
}

/// Takes a decision back. False if there is none of this number. It stays until its end, for filters to hear of it.
pub(super) fn lift(db: &Db, id: u64, by: &str, now_ms: u64) -> Result<bool, DbError> {
    let serial = next_serial(db)?;
    let changed = db.execute(
        "UPDATE decisions SET action = 'lift', serial = ?3 WHERE id = ?1 AND until_s > ?2 AND action <> 'lift'",
        &[id.into(), (now_ms / 1000).into(), serial.into()],
    )?;
    if changed > 0 {
        audit::note(db, now_ms, Actor::Person(by), "lift", &serde_json::json!({"decision": id}).to_string())?;
    }
    Ok(changed > 0)
}

/// Whether there is a decision about somebody that has not ended.
pub(super) fn is_decided(db: &Db, subject: &Subject, now_ms: u64) -> Result<bool, DbError> {
    let known = find(db, subject.scope(), &subject.value())?;
    Ok(known.is_some_and(|(until, action)| until > now_ms / 1000 && action != "lift"))
}

fn find(db: &Db, scope: &str, value: &str) -> Result<Option<(u64, String)>, DbError> {
    let sql = "SELECT until_s, action FROM decisions WHERE scope = ?1 AND value = ?2";
    db.query_opt(sql, &[scope.into(), value.into()], |row| Ok((row.uint(0)?, row.text(1)?)))
}

fn next_serial(db: &Db) -> Result<u64, DbError> {
    let sql = "UPDATE meta SET value = value + 1 WHERE key = 'decision_serial' RETURNING value";
    db.query_one(sql, &[], |row| row.uint(0))
}

/// What has changed since a state; all that has not ended where that state is unknown.
pub(crate) fn decision_page(db: &Db, epoch: &str, since: u64, now_ms: u64) -> Result<DecisionPage, DbError> {
    let number =
        |key: &str| db.query_one("SELECT value FROM meta WHERE key = ?1", &[key.into()], |row| row.uint(0));
    let (own, latest) = (format!("{:x}", number("decision_epoch")?), number("decision_serial")?);
    let reset = epoch != own || since > latest;
    let after = if reset { 0 } else { since };
    let lifted = if reset { "AND action <> 'lift' " } else { "" };
    let sql = format!(
        "SELECT {COLUMNS} FROM decisions WHERE serial > ?1 AND until_s > ?2 {lifted}ORDER BY serial LIMIT ?3"
    );
    let values = [after.into(), (now_ms / 1000).into(), (MAX_FEED_ENTRIES + 1).into()];
    let mut decisions = db.query(&sql, &values, row)?;
    let more = decisions.len() > MAX_FEED_ENTRIES;
    decisions.truncate(MAX_FEED_ENTRIES);
    let last = decisions.last().map(|last| last.serial);
    let serial = last.filter(|_| more).unwrap_or(latest);
    Ok(DecisionPage { epoch: own, serial, reset, more, decisions })
}
