//! The hourly limit: in any hour a receiver gets so many messages and no more, digests and mails about states among them.
//!
//! Each of its channels has that limit for itself: where mail alone is away, the others go on, and what mail has no place for
//! is counted and told as a number once it is back (see `missed`).
//!
//! A message counts from the moment it is put into the outbox until an hour after its last mail was taken, and for as
//! long as nobody has got it: what gathers while a mail server is away does not arrive all at once when it is back. A
//! quarter of the places (see [`Group::most`]) is for what is critical, and one is kept for each digest of the next hour.

use std::collections::{BTreeMap, BTreeSet};

use wire::Severity;

use super::{
    super::{
        apply::Group,
        db::{DbError, broken},
    },
    AlertGroup, HOUR_MS,
};
use crate::config::{Channel, Target};

/// One of so many places is kept for what is critical.
const CRITICAL_PART: u64 = 4;
/// Looked at again so soon while all places are held by messages that nobody has got yet.
const SOON_MS: u64 = 60_000;

/// Whether a receiver may get another message now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Room {
    /// By these channels.
    By(Vec<Channel>),
    /// By none, until then (Unix milliseconds).
    Later(u64),
}

impl Group<'_> {
    /// How many messages a receiver may have got before another one of a group.
    pub(super) fn most(&self, group: &AlertGroup, critical: bool) -> Result<u64, DbError> {
        let policy = std::sync::Arc::clone(&self.alerts.policy);
        let most = policy.root.at(&group.place).max_per_hour;
        let kept = if critical { 0 } else { most / CRITICAL_PART };
        Ok(most.saturating_sub(kept + self.digests_ahead(&group.receiver)?))
    }

    /// Whether a group's next message has the places for critical ones.
    pub(super) fn is_critical(group: &AlertGroup) -> bool {
        group.severity == Severity::Critical
    }

    /// Digests to a receiver that are late or come within the hour.
    pub(super) fn digests_ahead(&self, receiver: &str) -> Result<u64, DbError> {
        let (now_ms, policy) = (self.storing.now_ms, &self.alerts.policy);
        if !policy.digest_receivers().iter().any(|known| known == receiver) {
            return Ok(0);
        }
        let mut ahead = 0;
        for period in policy.digest.periods(now_ms) {
            let made = super::accounts::last_digest(self.db, period.name)?;
            let is_late = made.is_some_and(|made| super::accounts::is_late(made, period.number));
            ahead += u64::from(is_late || period.next_ms <= now_ms.saturating_add(HOUR_MS));
        }
        Ok(ahead)
    }

    /// By which of its channels a receiver may get another message.
    pub(in crate::store) fn room(
        &self,
        receiver: &str,
        targets: &[Target],
        most: u64,
    ) -> Result<Room, DbError> {
        let now_ms = self.storing.now_ms;
        let counted = self.counted(receiver)?;
        let (mut open, mut next_ms) = (Vec::new(), None);
        for channel in channels_of(targets) {
            let (sent, oldest) = counted.get(&channel).copied().unwrap_or_default();
            if sent < most {
                open.push(channel);
                continue;
            }
            let room_ms =
                oldest.map_or(now_ms.saturating_add(SOON_MS), |oldest| oldest.saturating_add(HOUR_MS + 1));
            let room_ms = room_ms.max(now_ms.saturating_add(1));
            next_ms = Some(next_ms.map_or(room_ms, |known: u64| known.min(room_ms)));
        }
        Ok(match next_ms.filter(|_| open.is_empty()) {
            Some(later) => Room::Later(later),
            None => Room::By(open),
        })
    }

    /// How many messages a receiver has got by each channel in the last hour, or waits for, and when the oldest of the former
    /// went.
    fn counted(&self, receiver: &str) -> Result<BTreeMap<Channel, (u64, Option<u64>)>, DbError> {
        let now_ms = self.storing.now_ms;
        // What a clock that was put back has dated far ahead does not count.
        let (since, until) = (now_ms.saturating_sub(HOUR_MS), now_ms.saturating_add(HOUR_MS));
        let rows = self.db.query(
            "SELECT channel, COUNT(*), MIN(last_ms) FROM (\
                 SELECT outbox.channel AS channel, \
                     CASE WHEN MAX(CASE WHEN outbox.state = 'pending' THEN 0 ELSE 1 END) = 0 THEN NULL \
                     ELSE MAX(COALESCE(CASE WHEN outbox.state = 'sent' THEN outbox.settled_ms END, \
                     notifications.created_ms)) END AS last_ms, \
                     MAX(notifications.created_ms) AS made_ms, \
                     MAX(CASE WHEN outbox.state = 'pending' THEN 0 ELSE 1 END) AS got \
                 FROM notifications JOIN outbox ON outbox.notification = notifications.id \
                 WHERE limited = 1 AND notifications.receiver = ?1 AND notifications.id IN (\
                     SELECT id FROM notifications WHERE receiver = ?1 AND created_ms > ?2 \
                     UNION SELECT notification FROM outbox WHERE receiver = ?1 AND state = 'pending' \
                     UNION SELECT notification FROM outbox WHERE receiver = ?1 AND state = 'sent' AND settled_ms > ?2) \
                 GROUP BY notifications.id, outbox.channel) AS counted \
             WHERE got = 0 OR (last_ms > ?2 AND last_ms <= ?3) OR (made_ms > ?2 AND made_ms <= ?3) GROUP BY channel",
            &[receiver.into(), since.into(), until.into()],
            |row| {
                let channel = Channel::parse(&row.text(0)?).ok_or_else(|| broken(0, "no channel"))?;
                Ok((channel, (row.uint(1)?, row.opt_uint(2)?)))
            },
        )?;
        Ok(rows.into_iter().collect())
    }
}

/// The channels of some targets, each once.
fn channels_of(targets: &[Target]) -> BTreeSet<Channel> {
    targets.iter().map(|target| target.channel).collect()
}
