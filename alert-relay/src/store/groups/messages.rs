//! Telling: whether a group's message may go out, and what is noted when it did.

use std::collections::BTreeMap;

use wire::Category;

use super::{
    super::{
        Told,
        apply::Group,
        db::{Db, DbError},
        incidents,
    },
    AlertGroup, ESCALATION, OVERFLOW,
    accounts::Fate,
    find, get,
    limit::Room,
    retire,
};
use crate::{
    clock::millis,
    config::{Channel, Target},
};
impl Group<'_> {
    /// Whether a group's message may go out now, and by which channels. If not, it is put off, or its events go to the overflow.
    pub(in crate::store) fn admit(
        &mut self,
        told: &Told,
        targets: &[Target],
    ) -> Result<Option<(AlertGroup, Vec<Channel>)>, DbError> {
        let (db, now_ms) = (self.db, self.storing.now_ms);
        let wanted = get(db, told.group)?
            .filter(|group| group.sequence == told.sequence && group.due_ms.is_some_and(|due| due <= now_ms));
        let Some(mut group) = wanted else { return Ok(None) };
        let policy = std::sync::Arc::clone(&self.alerts.policy);
        let route = policy.root.at(&group.place);
        if let Some(end) = route.muted_until(now_ms) {
            group.due_ms = Some(end);
            group.save(db)?;
            return Ok(None);
        }
        if self.hold_silenced(&mut group)? || self.hold_muted(&mut group)? {
            // Its message is composed anew, if there still is one.
            return Ok(None);
        }
        let most = self.most(&group, Self::is_critical(&group))?;
        let room_ms = match self.room(&group.receiver, targets, most)? {
            Room::By(open) => return Ok(Some((group, open))),
            Room::Later(room_ms) => room_ms,
        };
        if group.place == OVERFLOW || group.pending == 0 {
            group.due_ms = Some(room_ms);
            group.save(db)?;
        } else {
            self.overflow(group, told.key.category, room_ms)?;
        }
        Ok(None)
    }

    /// Gives a group's events to the receiver's overflow.
    fn overflow(&mut self, mut group: AlertGroup, category: Category, room_ms: u64) -> Result<(), DbError> {
        let (db, now_ms) = (self.db, self.storing.now_ms);
        // Only read: whoever holds this incident's lock may be changing it.
        let Some(lead) = incidents::get(db, group.lead)? else { return Ok(()) };
        let known = find(db, &group.receiver, OVERFLOW, OVERFLOW)?;
        let mut over =
            known.unwrap_or_else(|| AlertGroup::new(&group.receiver, OVERFLOW, OVERFLOW, &lead, now_ms));
        if over.pending == 0 {
            // A message about what was held back this time only.
            retire(db, &over)?;
            over = AlertGroup::new(&group.receiver, OVERFLOW, OVERFLOW, &lead, now_ms);
        }
        if lead.severity > over.severity {
            (over.lead, over.severity) = (lead.id, lead.severity);
        }
        over.pending += group.pending;
        over.updated_ms = now_ms;
        over.due_ms = Some(over.due_ms.unwrap_or(room_ms));
        over.save(db)?;
        db.execute(
            "INSERT INTO group_members (incident, alert_group, pending, since) \
             SELECT incident, alert_groups.id, group_members.pending, alert_groups.sequence \
             FROM group_members JOIN alert_groups ON alert_groups.id = ?2 \
             WHERE alert_group = ?1 AND group_members.pending > 0 \
             ON CONFLICT (incident, alert_group) DO UPDATE SET pending = group_members.pending + excluded.pending",
            &[group.id.into(), over.id.into()],
        )?;
        none_waits(db, &group)?;
        let key = (group.receiver.clone(), Fate::Suppressed, category);
        self.account(BTreeMap::from([(key, group.pending)]))?;
        (group.pending, group.due_ms) = (0, None);
        group.save(db)
    }

    /// Notes that a group's message was made.
    pub(in crate::store) fn told(
        &mut self,
        mut group: AlertGroup,
        told: &Told,
        targets: usize,
    ) -> Result<(), DbError> {
        let (db, now_ms) = (self.db, self.storing.now_ms);
        let policy = std::sync::Arc::clone(&self.alerts.policy);
        let route = policy.root.at(&group.place);
        let events = told.pending.min(group.pending);
        if group.place != OVERFLOW && events > 0 {
            let key = (group.receiver.clone(), Fate::Told, told.key.category);
            self.account(BTreeMap::from([(key, events)]))?;
        }
        group.pending -= events;
        group.told += events;
        group.told_severity = group.told_severity.max(Some(told.severity));
        group.sequence += 1;
        group.last_ms = now_ms;
        group.due_ms = (group.pending > 0).then(|| now_ms.saturating_add(millis(route.group_interval)));
        let waits = |duration: std::time::Duration| now_ms.saturating_add(millis(duration));
        let is_first = group.sequence == 1;
        if group.place != OVERFLOW && !group.key.starts_with(ESCALATION) {
            let repeats = !route.repeat_interval.is_zero();
            group.repeat_ms = repeats.then(|| waits(route.repeat_interval));
            if let Some((after, _)) = route.escalation.as_ref().filter(|_| is_first) {
                group.escalate_ms = Some(waits(*after));
            }
        }
        self.state_after_events(&mut group)?;
        group.save(db)?;
        none_waits(db, &group)?;
        if group.pending > 0 {
            // What came while the message was made. Whose it is was not kept; the message will be about this one.
            let sql = "UPDATE group_members SET pending = ?3 WHERE alert_group = ?1 AND incident = ?2";
            db.execute(sql, &[group.id.into(), group.lead.into(), group.pending.into()])?;
        }
        if let Some(lead) = self.load(told.lead)? {
            lead.notify.sequence += 1;
            let text = format!("message {} to {} ({targets} targets)", group.sequence, group.receiver);
            lead.tell(now_ms, "mailed", "relay", text);
        }
        Ok(())
    }
}

/// Notes that no event of a group's incidents waits any more.
fn none_waits(db: &Db, group: &AlertGroup) -> Result<(), DbError> {
    let sql = "UPDATE group_members SET pending = 0 WHERE alert_group = ?1 AND pending > 0";
    db.execute(sql, &[group.id.into()]).map(drop)
}
