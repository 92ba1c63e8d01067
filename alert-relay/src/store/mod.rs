//! The store: one SQLite file or one PostgreSQL, one thread that writes, short reads beside it.
//!
//! **Form.** The tables are in `schema`, how either database is spoken to in `db`; everything above is the same code.
//! SQLite: WAL with `synchronous=FULL`, a commit is on disk when it returns; a lock file `<database>.lock` keeps a
//! second relay away. PostgreSQL: `synchronous_commit` is on; any number of relays, each with a name of its own.
//!
//! **Writing.** Everything that changes goes as a [`Command`] through a bounded queue to one thread, which takes what
//! has gathered (at most [`writer::GROUP_TIME`] or [`writer::GROUP_EVENTS`]) into one transaction, commits, and only
//! then answers. A full queue is told to the sender, not waited for.
//!
//! **Several relays.** What one changes is locked for the others in one order, see `apply`; mails are leased, and what
//! another one takes is skipped. Each relay writes the lines of the events it took into its own log.
//!
//! **Recovery.** The database rolls an unfinished transaction back by itself; its senders had no answer and send again,
//! where the unique event id makes repetition harmless. Incident, notification and outbox rows change
//! in the same transaction as the events that cause them. Log lines are repaired from `meta`, see `logfile`.

mod apply;
mod audit;
mod backfill;
mod codec;
mod command;
mod connect;
mod db;
mod decisions;
mod events;
mod examine;
mod groups;
mod heads;
mod incidents;
mod lock;
mod outbox;
mod read;
mod readers;
mod recent;
mod refused;
mod retention;
mod schema;
mod search;
mod silences;
mod summary;
mod sums;
mod writer;

use std::{
    sync::{
        Arc,
        atomic::AtomicU64,
        mpsc::{SyncSender, TrySendError},
    },
    time::Duration,
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use wire::EventId;

use crate::{
    config::{Alerts, Channel},
    incident::Key,
    logfile,
    metrics::Metrics,
};

pub(crate) use outbox::{Claimed, Outcome, parked, resend};
pub(crate) use read::{Delivery, IncidentFilter, IncidentPage, OutboxState, StoredEvent};
pub(crate) use retention::{Class, is_due};
pub(crate) use writer::Started;

/// Most bytes of event JSON that wait for the writer. With the senders' own bodies in memory beside it, the relay
/// stays within tens of megabytes whatever arrives.
const QUEUE_BYTES: usize = 8 << 20;
/// Most bytes of batches that are taken apart at a time: as events they take several times as much. Further ones wait as
/// they came, so that large batches take no more memory than small ones.
const OPEN_BYTES: usize = 3 << 20;
/// For how long; then the sender is told to come again.
const OPEN_PATIENCE: Duration = Duration::from_secs(2);
/// Most commands that wait for the writer.
const QUEUE_COMMANDS: usize = 1024;

/// A handle on the store.
#[derive(Clone)]
pub(crate) struct Store {
    commands: SyncSender<Command>,
    budget: Arc<Semaphore>,
    open: Arc<Semaphore>,
    readers: Arc<Readers>,
    metrics: Arc<Metrics>,
}

impl Store {
    /// Opens the database, brings its tables up to date and starts the writing thread.
    ///
    /// # Errors
    /// When the file cannot be opened or locked, or was made by a newer relay.
    pub(crate) fn open(
        place: Place,
        alerts: Alerts,
        kept: Duration,
        metrics: Arc<Metrics>,
        log: SyncSender<logfile::Group>,
        logged: Arc<AtomicU64>,
        wake: Arc<Notify>,
    ) -> Result<(Self, Started), String> {
        let (started, commands) = writer::start(writer::Setup {
            place: place.clone(),
            alerts,
            kept,
            metrics: Arc::clone(&metrics),
            log,
            logged,
            wake,
        })?;
        let readers = Arc::new(Readers::new(place));
        let budget = Arc::new(Semaphore::new(QUEUE_BYTES));
        let open = Arc::new(Semaphore::new(OPEN_BYTES));
        Ok((Self { commands, budget, open, readers, metrics }, started))
    }

    /// Room for the events of a batch of so many bytes, until the permit is dropped.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when there is none for some time.
    pub(crate) async fn open_batch(&self, bytes: usize) -> Result<OwnedSemaphorePermit, StoreError> {
        let permits = u32::try_from(bytes.min(OPEN_BYTES)).map_err(|_| StoreError::Busy)?;
        let room = Arc::clone(&self.open).acquire_many_owned(permits);
        match tokio::time::timeout(OPEN_PATIENCE, room).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(StoreError::Closed),
            Err(_) => Err(StoreError::Busy),
        }
    }

    /// Stores a batch; returns after the commit.
    ///
    /// # Errors
    /// [`StoreError::Busy`] at once when the queue is full, else what the database says.
    pub(crate) async fn ingest(&self, events: Vec<Incoming>) -> Result<Stored, StoreError> {
        let bytes: usize = events.iter().map(|incoming| incoming.body.len()).sum();
        let permits = u32::try_from(bytes).map_err(|_| StoreError::Busy)?;
        let permit =
            Arc::clone(&self.budget).try_acquire_many_owned(permits).map_err(|_| StoreError::Busy)?;
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(Command::Ingest { events, permit: Some(permit), reply }).map_err(
            |e| match e {
                TrySendError::Full(_) => StoreError::Busy,
                TrySendError::Disconnected(_) => StoreError::Closed,
            },
        )?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Puts a composed mail into the outbox. False if the incident has moved on meanwhile.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn enqueue(&self, notification: NewNotification) -> Result<bool, StoreError> {
        self.ask(|reply| Command::Enqueue { notification, reply }).await
    }

    /// Hands the further events of incidents on to those who are told; how many incidents had some.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn hand_on(&self, incidents: Vec<(EventId, Key)>) -> Result<u64, StoreError> {
        self.ask(|reply| Command::HandOn { incidents, reply }).await
    }

    /// Reminds of what is still open, escalates what nobody acknowledged; how many groups.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn timers(&self) -> Result<u64, StoreError> {
        self.ask(|reply| Command::Timers { reply }).await
    }

    /// Puts the digests of a time into the outbox. False if somebody has.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn digest(
        &self,
        name: &'static str,
        period: u64,
        notifications: Vec<NewNotification>,
    ) -> Result<bool, StoreError> {
        self.ask(|reply| Command::Digest { name, period, notifications, reply }).await
    }

    /// Puts a message about what a channel has missed into the outbox. False if that has changed, or there is no room.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn make_up(
        &self,
        missed: Missed,
        notification: NewNotification,
    ) -> Result<bool, StoreError> {
        self.ask(|reply| Command::MakeUp { missed, notification, reply }).await
    }

    /// Makes a silence; its number. `None`: there are too many.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn silence(&self, silence: NewSilence) -> Result<Option<u64>, StoreError> {
        self.ask(|reply| Command::Silence { silence, reply }).await
    }

    /// Ends a silence. False if there is none of this number.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn unsilence(&self, id: u64, by: String) -> Result<bool, StoreError> {
        self.ask(|reply| Command::Unsilence { id, by, reply }).await
    }

    /// Takes messages that are due by one channel.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn claim(
        &self,
        channel: Channel,
        now_ms: u64,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Claimed>, StoreError> {
        let lease_ms = crate::clock::millis(lease);
        self.ask(|reply| Command::Claim { channel, now_ms, lease_ms, limit, reply }).await
    }

    /// Says how sending one went.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn settle(&self, id: i64, outcome: Outcome) -> Result<(), StoreError> {
        self.ask(|reply| Command::Settle { id, outcome, reply }).await
    }

    /// Makes a decision about a caller, in place of an earlier one about the same.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn decide(&self, decision: NewDecision) -> Result<Decided, StoreError> {
        let decision = Box::new(decision);
        self.ask(|reply| Command::Decide { decision, reply }).await
    }

    /// Takes a decision back. False if there is none of this number.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn lift(&self, id: u64, by: String) -> Result<bool, StoreError> {
        self.ask(|reply| Command::Lift { id, by, reply }).await
    }

    /// Changes incidents; how each stands then. `None`: there is no such incident.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn change(&self, changes: Vec<ChangeOf>) -> Result<Vec<Option<Changed>>, StoreError> {
        self.ask(|reply| Command::Change { changes, reply }).await
    }

    /// Makes at most `limit` further events searchable; how many.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn index(&self, limit: usize) -> Result<u64, StoreError> {
        self.ask(|reply| Command::Index { limit, reply }).await
    }

    /// Sums some further minutes of what is counted, about `limit` counts of each kind; how many.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn sum(&self, limit: usize) -> Result<u64, StoreError> {
        self.ask(|reply| Command::Sum { limit, reply }).await
    }

    /// Deletes at most `limit` rows of a class from before a moment; how many.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn prune(&self, class: Class, before_ms: u64, limit: usize) -> Result<u64, StoreError> {
        self.ask(|reply| Command::Prune { class, before_ms, limit, reply }).await
    }

    /// Takes work that one relay does for all, from now on for so long. False if another one has it.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn take_lease(&self, name: &'static str, lasts: Duration) -> Result<bool, StoreError> {
        let until_ms = crate::clock::now_ms().saturating_add(crate::clock::millis(lasts));
        self.ask(|reply| Command::Lease { name, until_ms, reply }).await
    }

    /// Keeps where this relay's log stands; how far its chain is known to have been.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn head(&self, head: logfile::Head) -> Result<u64, StoreError> {
        self.ask(|reply| Command::Head { head, reply }).await
    }

    /// Whether writing works.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn probe(&self) -> Result<(), StoreError> {
        self.ask(|reply| Command::Probe { reply }).await
    }

    /// Finishes what is queued and ends the writing thread.
    pub(crate) async fn stop(&self) {
        let (reply, ended) = oneshot::channel();
        if self.send(Command::Stop { reply }).await.is_ok() {
            let _ = ended.await;
        }
    }

    /// Queries of the relay's own, and of filters: short ones, which wait for nobody's long ones.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl Fn(&Db) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.read_with(&self.readers.own, query).await
    }

    /// What people list and count: it may take long, so it has connections apart. Keep it short all the same: a long
    /// reader makes SQLite's write-ahead log grow.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn read_for_people<T: Send + 'static>(
        &self,
        query: impl Fn(&Db) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.read_with(&self.readers.people, query).await
    }

    async fn read_with<T: Send + 'static>(
        &self,
        room: &Arc<Semaphore>,
        query: impl Fn(&Db) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(room).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let readers = Arc::clone(&self.readers);
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            readers.with(query).map_err(|e| StoreError::Failed(e.to_string()))
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }

    /// Bytes of events that wait for the writer.
    #[must_use]
    pub(crate) fn queued_bytes(&self) -> usize {
        QUEUE_BYTES.saturating_sub(self.budget.available_permits())
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// The relay's own commands wait for room; only senders are turned away.
    async fn send(&self, mut command: Command) -> Result<(), StoreError> {
        loop {
            match self.commands.try_send(command) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(StoreError::Closed),
                Err(TrySendError::Full(returned)) => command = returned,
            }
            self.metrics.store_waits.add(1);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub(crate) use apply::Counts;
use apply::Done;
pub(crate) use audit::audit_page;
pub(crate) use command::{
    ChangeOf, Changed, Command, Incoming, NewNotification, Reply, StoreError, Stored, Told,
};
pub(crate) use db::{Db, DbError, Place};
pub(crate) use decisions::{Decided, NewDecision, Reader, StoredDecision, decision_page};
pub(crate) use examine::{Finding, begin_new_life, copy_whole, examine};
pub(crate) use groups::{
    AlertGroup, ESCALATION, Missed, OVERFLOW, Standing, accounts, digest_is_due, digest_is_first,
    due as due_groups, due_states, incidents_of as group_incidents, members as group_members, missed,
    next_state, standing, timers_are_due, waiting,
};
pub(crate) use heads::{LogHead, log_heads};
pub(crate) use incidents::{
    Relation, due as due_incidents, events_of, get as get_incident, hours_of, quiet as quiet_incidents,
    related, timeline_of, turned as turned_incidents,
};
pub(crate) use lock::take as lock_file;
pub(crate) use read::{
    due_channels, events_after, incident_page, message_of, notifications_of, outbox_state, read_ahead,
};
use readers::Readers;
pub(crate) use search::{EventFilter, event_page, search_lag};
pub(crate) use silences::{NewSilence, StoredSilence, silences};
pub(crate) use summary::{MAX_HOURS, summary};
pub(crate) use sums::are_due as sums_are_due;

#[cfg(test)]
mod plans;
#[cfg(test)]
mod tests;
