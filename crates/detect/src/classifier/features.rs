//! What the models see of a text: hashed pieces of it.
//!
//! Feature hashing (Weinberger et al. 2009) of the comparable text: each character with the four before
//! it, and each word with the word before it. Scripts that write a word in one or two characters count
//! the character with the one before it.

/// Buckets that the pieces are hashed into, as a power of two.
pub const BITS: u32 = 16;

/// Bits of a character that take part in a hash.
const SYMBOL_BITS: u32 = 12;
/// The last five characters.
const FIVE: u64 = (1 << (5 * SYMBOL_BITS)) - 1;
/// The last two characters.
const TWO: u64 = (1 << (2 * SYMBOL_BITS)) - 1;
/// From here on come the scripts of East Asia: a character says as much as a word's half.
const EAST_ASIA: u32 = 0x2e80;
/// Odd numbers that spread the bits of what is hashed: the golden ratio's and two of wyhash's.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
const SPREAD_WORD: u64 = 0xa076_1d64_78bd_642f;
const SPREAD_PAIR: u64 = 0xe703_7ed1_a0b4_28db;

/// Takes what [`features`] finds.
pub trait Visitor {
    /// A bucket that the text falls into.
    fn bucket(&mut self, bucket: u16);
    /// A character is over, the next begins at this byte. Called after the buckets of the character.
    fn character(&mut self, end: usize, is_ascii: bool);
}

/// Walks over a comparable text ([`normalise::Normalised::bytes`]), once, in time linear in its length.
#[inline(always)]
pub fn features(bytes: &[u8], visitor: &mut impl Visitor) {
    let mut rest = bytes.iter();
    // Before the text stand spaces, so that its first letters count as a word's.
    let mut last: u64 = (0..5).fold(0, |last, _| last << SYMBOL_BITS | u64::from(b' '));
    let mut words = Words::default();
    while let Some(byte) = rest.next() {
        let (symbol, mask, is_word) = if byte.is_ascii() {
            (u32::from(*byte), FIVE, byte.is_ascii_alphanumeric())
        } else {
            let c = continued(*byte, &mut rest);
            (c, if c >= EAST_ASIA { TWO } else { FIVE }, true)
        };
        last = (last << SYMBOL_BITS) ^ u64::from(symbol) & FIVE;
        visitor.bucket(top((last & mask).wrapping_mul(SPREAD)));
        if is_word {
            words.letter(symbol);
        } else if let Some(bucket) = words.end() {
            visitor.bucket(bucket);
        }
        visitor.character(bytes.len() - rest.as_slice().len(), byte.is_ascii());
    }
    if let Some(bucket) = words.end() {
        visitor.bucket(bucket);
    }
}

/// The rest of a character whose first byte is not ASCII. What is no UTF-8 gives some number.
#[inline(never)]
fn continued(first: u8, rest: &mut core::slice::Iter<'_, u8>) -> u32 {
    let mut c = u32::from(first) & (0x7f >> first.leading_ones().min(6));
    while let Some(byte) = rest.as_slice().first().filter(|byte| **byte & 0xc0 == 0x80) {
        c = c << 6 | u32::from(byte & 0x3f);
        rest.next();
    }
    // The scripts lie in blocks: what tells their letters apart is low, what tells the blocks apart higher.
    c ^ (c >> 9)
}

const fn top(hash: u64) -> u16 {
    (hash >> (64 - BITS)) as u16
}

/// The word that is being read and the one before it.
#[derive(Default)]
struct Words {
    current: u64,
    before: u64,
}

impl Words {
    #[inline(always)]
    const fn letter(&mut self, symbol: u32) {
        // Seven has no factor in common with 64: a letter comes back to its place after 64 of them.
        self.current = self.current.rotate_left(7) ^ symbol as u64;
    }

    #[inline(always)]
    const fn end(&mut self) -> Option<u16> {
        if self.current == 0 {
            return None;
        }
        let word = self.current.wrapping_mul(SPREAD_WORD);
        let pair = word ^ self.before.rotate_left(21) ^ word >> 32;
        self.before = word;
        self.current = 0;
        Some(top(pair.wrapping_mul(SPREAD_PAIR)))
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    #[derive(Default)]
    struct Seen {
        buckets: Vec<u16>,
        ends: Vec<usize>,
    }

    impl Visitor for Seen {
        fn bucket(&mut self, bucket: u16) {
            self.buckets.push(bucket);
        }

        fn character(&mut self, end: usize, _: bool) {
            self.ends.push(end);
        }
    }

    fn seen(text: &str) -> Seen {
        let mut seen = Seen::default();
        features(text.as_bytes(), &mut seen);
        seen
    }

    #[test]
    fn every_character_and_every_word_gives_a_bucket() {
        let found = seen("a bc");
        assert_eq!(found.buckets.len(), 4 + 2);
        assert_eq!(found.ends, [1, 2, 3, 4]);
        assert_eq!(seen("щи 中文").ends, [2, 4, 5, 8, 11]);
        assert_eq!(seen("").buckets, vec![]);
    }

    #[test]
    fn a_piece_falls_into_the_same_bucket_wherever_it_stands() {
        let (here, there) = (seen("please stop it"), seen("now then, please stop it"));
        // All but the first characters, which know what stood before, and the first word's pair.
        let shared = here.buckets.iter().filter(|bucket| there.buckets.contains(bucket)).count();
        assert!(shared >= here.buckets.len() - 5, "{shared} of {}", here.buckets.len());
    }

    #[test]
    fn different_texts_fall_into_different_buckets() {
        let (here, there) = (seen("please stop it"), seen("куда идёшь 中国人民"));
        assert!(!here.buckets.iter().any(|bucket| there.buckets.contains(bucket)));
    }

    #[test]
    fn what_is_no_utf_8_is_walked_over_all_the_same() {
        let mut found = Seen::default();
        features(&[0xff, 0x80, b'a', 0xe2, 0x82], &mut found);
        assert_eq!(found.ends, [2, 3, 5]);
    }
}
