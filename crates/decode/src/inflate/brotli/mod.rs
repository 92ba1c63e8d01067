//! Brotli (RFC 7932). The decoder is our own: the crate at hand needs 200 KB of a filter, 122 of them for the dictionary as
//! it is; this one 70.

mod bits;
mod codes;
mod context;
mod words;

use alloc::vec::Vec;

use self::{
    bits::{Bits, Fault},
    codes::{COPY_BITS, COUNT_BITS, Code, INSERT_BITS},
    context::context,
    words::Words,
};
use super::{all_read, broken, grown, too_large};
use crate::{Problem, ProblemKind};

/// The largest window, as a power of two: what encoders use unless told otherwise. A larger one costs up to 16 MiB, which
/// a filter's VM never gives back.
const MAX_WINDOW_BITS: u32 = 22;
/// So many bytes of a window are not used.
const WINDOW_GAP: usize = 16;
/// How long a block is where there is one type of it.
const WHOLE: u32 = 1 << 24;
/// Kinds of literals' contexts, and of distances'.
const LITERAL_CONTEXTS: usize = 64;
const DISTANCE_CONTEXTS: usize = 4;

/// Undoes Brotli.
pub(super) fn brotli(bytes: &[u8], cap: usize) -> Result<Vec<u8>, Problem> {
    let mut bits = Bits::new(bytes);
    let mut reader = Reader {
        out: Vec::with_capacity(grown(0, bytes.len(), cap)),
        cap,
        window: 0,
        last: [4, 11, 15, 16],
        words: None,
    };
    match reader.stream(&mut bits) {
        Ok(()) => {
            all_read(bytes, bits.at())?;
            Ok(reader.out)
        }
        Err(Fault::TooLarge) => Err(too_large(bits.at())),
        Err(Fault::Window) => {
            Err(Problem::new(ProblemKind::UnsupportedType, 0, "a window larger than allowed"))
        }
        Err(Fault::Broken) if bits.is_over() => Err(broken(bytes.len(), "the compressed body is cut short")),
        Err(Fault::Broken) => Err(broken(bits.at(), "the compressed body is broken")),
    }
}

struct Reader {
    out: Vec<u8>,
    cap: usize,
    /// How far back a distance may reach.
    window: usize,
    /// The last four distances, the latest first.
    last: [usize; 4],
    /// The dictionary, once it was asked for.
    words: Option<Words>,
}

/// The blocks of one kind: literals, commands or distances.
struct Blocks {
    types: usize,
    code: Code,
    counts: Code,
    /// The type of the current block, and of the one before.
    current: usize,
    before: usize,
    /// What is left of the current block.
    left: u32,
}

impl Blocks {
    fn read(bits: &mut Bits<'_>) -> Result<Self, Fault> {
        let types = bits.amount()?;
        let mut blocks = Self {
            types,
            code: Code::default(),
            counts: Code::default(),
            current: 0,
            before: 1,
            left: WHOLE,
        };
        if types > 1 {
            blocks.code = Code::read(bits, types + 2)?;
            blocks.counts = Code::read(bits, COUNT_BITS.len())?;
            blocks.left = blocks.count(bits)?;
        }
        Ok(blocks)
    }

    fn count(&self, bits: &mut Bits<'_>) -> Result<u32, Fault> {
        let symbol = self.counts.symbol(bits)?;
        codes::length(bits, &COUNT_BITS, 1, symbol)
    }

    /// The type of the next element.
    fn next(&mut self, bits: &mut Bits<'_>) -> Result<usize, Fault> {
        if self.left == 0 {
            if self.types < 2 {
                return Err(Fault::Broken);
            }
            let next = match self.code.symbol(bits)? {
                0 => self.before,
                1 => (self.current + 1) % self.types,
                number => number - 2,
            };
            (self.before, self.current) = (self.current, next);
            self.left = self.count(bits)?;
        }
        self.left = self.left.checked_sub(1).ok_or(Fault::Broken)?;
        Ok(self.current)
    }
}

/// What a meta-block says before its commands.
struct Header {
    literals: Blocks,
    commands: Blocks,
    distances: Blocks,
    postfix: u32,
    direct: usize,
    modes: Vec<u32>,
    literal_map: Vec<u8>,
    distance_map: Vec<u8>,
    literal_codes: Vec<Code>,
    command_codes: Vec<Code>,
    distance_codes: Vec<Code>,
}

impl Header {
    fn read(bits: &mut Bits<'_>) -> Result<Self, Fault> {
        let literals = Blocks::read(bits)?;
        let commands = Blocks::read(bits)?;
        let distances = Blocks::read(bits)?;
        let postfix = bits.take(2)?;
        let direct = (bits.take(4)? << postfix) as usize;
        let modes = (0..literals.types).map(|_| bits.take(2)).collect::<Result<_, _>>()?;
        let (literal_trees, literal_map) = codes::map(bits, literals.types * LITERAL_CONTEXTS)?;
        let (distance_trees, distance_map) = codes::map(bits, distances.types * DISTANCE_CONTEXTS)?;
        let mut all =
            |count, alphabet| (0..count).map(|_| Code::read(bits, alphabet)).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            literal_codes: all(literal_trees, 256)?,
            command_codes: all(commands.types, 704)?,
            distance_codes: all(distance_trees, 16 + direct + (48 << postfix))?,
            literals,
            commands,
            distances,
            postfix,
            direct,
            modes,
            literal_map,
            distance_map,
        })
    }
}

/// The code that a map names for a context.
fn code<'a>(codes: &'a [Code], map: &[u8], at: usize) -> Result<&'a Code, Fault> {
    map.get(at).and_then(|code| codes.get(usize::from(*code))).ok_or(Fault::Broken)
}

impl Reader {
    fn stream(&mut self, bits: &mut Bits<'_>) -> Result<(), Fault> {
        let window_bits = match bits.take(1)? {
            0 => 16,
            _ => match bits.take(3)? {
                0 => match bits.take(3)? {
                    0 => 17,
                    1 => return Err(Fault::Window),
                    small => 8 + small,
                },
                large => 17 + large,
            },
        };
        if window_bits > MAX_WINDOW_BITS {
            return Err(Fault::Window);
        }
        self.window = (1 << window_bits) - WINDOW_GAP;
        loop {
            let is_last = bits.take(1)? == 1;
            if is_last && bits.take(1)? == 1 {
                break;
            }
            match bits.take(2)? {
                3 => skip(bits)?,
                nibbles => self.block(bits, 4 + nibbles, is_last)?,
            }
            if is_last {
                break;
            }
        }
        bits.align()
    }

    /// A meta-block whose length has so many nibbles.
    fn block(&mut self, bits: &mut Bits<'_>, nibbles: u32, is_last: bool) -> Result<(), Fault> {
        let length = bits.take(4 * nibbles)?;
        if nibbles > 4 && length >> (4 * (nibbles - 1)) == 0 {
            return Err(Fault::Broken);
        }
        let end = self.out.len() + length as usize + 1;
        if end > self.cap {
            return Err(Fault::TooLarge);
        }
        if !is_last && bits.take(1)? == 1 {
            bits.align()?;
            let plain = bits.bytes(length as usize + 1)?;
            self.out.extend_from_slice(plain);
            return Ok(());
        }
        let mut header = Header::read(bits)?;
        while self.out.len() < end {
            self.command(bits, &mut header, end)?;
        }
        Ok(())
    }

    /// Literals, and what is copied behind them.
    fn command(&mut self, bits: &mut Bits<'_>, header: &mut Header, end: usize) -> Result<(), Fault> {
        let of = header.commands.next(bits)?;
        let command = header.command_codes.get(of).ok_or(Fault::Broken)?.symbol(bits)?;
        let (insert, copy, again) = codes::command(command);
        let insert = codes::length(bits, &INSERT_BITS, 0, insert)? as usize;
        let copy = codes::length(bits, &COPY_BITS, 2, copy)? as usize;
        if insert > end - self.out.len() {
            return Err(Fault::Broken);
        }
        for _ in 0..insert {
            self.literal(bits, header)?;
        }
        if self.out.len() == end {
            return Ok(());
        }
        let far = if again { None } else { self.far(bits, header, copy)? };
        let [last, ..] = self.last;
        let distance = far.unwrap_or(last);
        let reach = self.window.min(self.out.len());
        if distance > reach {
            let word = distance - reach - 1;
            return self.word(copy, word, end);
        }
        if far.is_some() {
            self.last.rotate_right(1);
            let [newest, ..] = &mut self.last;
            *newest = distance;
        }
        if copy > end - self.out.len() {
            return Err(Fault::Broken);
        }
        let from = self.out.len().checked_sub(distance).ok_or(Fault::Broken)?;
        super::repeat(&mut self.out, from, copy);
        Ok(())
    }

    fn literal(&mut self, bits: &mut Bits<'_>, header: &mut Header) -> Result<(), Fault> {
        let of = header.literals.next(bits)?;
        let mode = header.modes.get(of).copied().unwrap_or(0);
        let (last, before) = match *self.out {
            [.., before, last] => (last, before),
            [last] => (last, 0),
            [] => (0, 0),
        };
        let at = of * LITERAL_CONTEXTS + context(mode, last, before);
        let byte = code(&header.literal_codes, &header.literal_map, at)?.symbol(bits)?;
        self.out.push(u8::try_from(byte).map_err(|_| Fault::Broken)?);
        Ok(())
    }

    /// A distance, if it is not the last one.
    fn far(&self, bits: &mut Bits<'_>, header: &mut Header, copy: usize) -> Result<Option<usize>, Fault> {
        let of = header.distances.next(bits)?;
        let at = of * DISTANCE_CONTEXTS + copy.saturating_sub(2).min(3);
        let symbol = code(&header.distance_codes, &header.distance_map, at)?.symbol(bits)?;
        let [first, second, third, fourth] = self.last;
        let near = |from: usize, number: usize| {
            let by = number / 2 + 1;
            let distance = if number & 1 == 0 { from.checked_sub(by) } else { from.checked_add(by) };
            distance.filter(|distance| *distance > 0).map(Some).ok_or(Fault::Broken)
        };
        match symbol {
            0 => return Ok(None),
            1 => return Ok(Some(second)),
            2 => return Ok(Some(third)),
            3 => return Ok(Some(fourth)),
            4..10 => return near(first, symbol - 4),
            10..16 => return near(second, symbol - 10),
            _ => {}
        }
        let Some(number) = (symbol - 16).checked_sub(header.direct) else { return Ok(Some(symbol - 15)) };
        let count = 1 + u32::try_from(number >> (header.postfix + 1)).map_err(|_| Fault::Broken)?;
        let (high, low) = (number >> header.postfix, number & ((1 << header.postfix) - 1));
        let offset = ((2 + (high & 1)) << count) - 4 + bits.take(count)? as usize;
        Ok(Some((offset << header.postfix) + low + header.direct + 1))
    }

    /// A word of the dictionary.
    fn word(&mut self, length: usize, number: usize, end: usize) -> Result<(), Fault> {
        if self.words.is_none() {
            self.words = Words::new();
        }
        let words = self.words.as_ref().ok_or(Fault::Broken)?;
        words.append(length, number, &mut self.out).ok_or(Fault::Broken)?;
        if self.out.len() > end { Err(Fault::Broken) } else { Ok(()) }
    }
}

/// A meta-block that is no text.
fn skip(bits: &mut Bits<'_>) -> Result<(), Fault> {
    if bits.take(1)? != 0 {
        return Err(Fault::Broken);
    }
    let bytes = bits.take(2)?;
    let length = bits.take(8 * bytes)?;
    if bytes > 1 && length >> (8 * (bytes - 1)) == 0 {
        return Err(Fault::Broken);
    }
    bits.align()?;
    if bytes > 0 {
        bits.bytes(length as usize + 1)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
