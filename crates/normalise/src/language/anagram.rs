//! Words by their letters in any order, so that misspelt ones are found again.

use super::WORDS;

/// Words shorter than this have too many neighbours.
const SHORTEST: usize = 4;

/// Places, half of them taken.
const SLOTS: usize = 4096;

/// For each word of the list where it begins there (upper half, plus one) and a fingerprint of its letters.
static TABLE: [u32; SLOTS] = table();

/// Bytes of the table.
pub(super) const TABLES: usize = size_of_val(&TABLE);

/// The letters of a word, whatever their order, and its first letter: a sum, to which letters can be added and from
/// which they can be taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Letters(u32);

impl Letters {
    /// The letters of a word of ASCII letters.
    pub(crate) const fn of(word: &[u8]) -> Self {
        let mut sum = 0u32;
        let mut rest = word;
        if let [first, ..] = word {
            sum = weight(*first).rotate_left(7);
        }
        while let [letter, behind @ ..] = rest {
            sum = sum.wrapping_add(weight(*letter));
            rest = behind;
        }
        Self(sum)
    }

    /// With one letter more.
    pub(crate) const fn with(self, letter: u8) -> Self {
        Self(self.0.wrapping_add(weight(letter)))
    }

    /// With a letter before the first of `word`, whose letters these are.
    pub(crate) fn behind(self, word: &[u8], first: u8) -> Self {
        let head = word.first().map_or(0, |head| weight(*head).rotate_left(7));
        Self(self.0.wrapping_sub(head).wrapping_add(weight(first).rotate_left(7))).with(first)
    }

    /// With one letter less.
    pub(crate) const fn without(self, letter: u8) -> Self {
        Self(self.0.wrapping_sub(weight(letter)))
    }

    const fn place(self) -> (usize, u32) {
        let mixed = (self.0 ^ (self.0 >> 15)).wrapping_mul(0x2c1b_3ba5);
        let mixed = mixed ^ (mixed >> 13);
        ((mixed as usize) % SLOTS, mixed >> 16)
    }

    /// The words of the list that have these letters, each with its place there: the more frequent, the lower.
    pub(crate) fn words(self) -> impl Iterator<Item = (usize, &'static [u8])> {
        let (first, print) = self.place();
        // A full table would end the walk too.
        let entries =
            (first..first + SLOTS).map_while(|slot| TABLE.get(slot % SLOTS).filter(|entry| **entry != 0));
        entries.filter(move |entry| **entry & 0xffff == print).filter_map(move |entry| {
            let place = (entry >> 16) as usize - 1;
            let word = WORDS.get(place..)?.split(|byte| *byte == b'\n').next()?;
            (Self::of(word) == self).then_some((place, word))
        })
    }
}

/// A number for each letter, so spread that sums tell letters apart.
const fn weight(letter: u8) -> u32 {
    let letter = (letter | 0x20) as u32;
    letter.wrapping_mul(0x9e37_79b1).rotate_left(letter & 15).wrapping_mul(0x85eb_ca6b)
}

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated at compile time, over a list of some 16 KiB"
)]
const fn table() -> [u32; SLOTS] {
    let mut table = [0; SLOTS];
    let (mut start, mut at) = (0, 0);
    while at < WORDS.len() {
        if WORDS[at] == b'\n' {
            let (_, from) = WORDS.split_at(start);
            let (word, _) = from.split_at(at - start);
            if word.len() >= SHORTEST {
                let (mut slot, print) = Letters::of(word).place();
                while table[slot] != 0 {
                    slot = (slot + 1) % SLOTS;
                }
                table[slot] = ((start as u32 + 1) << 16) | print;
            }
            start = at + 1;
        }
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn words_are_found_by_their_letters() {
        let words = |letters: Letters| letters.words().map(|(_, word)| word).collect::<Vec<_>>();
        for word in ["ignore", "ingore", "ignroe", "igonre"] {
            assert_eq!(words(Letters::of(word.as_bytes())), [b"ignore"]);
        }
        assert_eq!(words(Letters::of(b"prevous").with(b'i')), [b"previous"]);
        assert_eq!(words(Letters::of(b"promppt").without(b'p')), [b"prompt"]);
        assert!(words(Letters::of(b"xqzvk")).is_empty());
    }
}
