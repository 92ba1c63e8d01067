//! Decisions about callers, each change with a serial number of its own, so that filters can ask for what is new.

use wire::{Decision, DecisionAction, DecisionFeed, EventId, Subject, limits::MAX_FEED_ENTRIES};

use crate::{
    allow::meets,
    automatic::{About, AutomaticDecision},
    clock::iso,
};

use super::{
    audit::{self, Actor},
    db::{Db, DbError, Row, broken},
};

/// Most decisions that have not ended. Filters hold 200,000 unless told otherwise.
const MAX_DECISIONS: u64 = 100_000;
/// Most entries of the allow list; each is held against whatever is decided.
const MAX_ALLOWED: u64 = 1000;
/// Decisions looked at in one go when the allow list grows.
const SWEEP: usize = 5000;
/// Most callers remembered for a longer decision; the one that is forgotten first goes first.
const MAX_REMEMBERED: u64 = 100_000;
/// Most addresses noted as neighbours, likewise.
const MAX_NOTED: u64 = 100_000;

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
    /// Whether it is an entry of the allow list; to filters, that nothing is decided.
    pub(crate) allows: bool,
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
    /// Whether it is an entry of the allow list.
    pub(crate) allows: bool,
    /// When it was made, Unix milliseconds.
    pub(crate) created_ms: u64,
    serial: u64,
}

/// What became of a decision.
#[derive(Debug)]
pub(crate) enum Decided {
    /// It was made.
    Made(Box<StoredDecision>),
    /// There are too many.
    TooMany,
    /// It would meet what is allowed; which, for people.
    Allowed(String),
}

/// What nobody decides against.
#[derive(Debug)]
pub(super) struct Allowed {
    subject: Subject,
    why: String,
}

/// Who asks for the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A filter: needs to know what to do.
    Filter,
    /// A person: the allow list too.
    Person,
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
    "id, scope, value, action, rate, until_s, reason, incident, automatic, created_ms, serial, allows";

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
        allows: row.int(11)? != 0,
    })
}

/// About how many further callers may be decided, once a transaction has counted that: a storm from ever new callers
/// must not count all there are for each.
#[derive(Debug, Default)]
pub(super) struct Places(Option<u64>);

/// Makes a decision or an entry of the allow list, in place of what there was about the same. `configured` is what the
/// configuration allows.
pub(super) fn decide(
    db: &Db,
    new: &NewDecision,
    configured: &[Subject],
    places: &mut Places,
    now_ms: u64,
) -> Result<Decided, DbError> {
    let known = || find(db, new.subject.scope(), &new.subject.value());
    if !new.allows && places.0 == Some(0) && known()?.is_none() {
        return Ok(Decided::TooMany);
    }
    // The serial comes first: its row keeps relays that decide at once from each other.
    let serial = next_serial(db)?;
    // Whoever knows of these forgets them by themselves.
    db.execute("DELETE FROM decisions WHERE told_until_s <= ?1", &[(now_ms / 1000).into()])?;
    if !new.allows
        && let Some(why) = allowed_why(&allowed(db, configured, now_ms)?, &new.subject)
    {
        return Ok(Decided::Allowed(why));
    }
    if is_full(db, new, known()?, places, now_ms)? {
        return Ok(Decided::TooMany);
    }
    let sql = format!(
        "INSERT INTO decisions (scope, value, action, rate, until_s, reason, incident, automatic, created_ms, serial, \
         allows, told_until_s) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?5) \
         ON CONFLICT (scope, value) DO UPDATE SET action = ?3, rate = ?4, until_s = ?5, reason = ?6, incident = ?7, \
         automatic = ?8, created_ms = ?9, serial = ?10, allows = ?11, told_until_s = \
         CASE WHEN decisions.told_until_s > ?5 THEN decisions.told_until_s ELSE ?5 END RETURNING {COLUMNS}"
    );
    let (scope, value) = (new.subject.scope(), new.subject.value());
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
        new.allows.into(),
    ];
    let stored = db.query_one(&sql, &values, row)?;
    let actor = if new.automatic { Actor::Relay } else { Actor::Person(&new.by) };
    let what = if new.allows { "allow" } else { "decide" };
    audit::note(db, now_ms, actor, what, &described(new, stored.decision.id))?;
    if new.allows {
        forget(db, scope, &value)?;
        sweep(db, std::slice::from_ref(&new.subject), actor, now_ms)?;
    }
    Ok(Decided::Made(Box::new(stored)))
}

/// Whether there is no room for one more. If there is, it is taken.
fn is_full(
    db: &Db,
    new: &NewDecision,
    known: Option<Known>,
    places: &mut Places,
    now_ms: u64,
) -> Result<bool, DbError> {
    if new.allows {
        let sql = "SELECT COUNT(*) FROM decisions WHERE allows = 1 AND until_s > ?1";
        let count = db.query_one(sql, &[(now_ms / 1000).into()], |row| row.uint(0))?;
        // Whoever was decided about takes the place of that.
        places.0 = None;
        return Ok(count >= MAX_ALLOWED && !known.is_some_and(|known| known.allows));
    }
    if known.is_some() {
        return Ok(false);
    }
    let left = match places.0 {
        Some(left) => left,
        None => {
            let count = db.query_one("SELECT COUNT(*) FROM decisions", &[], |row| row.uint(0))?;
            MAX_DECISIONS.saturating_sub(count)
        }
    };
    places.0 = Some(left.saturating_sub(1));
    Ok(left == 0)
}

/// Everything that is allowed now.
pub(super) fn allowed(db: &Db, configured: &[Subject], now_ms: u64) -> Result<Vec<Allowed>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM decisions WHERE allows = 1 AND until_s > ?1 ORDER BY id");
    let stored = db.query(&sql, &[(now_ms / 1000).into()], row)?;
    let configured = configured.iter().map(|subject| Allowed {
        subject: subject.clone(),
        why: format!("the configuration allows {}", subject.value()),
    });
    let stored = stored.into_iter().map(|StoredDecision { decision, reason, .. }| {
        let (value, ends) = (decision.subject.value(), iso(decision.until.saturating_mul(1000)));
        let why =
            format!("{value} is allowed until {ends} ({reason}); take decision {} back first", decision.id);
        Allowed { subject: decision.subject, why }
    });
    Ok(configured.chain(stored).collect())
}

/// What of the allow list somebody meets.
pub(super) fn allowed_why(allowed: &[Allowed], subject: &Subject) -> Option<String> {
    allowed.iter().find(|one| meets(&one.subject, subject)).map(|one| one.why.clone())
}

/// Takes everything back that meets one of these. Answers how many decisions.
pub(super) fn sweep(db: &Db, allowed: &[Subject], actor: Actor<'_>, now_ms: u64) -> Result<u64, DbError> {
    let sql = "SELECT id, scope, value FROM decisions WHERE id > ?1 AND until_s > ?2 AND action <> 'lift' \
               ORDER BY id LIMIT ?3";
    let (mut last, mut lifted) = (0, 0);
    loop {
        let values = [last.into(), (now_ms / 1000).into(), SWEEP.into()];
        let rows = db.query(sql, &values, |row| Ok((row.uint(0)?, row.text(1)?, row.text(2)?)))?;
        for (id, scope, value) in &rows {
            let met = Subject::parse(scope, value)
                .and_then(|subject| allowed.iter().find(|allowed| meets(allowed, &subject)));
            if let Some(met) = met {
                let serial = next_serial(db)?;
                let sql = "UPDATE decisions SET action = 'lift', serial = ?2 WHERE id = ?1";
                db.execute(sql, &[(*id).into(), serial.into()])?;
                forget(db, scope, value)?;
                let what = serde_json::json!({"decision": id, "allowed": met.value()});
                audit::note(db, now_ms, actor, "lift", &what.to_string())?;
                lifted += 1;
            }
        }
        match rows.last() {
            Some((id, ..)) if rows.len() == SWEEP => last = *id,
            _ => return Ok(lifted),
        }
    }
}

/// Makes a decision that a rule brings: longer for whom rules have decided about before. Answers with it, if it was made.
pub(super) fn decide_by_rule(
    db: &Db,
    new: NewDecision,
    rule: &AutomaticDecision,
    configured: &[Subject],
    places: &mut Places,
    now_ms: u64,
) -> Result<Option<NewDecision>, DbError> {
    let (scope, value) = (new.subject.scope(), new.subject.value());
    let known = "SELECT times FROM repeats WHERE scope = ?1 AND value = ?2 AND forget_s > ?3";
    let who = [scope.into(), (&value[..]).into(), (now_ms / 1000).into()];
    let times = db.query_opt(known, &who, |row| row.uint(0))?.unwrap_or(0);
    let new = rule.grown(new, times, now_ms);
    // Before the first of a transaction.
    if places.0.is_none() {
        bound(db, "repeats", MAX_REMEMBERED, now_ms)?;
    }
    if !matches!(decide(db, &new, configured, places, now_ms)?, Decided::Made(_)) {
        return Ok(None);
    }
    let forget_s = new.until.saturating_add(rule.growth.remember.as_secs());
    db.execute(
        "INSERT INTO repeats (scope, value, times, forget_s) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (scope, value) DO UPDATE SET times = ?3, forget_s = ?4",
        &[scope.into(), (&value[..]).into(), times.saturating_add(1).into(), forget_s.into()],
    )?;
    Ok(Some(new))
}

/// Notes an address that a rule about ranges fits. Answers the decision if there are enough of its range now.
pub(super) fn notice(
    db: &Db,
    new: NewDecision,
    rule: &AutomaticDecision,
    address: &str,
    now_ms: u64,
) -> Result<Option<NewDecision>, DbError> {
    let About::Range(of) = rule.about else { return Ok(Some(new)) };
    let (noted_as, network, now) = (rule.noted_as(), new.subject.value(), now_ms / 1000);
    let forget_s = now.saturating_add(of.within.as_secs());
    db.execute(
        "INSERT INTO neighbours (rule, network, address, forget_s) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (rule, network, address) DO UPDATE SET forget_s = ?4",
        &[(&noted_as).into(), (&network).into(), address.into(), forget_s.into()],
    )?;
    let count = db.query_one(
        "SELECT COUNT(*) FROM neighbours WHERE rule = ?1 AND network = ?2 AND forget_s > ?3",
        &[(&noted_as).into(), (&network).into(), now.into()],
        |row| row.uint(0),
    )?;
    if count < of.addresses {
        return Ok(None);
    }
    let enough = "DELETE FROM neighbours WHERE rule = ?1 AND network = ?2";
    db.execute(enough, &[(&noted_as).into(), (&network).into()])?;
    let reason = format!("{count} addresses of the range; of the last one {}", new.reason);
    Ok(Some(NewDecision { reason, ..new }))
}

/// Before the first notice of a transaction: forgets neighbours of long ago, and those that are too many. Relays that notice
/// at once are kept from each other, as by a decision.
pub(super) fn begin_noticing(db: &Db, now_ms: u64) -> Result<(), DbError> {
    db.execute("UPDATE meta SET value = value WHERE key = 'decision_serial'", &[])?;
    bound(db, "neighbours", MAX_NOTED, now_ms)
}

/// Deletes what is to be forgotten, and what is too much.
fn bound(db: &Db, table: &str, most: u64, now_ms: u64) -> Result<(), DbError> {
    let sql = format!(
        "DELETE FROM {table} WHERE forget_s <= ?1 OR forget_s < \
         COALESCE((SELECT forget_s FROM {table} ORDER BY forget_s DESC LIMIT 1 OFFSET ?2), 0)"
    );
    db.execute(&sql, &[(now_ms / 1000).into(), most.into()]).map(drop)
}

/// A decision that was wrong does not make the next one longer.
fn forget(db: &Db, scope: &str, value: &str) -> Result<(), DbError> {
    db.execute("DELETE FROM repeats WHERE scope = ?1 AND value = ?2", &[scope.into(), value.into()]).map(drop)
}

/// A decision as the audit log keeps it.
fn described(new: &NewDecision, id: u64) -> String {
    serde_json::json!({
        "decision": id,
        "scope": new.subject.scope(),
        "value": new.subject.value(),
        "action": if new.allows { "allow" } else { new.action.as_str() },
        "rate": new.rate,
        "until": new.until,
        "reason": new.reason,
        "incident": new.incident,
    })
    .to_string()
}

/// Takes a decision or an entry of the allow list back. False if there is none of this number. It stays until its end, for
/// filters to hear of it.
pub(super) fn lift(db: &Db, id: u64, by: &str, now_ms: u64) -> Result<bool, DbError> {
    let serial = next_serial(db)?;
    let changed = db.query_opt(
        "UPDATE decisions SET action = 'lift', allows = 0, serial = ?3 \
         WHERE id = ?1 AND until_s > ?2 AND (action <> 'lift' OR allows = 1) RETURNING scope, value",
        &[id.into(), (now_ms / 1000).into(), serial.into()],
        |row| Ok((row.text(0)?, row.text(1)?)),
    )?;
    let Some((scope, value)) = changed else { return Ok(false) };
    forget(db, &scope, &value)?;
    audit::note(db, now_ms, Actor::Person(by), "lift", &serde_json::json!({"decision": id}).to_string())?;
    Ok(true)
}

/// Whether there is a decision about somebody that has not ended.
pub(super) fn is_decided(db: &Db, subject: &Subject, now_ms: u64) -> Result<bool, DbError> {
    let known = find(db, subject.scope(), &subject.value())?;
    Ok(known.is_some_and(|known| known.until > now_ms / 1000 && known.action != "lift"))
}

/// What is known about somebody.
struct Known {
    until: u64,
    action: String,
    allows: bool,
}

fn find(db: &Db, scope: &str, value: &str) -> Result<Option<Known>, DbError> {
    let sql = "SELECT until_s, action, allows FROM decisions WHERE scope = ?1 AND value = ?2";
    db.query_opt(sql, &[scope.into(), value.into()], |row| {
        Ok(Known { until: row.uint(0)?, action: row.text(1)?, allows: row.int(2)? != 0 })
    })
}

fn next_serial(db: &Db) -> Result<u64, DbError> {
    let sql = "UPDATE meta SET value = value + 1 WHERE key = 'decision_serial' RETURNING value";
    db.query_one(sql, &[], |row| row.uint(0))
}

/// What has changed since a state; all that has not ended where that state is unknown.
pub(crate) fn decision_page(
    db: &Db,
    reader: Reader,
    epoch: &str,
    since: u64,
    now_ms: u64,
) -> Result<DecisionPage, DbError> {
    let number =
        |key: &str| db.query_one("SELECT value FROM meta WHERE key = ?1", &[key.into()], |row| row.uint(0));
    let (own, latest) = (format!("{:x}", number("decision_epoch")?), number("decision_serial")?);
    let reset = epoch != own || since > latest;
    let (after, now) = (if reset { 0 } else { since }, now_ms / 1000);
    let wanted = match (reset, reader) {
        (true, Reader::Filter) => "until_s > ?2 AND action <> 'lift'",
        (true, Reader::Person) => "until_s > ?2 AND (action <> 'lift' OR allows = 1)",
        // Also what has ended early, and who was not there may still know in its older form.
        (false, _) => "told_until_s > ?2",
    };
    let sql =
        format!("SELECT {COLUMNS} FROM decisions WHERE serial > ?1 AND {wanted} ORDER BY serial LIMIT ?3");
    let values = [after.into(), now.into(), (MAX_FEED_ENTRIES + 1).into()];
    let mut decisions = db.query(&sql, &values, row)?;
    for stored in &mut decisions {
        if stored.decision.until <= now {
            (stored.decision.action, stored.allows) = (DecisionAction::Lift, false);
        }
    }
    let more = decisions.len() > MAX_FEED_ENTRIES;
    decisions.truncate(MAX_FEED_ENTRIES);
    let last = decisions.last().map(|last| last.serial);
    let serial = last.filter(|_| more).unwrap_or(latest);
    Ok(DecisionPage { epoch: own, serial, reset, more, decisions })
}
