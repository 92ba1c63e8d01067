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

use crate::{Channel, Declared, Facts, Lane, Limits, Problem, ProblemKind, Protocol, Role, form, json};
use framing::{Event, Framing, Kind};
pub use messages::exception;
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
    /// Cuts a delta of plain text in two at a byte of it, or at the character's end; `None` if a part of it is empty or it
    /// stands in an event.
    #[must_use]
    pub fn split(&self, at: usize) -> Option<(Self, Self)> {
        let (first, second) = self.text.split_at_checked(self.text.ceil_char_boundary(at))?;
        if first.is_empty() || second.is_empty() || !self.place.is_empty() || self.written.is_some() {
            return None;
        }
        let middle = self.span.start + first.len() as u64;
        let part = |text: &str, span: Range<u64>| Self { text: text.into(), span, ..self.clone() };
        Some((part(first, self.span.start..middle), part(second, middle..self.span.end)))
    }

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

/// A text that a stream gives again, whole, when its lane is complete (OpenAI's responses).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// The lane that was streamed before.
    pub of: Lane,
    /// The text where it stands now.
    pub delta: Delta,
}

/// How a stream tells its events apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// Server-sent events, or nothing yet.
    Events,
    /// JSON values, one behind the other.
    Values,
    /// JSON values in an array.
    Array,
    /// Amazon's messages, with lengths and checksums.
    Messages,
    /// Not at all.
    Plain,
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
    /// Where the event begins that could not be read.
    readable: Option<u64>,
    /// Of the last event: what it gives again, as texts and token by token.
    again: Vec<Repeat>,
    tokens: Vec<Range<u64>>,
    /// What the last event was read as.
    seen: Protocol,
    /// The tools that it declares.
    tools: Vec<Declared>,
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
            readable: None,
            again: Vec::new(),
            tokens: Vec::new(),
            seen: protocol,
            tools: Vec::new(),
        }
    }

    /// Reads a chunk and adds the deltas of every event that it completes. Of plain text, every chunk gives a delta, but for
    /// a character that it cuts.
    ///
    /// # Errors
    /// The first [`Problem`] of the stream, also on every later call. Its place is that in the stream, cut to `usize`.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<Delta>) -> Result<(), Problem> {
        let mut rest = chunk;
        while self.push_event(&mut rest, out)? {}
        Ok(())
    }

    /// Reads on to the end of the next event, takes what it read from `rest`, and adds the event's deltas. `false`: all is
    /// taken, and no event is complete.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_event(&mut self, rest: &mut &[u8], out: &mut Vec<Delta>) -> Result<bool, Problem> {
        self.again.clear();
        self.tokens.clear();
        self.tools.clear();
        if self.failed.is_none() {
            match self.framing.next(rest, self.limits.max_bytes) {
                Ok(Some(event)) => self.event(event, out),
                Ok(None) => return Ok(false),
                Err(problem) => self.failed = Some(problem),
            }
        }
        self.failed.map_or(Ok(true), Err)
    }

    /// Ends the stream. An event that lacks only its closing blank line is read; one that is cut is a problem.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn end(&mut self, out: &mut Vec<Delta>) -> Result<(), Problem> {
        self.again.clear();
        self.tokens.clear();
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

    /// Where the last event begins in the stream.
    #[must_use]
    pub fn event_start(&self) -> u64 {
        self.framing.start()
    }

    /// Up to where the stream consists of whole events that were read and what may stand between them, comments among it.
    #[must_use]
    pub fn boundary(&self) -> u64 {
        self.readable.unwrap_or_else(|| self.framing.boundary())
    }

    /// The texts that the last event gave again. They are in no delta.
    #[must_use]
    pub fn repeats(&self) -> &[Repeat] {
        &self.again
    }

    /// Where the last event gives its text again token by token: values of JSON, in bytes from the stream's start.
    #[must_use]
    pub fn token_spans(&self) -> &[Range<u64>] {
        &self.tokens
    }

    /// The tools that the last event declares, of an MCP server.
    #[must_use]
    pub fn declared_tools(&self) -> &[Declared] {
        &self.tools
    }

    /// The protocol that the last event was read as.
    #[must_use]
    pub const fn read_as(&self) -> Protocol {
        self.seen
    }

    /// How events are told apart.
    #[must_use]
    pub fn framed(&self) -> Framed {
        match self.framing.kind() {
            Kind::Unknown | Kind::Events => Framed::Events,
            Kind::Values if self.framing.is_array() => Framed::Array,
            Kind::Values => Framed::Values,
            Kind::Messages => Framed::Messages,
            Kind::Plain => Framed::Plain,
        }
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
            self.readable = Some(self.framing.start());
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
        if self.protocol == Protocol::Mcp {
            self.tools = content.document.declared_tools();
        }
        let form::EventParts { parts, lanes, facts, marks, repeats, ended, protocol } =
            form::event(self.protocol, content, &self.limits)?;
        self.seen = protocol;
        self.tokens.extend(marks.tokens.iter().map(|span| event.place(span.start)..event.place(span.end)));
        self.note(facts);
        self.done |= ended;
        for (part, lane) in parts.into_iter().zip(lanes) {
            let (inside, place) = (part.span(), part.place());
            // Every event names the answer and its model.
            let name =
                lane.channel == Channel::Field && place.bytes().filter(|byte| *byte == b'/').count() == 1;
            let known = if repeats || name { self.repeats.lane_of(&part.text) } else { None };
            if known.is_some() && lane.channel == Channel::Field {
                continue;
            }
            if known.is_none()
                && (name || matches!(self.protocol, Protocol::OpenAiResponses | Protocol::Json))
            {
                self.repeats.add(lane, &part.text);
            }
            let written = matches!(part.text, Cow::Owned(_))
                .then(|| text.get(inside.clone()).unwrap_or_default().into());
            let start = event.place(inside.start);
            let span = start..start + inside.len() as u64;
            let delta = Delta { role: part.role, lane, text: part.text.into_owned(), place, span, written };
            match known {
                Some(of) => self.again.push(Repeat { of, delta }),
                None => out.push(delta),
            }
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
