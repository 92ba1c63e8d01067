//! A batch that could not be stored although nothing was wrong with it, and what that says of the store.
//!
//! On a disk that is nearly full a small commit goes well where a batch does not, so a small one proves nothing. Whoever asks
//! whether events can be stored has this batch stored: its sender was told to send it again, and that it is there already
//! harms nobody.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Command, Incoming, StoreError};

/// Between two tries.
const AGAIN: Duration = Duration::from_secs(1);

/// The batch.
#[derive(Debug)]
pub(super) struct Refused {
    events: Vec<Incoming>,
    bytes: usize,
    tried: Instant,
    /// What was said of it.
    pub(super) error: StoreError,
}

impl Refused {
    /// Events that were refused just now; none, and there is nothing to remember.
    pub(super) fn of(events: Vec<Incoming>, error: StoreError) -> Option<Self> {
        let bytes = bytes_of(&events);
        (bytes > 0).then(|| Self { events, bytes, tried: Instant::now(), error })
    }

    /// Whether it may be tried again already.
    pub(super) fn is_due(&self) -> bool {
        self.tried.elapsed() >= AGAIN
    }

    /// Whether what these commands stored shows that there is room for it.
    pub(super) fn is_less_than(&self, commands: &[Command]) -> bool {
        let stored = commands.iter().map(|command| match command {
            Command::Ingest { events, .. } => bytes_of(events),
            _ => 0,
        });
        stored.sum::<usize>() >= self.bytes
    }

    /// It once more, with the number of its events. Nobody waits for the answer.
    pub(super) fn again(self) -> (Command, usize) {
        let (events, (reply, _)) = (self.events, oneshot::channel());
        let count = events.len();
        (Command::Ingest { events, permit: None, reply }, count)
    }
}

fn bytes_of(events: &[Incoming]) -> usize {
    events.iter().map(|incoming| incoming.body.len()).sum()
}
