//! What the security team decided about callers: pulled from the relay, looked up at each request.
//!
//! [`Decisions`] asks for what has changed, checks the signature of what comes and keeps it in a [`table`]. While the relay
//! is away, the last state stands, and every decision ends by itself. The shell makes the calls.

mod table;

use alloc::{format, string::String, vec::Vec};
use core::net::IpAddr;

use wire::{
    Client, DecisionAction, DecisionFeed, EventId, FeedError, MESSAGE_PREFIX,
    signature::{self, ID_HEADER, Key, Rejected, SIGNATURE_HEADER, TIMESTAMP_HEADER},
};

use crate::Moment;
use table::Table;

/// Pause after a pull that failed; doubled with each further one, up to [`MAX_PAUSE_MS`].
const FIRST_PAUSE_MS: u64 = 1000;
/// Longest pause.
const MAX_PAUSE_MS: u64 = 60_000;
/// A pull without an answer is given up after this; hosts answer before.
const LOST_MS: u64 = 120_000;
/// How often what has ended is thrown away.
const SWEEP_MS: u64 = 60_000;

/// The decisions, and how far they are known. One for each VM or isolate.
#[derive(Debug)]
pub struct Decisions {
    table: Table,
    epoch: String,
    serial: u64,
    /// No pull before this moment.
    next_ms: u64,
    pause_ms: u64,
    /// Since when a pull is under way.
    under_way: Option<u64>,
    swept_ms: u64,
}

/// A signed request for the feed, `GET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// The path with its query.
    pub path: String,
    /// Headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
}

/// The relay's answer to a [`Pull`].
#[derive(Clone, Copy, Debug)]
pub struct Pulled<'a> {
    /// The status.
    pub status: u16,
    /// The headers of the signature, [`ID_HEADER`], [`TIMESTAMP_HEADER`] and [`SIGNATURE_HEADER`]; empty where missing.
    pub signature: [&'a str; 3],
    /// The body.
    pub body: &'a [u8],
}

/// What a pull brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// Nothing has changed.
    Unchanged,
    /// So many decisions, of which so many could not be read; so many that end first found no room.
    Applied {
        /// Decisions in the feed.
        entries: usize,
        /// Those that could not be read.
        rejected: usize,
        /// Decisions that had to go.
        left_out: usize,
    },
}

/// Why a pull brought nothing; the decisions stay as they were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullError {
    /// No answer, or one with another status.
    Status(Option<u16>),
    /// It is not signed by the relay.
    Signature(Rejected),
    /// It is no feed.
    Feed(FeedError),
    /// It is older than what is known.
    Stale,
}

impl core::fmt::Display for PullError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Status(None) => f.write_str("no answer"),
            Self::Status(Some(status)) => write!(f, "status {status}"),
            Self::Signature(rejected) => rejected.fmt(f),
            Self::Feed(error) => error.fmt(f),
            Self::Stale => f.write_str("the feed is older than the decisions that are known"),
        }
    }
}

impl core::error::Error for PullError {}

/// A decision about a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) id: u64,
    pub(crate) action: DecisionAction,
    /// Requests a minute, where it throttles.
    pub(crate) rate: u32,
}

impl Decisions {
    /// No decisions yet, and room for `most`.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self {
            table: Table::new(most),
            epoch: String::new(),
            serial: 0,
            next_ms: 0,
            pause_ms: 0,
            under_way: None,
            swept_ms: 0,
        }
    }

    /// How many there are, ended ones included that were not thrown away yet.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Changes how many there may be.
    pub const fn resize(&mut self, most: usize) {
        self.table.resize(most);
    }

    /// The next pull, if it is time for one; [`Self::settle`] has to follow. `path`: of the feed, without a query.
    pub fn next_pull(&mut self, path: &str, key: &Key, moment: &Moment) -> Option<Pull> {
        let now_ms = moment.unix_ms;
        if now_ms.saturating_sub(self.swept_ms) >= SWEEP_MS {
            self.swept_ms = now_ms;
            self.table.sweep(seconds(now_ms));
        }
        // A moment far ahead was set by a clock that was wrong.
        let is_due = now_ms >= self.next_ms || self.next_ms - now_ms > 3_600_000;
        let is_free = self.under_way.is_none_or(|since| now_ms.abs_diff(since) >= LOST_MS);
        if !is_due || !is_free {
            return None;
        }
        self.under_way = Some(now_ms);
        let path = format!("{path}?epoch={}&since={}", self.epoch, self.serial);
        let message = format!("{MESSAGE_PREFIX}{}", EventId::new(now_ms, moment.entropy));
        let timestamp = now_ms / 1000;
        let headers = Vec::from([
            (ID_HEADER, message.clone()),
            (TIMESTAMP_HEADER, format!("{timestamp}")),
            (SIGNATURE_HEADER, key.sign(&message, timestamp, path.as_bytes())),
            ("if-none-match", format!("\"{}-{}\"", self.epoch, self.serial)),
        ]);
        Some(Pull { path, headers })
    }

    /// Takes the answer to a pull; `None`: there was none. `interval_ms`: the pause until the next one.
    ///
    /// # Errors
    /// When it is no news that can be believed. The next pull waits, longer each time.
    pub fn settle(
        &mut self,
        pulled: Option<Pulled<'_>>,
        key: &Key,
        interval_ms: u64,
        now_ms: u64,
    ) -> Result<Update, PullError> {
        self.settle_by(pulled, key, interval_ms, now_ms, DecisionFeed::decode)
    }

    /// [`Self::settle`] where the host knows another way to read a body once its signature is checked.
    ///
    /// # Errors
    /// As there.
    pub fn settle_by(
        &mut self,
        pulled: Option<Pulled<'_>>,
        key: &Key,
        interval_ms: u64,
        now_ms: u64,
        read: impl FnOnce(&[u8]) -> Result<DecisionFeed, FeedError>,
    ) -> Result<Update, PullError> {
        self.under_way = None;
        match self.apply(pulled, key, now_ms, read) {
            Ok((update, more)) => {
                self.pause_ms = 0;
                self.next_ms = if more { now_ms } else { now_ms.saturating_add(interval_ms) };
                Ok(update)
            }
            Err(error) => {
                self.pause_ms = (self.pause_ms * 2).clamp(FIRST_PAUSE_MS, MAX_PAUSE_MS);
                self.next_ms = now_ms.saturating_add(self.pause_ms.max(interval_ms));
                Err(error)
            }
        }
    }

    fn apply(
        &mut self,
        pulled: Option<Pulled<'_>>,
        key: &Key,
        now_ms: u64,
        read: impl FnOnce(&[u8]) -> Result<DecisionFeed, FeedError>,
    ) -> Result<(Update, bool), PullError> {
        let pulled = pulled.ok_or(PullError::Status(None))?;
        match pulled.status {
            200 => {}
            304 => return Ok((Update::Unchanged, false)),
            status => return Err(PullError::Status(Some(status))),
        }
        let [id, timestamp, signatures] = pulled.signature;
        if !id.starts_with(MESSAGE_PREFIX) {
            return Err(PullError::Signature(Rejected::Header { name: ID_HEADER }));
        }
        let keys = core::slice::from_ref(key);
        signature::verify(keys, now_ms / 1000, id, timestamp, signatures, pulled.body)
            .map_err(PullError::Signature)?;
        let feed = read(pulled.body).map_err(PullError::Feed)?;
        let is_other = feed.epoch != self.epoch;
        if is_other != feed.reset || (!is_other && feed.serial < self.serial) {
            return Err(PullError::Stale);
        }
        if feed.reset {
            self.table.clear();
        }
        let left_out = self.table.apply(&feed.entries, seconds(now_ms));
        self.epoch = feed.epoch;
        self.serial = feed.serial;
        let update = Update::Applied { entries: feed.entries.len(), rejected: feed.rejected, left_out };
        Ok((update, feed.more))
    }

    /// The strictest decision about a caller that has not ended.
    pub(crate) fn find(&self, client: &Client, now_ms: u64) -> Option<Decided> {
        if self.is_empty() {
            return None;
        }
        let address: Option<IpAddr> = client.address.as_deref().and_then(|address| address.parse().ok());
        let key = client.key.as_ref().and_then(|key| u128::from_str_radix(&key.hash, 16).ok());
        self.table.find(address, key, client.user.as_deref(), seconds(now_ms))
    }
}

fn seconds(now_ms: u64) -> u32 {
    u32::try_from(now_ms / 1000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
