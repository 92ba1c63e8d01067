//! Operators' regular expressions.
//!
//! An automaton over every byte of every text would cost more than all else together. So each expression has a literal,
//! and is tried only on a window round it. One look for each byte tells whether a literal may begin there, however many
//! there are.

use alloc::{boxed::Box, string::ToString, vec, vec::Vec};
use core::ops::Range;

use regex_lite::{Regex, RegexBuilder};

use crate::{
    compile::sort::sort_by,
    detector::{Detector, Sink, Subject},
    own::OwnProblem,
    scratch::Buffers,
};

/// Expressions at most.
const MOST: usize = 200;
/// Bytes before a literal and behind it that an expression sees.
const WINDOW: usize = 1024;
/// Bytes of a compiled expression at most: some hundred states.
const MOST_SIZE: usize = 64 << 10;
/// The smallest compiled size that is told apart.
const LEAST_SIZE: usize = 2 << 10;
/// Brackets in brackets.
const MOST_NEST: u32 = 20;
/// Bytes that are looked at to tell whether a literal may begin.
const GRAM: usize = 3;
/// Bits of the filter, as a logarithm.
const FILTER: u32 = 12;
/// What all expressions may cost in a text: for each of its bytes, and for any text. The unit is a byte seen by an
/// expression of [`LEAST_SIZE`].
const A_BYTE: usize = 2;
const ANYWAY: usize = 32 * WINDOW;

#[derive(Debug)]
struct OwnRegex {
    regex: Regex,
    /// In small letters.
    literal: Box<[u8]>,
    /// What a byte costs.
    cost: usize,
}

/// An expression that a short text is held to, outside the engine: a field of a body, not a prompt.
#[derive(Clone, Debug)]
pub struct Expression(Regex);

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// Says what is wrong with it, or that it is too large.
    pub fn new(expression: &str) -> Result<Self, alloc::string::String> {
        let builder = RegexBuilder::new(expression).size_limit(MOST_SIZE).nest_limit(MOST_NEST).build();
        builder.map(Self).map_err(|error| error.to_string())
    }

    /// Whether it matches somewhere in a text. The time grows with the length of both.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

/// The stretches of a text in which each expression is tried.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    /// By the number of the expression.
    of: Vec<Vec<Range<usize>>>,
}

/// The expressions of an engine.
#[derive(Debug, Default)]
pub(crate) struct Regexes {
    regexes: Vec<OwnRegex>,
    filter: Vec<u64>,
    /// The expressions by the hash of their literals' first bytes, in ascending order.
    hashed: Vec<(u16, usize)>,
}

impl Regexes {
    /// Compiles an expression.
    pub(crate) fn add(&mut self, regex: &str, literal: &str) -> Result<(), OwnProblem> {
        if self.regexes.len() >= MOST {
            return Err(OwnProblem::TooManyRegexes);
        }
        if literal.len() < GRAM {
            return Err(OwnProblem::ShortLiteral);
        }
        // What size it has is told by the limit that it keeps.
        let mut size = LEAST_SIZE;
        let regex = loop {
            match RegexBuilder::new(regex).size_limit(size).nest_limit(MOST_NEST).build() {
                Ok(regex) => break regex,
                Err(_) if size < MOST_SIZE => size *= 2,
                Err(error) => return Err(OwnProblem::Regex(error.to_string())),
            }
        };
        if regex.is_match("") {
            return Err(OwnProblem::Regex("it matches an empty text".into()));
        }
        let literal = literal.to_ascii_lowercase().into_bytes().into_boxed_slice();
        self.regexes.push(OwnRegex { regex, literal, cost: size / LEAST_SIZE });
        Ok(())
    }

    /// Ready to look. `None` if there is nothing to look for.
    pub(crate) fn finish(mut self) -> Option<Self> {
        if self.regexes.is_empty() {
            return None;
        }
        self.filter = vec![0; (1 << FILTER) / 64];
        for (number, regex) in self.regexes.iter().enumerate() {
            let hash = hash(regex.literal.first_chunk()?);
            *self.filter.get_mut(usize::from(hash / 64))? |= 1 << (hash % 64);
            self.hashed.push((hash, number));
        }
        sort_by(&mut self.hashed, |a, b| a < b);
        Some(self)
    }

    /// Finds where each expression is to be tried.
    fn windows(&self, text: &str, windows: &mut Windows) {
        windows.of.resize_with(self.regexes.len(), Vec::new);
        windows.of.iter_mut().for_each(Vec::clear);
        for (at, gram) in text.as_bytes().windows(GRAM).enumerate() {
            let Some(gram) = gram.first_chunk() else { continue };
            let hash = hash(gram);
            let word = self.filter.get(usize::from(hash / 64)).copied().unwrap_or(0);
            if word >> (hash % 64) & 1 != 0 {
                self.open(text, at, hash, windows);
            }
        }
    }

    /// Opens a window for each literal with this hash that stands there.
    fn open(&self, text: &str, at: usize, hash: u16, windows: &mut Windows) {
        let first = self.hashed.partition_point(|(known, _)| *known < hash);
        let rest = text.as_bytes().get(at..).unwrap_or_default();
        for (_, number) in self.hashed.iter().skip(first).take_while(|(known, _)| *known == hash) {
            let Some(regex) = self.regexes.get(*number) else { continue };
            let Some(there) = rest.get(..regex.literal.len()) else { continue };
            if !there.eq_ignore_ascii_case(&regex.literal) {
                continue;
            }
            let start = text.floor_char_boundary(at.saturating_sub(WINDOW));
            let end = text.ceil_char_boundary((at + there.len()).saturating_add(WINDOW).min(text.len()));
            let Some(windows) = windows.of.get_mut(*number) else { continue };
            match windows.last_mut().filter(|last| last.end >= start) {
                Some(last) => last.end = end,
                None => windows.push(start..end),
            }
        }
    }
}

impl Detector for Regexes {
    fn scan(&self, subject: &Subject<'_>, buffers: &mut Buffers, sink: &mut Sink<'_>) {
        let text = subject.text;
        self.windows(text, &mut buffers.windows);
        let mut left = text.len().saturating_mul(A_BYTE).saturating_add(ANYWAY);
        'regexes: for (number, (regex, windows)) in self.regexes.iter().zip(&buffers.windows.of).enumerate() {
            if !sink.is_open(number) {
                continue;
            }
            for window in windows {
                let mut from = window.start;
                while let Some(seen) = text.get(..window.end) {
                    let price = |bytes: usize| bytes.saturating_mul(regex.cost);
                    let Some(rest) = left.checked_sub(price(window.end - from)) else {
                        buffers.exhausted = true;
                        break;
                    };
                    let Some(found) = regex.regex.find_at(seen, from) else {
                        left = rest;
                        break;
                    };
                    // What stands behind the match was not looked at.
                    left = rest + price(window.end - found.end());
                    // A match up to the end of a window might end elsewhere if more were seen.
                    if found.end() < window.end || window.end == text.len() {
                        sink.push_known(number, found.range());
                        if !sink.wants_repeats() {
                            continue 'regexes;
                        }
                    }
                    from = found.end().max(from + 1);
                    if !seen.is_char_boundary(from) {
                        break;
                    }
                }
            }
        }
    }
}

/// A hash of three bytes in which capitals count as small letters.
fn hash(gram: &[u8; GRAM]) -> u16 {
    let [a, b, c] = *gram;
    let folded = u32::from_le_bytes([a | 0x20, b | 0x20, c | 0x20, 0]);
    u16::try_from(folded.wrapping_mul(0x9e37_79b1) >> (32 - FILTER)).unwrap_or(0)
}
