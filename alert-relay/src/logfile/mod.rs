//! The incident log: `security_{model}_{date}.log`, a line for each stored event, once.
//!
//! **Form.** `timestamp - level - message`; the moment of storing, UTC; the date in the file's name is that of the
//! line. Files are only appended to, and made durable group by group.
//!
//! **Recovery.** `meta` in the database says up to which event (in the order of storing) the lines are
//! durable; it lags behind by some groups. After a start, and after any failure to write, everything after it is read from
//! the database and compared with the last lines of its file, by event id: a torn line is cut off, missing lines are
//! appended, none is written twice.
//!
//! **Old files.** A file of so many bytes is put aside as `security_{model}_{date}.{n}.log`; files that nobody writes to any
//! more are compressed, and deleted when they are old enough. With a chain (see [`chain`]) each deletion leaves a
//! sealed note in `security_chain_{date}.log`.

mod chain;
mod dir;
mod keep;
mod line;
mod name;
mod verify;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use wire::{Event, EventId};

use self::{
    chain::{Chain, ChainKey},
    dir::{Dir, Lines},
    keep::Part,
};
use crate::{
    clock::{Civil, millis, now_ms},
    config::{self, LogForm},
    metrics::Metrics,
    notice,
    store::{self, Db, DbError, Place},
};

/// Groups that may wait to be written; then the store waits too.
const QUEUE: usize = 1;
/// From one writing to the next at least, so that many groups are made durable together: each file by itself takes as
/// long as a commit. What a crash leaves unwritten meanwhile is in the database.
const GATHER: Duration = Duration::from_millis(100);
/// With so many events gathered they are written at once.
const GATHER_EVENTS: usize = 4000;
/// Between two tries after a failure.
const RETRY: Duration = Duration::from_secs(1);
/// Events read from the database at a time.
const PAGE: usize = 1000;
/// Between two looks at old files.
const KEEP_EVERY: Duration = Duration::from_secs(3600);
/// Most lines that are looked for in files beyond the cursor. Those of some groups may stand there, however many events
/// wait for theirs; this bounds the memory.
const MAX_BEYOND: u64 = 500_000;
/// Most lines that a crash can leave behind the chain's state: what one group or one page holds, with room.
const MAX_UNSEALED: u64 = 20_000;

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
    let dir = Dir::new(&config.path, config.max_files_per_day, config.max_file_bytes);
    let failed =
        |e: &dyn std::fmt::Display| format!("cannot write the log in {}: {e}", config.path.display());
    dir.create().map_err(|e| failed(&e))?;
    let chain = match &config.chain_file {
        None => None,
        Some(path) => {
            Some(Chain::open(path).map_err(|e| format!("log.chain_file: {e}"))?.ok_or_else(|| {
                format!("log.chain_file: {} is not there: make it with `alert-relay log-key`", path.display())
            })?)
        }
    };
    let mut keeper = Keeper {
        dir,
        place,
        chain,
        config: config.clone(),
        cursor: started.logged,
        logged,
        metrics,
        // What is missing is written by the thread: a relay that was killed need not wait for it to take events.
        behind: (started.last > started.logged).then(Instant::now),
        unsealed: false,
        wrote: None,
        kept: None,
        compressing: None,
    };
    // What a crash left behind the chain's state goes, also where no event wants to be written again.
    keeper.cut_unsealed().map_err(|e| failed(&e))?;
    keeper.metrics.log_fails(None);
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

/// Lines that are not written yet.
struct Gathered {
    lines: Lines,
    count: usize,
    /// The last event among them, or before them.
    last: u64,
}

struct Keeper {
    dir: Dir,
    place: Place,
    chain: Option<Chain>,
    config: config::Log,
    cursor: u64,
    logged: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
    /// Since when lines are missing that are no longer in memory, and when that was last tried to mend.
    behind: Option<Instant>,
    /// Whether files may have lines that no durable state of the chain covers.
    unsealed: bool,
    /// When lines were last written.
    wrote: Option<Instant>,
    /// When old files were last looked at.
    kept: Option<Instant>,
    /// Compresses old files, beside the writing.
    compressing: Option<JoinHandle<()>>,
}

impl Keeper {
    fn run(mut self, entries: &Receiver<Group>) {
        if self.behind.is_some() {
            self.try_catch_up();
        }
        loop {
            match entries.recv_timeout(RETRY) {
                Ok(group) => self.gather(group, entries),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.behind.is_some_and(|tried| tried.elapsed() >= RETRY) {
                self.try_catch_up();
            }
            if self.kept.is_none_or(|kept| kept.elapsed() >= KEEP_EVERY) && self.behind.is_none() {
                self.kept = Some(Instant::now());
                self.keep();
            }
        }
        if self.behind.is_some() {
            self.try_catch_up();
        }
    }

    /// Writes a group with those that follow it soon. Each is turned into its lines as it comes: those take less room.
    fn gather(&mut self, first: Group, inbox: &Receiver<Group>) {
        if self.behind.is_some() {
            return;
        }
        let mut gathered = Gathered { lines: Lines::new(), count: 0, last: self.cursor };
        let mut next = Some(first);
        let mut missing = false;
        while let Some(Group { after, entries }) = next.take() {
            missing = after.is_none_or(|after| after > gathered.last);
            if missing {
                break;
            }
            let new: Vec<Entry> = entries.into_iter().filter(|entry| entry.seq > gathered.last).collect();
            if let Err(e) =
                self.render(new.iter().map(|entry| (&entry.event, entry.received_ms)), &mut gathered)
            {
                return self.fell_behind(&e);
            }
            gathered.last = new.last().map_or(gathered.last, |entry| entry.seq);
            let left = self.wrote.and_then(|wrote| GATHER.checked_sub(wrote.elapsed()));
            if let Some(left) = left.filter(|_| gathered.count < GATHER_EVENTS) {
                next = inbox.recv_timeout(left).ok();
            }
        }
        let result = self.put(&gathered.lines);
        match result {
            Ok(()) if gathered.count > 0 => self.advance(gathered.last, gathered.count),
            Ok(()) => {}
            Err(e) => return self.fell_behind(&e.into()),
        }
        if missing {
            self.fell_behind(&Failure::Io(io::Error::other("a group is missing")));
        }
    }

    fn write<'a>(&mut self, events: impl Iterator<Item = (&'a Event, u64)>) -> Result<usize, Failure> {
        let mut gathered = Gathered { lines: Lines::new(), count: 0, last: self.cursor };
        self.render(events, &mut gathered)?;
        self.put(&gathered.lines)?;
        Ok(gathered.count)
    }

    /// Adds the lines of events to those gathered.
    fn render<'a>(
        &mut self,
        events: impl Iterator<Item = (&'a Event, u64)>,
        to: &mut Gathered,
    ) -> Result<(), Failure> {
        let result = self.try_render(events, to);
        if result.is_err() {
            // What was sealed is not written.
            self.chain.iter_mut().for_each(Chain::revert);
        }
        result
    }

    fn try_render<'a>(
        &mut self,
        events: impl Iterator<Item = (&'a Event, u64)>,
        to: &mut Gathered,
    ) -> Result<(), Failure> {
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
            let mut line = match self.config.form {
                LogForm::Text => line::line(event, received_ms),
                LogForm::Json => line::json(event, received_ms),
            };
            if let Some(chain) = &mut self.chain {
                chain.seal(&name, &mut line);
            }
            to.lines.entry(name).or_default().extend_from_slice(line.as_bytes());
            to.count += 1;
        }
        Ok(())
    }

    /// Lines first, then the state that covers them.
    fn put(&mut self, lines: &Lines) -> io::Result<()> {
        let begun = if self.unsealed { self.cut_unsealed() } else { Ok(()) };
        let written = begun.and_then(|()| self.dir.write(lines));
        let result = written.and_then(|()| self.chain.as_mut().map_or(Ok(()), Chain::save));
        // What was written of these lines has numbers that others will get.
        self.unsealed = result.is_err() && self.chain.is_some();
        if self.unsealed {
            self.chain.iter_mut().for_each(Chain::revert);
        }
        self.wrote = Some(Instant::now());
        result
    }

    /// Takes away lines that no durable state of the chain covers: they are derived again, or were about to be.
    fn cut_unsealed(&mut self) -> io::Result<()> {
        let Some(from) = self.chain.as_ref().map(Chain::durable) else { return Ok(()) };
        for part in Part::all(self.dir.path())? {
            if part.number == u64::MAX && !part.compressed && dir::ends_unsealed(&part.path, from)? {
                self.dir.mend(&part.base, MAX_UNSEALED, Some(from))?;
            }
        }
        Ok(())
    }

    /// Deletes files that are old enough, and begins to compress what nobody writes to.
    fn keep(&mut self) {
        if self.compressing.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return;
        }
        if let Err(e) = self.delete_old() {
            notice::warning!("log: old files: {e}");
        }
        if self.config.compress {
            let directory = self.config.path.clone();
            let compress = move || match keep::compress(&directory, &Civil::of(now_ms()).date()) {
                Ok(0) => {}
                Ok(files) => notice::info!("log: {files} files were compressed"),
                Err(e) => notice::warning!("log: cannot compress: {e}"),
            };
            self.compressing = std::thread::Builder::new().name("compress".to_owned()).spawn(compress).ok();
        }
    }

    fn delete_old(&mut self) -> io::Result<()> {
        let now = now_ms();
        let Some(age) = self.config.keep else { return Ok(()) };
        let oldest = Civil::of(now.saturating_sub(millis(age))).date();
        for part in Part::all(self.dir.path())? {
            if part.date >= oldest {
                continue;
            }
            // The notes first: a note that comes twice counts once.
            if let Some(chain) = &mut self.chain {
                let (name, mut lines) = (name::own(&Civil::of(now).date()), String::new());
                for note in keep::inventory(&part)? {
                    let mut line = note.line(&Civil::of(now).log(), &part.name());
                    chain.seal(&name, &mut line);
                    lines.push_str(&line);
                }
                if !lines.is_empty() {
                    self.put(&Lines::from([(name, lines.into_bytes())]))?;
                }
            }
            std::fs::remove_file(&part.path)?;
            notice::info!("log: {} was old enough to be deleted", part.name());
        }
        Ok(())
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
        self.metrics.log_fails(Some(now_ms()));
        self.behind = Some(Instant::now());
    }

    fn try_catch_up(&mut self) {
        match self.catch_up() {
            Ok(written) => {
                self.behind = None;
                self.metrics.log_fails(None);
                if written > 0 {
                    notice::info!("log: {written} lines were missing and have been written");
                }
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
        let unsealed = self.chain.as_ref().map(Chain::durable);
        for name in files {
            present.extend(self.dir.mend(&name, pending.min(MAX_BEYOND), unsealed)?);
        }
        Ok(present)
    }
}

/// Begins a chain: makes its state file, and gives the key that `verify` needs. Nobody keeps it but the caller.
///
/// # Errors
/// When there is such a file already, or it cannot be written, or the system has no randomness.
pub(crate) fn begin_chain(path: &Path) -> Result<String, String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| format!("the system gives no random numbers: {e}"))?;
    let key = ChainKey::new(bytes);
    Chain::create(path, key, now_ms()).map_err(|e| format!("cannot make {}: {e}", path.display()))?;
    Ok(key.to_text())
}

/// Where a chain stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// When the chain was begun, Unix milliseconds.
    pub(crate) begun_ms: u64,
    /// How many lines it has sealed.
    pub(crate) sequence: u64,
    /// `number:seal`: in a mail it proves how many lines there were then.
    pub(crate) text: String,
}

/// Where the chain stands. None without a chain.
pub(crate) fn head(config: &config::Log) -> Option<Head> {
    let state = chain::state(config.chain_file.as_deref()?).ok()??;
    Some(Head { begun_ms: state.since_ms, sequence: state.next, text: state.key.head(state.next) })
}

/// Checks a log against its first key and heads from mails.
///
/// # Errors
/// When the key is none, or files cannot be read.
pub(crate) fn verify(config: &config::Log, key: &str, heads: &[String]) -> Result<verify::Report, String> {
    let first = ChainKey::parse(key).ok_or("the key is not what `alert-relay log-key` printed")?;
    let state = config.chain_file.as_deref().map(verify::state).transpose();
    let state = state.map_err(|e| format!("log.chain_file: {e}"))?.flatten();
    verify::verify(&config.path, first, state, heads)
        .map_err(|e| format!("cannot read the log in {}: {e}", config.path.display()))
}

#[cfg(test)]
mod tests;
