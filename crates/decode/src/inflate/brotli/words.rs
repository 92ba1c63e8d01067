//! Brotli's dictionary and what may be done to its words (RFC 7932, section 8).

use alloc::vec::Vec;

use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// The dictionary and the transforms, compressed by `build.rs`.
static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/brotli.bin"));
/// Bytes of all words.
const WORDS: usize = 122_784;
/// More than the transforms take behind them.
const MOST: usize = WORDS + 4096;
/// How many words of each length there are, as powers of two, from length 4 on.
const COUNT_BITS: [u32; 21] = [10, 10, 11, 11, 10, 10, 10, 10, 10, 9, 9, 8, 7, 7, 8, 7, 7, 6, 6, 5, 5];
/// The length of the shortest words.
const SHORTEST: usize = 4;
/// Transforms up to this one take as many bytes off a word's end.
const OMIT_LAST: usize = 9;
const UPPERCASE_FIRST: usize = 10;
const UPPERCASE_ALL: usize = 11;
/// From here on, transforms take bytes off a word's beginning, from one byte on.
const OMIT_FIRST: usize = 12;

/// The dictionary: it lies in a filter compressed, and in memory while a body that uses it is read.
pub(super) struct Words(Vec<u8>);

impl Words {
    /// Takes it up. A test holds that it can be read.
    pub(super) fn new() -> Option<Self> {
        decompress_to_vec_with_limit(PACKED, MOST).ok().map(Self)
    }

    /// Appends a word of this length, as its number says changed. `None` if there is no such word.
    pub(super) fn append(&self, length: usize, number: usize, out: &mut Vec<u8>) -> Option<()> {
        let (shorter, count) = COUNT_BITS.split_at_checked(length.checked_sub(SHORTEST)?)?;
        let bits = *count.first()?;
        let first: usize = (SHORTEST..).zip(shorter).map(|(length, bits)| length << bits).sum();
        let place = first + length * (number & ((1 << bits) - 1));
        let mut word = self.0.get(place..)?.get(..length)?;
        let (kind, before, behind) = self.transform(number >> bits)?;
        out.extend_from_slice(before);
        let at = out.len();
        if kind <= OMIT_LAST {
            word = word.get(..length.saturating_sub(kind))?;
        } else if kind >= OMIT_FIRST {
            word = word.get(kind + 1 - OMIT_FIRST..).unwrap_or_default();
        }
        out.extend_from_slice(word);
        let mut rest = out.get_mut(at..)?;
        while (kind == UPPERCASE_FIRST || kind == UPPERCASE_ALL) && !rest.is_empty() {
            let taken = uppercase(rest).min(rest.len());
            rest = rest.get_mut(taken..).filter(|_| kind == UPPERCASE_ALL).unwrap_or_default();
        }
        out.extend_from_slice(behind);
        Some(())
    }

    /// The kind of a transform, what it puts before a word and what behind it.
    fn transform(&self, number: usize) -> Option<(usize, &[u8], &[u8])> {
        let mut rest = self.0.get(WORDS..)?;
        let text = |rest: &mut &'_ [u8]| -> Option<usize> {
            let (length, behind) = rest.split_first()?;
            *rest = behind;
            Some(usize::from(*length))
        };
        for left in (0..=number).rev() {
            let kind = text(&mut rest)?;
            let length = text(&mut rest)?;
            let (before, behind) = rest.split_at_checked(length)?;
            rest = behind;
            let length = text(&mut rest)?;
            let (after, behind) = rest.split_at_checked(length)?;
            rest = behind;
            if left == 0 {
                return Some((kind, before, after));
            }
        }
        None
    }
}

/// Turns the first letter to upper case, roughly, as the RFC has it. Returns its length.
fn uppercase(text: &mut [u8]) -> usize {
    match text {
        [first @ b'a'..=b'z', ..] => {
            *first ^= 32;
            1
        }
        [0..=0xbf, ..] => 1,
        [0xc0..=0xdf, second, ..] => {
            *second ^= 32;
            2
        }
        [0xe0..=0xff, _, third, ..] => {
            *third ^= 5;
            3
        }
        [_, ..] => text.len(),
        [] => 0,
    }
}
