//! What the writing thread is asked to do, and how it answers.

use std::fmt;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use wire::{Event, EventId, Severity};

use super::{Claimed, Class, Decided, Done, Missed, NewDecision, NewSilence, Outcome};
use crate::{
    config::{Channel, Target},
    incident::{Change, Incident, Key, State},
    logfile,
};

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
#[derive(Debug, Clone)]
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
    /// The state that it tells of, if it tells of nothing else.
    pub(crate) state: Option<State>,
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
    /// Put a message about what a channel has missed into the outbox. Answers whether it was still wanted.
    MakeUp { missed: Missed, notification: NewNotification, reply: Reply<bool> },
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
    /// Sum some further minutes. Answers how many.
    Sum { limit: usize, reply: Reply<u64> },
    /// Delete what is old. Answers how many rows.
    Prune { class: Class, before_ms: u64, limit: usize, reply: Reply<u64> },
    /// Take work that one relay does for all. Answers whether it is ours.
    Lease { name: &'static str, until_ms: u64, reply: Reply<bool> },
    /// Keep where the relay's log stands. Answers how far its chain is known to have been.
    Head { head: logfile::Head, reply: Reply<u64> },
    /// Write something, to see whether that works.
    Probe { reply: Reply<()> },
    /// Finish what is queued and end.
    Stop { reply: oneshot::Sender<()> },
}
impl Command {
    /// How many events it brings.
    pub(super) fn events(&self) -> usize {
        match self {
            Self::Ingest { events, .. } => events.len(),
            _ => 0,
        }
    }

    /// Takes the events that it brings out of it.
    pub(super) fn take_events(&mut self) -> Vec<Incoming> {
        match self {
            Self::Ingest { events, .. } => std::mem::take(events),
            _ => Vec::new(),
        }
    }

    /// Answers who waits, after the commit, with what was done; what the log has to write goes into `entries`.
    pub(super) fn succeeded(self, done: Done, received_ms: u64, entries: &mut Vec<logfile::Entry>) {
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
            (
                Self::Enqueue { reply, .. } | Self::Digest { reply, .. } | Self::MakeUp { reply, .. },
                Done::Enqueued(wanted),
            ) => {
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
            (Self::Index { reply, .. } | Self::Sum { reply, .. }, Done::Indexed(rows)) => {
                drop(reply.send(Ok(rows)))
            }
            (Self::Prune { reply, .. }, Done::Pruned(rows)) => drop(reply.send(Ok(rows))),
            (Self::Head { reply, .. }, Done::Headed(sequence)) => drop(reply.send(Ok(sequence))),
            (Self::Lease { reply, .. }, Done::Leased(taken)) => drop(reply.send(Ok(taken))),
            (Self::Probe { reply }, Done::Probed) => drop(reply.send(Ok(()))),
            (command, _) => command.failed(&StoreError::Failed("not done".to_owned())),
        }
    }

    /// Answers who waits that it was not done.
    pub(super) fn failed(self, error: &StoreError) {
        match self {
            Self::Ingest { reply, .. } => drop(reply.send(Err(error.clone()))),
            Self::Enqueue { reply, .. }
            | Self::Digest { reply, .. }
            | Self::MakeUp { reply, .. }
            | Self::Unsilence { reply, .. }
            | Self::Lift { reply, .. }
            | Self::Lease { reply, .. } => {
                drop(reply.send(Err(error.clone())));
            }
            Self::Prune { reply, .. }
            | Self::Index { reply, .. }
            | Self::Head { reply, .. }
            | Self::Sum { reply, .. }
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
