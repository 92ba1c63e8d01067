//! Where the words of a comparable text begin.

use alloc::vec::Vec;

/// Bytes without a word that are stepped over to the next one; more of them end what belongs together.
const REACH: usize = 128;

/// One bit for each byte of a text: 64 bytes a `u64`, the first byte lowest; set where a word begins.
#[derive(Debug, Default)]
pub(crate) struct Words {
    starts: Vec<u64>,
}

impl Words {
    pub(crate) fn clear(&mut self) {
        self.starts.clear();
    }

    /// Adds the next 64 bytes.
    #[inline]
    pub(crate) fn push(&mut self, starts: u64) {
        self.starts.push(starts);
    }

    /// The first word that begins behind `at`, if it is near.
    pub(crate) fn next(&self, at: usize) -> Option<usize> {
        let mut from = at + 1;
        while from <= at + REACH {
            let starts = self.starts.get(from / 64)? >> (from % 64);
            if starts != 0 {
                let next = from + starts.trailing_zeros() as usize;
                return (next - at <= REACH).then_some(next);
            }
            from = (from / 64 + 1) * 64;
        }
        None
    }

    /// The last word that begins before `at`, if it is near.
    pub(crate) fn previous(&self, at: usize) -> Option<usize> {
        let mut before = at;
        while before > 0 && before + REACH > at {
            let last = before - 1;
            let starts = self.starts.get(last / 64)? << (63 - last % 64);
            if starts != 0 {
                let previous = last - starts.leading_zeros() as usize;
                return (at - previous <= REACH).then_some(previous);
            }
            before = last / 64 * 64;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn words_are_found_on_both_sides_of_every_place() {
        let places = [0, 1, 5, 63, 64, 127, 130, 340, 341, 440];
        let mut words = Words::default();
        for block in 0..8usize {
            let inside = places.iter().filter(|place| **place / 64 == block);
            words.push(inside.fold(0, |bits, place| bits | 1 << (place % 64)));
        }
        for at in 0..500 {
            let next = places.iter().copied().find(|place| *place > at).filter(|place| place - at <= 100);
            if let Some(next) = next {
                assert_eq!(words.next(at), Some(next), "next to {at}");
            }
            let previous =
                places.iter().copied().rfind(|place| *place < at).filter(|place| at - place <= 100);
            if let Some(previous) = previous {
                assert_eq!(words.previous(at), Some(previous), "before {at}");
            }
        }
        assert_eq!(words.next(130), None, "too far");
        assert_eq!(words.next(440), None);
        assert_eq!(words.previous(0), None);
        let forward: Vec<_> = core::iter::successors(Some(340), |at| words.next(*at)).collect();
        assert_eq!(forward, [340, 341, 440]);
    }
}
