//! Sixteen bytes at a time, in the vector registers of the target where it has any: SSE2 of every x86-64, simd128 of
//! wasm, and plain arithmetic elsewhere. The answers are the same on each.

/// Sixteen bytes, or sixteen answers: 0xff for yes, 0 for no.
#[derive(Clone, Copy, Debug)]
pub struct Lanes(Vector);

/// Bytes in [`Lanes`].
pub const WIDTH: usize = 16;

/// Bytes in a block of which each has a bit in a `u64`.
pub const BLOCK: usize = 64;

impl Lanes {
    /// Takes up sixteen bytes.
    #[must_use]
    #[inline(always)]
    pub fn load(bytes: &[u8; WIDTH]) -> Self {
        Self(load(bytes))
    }

    /// Which of them are this byte.
    #[must_use]
    #[inline(always)]
    pub fn equal(self, byte: u8) -> Self {
        Self(equal(self.0, byte))
    }

    /// Which of them are at least `low` and at most `high`.
    #[must_use]
    #[inline(always)]
    pub fn between(self, low: u8, high: u8) -> Self {
        Self(between(self.0, low, high))
    }

    /// Each of them with these bits set: 0x20 makes capitals small, and some signs others.
    #[must_use]
    #[inline(always)]
    pub fn with(self, bits: u8) -> Self {
        Self(with(self.0, bits))
    }

    /// What is in one or in the other.
    #[must_use]
    #[inline(always)]
    pub fn or(self, other: Self) -> Self {
        Self(or(self.0, other.0))
    }

    /// What is in this and not in the other.
    #[must_use]
    #[inline(always)]
    pub fn but(self, other: Self) -> Self {
        Self(but(self.0, other.0))
    }

    /// The highest bit of each byte, the first byte's lowest: of answers, which are yes; of a text's bytes, which are not
    /// ASCII.
    #[must_use]
    #[inline(always)]
    pub fn bits(self) -> u64 {
        bits(self.0)
    }
}

/// One bit for each byte of a block, the first byte's lowest, by an answer about sixteen of them.
#[must_use]
#[inline(always)]
pub fn bits_of(block: &[u8; BLOCK], answer: impl Fn(Lanes) -> Lanes) -> u64 {
    let (parts, _) = block.as_chunks::<WIDTH>();
    (0..).step_by(WIDTH).zip(parts).fold(0, |all, (at, part)| all | answer(Lanes::load(part)).bits() << at)
}

/// The two halves, the first byte of each lowest.
#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "sse2"))))]
#[inline(always)]
fn words(bytes: &[u8; WIDTH]) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *bytes;
    [u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_le_bytes(rest)]
}

#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
use sse2::*;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod sse2 {
    use super::WIDTH;
    use safe_arch::*;

    pub(super) type Vector = m128i;

    #[inline(always)]
    pub(super) fn load(bytes: &[u8; WIDTH]) -> Vector {
        load_unaligned_m128i(bytes)
    }

    #[inline(always)]
    fn splat(byte: u8) -> Vector {
        set_splat_i8_m128i(byte.cast_signed())
    }

    #[inline(always)]
    pub(super) fn equal(lanes: Vector, byte: u8) -> Vector {
        cmp_eq_mask_i8_m128i(lanes, splat(byte))
    }

    #[inline(always)]
    pub(super) fn between(lanes: Vector, low: u8, high: u8) -> Vector {
        let over = sub_i8_m128i(lanes, splat(low));
        cmp_eq_mask_i8_m128i(min_u8_m128i(over, splat(high - low)), over)
    }

    #[inline(always)]
    pub(super) fn with(lanes: Vector, bits: u8) -> Vector {
        bitor_m128i(lanes, splat(bits))
    }

    #[inline(always)]
    pub(super) fn or(one: Vector, other: Vector) -> Vector {
        bitor_m128i(one, other)
    }

    #[inline(always)]
    pub(super) fn but(one: Vector, other: Vector) -> Vector {
        bitandnot_m128i(other, one)
    }

    #[inline(always)]
    pub(super) fn bits(lanes: Vector) -> u64 {
        u64::from(move_mask_i8_m128i(lanes).cast_unsigned())
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use simd128::*;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128 {
    use super::{WIDTH, words};
    use core::arch::wasm32::*;

    pub(super) type Vector = v128;

    #[inline(always)]
    pub(super) fn load(bytes: &[u8; WIDTH]) -> Vector {
        let [low, high] = words(bytes);
        u64x2(low, high)
    }

    #[inline(always)]
    pub(super) fn equal(lanes: Vector, byte: u8) -> Vector {
        u8x16_eq(lanes, u8x16_splat(byte))
    }

    #[inline(always)]
    pub(super) fn between(lanes: Vector, low: u8, high: u8) -> Vector {
        u8x16_le(u8x16_sub(lanes, u8x16_splat(low)), u8x16_splat(high - low))
    }

    #[inline(always)]
    pub(super) fn with(lanes: Vector, bits: u8) -> Vector {
        v128_or(lanes, u8x16_splat(bits))
    }

    #[inline(always)]
    pub(super) fn or(one: Vector, other: Vector) -> Vector {
        v128_or(one, other)
    }

    #[inline(always)]
    pub(super) fn but(one: Vector, other: Vector) -> Vector {
        v128_andnot(one, other)
    }

    #[inline(always)]
    pub(super) fn bits(lanes: Vector) -> u64 {
        u64::from(u8x16_bitmask(lanes))
    }
}

#[cfg(not(any(
    all(target_arch = "x86_64", target_feature = "sse2"),
    all(target_arch = "wasm32", target_feature = "simd128")
)))]
use plain::*;
#[cfg(any(
    test,
    not(any(
        all(target_arch = "x86_64", target_feature = "sse2"),
        all(target_arch = "wasm32", target_feature = "simd128")
    ))
))]
mod plain {
    use super::{WIDTH, words};
    use crate::swar;

    pub(super) type Vector = [u64; 2];

    #[inline(always)]
    pub(super) fn load(bytes: &[u8; WIDTH]) -> Vector {
        words(bytes)
    }

    /// 0xff for each flag.
    #[inline(always)]
    fn full(flags: u64) -> u64 {
        (flags >> 7) * 0xff
    }

    #[inline(always)]
    pub(super) fn equal(lanes: Vector, byte: u8) -> Vector {
        between(lanes, byte, byte)
    }

    /// Of bytes and not of answers: the bounds are ASCII.
    #[inline(always)]
    pub(super) fn between(lanes: Vector, low: u8, high: u8) -> Vector {
        let least = |word: u64| if low == 0 { swar::HIGHS } else { swar::at_least(word, low) };
        lanes.map(|word| full(least(word) & !swar::at_least(word, high + 1) & !word & swar::HIGHS))
    }

    #[inline(always)]
    pub(super) fn with(lanes: Vector, bits: u8) -> Vector {
        lanes.map(|word| word | swar::splat(bits))
    }

    #[inline(always)]
    pub(super) fn or([a, b]: Vector, [c, d]: Vector) -> Vector {
        [a | c, b | d]
    }

    #[inline(always)]
    pub(super) fn but([a, b]: Vector, [c, d]: Vector) -> Vector {
        [a & !c, b & !d]
    }

    #[inline(always)]
    pub(super) fn bits([low, high]: Vector) -> u64 {
        swar::gather(low) | swar::gather(high) << 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each byte at each place among others.
    fn each(mut check: impl FnMut(&[u8; WIDTH], usize)) {
        for byte in 0..=255u8 {
            for at in 0..WIDTH {
                let mut bytes = *b"\0\x1f az\x7f\x80\xff{}[]AZ09";
                bytes[at] = byte;
                check(&bytes, at);
            }
        }
    }

    #[test]
    fn answers_hold_for_each_byte_at_each_place() {
        each(|bytes, at| {
            let lanes = Lanes::load(bytes);
            let yes = |answer: Lanes| answer.bits() >> at & 1 != 0;
            let byte = bytes[at];
            assert_eq!(yes(lanes), !byte.is_ascii());
            assert_eq!(yes(lanes.equal(b'{')), byte == b'{');
            assert_eq!(yes(lanes.between(b'a', b'z')), byte.is_ascii_lowercase());
            assert_eq!(yes(lanes.between(0, b' ')), byte <= b' ');
            assert_eq!(yes(lanes.with(0x20).between(b'a', b'z')), byte.is_ascii_alphabetic());
            let signs = lanes.between(b'!', b'~').but(lanes.between(b'0', b'9').or(lanes.equal(b'z')));
            assert_eq!(yes(signs), byte.is_ascii_graphic() && !byte.is_ascii_digit() && byte != b'z');
        });
    }

    #[test]
    fn plain_arithmetic_gives_the_same_answers() {
        each(|bytes, _| {
            let (lanes, halves) = (Lanes::load(bytes), plain::load(bytes));
            for (from, to) in [(0, b' '), (b'+', b'~'), (b'@', b'@'), (b'[', b']'), (0x7f, 0x7f)] {
                assert_eq!(lanes.between(from, to).bits(), plain::bits(plain::between(halves, from, to)));
            }
            let small = plain::with(halves, 0x20);
            let letters = plain::or(plain::between(small, b'a', b'm'), plain::between(small, b'n', b'z'));
            assert_eq!(lanes.with(0x20).between(b'a', b'z').bits(), plain::bits(letters));
            let signs = plain::but(plain::between(halves, 0, 0x7f), plain::equal(halves, b'z'));
            assert_eq!(lanes.between(0, 0x7f).but(lanes.equal(b'z')).bits(), plain::bits(signs));
            assert_eq!(lanes.bits(), plain::bits(halves));
        });
    }

    #[test]
    fn a_block_has_a_bit_for_each_byte() {
        for at in 0..BLOCK {
            let mut block = [b'.'; BLOCK];
            block[at] = b'x';
            assert_eq!(bits_of(&block, |lanes| lanes.equal(b'x')), 1 << at);
        }
    }
}
