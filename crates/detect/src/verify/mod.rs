//! Whether a rule matches round the place where a search found one of its keys.

mod line;
mod phrase;
mod raw;
mod token;

use core::ops::Range;

pub(crate) use line::Around;

use crate::{
    compile::{Tables, tables::Posting},
    search::Hit,
    words::Words,
};

/// A text in the forms that rules are verified on.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    /// As it came.
    pub(crate) source: &'a [u8],
    /// Comparable, with zeros behind it.
    pub(crate) padded: &'a [u8],
    /// Where the words of the comparable text begin.
    pub(crate) words: &'a Words,
    /// From the comparable text to the source.
    pub(crate) normalised: &'a normalise::Normalised,
}

/// Where a rule matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A range of the comparable text.
    Comparable(Range<usize>),
    /// A range of the text as it came.
    Source(Range<usize>),
}

/// Steps that may still be spent, each about fifty machine instructions, as callgrind counts them. Every byte of a text grants some, which are kept
/// up to a limit: so a stretch made to cost much uses up its own and what was saved before it, and what stands behind it
/// is judged all the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    left: usize,
    /// How far the text has granted its steps, and how many for a byte.
    granted: usize,
    a_byte: usize,
    used: usize,
    exhausted: bool,
}

impl Steps {
    /// Steps for each byte. Ordinary text takes half a step; attacks take up to twenty, but are short. Ten times what a
    /// byte of ordinary text costs in all is more than this.
    pub(crate) const A_BYTE: usize = 6;
    /// Steps that are kept at most, which a text begins with: enough for a page of attacks.
    pub(crate) const KEPT: usize = 1 << 13;

    /// Steps for each byte of what was read out of a text: those are several texts as long as that one at the most, and
    /// what the text saved is theirs too.
    pub(crate) const A_BYTE_READ: usize = 2;

    /// For the next text, with what was left behind the last one.
    pub(crate) const fn with(left: usize, a_byte: usize) -> Self {
        Self { left, granted: 0, a_byte, used: 0, exhausted: false }
    }

    /// How many are left.
    pub(crate) const fn left(&self) -> usize {
        self.left
    }

    /// Grants what the text up to this byte brings.
    pub(crate) fn grant(&mut self, at: usize) {
        let bytes = at.saturating_sub(self.granted);
        self.granted = self.granted.max(at);
        self.left = self.left.saturating_add(bytes.saturating_mul(self.a_byte)).min(Self::KEPT);
    }

    /// Takes some; `false` means that there are no more.
    pub(crate) const fn take(&mut self, steps: usize) -> bool {
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                self.used += steps;
                true
            }
            None => {
                self.left = 0;
                self.exhausted = true;
                false
            }
        }
    }

    /// Whether there were not enough anywhere.
    pub(crate) const fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// How many were taken in all.
    pub(crate) const fn used(&self) -> usize {
        self.used
    }
}

/// The rule that a posting belongs to.
pub(crate) fn rule(posting: &Posting, tables: &Tables) -> Option<u32> {
    match *posting {
        Posting::Phrase { phrase, .. } => tables.phrases.get(phrase as usize).map(|phrase| phrase.rule),
        Posting::Raw { raw, .. } => tables.raws.get(raw as usize).map(|raw| raw.rule),
        Posting::Token { token, .. } => tables.tokens.get(token as usize).map(|token| token.rule),
    }
}

/// Where the pattern of a posting matches, if it does. `around` has begun at the hit.
pub(crate) fn verify(
    posting: &Posting,
    hit: &Hit,
    around: &mut Around,
    text: &Text<'_>,
    tables: &Tables,
    steps: &mut Steps,
) -> Option<Place> {
    match *posting {
        Posting::Phrase { phrase, alternative, word, .. } => {
            phrase::verify(phrase, [alternative, word], around, text, tables, steps).map(Place::Comparable)
        }
        Posting::Raw { raw, piece, literal, offset } => {
            raw::verify(raw, [piece, literal, offset], hit, text, tables, steps).map(Place::Comparable)
        }
        Posting::Token { token, element, offset } => {
            token::verify(token, element, offset, hit, text, tables, steps).map(Place::Source)
        }
    }
}
