//! Whether a rule matches round the place where a search found one of its keys.

mod line;
mod phrase;
mod raw;
mod token;

use core::ops::Range;

use line::Line;

use crate::{
    compile::{Tables, signs::SignTable, tables::Posting},
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

/// The words round a hit. Reused from hit to hit.
#[derive(Debug)]
pub(crate) struct Around {
    /// Where the hit's word begins.
    at: usize,
    forward: Line,
    backward: Line,
}

impl Around {
    /// Begins anew at a hit.
    pub(crate) fn begin(&mut self, hit: &Hit) {
        self.at = hit.at as usize;
        self.forward.begin(hit.at);
        self.backward.begin(hit.at);
    }
}

impl Default for Around {
    fn default() -> Self {
        Self { at: 0, forward: Line::new(true), backward: Line::new(false) }
    }
}

/// Where a rule matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A range of the comparable text.
    Comparable(Range<usize>),
    /// A range of the text as it came.
    Source(Range<usize>),
}

/// Steps that one text may still cost. Each looks at a word, a few bytes or an alternative.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    left: usize,
    exhausted: bool,
}

impl Steps {
    /// So many steps are granted for each byte of a text. Ordinary text costs less than one; a text made of nothing
    /// but half matches stays below twenty.
    const A_BYTE: usize = 64;
    /// And so many for any text.
    const ANYWAY: usize = 4096;

    pub(crate) const fn new(bytes: usize) -> Self {
        Self { left: bytes.saturating_mul(Self::A_BYTE).saturating_add(Self::ANYWAY), exhausted: false }
    }

    /// Takes some; `false` means that there are no more.
    pub(crate) const fn take(&mut self, steps: usize) -> bool {
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                self.left = 0;
                self.exhausted = true;
                false
            }
        }
    }

    pub(crate) const fn is_exhausted(&self) -> bool {
        self.exhausted
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

/// Whether a posting may match where words with these signs stand behind the anchor and before it; `false` is certain.
pub(crate) fn may_match(posting: &Posting, signs: &SignTable, [ahead, behind]: [u64; 2]) -> bool {
    match *posting {
        Posting::Phrase { needs, .. } => {
            let [needs_ahead, needs_behind] = signs.needs.get(needs as usize).copied().unwrap_or_default();
            (needs_ahead & !ahead) | (needs_behind & !behind) == 0
        }
        Posting::Raw { .. } | Posting::Token { .. } => true,
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
