//! The one thread that writes.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags, config::DbConfig, params};
use tokio::sync::Notify;

use super::{
    BUSY, Command, QUEUE_COMMANDS, StoreError,
    apply::{Answers, Group},
    codec::{int, uint},
    lock::{self, Lock},
    schema,
};
use crate::{clock, config::Alerts, logfile::Entry, metrics::Metrics, notice};

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
/// Memory for pages of the database: the inner pages of its indexes.
const CACHE_KIB: i64 = 16 * 1024;
/// Pages after which SQLite moves the write-ahead log into the database by itself: 16 MiB.
const AUTOCHECKPOINT_PAGES: i64 = 4096;

/// What the thread needs.
pub(super) struct Setup {
    pub(super) path: PathBuf,
    pub(super) alerts: Alerts,
    pub(super) metrics: Arc<Metrics>,
    pub(super) log: SyncSender<Vec<Entry>>,
    pub(super) logged: Arc<AtomicU64>,
    pub(super) wake: Arc<Notify>,
}

/// What was found at start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    /// The last sequence number in the database.
    pub(crate) last: u64,
    /// The last sequence number known to be in the log files.
    pub(crate) logged: u64,
}

/// Opens the database and starts the thread.
pub(super) fn start(setup: Setup) -> Result<(Started, SyncSender<Command>), String> {
    let shown = setup.path.display().to_string();
    if let Some(parent) = setup.path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|e| format!("cannot make {}: {e}", parent.display()))?;
    }
    let lock = lock::take(&setup.path)?;
    let db = open(&setup.path).map_err(|e| format!("cannot open the database {shown}: {e}"))?;
    let started = read_started(&db).map_err(|e| format!("cannot read the database {shown}: {e}"))?;
    setup.logged.store(started.logged, Ordering::Release);
    let (sender, commands) = sync_channel(QUEUE_COMMANDS);
    let writer = Writer {
        db,
        _lock: lock,
        commands,
        next_seq: started.last + 1,
        saved_cursor: started.logged,
        checkpointed: Instant::now(),
        dirty: false,
        setup,
    };
    std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || writer.run())
        .map_err(|e| format!("cannot start a thread: {e}"))?;
    Ok((started, sender))
}

/// Opens the file for writing, in the mode this module promises.
fn open(path: &std::path::Path) -> rusqlite::Result<Connection> {
    // Only the writing thread uses this connection; SQLite need not guard it.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)?;
    keep_private(path);
    db.busy_timeout(BUSY)?;
    // A statement is planned once, whatever values it is given.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", AUTOCHECKPOINT_PAGES)?;
    db.pragma_update(None, "journal_size_limit", 4 * AUTOCHECKPOINT_PAGES * 4096)?;
    schema::migrate(&mut db)?;
    db.set_prepared_statement_cache_capacity(32);
    // This relay alone owns the file (see `lock`), so leases of an earlier life are void.
    db.execute("UPDATE outbox SET lease_ms = 0 WHERE state = 'pending'", [])?;
    Ok(db)
}

/// Events tell who called what: nobody but the relay's own user reads the file. SQLite gives the files beside it the
/// same mode.
fn keep_private(path: &std::path::Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if let Err(e) = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)) {
            notice::warning!("store: cannot make {} private: {e}", path.display());
        }
    }
}

fn read_started(db: &Connection) -> rusqlite::Result<Started> {
    let stored: i64 = db.query_row("SELECT COALESCE(MAX(seq), 0) FROM events", [], |row| row.get(0))?;
    let logged: i64 =
        db.query_row("SELECT COALESCE((SELECT value FROM meta WHERE key = 'logged'), 0)", [], |row| {
            row.get(0)
        })?;
    // After all events were deleted, numbers go on from the cursor.
    Ok(Started { last: uint(stored.max(logged)), logged: uint(logged) })
}

struct Writer {
    db: Connection,
    _lock: Lock,
    commands: Receiver<Command>,
    next_seq: u64,
    saved_cursor: u64,
    checkpointed: Instant,
    dirty: bool,
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
                Command::Ingest { events: ref batch, .. } => {
                    events += batch.len();
                    group.push(command);
                }
                other => group.push(other),
            }
            if events < GROUP_EVENTS && begun.elapsed() < GROUP_TIME {
                next = self.commands.try_recv().ok();
            }
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
        let mut answers = Answers::default();
        let result = self.transact(commands, &mut answers);
        match result {
            Ok((entries, next_seq)) => {
                self.next_seq = next_seq;
                self.dirty = true;
                let metrics = &self.setup.metrics;
                metrics.commits.add(1);
                metrics.commit_seconds.observe(begun.elapsed());
                answers.send(Ok(()));
                if !entries.is_empty() {
                    metrics.group_events.add(events);
                    self.setup.wake.notify_one();
                    // A log that cannot keep up slows ingest down here; a log thread that is gone is repaired at
                    // the next start.
                    let _ = self.setup.log.send(entries);
                }
            }
            Err(e) => {
                let _ = self.db.execute_batch("ROLLBACK");
                self.setup.metrics.commit_errors.add(1);
                notice::error!("store: a transaction failed: {e}");
                answers.send(Err(StoreError::Failed(e.to_string())));
            }
        }
    }

    /// The whole group in one transaction. The answers are kept even if it fails, to be told so.
    fn transact(
        &mut self,
        commands: Vec<Command>,
        answers: &mut Answers,
    ) -> rusqlite::Result<(Vec<Entry>, u64)> {
        let cursor = self.setup.logged.load(Ordering::Acquire);
        let mut group = Group::new(&self.db, &self.setup.alerts, clock::now_ms(), self.next_seq);
        let mut result = self.db.execute_batch("BEGIN IMMEDIATE");
        for command in commands {
            // Go on after a failure only to collect who waits for an answer.
            let applied = group.apply(command, result.is_ok(), answers);
            result = result.and(applied);
        }
        result?;
        group.flush()?;
        if cursor != self.saved_cursor {
            save_cursor(&self.db, cursor)?;
        }
        self.db.execute_batch("COMMIT")?;
        self.saved_cursor = cursor;
        self.setup.metrics.accepted(&group.counts);
        Ok((group.entries, group.next_seq))
    }

    fn idle(&mut self) {
        let cursor = self.setup.logged.load(Ordering::Acquire);
        if cursor != self.saved_cursor {
            match save_cursor(&self.db, cursor) {
                Ok(()) => self.saved_cursor = cursor,
                Err(e) => notice::warning!("store: cannot save the cursor of the log: {e}"),
            }
        }
        if self.dirty && self.checkpointed.elapsed() >= CHECKPOINT_EVERY {
            self.checkpoint();
        }
    }

    /// Cuts the write-ahead log. Readers are not waited for: another time will do.
    fn checkpoint(&mut self) {
        self.checkpointed = Instant::now();
        let _ = self.db.busy_timeout(Duration::from_millis(50));
        let busy: rusqlite::Result<i64> =
            self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        let _ = self.db.busy_timeout(BUSY);
        match busy {
            Ok(0) => self.dirty = false,
            Ok(_) => {}
            Err(e) => notice::warning!("store: cannot cut the write-ahead log: {e}"),
        }
    }

    fn close(&mut self) {
        let begun = Instant::now();
        while self.setup.logged.load(Ordering::Acquire) + 1 < self.next_seq && begun.elapsed() < LOG_PATIENCE
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.idle();
        self.checkpoint();
    }
}

fn save_cursor(db: &Connection, cursor: u64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO meta (key, value) VALUES ('logged', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1",
    )?
    .execute(params![int(cursor)])?;
    Ok(())
}
