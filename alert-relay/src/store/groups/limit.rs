//! The hourly limit: in any hour a receiver gets so many messages and no more, digests and mails about states among them.
//!
//! A message counts from the moment it is put into the outbox until an hour after its last mail was taken, and for as
//! long as nobody has got it: what gathers while a mail server is away does not arrive all at once when it is back. A
//! quarter of the places (see [`Group::most`]) is for what is critical, and one is kept for each digest of the next hour.

use super::{
    super::{apply::Group, db::DbError},
    AlertGroup, HOUR_MS,
};
use wire::Severity;

/// One of so many places is kept for what is critical.
const CRITICAL_PART: u64 = 4;
/// Looked at again so soon while all places are held by messages that nobody has got yet.
const SOON_MS: u64 = 60_000;

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
    fn digests_ahead(&self, receiver: &str) -> Result<u64, DbError> {
        let (now_ms, policy) = (self.storing.now_ms, &self.alerts.policy);
        if !policy.digest_receivers().iter().any(|known| known == receiver) {
            return Ok(0);
        }
        let mut ahead = 0;
        for period in policy.digest.periods(now_ms) {
            let made = super::accounts::last_digest(self.db, period.name)?;
            let is_late = made.is_some_and(|made| made < period.number);
            ahead += u64::from(is_late || period.next_ms <= now_ms.saturating_add(HOUR_MS));
        }
        Ok(ahead)
    }

    /// When there is room for another message to a receiver; none if there is now.
    pub(in crate::store) fn full_until(&self, receiver: &str, most: u64) -> Result<Option<u64>, DbError> {
        let now_ms = self.storing.now_ms;
        // What a clock that was put back has dated far ahead does not count.
        let (since, until) = (now_ms.saturating_sub(HOUR_MS), now_ms.saturating_add(HOUR_MS));
        let (sent, oldest) = self.db.query_one(
            "SELECT COUNT(*), MIN(last_ms) FROM (\
                 SELECT CASE WHEN MAX(CASE WHEN outbox.state = 'pending' THEN 0 ELSE 1 END) = 0 THEN NULL \
                     ELSE MAX(COALESCE(CASE WHEN outbox.state = 'sent' AND outbox.channel = 'email' \
                     THEN outbox.settled_ms END, notifications.created_ms)) END AS last_ms, \
                     MAX(notifications.created_ms) AS made_ms, \
                     MAX(CASE WHEN outbox.state = 'pending' THEN 0 ELSE 1 END) AS got \
                 FROM notifications JOIN outbox ON outbox.notification = notifications.id \
                 WHERE limited = 1 AND notifications.receiver = ?1 AND notifications.id IN (\
                     SELECT id FROM notifications WHERE receiver = ?1 AND created_ms > ?2 \
                     UNION SELECT notification FROM outbox WHERE receiver = ?1 AND state = 'pending' \
                     UNION SELECT notification FROM outbox WHERE receiver = ?1 AND state = 'sent' AND settled_ms > ?2) \
                 GROUP BY notifications.id) AS counted \
             WHERE got = 0 OR (last_ms > ?2 AND last_ms <= ?3) OR (made_ms > ?2 AND made_ms <= ?3)",
            &[receiver.into(), since.into(), until.into()],
            |row| Ok((row.uint(0)?, row.opt_uint(1)?)),
        )?;
        let room_ms =
            oldest.map_or(now_ms.saturating_add(SOON_MS), |oldest| oldest.saturating_add(HOUR_MS + 1));
        Ok((sent >= most).then_some(room_ms.max(now_ms.saturating_add(1))))
    }
}
