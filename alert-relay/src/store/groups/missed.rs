//! What a channel had no place for while it was away and others went on: told by it, as a number, once it is back.

use super::{
    super::{
        NewNotification,
        apply::Group,
        db::{Db, DbError, broken},
        outbox,
    },
    limit::Room,
};
use crate::config::Channel;

/// Most rows looked at in one go.
const ROWS: u64 = 50;

/// Messages that a receiver did not get by a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) receiver: String,
    pub(crate) channel: Channel,
    pub(crate) messages: u64,
    /// Events that they told of for the first time.
    pub(crate) events: u64,
    /// When the first of them was made, Unix milliseconds.
    pub(crate) first_ms: u64,
    /// The last.
    pub(crate) last_ms: u64,
}

/// What was missed by channels that nothing waits for any more.
pub(crate) fn missed(db: &Db) -> Result<Vec<Missed>, DbError> {
    let sql = "SELECT receiver, channel, messages, events, first_ms, last_ms FROM missed WHERE NOT EXISTS \
               (SELECT 1 FROM outbox WHERE outbox.receiver = missed.receiver AND outbox.channel = missed.channel \
               AND outbox.state = 'pending') ORDER BY first_ms LIMIT ?1";
    db.query(sql, &[ROWS.into()], |row| {
        Ok(Missed {
            receiver: row.text(0)?,
            channel: Channel::parse(&row.text(1)?).ok_or_else(|| broken(1, "no channel"))?,
            messages: row.uint(2)?,
            events: row.uint(3)?,
            first_ms: row.uint(4)?,
            last_ms: row.uint(5)?,
        })
    })
}

impl Group<'_> {
    /// Puts a message into the outbox for the channels that have room, and counts it for the others. How many targets it has.
    pub(in crate::store) fn insert_by(
        &self,
        notification: &NewNotification,
        open: &[Channel],
    ) -> Result<usize, DbError> {
        let (db, now_ms) = (self.db, self.storing.now_ms);
        let mut kept = notification.clone();
        kept.targets.retain(|target| open.contains(&target.channel));
        outbox::insert(db, &kept, outbox::Sort::Other, now_ms)?;
        let events = notification.about.as_ref().map_or(0, |told| told.pending);
        for channel in Channel::ALL {
            let is_meant = notification.targets.iter().any(|target| target.channel == channel);
            if is_meant && !open.contains(&channel) {
                db.execute(
                    "INSERT INTO missed (receiver, channel, messages, events, first_ms, last_ms) \
                     VALUES (?1, ?2, 1, ?3, ?4, ?4) ON CONFLICT (receiver, channel) DO UPDATE \
                     SET messages = missed.messages + 1, events = missed.events + ?3, last_ms = ?4",
                    &[(&notification.receiver).into(), channel.as_str().into(), events.into(), now_ms.into()],
                )?;
            }
        }
        Ok(kept.targets.len())
    }

    /// Puts a message about what was missed into the outbox, if nothing has changed and there is room. It may take a place that is
    /// kept for what is critical: that may be among it.
    pub(in crate::store) fn make_up(
        &self,
        missed: &Missed,
        notification: &NewNotification,
    ) -> Result<bool, DbError> {
        let policy = std::sync::Arc::clone(&self.alerts.policy);
        let most = policy.root.max_per_hour.saturating_sub(self.digests_ahead(&missed.receiver)?);
        let Room::By(open) = self.room(&missed.receiver, &notification.targets, most)? else {
            return Ok(false);
        };
        let sql =
            "DELETE FROM missed WHERE receiver = ?1 AND channel = ?2 AND messages = ?3 AND last_ms = ?4";
        let values = [
            (&missed.receiver).into(),
            missed.channel.as_str().into(),
            missed.messages.into(),
            missed.last_ms.into(),
        ];
        let is_known = self.db.execute(sql, &values)? > 0;
        // A receiver that no longer has this channel is told nothing by it.
        if is_known && !open.is_empty() {
            self.insert_by(notification, &open)?;
        }
        Ok(is_known)
    }
}
