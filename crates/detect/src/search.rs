//! One pass over a comparable text: where its words begin, and which of them rules hang on.

use alloc::vec::Vec;

use normalise::swar;

use crate::compile::{
    Tables,
    keys::{KeyTable, LONG, Place, TAIL, first_bytes, word_key},
    signs::{NEARBY, SignTable},
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
    /// The words before it.
    pub(crate) word: u32,
}

/// What a pass gives. Reused, so that nothing is allocated for a text.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Where words begin.
    pub(crate) words: Words,
    /// The signs of each word.
    signs: Vec<u64>,
    /// The keys found, block by block of 64 bytes.
    pub(crate) hits: Vec<Hit>,
}

impl Found {
    /// How many words there are.
    pub(crate) fn words_seen(&self) -> usize {
        self.signs.len()
    }

    /// The signs of the words behind a hit and before it, as far as phrases ask for them.
    pub(crate) fn signs_round(&self, hit: &Hit) -> [u64; 2] {
        let all = |signs: &[u64]| signs.iter().fold(0, |all, signs| all | signs);
        let (before, rest) = self.signs.split_at_checked(hit.word as usize).unwrap_or_default();
        let behind = rest.get(1..).unwrap_or_default();
        [
            all(behind.get(..NEARBY).unwrap_or(behind)),
            all(before.get(before.len().saturating_sub(NEARBY)..).unwrap_or_default()),
        ]
    }
}

/// A filter and its shift, taken out of the tables for the length of a pass.
#[derive(Clone, Copy)]
struct Filter<'a> {
    bits: &'a [u64],
    shift: u32,
}

impl<'a> Filter<'a> {
    fn of(table: &'a KeyTable) -> Self {
        Self { bits: &table.filter, shift: table.filter_shift }
    }

    /// 1 if a key may be there, else 0.
    #[inline(always)]
    fn pass(self, key: u64) -> u64 {
        KeyTable::may_hold(self.bits, self.shift, key)
    }
}

/// A block of 64 bytes.
#[derive(Clone, Copy)]
struct Block {
    /// Where it begins.
    at: usize,
    /// Where words begin in it.
    starts: u64,
    /// The words before it.
    words_before: usize,
}

struct Filters<'a> {
    signs: &'a [u64],
    signs_shift: u32,
    word: Filter<'a>,
    prefix: Filter<'a>,
    raw6: Filter<'a>,
    raw3: Filter<'a>,
    tail: Filter<'a>,
    raw1: Filter<'a>,
}

/// Splits the text and looks its words and symbols up. `padded` is the text with zeros behind it, as
/// [`normalise::Normalised::padded`] gives it; a text of 4 GiB and more is left alone.
pub(crate) fn search(padded: &[u8], tables: &Tables, found: &mut Found) {
    found.words.clear();
    found.signs.clear();
    found.hits.clear();
    if u32::try_from(padded.len()).is_err() {
        return;
    }
    let filters = Filters {
        signs: &tables.signs.signs,
        signs_shift: tables.signs.shift,
        word: Filter::of(tables.keys(Place::Word)),
        prefix: Filter::of(tables.keys(Place::Prefix)),
        raw6: Filter::of(tables.keys(Place::Raw6)),
        raw3: Filter::of(tables.keys(Place::Raw3)),
        tail: Filter::of(tables.keys(Place::Tail)),
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
        let at = number * 64;
        let block = Block { at, starts, words_before: found.signs.len() };
        let [whole, prefix, long] =
            look_up_words(padded, at, starts, [words, next.0], &filters, &mut found.signs);
        if whole | prefix | long != 0 {
            push_all(Place::Word, whole, padded, block, tables, found);
            push_all(Place::Prefix, prefix, padded, block, tables, found);
            push_all(Place::Long, long, padded, block, tables, found);
        }
        let [raw, tail] = look_up_symbols(padded, at, symbols, &filters);
        if raw | tail != 0 {
            push_all(Place::Raw6, raw, padded, block, tables, found);
            push_all(Place::Raw3, raw, padded, block, tables, found);
            push_all(Place::Raw1, raw, padded, block, tables, found);
            push_all(Place::Tail, tail, padded, block, tables, found);
        }
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

/// Which of the words that begin in a block pass the filters: whole, by a prefix, as a long one. Without branches, for
/// which words do is hard to predict.
#[inline(always)]
fn look_up_words(
    padded: &[u8],
    base: usize,
    mut starts: u64,
    [words, next]: [u64; 2],
    filters: &Filters<'_>,
    signs: &mut Vec<u64>,
) -> [u64; 3] {
    let (mut whole, mut prefix, mut long, mut keys) = (0, 0, 0, 0u64);
    // Every other byte may begin a word.
    let (mut each, mut count) = ([0; 32], 0);
    while starts != 0 {
        let bit = starts.trailing_zeros();
        starts &= starts - 1;
        let eight = eight_at(padded, base + bit as usize);
        // The word may go on in the next block. Eight bytes of it are compared.
        let length = ((words >> bit) | ((next << 1) << (63 - bit))).trailing_ones();
        let word = first_bytes(eight, length);
        let signs_of_word = SignTable::of(filters.signs, filters.signs_shift, word);
        if let Some(into) = each.get_mut(count) {
            *into = signs_of_word;
        }
        count += 1;
        keys |= SignTable::may_be_key(signs_of_word) << bit;
        long |= u64::from(length >= LONG) << bit;
    }
    signs.extend_from_slice(each.get(..count).unwrap_or_default());
    while keys != 0 {
        let bit = keys.trailing_zeros();
        keys &= keys - 1;
        let eight = eight_at(padded, base + bit as usize);
        whole |= filters.word.pass(word_key(eight)) << bit;
        prefix |= filters.prefix.pass(Place::Prefix.key(eight)) << bit;
    }
    [whole, prefix, long]
}

/// Which of the symbols in a block pass one of the filters: by what follows, by what goes before.
#[inline(always)]
fn look_up_symbols(padded: &[u8], base: usize, mut symbols: u64, filters: &Filters<'_>) -> [u64; 2] {
    let (mut raw, mut tail) = (0, 0);
    while symbols != 0 {
        let bit = symbols.trailing_zeros();
        symbols &= symbols - 1;
        let at = base + bit as usize;
        let eight = eight_at(padded, at);
        let passes = filters.raw6.pass(Place::Raw6.key(eight))
            | filters.raw3.pass(Place::Raw3.key(eight))
            | filters.raw1.pass(Place::Raw1.key(eight));
        raw |= passes << bit;
        tail |= filters.tail.pass(Place::Tail.key(eight_at(padded, at.wrapping_sub(TAIL)))) << bit;
    }
    [raw, tail]
}

/// Adds the hits among the places of a block that passed a filter: those whose key is there, and where what is known
/// of its words or literals stands in the text.
#[inline(never)]
fn push_all(place: Place, mut passed: u64, padded: &[u8], block: Block, tables: &Tables, found: &mut Found) {
    let table = tables.keys(place);
    while passed != 0 {
        let bit = passed.trailing_zeros();
        let found_at = block.at + bit as usize;
        passed &= passed - 1;
        let back = if place == Place::Tail { TAIL } else { 0 };
        let Some(at) = found_at.checked_sub(back) else { continue };
        let eight = eight_at(padded, at);
        let key = if place == Place::Word { word_key(eight) } else { place.key(eight) };
        if let Some(entry) = table.find(key)
            && padded.get(at..).is_some_and(|rest| begins_with(rest, entry.common.of(&tables.bytes)))
            && let Ok(at) = u32::try_from(at)
        {
            let words_before = block.words_before + (block.starts & ((1 << bit) - 1)).count_ones() as usize;
            let word = u32::try_from(words_before).unwrap_or(u32::MAX);
            found.hits.push(Hit { at, first: entry.first, count: entry.count, word });
        }
    }
}

/// Whether `text` begins with `front`, which is short: for a few bytes, calling a comparison costs more than comparing.
#[inline(always)]
fn begins_with(text: &[u8], front: &[u8]) -> bool {
    let Some(text) = text.get(..front.len()) else { return false };
    let ((text, text_rest), (front, front_rest)) = (text.as_chunks::<8>(), front.as_chunks::<8>());
    text.iter().zip(front).all(|(one, other)| u64::from_le_bytes(*one) == u64::from_le_bytes(*other))
        && text_rest.iter().zip(front_rest).all(|(one, other)| one == other)
}

/// Eight bytes from `at` on; zeros where the text has no more.
#[inline(always)]
pub(crate) fn eight_at(padded: &[u8], at: usize) -> u64 {
    padded.get(at..).and_then(|rest| rest.first_chunk::<8>()).map_or(0, |eight| u64::from_le_bytes(*eight))
}
