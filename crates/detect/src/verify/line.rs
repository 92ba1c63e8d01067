//! The words round a hit, read once for all the patterns that hang on it and for the hits nearby.

use super::{Text, phrase::sentence_ends_before};
use crate::{
    compile::tables::{head, head_bit},
    search::{Hit, eight_at},
};

/// Words looked at on one side: a window of 64, and the longest alternative that may begin within.
const MOST: u32 = 96;

/// Words kept: both sides of a hit and a few more, a power of two.
const KEPT: usize = 256;

/// A word.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Its number; 0 is no word.
    number: u32,
    /// Where it begins.
    pub(super) place: u32,
    /// Its [`head`].
    pub(super) head: u16,
    /// Whether a sentence ends before it.
    ends: bool,
    /// The [`head_bit`] of its head.
    pub(super) bit: u64,
}

/// The words that were read. Hits nearby find them here.
#[derive(Debug)]
struct Kept {
    words: [Seen; KEPT],
}

impl Kept {
    fn get(&self, number: u32) -> Option<Seen> {
        self.words.get(number as usize % KEPT).copied().filter(|seen| seen.number == number)
    }

    /// Takes note of the word of that number, which begins at `place`.
    fn read(&mut self, number: u32, place: usize, text: &Text<'_>) -> Option<Seen> {
        let head = head(eight_at(text.padded, place));
        let seen = Seen {
            number,
            place: u32::try_from(place).ok()?,
            head,
            ends: sentence_ends_before(place, text.padded),
            bit: head_bit(head),
        };
        if let Some(into) = self.words.get_mut(number as usize % KEPT) {
            *into = seen;
        }
        Some(seen)
    }
}

/// Places for what is known of lists, a power of two.
const ANSWERS: usize = 256;

/// Which alternatives of a list stand at a word: hits nearby ask the same again.
#[derive(Clone, Copy, Debug, Default)]
struct Answer {
    list: u32,
    /// The number of the word that they begin with; 0 is no word.
    number: u32,
    /// Bit `n`: one of `n` words.
    lengths: u64,
}

/// The words round a hit. Reused from hit to hit and from text to text.
#[derive(Debug)]
pub(crate) struct Around {
    kept: Kept,
    answers: [Answer; ANSWERS],
    /// What is added to the number of a text's word, so that no text takes another's words for its own.
    base: u32,
    /// What will be added in the next text.
    next_base: u32,
    /// The number of the hit's word.
    number: u32,
    /// Where it begins.
    pub(super) at: usize,
    sides: [Side; 2],
}

/// How much is known of the words on one side of a hit.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    /// Words read.
    known: u32,
    /// Whether there are no more.
    ended: bool,
    /// Bit `n`: a sentence ends between the `n`-th word from the hit and the one nearer to it.
    apart: Bits,
}

/// 128 bits; two halves, for wasm shifts a `u128` by a call.
#[derive(Clone, Copy, Debug, Default)]
struct Bits {
    low: u64,
    high: u64,
}

impl Bits {
    const fn set(&mut self, at: u32) {
        match at {
            0..64 => self.low |= 1 << at,
            64..128 => self.high |= 1 << (at - 64),
            _ => {}
        }
    }

    /// The 64 from one on.
    const fn from(self, at: u32) -> u64 {
        match at {
            0 => self.low,
            1..64 => self.low >> at | self.high << (64 - at),
            64..128 => self.high >> (at - 64),
            _ => 0,
        }
    }
}

/// Which way from a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Forward,
    Backward,
}

impl Default for Around {
    fn default() -> Self {
        let kept = Kept { words: [Seen::default(); KEPT] };
        Self {
            kept,
            answers: [Answer::default(); ANSWERS],
            base: 0,
            next_base: 1,
            number: 0,
            at: 0,
            sides: [Side::default(); 2],
        }
    }
}

impl Around {
    /// Begins anew with a text of so many words.
    pub(crate) fn begin_text(&mut self, words: usize) {
        self.base = self.next_base;
        let next = u32::try_from(words).ok().and_then(|words| self.base.checked_add(words)?.checked_add(2));
        self.next_base = next.unwrap_or_else(|| {
            self.kept.words = [Seen::default(); KEPT];
            self.answers = [Answer::default(); ANSWERS];
            self.base = 1;
            u32::try_from(words).unwrap_or(u32::MAX).saturating_add(3)
        });
    }

    /// Begins anew at a hit that is a word.
    pub(crate) fn begin(&mut self, hit: &Hit, text: &Text<'_>) {
        self.at = hit.at as usize;
        let number = self.base.saturating_add(hit.word);
        if number == self.number {
            return;
        }
        self.number = number;
        self.sides = [Side::default(); 2];
        if self.kept.get(self.number).is_none() {
            self.kept.read(self.number, self.at, text);
        }
    }

    const fn side(&self, way: Way) -> &Side {
        let [forward, backward] = &self.sides;
        match way {
            Way::Forward => forward,
            Way::Backward => backward,
        }
    }

    /// The word `away` words from the hit, if it was read.
    #[inline]
    pub(super) fn seen(&self, way: Way, away: u32) -> Option<Seen> {
        if away > self.side(way).known {
            return None;
        }
        let number = match way {
            Way::Forward => self.number.checked_add(away)?,
            Way::Backward => self.number.checked_sub(away)?,
        };
        self.kept.get(number)
    }

    /// Reads on up to the word `away` words from the hit, but, unless a sentence may be crossed, no further than to the
    /// first one of another sentence that is more than `near` words away.
    #[inline(always)]
    pub(super) fn read_to(&mut self, way: Way, away: u32, near: u32, cross: bool, text: &Text<'_>) {
        let side = self.side(way);
        if side.known < away && !side.ended {
            self.read_on(way, away, near, cross, text);
        }
    }

    fn read_on(&mut self, way: Way, away: u32, near: u32, cross: bool, text: &Text<'_>) {
        while self.side(way).known < away {
            let side = self.side(way);
            if side.ended || !cross && side.known > near && side.apart.from(side.known) & 1 != 0 {
                return;
            }
            let next = self.next(way, text);
            let [forward, backward] = &mut self.sides;
            let side = if way == Way::Forward { forward } else { backward };
            match next {
                Some(apart) => {
                    side.known += 1;
                    if apart {
                        side.apart.set(side.known);
                    }
                }
                None => side.ended = true,
            }
        }
    }

    /// Reads one more word. Whether it is of another sentence than the last one.
    fn next(&mut self, way: Way, text: &Text<'_>) -> Option<bool> {
        let known = self.side(way).known;
        if known >= MOST {
            return None;
        }
        let last = self.seen(way, known)?;
        let number = match way {
            Way::Forward => last.number.checked_add(1)?,
            Way::Backward => last.number.checked_sub(1)?,
        };
        let seen = match self.kept.get(number) {
            Some(seen) => seen,
            None => {
                let place = match way {
                    Way::Forward => text.words.next(last.place as usize)?,
                    Way::Backward => text.words.previous(last.place as usize)?,
                };
                self.kept.read(number, place, text)?
            }
        };
        Some(if way == Way::Forward { seen.ends } else { last.ends })
    }

    /// The word behind another one in the text, if no sentence ends between them.
    pub(super) fn joined(&mut self, seen: Seen, text: &Text<'_>) -> Option<Seen> {
        let number = seen.number.checked_add(1)?;
        let next = match self.kept.get(number) {
            Some(next) => next,
            None => {
                let place = text.words.next(seen.place as usize)?;
                self.kept.read(number, place, text)?
            }
        };
        (!next.ends).then_some(next)
    }

    /// What is known of a list's alternatives at a word.
    #[inline]
    pub(super) fn answer(&self, list: u32, seen: Seen) -> Option<u64> {
        let answer = self.answers.get(answer_place(list, seen.number))?;
        (answer.list == list && answer.number == seen.number).then_some(answer.lengths)
    }

    /// Takes note of that.
    pub(super) fn note(&mut self, list: u32, seen: Seen, lengths: u64) {
        if let Some(into) = self.answers.get_mut(answer_place(list, seen.number)) {
            *into = Answer { list, number: seen.number, lengths };
        }
    }

    /// The words from the one `from` words away on, one bit each: those that are there, and those of them before which no
    /// sentence ends.
    pub(super) fn masks(&self, way: Way, from: u32) -> [u64; 2] {
        let side = self.side(way);
        let there = match (side.known + 1).checked_sub(from) {
            Some(count @ 1..=63) => (1u64 << count) - 1,
            Some(64..) => u64::MAX,
            _ => 0,
        };
        [there, there & !side.apart.from(from)]
    }
}

/// Words near each other take different places, and so do lists.
const fn answer_place(list: u32, number: u32) -> usize {
    (list.wrapping_mul(11).wrapping_add(number) as usize) % ANSWERS
}
