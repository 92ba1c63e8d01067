//! One pass over a comparable text: where its words begin, and which of them rules hang on.

use alloc::vec::Vec;

use normalise::swar;

use crate::compile::{
    Tables,
    keys::{KeyTable, LONG, Place, word_key},
    words::{is_word_byte, symbol_flags, word_flags},
};

/// A key found in a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    /// Where it begins, in bytes of the comparable text.
    pub(crate) at: u32,
    /// The word it begins, or for a symbol the number of words before it.
    pub(crate) word: u32,
    /// Its first posting.
    pub(crate) first: u32,
    /// How many follow on it.
    pub(crate) count: u32,
}

/// What a pass gives. Reused, so that nothing is allocated for a text.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Where each word begins.
    pub(crate) words: Vec<u32>,
    /// The keys found, in the order of the text but for keys at one word.
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
    for (number, block) in blocks.iter().enumerate() {
        let (mut words, mut symbols) = (0, 0);
        let (eights, _) = block.as_chunks::<8>();
        for (place, eight) in eights.iter().enumerate() {
            let eight = u64::from_le_bytes(*eight);
            let flags = word_flags(eight);
            words |= swar::gather(flags) << (8 * place);
            symbols |= swar::gather(symbol_flags(eight, flags)) << (8 * place);
        }
        let starts = words & !(words << 1 | inside);
        inside = words >> 63;
        let before = found.words.len();
        look_up_words(padded, number * 64, starts, &filters, tables, found);
        look_up_symbols(padded, number * 64, symbols, starts, before, &filters, tables, found);
    }
}

#[inline(always)]
fn look_up_words(
    padded: &[u8],
    base: usize,
    mut starts: u64,
    filters: &Filters<'_>,
    tables: &Tables,
    found: &mut Found,
) {
    found.words.reserve(32);
    while starts != 0 {
        let at = base + starts.trailing_zeros() as usize;
        starts &= starts - 1;
        found.words.push(place(at));
        let Some(eight) = eight_at(padded, at) else { continue };
        let passes = filters.word.passes(word_key(eight)) | filters.prefix.passes(Place::Prefix.key(eight));
        let long = filters.long.used && filters.long.passes(Place::Long.key(eight));
        if passes | long {
            found_word(padded, at, eight, tables, found);
        }
    }
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "one half of a loop body, split for reading")]
fn look_up_symbols(
    padded: &[u8],
    base: usize,
    mut symbols: u64,
    starts: u64,
    before: usize,
    filters: &Filters<'_>,
    tables: &Tables,
    found: &mut Found,
) {
    while symbols != 0 {
        let bit = symbols.trailing_zeros();
        let at = base + bit as usize;
        symbols &= symbols - 1;
        let Some(eight) = eight_at(padded, at) else { continue };
        let passes = filters.raw6.passes(Place::Raw6.key(eight))
            | filters.raw3.passes(Place::Raw3.key(eight))
            | filters.raw1.passes(Place::Raw1.key(eight));
        if passes {
            let word = before + (starts & ((1 << bit) - 1)).count_ones() as usize;
            for place in [Place::Raw6, Place::Raw3, Place::Raw1] {
                look_up(place, eight, at, word, tables, found);
            }
        }
    }
}

#[cold]
fn found_word(padded: &[u8], at: usize, eight: u64, tables: &Tables, found: &mut Found) {
    let word = found.words.len().saturating_sub(1);
    let key = word_key(eight);
    push(tables.keys(Place::Word), key, at, word, found);
    look_up(Place::Prefix, eight, at, word, tables, found);
    let long = padded.get(at..at + LONG).is_some_and(|bytes| bytes.iter().all(|byte| is_word_byte(*byte)));
    if long {
        look_up(Place::Long, eight, at, word, tables, found);
    }
}

fn look_up(place: Place, eight: u64, at: usize, word: usize, tables: &Tables, found: &mut Found) {
    push(tables.keys(place), place.key(eight), at, word, found);
}

fn push(table: &KeyTable, key: u64, at: usize, word: usize, found: &mut Found) {
    if let Some(entry) = table.find(key) {
        found.hits.push(Hit { at: place(at), word: place(word), first: entry.first, count: entry.count });
    }
}

#[inline(always)]
fn eight_at(padded: &[u8], at: usize) -> Option<u64> {
    padded.get(at..).and_then(|rest| rest.first_chunk::<8>()).map(|eight| u64::from_le_bytes(*eight))
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a longer text is not searched")]
const fn place(at: usize) -> u32 {
    at as u32
}
