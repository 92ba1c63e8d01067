//! Inputs as numbers: a hash that is equal for equal ones, a sketch that is similar for similar ones.
//!
//! The sketch is a SimHash (Charikar 2002; Manku, Jain and Das Sarma, "Detecting near-duplicates for web crawling", 2007):
//! every feature has 64 pseudo-random bits, and each bit of the sketch is the majority's. The features of a text are its
//! pairs of neighbouring words, without regard to case and punctuation; those of a tensor its values, rounded, each with
//! its place. The bits are counted side by side in words, one word for each binary digit of the counts.

use crate::ledger::Input;

/// Texts longer than this are sampled, so that the work has a bound: [`STRETCHES`] stretches counted from the start and as
/// many counted from the end, evenly over the text. Their distance is rounded, so a text that grows a little keeps most of
/// them.
const MAX_BYTES: usize = 1024;
/// Stretches from each end of a long text.
const STRETCHES: usize = 4;
/// Values of a tensor that are looked at, evenly over it.
const MAX_VALUES: usize = 256;
/// Fewer features than this tell nothing.
const MIN_FEATURES: u32 = 12;
/// Digits of the counts; more features than they can count are left out.
const DIGITS: usize = 12;

/// Takes in what an input consists of.
pub(crate) struct Sketcher {
    hash: u64,
    /// Secret, so that nobody can make inputs up that collide.
    key: u64,
    digits: [u64; DIGITS],
    features: u32,
}

impl Sketcher {
    /// Hashes under different keys have nothing in common.
    pub(crate) const fn new(key: u64) -> Self {
        Self { hash: key, key: key | 1, digits: [0; DIGITS], features: 0 }
    }

    /// Takes a text.
    pub(crate) fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        self.hash_bytes(bytes);
        if bytes.len() <= MAX_BYTES {
            return self.words(bytes);
        }
        let length = MAX_BYTES / (2 * STRETCHES);
        let rounded = bytes.len() & (usize::MAX << bytes.len().ilog2().saturating_sub(3));
        let step = rounded / (2 * STRETCHES);
        for start in (0..STRETCHES).map(|stretch| stretch * step) {
            self.words(whole_words(bytes.get(start..start + length).unwrap_or_default()));
            let end = bytes.len() - start;
            self.words(whole_words(bytes.get(end - length..end).unwrap_or_default()));
        }
    }

    /// Takes a text of which only the hash is wanted.
    pub(crate) fn exactly(&mut self, text: &str) {
        self.hash_bytes(text.as_bytes());
    }

    /// Takes a tensor. `step`: values that lie closer than this count as equal.
    pub(crate) fn values(&mut self, values: &[f64], step: f64) {
        let stride = values.len().div_ceil(MAX_VALUES).max(1);
        for (place, value) in (0_u64..).zip(values.iter().step_by(stride)) {
            #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
            let rounded = (value / step) as i64;
            self.feature(mix(rounded.cast_unsigned() ^ place.wrapping_mul(FIRST), self.key));
        }
        for value in values {
            self.hash = mix(self.hash, value.to_bits());
        }
    }

    /// The input.
    pub(crate) fn finish(self) -> Input {
        let hash = scramble(self.hash);
        let sketch = (self.features >= MIN_FEATURES).then(|| self.majority());
        Input { hash: u32::try_from(hash >> 32).unwrap_or(0).max(1), sketch }
    }

    fn hash_bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.hash = mix(self.hash, u64::from_le_bytes(*word));
        }
        let last = rest.iter().fold(rest.len() as u64, |last, byte| (last << 8) | u64::from(*byte));
        self.hash = mix(self.hash, last);
    }

    /// Takes each pair of neighbouring words.
    fn words(&mut self, bytes: &[u8]) {
        let (mut before, mut word) = (0_u64, 0_u64);
        for byte in bytes {
            let letter = LETTERS.get(usize::from(*byte)).copied().unwrap_or(0);
            if letter != 0 {
                word = word.rotate_left(5) ^ u64::from(letter);
            } else if word != 0 {
                self.pair(before, word);
                (before, word) = (word, 0);
            }
        }
        if word != 0 {
            self.pair(before, word);
        }
    }

    fn pair(&mut self, before: u64, word: u64) {
        if before != 0 {
            self.feature(mix(before, word ^ self.key));
        }
    }

    fn feature(&mut self, feature: u64) {
        if self.features >= (1 << DIGITS) - 1 {
            return;
        }
        self.features += 1;
        let mut carry = scramble(feature);
        for digit in &mut self.digits {
            let both = *digit & carry;
            *digit ^= carry;
            carry = both;
            if carry == 0 {
                break;
            }
        }
    }

    /// The bits that more than half of the features have.
    fn majority(&self) -> u64 {
        let half = self.features / 2;
        let (mut above, mut level) = (0, u64::MAX);
        for (place, digit) in self.digits.iter().enumerate().rev() {
            if half >> place & 1 == 0 {
                above |= level & digit;
                level &= !digit;
            } else {
                level &= digit;
            }
        }
        above
    }
}

/// Odd constants without structure: from the digits of the golden ratio and of √2.
const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0x6a09_e667_f3bc_c909;

/// What each byte is to a word: itself, in lower case, or 0 where it is no part of one.
static LETTERS: [u8; 256] = {
    let mut letters = [0; 256];
    let mut byte = 0_u8;
    let mut rest: &mut [u8] = &mut letters;
    while let Some((letter, behind)) = rest.split_first_mut() {
        *letter = if is_letter(byte) { byte.to_ascii_lowercase() } else { 0 };
        byte = byte.wrapping_add(1);
        rest = behind;
    }
    letters
};

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// A stretch of a text without the words that are cut at its ends.
fn whole_words(bytes: &[u8]) -> &[u8] {
    let is_gap = |byte: &u8| !is_letter(*byte);
    let (start, end) = (bytes.iter().position(is_gap), bytes.iter().rposition(is_gap));
    bytes.get(start.unwrap_or(0)..end.unwrap_or(bytes.len())).unwrap_or_default()
}

const fn mix(state: u64, word: u64) -> u64 {
    (state.rotate_left(23) ^ word).wrapping_mul(FIRST)
}

/// Spreads every bit over all (the finaliser of `SplitMix64`, Steele, Lea and Flood 2014, shortened by one step).
const fn scramble(word: u64) -> u64 {
    let word = (word ^ (word >> 32)).wrapping_mul(SECOND);
    word ^ (word >> 29)
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String, vec::Vec};

    use super::*;

    fn sketch(text: &str) -> Input {
        let mut sketcher = Sketcher::new(7);
        sketcher.text(text);
        sketcher.finish()
    }

    fn distance(one: &Input, other: &Input) -> u32 {
        (one.sketch.unwrap() ^ other.sketch.unwrap()).count_ones()
    }

    /// Words without sense, different for each seed.
    fn prose(seed: u64, words: u64) -> String {
        let word = |at: u64| format!("w{:x} ", scramble(seed.wrapping_mul(FIRST) ^ at) % 50_000);
        (0..words).map(word).collect()
    }

    #[test]
    fn equal_texts_have_equal_hashes_and_others_do_not() {
        let texts: Vec<String> = (0..200).map(|seed| prose(seed, 20)).collect();
        for (at, text) in texts.iter().enumerate() {
            for (other_at, other) in texts.iter().enumerate() {
                assert_eq!(sketch(text).hash == sketch(other).hash, at == other_at);
            }
        }
        assert_ne!(sketch("ab").hash, sketch("ab\0").hash);
    }

    #[test]
    fn a_word_changed_or_put_in_leaves_a_near_neighbour() {
        let mut sum = 0;
        for words in [80, 200, 2000] {
            for seed in 0..20 {
                let text = prose(seed, words);
                let at = text.len() / 3;
                let place = text[at..].find(' ').unwrap() + at;
                let longer = format!("{} truly{}", &text[..place], &text[place..]);
                let shouted = format!("{}!", text.to_uppercase());
                let moved = distance(&sketch(&text), &sketch(&longer));
                assert!(moved <= 16, "{words} words, seed {seed}: {moved}");
                sum += moved;
                assert!(distance(&sketch(&text), &sketch(&shouted)) <= 4, "{words} words, seed {seed}");
            }
        }
        assert!(sum < 60 * 8, "{sum} bits in 60 pairs");
    }

    #[test]
    fn unrelated_texts_are_far_apart() {
        for seed in 0..100 {
            let (one, other) = (sketch(&prose(seed, 60)), sketch(&prose(seed + 1000, 60)));
            assert!(distance(&one, &other) > 14, "seed {seed}");
        }
    }

    #[test]
    fn short_texts_have_no_sketch() {
        assert_eq!(sketch("Hello there, how are you?").sketch, None);
        assert_eq!(sketch("").sketch, None);
    }

    #[test]
    fn a_tensor_changed_a_little_is_a_near_neighbour() {
        let sketch = |values: &[f64]| {
            let mut sketcher = Sketcher::new(7);
            sketcher.values(values, 0.1);
            sketcher.finish()
        };
        let values: Vec<f64> = (0..784).map(|at| f64::from(at % 28) / 28.0).collect();
        let mut changed = values.clone();
        changed[300] += 0.5;
        changed[303] -= 0.5;
        let other: Vec<f64> = (0..784).map(|at| f64::from(at % 19) / 19.0).collect();
        assert_ne!(sketch(&values).hash, sketch(&changed).hash);
        assert!(distance(&sketch(&values), &sketch(&changed)) <= 8);
        assert!(distance(&sketch(&values), &sketch(&other)) > 12);
    }

    #[test]
    fn the_majority_is_that_of_a_plain_count() {
        let features: Vec<u64> = (0..301).map(|at| scramble(FIRST.wrapping_mul(at))).collect();
        let mut sketcher = Sketcher::new(1);
        for feature in &features {
            sketcher.feature(*feature);
        }
        for bit in 0..64 {
            let count = features.iter().filter(|feature| scramble(**feature) >> bit & 1 == 1).count();
            assert_eq!(sketcher.majority() >> bit & 1 == 1, count > 150, "bit {bit}");
        }
    }
}
