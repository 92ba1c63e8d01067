//! Text that comes in pieces: the answer of a model, judged while it is written.
//!
//! The text is judged in windows that overlap. Where they lie depends on the text alone, never on the pieces it came
//! in, so any way to cut it gives the same findings. A match that is shorter than the overlap lies wholly in one
//! window, and is reported as if the text had been judged whole; what a detector concludes from much text, it
//! concludes from a window.

use alloc::{sync::Arc, vec::Vec};
use core::ops::Range;

use crate::{
    engine::Engine,
    finding::{Finding, Rule},
    role::Role,
    scratch::Scratch,
    windows::Windows,
};

/// Bytes of a window, unless others are asked for.
const SIZE: usize = 2048;
/// Bytes that two windows share, unless others are asked for.
const OVERLAP: usize = 512;

/// A text that comes in pieces, and what is known of it. Holds no more than a window of it.
#[derive(Debug)]
pub struct Stream {
    role: Role,
    windows: Windows,
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
        Self {
            role,
            windows: Windows::new(size, overlap),
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
            if self.windows.fill(&mut rest) {
                let (end, next) = self.windows.cut();
                self.judge(engine, end, Some(next), scratch, out);
            }
        }
        scratch.exhausted = self.exhausted;
    }

    /// Judges what is left, after the last piece.
    pub fn finish(&mut self, engine: &Engine, scratch: &mut Scratch, out: &mut Vec<Finding>) {
        let held = self.windows.held().len();
        if held > 0 {
            self.judge(engine, held, None, scratch, out);
        }
        scratch.exhausted = self.exhausted;
    }

    /// Bytes at the beginning of the text that are judged: no match that begins there is still to be found. They may
    /// be sent on, but for what the findings say.
    #[must_use]
    pub const fn released(&self) -> usize {
        self.windows.start()
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
        let held = self.windows.held().len();
        let start = self.windows.start();
        let window = self.windows.held().get(..end).unwrap_or_default();
        let plain = engine.scan_counted(window, self.role, scratch, &mut found);
        self.exhausted |= scratch.exhausted;
        let next = next.unwrap_or(held);
        let is_last = next == held;
        let known = self.recent.len();
        for (number, mut finding) in found.drain(..).enumerate() {
            // What begins in the next window is its.
            if finding.span.start >= next && !is_last {
                continue;
            }
            finding.span = finding.span.start + start..finding.span.end + start;
            if self.is_new(&finding, number < plain, known, engine) {
                self.count += 1;
                out.push(finding);
            }
        }
        self.found = found;
        self.windows.advance(next);
        self.recent.retain(|(_, span)| span.end > self.windows.start());
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
