//! What kind each byte of a text is, 64 bytes at a time, one bit a byte.
//!
//! By vector instructions where the target has any, wasm included; the crate `wide` names them without `unsafe`, and
//! stands in for them where there are none.

use wide::i8x16;

/// What is asked of 64 bytes of comparable text, the first byte lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Masks {
    /// The bytes of words: [`is_word_byte`](crate::compile::words::is_word_byte).
    pub(crate) words: u64,
    /// The places where a raw literal may be anchored: [`is_symbol_byte`](crate::compile::words::is_symbol_byte).
    pub(crate) symbols: u64,
}

impl Masks {
    /// Those of a block.
    #[inline(always)]
    pub(crate) fn of(block: &[u8; 64]) -> Self {
        let (quarters, _) = block.as_chunks::<16>();
        let mut masks = Self::default();
        for (place, quarter) in quarters.iter().enumerate() {
            let bytes = i8x16::new(quarter.map(u8::cast_signed));
            let known = between(bytes, b'a', b'z') | between(bytes, b'0', b'9');
            let printable = between(bytes, b'!', b'~');
            // The highest bit of each byte is what a mask is made of.
            let first_of_several = bytes & (bytes + bytes);
            masks.words |= bits(known | bytes) << (16 * place);
            masks.symbols |= bits(printable & !known | first_of_several) << (16 * place);
        }
        masks
    }
}

/// The bytes from `low` to `high`, each as -1.
#[inline(always)]
fn between(bytes: i8x16, low: u8, high: u8) -> i8x16 {
    // The lowest of them becomes the lowest number there is, and the others follow.
    let shifted = bytes + i8x16::splat(0x80u8.wrapping_sub(low).cast_signed());
    shifted.simd_lt(i8x16::splat(0x81u8.wrapping_add(high - low).cast_signed()))
}

#[inline(always)]
fn bits(bytes: i8x16) -> u64 {
    u64::from(bytes.to_bitmask() & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::words::{is_symbol_byte, is_word_byte};

    #[test]
    fn every_byte_has_its_bit_at_every_place() {
        for byte in 0..=255u8 {
            for at in 0..64 {
                let mut block = [b' '; 64];
                block[at] = byte;
                let bit = |is: bool| u64::from(is) << at;
                let masks = Masks { words: bit(is_word_byte(byte)), symbols: bit(is_symbol_byte(byte)) };
                assert_eq!(Masks::of(&block), masks, "{byte:#x} at {at}");
            }
        }
    }
}
