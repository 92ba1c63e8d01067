//! Numbers and texts that look random and are the same in each run.

/// xorshift64* of Vigna (<https://vigna.di.unimi.it/ftp/papers/xorshift.pdf>).
#[derive(Debug)]
pub struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Random {
    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap_or(0) % end.max(1)
    }

    /// Harmless words, at least `length` bytes of them.
    pub fn prose(&mut self, length: usize) -> String {
        const WORDS: [&str; 8] =
            ["the garden ", "needs ", "water; ", "früh ", "am Morgen. ", "Bees ", "like thyme. ", "😀 "];
        let mut text = String::new();
        while text.len() < length {
            text.push_str(WORDS.get(self.below(WORDS.len())).unwrap_or(&"x"));
        }
        text
    }
}
