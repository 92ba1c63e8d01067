//! Incidents that are told together, and what becomes of every event on its way to somebody.
//!
//! **Handing on.** An incident with further events is due; its events go to the groups that the routes name, or are
//! counted as silenced, inhibited, below what is told, or named to nobody. **Telling.** A group that is due makes one
//! message, number n of the group, in one transaction that n admits once. Above the hourly limit (see `limit`) its events
//! go to the receiver's overflow group, which is told, as a number, when there is room again. **Standing.** Those who
//! were told are told what becomes of it, see `standing`. `accounts` counts each event once for
//! each receiver, so a digest can account for all of them.
//!
//! Of several relays one at a time does any of this: all of it holds the lock [`LOCK`] behind those of the incidents.

mod accounts;
mod campaign;
mod handing;
mod held;
mod limit;
mod messages;
mod missed;
mod standing;
mod timers;

use wire::{EventId, Severity};

use super::{
    codec::{int, severity_code, severity_of},
    db::{Db, DbError, Row, broken},
};
use crate::{
    clock::millis,
    entropy,
    incident::{Incident, State},
    route::Route,
};

pub(crate) use accounts::{accounts, digest_is_due, digest_is_first, waiting};
pub(in crate::store) use limit::Room;
pub(crate) use missed::{Missed, missed};
pub(crate) use standing::{Standing, due_states, next_state, standing};

/// The lock of all groups, beside those of the incidents.
pub(super) const LOCK: i64 = 64;
/// The place of the groups that hold what is above the hourly limit.
pub(crate) const OVERFLOW: &str = "overflow";
/// How the keys of groups begin that exist because nobody acknowledged another.
pub(crate) const ESCALATION: &str = "escalation:";
const HOUR_MS: u64 = 3_600_000;

/// A row of `alert_groups`.
#[derive(Clone, Debug)]
pub(crate) struct AlertGroup {
    pub(crate) id: EventId,
    pub(crate) receiver: String,
    pub(crate) place: String,
    pub(crate) key: String,
    /// The incident that the next message is about.
    pub(crate) lead: EventId,
    pub(crate) severity: Severity,
    /// Events that the next message tells of.
    pub(crate) pending: u64,
    pub(crate) told: u64,
    pub(crate) told_severity: Option<Severity>,
    /// Messages made.
    pub(crate) sequence: u64,
    pub(crate) last_ms: u64,
    pub(crate) updated_ms: u64,
    pub(crate) due_ms: Option<u64>,
    pub(crate) repeat_ms: Option<u64>,
    pub(crate) escalate_ms: Option<u64>,
    /// The state that its receiver knows of.
    pub(crate) told_state: State,
    /// When it is looked whether there is another.
    pub(crate) state_due_ms: Option<u64>,
}

const COLUMNS: &str = "id, receiver, place, key, lead, severity, pending, told, told_severity, sequence, last_ms, \
     updated_ms, due_ms, repeat_ms, escalate_ms, told_state, state_due_ms";

fn row(row: &Row<'_>) -> Result<AlertGroup, DbError> {
    Ok(AlertGroup {
        id: row.id(0)?,
        receiver: row.text(1)?,
        place: row.text(2)?,
        key: row.text(3)?,
        lead: row.id(4)?,
        severity: row.severity(5)?,
        pending: row.uint(6)?,
        told: row.uint(7)?,
        told_severity: row.opt_uint(8)?.and_then(|code| severity_of(int(code))),
        sequence: row.uint(9)?,
        last_ms: row.uint(10)?,
        updated_ms: row.uint(11)?,
        due_ms: row.opt_uint(12)?,
        repeat_ms: row.opt_uint(13)?,
        escalate_ms: row.opt_uint(14)?,
        told_state: State::parse(&row.text(15)?).ok_or_else(|| broken(15, "no state"))?,
        state_due_ms: row.opt_uint(16)?,
    })
}

impl AlertGroup {
    fn new(receiver: &str, place: &str, key: &str, incident: &Incident, now_ms: u64) -> Self {
        Self {
            id: entropy::uuid(now_ms),
            receiver: receiver.to_owned(),
            place: place.to_owned(),
            key: key.to_owned(),
            lead: incident.id,
            severity: incident.severity,
            pending: 0,
            told: 0,
            told_severity: None,
            sequence: 0,
            last_ms: 0,
            updated_ms: now_ms,
            due_ms: None,
            repeat_ms: None,
            escalate_ms: None,
            told_state: State::Open,
            state_due_ms: None,
        }
    }

    /// Takes further events of an incident.
    fn take(&mut self, incident: &Incident, events: u64, route: &Route, now_ms: u64) {
        if self.pending == 0 || incident.severity > self.severity {
            (self.lead, self.severity) = (incident.id, incident.severity);
        }
        self.pending += events;
        self.updated_ms = now_ms;
        let urgent =
            incident.severity == Severity::Critical && self.told_severity != Some(Severity::Critical);
        let due = if urgent {
            now_ms
        } else if self.sequence == 0 {
            now_ms.saturating_add(millis(route.group_wait))
        } else {
            // A clock that was put back does not keep anything for as long.
            now_ms.max(self.last_ms.min(now_ms).saturating_add(millis(route.group_interval)))
        };
        self.due_ms = Some(self.due_ms.map_or(due, |set| set.min(due)));
    }

    fn save(&self, db: &Db) -> Result<(), DbError> {
        db.execute(
            &format!(
                "INSERT INTO alert_groups ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
                 ?13, ?14, ?15, ?16, ?17) ON CONFLICT (id) DO UPDATE SET lead = ?5, severity = ?6, pending = ?7, \
                 told = ?8, told_severity = ?9, sequence = ?10, last_ms = ?11, updated_ms = ?12, due_ms = ?13, \
                 repeat_ms = ?14, escalate_ms = ?15, told_state = ?16, state_due_ms = ?17"
            ),
            &[
                self.id.into(),
                (&self.receiver).into(),
                (&self.place).into(),
                (&self.key).into(),
                self.lead.into(),
                severity_code(self.severity).into(),
                self.pending.into(),
                self.told.into(),
                self.told_severity.map(severity_code).into(),
                self.sequence.into(),
                self.last_ms.into(),
                self.updated_ms.into(),
                self.due_ms.into(),
                self.repeat_ms.into(),
                self.escalate_ms.into(),
                self.told_state.as_str().into(),
                self.state_due_ms.into(),
            ],
        )
        .map(drop)
    }
}

/// Makes room under a group's key for another. What was told stays: it may have to be told how that ended.
fn retire(db: &Db, group: &AlertGroup) -> Result<(), DbError> {
    if group.sequence == 0 {
        return db.execute("DELETE FROM alert_groups WHERE id = ?1", &[group.id.into()]).map(drop);
    }
    let sql =
        "UPDATE alert_groups SET key = ?2, due_ms = NULL, repeat_ms = NULL, escalate_ms = NULL WHERE id = ?1";
    db.execute(sql, &[group.id.into(), format!("past:{}", group.id).as_str().into()]).map(drop)
}

fn get(db: &Db, id: EventId) -> Result<Option<AlertGroup>, DbError> {
    db.query_opt(&format!("SELECT {COLUMNS} FROM alert_groups WHERE id = ?1"), &[id.into()], row)
}

fn find(db: &Db, receiver: &str, place: &str, key: &str) -> Result<Option<AlertGroup>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM alert_groups WHERE receiver = ?1 AND place = ?2 AND key = ?3");
    db.query_opt(&sql, &[receiver.into(), place.into(), key.into()], row)
}

/// Groups whose next message is due: the worst first, of these what was held back.
pub(crate) fn due(db: &Db, now_ms: u64, limit: usize) -> Result<Vec<AlertGroup>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM alert_groups WHERE due_ms <= ?1 \
         ORDER BY severity DESC, CASE WHEN place = '{OVERFLOW}' THEN 0 ELSE 1 END, due_ms LIMIT ?2"
    );
    db.query(&sql, &[now_ms.into(), limit.into()], row)
}

/// How many incidents and callers a group has, and the worst of the others beside its lead.
pub(crate) fn members(db: &Db, group: &AlertGroup) -> Result<(u64, u64, Vec<Incident>), DbError> {
    let (incidents, clients) = db.query_one(
        "SELECT COUNT(*), COUNT(DISTINCT client) FROM group_members JOIN incidents ON id = incident \
         WHERE alert_group = ?1",
        &[group.id.into()],
        |row| Ok((row.uint(0)?, row.uint(1)?)),
    )?;
    let sql = format!(
        "SELECT {} FROM group_members JOIN incidents ON id = incident WHERE alert_group = ?1 AND id <> ?2 \
         ORDER BY severity DESC, last_ms DESC LIMIT 5",
        super::incidents::columns()
    );
    let others = db.query(&sql, &[group.id.into(), group.lead.into()], super::incidents::row)?;
    Ok((incidents, clients, others))
}

/// The incidents of a group, the one its next message is about first, then the worst.
pub(crate) fn incidents_of(db: &Db, group: &AlertGroup, limit: usize) -> Result<Vec<EventId>, DbError> {
    db.query(
        "SELECT id FROM group_members JOIN incidents ON id = incident WHERE alert_group = ?1 \
         ORDER BY CASE WHEN id = ?2 THEN 0 ELSE 1 END, severity DESC, last_ms DESC LIMIT ?3",
        &[group.id.into(), group.lead.into(), limit.into()],
        |row| row.id(0),
    )
}

/// Whether somebody is to be reminded, or somebody else told.
pub(crate) fn timers_are_due(db: &Db, now_ms: u64) -> Result<bool, DbError> {
    let sql = "SELECT 1 WHERE EXISTS (SELECT 1 FROM alert_groups WHERE repeat_ms <= ?1) \
         OR EXISTS (SELECT 1 FROM alert_groups WHERE escalate_ms <= ?1)";
    Ok(db.query_opt(sql, &[now_ms.into()], |_| Ok(()))?.is_some())
}
