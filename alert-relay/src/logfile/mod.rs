//! The incident log: `security_{model}_{date}.log`, a line for each stored event, once.
//!
//! **Form.** `timestamp - level - message`; the moment of storing, UTC; the date in the file's name is that of the
//! line. Files are only appended to, and made durable group by group.
//!
//! **Recovery.** `meta` in the database says up to which event (in the order of storing) the lines are
//! durable; it lags behind by some groups. At start, and after any failure to write, everything after it is read from
//! the database and compared with the last lines of its file, by event id: a torn line is cut off, missing lines are
//! appended, none is written twice.

mod dir;
mod line;
mod name;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use wire::{Event, EventId};

use self::dir::{Dir, Lines};
use crate::{
    config,
    metrics::Metrics,
    notice,
    store::{self, Db, DbError, Place},
};

/// Groups that may wait to be written; then the store waits too.
const QUEUE: usize = 4;
/// Between two tries after a failure.
const RETRY: Duration = Duration::from_secs(1);
/// Events read from the database at a time.
const PAGE: usize = 1000;

/// The name of an event's file, its line, and the id that is read back from the line.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn written(event: &Event) -> (String, String, Option<EventId>) {
    let line = line::line(event, event.time_ms);
    let id = line::event_id(line.as_bytes());
    (name::file_name(&event.model, "2026-11-20"), line, id)
}

/// A stored event that wants its line.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its place in the order of storing.
    pub(crate) seq: u64,
    /// When it was stored, Unix milliseconds.
    pub(crate) received_ms: u64,
    /// The event.
    pub(crate) event: Event,
}

/// What one commit stored.
#[derive(Debug)]
pub(crate) struct Group {
    /// The last event before these; none if others may have been stored that nobody told the log of.
    pub(crate) after: Option<u64>,
    /// The events, in the order of their numbers.
    pub(crate) entries: Vec<Entry>,
}

/// The way to the log's thread, before it runs.
pub(crate) struct Pipe {
    sender: SyncSender<Group>,
    entries: Receiver<Group>,
}

impl Pipe {
    /// A new one.
    #[must_use]
    pub(crate) fn new() -> Self {
        let (sender, entries) = sync_channel(QUEUE);
        Self { sender, entries }
    }

    /// The end that the store writes to.
    #[must_use]
    pub(crate) fn sender(&self) -> SyncSender<Group> {
        self.sender.clone()
    }
}

impl Default for Pipe {
    fn default() -> Self {
        Self::new()
    }
}

/// Repairs the log and starts its thread, which ends when the store does.
///
/// # Errors
/// When the directory cannot be made or written.
pub(crate) fn start(
    config: &config::Log,
    place: Place,
    pipe: Pipe,
    started: store::Started,
    logged: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
) -> Result<JoinHandle<()>, String> {
    let dir = Dir::new(&config.path, config.max_files_per_day);
    let failed =
        |e: &dyn std::fmt::Display| format!("cannot write the log in {}: {e}", config.path.display());
    dir.create().map_err(|e| failed(&e))?;
    let mut keeper = Keeper { dir, place, cursor: started.logged, logged, metrics, behind: None };
    if started.last > started.logged {
        let written = keeper.catch_up().map_err(|e| failed(&e))?;
        if written > 0 {
            notice::info!("log: {written} lines were missing and have been written");
        }
    }
    let Pipe { sender, entries } = pipe;
    drop(sender);
    std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || keeper.run(&entries))
        .map_err(|e| format!("cannot start a thread: {e}"))
}

/// Why lines could not be written.
#[derive(Debug)]
enum Failure {
    Io(io::Error),
    Store(DbError),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(e) => e.fmt(f),
            Self::Store(e) => e.fmt(f),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

impl From<DbError> for Failure {
    fn from(e: DbError) -> Self {
        Self::Store(e)
    }
}

struct Keeper {
    dir: Dir,
    place: Place,
    cursor: u64,
    logged: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
    /// Since when lines are missing that are no longer in memory, and when that was last tried to mend.
    behind: Option<Instant>,
}

impl Keeper {
    fn run(mut self, entries: &Receiver<Group>) {
        loop {
            match entries.recv_timeout(RETRY) {
                Ok(group) => self.take(group),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.behind.is_some_and(|tried| tried.elapsed() >= RETRY) {
                self.try_catch_up();
            }
        }
        if self.behind.is_some() {
            self.try_catch_up();
        }
    }

    fn take(&mut self, Group { after, mut entries }: Group) {
        if self.behind.is_some() {
            return;
        }
        if after.is_none_or(|after| after > self.cursor) {
            return self.fell_behind(&Failure::Io(io::Error::other("a group is missing")));
        }
        entries.retain(|entry| entry.seq > self.cursor);
        let Some(last) = entries.last().map(|entry| entry.seq) else { return };
        let result = self.write(entries.iter().map(|entry| (&entry.event, entry.received_ms)));
        match result {
            Ok(written) => self.advance(last, written),
            Err(e) => self.fell_behind(&e),
        }
    }

    fn write<'a>(&mut self, events: impl Iterator<Item = (&'a Event, u64)>) -> Result<usize, Failure> {
        let mut lines = Lines::new();
        let mut count = 0;
        // A group holds few models: the name is looked up once for each.
        let mut names: BTreeMap<(&str, u64), String> = BTreeMap::new();
        for (event, received_ms) in events {
            let day = received_ms / 86_400_000;
            let name = match names.get(&(event.model.as_str(), day)) {
                Some(name) => name.clone(),
                None => {
                    let name = self.dir.file_for(event, received_ms)?;
                    names.insert((event.model.as_str(), day), name.clone());
                    name
                }
            };
            lines.entry(name).or_default().extend_from_slice(line::line(event, received_ms).as_bytes());
            count += 1;
        }
        self.dir.write(&lines)?;
        Ok(count)
    }

    fn advance(&mut self, to: u64, written: usize) {
        self.cursor = to;
        self.logged.store(to, Ordering::Release);
        self.metrics.log_lines.add(written);
    }

    fn fell_behind(&mut self, error: &Failure) {
        if self.behind.is_none() {
            notice::error!("log: cannot write, will try again: {error}");
        }
        self.metrics.log_errors.add(1);
        self.behind = Some(Instant::now());
    }

    fn try_catch_up(&mut self) {
        match self.catch_up() {
            Ok(written) => {
                self.behind = None;
                notice::info!("log: written again, {written} lines made up for");
            }
            Err(e) => self.fell_behind(&e),
        }
    }

    /// Writes what the database has after the cursor and the files have not.
    fn catch_up(&mut self) -> Result<usize, Failure> {
        self.dir.create()?;
        let db = self.place.open_reader()?;
        let present = self.present(&db)?;
        let mut total = 0;
        loop {
            let page = store::events_after(&db, self.place.relay(), self.cursor, PAGE)?;
            let Some(last) = page.last().map(|stored| stored.seq) else { return Ok(total) };
            let missing = page
                .iter()
                .filter(|stored| !present.contains(&stored.event.id))
                .map(|s| (&s.event, s.received_ms));
            let written = self.write(missing)?;
            total += written;
            self.advance(last, written);
        }
    }

    /// The events after the cursor that have their line already.
    fn present(&mut self, db: &Db) -> Result<HashSet<EventId>, Failure> {
        let mut files = BTreeSet::new();
        let (mut from, mut pending) = (self.cursor, 0);
        loop {
            let page = store::events_after(db, self.place.relay(), from, PAGE)?;
            let Some(last) = page.last() else { break };
            from = last.seq;
            pending += page.len() as u64;
            for stored in &page {
                files.insert(self.dir.file_for(&stored.event, stored.received_ms)?);
            }
        }
        let mut present = HashSet::new();
        for name in files {
            present.extend(self.dir.mend(&name, pending)?);
        }
        Ok(present)
    }
}

#[cfg(test)]
mod tests;
