//! Random bytes for event ids.
//!
//! Ids have to differ, not to be secret, so one VM asks the host once and goes on by itself: xoshiro256++ 1.0 of
//! Blackman and Vigna (<https://prng.di.unimi.it/xoshiro256plusplus.c>, public domain).

/// A generator of one VM.
#[derive(Debug)]
pub(crate) struct Random([u64; 4]);

impl Random {
    /// Seeds it from the host.
    ///
    /// # Errors
    /// When the host has no random bytes.
    pub(crate) fn from_host() -> Result<Self, getrandom::Error> {
        Ok(Self([getrandom::u64()?, getrandom::u64()?, getrandom::u64()?, getrandom::u64()? | 1]))
    }

    #[cfg(test)]
    pub(crate) const fn from_seed(seed: [u64; 4]) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// Ten bytes, what one event id takes.
    pub(crate) fn entropy(&mut self) -> [u8; 10] {
        let [a, b, c, d, e, f, g, h] = self.next().to_be_bytes();
        let [i, j, ..] = self.next().to_be_bytes();
        [a, b, c, d, e, f, g, h, i, j]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn follows_the_reference_implementation() {
        // The first outputs of xoshiro256plusplus.c for the state {1, 2, 3, 4}.
        let mut random = Random::from_seed([1, 2, 3, 4]);
        let outputs = [random.next(), random.next(), random.next(), random.next()];
        assert_eq!(outputs, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn ten_bytes_do_not_repeat() {
        let mut random = Random::from_host().unwrap();
        let seen: HashSet<[u8; 10]> = (0..10_000).map(|_| random.entropy()).collect();
        assert_eq!(seen.len(), 10_000);
    }
}
