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
mod codec;
mod connect;
mod db;
mod decisions;
mod events;
mod examine;
mod groups;
mod incidents;
mod lock;
mod outbox;
mod read;
mod retention;
mod schema;
mod search;
mod silences;
mod summary;
mod writer;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::AtomicU64,
        mpsc::{SyncSender, TrySendError},
    },
    time::Duration,
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use wire::{Event, EventId, Severity};

use crate::{
    config::{Alerts, Channel, Target},
    incident::{Change, Incident, Key},
    logfile,
    metrics::Metrics,
};

pub(crate) use outbox::{Claimed, Outcome, parked, resend};
pub(crate) use read::{Delivery, IncidentFilter, OutboxState, StoredEvent};
pub(crate) use retention::{Class, is_due};
pub(crate) use writer::Started;

/// Most bytes of event JSON that wait for the writer. With the senders' own bodies in memory beside it, the relay
/// stays within tens of megabytes whatever arrives.
const QUEUE_BYTES: usize = 8 << 20;
/// Most commands that wait for the writer.
const QUEUE_COMMANDS: usize = 1024;
/// Reading connections.
const READERS: usize = 2;

/// An event on its way into the store.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// The event.
    pub(crate) event: Event,
    /// The same as JSON, as it is stored.
    pub(crate) body: String,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Events that were new.
    pub(crate) accepted: usize,
    /// Events already there.
    pub(crate) duplicates: usize,
    /// Whether the last event of the batch was new.
    pub(crate) last_is_new: bool,
}

/// A mail to be sent, the same to each recipient.
#[derive(Debug)]
pub(crate) struct NewNotification {
    /// What it tells of, none for a test or a digest.
    pub(crate) about: Option<Told>,
    /// The receiver it counts for; empty for a test.
    pub(crate) receiver: String,
    /// The composed mail as JSON.
    pub(crate) message: String,
    /// To whom, and how.
    pub(crate) targets: Vec<Target>,
}

/// What a message told of a group of incidents.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// The group.
    pub(crate) group: EventId,
    /// The incident it is about.
    pub(crate) lead: EventId,
    /// What that one's events share.
    pub(crate) key: Key,
    /// Its number among the group's messages, from 0.
    pub(crate) sequence: u64,
    /// Events that it told of for the first time.
    pub(crate) pending: u64,
    /// Severity named in it.
    pub(crate) severity: Severity,
}

/// What somebody does to an incident.
#[derive(Clone, Debug)]
pub(crate) struct ChangeOf {
    /// The incident.
    pub(crate) id: EventId,
    /// What its events share.
    pub(crate) key: Key,
    /// What is done.
    pub(crate) change: Change,
    /// Who does it; none if the relay does.
    pub(crate) by: Option<String>,
    /// More about it, for the timeline.
    pub(crate) text: String,
}

/// How an incident stands after a change.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    /// As it stands.
    pub(crate) incident: Incident,
    /// Whether that is new.
    pub(crate) changed: bool,
}

/// Why the store did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreError {
    /// The queue is full; later helps.
    Busy,
    /// The database failed; later may help.
    Failed(String),
    /// The relay is going down.
    Closed,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("the queue of the store is full"),
            Self::Failed(reason) => write!(f, "the store failed: {reason}"),
            Self::Closed => f.write_str("the relay is going down"),
        }
    }
}

impl std::error::Error for StoreError {}

/// Where an answer goes once the transaction is committed.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writing thread does.
pub(crate) enum Command {
    /// Store a batch. The permit is for its bytes, and goes back with them.
    Ingest {
        events: Vec<Incoming>,
        #[expect(dead_code, reason = "held, not read: dropping it makes room in the queue")]
        permit: Option<OwnedSemaphorePermit>,
        reply: Reply<Stored>,
    },
    /// Hand the further events of incidents on to those who are told. Answers how many incidents had some.
    HandOn { incidents: Vec<(EventId, Key)>, reply: Reply<u64> },
    /// Remind of what is still open, escalate what nobody acknowledged. Answers how many groups.
    Timers { reply: Reply<u64> },
    /// Put the digests of a time into the outbox. Answers whether nobody has.
    Digest { name: &'static str, period: u64, notifications: Vec<NewNotification>, reply: Reply<bool> },
    /// Make a silence. Answers with its number, or nothing where there are too many.
    Silence { silence: NewSilence, reply: Reply<Option<u64>> },
    /// End one. Answers whether there was one.
    Unsilence { id: u64, by: String, reply: Reply<bool> },
    /// Put a composed mail into the outbox. Answers whether it was still wanted.
    Enqueue { notification: NewNotification, reply: Reply<bool> },
    /// Take messages that are due by one channel, for as long as the lease runs.
    Claim { channel: Channel, now_ms: u64, lease_ms: u64, limit: usize, reply: Reply<Vec<Claimed>> },
    /// Say how sending one went.
    Settle { id: i64, outcome: Outcome, reply: Reply<()> },
    /// Make a decision about a caller. Answers what became of it.
    Decide { decision: Box<NewDecision>, reply: Reply<Decided> },
    /// Take one back. Answers whether there was one.
    Lift { id: u64, by: String, reply: Reply<bool> },
    /// Change incidents. Answers how each stands then, or nothing where there is no such incident.
    Change { changes: Vec<ChangeOf>, reply: Reply<Vec<Option<Changed>>> },
    /// Make further events searchable. Answers how many.
    Index { limit: usize, reply: Reply<u64> },
    /// Delete what is old. Answers how many rows.
    Prune { class: Class, before_ms: u64, limit: usize, reply: Reply<u64> },
    /// Take work that one relay does for all. Answers whether it is ours.
    Lease { name: &'static str, until_ms: u64, reply: Reply<bool> },
    /// Write something, to see whether that works.
    Probe { reply: Reply<()> },
    /// Finish what is queued and end.
    Stop { reply: oneshot::Sender<()> },
}

/// A handle on the store.
#[derive(Clone)]
pub(crate) struct Store {
    commands: SyncSender<Command>,
    budget: Arc<Semaphore>,
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
        let readers = Arc::new(Readers {
            place,
            permits: Arc::new(Semaphore::new(READERS)),
            idle: Mutex::new(Vec::new()),
        });
        let budget = Arc::new(Semaphore::new(QUEUE_BYTES));
        Ok((Self { commands, budget, readers, metrics }, started))
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

    /// Queries. Keep them short: a long reader makes SQLite's write-ahead log grow.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl Fn(&Db) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = Arc::clone(&self.readers);
        let permit = Arc::clone(&readers.permits).acquire_owned().await.map_err(|_| StoreError::Closed)?;
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

/// Connections that only read.
struct Readers {
    place: Place,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Db>>,
}

impl Readers {
    fn with<T>(&self, query: impl Fn(&Db) -> Result<T, DbError>) -> Result<T, DbError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(db) = idle {
            match read_once(&db, &query) {
                // The server was restarted, perhaps long ago.
                Err(e) if e.is_lost() => {}
                result => return self.keep(db, result),
            }
        }
        let db = self.place.open_reader()?;
        let result = read_once(&db, &query);
        self.keep(db, result)
    }

    fn keep<T>(&self, db: Db, result: Result<T, DbError>) -> Result<T, DbError> {
        if result.is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
        }
        result
    }
}

/// In one read transaction, so that what is read together fits together.
fn read_once<T>(db: &Db, query: &impl Fn(&Db) -> Result<T, DbError>) -> Result<T, DbError> {
    db.begin_reading()?;
    let result = query(db)?;
    db.batch("COMMIT")?;
    Ok(result)
}

impl Command {
    /// How many events it brings.
    fn events(&self) -> usize {
        match self {
            Self::Ingest { events, .. } => events.len(),
            _ => 0,
        }
    }

    /// Answers who waits, after the commit, with what was done; what the log has to write goes into `entries`.
    fn succeeded(self, done: Done, received_ms: u64, entries: &mut Vec<logfile::Entry>) {
        match (self, done) {
            (Self::Ingest { events, reply, .. }, Done::Ingested(numbers)) => {
                let accepted = numbers.iter().flatten().count();
                let duplicates = events.len() - accepted;
                let last_is_new = matches!(numbers.last(), Some(Some(_)));
                let _ = reply.send(Ok(Stored { accepted, duplicates, last_is_new }));
                entries.extend(events.into_iter().zip(numbers).filter_map(
                    |(Incoming { event, .. }, seq)| Some(logfile::Entry { seq: seq?, received_ms, event }),
                ));
            }
            (Self::Enqueue { reply, .. } | Self::Digest { reply, .. }, Done::Enqueued(wanted)) => {
                drop(reply.send(Ok(wanted)));
            }
            (Self::HandOn { reply, .. } | Self::Timers { reply }, Done::HandedOn(count)) => {
                drop(reply.send(Ok(count)));
            }
            (Self::Silence { reply, .. }, Done::Silenced(id)) => drop(reply.send(Ok(id))),
            (Self::Unsilence { reply, .. }, Done::Lifted(ended)) => drop(reply.send(Ok(ended))),
            (Self::Claim { reply, .. }, Done::Claimed(claimed)) => drop(reply.send(Ok(claimed))),
            (Self::Settle { reply, .. }, Done::Settled) => drop(reply.send(Ok(()))),
            (Self::Decide { reply, .. }, Done::Decided(decision)) => drop(reply.send(Ok(decision))),
            (Self::Lift { reply, .. }, Done::Lifted(lifted)) => drop(reply.send(Ok(lifted))),
            (Self::Change { reply, .. }, Done::Changed(changed)) => drop(reply.send(Ok(changed))),
            (Self::Index { reply, .. }, Done::Indexed(rows)) => drop(reply.send(Ok(rows))),
            (Self::Prune { reply, .. }, Done::Pruned(rows)) => drop(reply.send(Ok(rows))),
            (Self::Lease { reply, .. }, Done::Leased(taken)) => drop(reply.send(Ok(taken))),
            (Self::Probe { reply }, Done::Probed) => drop(reply.send(Ok(()))),
            (command, _) => command.failed(&StoreError::Failed("not done".to_owned())),
        }
    }

    /// Answers who waits that it was not done.
    fn failed(self, error: &StoreError) {
        match self {
            Self::Ingest { reply, .. } => drop(reply.send(Err(error.clone()))),
            Self::Enqueue { reply, .. }
            | Self::Digest { reply, .. }
            | Self::Unsilence { reply, .. }
            | Self::Lift { reply, .. }
            | Self::Lease { reply, .. } => {
                drop(reply.send(Err(error.clone())));
            }
            Self::Prune { reply, .. }
            | Self::Index { reply, .. }
            | Self::HandOn { reply, .. }
            | Self::Timers { reply } => {
                drop(reply.send(Err(error.clone())));
            }
            Self::Silence { reply, .. } => drop(reply.send(Err(error.clone()))),
            Self::Change { reply, .. } => drop(reply.send(Err(error.clone()))),
            Self::Claim { reply, .. } => drop(reply.send(Err(error.clone()))),
            Self::Settle { reply, .. } | Self::Probe { reply } => drop(reply.send(Err(error.clone()))),
            Self::Decide { reply, .. } => drop(reply.send(Err(error.clone()))),
            Self::Stop { reply } => drop(reply.send(())),
        }
    }
}

pub(crate) use apply::Counts;
use apply::Done;
pub(crate) use audit::audit_page;
pub(crate) use db::{Db, DbError, Place};
pub(crate) use decisions::{Decided, NewDecision, Reader, StoredDecision, decision_page};
pub(crate) use examine::{Finding, begin_new_life, copy_whole, examine};
pub(crate) use groups::{
    AlertGroup, ESCALATION, OVERFLOW, accounts, digest_is_due, digest_is_first, due as due_groups,
    members as group_members, timers_are_due, waiting,
};
pub(crate) use incidents::{
    Relation, due as due_incidents, events_of, get as get_incident, hours_of, quiet as quiet_incidents,
    related, timeline_of,
};
pub(crate) use lock::take as lock_file;
pub(crate) use read::{due_channels, events_after, incident_page, notifications_of, outbox_state};
pub(crate) use search::{EventFilter, event_page, search_lag};
pub(crate) use silences::{NewSilence, StoredSilence, silences};
pub(crate) use summary::{MAX_HOURS, summary};

#[cfg(test)]
mod tests;
