//! Moves SQLite's write-ahead log into the database while the writer goes on.
//!
//! The writer does so, too, when the log is long, and whoever waits for a commit waits for that. Most of it is done by
//! then. What is moved stays in the log until the writer begins that anew, so a crash at any moment loses nothing.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::db::{DbError, Place, open_new};
use crate::notice;

/// From one move to the next at least: pages that many commits change are moved once.
const EVERY: Duration = Duration::from_millis(300);

/// The thread that does it.
pub(super) struct Backfill {
    committed: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Backfill {
    /// Starts it, where there is a file.
    ///
    /// # Errors
    /// When the file cannot be opened, or there is no thread to be had.
    pub(super) fn start(place: &Place) -> Result<Self, DbError> {
        let Place::Sqlite(path) = place else { return Ok(Self { committed: None, thread: None }) };
        let db = open_new(path)?;
        let (committed, inbox) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("backfill".to_owned())
            .spawn(move || run(&db, &inbox))
            .map_err(|e| DbError::Setup(format!("cannot start a thread: {e}")))?;
        Ok(Self { committed: Some(committed), thread: Some(thread) })
    }

    /// Says that there is something to move.
    pub(super) fn committed(&mut self) {
        if let Some(sender) = &self.committed
            && let Err(TrySendError::Disconnected(())) = sender.try_send(())
        {
            self.committed = None;
        }
    }

    /// Ends it.
    pub(super) fn stop(&mut self) {
        self.committed = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(db: &Connection, inbox: &Receiver<()>) {
    let (mut failing, mut more) = (false, false);
    while more || inbox.recv().is_ok() {
        more = false;
        let next = Instant::now() + EVERY;
        // Readers and the writer go on; what they are in the way of is left for the next time.
        match db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            Ok(()) => failing = false,
            Err(e) if !failing => {
                failing = true;
                notice::warning!("store: cannot move the write-ahead log into the database: {e}");
            }
            Err(_) => {}
        }
        loop {
            match inbox.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(()) => more = true,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}
