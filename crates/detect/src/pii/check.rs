//! Check digits. Each function takes the digits as values, the check digits among them.

/// The sum of products. What is longer counts only as far as the shorter goes.
pub(super) fn weighted(digits: &[u8], weights: &[u8]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * u32::from(*weight)).sum()
}

/// The digit at a place; 0 outside.
pub(super) fn digit(digits: &[u8], at: usize) -> u32 {
    digits.get(at).copied().unwrap_or(0).into()
}

/// The digits from `from` on for `count` as one number.
pub(super) fn number(digits: &[u8], from: usize, count: usize) -> u64 {
    let part = digits.iter().skip(from).take(count);
    part.fold(0u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(*digit)))
}

/// ISO/IEC 7812-1, annex B.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(*digit);
            if place % 2 == 0 { digit } else { digit * 2 % 10 + digit / 5 }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// ISO/IEC 7064, MOD 11,10.
pub(super) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let mut product = 10u32;
    for digit in body {
        let sum = (u32::from(*digit) + product) % 10;
        product = if sum == 0 { 10 } else { sum } * 2 % 11;
    }
    (11 - product) % 10 == u32::from(*check)
}

/// The dihedral group D5 (Verhoeff, Error Detecting Decimal Codes, 1969).
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    // A product in D5: rotations are 0 to 4, reflections 5 to 9.
    let product = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b) % 5,
        (false, true) => 5 + (a + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    const STEP: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let mut check = 0;
    for (place, digit) in digits.iter().rev().enumerate() {
        let mut permuted = u32::from(*digit);
        for _ in 0..place % 8 {
            permuted = STEP.get(permuted as usize).copied().unwrap_or(0);
        }
        check = product(check, permuted);
    }
    check == 0
}

/// A day that may be a birthday; the month and day alone, in any year.
pub(super) fn day(month: u64, day: u64) -> bool {
    let days = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// Whether all digits are the same.
pub(super) fn uniform(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| matches!(pair, [a, b] if a == b))
}

/// Whether each digit is one more than the one before, or one less, 0 behind 9.
pub(super) fn sequential(digits: &[u8]) -> bool {
    let steps = |step: u8| digits.windows(2).all(|pair| matches!(pair, [a, b] if (*a + step) % 10 == *b));
    steps(1) || steps(9)
}
