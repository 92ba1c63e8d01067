//! How the incidents of a group stand, and telling so whoever was told of them.
//!
//! An incident whose state has changed marks its groups; a group is told of as a whole: open while one of its incidents
//! is, acknowledged once somebody has taken up all of them, resolved once all are. So a campaign that ends is one message.
//! What is told is the state then, once for each change, not the way there.

use wire::EventId;

use super::{
    super::{
        Told,
        apply::Group,
        db::{Db, DbError, broken},
    },
    AlertGroup, COLUMNS, HOUR_MS, get,
    limit::Room,
    row,
};
use crate::{
    config::{Channel, Target},
    incident::{Incident, State},
};

/// Most messages an hour to a receiver that tell of states alone; what is above is told later, as it is then.
const STATES_PER_HOUR: u64 = 120;

/// How a group stands, and who brought it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The state of the whole.
    pub(crate) state: State,
    /// Who changed the last of its incidents.
    pub(crate) by: String,
    /// To whom it was told, and how.
    pub(crate) told: Vec<(Channel, String)>,
}

/// Groups of which it is to be looked how they stand. What still has events to tell tells these first.
pub(crate) fn due_states(db: &Db, now_ms: u64, limit: usize) -> Result<Vec<AlertGroup>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM alert_groups WHERE state_due_ms <= ?1 AND pending = 0 ORDER BY state_due_ms LIMIT ?2"
    );
    db.query(&sql, &[now_ms.into(), limit.into()], row)
}

/// How a group stands. One whose incidents are gone is over.
pub(crate) fn standing(db: &Db, group: EventId) -> Result<Standing, DbError> {
    let (state, by) = state_of(db, group)?;
    let sql = "SELECT DISTINCT channel, recipient FROM notifications \
               JOIN outbox ON notification = notifications.id WHERE incident = ?1 AND state <> 'parked'";
    let told = db.query(sql, &[group.into()], |row| {
        Ok((Channel::parse(&row.text(0)?).ok_or_else(|| broken(0, "no channel"))?, row.text(1)?))
    })?;
    Ok(Standing { state, by, told })
}

fn state_of(db: &Db, group: EventId) -> Result<(State, String), DbError> {
    let sql = "SELECT state, state_by FROM group_members JOIN incidents ON id = incident WHERE alert_group = ?1 \
               ORDER BY CASE state WHEN 'open' THEN 0 WHEN 'acknowledged' THEN 1 ELSE 2 END, state_ms DESC LIMIT 1";
    let found = db.query_opt(sql, &[group.into()], |row| {
        Ok((State::parse(&row.text(0)?).ok_or_else(|| broken(0, "no state"))?, row.text(1)?))
    })?;
    Ok(found.unwrap_or_else(|| (State::Resolved, "relay".to_owned())))
}

/// What is told next to those who know of one state where there is another: who knows that it is over first hears that
/// it is not.
pub(crate) fn next_state(known: State, now: State) -> State {
    match (known, now) {
        (State::Resolved, State::Acknowledged) => State::Open,
        _ => now,
    }
}

impl Group<'_> {
    /// Has the groups of an incident looked at that were told. Whatever else this transaction does with them has to see how
    /// it stands, so that is written now and not with the rest of it.
    pub(super) fn turn_groups_of(&self, incident: &Incident) -> Result<(), DbError> {
        let sql = "UPDATE incidents SET state = ?2, state_ms = ?3, state_by = ?4 WHERE id = ?1";
        let (state, by) = (incident.state.as_str(), &incident.state_by);
        self.db.execute(sql, &[incident.id.into(), state.into(), incident.state_ms.into(), by.into()])?;
        let sql = "UPDATE alert_groups SET state_due_ms = ?2 WHERE sequence > 0 AND state_due_ms IS NULL AND id IN \
                   (SELECT alert_group FROM group_members WHERE incident = ?1)";
        self.db.execute(sql, &[incident.id.into(), self.storing.now_ms.into()]).map(drop)
    }

    /// Whether a message that tells of a state may go out now, and whether mails are among it. If there is nothing to
    /// tell or nobody to be told, that is noted.
    pub(in crate::store) fn admit_state(
        &self,
        told: &Told,
        state: State,
        targets: &[Target],
    ) -> Result<Option<(AlertGroup, bool)>, DbError> {
        let (db, now_ms) = (self.db, self.storing.now_ms);
        let wanted = get(db, told.group)?.filter(|group| {
            group.sequence == told.sequence
                && group.pending == 0
                && group.state_due_ms.is_some_and(|due| due <= now_ms)
        });
        let Some(mut group) = wanted else { return Ok(None) };
        let (now, _) = state_of(db, group.id)?;
        if next_state(group.told_state, now) != state {
            // It has moved on since the message was made: another is.
            return Ok(None);
        }
        if now == group.told_state || targets.is_empty() {
            (group.told_state, group.state_due_ms) = (now, None);
            group.save(db)?;
            return Ok(None);
        }
        let policy = std::sync::Arc::clone(&self.alerts.policy);
        if let Some(end) = policy.root.at(&group.place).muted_until(now_ms) {
            group.state_due_ms = Some(end);
            group.save(db)?;
            return Ok(None);
        }
        let by_mail: Vec<Target> =
            targets.iter().filter(|target| target.channel == Channel::Email).cloned().collect();
        let (mut mails, mut room_ms) = (!by_mail.is_empty(), None);
        if mails
            && let Room::Later(later) = self.room(&group.receiver, &by_mail, self.most(&group, false)?)?
        {
            (mails, room_ms) = (false, Some(later));
        }
        let others = targets.iter().any(|target| target.channel != Channel::Email);
        if !mails && others {
            room_ms = self.states_full_until(&group.receiver)?;
        }
        if let Some(at) = room_ms {
            group.state_due_ms = Some(at);
            group.save(db)?;
            return Ok(None);
        }
        Ok(Some((group, mails)))
    }

    fn states_full_until(&self, receiver: &str) -> Result<Option<u64>, DbError> {
        let now_ms = self.storing.now_ms;
        let sql = "SELECT COUNT(*), MIN(created_ms) FROM notifications WHERE receiver = ?1 AND created_ms > ?2 \
                   AND created_ms <= ?3 AND limited = 0";
        let values = [receiver.into(), now_ms.saturating_sub(HOUR_MS).into(), (now_ms + HOUR_MS).into()];
        let (sent, oldest) = self.db.query_one(sql, &values, |row| Ok((row.uint(0)?, row.opt_uint(1)?)))?;
        Ok((sent >= STATES_PER_HOUR).then(|| oldest.unwrap_or(now_ms).saturating_add(HOUR_MS + 1)))
    }

    /// Notes that a message told of a state.
    pub(in crate::store) fn told_state(
        &mut self,
        mut group: AlertGroup,
        state: State,
    ) -> Result<(), DbError> {
        let (db, now_ms) = (self.db, self.storing.now_ms);
        group.sequence += 1;
        group.told_state = state;
        let (now, _) = state_of(db, group.id)?;
        group.state_due_ms = (now != state).then_some(now_ms);
        group.save(db)
    }

    /// Notes what a message about events has told of the state: whoever knew that it was over knows that it is not.
    pub(super) fn state_after_events(&self, group: &mut AlertGroup) -> Result<(), DbError> {
        if group.told_state == State::Resolved {
            group.told_state = State::Open;
        }
        let (now, _) = state_of(self.db, group.id)?;
        if now == State::Open {
            group.told_state = State::Open;
        } else if now != group.told_state && group.state_due_ms.is_none() {
            group.state_due_ms = Some(self.storing.now_ms);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_open_again_before_somebody_takes_it_up() {
        use State::{Acknowledged, Open, Resolved};
        for known in State::ALL {
            for now in State::ALL {
                let next = next_state(known, now);
                assert!(next == now || (known, now, next) == (Resolved, Acknowledged, Open));
            }
        }
    }
}
