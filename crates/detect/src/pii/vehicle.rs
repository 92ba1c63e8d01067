//! Vehicles: identification numbers, and number plates beside a word that says so.

use super::{context::Context, rules, words};
use crate::detector::Sink;

/// ISO 3779: seventeen of these, with the check digit of 49 CFR 565 in ninth place where there is one.
pub(super) fn vin(
    upper: &[u8],
    whole: &[u8],
    start: usize,
    context: &mut Context<'_>,
    sink: &mut Sink<'_>,
) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    if whole.len() != 17
        || !whole.iter().rev().take(4).all(u8::is_ascii_digit)
        || whole.iter().all(u8::is_ascii_digit)
    {
        return false;
    }
    let value = |byte: &u8| match byte {
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        b'A'..=b'H' => Some(u32::from(byte - b'A') + 1),
        b'J'..=b'N' => Some(u32::from(byte - b'J') + 1),
        b'P' => Some(7),
        b'R' => Some(9),
        b'S'..=b'Z' => Some(u32::from(byte - b'S') + 2),
        _ => None,
    };
    let mut sum = 0;
    for (byte, weight) in upper.iter().zip(WEIGHTS) {
        let Some(value) = value(byte) else { return false };
        sum += value * weight;
    }
    let check = upper
        .get(8)
        .and_then(value)
        .filter(|_| !upper.get(8).is_some_and(|byte| byte.is_ascii_alphabetic() && *byte != b'X'));
    let proven = if upper.get(8) == Some(&b'X') { sum % 11 == 10 } else { check == Some(sum % 11) };
    let named = context.hints(start, start + 17) & words::VIN != 0;
    let weight = match (named, proven) {
        (true, _) => 850,
        (false, true) => 600,
        (false, false) => return false,
    };
    sink.push(rules::VIN, weight, start..start + 17);
    true
}
