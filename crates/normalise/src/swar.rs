//! Eight bytes at a time in a `u64`, the first byte lowest, one flag (0x80) a byte as the answer.
//!
//! Portable arithmetic, so that the answer and the speed hold on every target, wasm included.

/// 0x01 in each byte.
pub const ONES: u64 = 0x0101_0101_0101_0101;
/// 0x80 in each byte.
pub const HIGHS: u64 = 0x8080_8080_8080_8080;

/// `byte` in each byte.
#[must_use]
#[inline(always)]
pub const fn splat(byte: u8) -> u64 {
    ONES.wrapping_mul(byte as u64)
}

/// Flags the bytes whose low seven bits are at least `limit` (1 to 0x80).
#[must_use]
#[inline(always)]
pub const fn at_least(word: u64, limit: u8) -> u64 {
    // Seven bits plus at most 0x7f stay inside their byte.
    (word & !HIGHS).wrapping_add(splat(0x80 - limit)) & HIGHS
}

/// Flags the bytes that are ASCII and at least `low`, at most `high`.
#[must_use]
#[inline(always)]
pub const fn between(word: u64, low: u8, high: u8) -> u64 {
    at_least(word, low) & !at_least(word, high + 1) & !word
}

/// Flags the bytes from 0x80 on.
#[must_use]
#[inline(always)]
pub const fn not_ascii(word: u64) -> u64 {
    word & HIGHS
}

/// The word with its ASCII capitals made small.
#[must_use]
#[inline(always)]
pub const fn to_lower(word: u64) -> u64 {
    word | between(word, b'A', b'Z') >> 2
}

/// Flags shifted by one byte, so that each tells about the byte before; the first comes from `carry`
/// (0 or 0x80).
#[must_use]
#[inline(always)]
pub const fn before(flags: u64, carry: u64) -> u64 {
    flags << 8 | carry
}

/// The flag of the last byte, as a carry for [`before`].
#[must_use]
#[inline(always)]
pub const fn carry(flags: u64) -> u64 {
    flags >> 56
}

/// One bit a byte, the first byte lowest, from one flag a byte.
#[must_use]
#[inline(always)]
pub const fn gather(flags: u64) -> u64 {
    // The multiplication moves flag i to bit 56 + i; no two land on the same bit.
    ((flags & HIGHS) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// How many bytes come before the first flagged one; 8 if none is.
#[must_use]
#[inline(always)]
pub const fn first(flags: u64) -> usize {
    (flags.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each_byte(mut check: impl FnMut(u8, usize, u64)) {
        for byte in 0..=255u8 {
            for at in 0..8 {
                let mut bytes = [b'm', 0xff, 0, 0x7f, 0x80, b'Z', b' ', b'~'];
                bytes[at] = byte;
                check(byte, at, u64::from_le_bytes(bytes));
            }
        }
    }

    #[test]
    fn comparisons_hold_for_each_byte_at_each_place() {
        each_byte(|byte, at, word| {
            let flag = 0x80 << (8 * at);
            assert_eq!(between(word, b'a', b'z') & flag != 0, byte.is_ascii_lowercase());
            assert_eq!(not_ascii(word) & flag != 0, byte >= 0x80);
            assert_eq!(to_lower(word).to_le_bytes()[at], byte.to_ascii_lowercase());
            assert_eq!(gather(word) >> at & 1, u64::from(byte >> 7));
        });
    }

    #[test]
    fn the_first_flag_is_counted_from_the_front() {
        assert_eq!(first(0), 8);
        assert_eq!(first(0x80), 0);
        assert_eq!(first(0x8080_0000), 2);
        assert_eq!(carry(HIGHS), 0x80);
        assert_eq!(before(0x80, 0), 0x8000);
    }
}
