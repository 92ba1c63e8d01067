//! Prefix codes, and the numbers that they stand for (RFC 7932, sections 3 to 7).

use alloc::{vec, vec::Vec};

use super::bits::{Bits, Fault};

/// Bits behind the symbol of a block's length; of an insert length; of a copy length. Each range begins where the one
/// before it ends.
pub(super) static COUNT_BITS: [u8; 26] =
    [2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 7, 8, 9, 10, 11, 12, 13, 24];
pub(super) static INSERT_BITS: [u8; 24] =
    [0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 10, 12, 14, 24];
pub(super) static COPY_BITS: [u8; 24] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 10, 24];

/// The insert and copy symbols' first ones (in eights) of each 64 commands.
static COMMANDS: [(usize, usize); 11] =
    [(0, 0), (0, 1), (0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (2, 2)];

/// Longest code in bits.
const LONGEST: u32 = 15;
/// Codes of up to so many bits are looked up at once.
const SHORT: u32 = 8;
/// In which order the lengths of the codes for lengths come.
const ORDER: [usize; 18] = [1, 2, 3, 4, 0, 5, 17, 6, 16, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// The length that a symbol stands for, with the bits behind it, where the first symbol's begins at `first`.
pub(super) fn length(bits: &mut Bits<'_>, ranges: &[u8], first: u32, symbol: usize) -> Result<u32, Fault> {
    let (before, range) = ranges
        .split_at_checked(symbol)
        .and_then(|(before, rest)| Some((before, *rest.first()?)))
        .ok_or(Fault::Broken)?;
    let base = before.iter().fold(first, |base, range| base + (1 << range));
    Ok(base + bits.take(range.into())?)
}

/// The insert symbol and the copy symbol of a command, and whether it copies from the last distance.
pub(super) fn command(symbol: usize) -> (usize, usize, bool) {
    let (insert, copy) = COMMANDS.get(symbol >> 6).copied().unwrap_or_default();
    (insert << 3 | symbol >> 3 & 7, copy << 3 | symbol & 7, symbol < 128)
}

/// A prefix code: which symbol the next bits are.
#[derive(Default)]
pub(super) struct Code {
    /// By the next bits: the symbol << 4 | the length of its code; 0 for longer ones.
    short: Vec<u16>,
    /// How many codes there are of each length.
    counts: [u16; LONGEST as usize + 1],
    /// The symbols in the order of their codes.
    symbols: Vec<u16>,
}

impl Code {
    /// Reads the code of an alphabet of so many symbols.
    pub(super) fn read(bits: &mut Bits<'_>, alphabet: usize) -> Result<Self, Fault> {
        match bits.take(2)? {
            1 => Self::simple(bits, alphabet),
            skipped => Self::complex(bits, alphabet, skipped as usize),
        }
    }

    /// Up to four symbols (section 3.4).
    fn simple(bits: &mut Bits<'_>, alphabet: usize) -> Result<Self, Fault> {
        let count = bits.take(2)? as usize + 1;
        let width = alphabet.saturating_sub(1).checked_ilog2().map_or(0, |bits| bits + 1);
        let mut symbols = [0; 4];
        for symbol in symbols.iter_mut().take(count) {
            *symbol = bits.take(width)? as usize;
        }
        let of: [u8; 4] = match count {
            1 => {
                return Ok(Self::of_one(
                    symbols.first().copied().filter(|it| *it < alphabet).ok_or(Fault::Broken)?,
                ));
            }
            2 => [1, 1, 0, 0],
            3 => [1, 2, 2, 0],
            _ if bits.take(1)? == 0 => [2; 4],
            _ => [1, 2, 3, 3],
        };
        let mut lengths = vec![0u8; alphabet];
        for (symbol, length) in symbols.iter().zip(of).take(count) {
            let place = lengths.get_mut(*symbol).filter(|place| **place == 0).ok_or(Fault::Broken)?;
            *place = length;
        }
        Self::of(&lengths)
    }

    /// Any lengths (section 3.5).
    fn complex(bits: &mut Bits<'_>, alphabet: usize, skipped: usize) -> Result<Self, Fault> {
        let mut lengths = [0u8; 18];
        let (mut space, mut count, mut only) = (32i32, 0, 0);
        for symbol in ORDER.into_iter().skip(skipped) {
            let length = length_of_lengths(bits)?;
            if let Some(place) = lengths.get_mut(symbol).filter(|_| length > 0) {
                *place = length;
                space -= 32 >> length;
                (count, only) = (count + 1, symbol);
            }
            if space <= 0 {
                break;
            }
        }
        let code = match (count, space) {
            (1, _) => Self::of_one(only),
            (_, 0) => Self::of(&lengths)?,
            _ => return Err(Fault::Broken),
        };
        Self::of(&code.lengths(bits, alphabet)?)
    }

    /// The lengths of an alphabet's codes, written in this code.
    fn lengths(&self, bits: &mut Bits<'_>, alphabet: usize) -> Result<Vec<u8>, Fault> {
        let mut lengths: Vec<u8> = Vec::with_capacity(alphabet);
        let (mut space, mut last) = (1i64 << LONGEST, 8);
        let (mut repeats, mut repeated) = (0usize, 0);
        while lengths.len() < alphabet && space > 0 {
            let symbol = u8::try_from(self.symbol(bits)?).map_err(|_| Fault::Broken)?;
            let (length, times) = match symbol {
                0..16 => {
                    repeats = 0;
                    if symbol > 0 {
                        last = symbol;
                    }
                    (symbol, 1)
                }
                _ => {
                    let extra = u32::from(symbol) - 14;
                    let length = if symbol == 16 { last } else { 0 };
                    if length != repeated {
                        (repeats, repeated) = (0, length);
                    }
                    let before = repeats;
                    // Each in a row multiplies the one before it.
                    repeats = (repeats.saturating_sub(2) << extra) + bits.take(extra)? as usize + 3;
                    (length, repeats - before)
                }
            };
            if times > alphabet - lengths.len() {
                return Err(Fault::Broken);
            }
            lengths.resize(lengths.len() + times, length);
            if length > 0 {
                space -= i64::try_from(times).unwrap_or(i64::MAX) << (LONGEST - u32::from(length));
            }
        }
        if space != 0 {
            return Err(Fault::Broken);
        }
        lengths.resize(alphabet, 0);
        Ok(lengths)
    }

    /// One symbol, which takes no bits.
    fn of_one(symbol: usize) -> Self {
        let symbol = u16::try_from(symbol).unwrap_or(0);
        Self { short: Vec::new(), counts: [0; LONGEST as usize + 1], symbols: vec![symbol] }
    }

    /// The canonical code of these lengths, which fill it.
    fn of(lengths: &[u8]) -> Result<Self, Fault> {
        let mut counts = [0u16; LONGEST as usize + 1];
        let mut symbols = Vec::new();
        let longest = lengths.iter().max().copied().unwrap_or(0);
        for length in 1..=longest {
            for (symbol, _) in (0u16..).zip(lengths).filter(|(_, of)| **of == length) {
                symbols.push(symbol);
                *counts.get_mut(usize::from(length)).ok_or(Fault::Broken)? += 1;
            }
        }
        let bits = u32::from(longest).min(SHORT);
        let mut code = Self { short: Vec::new(), counts, symbols };
        let short = |at: u32| code.slow(at, bits).map_or(0, |(symbol, length)| symbol << 4 | length);
        code.short = (0..1u32 << bits).map(short).collect();
        Ok(code)
    }

    /// The symbol of these bits and its code's length, if that is at most `most`.
    fn slow(&self, mut bits: u32, most: u32) -> Option<(u16, u16)> {
        let (mut code, mut first, mut index) = (0usize, 0usize, 0usize);
        for (length, count) in (1u16..).zip(self.counts.iter().skip(1)).take(most as usize) {
            code = code << 1 | (bits & 1) as usize;
            bits >>= 1;
            let count = usize::from(*count);
            if let Some(place) = code.checked_sub(first).filter(|place| *place < count) {
                return Some((*self.symbols.get(index + place)?, length));
            }
            index += count;
            first = (first + count) << 1;
        }
        None
    }

    /// The next symbol.
    pub(super) fn symbol(&self, bits: &mut Bits<'_>) -> Result<usize, Fault> {
        if self.short.is_empty() {
            return self.symbols.first().map(|symbol| usize::from(*symbol)).ok_or(Fault::Broken);
        }
        let next = bits.peek();
        let short = self.short.get(next as usize & (self.short.len() - 1)).copied().unwrap_or(0);
        let (symbol, length) = match short {
            0 => self.slow(next, LONGEST).ok_or(Fault::Broken)?,
            short => (short >> 4, short & 15),
        };
        bits.pass(length.into())?;
        Ok(symbol.into())
    }
}

/// How long the code for a length is: 0 to 5, by a fixed code.
fn length_of_lengths(bits: &mut Bits<'_>) -> Result<u8, Fault> {
    let (length, took) = match bits.peek() & 15 {
        0b0000 | 0b0100 | 0b1000 | 0b1100 => (0, 2),
        0b0001 | 0b0101 | 0b1001 | 0b1101 => (4, 2),
        0b0010 | 0b0110 | 0b1010 | 0b1110 => (3, 2),
        0b0011 | 0b1011 => (2, 3),
        0b0111 => (1, 4),
        _ => (5, 4),
    };
    bits.pass(took)?;
    Ok(length)
}

/// How many codes there are, and which of them each context has (section 7.3).
pub(super) fn map(bits: &mut Bits<'_>, contexts: usize) -> Result<(usize, Vec<u8>), Fault> {
    let codes = bits.amount()?;
    let mut map = Vec::with_capacity(contexts);
    if codes < 2 {
        map.resize(contexts, 0);
        return Ok((codes, map));
    }
    let longest_run = if bits.take(1)? == 1 { bits.take(4)? as usize + 1 } else { 0 };
    let code = Code::read(bits, codes + longest_run)?;
    while map.len() < contexts {
        match code.symbol(bits)? {
            0 => map.push(0),
            run if run <= longest_run => {
                let run = u32::try_from(run).map_err(|_| Fault::Broken)?;
                let zeros = (1 << run) + bits.take(run)? as usize;
                if zeros > contexts - map.len() {
                    return Err(Fault::Broken);
                }
                map.resize(map.len() + zeros, 0);
            }
            number => map.push(u8::try_from(number - longest_run).map_err(|_| Fault::Broken)?),
        }
    }
    if bits.take(1)? == 1 {
        // Each was written as its place among those that came last (move to front).
        let mut recent: Vec<u8> = (0..=255).collect();
        for place in &mut map {
            let number = usize::from(*place);
            *place = recent.get(number).copied().unwrap_or(0);
            recent.get_mut(..=number).ok_or(Fault::Broken)?.rotate_right(1);
        }
    }
    Ok((codes, map))
}
