//! A batch: what one callout carries.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    Event, EventId, VERSION,
    check::{check, shown},
    limits,
};

/// Longest reason sent back for one event, in characters: what a sender wrote must not come back at full length.
const MAX_REASON_CHARS: usize = 240;

/// What one callout carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Batch {
    /// The version of this format, [`VERSION`].
    pub v: u16,
    /// Events that this sender had to drop since its last accepted batch.
    pub dropped: u64,
    /// The events, oldest first.
    pub events: Vec<Event>,
}

/// A batch as read: the good events, and what was wrong with the others.
#[derive(Debug)]
pub struct DecodedBatch {
    /// Events the sender had to drop since its last accepted batch.
    pub dropped: u64,
    /// The events that are well formed and within [`limits`].
    pub events: Vec<Event>,
    /// The others, by their place in the batch.
    pub rejected: Vec<EventError>,
}

/// Why one event of a batch was not taken. Sending it again will not help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventError {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// Its id, if that could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<EventId>,
    /// What is wrong, and where.
    pub reason: String,
}

/// Why a whole batch was not taken. Sending it again will not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// Longer than [`limits::MAX_BATCH_BYTES`].
    TooLarge {
        /// Its length in bytes.
        bytes: usize,
    },
    /// More than [`limits::MAX_EVENTS`] events.
    TooManyEvents {
        /// How many there are.
        events: usize,
    },
    /// Not the JSON of a batch.
    Malformed {
        /// What the JSON reader says, with line and column.
        reason: String,
    },
    /// Of a version that this crate does not know.
    UnknownVersion {
        /// The version it names.
        version: u16,
    },
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes } => {
                write!(f, "the batch has {bytes} bytes, more than {}", limits::MAX_BATCH_BYTES)
            }
            Self::TooManyEvents { events } => {
                write!(f, "the batch has {events} events, more than {}", limits::MAX_EVENTS)
            }
            Self::Malformed { reason } => write!(f, "not a batch: {reason}"),
            Self::UnknownVersion { version } => {
                write!(f, "version {version} is not known here, {VERSION} is the newest")
            }
        }
    }
}

impl core::error::Error for BatchError {}

impl Batch {
    /// A batch of this crate's version; each event is cut to what a reader accepts ([`Event::fit`]).
    #[must_use]
    pub fn new(dropped: u64, mut events: Vec<Event>) -> Self {
        events.iter_mut().for_each(Event::fit);
        Self { v: VERSION, dropped, events }
    }

    /// The JSON body of the callout.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Strings, numbers and closed enums only: serialising them cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a body within [`limits`]. Bad events are answered one by one, the good ones are kept.
    ///
    /// # Errors
    /// When the body as a whole is no batch; see [`BatchError`].
    pub fn decode(body: &[u8]) -> Result<DecodedBatch, BatchError> {
        /// Events stay as text at first, so that one that is wrong does not spoil the others.
        #[derive(Deserialize)]
        struct Raw<'a> {
            v: u16,
            #[serde(default)]
            dropped: u64,
            #[serde(borrow)]
            events: Vec<&'a RawValue>,
        }
        if body.len() > limits::MAX_BATCH_BYTES {
            return Err(BatchError::TooLarge { bytes: body.len() });
        }
        let raw: Raw<'_> =
            serde_json::from_slice(body).map_err(|e| BatchError::Malformed { reason: bounded(&e) })?;
        if raw.v == 0 || raw.v > VERSION {
            return Err(BatchError::UnknownVersion { version: raw.v });
        }
        if raw.events.len() > limits::MAX_EVENTS {
            return Err(BatchError::TooManyEvents { events: raw.events.len() });
        }
        let mut decoded = DecodedBatch {
            dropped: raw.dropped,
            events: Vec::with_capacity(raw.events.len()),
            rejected: Vec::new(),
        };
        for (index, text) in raw.events.into_iter().enumerate() {
            match read_event(text.get()) {
                Ok(event) => decoded.events.push(event),
                Err(reason) => decoded.rejected.push(EventError { index, id: read_id(text.get()), reason }),
            }
        }
        Ok(decoded)
    }
}

/// One event, well formed and within [`limits`].
pub(crate) fn read_event(text: &str) -> Result<Event, String> {
    let event: Event = serde_json::from_str(text).map_err(|e| bounded(&e))?;
    check(&event).map(|()| event)
}

/// The id of an event that is otherwise wrong.
pub(crate) fn read_id(text: &str) -> Option<EventId> {
    #[derive(Deserialize)]
    struct Named {
        id: EventId,
    }
    serde_json::from_str::<Named>(text).ok().map(|named| named.id)
}

/// What the JSON reader says, at a bounded length and in one line: it quotes the sender.
pub(crate) fn bounded(error: &serde_json::Error) -> String {
    let whole = error.to_string();
    if whole.chars().any(char::is_control) || whole.chars().nth(MAX_REASON_CHARS).is_some() {
        let place = format!(" at line {} column {}", error.line(), error.column());
        return format!("{}{place}", shown(&whole));
    }
    whole
}
