//! Streamed answers: bytes in any chunking to deltas of text.
//!
//! Three framings are told apart by their first byte: server-sent events (WHATWG HTML, "Server-sent events"; OpenAI,
//! Anthropic, Gemini with `alt=sse`, MCP), JSON values one behind the other or in one array (Ollama's JSON lines, Gemini
//! without `alt=sse`), and Amazon's event stream (Converse). An event is read when it is complete, so the deltas do not depend on how the bytes are cut. Held in
//! memory are one event and what tells repeated texts apart, both bounded.

mod framing;
mod messages;
mod repeats;

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::ops::Range;

use crate::{Channel, Facts, Lane, Limits, Problem, ProblemKind, Protocol, Role, form, json};
use framing::{Event, Framing};
use repeats::Repeats;

/// A piece of a streamed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// Who speaks: the model, mostly.
    pub role: Role,
    /// Which text of the answer it continues.
    pub lane: Lane,
    /// The piece, escapes undone.
    pub text: String,
    /// The JSON pointer to it within its event; empty for plain text.
    pub place: String,
    /// Where it stands in the stream, without quotes, in bytes from the stream's start.
    pub span: Range<u64>,
    /// How it is written, if that is not how it reads.
    written: Option<String>,
}

impl Delta {
    /// The bytes of the stream that a byte range of `text` came from. An escape or character that the range touches counts
    /// whole.
    #[must_use]
    pub fn stream_span(&self, range: Range<usize>) -> Range<u64> {
        let inside = match &self.written {
            Some(written) => json::source(written, range),
            None => {
                let from = range.start.min(self.text.len());
                let to = range.end.clamp(from, self.text.len());
                let (from, to) = if from == to {
                    (from, to)
                } else {
                    (self.text.floor_char_boundary(from), self.text.ceil_char_boundary(to))
                };
                from..to
            }
        };
        self.span.start + inside.start as u64..self.span.start + inside.end as u64
    }
}

/// A streamed answer while it comes in.
#[derive(Debug)]
pub struct Stream {
    protocol: Protocol,
    limits: Limits,
    framing: Framing,
    facts: Facts,
    events: u64,
    done: bool,
    repeats: Repeats,
    failed: Option<Problem>,
}

impl Stream {
    /// Starts to read an answer of a protocol; of [`Protocol::Json`], each event is read as what it looks like, and
    /// [`Protocol::Text`] has no framing at all. Of the limits, `max_bytes` is the longest event.
    #[must_use]
    pub fn new(protocol: Protocol, limits: &Limits) -> Self {
        Self {
            protocol,
            limits: *limits,
            framing: Framing::new(protocol == Protocol::Text),
            facts: Facts::default(),
            events: 0,
            done: false,
            repeats: Repeats::default(),
            failed: None,
        }
    }

    /// Reads a chunk and adds the deltas of every event that it completes. Of plain text, every chunk gives a delta, but for
    /// a character that it cuts.
    ///
    /// # Errors
    /// The first [`Problem`] of the stream, also on every later call. Its place is that in the stream, cut to `usize`.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<Delta>) -> Result<(), Problem> {
        let mut rest = chunk;
        while self.failed.is_none() {
            match self.framing.next(&mut rest, self.limits.max_bytes) {
                Ok(Some(event)) => self.event(event, out),
                Ok(None) => break,
                Err(problem) => self.failed = Some(problem),
            }
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// Ends the stream. An event that lacks only its closing blank line is read; one that is cut is a problem.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn end(&mut self, out: &mut Vec<Delta>) -> Result<(), Problem> {
        if self.failed.is_none() {
            match self.framing.end(self.limits.max_bytes) {
                Ok(Some(event)) => self.event(event, out),
                Ok(None) => {}
                Err(problem) => self.failed = Some(problem),
            }
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// What the stream said so far beside its texts: the model, why it ended, what it cost.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Events read.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Whether the stream said that it is complete: by `[DONE]`, or by what its protocol has for
    /// that.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.done
    }

    fn event(&mut self, event: Event, out: &mut Vec<Delta>) {
        self.events += 1;
        let first = out.len();
        if let Err(problem) = self.read(&event, out) {
            out.truncate(first);
            let at = usize::try_from(event.place(problem.at)).unwrap_or(usize::MAX);
            self.failed = Some(Problem { at, ..problem });
        }
        self.framing.reuse(event);
    }

    fn read(&mut self, event: &Event, out: &mut Vec<Delta>) -> Result<(), Problem> {
        let text = core::str::from_utf8(event.bytes()).map_err(|error| {
            Problem::new(ProblemKind::Encoding, error.valid_up_to(), "the stream is not UTF-8")
        })?;
        if event.is_plain() {
            let span = event.place(0)..event.place(text.len());
            let (text, place, written) = (text.into(), String::new(), None);
            out.push(Delta { role: Role::Assistant, lane: Lane::default(), text, place, span, written });
            return Ok(());
        }
        if text.trim_ascii() == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        if text.trim_ascii().is_empty() {
            return Ok(());
        }
        let content = json::read(text, 0, &self.limits)?;
        let form::EventParts { parts, lanes, facts, repeats, ended } =
            form::event(self.protocol, content, &self.limits)?;
        self.note(facts);
        self.done |= ended;
        for (part, lane) in parts.into_iter().zip(lanes) {
            let (inside, place) = (part.span(), part.place());
            // Every event names the answer and its model.
            let name =
                lane.channel == Channel::Field && place.bytes().filter(|byte| *byte == b'/').count() == 1;
            if (repeats || name) && self.repeats.is_known(&part.text) {
                continue;
            }
            if name || matches!(self.protocol, Protocol::OpenAiResponses | Protocol::Json) {
                self.repeats.add(lane, &part.text);
            }
            let written = matches!(part.text, Cow::Owned(_))
                .then(|| text.get(inside.clone()).unwrap_or_default().into());
            let start = event.place(inside.start);
            let span = start..start + inside.len() as u64;
            out.push(Delta { role: part.role, lane, text: part.text.into_owned(), place, span, written });
        }
        Ok(())
    }

    fn note(&mut self, new: Facts) {
        let facts = &mut self.facts;
        facts.model = new.model.or(facts.model.take());
        facts.finish = new.finish.or(facts.finish.take());
        facts.input_tokens = facts.input_tokens.max(new.input_tokens);
        facts.output_tokens = facts.output_tokens.max(new.output_tokens);
        facts.messages = facts.messages.max(new.messages);
        facts.opaque_bytes = facts.opaque_bytes.saturating_add(new.opaque_bytes);
        facts.images = facts.images.saturating_add(new.images);
    }
}
