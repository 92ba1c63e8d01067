//! What is looked at again when a group's message is due: a silence may have been made, or a mute window begun, while its
//! events waited.

use std::collections::{BTreeMap, HashMap};

use wire::EventId;

use super::{
    super::{
        apply::Group,
        db::{Db, DbError},
        incidents, silences,
    },
    AlertGroup, OVERFLOW,
    accounts::Fate,
    handing::labels,
};
use crate::{
    incident::Incident,
    route::{Labels, Policy},
};

/// Most incidents of a group that are looked at, the worst first: what a message names is among them.
const MEMBERS: u64 = 1000;
/// A reminder of what is silenced waits for so long, and for its turn.
const LATER_MS: u64 = 60_000;

/// An incident of a group.
struct Member {
    incident: Incident,
    labels: Labels,
    /// Its events that the next message would tell of.
    pending: u64,
    /// Whether no message of the group was made since it belongs to it.
    is_new: bool,
}

impl Group<'_> {
    /// Keeps back what a silence holds by now. True if that has changed what the group's message has to tell, or when.
    pub(super) fn hold_silenced(&self, group: &mut AlertGroup) -> Result<bool, DbError> {
        let (db, now_ms) = (self.db, self.storing.now_ms);
        let policy = std::sync::Arc::clone(&self.alerts.policy);
        let made = silences::active(db, now_ms)?;
        if made.is_empty() && !policy.has_silences(now_ms) {
            return Ok(false);
        }
        let (silenced, others): (Vec<Member>, Vec<Member>) =
            members(db, group)?.into_iter().partition(|member| {
                policy.is_silenced(&member.labels, now_ms) || silences::any(&made, &member.labels)
            });
        if silenced.is_empty() {
            return Ok(false);
        }
        if group.pending == 0 {
            return lead_by(db, group, &others, now_ms + LATER_MS);
        }
        let mut accounts = BTreeMap::new();
        for Member { incident, pending, is_new, .. } in &silenced {
            group.pending = group.pending.saturating_sub(*pending);
            // What the hourly limit held back is counted as that already.
            if group.place != OVERFLOW {
                let key = (group.receiver.clone(), Fate::Silenced, incident.key.category);
                *accounts.entry(key).or_default() += pending;
            }
            // Whoever was never told of it has nothing to do with it.
            let sql = match is_new {
                true => "DELETE FROM group_members WHERE alert_group = ?1 AND incident = ?2",
                false => "UPDATE group_members SET pending = 0 WHERE alert_group = ?1 AND incident = ?2",
            };
            db.execute(sql, &[group.id.into(), incident.id.into()])?;
        }
        self.account(accounts)?;
        // Of more members than that the others come with the next look.
        if others.is_empty() && silenced.len() < usize::try_from(MEMBERS).unwrap_or(usize::MAX) {
            (group.pending, group.due_ms) = (0, None);
        }
        lead(group, &others);
        group.save(db)?;
        Ok(true)
    }

    /// Keeps back what was above the hourly limit while the routes that it came by are mute. True as above.
    pub(super) fn hold_muted(&self, group: &mut AlertGroup) -> Result<bool, DbError> {
        let (db, now_ms) = (self.db, self.storing.now_ms);
        let policy = std::sync::Arc::clone(&self.alerts.policy);
        if group.place != OVERFLOW || !policy.root.mutes(now_ms) {
            return Ok(false);
        }
        let mut ends = Vec::new();
        let mut others = Vec::new();
        for member in members(db, group)? {
            match muted_until(&policy, &member.labels, &group.receiver, now_ms) {
                Some(end) => ends.push(end),
                None => others.push(member),
            }
        }
        match ends.into_iter().min() {
            None => Ok(false),
            Some(end) => lead_by(db, group, &others, end),
        }
    }
}

/// Until when all routes are mute by which something goes to a receiver.
fn muted_until(policy: &Policy, labels: &Labels, receiver: &str, now_ms: u64) -> Option<u64> {
    let routes = policy.root.of(labels);
    let by = routes.iter().filter(|(_, route)| route.receivers.iter().any(|known| known == receiver));
    let ends: Option<Vec<u64>> = by.map(|(_, route)| route.muted_until(now_ms)).collect();
    ends?.into_iter().min()
}

/// The incidents that a group's next message tells of: those with further events, or, where it reminds, those that are open.
fn members(db: &Db, group: &AlertGroup) -> Result<Vec<Member>, DbError> {
    let which = if group.pending > 0 { "pending > 0" } else { "state = 'open'" };
    let from =
        format!("FROM group_members JOIN incidents ON id = incident WHERE alert_group = ?1 AND {which}");
    let order = "ORDER BY severity DESC, last_ms DESC, id LIMIT ?2";
    let values = [group.id.into(), MEMBERS.into()];
    let counts: HashMap<EventId, (u64, u64)> = db
        .query(&format!("SELECT id, pending, since {from} {order}"), &values, |row| {
            Ok((row.id(0)?, (row.uint(1)?, row.uint(2)?)))
        })?
        .into_iter()
        .collect();
    let sql = format!("SELECT {} {from} {order}", incidents::columns());
    let found = db.query(&sql, &values, incidents::row)?;
    Ok(found
        .into_iter()
        .map(|incident| {
            let (pending, since) = counts.get(&incident.id).copied().unwrap_or_default();
            let labels = labels(&incident);
            Member { incident, labels, pending, is_new: since == group.sequence }
        })
        .collect())
}

/// Has the message be about the worst of these, unless it is about one of them; whether that is another.
fn lead(group: &mut AlertGroup, members: &[Member]) -> bool {
    let Some(worst) = members.first().map(|member| &member.incident) else { return false };
    if members.iter().any(|member| member.incident.id == group.lead) {
        return false;
    }
    (group.lead, group.severity) = (worst.id, worst.severity);
    true
}

/// The same, and without any it waits until then. True if something has changed.
fn lead_by(db: &Db, group: &mut AlertGroup, members: &[Member], later_ms: u64) -> Result<bool, DbError> {
    if members.is_empty() {
        group.due_ms = Some(later_ms);
    } else if !lead(group, members) {
        return Ok(false);
    }
    group.save(db)?;
    Ok(true)
}
