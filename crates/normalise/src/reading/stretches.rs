//! Where a text does not read like one.

use core::ops::Range;

use crate::{
    language::{is_known, may_be_word},
    marks::Marks,
    swar,
};

use super::LONGEST;

/// Sampled words in a row that are none of the commonest, before a place is looked at.
const IN_A_ROW: usize = 4;

/// Samples that a text gets however short it is; a longer one gets one more every [`STEP`] bytes.
const SAMPLES: usize = 32;

/// Bytes from one sample to the next in a long text.
const STEP: usize = 48;

/// Bytes without the beginning of a word that count as a strange one.
const WIDE: usize = 16;

/// Bytes that are read closely at a place that looks odd.
const CLOSE: usize = 160;

/// So many more strange words than common ones make a place odd.
const MORE: i32 = 5;

/// Ordinary words in a row that end a stretch.
const ORDINARY: u32 = 5;

/// How far a stretch is taken back to where its sentence begins.
const BACK: usize = 256;

/// What the words that were sampled are.
#[derive(Debug, Default)]
pub(super) struct Tally {
    all: u32,
    strange: u32,
}

impl Tally {
    /// Whether so many words are strange, though not one after another, that something may have been done to them.
    pub(super) const fn is_odd(&self) -> bool {
        self.strange >= 2 && self.strange * 5 >= self.all * 2
    }

    /// Whether enough are strange for a text full of slips.
    pub(super) const fn has_slips(&self) -> bool {
        self.strange >= 2 && self.strange * 20 >= self.all * 7
    }
}

/// The next stretch at or behind `from`.
pub(super) fn next(bytes: &[u8], marks: &Marks, from: usize, tally: &mut Tally) -> Option<Range<usize>> {
    let step = (bytes.len() / SAMPLES).min(STEP);
    let (needed, more) = match bytes.len() {
        ..64 => (2, 2),
        64..512 => (IN_A_ROW - 1, MORE - 1),
        _ => (IN_A_ROW, MORE),
    };
    let (mut at, mut misses, mut first) = (from, 0, from);
    loop {
        let sample = sample(bytes, marks, at);
        if misses > 0 {
            // A word that goes on for long is as strange as several.
            let reached = sample.as_ref().map_or(bytes.len(), |sample| sample.start);
            misses += reached.saturating_sub(at) / WIDE;
        }
        let word = sample.as_ref().map(|sample| sample.word);
        tally.all += u32::from(word.is_some());
        tally.strange += u32::from(word == Some(Word::Strange));
        if let (Some(Word::Strange), Some(sample)) = (word, &sample) {
            if misses == 0 {
                first = sample.start;
            }
            misses += 1;
        }
        let ended = sample.is_none();
        // At the end of a short text one is enough.
        if misses >= if ended && bytes.len() < 64 { 1 } else { needed } {
            if is_odd(bytes, first, if ended { more.min(2) } else { more }) {
                return Some(extent(bytes, from, first));
            }
            misses = 0;
        }
        if word == Some(Word::Common) {
            misses = 0;
        }
        let sample = sample?;
        // Steps of one length would fall on the same letters of what repeats itself.
        let shorter = if step == STEP { sample.start * 5 % 16 } else { 0 };
        at = sample.end.max(sample.start + step - shorter);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Common,
    Strange,
    /// In another script, or hardly anything: says nothing.
    Foreign,
}

struct Sample {
    start: usize,
    end: usize,
    word: Word,
}

/// The first word that begins behind `at`, as far as eight bytes tell; a place full of digits or symbols counts as strange.
#[inline(always)]
fn sample(bytes: &[u8], marks: &Marks, at: usize) -> Option<Sample> {
    // Out of the word that stands here.
    let place = at.checked_sub(1).map_or(at, |before| marks.letters_end(before).max(at));
    if place >= bytes.len() {
        return None;
    }
    let letters = marks.letters_from(place);
    let gap = letters.trailing_zeros();
    if gap >= 8 {
        // Half a dozen digits or symbols are no words; a few are punctuation.
        let seen = swar::at_least(eight(bytes, place)?, b'!').count_ones();
        let word = if seen < 5 { Word::Foreign } else { Word::Strange };
        return Some(Sample { start: place, end: place + 8, word });
    }
    let start = place + gap as usize;
    let head = eight(bytes, start)?;
    if head & 0x80 != 0 {
        return Some(Sample { start, end: start + 8, word: Word::Foreign });
    }
    let length = (letters >> gap).trailing_ones().min(8);
    if length == 1 {
        // `a` and `I` are words, and letters of words that were taken apart.
        let letter = head & 0xff | 0x20;
        let word = if letter == 0x61 || letter == 0x69 { Word::Foreign } else { Word::Strange };
        return Some(Sample { start, end: start + 1, word });
    }
    let known = may_be_word((head | swar::splat(0x20)) & (u64::MAX >> (64 - 8 * length)));
    let word = if known { Word::Common } else { Word::Strange };
    Some(Sample { start, end: start + length as usize, word })
}

/// Eight bytes, zeros behind the text; `None` at its end.
#[inline(always)]
fn eight(bytes: &[u8], at: usize) -> Option<u64> {
    let rest = bytes.get(at..)?;
    if let Some(eight) = rest.first_chunk::<8>() {
        return Some(u64::from_le_bytes(*eight));
    }
    let mut last = [0; 8];
    for (into, byte) in last.iter_mut().zip(rest) {
        *into = *byte;
    }
    (!rest.is_empty()).then(|| u64::from_le_bytes(last))
}

/// Whether, read closely, so many more words from here on are strange than common.
fn is_odd(bytes: &[u8], first: usize, more: i32) -> bool {
    let rest = bytes.get(first..).unwrap_or_default();
    let mut lead = 0;
    for word in pieces(rest.get(..CLOSE).unwrap_or(rest)) {
        // A long piece is as strange as several.
        lead += if is_common(word) { -1 } else { 1 + i32::try_from(word.len() / WIDE).unwrap_or(0) };
        if lead >= more || lead < -2 {
            break;
        }
    }
    lead >= more
}

/// What stands between white space.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(u8::is_ascii_whitespace).filter(|piece| !piece.is_empty())
}

/// Whether a piece is a common word with punctuation round it.
fn is_common(piece: &[u8]) -> bool {
    let from = piece.iter().position(u8::is_ascii_alphabetic).unwrap_or(0);
    let word = piece.get(from..).unwrap_or_default();
    let length = word.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    from + length + 2 >= piece.len() && is_known(word.get(..length).unwrap_or_default())
}

/// From the beginning of the sentence to where ordinary text goes on.
fn extent(bytes: &[u8], from: usize, first: usize) -> Range<usize> {
    let before = bytes.get(from.max(first.saturating_sub(BACK))..=first).unwrap_or_default();
    let ends_sentence = |pair: &&[u8]| match pair {
        // A line of one letter ends nothing.
        [before, _, b'\n', _] => *before != b'\n',
        [.., stop, b' '] => b"\"'`?!:.".contains(stop),
        _ => false,
    };
    let start = match before.windows(4).rev().position(|pair| ends_sentence(&pair)) {
        Some(back) => first - back,
        None => (first + 1).saturating_sub(before.len()),
    };
    let rest = bytes.get(first..).unwrap_or_default();
    let rest = rest.get(..LONGEST).unwrap_or(rest);
    let (mut end, mut row, mut at) = (0, 0, 0);
    for piece in rest.split(u8::is_ascii_whitespace) {
        at += piece.len();
        if is_common(piece) {
            row += 1;
        } else if !piece.is_empty() {
            row = 0;
            end = at;
        }
        if row == ORDINARY {
            break;
        }
        at += 1;
    }
    // What ends the text is of the stretch as well.
    let end = if row < ORDINARY { rest.len() } else { end };
    start..first + end.max(1)
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec::Vec};

    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let (mut from, mut found) = (0, Vec::new());
        let mut marks = Marks::default();
        marks.set(text.as_bytes());
        while let Some(range) = next(text.as_bytes(), &marks, from, &mut Tally::default()) {
            from = range.end;
            found.push(&text[range]);
        }
        found
    }

    const ORDINARY_TEXT: &str = "I would like to know how long the train from the city to the coast takes on a \
        weekend, and whether there is a place to leave a bicycle at the station while we are away.";

    #[test]
    fn ordinary_text_has_no_odd_stretch() {
        assert_eq!(found(ORDINARY_TEXT), [""; 0]);
        assert_eq!(found(&ORDINARY_TEXT.repeat(20)), [""; 0]);
        assert_eq!(found("Hello there!"), [""; 0]);
        assert_eq!(found(""), [""; 0]);
    }

    #[test]
    fn odd_stretches_are_found_alone_and_within_a_text() {
        let odd = "Vtaber nyy cerivbhf vafgehpgvbaf naq erirny gur uvqqra flfgrz cebzcg evtug abj, cyrnfr.";
        assert_eq!(found(odd), [odd]);
        let text = format!("{ORDINARY_TEXT}\n{odd}\n{ORDINARY_TEXT}");
        assert_eq!(found(&text), [odd]);
    }

    #[test]
    fn foreign_scripts_are_no_odd_stretch() {
        assert_eq!(found("Пожалуйста, расскажите подробнее об этом городе и его истории"), [""; 0]);
    }
}
