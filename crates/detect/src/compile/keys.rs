//! From the first bytes of a word or literal to the rules that hang on it.
//!
//! A text is mostly words that no rule knows, so the first question is a bit in a small table: a filter
//! of a few kilobytes stays in the fastest cache, and its cost does not depend on the number of rules.

use alloc::{vec, vec::Vec};

use super::{sort::by_digit, tables::Slice, words::word_flags};

/// Where a key is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The first eight bytes of a word, fewer if it is shorter: whole words, and longer prefixes.
    Word,
    /// The first four bytes of a word: short prefixes.
    Prefix,
    /// The first two bytes of a word of at least [`LONG`] bytes: prefixes of long tokens.
    Long,
    /// Six bytes from a symbol on.
    Raw6,
    /// Three bytes from a symbol on.
    Raw3,
    /// Two bytes from a symbol on.
    Raw2,
    /// A symbol and the two bytes before it.
    Tail,
    /// The symbol alone.
    Raw1,
}

impl Place {
    /// Every place, in the order of its tables.
    pub const ALL: [Self; 8] =
        [Self::Word, Self::Prefix, Self::Long, Self::Raw6, Self::Raw3, Self::Raw2, Self::Tail, Self::Raw1];

    /// The bytes that its keys have at most.
    pub const fn width(self) -> usize {
        match self {
            Self::Word => 8,
            Self::Prefix => 4,
            Self::Long | Self::Raw2 => 2,
            Self::Raw6 => 6,
            Self::Raw3 | Self::Tail => 3,
            Self::Raw1 => 1,
        }
    }

    /// The key in the eight bytes that begin here.
    #[inline(always)]
    pub const fn key(self, eight: u64) -> u64 {
        match self {
            Self::Word => word_key(eight),
            _ => eight & (u64::MAX >> (64 - 8 * self.width())),
        }
    }
}

/// Bytes before the symbol in a key of [`Place::Tail`].
pub const TAIL: usize = 2;

/// Words from this length on are looked up by their first two bytes too. Credentials are that long,
/// words of a language hardly ever.
pub const LONG: u32 = 16;

/// The bytes of the word that begins here, at most eight.
#[inline]
pub const fn word_key(eight: u64) -> u64 {
    let others = !word_flags(eight) & normalise::swar::HIGHS;
    first_bytes(eight, others.trailing_zeros() / 8)
}

/// The first bytes of eight; from `count` 8 on all of them.
#[inline(always)]
pub const fn first_bytes(eight: u64, count: u32) -> u64 {
    let kept = if count < 8 { (1 << (8 * count)) - 1 } else { u64::MAX };
    eight & kept
}

/// The key of a literal's first bytes, zeros where it is shorter.
pub fn literal_key(bytes: &[u8], width: usize) -> u64 {
    if let Some(eight) = bytes.first_chunk().filter(|_| width == 8) {
        return u64::from_le_bytes(*eight);
    }
    let mut eight = [0; 8];
    for (into, byte) in eight.iter_mut().zip(bytes.iter().take(width)) {
        *into = *byte;
    }
    u64::from_le_bytes(eight)
}

/// Fibonacci hashing: the upper bits of the product are well mixed.
#[inline(always)]
const fn hash(key: u64) -> u64 {
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The logarithm of the least number of bits in a filter: a kilobit hardly costs anything.
const FILTER_BITS: u32 = 10;

/// A key and its postings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: u64,
    /// Its first posting.
    pub first: u32,
    /// How many follow on it.
    pub count: u32,
    /// What all the words or literals with this key begin with, if it is longer than the key; else nothing. In
    /// [`super::Tables::bytes`].
    pub common: Slice,
}

/// The keys of one place.
#[derive(Clone, Debug)]
pub struct KeyTable {
    /// By how much a hash is shifted to give a bit of the filter.
    pub filter_shift: u32,
    /// One bit for each key's hash.
    pub filter: Vec<u64>,
    /// By how much a hash is shifted to give a bucket.
    pub bucket_shift: u32,
    /// Where each bucket's entries begin; one more than there are buckets.
    pub buckets: Vec<u32>,
    /// The entries, bucket by bucket.
    pub entries: Vec<Entry>,
}

impl KeyTable {
    /// Builds the table. Keys must differ.
    pub fn new(entries: Vec<Entry>) -> Self {
        // One bit in 32 to 64 is set; past a few thousand keys one in 16 to 32, to stay in the cache.
        let room = if entries.len() <= 2048 { 16 } else { 8 };
        let filter_bits =
            (entries.len() * room).next_power_of_two().trailing_zeros().max(FILTER_BITS - 1) + 1;
        let bucket_bits = entries.len().next_power_of_two().trailing_zeros().max(1);
        let (filter_shift, bucket_shift) = (64 - filter_bits, 64 - bucket_bits);
        let mut filter = vec![0u64; 1 << (filter_bits - 6)];
        for entry in &entries {
            let bit = hash(entry.key) >> filter_shift;
            if let Some(word) = usize::try_from(bit >> 6).ok().and_then(|at| filter.get_mut(at)) {
                *word |= 1 << (bit & 63);
            }
        }
        let (entries, buckets) = by_digit(&entries, 1 << bucket_bits, |entry| {
            usize::try_from(hash(entry.key) >> bucket_shift).unwrap_or(0)
        });
        Self { filter_shift, filter, bucket_shift, buckets, entries }
    }

    /// 1 if a key may be there; 0 is certain.
    #[inline(always)]
    pub fn may_hold(filter: &[u64], shift: u32, key: u64) -> u64 {
        let bit = hash(key) >> shift;
        #[allow(clippy::cast_possible_truncation, reason = "a filter has far fewer than 2^32 words")]
        let word = filter.get((bit >> 6) as usize).copied().unwrap_or(0);
        word >> (bit & 63) & 1
    }

    /// The entry of a key.
    pub fn find(&self, key: u64) -> Option<&Entry> {
        let bucket = usize::try_from(hash(key) >> self.bucket_shift).ok()?;
        let start = usize::try_from(*self.buckets.get(bucket)?).ok()?;
        let end = usize::try_from(*self.buckets.get(bucket + 1)?).ok()?;
        self.entries.get(start..end)?.iter().find(|entry| entry.key == key)
    }
}

/// What a symbol and the byte next to it may belong to: exact, and a text uses little of the table.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// By the symbol and the byte behind it, a bit for each of [`Self::FRONTS`]; by the symbol and the byte before it,
    /// [`Self::TAIL`].
    kinds: Vec<u8>,
}

impl Pairs {
    /// The places whose keys begin at a symbol, in the order of their bits.
    pub const FRONTS: [Place; 4] = [Place::Raw6, Place::Raw3, Place::Raw2, Place::Raw1];
    /// The bit of [`Place::Tail`].
    pub const TAIL: u8 = 1 << Self::FRONTS.len();

    /// The pairs in the keys of all places.
    pub fn of(keys: &[KeyTable; Place::ALL.len()]) -> Self {
        let mut pairs = Self { kinds: vec![0; 1 << 16] };
        for (place, table) in Place::ALL.iter().zip(keys) {
            let front = Self::FRONTS.iter().position(|front| front == place);
            for entry in &table.entries {
                let [first, second, third, ..] = entry.key.to_le_bytes();
                match front {
                    // No literal has a zero byte: this one ends here, and anything may follow.
                    Some(bit) if second == 0 => {
                        (0..=u8::MAX).for_each(|next| pairs.add(first, next, 1 << bit))
                    }
                    Some(bit) => pairs.add(first, second, 1 << bit),
                    None if *place == Place::Tail => pairs.add(third, second, Self::TAIL),
                    None => {}
                }
            }
        }
        pairs
    }

    fn add(&mut self, symbol: u8, neighbour: u8, kind: u8) {
        if let Some(kinds) = self.kinds.get_mut(usize::from(u16::from_be_bytes([symbol, neighbour]))) {
            *kinds |= kind;
        }
    }

    /// What may begin at a symbol with this byte behind it.
    #[inline(always)]
    pub fn kinds(&self, symbol: u8, neighbour: u8) -> u8 {
        self.kinds.get(usize::from(u16::from_be_bytes([symbol, neighbour]))).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_key_holds_the_word_and_nothing_behind_it() {
        for (text, key) in [
            (b"act now!", &b"act"[..]),
            (b"a bcdefg", b"a"),
            (b"sevenls ", b"sevenls"),
            (b"eightlet", b"eightlet"),
            (b"\xd0\xb8\xd0\xb3\xd0\xbd. ", b"\xd0\xb8\xd0\xb3\xd0\xbd"),
        ] {
            assert_eq!(word_key(u64::from_le_bytes(*text)), literal_key(key, 8), "{text:?}");
        }
    }

    #[test]
    fn every_key_put_in_is_found_and_few_others_pass_the_filter() {
        for count in [0u32, 1, 2, 3, 700, 20_000] {
            let key = |n: u32| u64::from(n) * 0x1234_5678_9abd + 7;
            let entries = (0..count)
                .map(|n| Entry { key: key(n), first: n, count: 1, common: Slice::default() })
                .collect();
            let table = KeyTable::new(entries);
            for n in 0..count {
                assert_eq!(KeyTable::may_hold(&table.filter, table.filter_shift, key(n)), 1);
                assert_eq!(table.find(key(n)).map(|entry| entry.first), Some(n));
            }
            let others = (count..count + 10_000).map(key);
            let passed = others
                .inspect(|other| assert_eq!(table.find(*other), None))
                .filter(|other| KeyTable::may_hold(&table.filter, table.filter_shift, *other) != 0);
            assert!(passed.count() < 1500);
        }
    }

    #[test]
    fn pairs_tell_where_keys_may_begin_or_end_and_nothing_else() {
        let keys_of = |place: Place| -> &[&[u8]] {
            match place {
                Place::Raw6 => &[b"<|im_s", b"\xe5\xbf\xbd\xe7\x95\xa5"],
                Place::Raw2 => &[b"]]"],
                Place::Raw1 => &[b"`"],
                Place::Tail => &[b"ai:", b"x\"}"],
                _ => &[b"act"],
            }
        };
        let keys = Place::ALL.map(|place| {
            let entry = |key: &&[u8]| Entry {
                key: literal_key(key, 8),
                first: 0,
                count: 1,
                common: Slice::default(),
            };
            KeyTable::new(keys_of(place).iter().map(entry).collect())
        });
        let pairs = Pairs::of(&keys);
        let held = |kind: u8| {
            let all = (0..=u16::MAX).map(u16::to_be_bytes);
            all.filter(|[symbol, next]| pairs.kinds(*symbol, *next) & kind != 0).collect::<Vec<_>>()
        };
        assert_eq!(held(1), [*b"<|", [0xe5, 0xbf]]);
        assert_eq!(held(2), [*b"ac"]);
        assert_eq!(held(4), [*b"]]"]);
        assert_eq!((held(8).len(), held(8).contains(b"`x")), (256, true));
        assert_eq!(held(Pairs::TAIL), [*b":i", *b"}\""]);
        assert_eq!(held(0xe0), [[0u8; 2]; 0]);
    }
}
