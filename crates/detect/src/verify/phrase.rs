//! Phrases: words in order, with gaps.
//!
//! All the ways in which a pattern can match are followed at once, as the set of words that may come
//! next: bit `i` of a `u64` stands for the `i`-th word from the anchor. So no pattern makes a scan try
//! one way after another.

use core::ops::Range;

use super::{
    Around, Steps, Text,
    line::{Seen, Way},
};
use crate::{
    compile::{
        Tables,
        keys::first_bytes,
        tables::{Alternative, List, Step, Word},
        words::is_word_byte,
    },
    search::eight_at,
};

// What the parts of a verification cost, in steps.
/// Beginning with a posting.
const VERIFY: usize = 6;
/// A gap.
const WIDEN: usize = 3;
/// An item, but for its words.
const ITEM: usize = 4;
/// Looking for the alternatives that begin like a word.
const SEARCH: usize = 4;
/// Comparing one of them.
const COMPARE: usize = 3;

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
    if !steps.take(VERIFY) || !word_at(word, around.at, text.padded, tables) {
        return None;
    }
    let origin = stand_on(around, Way::Forward, words_after.iter(), text, tables)?;
    let end = Walk { around, way: Way::Forward, origin, text, tables }.run(after.iter(), steps)?;
    let origin = stand_on(around, Way::Backward, words_before.iter().rev(), text, tables)?;
    let walk = Walk { around, way: Way::Backward, origin, text, tables };
    let start = walk.run(before.iter().rev(), steps)?;
    Some(start..word_end(text.padded, end))
}

/// How many words there are, if they are those next to the hit, in one sentence.
fn stand_on<'w>(
    around: &mut Around,
    way: Way,
    words: impl Iterator<Item = &'w Word>,
    text: &Text<'_>,
    tables: &Tables,
) -> Option<u32> {
    let mut away = 0;
    for word in words {
        away += 1;
        around.read_to(way, away, 0, false, text);
        let seen = around.seen(way, away)?;
        let [_, joined] = around.masks(way, away);
        if joined & 1 == 0 || !word_at(word, seen.place as usize, text.padded, tables) {
            return None;
        }
    }
    Some(away)
}

/// A walk over the words from an anchor on, in one direction. Sets of words are bits of a number: bit `i` is the `i`-th
/// word behind the anchor.
struct Walk<'a> {
    around: &'a mut Around,
    way: Way,
    /// Words of the anchor on this side of the hit.
    origin: u32,
    text: &'a Text<'a>,
    tables: &'a Tables,
}

impl Walk<'_> {
    /// Where the word begins that the nearest match ends with, seen from the anchor.
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
                    let matched = self.item(reached, list, cross, steps)?;
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
        let seen = self.around.seen(self.way, self.origin + reached.trailing_zeros())?;
        Some(seen.place as usize)
    }

    /// Everything that is reached by skipping up to `most` words.
    fn widen(&mut self, mut reached: u64, most: u8, cross: bool, steps: &mut Steps) -> Option<u64> {
        let open = self.open(reached, u32::from(most.saturating_sub(1)), cross) << 1;
        for _ in 0..most {
            let further = reached | reached << 1 & open;
            if further == reached {
                break;
            }
            reached = further;
        }
        steps.take(WIDEN + usize::from(most) / 4).then_some(reached)
    }

    /// Which words may be stepped on, as far as `further` words behind the last one that is reached.
    fn open(&mut self, reached: u64, further: u32, cross: bool) -> u64 {
        let last = reached.checked_ilog2().unwrap_or(0);
        let first = self.origin + 1;
        self.around.read_to(self.way, first + last + further, first + last, cross, self.text);
        let [there, joined] = self.around.masks(self.way, first);
        if cross { there } else { joined }
    }

    /// Everything that is reached by one of the alternatives.
    fn item(&mut self, reached: u64, number: u32, cross: bool, steps: &mut Steps) -> Option<u64> {
        let list = *self.tables.lists.get(number as usize)?;
        let from = reached & self.open(reached, u32::from(list.longest) - 1, cross);
        let [there, _] = self.around.masks(self.way, self.origin + 1);
        // Where the first word of an alternative may be: forward where it begins, backward up to its length further.
        let mut firsts = from;
        if self.way == Way::Backward {
            (1..list.longest).for_each(|_| firsts |= firsts << 1);
            firsts &= there;
        }
        let mut matched = 0;
        if !steps.take(ITEM + firsts.count_ones() as usize / 2) {
            return None;
        }
        for at in bits(firsts) {
            let Some(seen) = self.word(at) else { break };
            if list.heads & seen.bit == 0 {
                continue;
            }
            let lengths = match self.around.answer(number, seen) {
                Some(lengths) => lengths,
                None => {
                    let lengths = self.lengths(seen, &list, steps)?;
                    self.around.note(number, seen, lengths);
                    lengths
                }
            };
            for length in bits(lengths) {
                match self.way {
                    Way::Forward => matched |= 1u64.checked_shl(at + length).unwrap_or(0),
                    Way::Backward
                        if (at + 1).checked_sub(length).is_some_and(|begin| from >> begin & 1 != 0) =>
                    {
                        matched |= 1u64.checked_shl(at + 1).unwrap_or(0);
                    }
                    Way::Backward => {}
                }
            }
        }
        Some(matched)
    }

    /// How many words the alternatives have that begin with a word of the text, one bit for each number.
    fn lengths(&mut self, first: Seen, list: &List, steps: &mut Steps) -> Option<u64> {
        let mut lengths = 0;
        let alternatives = list.of(&self.tables.alternatives);
        // A stem has two letters at least, its head is that of each word it begins; so no other head can match.
        let place = alternatives.partition_point(|sequence| sequence.head < first.head);
        let candidates = alternatives.get(place..).unwrap_or_default();
        if !steps.take(SEARCH) {
            return None;
        }
        for sequence in candidates.iter().take_while(|sequence| sequence.head == first.head) {
            if !steps.take(COMPARE) {
                return None;
            }
            if self.begins_with(first, *sequence) {
                lengths |= 1u64.checked_shl(sequence.count.into()).unwrap_or(0);
            }
        }
        Some(lengths)
    }

    /// Whether the words of a sequence are those from `first` on, in one sentence.
    fn begins_with(&mut self, first: Seen, sequence: Alternative) -> bool {
        let mut seen = Some(first);
        sequence.of(&self.tables.words).iter().enumerate().all(|(number, word)| {
            if number > 0 {
                seen = seen.and_then(|seen| self.around.joined(seen, self.text));
            }
            seen.is_some_and(|seen| word_at(word, seen.place as usize, self.text.padded, self.tables))
        })
    }

    /// The `at`-th word from the anchor.
    #[inline]
    fn word(&self, at: u32) -> Option<Seen> {
        self.around.seen(self.way, self.origin + 1 + at)
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
