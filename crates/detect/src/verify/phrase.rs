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
        tables::{Slice, Step, Word},
        words::is_word_byte,
    },
    search::Hit,
};

/// Bytes between two words that are looked at for the end of a sentence; more of them end it.
const SEPARATOR: usize = 16;

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
    let sequence = alternatives.of(&tables.alternatives).get(usize::from(alternative))?;
    let first = (hit.word as usize).checked_sub(usize::from(word))?;
    if !steps.take(1) || !sequence_at(*sequence, first, text, tables) {
        return None;
    }
    let behind = first + sequence.count as usize;
    let forward = Walk { text, tables, origin: behind, forward: true }.run(after.iter(), steps)?;
    let backward = Walk { text, tables, origin: first, forward: false }.run(before.iter().rev(), steps)?;
    let start = *text.words.get(first.checked_sub(backward)?)? as usize;
    let last = *text.words.get((behind + forward).checked_sub(1)?)? as usize;
    Some(start..word_end(text.padded, last))
}

/// A walk over the words from an anchor on, in one direction.
struct Walk<'a> {
    text: &'a Text<'a>,
    tables: &'a Tables,
    /// Forward, the first word behind the anchor; backward, the first word of the anchor.
    origin: usize,
    forward: bool,
}

impl Walk<'_> {
    /// How many words the steps take at least, if they match.
    fn run<'s>(&self, program: impl Iterator<Item = &'s Step>, steps: &mut Steps) -> Option<usize> {
        let mut reached = 1u64;
        let mut cross = false;
        for step in program {
            match *step {
                Step::Gap { most, cross: crosses } => {
                    cross |= crosses;
                    reached = self.widen(reached, most, crosses, steps)?;
                }
                Step::Item { alternatives, optional } => {
                    let matched = self.item(reached, alternatives, cross, steps)?;
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
        Some(reached.trailing_zeros() as usize)
    }

    /// Everything that is reached by skipping up to `most` words.
    fn widen(&self, mut reached: u64, most: u8, cross: bool, steps: &mut Steps) -> Option<u64> {
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
    fn item(&self, reached: u64, alternatives: Slice, cross: bool, steps: &mut Steps) -> Option<u64> {
        let alternatives = alternatives.of(&self.tables.alternatives);
        let mut matched = 0;
        for at in bits(reached) {
            if !steps.take(1 + alternatives.len() / 4) {
                return None;
            }
            if self.word(at).is_none() || !cross && self.ends_before(at) {
                continue;
            }
            for sequence in alternatives {
                let length = sequence.count;
                let first = if self.forward {
                    self.word(at)
                } else {
                    self.origin.checked_sub(at as usize + length as usize)
                };
                if first.is_some_and(|first| sequence_at(*sequence, first, self.text, self.tables)) {
                    matched |= 1u64.checked_shl(at + length).unwrap_or(0);
                }
            }
        }
        Some(matched)
    }

    /// The `at`-th word from the anchor.
    fn word(&self, at: u32) -> Option<usize> {
        let at = at as usize;
        let word = if self.forward { self.origin.checked_add(at) } else { self.origin.checked_sub(at + 1) };
        word.filter(|word| *word < self.text.words.len())
    }

    /// Whether a sentence ends between the `at`-th word and the one before it, seen from the anchor.
    fn ends_before(&self, at: u32) -> bool {
        let at = at as usize;
        let later = if self.forward { self.origin + at } else { self.origin.saturating_sub(at) };
        sentence_ends_before(later, self.text)
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

/// Whether the words of a sequence stand there, in one sentence.
fn sequence_at(sequence: Slice, first: usize, text: &Text<'_>, tables: &Tables) -> bool {
    sequence.of(&tables.words).iter().enumerate().all(|(at, word)| {
        let Some(start) = text.words.get(first + at) else { return false };
        word_at(word, *start as usize, text.padded, tables)
            && (at == 0 || !sentence_ends_before(first + at, text))
    })
}

fn word_at(word: &Word, start: usize, padded: &[u8], tables: &Tables) -> bool {
    let Some(rest) = padded.get(start..) else { return false };
    let Some(eight) = rest.first_chunk::<8>() else { return false };
    if u64::from_le_bytes(*eight) & word.mask != word.key {
        return false;
    }
    let text = word.text.of(&tables.bytes);
    if text.len() > 8 && !rest.starts_with(text) {
        return false;
    }
    !word.whole || rest.get(text.len()).is_none_or(|next| !is_word_byte(*next))
}

/// Whether a sentence ends between a word and the one before it: at `.`, `!` or `?` before white space,
/// at a blank line, or at a line break before the mark of a list.
fn sentence_ends_before(word: usize, text: &Text<'_>) -> bool {
    let Some(start) = text.words.get(word) else { return true };
    let start = *start as usize;
    let from = start.saturating_sub(SEPARATOR);
    let Some(window) = text.padded.get(from..start) else { return true };
    let Some(end) = window.iter().rposition(|byte| is_word_byte(*byte)) else { return from > 0 };
    let between = window.get(end + 1..).unwrap_or_default();
    if matches!(between, [b' '] | [b'\'']) {
        return false;
    }
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
