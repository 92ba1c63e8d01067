//! Where in a text something may begin: one pass over its bytes for everybody who looks for signs in it.
//!
//! Prose is letters, spaces and a few sorts of punctuation. Whatever else there is of ASCII is marked, a bit a byte, and
//! who looks for digits, brackets or escapes goes from mark to mark instead of reading the text again.

use alloc::vec::Vec;
use core::ops::Range;

use crate::lanes::{BLOCK, Lanes, WIDTH, bits_of};

/// The marks of a text. Reuse it: it keeps its room.
///
/// Marked are digits, `: ; < = > ? @`, `% & ' ( ) * +`, `[ \ ] { | }`, and control characters other than white space.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    blocks: Vec<Block>,
    /// Which of the marked bytes there are, a bit each.
    seen: u128,
    is_ascii: bool,
}

/// What is known of 64 bytes, a bit each.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    marked: u64,
    /// ASCII that is seen.
    dense: u64,
    /// Letters of ASCII, and all that is not ASCII.
    letters: u64,
    /// What is not taken over into the comparable text as it is: other than ASCII, control characters other than line
    /// feed, white space behind white space.
    odd: u64,
}

impl Marks {
    /// Takes up a text in place of what was there.
    pub fn set(&mut self, text: &[u8]) {
        self.blocks.clear();
        self.blocks.reserve(text.len().div_ceil(BLOCK));
        self.seen = 0;
        let (blocks, tail) = text.as_chunks::<BLOCK>();
        let mut all = Gathered { high: Lanes::load(&[0; WIDTH]), space: 0 };
        for block in blocks {
            self.add(block, &mut all);
        }
        if !tail.is_empty() {
            // Filled up with what is neither marked nor seen.
            let mut block = [b' '; BLOCK];
            for (into, byte) in block.iter_mut().zip(tail) {
                *into = *byte;
            }
            self.add(&block, &mut all);
        }
        self.is_ascii = all.high.bits() == 0;
    }

    #[inline(always)]
    fn add(&mut self, block: &[u8; BLOCK], all: &mut Gathered) {
        let (mut marked, mut spaces, mut strange, mut letters) = (0, 0, 0, 0);
        let (parts, _) = block.as_chunks::<WIDTH>();
        for (at, part) in (0..).step_by(WIDTH).zip(parts) {
            let lanes = Lanes::load(part);
            let signs = lanes.between(b'%', b'+').or(lanes.between(b'0', b'@'));
            // `[`, `\` and `]` differ from braces and the bar by this bit alone.
            marked |= signs.or(lanes.with(0x20).between(b'{', b'}')).bits() << at;
            spaces |= lanes.between(0, b' ').bits() << at;
            let control = lanes.between(0, 0x1f).but(lanes.equal(b'\n'));
            strange |= control.or(lanes.equal(0x7f)).or(lanes).bits() << at;
            letters |= lanes.with(0x20).between(b'a', b'z').or(lanes).bits() << at;
            all.high = all.high.or(lanes);
        }
        if strange != 0 {
            marked |= bits_of(block, |lanes| lanes.between(0, 0x1f).but(lanes.between(b'\t', b'\r')));
        }
        let odd = strange | spaces & (spaces << 1 | all.space);
        all.space = spaces >> (BLOCK - 1);
        self.blocks.push(Block { marked, dense: !(spaces | strange), letters, odd });
        while marked != 0 {
            let byte = block.get(marked.trailing_zeros() as usize).copied().unwrap_or_default();
            self.seen |= 1 << (byte & 0x7f);
            marked &= marked - 1;
        }
    }

    /// Whether the text holds nothing but ASCII.
    #[must_use]
    pub const fn is_ascii(&self) -> bool {
        self.is_ascii
    }

    /// Whether it holds any of these bytes, all of which have to be such that are marked.
    #[must_use]
    pub const fn has_any(&self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while let [byte, behind @ ..] = rest {
            if self.seen >> (*byte & 0x7f) & 1 != 0 {
                return true;
            }
            rest = behind;
        }
        false
    }

    /// The first marked byte from `from` on that is wanted, in the text that these are the marks of.
    #[inline(always)]
    pub fn next(&self, text: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
        let mut number = from / BLOCK;
        let mut left = self.blocks.get(number)?.marked & (u64::MAX << (from % BLOCK));
        loop {
            while left != 0 {
                let at = number * BLOCK + left.trailing_zeros() as usize;
                if text.get(at).is_some_and(|byte| wanted(*byte)) {
                    return Some(at);
                }
                left &= left - 1;
            }
            number += 1;
            left = self.blocks.get(number)?.marked;
        }
    }

    /// Each marked byte that is wanted, in order.
    pub fn iter<'a>(
        &'a self,
        text: &'a [u8],
        wanted: impl Fn(u8) -> bool + 'a,
    ) -> impl Iterator<Item = usize> + 'a {
        let mut from = 0;
        core::iter::from_fn(move || {
            let at = self.next(text, from, &wanted)?;
            from = at + 1;
            Some(at)
        })
    }

    /// The first byte from `from` on that is odd; the text's length if there is none.
    pub(crate) fn next_odd(&self, from: usize, length: usize) -> usize {
        let first = u64::MAX << (from % BLOCK);
        let mut masks = core::iter::once(first).chain(core::iter::repeat(u64::MAX));
        let blocks = self.blocks.get(from / BLOCK..).unwrap_or_default();
        let odd = |block: &Block| block.odd & masks.next().unwrap_or_default();
        let found = blocks.iter().map(odd).enumerate().find(|(_, odd)| *odd != 0);
        found.map_or(length, |(number, odd)| {
            ((from / BLOCK + number) * BLOCK + odd.trailing_zeros() as usize).min(length)
        })
    }

    /// Which of the 64 bytes from `from` on are letters of ASCII or not ASCII, a bit each, the first lowest.
    #[inline(always)]
    pub(crate) fn letters_from(&self, from: usize) -> u64 {
        let letters = |number: usize| self.blocks.get(number).map_or(0, |block| block.letters);
        let (number, place) = (from / BLOCK, from % BLOCK);
        // In two steps, for shifting by the width of the word is none.
        letters(number) >> place | letters(number + 1) << 1 << (BLOCK - 1 - place)
    }

    /// The first byte from `from` on that is ASCII and no letter.
    #[inline(always)]
    pub(crate) fn letters_end(&self, from: usize) -> usize {
        let mut end = from;
        loop {
            let letters = self.letters_from(end).trailing_ones() as usize;
            end += letters;
            if letters < BLOCK {
                return end;
            }
        }
    }

    /// The next run of at least sixteen bytes of ASCII without white space, all of them at `from` or behind.
    pub(crate) fn next_dense(&self, from: usize, length: usize) -> Option<Range<usize>> {
        let mut number = from / BLOCK;
        let mut dense = self.blocks.get(number)?.dense & (u64::MAX << (from % BLOCK));
        // How many dense bytes stand right before the block.
        let mut before = 0;
        loop {
            let lead = dense.trailing_ones() as usize;
            if before + lead >= Self::DENSE {
                return Some(self.dense_from(number * BLOCK - before, number, lead, length));
            }
            let pairs = dense & dense >> 1;
            let fours = pairs & pairs >> 2;
            let eights = fours & fours >> 4;
            let runs = eights & eights >> 8;
            if runs != 0 {
                let at = runs.trailing_zeros() as usize;
                let run = (dense >> at).trailing_ones() as usize;
                return Some(self.dense_from(number * BLOCK + at, number, at + run, length));
            }
            before = if lead == BLOCK { before + BLOCK } else { dense.leading_ones() as usize };
            number += 1;
            dense = self.blocks.get(number)?.dense;
        }
    }

    /// Bytes without which a dense run is none.
    const DENSE: usize = 16;

    /// The run from `start` on, known to reach to the place `end` of a block.
    fn dense_from(&self, start: usize, number: usize, end: usize, length: usize) -> Range<usize> {
        let (mut number, mut end) = (number, end);
        while end == BLOCK {
            number += 1;
            end = self.blocks.get(number).map_or(0, |block| block.dense.trailing_ones() as usize);
        }
        start..(number * BLOCK + end).min(length)
    }
}

/// What the blocks have told so far.
struct Gathered {
    /// Bytes that are not ASCII have left their highest bit here.
    high: Lanes,
    /// Whether the last byte was white space or control: 0 or 1.
    space: u64,
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec, vec::Vec};

    use super::*;

    fn of(text: &[u8]) -> Marks {
        let mut marks = Marks::default();
        marks.set(text);
        marks
    }

    /// Texts of every length up to a few blocks, of bytes that repeat at no block's distance.
    fn texts() -> Vec<Vec<u8>> {
        let sorts: [&[u8]; 4] = [
            b"plain words, and more of them. ",
            b"a1(b)[c]{d} <e>\n\n  50% \x1b\x00\x7f\tf=\"g\\n\" 'h' 9+8*7@i;j:k&l|m?",
            "naïve 中文  ё\u{a0}😀 ".as_bytes(),
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef0123456789+/-_ abcdefghijklmno pqrstuvwxyzabcdef!",
        ];
        let mut all = Vec::new();
        for (number, sort) in sorts.iter().enumerate() {
            for length in (0..220).step_by(3).chain(60..70) {
                all.push(sort.iter().cycle().skip(number * 7).take(length).copied().collect());
            }
        }
        all
    }

    const fn is_marked(byte: u8) -> bool {
        matches!(byte, b'%'..=b'+' | b'0'..=b'@' | b'['..=b']' | b'{'..=b'}' | 0..=8 | 0x0e..=0x1f)
    }

    #[test]
    fn every_sign_is_found_from_everywhere() {
        let mut signs = 0;
        for text in texts() {
            let marks = of(&text);
            for from in 0..text.len() + 2 {
                let expected = (from..text.len()).find(|at| is_marked(text[*at]));
                assert_eq!(marks.next(&text, from, |_| true), expected);
                let digit = (from..text.len()).find(|at| text[*at].is_ascii_digit());
                assert_eq!(marks.next(&text, from, |byte| byte.is_ascii_digit()), digit);
            }
            let all: Vec<usize> = (0..text.len()).filter(|at| is_marked(text[*at])).collect();
            signs += all.len();
            assert_eq!(marks.iter(&text, |_| true).collect::<Vec<_>>(), all);
            for byte in (0..0x80).filter(|byte| is_marked(*byte)) {
                assert_eq!(marks.has_any(&[byte]), text.contains(&byte), "{byte}");
            }
            assert_eq!(marks.is_ascii(), text.is_ascii());
        }
        assert!(signs > 1000, "{signs}");
    }

    #[test]
    fn letters_are_told_from_everywhere() {
        for text in texts() {
            let marks = of(&text);
            let letter =
                |at: usize| text.get(at).is_some_and(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
            for from in (0..=text.len()).step_by(5) {
                let expected = (0..64).fold(0, |bits, at| bits | u64::from(letter(from + at)) << at);
                assert_eq!(marks.letters_from(from), expected, "from {from}");
                assert_eq!(Some(marks.letters_end(from)), (from..).find(|at| !letter(*at)));
            }
        }
        let long = [b'x'; 200];
        assert_eq!(of(&long).letters_end(3), 200);
    }

    #[test]
    fn odd_bytes_are_found_from_everywhere() {
        for text in texts() {
            let odd = |at: usize| {
                let space = |at: usize| text[at] <= b' ';
                let double = at > 0 && space(at) && space(at - 1);
                let control = text[at] < b' ' && text[at] != b'\n';
                double || control || text[at] >= 0x7f
            };
            for from in 0..=text.len() {
                let expected = (from..text.len()).find(|at| odd(*at)).unwrap_or(text.len());
                assert_eq!(of(&text).next_odd(from, text.len()), expected);
            }
        }
    }

    #[test]
    fn dense_runs_are_found_from_everywhere() {
        let mut found = 0;
        let mut all = texts();
        // Runs of each length at each place, over the ends of blocks.
        for start in (0..70).step_by(3) {
            for length in [0, 1, 15, 16, 17, 63, 64, 65, 130] {
                let text = [" ".repeat(start), "x".repeat(length), " ".repeat(3), "y".repeat(16)].concat();
                all.push(text.into_bytes());
            }
        }
        for text in all {
            let marks = of(&text);
            // From the end on: where the run that goes on here began, and the next run that is long enough.
            let (mut end, mut expected) = (text.len(), None);
            for from in (0..text.len()).rev() {
                if !text[from].is_ascii_graphic() {
                    end = from;
                } else if end - from >= 16 {
                    expected = Some(from..end);
                }
                assert_eq!(marks.next_dense(from, text.len()), expected, "from {from}");
                found += usize::from(expected.is_some());
            }
        }
        assert!(found > 10_000, "{found}");
    }

    #[test]
    fn a_text_leaves_nothing_to_the_next() {
        let mut marks = of("Ü(9)".as_bytes());
        marks.set(b"plain");
        assert!(marks.is_ascii() && !marks.has_any(b"(9)"));
        assert_eq!(marks.next(b"plain", 0, |_| true), None);
        let empty: [String; 0] = [];
        marks.set(empty.concat().as_bytes());
        assert_eq!((marks.next(b"", 0, |_| true), marks.next_dense(0, 0), vec![0; 0].len()), (None, None, 0));
    }
}
