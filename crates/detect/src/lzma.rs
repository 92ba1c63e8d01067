//! Reads LZMA (I. Pavlov, LZMA specification, 2015): the rules lie in a filter in three quarters of what Huffman codes
//! make of them. Of the format's parameters those that `build.rs` writes are fixed: [`LITERAL_BITS`] of the byte before
//! a literal tell its codes, the position tells none.

use alloc::{vec, vec::Vec};

/// Bits of the byte before a literal that choose its codes (`lc`; `lp` and `pb` are 0).
pub(crate) const LITERAL_BITS: u32 = 2;

/// States: what came last, as far as it matters.
const STATES: usize = 12;
/// From this state on a match came last.
const AFTER_MATCH: usize = 7;

// Where the likelihoods of each decision begin in one table.
const IS_MATCH: usize = 0;
const IS_REP: usize = IS_MATCH + STATES;
const IS_REP_0: usize = IS_REP + STATES;
const IS_REP_1: usize = IS_REP_0 + STATES;
const IS_REP_2: usize = IS_REP_1 + STATES;
const IS_LONG: usize = IS_REP_2 + STATES;
const SLOTS: usize = IS_LONG + STATES;
const SPECIAL: usize = SLOTS + 4 * 64;
const ALIGN: usize = SPECIAL + 128;
const LENGTHS: usize = ALIGN + 16;
/// Two choices, short, middle and long lengths.
const OF_LENGTHS: usize = 2 + 8 + 8 + 256;
const REP_LENGTHS: usize = LENGTHS + OF_LENGTHS;
const LITERALS: usize = REP_LENGTHS + OF_LENGTHS;
const ALL: usize = LITERALS + (0x300 << LITERAL_BITS);

/// Reads `count` bytes. `None` if these are too few bytes for that, or nothing of the kind.
pub(crate) fn expand(packed: &[u8], count: usize) -> Option<Vec<u8>> {
    let (first, rest) = packed.split_first()?;
    let (code, rest) = rest.split_first_chunk::<4>()?;
    if *first != 0 {
        return None;
    }
    let coder = Coder { range: u32::MAX, code: u32::from_be_bytes(*code), rest, is_over: false };
    let mut reader = Reader {
        coder,
        likely: vec![1 << 10; ALL],
        out: Vec::with_capacity(count.min(1 << 20)),
        state: 0,
        distances: [0; 4],
    };
    while reader.out.len() < count {
        reader.step()?;
    }
    (!reader.coder.is_over && reader.out.len() == count).then_some(reader.out)
}

/// The range coder.
struct Coder<'a> {
    range: u32,
    code: u32,
    rest: &'a [u8],
    /// Whether bytes were asked for that are not there.
    is_over: bool,
}

// What a decision calls is a part of it also where code is made small: there are two million when an engine is made.
impl Coder<'_> {
    #[inline(always)]
    fn normalise(&mut self) {
        if self.range < 1 << 24 {
            let next = self.rest.split_first();
            self.is_over |= next.is_none();
            let (byte, rest) = next.map_or((0, self.rest), |(byte, rest)| (*byte, rest));
            self.rest = rest;
            self.range <<= 8;
            self.code = self.code << 8 | u32::from(byte);
        }
    }

    #[inline(always)]
    fn bit(&mut self, likely: &mut u16) -> usize {
        self.normalise();
        let bound = (self.range >> 11) * u32::from(*likely);
        if self.code < bound {
            self.range = bound;
            *likely += (2048 - *likely) >> 5;
            0
        } else {
            self.range -= bound;
            self.code -= bound;
            *likely -= *likely >> 5;
            1
        }
    }

    /// A bit that is as likely 0 as 1.
    fn even(&mut self) -> u32 {
        self.normalise();
        self.range >>= 1;
        let bit = u32::from(self.code >= self.range);
        self.code -= self.range * bit;
        bit
    }
}

struct Reader<'a> {
    coder: Coder<'a>,
    /// How likely a 0 is, in 2048ths, for each decision.
    likely: Vec<u16>,
    out: Vec<u8>,
    state: usize,
    /// The last four distances, less one.
    distances: [u32; 4],
}

impl Reader<'_> {
    #[inline(always)]
    fn bit(&mut self, at: usize) -> Option<usize> {
        Some(self.coder.bit(self.likely.get_mut(at)?))
    }

    /// A number of so many bits, the highest first.
    fn tree(&mut self, at: usize, bits: u32) -> Option<usize> {
        let mut number = 1;
        for _ in 0..bits {
            number = number << 1 | self.bit(at + number)?;
        }
        Some(number - (1 << bits))
    }

    /// A number of so many bits, the lowest first.
    fn turned(&mut self, at: usize, bits: u32) -> Option<u32> {
        let (mut node, mut number) = (1, 0);
        for shift in 0..bits {
            let bit = self.bit(at + node)?;
            node = node << 1 | bit;
            number |= u32::from(bit == 1) << shift;
        }
        Some(number)
    }

    /// The byte that stands so far back, less one.
    fn back(&self, distance: u32) -> Option<u8> {
        let back = usize::try_from(distance).ok()?.checked_add(1)?;
        self.out.get(self.out.len().checked_sub(back)?).copied()
    }

    /// A literal or a match. Called each time, for V8 makes a function faster only from its next call on.
    #[inline(never)]
    fn step(&mut self) -> Option<()> {
        if self.bit(IS_MATCH + self.state)? == 0 {
            return self.literal();
        }
        let was_match = self.state >= AFTER_MATCH;
        let length = if self.bit(IS_REP + self.state)? == 0 {
            let [first, second, third, _] = self.distances;
            let length = self.length(LENGTHS)?;
            self.distances = [self.distance(length)?, first, second, third];
            self.state = if was_match { 10 } else { 7 };
            length
        } else {
            if self.bit(IS_REP_0 + self.state)? == 0 {
                if self.bit(IS_LONG + self.state)? == 0 {
                    self.state = if was_match { 11 } else { 9 };
                    let [last, ..] = self.distances;
                    let byte = self.back(last)?;
                    self.out.push(byte);
                    return Some(());
                }
            } else {
                self.again()?;
            }
            self.state = if was_match { 11 } else { 8 };
            self.length(REP_LENGTHS)?
        };
        let [distance, ..] = self.distances;
        for _ in 0..length + 2 {
            let byte = self.back(distance)?;
            self.out.push(byte);
        }
        Some(())
    }

    /// Puts one of the older distances first.
    fn again(&mut self) -> Option<()> {
        let place =
            if self.bit(IS_REP_1 + self.state)? == 0 { 1 } else { 2 + self.bit(IS_REP_2 + self.state)? };
        self.distances.get_mut(..=place)?.rotate_right(1);
        Some(())
    }

    fn literal(&mut self) -> Option<()> {
        let last = self.out.last().copied().unwrap_or(0);
        let at = LITERALS + 0x300 * usize::from(last >> (8 - LITERAL_BITS));
        let mut byte = 1;
        if self.state >= AFTER_MATCH {
            // As long as it is the byte that would have followed, which it is known not to be.
            let [distance, ..] = self.distances;
            let other = usize::from(self.back(distance)?);
            for shift in (0..8).rev() {
                let expected = other >> shift & 1;
                let bit = self.bit(at + ((1 + expected) << 8) + byte)?;
                byte = byte << 1 | bit;
                if bit != expected {
                    break;
                }
            }
        }
        while byte < 0x100 {
            byte = byte << 1 | self.bit(at + byte)?;
        }
        self.out.push(u8::try_from(byte & 0xff).ok()?);
        self.state = match self.state {
            0..4 => 0,
            state @ 4..10 => state - 3,
            state => state - 6,
        };
        Some(())
    }

    /// The length of a match, less two.
    fn length(&mut self, at: usize) -> Option<usize> {
        if self.bit(at)? == 0 {
            self.tree(at + 2, 3)
        } else if self.bit(at + 1)? == 0 {
            Some(8 + self.tree(at + 10, 3)?)
        } else {
            Some(16 + self.tree(at + 18, 8)?)
        }
    }

    /// The distance of a match, less one.
    fn distance(&mut self, length: usize) -> Option<u32> {
        let slot = self.tree(SLOTS + 64 * length.min(3), 6)?;
        let high = u32::try_from(slot).ok()?;
        if high < 4 {
            return Some(high);
        }
        let bits = (high >> 1) - 1;
        let base = (2 | high & 1) << bits;
        if high < 14 {
            let at = SPECIAL + usize::try_from(base).ok()? - slot;
            return Some(base + self.turned(at, bits)?);
        }
        let middle = (0..bits - 4).fold(0, |number, _| number << 1 | self.coder.even());
        base.checked_add(middle << 4)?.checked_add(self.turned(ALIGN, 4)?)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::format;
    use std::io::Write as _;

    use lzma_rust2::{LzmaOptions, LzmaWriter};

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let options = LzmaOptions { lc: LITERAL_BITS, lp: 0, pb: 0, ..LzmaOptions::with_preset(9) };
        let mut writer = LzmaWriter::new_no_header(Vec::new(), &options, false).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn what_another_program_packed_comes_out_again() {
        let text: Vec<u8> =
            (0..4000).flat_map(|n| format!("rule {} says {};", n % 97, n * n % 31).into_bytes()).collect();
        let mut both = noise(70_000);
        both.extend_from_within(100..9000);
        both.extend_from_slice(&text);
        both.extend_from_within(65_000..70_000);
        let all: [&[u8]; 8] =
            [b"", b"a", b"abababababab", &[0; 1000], &text, &noise(5000), &both, &[255; 300]];
        for bytes in all {
            let packed = packed(bytes);
            assert_eq!(expand(&packed, bytes.len()).as_deref(), Some(bytes));
            if bytes.len() > 100 {
                assert!(expand(&packed[..packed.len() / 2], bytes.len()).is_none());
            }
        }
    }

    #[test]
    fn bytes_of_any_kind_are_read_without_harm() {
        let noise = noise(3000);
        let read = noise.chunks(50).filter_map(|bytes| expand(&[&[0], bytes].concat(), 10_000)).count();
        assert_eq!(read, 0, "none is long enough for that much");
        assert!(expand(&[1, 0, 0, 0, 0, 0], 1).is_none());
        assert!(expand(&[0, 0, 0, 0], 0).is_none());
    }
}
