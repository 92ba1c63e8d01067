//! One of the texts of a stream, judged in windows while it comes in.

use alloc::{
    collections::VecDeque,
    string::{String, ToString},
    vec::Vec,
};
use core::ops::Range;

use decode::{Channel, Delta, Lane, escaped};
use detect::{Finding, Role, Windows};
use policy::Action;

use super::{
    raw::Raw,
    ruling::{Context, Rulings},
};
use crate::{
    inspect::role,
    mask::{REDACTED, Rest, extent, goes_on},
    reason,
};

/// Bytes that a window waits for the end of a token or an address, beyond its size.
const MAX_RUN: usize = 4096;
/// Bytes that are looked at together for the application's own prompt: it takes some dozen words to tell.
const ECHO_WINDOW: usize = 2048;
/// Bytes before a block that are looked at together with it: no shorter than what is told by its beginning alone.
const SEAM: usize = 512;
/// Blocks that are read as one text. Models write a handful.
const MAX_BLOCKS: usize = 256;
/// Bytes that two of these share.
const ECHO_OVERLAP: usize = 768;

/// A text while it comes in. Where a client reads several blocks as one text, it is that.
#[derive(Debug)]
pub(super) struct LaneText {
    /// The block that goes on.
    pub(super) lane: Lane,
    /// All of its blocks, and where each begins in the text.
    blocks: Vec<(Lane, usize)>,
    /// Whether a block went on after the next one had begun, so that places in the text are none in its blocks.
    is_mixed: bool,
    pub(super) role: Role,
    windows: Windows,
    /// Bytes of text received.
    length: usize,
    /// How much of the text was judged to its end; what is held of that is there for what follows it.
    judged: usize,
    /// What was received and is not given out, and perhaps some pieces more.
    pieces: VecDeque<Piece>,
    /// What is replaced, in the order of the text; none overlaps another. All of it: the text may come again.
    edits: Vec<Edit>,
    /// What may belong to the last edit behind the windows so far.
    rest: Rest,
    echo: Option<Echo>,
}

/// A delta.
#[derive(Debug)]
struct Piece {
    range: Range<usize>,
    /// Where its event begins in the stream.
    event: u64,
    delta: Delta,
    /// Where the event gives its text again token by token.
    tokens: Vec<Range<u64>>,
}

/// A stretch of the text and what stands in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edit {
    range: Range<usize>,
    with: String,
}

/// The same text in the windows that prompts are looked for in.
#[derive(Debug)]
struct Echo {
    windows: Windows,
    /// How much of the text they were given.
    fed: usize,
}

impl LaneText {
    /// Begins a text that is judged in windows of so many bytes.
    pub(super) fn new(delta: &Delta, window: usize, looks_for_echo: bool) -> Self {
        let role = role(delta.role);
        let echo = looks_for_echo && role == Role::Assistant;
        Self {
            lane: delta.lane,
            blocks: Vec::from([(delta.lane, 0)]),
            is_mixed: false,
            role,
            windows: Windows::with_runs(window, (window / 4).min(512), MAX_RUN),
            length: 0,
            judged: 0,
            pieces: VecDeque::new(),
            edits: Vec::new(),
            rest: Rest::None,
            echo: echo.then(|| Echo { windows: Windows::new(ECHO_WINDOW, ECHO_OVERLAP), fed: 0 }),
        }
    }

    /// Whether a block is one of this text's.
    pub(super) fn has(&self, lane: Lane) -> bool {
        self.blocks.iter().any(|(known, _)| *known == lane)
    }

    /// Whether a client would read this block as going on with the text. `across`: also from one choice to the next.
    pub(super) fn goes_on_in(&self, delta: &Delta, across: bool) -> bool {
        let (own, other) = (self.lane, delta.lane);
        other.channel == Channel::Text
            && own.channel == Channel::Text
            && self.role == role(delta.role)
            && (across || own.choice == other.choice)
            && self.blocks.len() < MAX_BLOCKS
    }

    /// Goes on with a block, the next one or an earlier one.
    pub(super) fn turn_to(&mut self, lane: Lane) {
        if self.has(lane) || self.blocks.len() >= MAX_BLOCKS {
            self.is_mixed = true;
        } else {
            self.blocks.push((lane, self.length));
        }
        self.lane = lane;
    }

    /// Takes the next piece, of the event that begins at `event` in the stream.
    pub(super) fn push(
        &mut self,
        context: &Context<'_>,
        rulings: &mut Rulings,
        raw: &mut Raw,
        delta: Delta,
        event: u64,
        tokens: &[Range<u64>],
    ) {
        let text = delta.text.clone();
        let range = self.length..self.length + text.len();
        self.length = range.end;
        self.pieces.push_back(Piece { range, event, delta, tokens: tokens.to_vec() });
        let mut rest = text.as_str();
        while !rest.is_empty() && !rulings.is_cut {
            if self.windows.fill(&mut rest) {
                let (end, next) = self.windows.cut();
                self.judge(context, rulings, raw, end, next);
            }
        }
    }

    /// Judges what is left. The text may go on all the same, as another one.
    pub(super) fn finish(&mut self, context: &Context<'_>, rulings: &mut Rulings, raw: &mut Raw) {
        let held = self.windows.held().len();
        if self.judged < self.length && !rulings.is_cut {
            self.judge(context, rulings, raw, held, held);
        }
        self.rest = Rest::None;
    }

    /// Where the first event begins that must not be given out yet.
    pub(super) fn held_from(&self) -> Option<u64> {
        self.pieces.front().map(|piece| piece.event)
    }

    /// Judges the held text up to `end`; the next window begins at `next`.
    fn judge(
        &mut self,
        context: &Context<'_>,
        rulings: &mut Rulings,
        raw: &mut Raw,
        end: usize,
        next: usize,
    ) {
        let start = self.windows.start();
        let held = self.windows.held();
        let is_last = next == held.len();
        let window = held.get(..end).unwrap_or_default().to_string();
        let mut found = Vec::new();
        if !context.guard.inspector().scan(self.role, &window, &mut found) {
            rulings.own(context, &reason::DECODE_BUDGET, None);
        }
        // What begins in the next window is its.
        found.retain(|finding| {
            (is_last || finding.span.start < next) && start + finding.span.end > self.judged
        });
        let mut edits: Vec<(Edit, Rest)> = Vec::new();
        if self.rest != Rest::None
            && let Some(Edit { range, with }) = self.edits.pop()
        {
            let (end, rest) = goes_on(self.rest, &window, range.end.saturating_sub(start), range.len());
            edits.push((Edit { range: range.start..start + end, with }, rest));
        }
        let mut blocked: Option<usize> = None;
        self.echo(context, &window, start, is_last, &mut found);
        for finding in &mut found {
            let span = finding.span.start + start..finding.span.end + start;
            let place = || self.place(&span);
            match rulings.judge(context, finding, self.role, &window, place) {
                Action::Mask => {
                    let (inside, rest) = extent(finding.rule.id, &window, finding.span.clone());
                    // What was given out already stays so.
                    let range = (inside.start + start).max(self.judged)..inside.end + start;
                    edits.push((Edit { range, with: REDACTED.to_string() }, rest));
                }
                Action::Block => blocked = Some(blocked.unwrap_or(usize::MAX).min(span.start)),
                Action::Allow | Action::Flag => {}
            }
        }
        for restored in &context.asked.restore {
            for (at, placeholder) in window.match_indices(restored.placeholder.as_str()) {
                let range = start + at..start + at + placeholder.len();
                if (is_last || at < next) && range.start >= self.judged {
                    let with = restored.written(self.lane.channel == Channel::Call);
                    edits.push((Edit { range, with }, Rest::None));
                }
            }
        }
        self.merge(edits);
        let released = blocked.unwrap_or(start + next);
        self.release(raw, released);
        if is_last {
            self.judged = start + next;
        }
        // For a block that goes on with this one.
        let kept = if is_last { SEAM } else { 0 };
        self.windows.advance(next.saturating_sub(kept));
    }

    /// Looks for the application's own prompt in what is judged now.
    fn echo(
        &mut self,
        context: &Context<'_>,
        window: &str,
        start: usize,
        is_last: bool,
        found: &mut Vec<Finding>,
    ) {
        let (Some(echo), Some(print)) = (&mut self.echo, &context.asked.print) else { return };
        let mut rest = window.get(echo.fed.saturating_sub(start)..).unwrap_or_default();
        echo.fed = start + window.len();
        let mut look = |windows: &Windows, end: usize| {
            let text = windows.held().get(..end).unwrap_or_default();
            let Some(mut finding) = context.guard.inspector().echo(print, text) else { return };
            // What was given out already stays so.
            let span = &finding.span;
            let at = |place: usize| (windows.start() + place).saturating_sub(start).min(window.len());
            finding.span = at(span.start)..at(span.end);
            found.push(finding);
        };
        while echo.windows.fill(&mut rest) {
            let (end, next) = echo.windows.cut();
            look(&echo.windows, end);
            echo.windows.advance(next);
        }
        if is_last && !echo.windows.held().is_empty() {
            let held = echo.windows.held().len();
            look(&echo.windows, held);
            echo.windows.advance(held);
        }
    }

    /// Pointer and bytes in the stream of a stretch of the text that is still held.
    fn place(&self, span: &Range<usize>) -> (String, Range<usize>) {
        let within = |piece: &Piece, place: usize| {
            let inside = place.saturating_sub(piece.range.start);
            piece.delta.stream_span(inside..inside + 1)
        };
        let first = self.pieces.iter().find(|piece| span.start < piece.range.end);
        let last = self.pieces.iter().rev().find(|piece| piece.range.start < span.end);
        let (Some(first), Some(last)) = (first, last) else { return (String::new(), 0..0) };
        let from = within(first, span.start).start;
        let to = within(last, span.end.max(span.start + 1) - 1).end.max(from);
        let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
        (first.delta.place.clone(), at(from)..at(to))
    }

    /// Adds edits; of those that overlap, the first makes way for all.
    fn merge(&mut self, mut edits: Vec<(Edit, Rest)>) {
        self.rest = Rest::None;
        edits.sort_by_key(|(edit, _)| (edit.range.start, core::cmp::Reverse(edit.range.end)));
        for (edit, rest) in edits.into_iter().filter(|(edit, _)| !edit.range.is_empty()) {
            let end = edit.range.end;
            match self.edits.last_mut().filter(|known| edit.range.start < known.range.end) {
                Some(known) if known.range.end > end => {}
                Some(known) => {
                    known.range.end = end;
                    // What is missing of a key is more than what is missing of a word.
                    self.rest = if self.rest == Rest::Key { Rest::Key } else { rest };
                }
                None => {
                    self.edits.push(edit);
                    self.rest = rest;
                }
            }
        }
    }

    /// Has what is replaced before `to` replaced in the stream, and lets go of it.
    fn release(&mut self, raw: &mut Raw, to: usize) {
        self.split_at(to);
        while let Some(piece) = self.pieces.pop_front_if(|piece| piece.range.end <= to) {
            let changed = apply(&self.edits, &piece.delta, piece.range.start, raw);
            if changed {
                piece.tokens.into_iter().for_each(|tokens| raw.replace(tokens, "null".into()));
            }
        }
    }

    /// Of plain text, where no event keeps it together, also a part of a piece may go.
    fn split_at(&mut self, to: usize) {
        let Some(place) = self.pieces.iter().position(|piece| piece.range.contains(&to)) else { return };
        let Some(piece) = self.pieces.get_mut(place) else { return };
        let Some((first, second)) = piece.delta.split(to - piece.range.start) else { return };
        let middle = piece.range.start + first.text.len();
        let rest = Piece {
            range: middle..piece.range.end,
            event: second.span.start,
            delta: second,
            tokens: Vec::new(),
        };
        piece.range.end = middle;
        piece.delta = first;
        self.pieces.insert(place + 1, rest);
    }

    /// Replaces in a block of the text, given again as a whole, what was replaced before; `None` if nobody can tell where.
    pub(super) fn again(&self, raw: &mut Raw, lane: Lane, delta: &Delta) -> Option<bool> {
        let (_, start) = self.blocks.iter().find(|(known, _)| *known == lane)?;
        (!self.is_mixed).then(|| apply(&self.edits, delta, *start, raw))
    }
}

/// Makes the edits of a text in a delta of it that begins at `start`; whether there were any.
fn apply(edits: &[Edit], delta: &Delta, start: usize, raw: &mut Raw) -> bool {
    let end = start + delta.text.len();
    let first = edits.partition_point(|edit| edit.range.end <= start);
    let mut changed = false;
    for edit in edits.iter().skip(first).take_while(|edit| edit.range.start < end) {
        let inside = edit.range.start.max(start) - start..edit.range.end.min(end) - start;
        let with = if edit.range.start >= start { edit.with.as_str() } else { "" };
        // Plain text is in no event, and has no place in one.
        let with = if delta.place.is_empty() { with.to_string() } else { escaped(with) };
        raw.replace(delta.stream_span(inside), with);
        changed = true;
    }
    changed
}
