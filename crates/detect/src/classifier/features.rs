//! What the models see of a text: hashed pieces of it.
//!
//! Feature hashing (Weinberger et al. 2009) of the comparable text: each character with the four before
//! it, and each word with the word before it. Scripts that write a word in one or two characters count
//! the character with the one before it.

use normalise::lanes::{self, bits_of};

/// Buckets that the pieces are hashed into, as a power of two.
pub const BITS: u32 = 16;

/// Bits of a character that is not ASCII that take part in a hash.
const SYMBOL_BITS: u32 = 12;
/// The last five characters.
const FIVE: u64 = (1 << (5 * SYMBOL_BITS)) - 1;
/// The last two characters.
const TWO: u64 = (1 << (2 * SYMBOL_BITS)) - 1;
/// The last five characters where all are ASCII, a byte each.
const FIVE_BYTES: u64 = (1 << 40) - 1;
/// From here on come the scripts of East Asia: a character says as much as a word's half.
const EAST_ASIA: u32 = 0x2e80;
/// Odd numbers that spread the bits of what is hashed: the golden ratio's and two of wyhash's.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
const SPREAD_WORD: u64 = 0xa076_1d64_78bd_642f;
const SPREAD_PAIR: u64 = 0xe703_7ed1_a0b4_28db;
/// Characters that are read at once where all are ASCII.
pub(super) const RUN: usize = lanes::BLOCK;
/// Fewer are read one by one.
const SHORTEST: usize = 8;
/// Bytes of a run with four before it and eight behind it.
const AROUND: usize = RUN + 12;

/// A character with the buckets it falls into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// That of the character with those before it.
    pub bucket: u16,
    /// That of the word with the one before it, where a word ends.
    pub pair: Option<u16>,
    /// Whether the character is ASCII.
    pub is_ascii: bool,
}

/// Walks over a comparable text ([`normalise::Normalised::bytes`]) character by character, or, where it is
/// plain ASCII, in runs.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    bytes: &'a [u8],
    /// Where the next character begins.
    at: usize,
    /// The last characters, the newest lowest.
    last: u64,
    /// The last five bytes, the newest highest.
    plain: u64,
    /// How many ASCII characters the last ones were, up to five.
    ascii: u32,
    /// The word that is being read.
    word: Word,
    /// The hash of the word before it.
    before: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Word {
    /// Where it begins, if it did.
    start: Option<usize>,
    /// A hash of its characters, for those that are not all ASCII.
    symbols: u64,
    is_odd: bool,
}

impl<'a> Walk<'a> {
    /// Before the first character.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        // Before the text stand spaces, so that its first letters count as a word's.
        let last = (0..5).fold(0, |last, _| last << SYMBOL_BITS | u64::from(b' '));
        let plain = (0..5).fold(0, |plain, _| plain << 8 | u64::from(b' '));
        Self { bytes, at: 0, last, plain, ascii: 5, word: Word::default(), before: 0 }
    }

    /// How many bytes are still to be read.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next character.
    pub fn step(&mut self) -> Option<Piece> {
        let byte = *self.bytes.get(self.at)?;
        let start = self.at;
        let (mut symbol, mut len, mut mask) = (u32::from(byte), 1, FIVE);
        if byte.is_ascii() {
            self.ascii = (self.ascii + 1).min(5);
        } else {
            (symbol, len) = continued(byte, self.bytes.get(start + 1..).unwrap_or_default());
            mask = if symbol >= EAST_ASIA { TWO } else { FIVE };
            self.ascii = 0;
        }
        self.at = start + len;
        self.last = (self.last << SYMBOL_BITS) ^ u64::from(symbol);
        self.plain = self.plain >> 8 | u64::from(byte) << 32;
        let key = if self.ascii == 5 { self.plain } else { self.last & mask };
        let is_word = !byte.is_ascii() || byte.is_ascii_alphanumeric();
        let mut pair = None;
        if is_word {
            self.word.start.get_or_insert(start);
            // Seven has no factor in common with 64: a letter comes back to its place after 64 of them.
            self.word.symbols = self.word.symbols.rotate_left(7) ^ u64::from(symbol);
            self.word.is_odd |= !byte.is_ascii();
        } else {
            pair = self.end_word(start);
        }
        if self.left() == 0 {
            pair = pair.or_else(|| self.end_word(self.at));
        }
        Some(Piece { bucket: top(key.wrapping_mul(SPREAD)), pair, is_ascii: byte.is_ascii() })
    }

    fn end_word(&mut self, end: usize) -> Option<u16> {
        let word = core::mem::take(&mut self.word);
        let start = word.start?;
        let key = if word.is_odd { word.symbols } else { key(self.bytes, start, end) };
        Some(self.pair(key))
    }

    #[inline(always)]
    const fn pair(&mut self, word: u64) -> u16 {
        let spread = word.wrapping_mul(SPREAD_WORD);
        let pair = spread ^ self.before.rotate_left(21) ^ spread >> 32;
        self.before = spread;
        top(pair.wrapping_mul(SPREAD_PAIR))
    }

    /// Hands over the buckets of the next characters, `most` or [`RUN`] of them at most, as far as these and those before
    /// them are ASCII: four at once, and behind them the pairs one by one. They are those that [`Self::step`] gives, at a
    /// fraction of the cost. Returns how many characters it read, none where they are too few to be worth it.
    #[inline(always)]
    pub fn run(&mut self, most: usize, mut take: impl FnMut(&[u16])) -> usize {
        if self.ascii < 4 || self.word.is_odd {
            return 0;
        }
        // With four bytes before the run, and behind it as many as are loaded with its last.
        let mut copy = [0; AROUND];
        let whole = self.at.checked_sub(4).and_then(|before| self.bytes.get(before..before + AROUND));
        let around = match whole.and_then(|whole| whole.first_chunk()) {
            Some(around) => around,
            None => {
                let [_, before @ .., _, _, _] = self.plain.to_le_bytes();
                let (front, back) = copy.split_at_mut(before.len());
                front.copy_from_slice(&before);
                let behind = self.bytes.get(self.at..).unwrap_or_default();
                let behind = behind.get(..back.len()).unwrap_or(behind);
                if let Some(back) = back.get_mut(..behind.len()) {
                    back.copy_from_slice(behind);
                }
                &copy
            }
        };
        let (_, run) = around.split_at(4);
        let Some(block) = run.first_chunk::<RUN>() else { return 0 };
        let plain = bits_of(block, |lanes| lanes).trailing_zeros() as usize;
        let count = plain.min(most).min(self.left());
        if count < SHORTEST {
            return 0;
        }
        let (fours, _) = around.as_chunks::<4>();
        let mut left = count;
        for [low, high] in fours.array_windows() {
            let eight = u64::from(u32::from_le_bytes(*high)) << 32 | u64::from(u32::from_le_bytes(*low));
            let five = |from: u32| top((eight >> (8 * from) & FIVE_BYTES).wrapping_mul(SPREAD));
            let buckets = [five(0), five(1), five(2), five(3)];
            let Some(behind) = left.checked_sub(4) else {
                take(buckets.get(..left).unwrap_or_default());
                break;
            };
            take(&buckets);
            left = behind;
        }
        let words =
            bits_of(block, |lanes| lanes.with(0x20).between(b'a', b'z').or(lanes.between(b'0', b'9')));
        self.run_words(words, count, around, &mut take);
        let last = around.get(count - 1..count + 4).unwrap_or_default();
        for byte in last {
            self.last = (self.last << SYMBOL_BITS) ^ u64::from(*byte);
            self.plain = self.plain >> 8 | u64::from(*byte) << 32;
        }
        self.ascii = 5;
        self.at += count;
        if self.left() == 0
            && let Some(pair) = self.end_word(self.at)
        {
            take(&[pair]);
        }
        count
    }

    /// The pairs of the words that end in a run of so many characters; `words` has a bit for each character of a word.
    #[inline(always)]
    fn run_words(&mut self, words: u64, count: usize, around: &[u8; AROUND], take: &mut impl FnMut(&[u16])) {
        let run = u64::MAX >> (RUN - count);
        let words = words & run;
        let shifted = words << 1 | u64::from(self.word.start.is_some());
        let (mut starts, mut ends) = (words & !shifted, !words & shifted & run);
        if ends != 0
            && let Some(start) = self.word.start.take()
        {
            let end = self.at + ends.trailing_zeros() as usize;
            ends &= ends - 1;
            let pair = self.pair(key(self.bytes, start, end));
            take(&[pair]);
        }
        while ends != 0 {
            let (start, end) = (starts.trailing_zeros() as usize, ends.trailing_zeros() as usize);
            starts &= starts.wrapping_sub(1);
            ends &= ends - 1;
            let pair = self.pair(key(around, start + 4, end + 4));
            take(&[pair]);
        }
        let mut start = self.word.start;
        if start.is_none() && starts != 0 {
            start = Some(self.at + starts.trailing_zeros() as usize);
        }
        // Should the last word go on in another script.
        let mut symbols = 0;
        if let Some(start) = start {
            if start < self.at {
                symbols = self.word.symbols;
            }
            for byte in self.bytes.get(start.max(self.at)..self.at + count).unwrap_or_default() {
                symbols = symbols.rotate_left(7) ^ u64::from(*byte);
            }
        }
        self.word = Word { start, symbols, is_odd: false };
    }
}

/// What tells a word of ASCII from others: its bytes, or for a long one its first and its last.
#[inline(always)]
fn key(bytes: &[u8], start: usize, end: usize) -> u64 {
    let len = end.wrapping_sub(start);
    if len < 8 {
        eight(bytes, start) & ((1 << (8 * len)) - 1)
    } else {
        eight(bytes, end - 8) ^ eight(bytes, start).rotate_left(29) ^ len as u64
    }
}

/// The eight bytes from a place on, the first lowest; zeros behind the end.
#[inline(always)]
fn eight(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first_chunk::<8>() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => rest.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)),
    }
}

/// A number for a character whose first byte is not ASCII, and how many bytes it takes.
/// What is no UTF-8 gives some number.
#[inline(never)]
fn continued(first: u8, rest: &[u8]) -> (u32, usize) {
    let mut c = u32::from(first) & (0x7f >> first.leading_ones().min(6));
    let mut len = 1;
    for byte in rest.iter().take_while(|byte| **byte & 0xc0 == 0x80) {
        c = c << 6 | u32::from(byte & 0x3f);
        len += 1;
    }
    // The scripts lie in blocks: what tells their letters apart is low, what tells the blocks apart higher.
    (c ^ (c >> 9), len)
}

const fn top(hash: u64) -> u16 {
    (hash >> (64 - BITS)) as u16
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

    fn seen(text: impl AsRef<[u8]>) -> Seen {
        let mut seen = Seen::default();
        let mut walk = Walk::new(text.as_ref());
        while let Some(piece) = walk.step() {
            seen.buckets.push(piece.bucket);
            seen.buckets.extend(piece.pair);
            seen.ends.push(text.as_ref().len() - walk.left());
        }
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
        assert_eq!(seen([0xff, 0x80, b'a', 0xe2, 0x82]).ends, [2, 3, 5]);
    }

    #[test]
    fn runs_give_what_single_steps_give() {
        let plain = "The quick brown fox, 17 of them; incomprehensibilities! a  b\n\nc-d. ";
        let mut runs = 0;
        for (before, odd, behind) in
            [(0, "", 9), (1, "", 3), (3, "é", 5), (2, "naïve", 4), (5, "中文", 5), (1, " été. Ça", 2)]
        {
            for cut in 0..70 {
                let text = [&plain.repeat(before), odd, &plain.repeat(behind)].concat();
                let text = &text.as_bytes()[..text.len() - cut];
                let mut together = Vec::new();
                let mut walk = Walk::new(text);
                let mut steps = 0;
                while walk.left() > 0 {
                    let most = 64 - steps % 50;
                    if steps % 3 != 0 || walk.run(most, |buckets| together.extend_from_slice(buckets)) == 0 {
                        let piece = walk.step().unwrap();
                        together.push(piece.bucket);
                        together.extend(piece.pair);
                    } else {
                        runs += 1;
                    }
                    steps += 1;
                }
                let mut single = seen(text).buckets;
                // The pairs of a run come behind its characters.
                together.sort_unstable();
                single.sort_unstable();
                assert_eq!(together, single, "{before} {odd} {behind} {cut}");
            }
        }
        assert!(runs > 500, "{runs}");
    }
}
