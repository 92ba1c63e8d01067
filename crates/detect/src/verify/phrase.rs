//! Phrases: words in order, with gaps.
//!
//! All the ways in which a pattern can match are followed at once, as the set of words that may come
//! next: bit `i` of a `u64` stands for the `i`-th word from the anchor. So no pattern makes a scan try
//! one way after another.

use core::ops::Range;

use super::{Steps, Text};
use crate::{
    compile::{
        Tables,
        tables::{Alternative, Step, Word, head, head_bit},
        words::is_word_byte,
    },
    search::{Hit, eight_at},
};

/// Bytes between two words that are looked at for the end of a sentence; more of them end it.
const SEPARATOR: usize = 16;

/// Words on either side of an anchor that a pattern may reach: one for each bit of a set.
const WINDOW: usize = 64;

pub(super) fn verify(
    phrase: u32,
    [step, alternative, word]: [u16; 3],
    hit: &Hit,
    text: &Text<'_>,
    tables: &Tables,
    steps: &mut Steps,
) -> Option<Range<usize>> {
    let phrase = tables.phrases.get(phrase as usize)?;
    let program = phrase.steps.of(&tables.steps);
    let (before, rest) = program.split_at_checked(usize::from(step))?;
    let (anchor, after) = rest.split_first()?;
    let Step::Item { alternatives, .. } = anchor else { return None };
    let sequence = *alternatives.of(&tables.alternatives).get(usize::from(alternative))?;
    let (first, last) = anchor_at(sequence, usize::from(word), hit.at as usize, text, tables)?;
    if !steps.take(1) {
        return None;
    }
    let end = Walk::new(text, tables, last, true).run(after.iter(), steps)?;
    let start = Walk::new(text, tables, first, false).run(before.iter().rev(), steps)?;
    Some(start..word_end(text.padded, end))
}

/// The first and the last word of a sequence whose `word`-th word begins at `at`, if it stands there.
fn anchor_at(
    sequence: Alternative,
    word: usize,
    at: usize,
    text: &Text<'_>,
    tables: &Tables,
) -> Option<(usize, usize)> {
    let words = sequence.of(&tables.words);
    let (before, rest) = words.split_at_checked(word)?;
    let (anchor, after) = rest.split_first()?;
    if !word_at(anchor, at, text.padded, tables) {
        return None;
    }
    let (mut first, mut last) = (at, at);
    for word in before.iter().rev() {
        let previous = text.words.previous(first)?;
        if sentence_ends_before(first, text.padded) || !word_at(word, previous, text.padded, tables) {
            return None;
        }
        first = previous;
    }
    for word in after {
        last = text.words.next(last)?;
        if sentence_ends_before(last, text.padded) || !word_at(word, last, text.padded, tables) {
            return None;
        }
    }
    Some((first, last))
}

/// A walk over the words from an anchor on, in one direction.
struct Walk<'a> {
    text: &'a Text<'a>,
    tables: &'a Tables,
    forward: bool,
    /// The anchor's word on this side, then each word from there on, as far as was asked.
    words: [u32; WINDOW + 1],
    known: usize,
    /// There are no more words than are known.
    ended: bool,
}

impl<'a> Walk<'a> {
    fn new(text: &'a Text<'a>, tables: &'a Tables, origin: usize, forward: bool) -> Self {
        let mut words = [0; WINDOW + 1];
        // A text of 4 GiB and more is not searched, so there is no anchor in one.
        if let (Some(first), Ok(origin)) = (words.first_mut(), u32::try_from(origin)) {
            *first = origin;
        }
        Self { text, tables, forward, words, known: 1, ended: false }
    }

    /// The word that the nearest match ends with, seen from the anchor.
    fn run<'s>(mut self, program: impl Iterator<Item = &'s Step>, steps: &mut Steps) -> Option<usize> {
        let mut reached = 1u64;
        let mut cross = false;
        for step in program {
            match *step {
                Step::Gap { most, cross: crosses } => {
                    cross |= crosses;
                    reached = self.widen(reached, most, crosses, steps)?;
                }
                Step::Item { alternatives, heads, longest, optional } => {
                    let alternatives = alternatives.of(&self.tables.alternatives);
                    let matched = self.item(reached, (alternatives, heads, longest), cross, steps)?;
                    if optional {
                        reached |= matched;
                    } else {
                        reached = matched;
                        cross = false;
                    }
                }
            }
            if reached == 0 {
                return None;
            }
        }
        self.place(reached.trailing_zeros() as usize)
    }

    /// Everything that is reached by skipping up to `most` words.
    fn widen(&mut self, mut reached: u64, most: u8, cross: bool, steps: &mut Steps) -> Option<u64> {
        let mut front = reached;
        for _ in 0..most {
            let mut next = 0;
            for at in bits(front) {
                if !steps.take(1) {
                    return None;
                }
                if self.word(at).is_some() && (cross || !self.ends_before(at)) {
                    next |= 1u64.checked_shl(at + 1).unwrap_or(0);
                }
            }
            // What was reached already was widened from already.
            front = next & !reached;
            reached |= next;
            if front == 0 {
                break;
            }
        }
        Some(reached)
    }

    /// Everything that is reached by one of the alternatives.
    fn item(
        &mut self,
        reached: u64,
        (alternatives, heads, longest): (&[Alternative], u64, u16),
        cross: bool,
        steps: &mut Steps,
    ) -> Option<u64> {
        let mut matched = 0;
        for at in bits(reached) {
            // Backward, how far away an alternative begins depends on its length.
            let lengths = if self.forward { 1 } else { u32::from(longest) };
            for ahead in 0..lengths {
                if !steps.take(1) {
                    return None;
                }
                matched |= self.from(at, at + ahead, alternatives, heads, cross, steps)?;
            }
        }
        Some(matched)
    }

    /// What the alternatives reach that take up the words from `at` on and begin with the word `first`.
    fn from(
        &mut self,
        at: u32,
        first: u32,
        alternatives: &[Alternative],
        heads: u64,
        cross: bool,
        steps: &mut Steps,
    ) -> Option<u64> {
        let Some(start) = self.word(first) else { return Some(0) };
        let Some(eight) = eight_at(self.text.padded, start) else { return Some(0) };
        let head = head(eight);
        if heads & head_bit(head) == 0 || !cross && self.ends_before(at) {
            return Some(0);
        }
        let mut matched = 0;
        let candidates = alternatives.get(alternatives.partition_point(|sequence| sequence.head < head)..);
        for sequence in candidates.unwrap_or_default().iter().take_while(|sequence| sequence.head == head) {
            if !steps.take(1) {
                return None;
            }
            let length = u32::from(sequence.count);
            if (self.forward || first + 1 == at + length) && self.sequence_at(*sequence, at) {
                matched |= 1u64.checked_shl(at + length).unwrap_or(0);
            }
        }
        // A stem of two letters or more has its head in common with each word it begins; a word of one letter is
        // its own head. So no other head can match.
        Some(matched)
    }

    /// Whether the words of a sequence are those from `at` on, in one sentence.
    fn sequence_at(&mut self, sequence: Alternative, at: u32) -> bool {
        let length = u32::from(sequence.count);
        let words = sequence.of(&self.tables.words);
        words.iter().zip(0u32..).all(|(word, number)| {
            let place = if self.forward { at + number } else { at + length - 1 - number };
            let inner = if self.forward { number > 0 } else { number + 1 < length };
            let Some(start) = self.word(place) else { return false };
            word_at(word, start, self.text.padded, self.tables) && !(inner && self.ends_before(place))
        })
    }

    /// Where the `at`-th word from the anchor begins.
    fn word(&mut self, at: u32) -> Option<usize> {
        self.place(at as usize + 1)
    }

    fn place(&mut self, number: usize) -> Option<usize> {
        while self.known <= number {
            let last = *self.words.get(self.known - 1)? as usize;
            let next = if self.forward { self.text.words.next(last) } else { self.text.words.previous(last) };
            let next = next.filter(|_| !self.ended).and_then(|next| u32::try_from(next).ok());
            match (next, self.words.get_mut(self.known)) {
                (Some(next), Some(into)) => *into = next,
                _ => {
                    self.ended = true;
                    return None;
                }
            }
            self.known += 1;
        }
        self.words.get(number).map(|place| *place as usize)
    }

    /// Whether a sentence ends between the `at`-th word and the one before it, seen from the anchor.
    fn ends_before(&mut self, at: u32) -> bool {
        let later = if self.forward { self.word(at) } else { self.place(at as usize) };
        later.is_none_or(|later| sentence_ends_before(later, self.text.padded))
    }
}

fn bits(mut set: u64) -> impl Iterator<Item = u32> {
    core::iter::from_fn(move || {
        if set == 0 {
            return None;
        }
        let bit = set.trailing_zeros();
        set &= set - 1;
        Some(bit)
    })
}

fn word_at(word: &Word, start: usize, padded: &[u8], tables: &Tables) -> bool {
    if eight_at(padded, start).is_none_or(|eight| eight & word.mask != word.key) {
        return false;
    }
    let rest = padded.get(start..).unwrap_or_default();
    let text = word.text.of(&tables.bytes);
    if text.len() > 8 && !rest.starts_with(text) {
        return false;
    }
    !word.whole || rest.get(text.len()).is_none_or(|next| !is_word_byte(*next))
}

/// Whether a sentence ends between a word and the one before it: at `.`, `!` or `?` before white space,
/// at a blank line, or at a line break before the mark of a list.
fn sentence_ends_before(start: usize, padded: &[u8]) -> bool {
    let from = start.saturating_sub(SEPARATOR);
    let Some(window) = padded.get(from..start) else { return true };
    if let [.., before, b' '] = window
        && is_word_byte(*before)
    {
        return false;
    }
    let Some(end) = window.iter().rposition(|byte| is_word_byte(*byte)) else { return from > 0 };
    let between = window.get(end + 1..).unwrap_or_default();
    let mut ended = false;
    for (at, byte) in between.iter().enumerate() {
        match byte {
            b' ' if ended => return true,
            b'\n' => {
                let next = between.get(at + 1);
                let marks = next.is_some_and(|next| b"\n-*>#|+".contains(next));
                if ended || marks {
                    return true;
                }
            }
            b'.' | b'!' | b'?' => ended = true,
            // A bracket or quotation mark may close the sentence.
            b'"' | b'\'' | b')' | b']' => {}
            _ => ended = false,
        }
    }
    false
}

fn word_end(padded: &[u8], start: usize) -> usize {
    let rest = padded.get(start..).unwrap_or_default();
    start + rest.iter().take_while(|byte| is_word_byte(**byte)).count()
}
