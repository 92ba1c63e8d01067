//! The words on one side of a hit, read once for all the patterns that hang on it.

use super::{Text, phrase::sentence_ends_before};
use crate::{compile::tables::head, search::eight_at};

/// Words kept on one side: a window of 64, and the longest alternative that may begin within.
const MOST: usize = 96;

/// A word.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Where it begins.
    pub(super) place: u32,
    /// Its [`head`].
    pub(super) head: u16,
    /// Whether a sentence ends between it and the word before it, seen from the hit.
    pub(super) apart: bool,
}

/// The hit's word, then the words from there on in one direction, as far as was asked.
#[derive(Debug)]
pub(crate) struct Line {
    forward: bool,
    seen: [Seen; MOST],
    known: usize,
    ended: bool,
}

impl Line {
    pub(crate) const fn new(forward: bool) -> Self {
        Self { forward, seen: [Seen { place: 0, head: 0, apart: false }; MOST], known: 0, ended: true }
    }

    /// Begins anew at a word.
    pub(super) fn begin(&mut self, place: u32) {
        if let Some(first) = self.seen.first_mut() {
            *first = Seen { place, head: 0, apart: false };
        }
        self.known = 1;
        self.ended = false;
    }

    pub(super) const fn is_forward(&self) -> bool {
        self.forward
    }

    /// The word `number` words away from the hit.
    #[inline]
    pub(super) fn get(&mut self, number: usize, text: &Text<'_>) -> Option<Seen> {
        while self.known <= number {
            self.read(text)?;
        }
        self.seen.get(number).copied()
    }

    /// Reads one more word.
    fn read(&mut self, text: &Text<'_>) -> Option<()> {
        if self.ended {
            return None;
        }
        let next = self.following(text);
        match (next, self.seen.get_mut(self.known)) {
            (Some(next), Some(into)) => *into = next,
            _ => {
                self.ended = true;
                return None;
            }
        }
        self.known += 1;
        Some(())
    }

    fn following(&self, text: &Text<'_>) -> Option<Seen> {
        let last = self.seen.get(self.known.checked_sub(1)?)?.place as usize;
        let place = if self.forward { text.words.next(last)? } else { text.words.previous(last)? };
        let later = if self.forward { place } else { last };
        Some(Seen {
            place: u32::try_from(place).ok()?,
            head: head(eight_at(text.padded, place)),
            apart: sentence_ends_before(later, text.padded),
        })
    }
}
