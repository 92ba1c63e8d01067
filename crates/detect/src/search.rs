//! One pass over a comparable text: where its words begin, and which of them rules hang on.

use alloc::vec::Vec;

use crate::{
    compile::{
        Tables,
        keys::{Entry, KeyTable, LONG, Pairs, Place, TAIL, first_bytes, word_key},
        signs::{LEVELS, NEARBY, Round, SignTable, WIDTH},
    },
    masks::Masks,
    words::Words,
};

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
    /// The signs of each word, [`NEARBY`] zeros before them and behind them.
    signs: Vec<u64>,
    /// The keys found, block by block of 64 bytes.
    pub(crate) hits: Vec<Hit>,
}

impl Found {
    /// How many words there are.
    pub(crate) fn words_seen(&self) -> usize {
        self.signs.len().saturating_sub(2 * NEARBY)
    }

    /// The signs of the words behind a hit and before it, as far as phrases ask for them.
    pub(crate) fn signs_round(&self, hit: &Hit) -> Round {
        let round = self.signs.get(hit.word as usize..).unwrap_or_default();
        let Some((before, rest)) = round.split_first_chunk::<NEARBY>() else { return Round::default() };
        let Some(behind) = rest.get(1..).and_then(<[u64]>::first_chunk) else { return Round::default() };
        let mut before = *before;
        before.reverse();
        [levels(*behind), levels(before)]
    }
}

/// All the signs of words up to each of the [`LEVELS`]; the nearest comes first.
#[inline(always)]
fn levels([a, b, c, d, e, f, g, h, others @ ..]: [u64; NEARBY]) -> [u64; LEVELS.len()] {
    const { assert!(matches!(LEVELS, [1, 2, 4, 8, NEARBY])) };
    let two = a | b;
    let four = two | c | d;
    let eight = four | e | f | g | h;
    [a, two, four, eight, others.iter().fold(eight, |all, signs| all | signs)]
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

/// Bytes that are looked at from a block of 64 on: as many more as a key has.
const WINDOW: usize = 72;

/// A block of 64 bytes.
#[derive(Clone, Copy)]
struct Block<'a> {
    /// Where it begins.
    at: usize,
    /// The bytes from there on.
    window: &'a [u8; WINDOW],
    /// Where words begin in it.
    starts: u64,
    /// The words before it.
    words_before: usize,
}

impl Block<'_> {
    /// Eight bytes from one of its bytes on.
    #[inline(always)]
    fn eight(&self, bit: u32) -> u64 {
        // No bit is over 63; to see that saves a comparison.
        eight_at(self.window, (bit & 63) as usize)
    }
}

struct Filters<'a> {
    signs: &'a [u64],
    signs_shift: u32,
    word: Filter<'a>,
    prefix: Filter<'a>,
    pairs: &'a Pairs,
}

impl<'a> Filters<'a> {
    fn of(tables: &'a Tables) -> Self {
        Self {
            signs: &tables.signs.signs,
            signs_shift: tables.signs.shift,
            word: Filter::of(tables.keys(Place::Word)),
            prefix: Filter::of(tables.keys(Place::Prefix)),
            pairs: &tables.pairs,
        }
    }
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
    found.signs.extend_from_slice(&[0; NEARBY]);
    let filters = Filters::of(tables);
    let (blocks, _) = padded.as_chunks::<64>();
    let mut inside = 0;
    let mut this = blocks.first().map_or(Masks::default(), Masks::of);
    for number in 0..blocks.len() {
        let next = blocks.get(number + 1).map_or(Masks::default(), Masks::of);
        let at = number * 64;
        let rest = padded.get(at..).unwrap_or_default();
        let last;
        let window = if let Some(window) = rest.first_chunk::<WINDOW>() {
            window
        } else {
            last = filled_up(rest);
            &last
        };
        let starts = this.words & !(this.words << 1 | inside);
        inside = this.words >> 63;
        found.words.push(starts);
        let block = Block { at, window, starts, words_before: found.signs.len() - NEARBY };
        let words = [this.words, next.words];
        let [whole, prefix] = look_up_words(&block, words, &filters, &mut found.signs);
        let long = starts & long_runs(words);
        push_all(Place::Word, whole, padded, &block, tables, &mut found.hits);
        push_all(Place::Prefix, prefix, padded, &block, tables, &mut found.hits);
        push_all(Place::Long, long, padded, &block, tables, &mut found.hits);
        let (fronts, tail) = look_up_symbols(padded, &block, this.symbols, &filters);
        for (place, front) in Pairs::FRONTS.into_iter().zip(fronts) {
            push_all(place, front, padded, &block, tables, &mut found.hits);
        }
        push_all(Place::Tail, tail, padded, &block, tables, &mut found.hits);
        this = next;
    }
    found.signs.extend_from_slice(&[0; NEARBY]);
}

/// The last bytes of a text, zeros behind them.
#[cold]
fn filled_up(rest: &[u8]) -> [u8; WINDOW] {
    let mut window = [0; WINDOW];
    window.iter_mut().zip(rest).for_each(|(into, byte)| *into = *byte);
    window
}

/// Which of the words that begin in a block pass the filters: whole, by a prefix. Without branches, for which words do
/// is hard to predict.
#[inline(always)]
fn look_up_words(
    block: &Block<'_>,
    [words, next]: [u64; 2],
    filters: &Filters<'_>,
    signs: &mut Vec<u64>,
) -> [u64; 2] {
    let (mut keys, mut starts) = (0, block.starts);
    while starts != 0 {
        let bit = starts.trailing_zeros();
        starts &= starts - 1;
        // The word may go on in the next block. Up to four bytes of it tell its signs.
        let others = !(words >> bit | (next << 1) << (63 - bit)) | 1 << WIDTH;
        let word = block.eight(bit) & !(u64::MAX << (8 * (others.trailing_zeros() & 7)));
        let signs_of_word = SignTable::of(filters.signs, filters.signs_shift, word);
        signs.push(signs_of_word);
        keys |= SignTable::may_be_key(signs_of_word) << bit;
    }
    let (mut whole, mut prefix) = (0, 0);
    while keys != 0 {
        let bit = keys.trailing_zeros();
        keys &= keys - 1;
        let eight = block.eight(bit);
        let others = !(words >> bit | (next << 1) << (63 - bit));
        whole |= filters.word.pass(first_bytes(eight, others.trailing_zeros())) << bit;
        prefix |= filters.prefix.pass(Place::Prefix.key(eight)) << bit;
    }
    [whole, prefix]
}

/// Where at least [`LONG`] bytes of words follow each other, in the first of two blocks.
#[inline(always)]
fn long_runs([mut words, mut next]: [u64; 2]) -> u64 {
    let mut length = 1;
    while length < LONG {
        // Runs of twice the length begin where one of the length is followed by another.
        words &= words >> length | next << (64 - length);
        next &= next >> length;
        length *= 2;
    }
    words
}

/// At which of the symbols in a block the keys of each of [`Pairs::FRONTS`] may begin, and at which one of
/// [`Place::Tail`] may end.
#[inline(always)]
fn look_up_symbols(
    padded: &[u8],
    block: &Block<'_>,
    mut symbols: u64,
    filters: &Filters<'_>,
) -> ([u64; Pairs::FRONTS.len()], u64) {
    let (mut fronts, mut tail) = ([0; Pairs::FRONTS.len()], 0);
    while symbols != 0 {
        let bit = symbols.trailing_zeros();
        symbols &= symbols - 1;
        let [symbol, next, ..] = block.eight(bit).to_le_bytes();
        let before = (block.at + bit as usize).checked_sub(1).and_then(|before| padded.get(before));
        let kinds = filters.pairs.kinds(symbol, next);
        for (number, front) in fronts.iter_mut().enumerate() {
            *front |= u64::from(kinds >> number & 1) << bit;
        }
        let kinds = filters.pairs.kinds(symbol, before.copied().unwrap_or(0));
        tail |= u64::from(kinds & Pairs::TAIL != 0) << bit;
    }
    (fronts, tail)
}

/// Adds the hits among the places of a block that passed a filter: those whose key is there, and where what is known
/// of its words or literals stands in the text.
#[inline(always)]
fn push_all(
    place: Place,
    passed: u64,
    padded: &[u8],
    block: &Block<'_>,
    tables: &Tables,
    hits: &mut Vec<Hit>,
) {
    if passed != 0 {
        push_some(place, passed, padded, block, tables, hits);
    }
}

#[inline(never)]
fn push_some(
    place: Place,
    mut passed: u64,
    padded: &[u8],
    block: &Block<'_>,
    tables: &Tables,
    hits: &mut Vec<Hit>,
) {
    let table = tables.keys(place);
    let back = if place == Place::Tail { TAIL } else { 0 };
    while passed != 0 {
        let bit = passed.trailing_zeros();
        passed &= passed - 1;
        let Some(at) = (block.at + bit as usize).checked_sub(back) else { continue };
        let eight = if back == 0 { block.eight(bit) } else { eight_at(padded, at) };
        let key = if place == Place::Word { word_key(eight) } else { place.key(eight) };
        if let Some(entry) = table.find(key)
            && holds(entry, at, padded, tables)
            && let Ok(at) = u32::try_from(at)
        {
            let words_before = block.words_before + (block.starts & ((1 << bit) - 1)).count_ones() as usize;
            let word = u32::try_from(words_before).unwrap_or(u32::MAX);
            hits.push(Hit { at, first: entry.first, count: entry.count, word });
        }
    }
}

/// Whether what hangs on a key may stand at its place.
#[inline(always)]
fn holds(entry: &Entry, at: usize, padded: &[u8], tables: &Tables) -> bool {
    entry.common.count == 0
        || padded.get(at..).is_some_and(|rest| begins_with(rest, entry.common.of(&tables.bytes)))
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
