//! What each command does inside a group's transaction.

use std::collections::HashMap;

use rusqlite::{Connection, params};
use wire::EventId;

use super::{
    Command, Incoming, NewNotification, Reply, StoreError, Stored,
    codec::{int, severity_code, verdict_code},
    decisions, incidents, outbox,
};
use crate::{
    clock,
    config::Alerts,
    entropy,
    incident::{self, Incident, Key},
    logfile::Entry,
};

/// Tells one who waits how the commit went.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Those who wait for the commit.
#[derive(Default)]
pub(super) struct Answers(Vec<Answer>);

impl Answers {
    /// Keeps an answer until the commit is known.
    fn keep<T: Send + 'static>(&mut self, reply: Reply<T>, value: Option<T>) {
        self.0.push(Box::new(move |result| {
            let missing = || StoreError::Failed("not done".to_owned());
            let _ = reply.send(result.and_then(|()| value.ok_or_else(missing)));
        }));
    }

    /// Answers all.
    pub(super) fn send(self, result: Result<(), StoreError>) {
        for answer in self.0 {
            answer(result.clone());
        }
    }
}

/// What a group brought, for the metrics.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// New events by severity code and verdict code.
    pub(crate) accepted: HashMap<(i64, i64), u64>,
    /// Events already there.
    pub(crate) duplicates: u64,
    /// Incidents begun.
    pub(crate) opened: u64,
}

/// One group under way.
pub(super) struct Group<'a> {
    db: &'a Connection,
    alerts: &'a Alerts,
    now_ms: u64,
    pub(super) next_seq: u64,
    pub(super) entries: Vec<Entry>,
    pub(super) counts: Counts,
    /// Every incident this group touches: the one copy that is changed, and written at the end.
    incidents: HashMap<EventId, Incident>,
    /// The one of each key that takes new events.
    open: HashMap<Key, EventId>,
    threats: HashMap<(u64, String), u64>,
}

impl<'a> Group<'a> {
    pub(super) fn new(db: &'a Connection, alerts: &'a Alerts, now_ms: u64, next_seq: u64) -> Self {
        Self {
            db,
            alerts,
            now_ms,
            next_seq,
            entries: Vec::new(),
            counts: Counts::default(),
            incidents: HashMap::new(),
            open: HashMap::new(),
            threats: HashMap::new(),
        }
    }

    /// Does one command, or only notes who waits if the transaction is lost already.
    pub(super) fn apply(
        &mut self,
        command: Command,
        alive: bool,
        answers: &mut Answers,
    ) -> rusqlite::Result<()> {
        match command {
            Command::Ingest { events, permit, reply } => {
                // The permit goes back only now, when the bytes leave the queue.
                let _permit = permit;
                keep(answers, reply, alive, || self.ingest(events))
            }
            Command::Enqueue { notification, reply } => {
                keep(answers, reply, alive, || self.enqueue(&notification))
            }
            Command::Claim { now_ms, lease_ms, limit, reply } => {
                let db = self.db;
                keep(answers, reply, alive, || outbox::claim(db, now_ms, lease_ms, limit))
            }
            Command::Settle { id, outcome, reply } => {
                let (db, now_ms) = (self.db, self.now_ms);
                keep(answers, reply, alive, || outbox::settle(db, id, &outcome, now_ms))
            }
            Command::Decide { decision, reply } => {
                let (db, now_ms) = (self.db, self.now_ms);
                keep(answers, reply, alive, || decisions::decide(db, &decision, now_ms))
            }
            Command::Lift { id, reply } => {
                let (db, now_ms) = (self.db, self.now_ms);
                keep(answers, reply, alive, || decisions::lift(db, id, now_ms))
            }
            Command::Probe { reply } => {
                let (db, now_ms) = (self.db, self.now_ms);
                keep(answers, reply, alive, || probe(db, now_ms))
            }
            Command::Stop { reply } => {
                let _ = reply.send(());
                Ok(())
            }
        }
    }

    fn ingest(&mut self, events: Vec<Incoming>) -> rusqlite::Result<Stored> {
        let mut stored = Stored::default();
        for incoming in events {
            if self.store(incoming)? {
                stored.accepted += 1;
            } else {
                stored.duplicates += 1;
                self.counts.duplicates += 1;
            }
        }
        Ok(stored)
    }

    /// Stores one event. False if it was there already.
    fn store(&mut self, incoming: Incoming) -> rusqlite::Result<bool> {
        let Incoming { event, body } = incoming;
        let incident = match Key::of(&event) {
            Some(key) => Some(self.incident(&key)?),
            None => None,
        };
        let time_ms = event.time_ms.min(self.now_ms);
        let new = self
            .db
            .prepare_cached(
                "INSERT OR IGNORE INTO events \
                 (seq, id, received_ms, time_ms, severity, verdict, client, incident, body) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                int(self.next_seq),
                event.id.to_bytes(),
                int(self.now_ms),
                int(time_ms),
                severity_code(event.severity),
                verdict_code(event.verdict),
                incident::client_of(&event),
                incident.map(EventId::to_bytes),
                body,
            ])?;
        if new == 0 {
            return Ok(false);
        }
        if let Some(incident) = incident.and_then(|id| self.incidents.get_mut(&id)) {
            self.counts.opened += u64::from(incident.count == 0);
            incident.add(&event, self.now_ms, self.alerts);
            let automatic = &self.alerts.automatic_decisions;
            let new = automatic.iter().find_map(|rule| rule.decide(incident, &event, self.now_ms));
            if let Some(new) = new
                && !decisions::is_decided(self.db, &new.subject, self.now_ms)?
            {
                decisions::decide(self.db, &new, self.now_ms)?;
            }
        }
        let minute = time_ms / 60_000;
        let mut seen: Vec<&str> = Vec::new();
        for finding in &event.findings {
            if !seen.contains(&finding.rule.as_str()) {
                seen.push(&finding.rule);
                *self.threats.entry((minute, finding.rule.clone())).or_default() += 1;
            }
        }
        let codes = (severity_code(event.severity), verdict_code(event.verdict));
        *self.counts.accepted.entry(codes).or_default() += 1;
        self.entries.push(Entry { seq: self.next_seq, received_ms: self.now_ms, event });
        self.next_seq += 1;
        Ok(true)
    }

    /// The open incident of a key: of this group, of the database, or a new one.
    fn incident(&mut self, key: &Key) -> rusqlite::Result<EventId> {
        if let Some(id) = self.open.get(key) {
            return Ok(*id);
        }
        let found = incidents::latest(self.db, key)?
            .filter(|incident| incident.is_open(self.now_ms, self.alerts))
            .unwrap_or_else(|| Incident::open(entropy::uuid(self.now_ms), key.clone(), self.now_ms));
        let id = found.id;
        // A copy that this group has changed already is newer than the row.
        self.incidents.entry(id).or_insert(found);
        self.open.insert(key.clone(), id);
        Ok(id)
    }

    /// Puts a mail into the outbox, unless the incident's mail of that number exists already.
    fn enqueue(&mut self, notification: &NewNotification) -> rusqlite::Result<bool> {
        if let Some(told) = &notification.about {
            if !self.incidents.contains_key(&told.incident)
                && let Some(loaded) = incidents::get(self.db, told.incident)?
            {
                self.incidents.insert(told.incident, loaded);
            }
            let known = self.incidents.get_mut(&told.incident);
            let Some(incident) = known.filter(|incident| incident.notify.sequence == told.sequence) else {
                return Ok(false);
            };
            incident.notified(told.count, told.severity, self.now_ms, self.alerts);
        }
        outbox::insert(self.db, notification, self.now_ms)?;
        Ok(true)
    }

    /// Writes what was gathered in memory.
    pub(super) fn flush(&mut self) -> rusqlite::Result<()> {
        for incident in self.incidents.values().filter(|incident| incident.count > 0) {
            incidents::save(self.db, incident)?;
        }
        let mut statement = self.db.prepare_cached(
            "INSERT INTO threats (minute, rule, count) VALUES (?1, ?2, ?3) \
             ON CONFLICT (minute, rule) DO UPDATE SET count = count + ?3",
        )?;
        for ((minute, rule), count) in &self.threats {
            statement.execute(params![int(*minute), rule, int(*count)])?;
        }
        Ok(())
    }
}

/// Does the work if the transaction still lives, and keeps the answer.
fn keep<T: Send + 'static>(
    answers: &mut Answers,
    reply: Reply<T>,
    alive: bool,
    work: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<()> {
    let (value, result) = match alive.then(work) {
        None => (None, Ok(())),
        Some(Ok(value)) => (Some(value), Ok(())),
        Some(Err(e)) => (None, Err(e)),
    };
    answers.keep(reply, value);
    result
}

fn probe(db: &Connection, now_ms: u64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO meta (key, value) VALUES ('probe', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1",
    )?
    .execute(params![int(clock::now_ms().max(now_ms))])?;
    Ok(())
}
