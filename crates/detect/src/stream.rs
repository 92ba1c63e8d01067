//! Text that comes in pieces: the answer of a model, judged while it is written.
//!
//! The text is judged in windows that overlap. Where they lie depends on the text alone, never on the pieces it came
//! in, so any way to cut it gives the same findings. A match that is shorter than the overlap lies wholly in one
//! window, and is reported as if the text had been judged whole; what a detector concludes from much text, it
//! concludes from a window.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::ops::Range;

use crate::{
    engine::Engine,
    finding::{Finding, Rule},
    role::Role,
    scratch::Scratch,
};

/// Bytes of a window, unless others are asked for.
const SIZE: usize = 2048;
/// Bytes that two windows share, unless others are asked for.
const OVERLAP: usize = 512;
/// The least bytes that they share.
const LEAST_OVERLAP: usize = 64;
/// Bytes before a boundary in which a better one is looked for, between two words.
const SEARCH: usize = 128;

/// A text that comes in pieces, and what is known of it. Holds no more than a window of it.
#[derive(Debug)]
pub struct Stream {
    role: Role,
    size: usize,
    overlap: usize,
    /// What was received from the beginning of the next window on.
    buffer: String,
    /// Where that begins in the whole text.
    start: usize,
    /// The rules that were reported for the text itself.
    reported: Vec<Arc<Rule>>,
    /// What was reported of the last window and reaches into the next.
    recent: Vec<(Arc<Rule>, Range<usize>)>,
    /// How many findings were reported.
    count: usize,
    exhausted: bool,
    found: Vec<Finding>,
}

impl Stream {
    /// Begins a text of that role, to be judged in windows of 2048 bytes of which two share 512.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self::with_windows(role, SIZE, OVERLAP)
    }

    /// Begins a text of that role with other windows: `size` bytes, which is how far judgement lags behind, and
    /// `overlap` bytes in common, longer than any match must be to be found. Sizes that are too small are made larger.
    #[must_use]
    pub const fn with_windows(role: Role, size: usize, overlap: usize) -> Self {
        let overlap = if overlap < LEAST_OVERLAP { LEAST_OVERLAP } else { overlap };
        let least = overlap.saturating_mul(2).saturating_add(2 * SEARCH);
        Self {
            role,
            size: if size < least { least } else { size },
            overlap,
            buffer: String::new(),
            start: 0,
            reported: Vec::new(),
            recent: Vec::new(),
            count: 0,
            exhausted: false,
            found: Vec::new(),
        }
    }

    /// Takes the next piece, and appends what was found. Spans are byte ranges of the whole text. The engine is the same
    /// for all pieces; `scratch` may serve other texts in between, and tells after each call whether a budget ran out in
    /// this one.
    pub fn push(&mut self, engine: &Engine, chunk: &str, scratch: &mut Scratch, out: &mut Vec<Finding>) {
        let mut rest = chunk;
        while !rest.is_empty() {
            // One character more than a window, so that it is known to end within the text.
            let room = (self.size + 1).saturating_sub(self.buffer.len()).max(1);
            let (taken, behind) = rest.split_at_checked(rest.ceil_char_boundary(room)).unwrap_or((rest, ""));
            self.buffer.push_str(taken);
            rest = behind;
            if self.buffer.len() > self.size {
                let end = boundary(&self.buffer, self.size);
                let next = boundary(&self.buffer, end.saturating_sub(self.overlap));
                self.judge(engine, end, Some(next), scratch, out);
            }
        }
        scratch.exhausted = self.exhausted;
    }

    /// Judges what is left, after the last piece.
    pub fn finish(&mut self, engine: &Engine, scratch: &mut Scratch, out: &mut Vec<Finding>) {
        if !self.buffer.is_empty() {
            self.judge(engine, self.buffer.len(), None, scratch, out);
        }
        scratch.exhausted = self.exhausted;
    }

    /// Bytes at the beginning of the text that are judged: no match that begins there is still to be found. They may
    /// be sent on, but for what the findings say.
    #[must_use]
    pub const fn released(&self) -> usize {
        self.start
    }

    /// Judges the buffer up to `end`. The next window begins at `next`; without one, this is the last.
    fn judge(
        &mut self,
        engine: &Engine,
        end: usize,
        next: Option<usize>,
        scratch: &mut Scratch,
        out: &mut Vec<Finding>,
    ) {
        let mut found = core::mem::take(&mut self.found);
        found.clear();
        let window = self.buffer.get(..end).unwrap_or_default();
        let plain = engine.scan_counted(window, self.role, scratch, &mut found);
        self.exhausted |= scratch.exhausted;
        let next = next.unwrap_or(self.buffer.len());
        let is_last = next == self.buffer.len();
        let known = self.recent.len();
        for (number, mut finding) in found.drain(..).enumerate() {
            // What begins in the next window is its.
            if finding.span.start >= next && !is_last {
                continue;
            }
            finding.span = finding.span.start + self.start..finding.span.end + self.start;
            if self.is_new(&finding, number < plain, known, engine) {
                self.count += 1;
                out.push(finding);
            }
        }
        self.found = found;
        self.start += next;
        self.recent.retain(|(_, span)| span.end > self.start);
        self.buffer.drain(..next);
    }

    /// Whether a finding was not reported for an earlier window, of which `known` findings reach into this one, and there
    /// is room for it. Takes note of it.
    fn is_new(&mut self, finding: &Finding, is_plain: bool, known: usize, engine: &Engine) -> bool {
        let Finding { rule, span, .. } = finding;
        let known = self.recent.iter_mut().take(known).find(|(known, reported)| {
            Arc::ptr_eq(known, rule) && reported.start < span.end && span.start < reported.end
        });
        if let Some((_, reported)) = known {
            reported.end = reported.end.max(span.end);
            return false;
        }
        let is_known = self.reported.iter().any(|known| Arc::ptr_eq(known, rule));
        if is_plain && is_known && !engine.options().every_match {
            return false;
        }
        if self.count >= engine.options().most_findings() {
            self.exhausted = true;
            return false;
        }
        if is_plain && !is_known {
            self.reported.push(rule.clone());
        }
        self.recent.push((rule.clone(), span.clone()));
        true
    }
}

/// The best place for a boundary at `at` or not far before it: before white space, else between two characters of which
/// neither is an ASCII letter or digit, else between any two.
fn boundary(text: &str, at: usize) -> usize {
    let at = text.floor_char_boundary(at);
    let from = text.floor_char_boundary(at.saturating_sub(SEARCH));
    let places = text.get(from..).unwrap_or_default().char_indices();
    let places = places.map(|(place, c)| (from + place, c)).take_while(|(place, _)| *place <= at);
    let mut best = None;
    let mut before = 'a';
    for (place, c) in places {
        let quality = match c {
            _ if place == 0 => 0,
            _ if c.is_ascii_whitespace() => 2,
            _ if !c.is_ascii_alphanumeric() && !before.is_ascii_alphanumeric() => 1,
            _ => 0,
        };
        before = c;
        if quality > 0 && best.is_none_or(|(known, _)| quality >= known) {
            best = Some((quality, place));
        }
    }
    best.map_or(at, |(_, place)| place)
}
