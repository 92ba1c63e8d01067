//! Phrases: words in order, with gaps.
//!
//! All the ways in which a pattern can match are followed at once, as the set of words that may come
//! next: bit `i` of a `u64` stands for the `i`-th word from the anchor. So no pattern makes a scan try
//! one way after another.

use core::ops::Range;

use super::{
    Around, Steps, Text,
    line::{Line, Seen},
};
use crate::{
    compile::{
        Tables,
        keys::first_bytes,
        tables::{Alternative, List, Step, Word, head_bit},
        words::is_word_byte,
    },
    search::eight_at,
};

/// Bytes between two words that are looked at for the end of a sentence; more of them end it.
const SEPARATOR: usize = 16;

pub(super) fn verify(
    phrase: u32,
    [alternative, word]: [u16; 2],
    around: &mut Around,
    text: &Text<'_>,
    tables: &Tables,
    steps: &mut Steps,
) -> Option<Range<usize>> {
    let phrase = tables.phrases.get(phrase as usize)?;
    let (before, rest) = phrase.of(&tables.steps).split_at_checked(usize::from(phrase.anchor))?;
    let (anchor, after) = rest.split_first()?;
    let Step::Item { list, .. } = *anchor else { return None };
    let list = tables.lists.get(list as usize)?;
    let sequence = list.of(&tables.alternatives).get(usize::from(alternative))?;
    let (words_before, rest) = sequence.of(&tables.words).split_at_checked(usize::from(word))?;
    let (word, words_after) = rest.split_first()?;
    if !steps.take(1) || !word_at(word, around.at, text.padded, tables) {
        return None;
    }
    let Around { forward, backward, .. } = around;
    if !stand_on(forward, words_after.iter(), text, tables)
        || !stand_on(backward, words_before.iter().rev(), text, tables)
    {
        return None;
    }
    let end = Walk { line: forward, origin: words_after.len(), text, tables }.run(after.iter(), steps)?;
    let start =
        Walk { line: backward, origin: words_before.len(), text, tables }.run(before.iter().rev(), steps)?;
    Some(start..word_end(text.padded, end))
}

/// Whether the words are those next to the hit, in one sentence.
fn stand_on<'w>(
    line: &mut Line,
    words: impl Iterator<Item = &'w Word>,
    text: &Text<'_>,
    tables: &Tables,
) -> bool {
    words.zip(1..).all(|(word, number)| {
        let seen = line.get(number, text).filter(|seen| !seen.apart);
        seen.is_some_and(|seen| word_at(word, seen.place as usize, text.padded, tables))
    })
}

/// A walk over the words from an anchor on, in one direction.
struct Walk<'a> {
    line: &'a mut Line,
    /// Words of the anchor on this side of the hit.
    origin: usize,
    text: &'a Text<'a>,
    tables: &'a Tables,
}

impl Walk<'_> {
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
                Step::Item { list, optional } => {
                    let List { heads, longest, .. } = *self.tables.lists.get(list as usize)?;
                    let alternatives = self.tables.lists.get(list as usize)?.of(&self.tables.alternatives);
                    let item = Item { alternatives, heads, longest, cross };
                    let matched = self.item(reached, &item, steps)?;
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
        let number = self.origin + reached.trailing_zeros() as usize;
        self.line.get(number, self.text).map(|seen| seen.place as usize)
    }

    /// Everything that is reached by skipping up to `most` words.
    fn widen(&mut self, mut reached: u64, most: u8, cross: bool, steps: &mut Steps) -> Option<u64> {
        let mut front = reached;
        for _ in 0..most {
            let mut next = 0;
            for at in bits(front) {
                if self.word(at).is_some_and(|seen| cross || !seen.apart) {
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
        steps.take(reached.count_ones() as usize).then_some(reached)
    }

    /// Everything that is reached by one of the alternatives.
    fn item(&mut self, reached: u64, item: &Item<'_>, steps: &mut Steps) -> Option<u64> {
        let mut matched = 0;
        // Backward, how far away an alternative begins depends on its length.
        let lengths = if self.line.is_forward() { 1 } else { u32::from(item.longest) };
        for at in bits(reached) {
            if self.word(at).is_none_or(|seen| !item.cross && seen.apart) {
                continue;
            }
            for ahead in 0..lengths {
                matched |= self.alternatives(at, ahead, item, steps)?;
            }
        }
        steps.take((reached.count_ones() * lengths) as usize).then_some(matched)
    }

    /// What the alternatives reach that take up the words from `at` on and whose first word is `ahead` words away
    /// from there.
    fn alternatives(&mut self, at: u32, ahead: u32, item: &Item<'_>, steps: &mut Steps) -> Option<u64> {
        let Some(Seen { head, .. }) = self.word(at + ahead) else { return Some(0) };
        if item.heads & head_bit(head) == 0 {
            return Some(0);
        }
        let mut matched = 0;
        // A stem has two letters at least, its head is that of each word it begins; so no other head can match.
        let first = item.alternatives.partition_point(|sequence| sequence.head < head);
        let candidates = item.alternatives.get(first..).unwrap_or_default();
        for sequence in candidates.iter().take_while(|sequence| sequence.head == head) {
            if !steps.take(1) {
                return None;
            }
            let length = u32::from(sequence.count);
            if (self.line.is_forward() || ahead + 1 == length) && self.sequence_at(*sequence, at) {
                matched |= 1u64.checked_shl(at + length).unwrap_or(0);
            }
        }
        Some(matched)
    }

    /// Whether the words of a sequence are those from `at` on, in one sentence.
    fn sequence_at(&mut self, sequence: Alternative, at: u32) -> bool {
        let last = u32::from(sequence.count) - 1;
        let forward = self.line.is_forward();
        sequence.of(&self.tables.words).iter().zip(0u32..).all(|(word, number)| {
            let away = if forward { number } else { last - number };
            let seen = self.word(at + away).filter(|seen| away == 0 || !seen.apart);
            seen.is_some_and(|seen| word_at(word, seen.place as usize, self.text.padded, self.tables))
        })
    }

    /// The `at`-th word from the anchor.
    #[inline]
    fn word(&mut self, at: u32) -> Option<Seen> {
        self.line.get(self.origin + 1 + at as usize, self.text)
    }
}

/// One item of a phrase, as it is met on a walk.
struct Item<'a> {
    alternatives: &'a [Alternative],
    heads: u64,
    longest: u16,
    /// Whether a sentence may end before it.
    cross: bool,
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
    if first_bytes(eight_at(padded, start), u32::from(word.length)) != word.key {
        return false;
    }
    let length = usize::from(word.length);
    let rest = padded.get(start..).unwrap_or_default();
    if length > 8 && !rest.starts_with(word.text(&tables.bytes)) {
        return false;
    }
    !word.whole || rest.get(length).is_none_or(|next| !is_word_byte(*next))
}

/// Whether a sentence ends between a word and the one before it: at `.`, `!` or `?` before white space,
/// at a blank line, or at a line break before the mark of a list.
pub(super) fn sentence_ends_before(start: usize, padded: &[u8]) -> bool {
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
