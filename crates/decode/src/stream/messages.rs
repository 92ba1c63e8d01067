//! Amazon's event stream (`application/vnd.amazon.eventstream`, "Amazon event stream specification"): messages of a
//! length, headers, a payload and checksums, all numbers big-endian. The payloads of Bedrock's Converse are JSON.

use alloc::vec::Vec;

use super::framing::Event;
use crate::{Problem, ProblemKind, inflate::crc32};

/// The lengths of the message and of its headers, and the checksum of both.
const PRELUDE: usize = 12;
/// The checksum at the end.
const TRAILER: usize = 4;

/// Bytes on their way to messages.
#[derive(Debug, Default)]
pub(super) struct Messages {
    held: Vec<u8>,
}

impl Messages {
    /// The payload of the next message that the bytes complete; without one, all of them are taken. `taken` counts them.
    pub(super) fn next(
        &mut self,
        rest: &mut &[u8],
        taken: &mut u64,
        longest: usize,
    ) -> Result<Option<Event>, Problem> {
        loop {
            let Lengths { message, headers } = self.lengths();
            let (now, later) =
                rest.split_at_checked(message.saturating_sub(self.held.len())).unwrap_or((rest, &[]));
            self.held.extend_from_slice(now);
            *taken += now.len() as u64;
            *rest = later;
            if self.held.len() < message {
                return Ok(None);
            }
            let problem =
                |kind, detail| Problem::new(kind, usize::try_from(*taken).unwrap_or(usize::MAX), detail);
            if message == PRELUDE {
                let Lengths { message, headers } = self.lengths();
                if message > longest {
                    return Err(problem(ProblemKind::TooLarge, "an event of more bytes than allowed"));
                }
                if !self.is_whole(PRELUDE)
                    || headers > message.saturating_sub(PRELUDE + TRAILER)
                    || message < PRELUDE + TRAILER
                {
                    return Err(problem(ProblemKind::Syntax, "no message of an event stream"));
                }
                continue;
            }
            if !self.is_whole(message) {
                return Err(problem(ProblemKind::Syntax, "a checksum that does not fit"));
            }
            let start = PRELUDE + headers;
            let payload = self.held.get(start..message - TRAILER).unwrap_or_default().to_vec();
            self.held.clear();
            if !payload.is_empty() {
                return Ok(Some(Event::new(payload, *taken - (message - start) as u64)));
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// How much to hold before going on, and how much of it are headers.
    fn lengths(&self) -> Lengths {
        let number = |place: usize| {
            let bytes = self.held.get(place..).and_then(|rest| rest.first_chunk::<4>());
            bytes.and_then(|bytes| usize::try_from(u32::from_be_bytes(*bytes)).ok())
        };
        match (self.held.len(), number(0), number(4)) {
            (PRELUDE.., Some(message), Some(headers)) => Lengths { message, headers },
            _ => Lengths { message: PRELUDE, headers: 0 },
        }
    }

    /// Whether the last four of so many bytes are the checksum of those before them.
    fn is_whole(&self, length: usize) -> bool {
        let whole = self.held.get(..length).and_then(|bytes| bytes.split_last_chunk::<TRAILER>());
        whole.is_some_and(|(bytes, sum)| u32::from_be_bytes(*sum) == crc32(bytes))
    }
}

/// What a prelude says.
struct Lengths {
    message: usize,
    headers: usize,
}

/// A message that says that something went wrong, of this kind; the payload is JSON.
#[must_use]
pub fn exception(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in
        [(":message-type", "exception"), (":exception-type", kind), (":content-type", "application/json")]
    {
        // A name, the type of a string, its length, the string.
        headers.extend(u8::try_from(name.len()));
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap_or(0).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let length = PRELUDE + headers.len() + payload.len() + TRAILER;
    let mut message = Vec::with_capacity(length);
    for number in [length, headers.len()] {
        message.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
    }
    message.extend_from_slice(&crc32(&message).to_be_bytes());
    message.extend_from_slice(&headers);
    message.extend_from_slice(payload);
    message.extend_from_slice(&crc32(&message).to_be_bytes());
    message
}
