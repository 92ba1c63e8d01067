//! The one thread that writes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{
    Command, QUEUE_COMMANDS, StoreError,
    apply::{Done, Group, save_number},
    audit::Actor,
    backfill::Backfill,
    connect::{self, Held},
    db::{Db, DbError, Place},
    decisions,
    events::Storing,
    recent::Recent,
    refused::Refused,
};
use crate::{clock, config::Alerts, logfile, metrics::Metrics, notice};

/// Longest time a group gathers before its commit.
pub(super) const GROUP_TIME: Duration = Duration::from_millis(10);
/// Most events in a group; bounds the memory of a transaction and what the log may have to repair.
pub(super) const GROUP_EVENTS: usize = 4000;
/// After so long without work the cursor of the log is written, and the write-ahead log may be cut.
const IDLE: Duration = Duration::from_millis(500);
/// At the end, so long the log's last lines are waited for; what is not written then is written at the next start.
const LOG_PATIENCE: Duration = Duration::from_secs(2);
/// At most so long between two cuts of the write-ahead log.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
/// Between two failures that are told to the operator.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// A group that other relays were in the way of is tried so often.
const ATTEMPTS: usize = 4;

/// What the thread needs.
pub(super) struct Setup {
    pub(super) place: Place,
    pub(super) alerts: Alerts,
    /// For how long events are kept.
    pub(super) kept: Duration,
    pub(super) metrics: Arc<Metrics>,
    pub(super) log: SyncSender<logfile::Group>,
    pub(super) logged: Arc<AtomicU64>,
    pub(super) wake: Arc<Notify>,
}

/// What was found at start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    /// The last sequence number of this relay's events in the database.
    pub(crate) last: u64,
    /// The last sequence number known to be in the log files.
    pub(crate) logged: u64,
}

/// Opens the database and starts the thread.
pub(super) fn start(setup: Setup) -> Result<(Started, SyncSender<Command>), String> {
    let (db, held) = connect::writer(&setup.place).map_err(|e| match e {
        DbError::Taken(_) => e.to_string(),
        _ => format!("cannot open the database {}: {e}", setup.place),
    })?;
    let started = read_started(&db, setup.place.relay())
        .map_err(|e| format!("cannot read the database {}: {e}", setup.place))?;
    take_allowed_out(&db, &setup.alerts.allowed)
        .map_err(|e| format!("cannot take decisions about allowed callers back in {}: {e}", setup.place))?;
    setup.logged.store(started.logged, Ordering::Release);
    let (sender, commands) = sync_channel(QUEUE_COMMANDS);
    let writer = Writer {
        db: Some(db),
        _held: held,
        commands,
        last_seq: started.last,
        after: Some(started.last),
        saved_cursor: started.logged,
        recent: (Recent::default(), 0),
        backfill: Backfill::start(&setup.place)
            .map_err(|e| format!("cannot open the database {}: {e}", setup.place))?,
        checkpointed: Instant::now(),
        dirty: false,
        told: None,
        refused: None,
        setup,
    };
    std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || writer.run())
        .map_err(|e| format!("cannot start a thread: {e}"))?;
    Ok((started, sender))
}

fn read_started(db: &Db, relay: &str) -> Result<Started, DbError> {
    let key = cursor_key(relay);
    let logged =
        db.query_opt("SELECT value FROM meta WHERE key = ?1", &[(&key).into()], |row| row.uint(0))?;
    let logged = logged.unwrap_or(0);
    // After all events were deleted, numbers go on from the cursor.
    let last = db.query_one(
        "SELECT COALESCE(MAX(seq), ?1) FROM events WHERE seq > ?1 AND relay = ?2",
        &[logged.into(), relay.into()],
        |row| row.uint(0),
    )?;
    Ok(Started { last, logged })
}

/// Nothing that was decided stands against what the configuration allows now.
fn take_allowed_out(db: &Db, allowed: &[wire::Subject]) -> Result<(), DbError> {
    if allowed.is_empty() {
        return Ok(());
    }
    db.begin_writing()?;
    let swept = decisions::sweep(db, allowed, Actor::Relay, clock::now_ms());
    match swept.and_then(|lifted| db.batch("COMMIT").map(|()| lifted)) {
        Ok(0) => Ok(()),
        Ok(lifted) => {
            notice::info!(
                "store: {lifted} decisions about callers that the configuration allows were taken back"
            );
            Ok(())
        }
        Err(e) => {
            let _ = db.roll_back();
            Err(e)
        }
    }
}

/// Where in `meta` it stands up to which event the lines of a relay are in its log files.
fn cursor_key(relay: &str) -> String {
    format!("logged:{relay}")
}

struct Writer {
    /// None while the server is away.
    db: Option<Db>,
    _held: Held,
    commands: Receiver<Command>,
    /// The number of this relay's last event.
    last_seq: u64,
    /// The last number told to the log; none if a commit may have succeeded that was not told.
    after: Option<u64>,
    saved_cursor: u64,
    /// Incidents in memory, and the state of the file that they are of.
    recent: (Recent, i64),
    backfill: Backfill,
    checkpointed: Instant,
    dirty: bool,
    /// When a failure was last told of.
    told: Option<Instant>,
    /// A batch that could not be stored, until such a one can.
    refused: Option<Refused>,
    setup: Setup,
}

impl Writer {
    fn run(mut self) {
        loop {
            match self.commands.recv_timeout(IDLE) {
                Ok(first) => {
                    if let Some(stopped) = self.serve(first) {
                        self.close();
                        let _ = stopped.send(());
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.idle(),
                Err(RecvTimeoutError::Disconnected) => return self.close(),
            }
        }
    }

    /// One group. Answers who asked for the end, if somebody did.
    fn serve(&mut self, first: Command) -> Option<tokio::sync::oneshot::Sender<()>> {
        let begun = Instant::now();
        let mut events = 0;
        let mut group = Vec::new();
        let mut next = Some(first);
        let mut stop = None;
        while let Some(command) = next.take() {
            match command {
                Command::Stop { reply } => {
                    stop = Some(reply);
                    break;
                }
                command => {
                    events += command.events();
                    group.push(command);
                }
            }
            if events < GROUP_EVENTS && begun.elapsed() < GROUP_TIME {
                next = self.commands.try_recv().ok();
            }
        }
        if self.refused.is_some() && group.iter().any(|command| matches!(command, Command::Probe { .. })) {
            group = self.probe_refused(group);
        }
        if !group.is_empty() {
            self.commit(group, events);
        }
        if self.checkpointed.elapsed() >= CHECKPOINT_EVERY {
            self.checkpoint();
        }
        stop
    }

    fn commit(&mut self, commands: Vec<Command>, events: usize) {
        let begun = Instant::now();
        let cursor = self.setup.logged.load(Ordering::Acquire);
        match self.transact(&commands, cursor) {
            Ok((done, storing_ms)) => {
                self.saved_cursor = cursor;
                self.dirty = true;
                self.backfill.committed();
                if self.refused.as_ref().is_some_and(|refused| refused.is_less_than(&commands)) {
                    self.refused = None;
                }
                let metrics = &self.setup.metrics;
                metrics.commits.add(1);
                metrics.commit_seconds.observe(begun.elapsed());
                let mut entries = Vec::new();
                for (command, done) in commands.into_iter().zip(done) {
                    command.succeeded(done, storing_ms, &mut entries);
                }
                entries.sort_by_key(|entry| entry.seq);
                if let Some(last) = entries.last().map(|entry| entry.seq) {
                    self.setup.metrics.group_events.add(events);
                    self.setup.wake.notify_one();
                    self.last_seq = last;
                    let after = self.after.replace(last);
                    self.tell_log(logfile::Group { after, entries });
                }
            }
            Err(e) => {
                self.setup.metrics.commit_errors.add(1);
                self.tell_failure(&e);
                if commands.len() > 1 && e.is_about_data() {
                    // One of them cannot be done. Nobody else is to suffer from it.
                    for command in commands {
                        let events = command.events();
                        self.commit(vec![command], events);
                    }
                    return;
                }
                let error = StoreError::Failed(e.to_string());
                for mut command in commands {
                    if !e.is_about_data() && self.refused.is_none() {
                        self.refused = Refused::of(command.take_events(), error.clone());
                    }
                    command.failed(&error);
                }
                if self.db.is_none() {
                    // The commit may have succeeded all the same: what it stored is in the database, if so.
                    self.after = None;
                    self.tell_log(logfile::Group { after: None, entries: Vec::new() });
                }
            }
        }
    }

    /// Answers who asks whether events can be stored where some could not: by storing them. What else there is to do.
    fn probe_refused(&mut self, group: Vec<Command>) -> Vec<Command> {
        if let Some(refused) = self.refused.take_if(|refused| refused.is_due()) {
            let (command, events) = refused.again();
            self.commit(vec![command], events);
        }
        let Some(refused) = &self.refused else { return group };
        let (probes, others) =
            group.into_iter().partition(|command| matches!(command, Command::Probe { .. }));
        let probes: Vec<Command> = probes;
        probes.into_iter().for_each(|probe| probe.failed(&refused.error));
        others
    }

    /// A full disk fails every group: that is told now and then, and counted each time.
    fn tell_failure(&mut self, error: &DbError) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            self.told = Some(Instant::now());
            notice::error!("store: a transaction failed: {error}");
        }
    }

    /// A log that cannot keep up slows ingest down here; a log thread that is gone is repaired at the next start.
    fn tell_log(&self, group: logfile::Group) {
        let _ = self.setup.log.send(group);
    }

    /// The whole group in one transaction: what each command did, and the moment of storing.
    fn transact(&mut self, commands: &[Command], cursor: u64) -> Result<(Vec<Done>, u64), DbError> {
        let mut attempt = 1;
        loop {
            match self.try_transact(commands, cursor) {
                Err(e) if e.is_conflict() && attempt < ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    fn try_transact(&mut self, commands: &[Command], cursor: u64) -> Result<(Vec<Done>, u64), DbError> {
        let db = self.begin()?;
        let relay = self.setup.place.relay();
        let storing = Storing {
            relay,
            now_ms: clock::now_ms(),
            next_seq: self.last_seq + 1,
            kept_ms: clock::millis(self.setup.kept),
        };
        let (recent, of) = std::mem::take(&mut self.recent);
        let version = connect::version(&db)?;
        let mut group = Group::new(&db, &self.setup.alerts, storing);
        if version == Some(of) {
            group.recent = recent;
        }
        let result = group.run(commands).and_then(|done| {
            if cursor != self.saved_cursor {
                save_number(&db, &cursor_key(relay), cursor)?;
            }
            db.batch("COMMIT").map(|()| done)
        });
        let counts = std::mem::take(&mut group.counts);
        match result {
            Ok(done) => {
                if let Some(version) = version {
                    self.recent = (group.recent(), version);
                }
                self.setup.metrics.accepted(&counts);
                self.db = Some(db);
                Ok((done, storing.now_ms))
            }
            Err(e) => {
                // A connection that is gone takes its transaction with it; another one is made for the next group.
                if !e.is_lost() && db.roll_back().is_ok() {
                    self.db = Some(db);
                }
                Err(e)
            }
        }
    }

    /// A connection with a transaction begun: the one at hand, or, if that is gone, another.
    fn begin(&mut self) -> Result<Db, DbError> {
        if let Some(db) = self.db.take() {
            match db.begin_writing() {
                Ok(()) => return Ok(db),
                Err(e) if e.is_lost() => {
                    notice::warning!("store: the connection to the database is gone: {e}")
                }
                Err(e) => {
                    self.db = Some(db);
                    return Err(e);
                }
            }
        }
        let db = connect::again(&self.setup.place)?;
        db.begin_writing()?;
        notice::info!("store: connected to the database again");
        Ok(db)
    }

    fn idle(&mut self) {
        let cursor = self.setup.logged.load(Ordering::Acquire);
        if cursor != self.saved_cursor
            && let Some(db) = &self.db
        {
            match save_number(db, &cursor_key(self.setup.place.relay()), cursor) {
                Ok(()) => self.saved_cursor = cursor,
                Err(e) => {
                    notice::warning!("store: cannot save the cursor of the log: {e}");
                    if e.is_lost() {
                        self.db = None;
                    }
                }
            }
        }
        if self.dirty && self.checkpointed.elapsed() >= CHECKPOINT_EVERY {
            self.checkpoint();
        }
    }

    fn checkpoint(&mut self) {
        self.checkpointed = Instant::now();
        if let Some(Db::Sqlite(db)) = &self.db {
            self.dirty = !connect::cut_write_ahead_log(db);
        }
    }

    fn close(&mut self) {
        let begun = Instant::now();
        while self.setup.logged.load(Ordering::Acquire) < self.last_seq && begun.elapsed() < LOG_PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.idle();
        self.backfill.stop();
        self.checkpoint();
    }
}
