//! One pass over a comparable text: where its words begin, and which of them rules hang on.

use alloc::vec::Vec;

use normalise::swar;

use crate::compile::{
    Tables,
    keys::{KeyTable, LONG, Place, first_bytes},
    words::{symbol_flags, word_flags},
};
use crate::words::Words;

/// A key found in a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    /// Where it begins, in bytes of the comparable text.
    pub(crate) at: u32,
    /// Its first posting.
    pub(crate) first: u32,
    /// How many follow on it.
    pub(crate) count: u32,
}

/// What a pass gives. Reused, so that nothing is allocated for a text.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Where words begin.
    pub(crate) words: Words,
    /// The keys found, block by block of 64 bytes.
    pub(crate) hits: Vec<Hit>,
}

/// A filter and its shift, taken out of the tables for the length of a pass.
#[derive(Clone, Copy)]
struct Filter<'a> {
    bits: &'a [u64],
    shift: u32,
    /// Whether there is any key at all.
    used: bool,
}

impl<'a> Filter<'a> {
    fn of(table: &'a KeyTable) -> Self {
        Self { bits: &table.filter, shift: table.filter_shift, used: !table.entries.is_empty() }
    }

    #[inline(always)]
    fn passes(self, key: u64) -> bool {
        KeyTable::may_hold(self.bits, self.shift, key)
    }
}

struct Filters<'a> {
    word: Filter<'a>,
    prefix: Filter<'a>,
    long: Filter<'a>,
    raw6: Filter<'a>,
    raw3: Filter<'a>,
    raw1: Filter<'a>,
}

/// Splits the text and looks its words and symbols up. `padded` is the text with zeros behind it, as
/// [`normalise::Normalised::padded`] gives it; a text of 4 GiB and more is left alone.
pub(crate) fn search(padded: &[u8], tables: &Tables, found: &mut Found) {
    found.words.clear();
    found.hits.clear();
    if u32::try_from(padded.len()).is_err() {
        return;
    }
    let filters = Filters {
        word: Filter::of(tables.keys(Place::Word)),
        prefix: Filter::of(tables.keys(Place::Prefix)),
        long: Filter::of(tables.keys(Place::Long)),
        raw6: Filter::of(tables.keys(Place::Raw6)),
        raw3: Filter::of(tables.keys(Place::Raw3)),
        raw1: Filter::of(tables.keys(Place::Raw1)),
    };
    let (blocks, _) = padded.as_chunks::<64>();
    let mut inside = 0;
    let mut this = blocks.first().map_or((0, 0), masks);
    for number in 0..blocks.len() {
        let next = blocks.get(number + 1).map_or((0, 0), masks);
        let (words, symbols) = this;
        let starts = words & !(words << 1 | inside);
        inside = words >> 63;
        found.words.push(starts);
        look_up_words(padded, number * 64, starts, [words, next.0], &filters, tables, found);
        look_up_symbols(padded, number * 64, symbols, &filters, tables, found);
        this = next;
    }
}

/// The bytes of words and the symbols among 64 bytes, the first byte lowest.
#[inline(always)]
fn masks(block: &[u8; 64]) -> (u64, u64) {
    let (mut words, mut symbols) = (0, 0);
    let (eights, _) = block.as_chunks::<8>();
    for (place, eight) in eights.iter().enumerate() {
        let eight = u64::from_le_bytes(*eight);
        let flags = word_flags(eight);
        words |= swar::gather(flags) << (8 * place);
        symbols |= swar::gather(symbol_flags(eight, flags)) << (8 * place);
    }
    (words, symbols)
}

#[inline(always)]
fn look_up_words(
    padded: &[u8],
    base: usize,
    mut starts: u64,
    [words, next]: [u64; 2],
    filters: &Filters<'_>,
    tables: &Tables,
    found: &mut Found,
) {
    while starts != 0 {
        let bit = starts.trailing_zeros();
        let at = base + bit as usize;
        starts &= starts - 1;
        let Some(eight) = eight_at(padded, at) else { continue };
        // The word may go on in the next block. Eight bytes of it are compared.
        let length = ((words >> bit) | ((next << 1) << (63 - bit))).trailing_ones();
        let key = first_bytes(eight, length.clamp(1, 8));
        if filters.word.passes(key) {
            push(Place::Word, key, padded, at, tables, found);
        }
        if filters.prefix.used && filters.prefix.passes(Place::Prefix.key(eight)) {
            push(Place::Prefix, Place::Prefix.key(eight), padded, at, tables, found);
        }
        if length as usize >= LONG && filters.long.passes(Place::Long.key(eight)) {
            push(Place::Long, Place::Long.key(eight), padded, at, tables, found);
        }
    }
}

#[inline(always)]
fn look_up_symbols(
    padded: &[u8],
    base: usize,
    mut symbols: u64,
    filters: &Filters<'_>,
    tables: &Tables,
    found: &mut Found,
) {
    while symbols != 0 {
        let at = base + symbols.trailing_zeros() as usize;
        symbols &= symbols - 1;
        let Some(eight) = eight_at(padded, at) else { continue };
        let passes = filters.raw6.passes(Place::Raw6.key(eight))
            | filters.raw3.passes(Place::Raw3.key(eight))
            | filters.raw1.passes(Place::Raw1.key(eight));
        if passes {
            for place in [Place::Raw6, Place::Raw3, Place::Raw1] {
                push(place, place.key(eight), padded, at, tables, found);
            }
        }
    }
}

/// Adds a hit if the key is there and what is known of its words or literals stands in the text.
#[inline(never)]
fn push(place: Place, key: u64, padded: &[u8], at: usize, tables: &Tables, found: &mut Found) {
    if let Some(entry) = tables.keys(place).find(key)
        && padded.get(at..).is_some_and(|rest| rest.starts_with(entry.common.of(&tables.bytes)))
        && let Ok(at) = u32::try_from(at)
    {
        found.hits.push(Hit { at, first: entry.first, count: entry.count });
    }
}

/// Eight bytes from `at` on.
#[inline(always)]
pub(crate) fn eight_at(padded: &[u8], at: usize) -> Option<u64> {
    padded.get(at..).and_then(|rest| rest.first_chunk::<8>()).map(|eight| u64::from_le_bytes(*eight))
}
