//! Rows of `notifications` and `outbox`: what must still be told to whom.

use super::{
    NewNotification,
    db::{Db, DbError, Dialect, Place, Session, Value, broken, open_new},
    schema,
};
use crate::config::Channel;

/// A mail taken from the outbox to be sent now.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    /// The row.
    pub(crate) id: i64,
    /// The composed mail as JSON.
    pub(crate) message: String,
    /// By which channel it goes.
    pub(crate) channel: Channel,
    /// The receiver of the configuration that it is for.
    pub(crate) receiver: String,
    /// Its one recipient: a mail address, or what the channel calls its target.
    pub(crate) recipient: String,
    /// How often it was tried before.
    pub(crate) attempts: u64,
    /// When it was put into the outbox, Unix milliseconds.
    pub(crate) created_ms: u64,
}

/// How sending one went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The receiver took it.
    Sent {
        /// What was said.
        receipt: String,
    },
    /// Not now; try again at this moment.
    Retry {
        /// Unix milliseconds.
        at_ms: u64,
        /// What was said.
        error: String,
    },
    /// It will not be taken; a person has to look.
    Parked {
        /// What was said.
        error: String,
    },
}

/// Nobody is at a message at the moment `?1`. No lease is for two hours (see `outbox`): one that seems to be is of a relay
/// whose clock was ahead.
pub(super) const FREE: &str = "(lease_ms <= ?1 OR lease_ms > ?1 + 7200000)";

/// Takes what is due by one channel, oldest first. Nobody else gets it until the lease has run out.
pub(super) fn claim(
    db: &Db,
    holder: &str,
    channel: Channel,
    now_ms: u64,
    lease_ms: u64,
    limit: usize,
) -> Result<Vec<Claimed>, DbError> {
    // What another relay takes at this moment is not waited for.
    let apart = match db.dialect() {
        Dialect::Sqlite => "",
        Dialect::Postgres => " FOR UPDATE OF outbox SKIP LOCKED",
    };
    // How something ended is no news to who has not heard of it, and the other way round.
    let order = "NOT EXISTS (SELECT 1 FROM notifications AS former JOIN outbox AS waiting \
         ON waiting.notification = former.id WHERE former.incident = notifications.incident \
         AND former.sequence < notifications.sequence AND (former.is_state = 1 OR notifications.is_state = 1) \
         AND waiting.channel = outbox.channel AND waiting.recipient = outbox.recipient AND waiting.state = 'pending')";
    let sql = format!(
        "SELECT outbox.id, message, recipient, attempts, outbox.created_ms, channel, outbox.receiver \
         FROM outbox JOIN notifications ON notifications.id = notification \
         WHERE state = 'pending' AND due_ms <= ?1 AND {FREE} AND channel = ?3 AND {order} \
         ORDER BY due_ms LIMIT ?2{apart}"
    );
    let claimed = db.query(&sql, &[now_ms.into(), limit.into(), channel.as_str().into()], |row| {
        Ok(Claimed {
            id: row.int(0)?,
            message: row.text(1)?,
            recipient: row.text(2)?,
            attempts: row.uint(3)?,
            created_ms: row.uint(4)?,
            channel: Channel::parse(&row.text(5)?).ok_or_else(|| broken(5, "no channel"))?,
            receiver: row.text(6)?,
        })
    })?;
    let until = now_ms.saturating_add(lease_ms);
    let leases: Vec<_> = claimed.iter().map(|one| vec![one.id.into(), until.into(), holder.into()]).collect();
    db.execute_each("UPDATE outbox SET lease_ms = ?2, holder = ?3 WHERE id = ?1", &leases)?;
    Ok(claimed)
}

/// Gives up the leases of an earlier life of this relay: whoever had them is gone.
pub(super) fn void_leases(db: &Db, holder: &str) -> Result<(), DbError> {
    let sql = "UPDATE outbox SET lease_ms = 0 WHERE state = 'pending' AND holder IN (?1, '')";
    db.execute(sql, &[holder.into()]).map(drop)
}

/// Notes how sending one went. That it was taken counts whoever says so; that it was not only from who has it: whoever
/// took longer than the lease does not speak for the one that is at it now.
pub(super) fn settle(db: &Db, holder: &str, id: i64, outcome: &Outcome, now_ms: u64) -> Result<(), DbError> {
    let (state, due_ms, settled_ms, error, receipt) = match outcome {
        Outcome::Sent { receipt } => ("sent", None, Some(now_ms), None, Some(receipt)),
        Outcome::Retry { at_ms, error } => ("pending", Some(*at_ms), None, Some(error), None),
        Outcome::Parked { error } => ("parked", None, Some(now_ms), Some(error), None),
    };
    let sql = "UPDATE outbox SET state = ?2, attempts = attempts + 1, due_ms = COALESCE(?3, due_ms), lease_ms = 0, \
         settled_ms = ?4, error = ?5, receipt = ?6 \
         WHERE id = ?1 AND ((?2 = 'sent' AND state <> 'sent') OR (state = 'pending' AND holder = ?7))";
    let values = [
        id.into(),
        state.into(),
        due_ms.into(),
        settled_ms.into(),
        error.into(),
        receipt.into(),
        holder.into(),
    ];
    db.execute(sql, &values).map(drop)
}

/// What counts for the hourly limit, and what waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// It tells of a state.
    State {
        /// By mail too: then it counts for the limit.
        mails: bool,
    },
    /// It does not.
    Other,
}

/// One notification, and a row for each recipient.
pub(super) fn insert(
    db: &Db,
    notification: &NewNotification,
    sort: Sort,
    now_ms: u64,
) -> Result<(), DbError> {
    let (is_state, limited) = match sort {
        Sort::State { mails } => (1_u64, u64::from(mails)),
        Sort::Other => (0, 1),
    };
    let (incident, sequence) = match &notification.about {
        Some(told) => (Value::from(told.group), told.sequence),
        None => (Value::Null, 0),
    };
    let id = db.query_one(
        "INSERT INTO notifications (incident, sequence, created_ms, message, receiver, is_state, limited) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id",
        &[
            incident,
            sequence.into(),
            now_ms.into(),
            (&notification.message).into(),
            (&notification.receiver).into(),
            is_state.into(),
            limited.into(),
        ],
        |row| row.int(0),
    )?;
    let rows: Vec<_> = notification
        .targets
        .iter()
        .filter(|target| sort != Sort::State { mails: false } || target.channel != Channel::Email)
        .map(|target| {
            vec![
                id.into(),
                target.channel.as_str().into(),
                (&target.receiver).into(),
                (&target.recipient).into(),
                now_ms.into(),
            ]
        })
        .collect();
    // Who is named twice is told once.
    db.execute_each(
        "INSERT INTO outbox (notification, channel, receiver, recipient, state, due_ms, created_ms) \
         VALUES (?1, ?2, ?3, ?4, 'pending', ?5, ?5) ON CONFLICT (notification, channel, recipient) DO NOTHING",
        &rows,
    )
}

/// A message that was refused for good.
#[derive(Clone, Debug)]
pub(crate) struct Parked {
    /// The row.
    pub(crate) id: i64,
    /// How: the channel's word.
    pub(crate) channel: String,
    /// To whom.
    pub(crate) recipient: String,
    /// Since when, Unix milliseconds.
    pub(crate) since_ms: u64,
    /// What was said.
    pub(crate) error: String,
}

/// What was refused for good, the latest first.
pub(crate) fn parked(db: &Db, limit: usize) -> Result<Vec<Parked>, DbError> {
    db.query(
        "SELECT id, channel, recipient, COALESCE(settled_ms, 0), COALESCE(error, '') FROM outbox \
         WHERE state = 'parked' ORDER BY settled_ms DESC LIMIT ?1",
        &[limit.into()],
        |row| {
            Ok(Parked {
                id: row.int(0)?,
                channel: row.text(1)?,
                recipient: row.text(2)?,
                since_ms: row.uint(3)?,
                error: row.text(4)?,
            })
        },
    )
}

/// Puts one message that was refused for good, or all of them, back to be sent now; how many. A relay may be running.
///
/// # Errors
/// What the database says.
pub(crate) fn resend(place: &Place, id: Option<i64>, now_ms: u64) -> Result<u64, DbError> {
    let db = match place {
        Place::Sqlite(path) => Db::Sqlite(open_new(path)?),
        Place::Postgres(config) => Db::Postgres(Session::connect(config)?),
    };
    schema::current(&db)?;
    let sql = "UPDATE outbox SET state = 'pending', attempts = 0, due_ms = ?1, created_ms = ?1, lease_ms = 0, \
               settled_ms = NULL WHERE state = 'parked'";
    match id {
        None => db.execute(sql, &[now_ms.into()]),
        Some(id) => db.execute(&format!("{sql} AND id = ?2"), &[now_ms.into(), id.into()]),
    }
}
