//! Where one event of a stream ends and the next begins.

use alloc::vec::Vec;

use super::messages::Messages;
use crate::{Problem, ProblemKind};

/// Most lines of one event. Each costs memory of its own; models write one.
const MAX_LINES: usize = 1024;

/// How events are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing but white space was seen.
    Unknown,
    /// Server-sent events.
    Events,
    /// JSON values, one behind the other or in an array.
    Values,
    /// Messages with lengths and checksums.
    Messages,
    /// No events: text as it comes.
    Plain,
}

/// One event's data.
#[derive(Debug, Default)]
pub(super) struct Event {
    bytes: Vec<u8>,
    /// Where stretches of the data begin, in the data and in the stream: one for each `data:` line.
    stretches: Vec<(usize, u64)>,
    plain: bool,
}

impl Event {
    /// Data that stands in one stretch, from that place in the stream on.
    pub(super) fn new(bytes: Vec<u8>, place: u64) -> Self {
        Self { bytes, stretches: Vec::from([(0, place)]), plain: false }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// The place in the stream of a place in the data.
    pub(super) fn place(&self, at: usize) -> u64 {
        let behind = self.stretches.partition_point(|(start, _)| *start <= at);
        let stretch = behind.checked_sub(1).and_then(|index| self.stretches.get(index));
        stretch.map_or(at as u64, |(start, place)| place + (at - start) as u64)
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.stretches.clear();
    }
}

/// The bytes of a stream on their way to events.
#[derive(Debug)]
pub(super) struct Framing {
    kind: Kind,
    /// Bytes taken so far.
    taken: u64,
    /// Where the last event begins, and up to where all that was taken is complete.
    start: u64,
    boundary: u64,
    /// Whether the first byte that tells the framing opened an array.
    array: bool,
    /// The line that is not complete; of plain text, a character that is not.
    line: Vec<u8>,
    /// The event that is not complete.
    event: Event,
    messages: Messages,
    /// The last line ended in CR: a LF that follows belongs to it.
    after_cr: bool,
    /// Of JSON values: how deep, whether in a string, whether behind a backslash.
    depth: usize,
    quoted: bool,
    escaped: bool,
    /// Of plain text: what is left over is no character.
    broken: bool,
}

impl Framing {
    pub(super) fn new(plain: bool) -> Self {
        Self {
            kind: if plain { Kind::Plain } else { Kind::Unknown },
            taken: 0,
            start: 0,
            boundary: 0,
            array: false,
            line: Vec::new(),
            event: Event { plain, ..Event::default() },
            messages: Messages::default(),
            after_cr: false,
            depth: 0,
            quoted: false,
            escaped: false,
            broken: false,
        }
    }

    fn problem(&self, kind: ProblemKind, detail: &'static str) -> Problem {
        Problem::new(kind, usize::try_from(self.taken).unwrap_or(usize::MAX), detail)
    }

    /// The next event that the bytes complete; without one, all of them are taken.
    pub(super) fn next(&mut self, rest: &mut &[u8], longest: usize) -> Result<Option<Event>, Problem> {
        if self.kind == Kind::Unknown {
            self.begin(rest);
        }
        match self.kind {
            Kind::Unknown => {
                self.boundary = self.taken;
                Ok(None)
            }
            Kind::Events => self.next_of_lines(rest, longest),
            Kind::Values => self.next_of_values(rest, longest),
            Kind::Messages => {
                let event = self.messages.next(rest, &mut self.taken, longest);
                if self.messages.is_empty() {
                    self.complete();
                }
                event
            }
            Kind::Plain => {
                let event = self.next_of_text(rest, longest);
                self.start = self.boundary;
                self.boundary = self.taken - self.line.len() as u64;
                event
            }
        }
    }

    /// All that was taken is complete. What is new of it is the last event.
    fn complete(&mut self) {
        self.start = self.boundary;
        self.boundary = self.taken;
    }

    /// How events are told apart.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether values stand in an array.
    pub(super) fn is_array(&self) -> bool {
        self.array
    }

    /// Where the last event begins.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Up to where the bytes taken are whole events and what stands between them.
    pub(super) fn boundary(&self) -> u64 {
        self.boundary
    }

    /// Goes past white space and a byte order mark to the first byte that tells the framing.
    fn begin(&mut self, rest: &mut &[u8]) {
        while let Some((byte, behind)) = rest.split_first() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                0xef | 0xbb | 0xbf if self.taken < 3 => {}
                b'{' | b'[' => {
                    self.kind = Kind::Values;
                    self.array = *byte == b'[';
                    self.boundary = self.taken;
                }
                // The highest byte of a length that no message has.
                0 => self.kind = Kind::Messages,
                _ => self.kind = Kind::Events,
            }
            if self.kind != Kind::Unknown {
                return;
            }
            self.taken += 1;
            *rest = behind;
        }
    }

    /// Gives an event's memory back.
    pub(super) fn reuse(&mut self, mut event: Event) {
        if self.event.bytes.is_empty() {
            event.clear();
            self.event = event;
        }
    }

    fn take_event(&mut self) -> Option<Event> {
        let plain = self.event.plain;
        (!self.event.stretches.is_empty())
            .then(|| core::mem::replace(&mut self.event, Event { plain, ..Event::default() }))
    }

    fn room(&self, more: usize, longest: usize) -> Result<(), Problem> {
        if self.event.bytes.len() + self.line.len() + more > longest {
            return Err(self.problem(ProblemKind::TooLarge, "an event of more bytes than allowed"));
        }
        Ok(())
    }

    fn next_of_lines(&mut self, rest: &mut &[u8], longest: usize) -> Result<Option<Event>, Problem> {
        loop {
            if self.after_cr && !rest.is_empty() {
                self.after_cr = false;
                if let Some(behind) = rest.strip_prefix(b"\n") {
                    self.boundary += u64::from(self.boundary == self.taken);
                    self.taken += 1;
                    *rest = behind;
                }
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.room(rest.len(), longest)?;
                self.line.extend_from_slice(rest);
                self.taken += rest.len() as u64;
                *rest = &[];
                return Ok(None);
            };
            let (head, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.room(head.len(), longest)?;
            self.taken += end as u64;
            let line = if self.line.is_empty() {
                Line::Whole(head)
            } else {
                self.line.extend_from_slice(head);
                Line::Pieced(core::mem::take(&mut self.line))
            };
            let complete = self.line_complete(line.bytes())?;
            if let Line::Pieced(mut memory) = line {
                memory.clear();
                self.line = memory;
            }
            self.after_cr = tail.first() == Some(&b'\r');
            self.taken += 1;
            *rest = tail.get(1..).unwrap_or_default();
            if complete {
                self.complete();
            }
            if let Some(event) = complete.then(|| self.take_event()).flatten() {
                return Ok(Some(event));
            }
        }
    }

    /// Takes a line that ends at [`Self::taken`]; true when it completes an event.
    fn line_complete(&mut self, line: &[u8]) -> Result<bool, Problem> {
        let start = self.taken - line.len() as u64;
        let (name, value) = match memchr::memchr(b':', line) {
            None if line.is_empty() => return Ok(true),
            // JSON where a field should be: some servers send their errors so, and some clients read them.
            _ if line.starts_with(b"{") => (&b"data"[..], line),
            None => (line, &[][..]),
            Some(colon) => (line.get(..colon).unwrap_or_default(), line.get(colon + 1..).unwrap_or_default()),
        };
        // Comments have no name; `event`, `id` and `retry` carry no text to anybody.
        if name == b"data" {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            if self.event.stretches.len() >= MAX_LINES {
                return Err(self.problem(ProblemKind::TooMany, "an event of more lines than allowed"));
            }
            if !self.event.stretches.is_empty() {
                self.event.bytes.push(b'\n');
            }
            let place = start + (line.len() - value.len()) as u64;
            self.event.stretches.push((self.event.bytes.len(), place));
            self.event.bytes.extend_from_slice(value);
        }
        Ok(false)
    }

    fn next_of_values(&mut self, rest: &mut &[u8], longest: usize) -> Result<Option<Event>, Problem> {
        while let Some((&byte, behind)) = rest.split_first() {
            if self.depth == 0 {
                match byte {
                    b'{' => {
                        self.event.stretches.push((0, self.taken));
                        self.depth = 1;
                        self.keep(&[byte], longest)?;
                    }
                    b' ' | b'\t' | b'\r' | b'\n' | b',' | b'[' | b']' => {
                        self.taken += 1;
                        self.boundary = self.taken;
                    }
                    _ => {
                        return Err(
                            self.problem(ProblemKind::Syntax, "neither an object nor what stands between")
                        );
                    }
                }
                *rest = behind;
                continue;
            }
            let stretch = if self.quoted && !self.escaped {
                memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len())
            } else {
                0
            };
            if stretch > 0 {
                let (plain, behind) = rest.split_at_checked(stretch).unwrap_or((rest, &[]));
                self.keep(plain, longest)?;
                *rest = behind;
                continue;
            }
            self.keep(&[byte], longest)?;
            *rest = behind;
            if self.closes(byte) {
                self.complete();
                return Ok(self.take_event());
            }
        }
        Ok(None)
    }

    /// Goes on by a byte within an object; true when it closes it.
    fn closes(&mut self, byte: u8) -> bool {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.quoted => self.escaped = true,
            b'"' => self.quoted = !self.quoted,
            b'{' | b'[' if !self.quoted => self.depth += 1,
            b'}' | b']' if !self.quoted => self.depth -= 1,
            _ => {}
        }
        self.depth == 0
    }

    fn keep(&mut self, bytes: &[u8], longest: usize) -> Result<(), Problem> {
        self.room(bytes.len(), longest)?;
        self.event.bytes.extend_from_slice(bytes);
        self.taken += bytes.len() as u64;
        Ok(())
    }

    /// Takes text as far as its characters are complete.
    fn next_of_text(&mut self, rest: &mut &[u8], longest: usize) -> Result<Option<Event>, Problem> {
        if self.broken {
            let at = usize::try_from(self.taken - self.line.len() as u64).unwrap_or(usize::MAX);
            return Err(Problem::new(ProblemKind::Encoding, at, "the stream is not UTF-8"));
        }
        if rest.is_empty() {
            return Ok(None);
        }
        let most = longest.max(4);
        let (now, later) = rest.split_at_checked(most.min(rest.len())).unwrap_or((rest, &[]));
        let start = self.taken - self.line.len() as u64;
        let mut bytes = core::mem::take(&mut self.line);
        bytes.extend_from_slice(now);
        let cut = match core::str::from_utf8(&bytes) {
            Ok(_) => bytes.len(),
            Err(error) => {
                self.broken = error.error_len().is_some();
                error.valid_up_to()
            }
        };
        self.line = bytes.split_off(cut);
        self.taken += now.len() as u64;
        *rest = later;
        if bytes.is_empty() {
            return self.next_of_text(rest, longest);
        }
        Ok(Some(Event { bytes, stretches: Vec::from([(0, start)]), plain: true }))
    }

    /// What is left when the stream ends.
    pub(super) fn end(&mut self, longest: usize) -> Result<Option<Event>, Problem> {
        let cut = |this: &Self| this.problem(ProblemKind::Syntax, "the stream ends within an event");
        match self.kind {
            Kind::Unknown => Ok(None),
            Kind::Events => {
                self.room(0, longest)?;
                let line = core::mem::take(&mut self.line);
                self.line_complete(&line)?;
                self.complete();
                Ok(self.take_event())
            }
            Kind::Values if self.depth > 0 => Err(cut(self)),
            Kind::Messages if !self.messages.is_empty() => Err(cut(self)),
            Kind::Values | Kind::Messages => Ok(None),
            Kind::Plain if self.line.is_empty() => Ok(None),
            Kind::Plain => Err(self.problem(ProblemKind::Encoding, "the stream ends within a character")),
        }
    }
}

/// A line: a stretch of the chunk, or pieced together from several.
enum Line<'c> {
    Whole(&'c [u8]),
    Pieced(Vec<u8>),
}

impl Line<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Pieced(bytes) => bytes,
        }
    }
}
