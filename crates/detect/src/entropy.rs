//! Shannon entropy in integers, so that every target finds the same.

/// Fractional bits of a logarithm.
const FRACTION: u32 = 16;

/// log2(`number`) in units of 2⁻¹⁶, rounded down; 0 for 0 and 1. Bit by bit: squaring the mantissa
/// doubles the logarithm (Knuth, The Art of Computer Programming, 1.2.2, exercise 25).
const fn log2(number: u32) -> u64 {
    if number < 2 {
        return 0;
    }
    let whole = number.ilog2();
    // The mantissa, 1 to 2, with 31 fractional bits.
    let mut mantissa = (number as u64) << (31 - whole);
    let mut result = whole as u64;
    let mut bit = 0;
    while bit < FRACTION {
        mantissa = (mantissa * mantissa) >> 31;
        result <<= 1;
        if mantissa >= 1 << 32 {
            mantissa >>= 1;
            result |= 1;
        }
        bit += 1;
    }
    result
}

/// Whether the bytes have at least so many thousandths of a bit of entropy each.
pub(crate) fn reaches(bytes: impl Iterator<Item = u8>, thousandths: u16) -> bool {
    let mut counts = [0u32; 256];
    let mut total = 0u32;
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
            total += 1;
        }
    }
    // n × H = n log n − Σ c log c
    let spread: u64 = counts.iter().map(|count| u64::from(*count) * log2(*count)).sum();
    let entropy = (u64::from(total) * log2(total)).saturating_sub(spread);
    total > 0 && entropy * 1000 >= (u64::from(total) * u64::from(thousandths)) << FRACTION
}

/// Letters or digits that each follow from the one before count up from so many on.
const RUN: usize = 3;

/// Whether two fifths of the bytes or more count up: `abc123def456`, which somebody typed where a key would stand. Of a
/// random key's characters a few do by chance.
pub(crate) fn counts_up(bytes: impl Iterator<Item = u8>) -> bool {
    let (mut total, mut counting, mut run, mut last) = (0, 0, 0, 0u8);
    for byte in bytes {
        total += 1;
        run = if byte.is_ascii_alphanumeric() && byte == last.wrapping_add(1) { run + 1 } else { 1 };
        counting += match run {
            RUN => RUN,
            more if more > RUN => 1,
            _ => 0,
        };
        last = byte;
    }
    counting * 5 >= total * 2 && counting >= 2 * RUN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_keys_count_up_and_drawn_ones_do_not() {
        for typed in ["abc123def456ghi789", "xyz789-klmnopq-345yza-bcd", "ABCDEFghij0123456789aaZZ"] {
            assert!(counts_up(typed.bytes()), "{typed}");
        }
        for drawn in ["q7ZpL0wVx3TnB9sKd2Rf", "9f86d081884c7d659a2feaa0c55ad015", "abc", ""] {
            assert!(!counts_up(drawn.bytes()), "{drawn}");
        }
    }

    #[test]
    fn logarithms_are_right_to_sixteen_bits() {
        for number in 2..5000u32 {
            let exact = f64::from(number).log2() * 65536.0;
            let error = exact - log2(number) as f64;
            assert!((-0.001..1.01).contains(&error), "log2({number}) is off by {error}");
        }
    }

    #[test]
    fn entropy_is_told_by_thousandths() {
        for (text, low, high) in [
            ("aaaaaaaaaaaaaaaa", 0, 1),
            ("abababababababab", 999, 1001),
            ("abcdefghijklmnop", 3999, 4001),
            ("aaab", 811, 812),
        ] {
            assert!(reaches(text.bytes(), low), "{text}");
            assert!(!reaches(text.bytes(), high), "{text}");
        }
        assert!(!reaches(core::iter::empty(), 0));
    }
}
