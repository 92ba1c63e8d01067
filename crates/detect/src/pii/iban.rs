//! International bank account numbers: ISO 13616, with the lengths of the SWIFT IBAN registry.

use super::{
    rules,
    text::{byte, byte_before, word_end},
};
use crate::detector::Sink;

/// Country and length.
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// Reports the number that begins at `start`; returns where it ends.
pub(super) fn look(bytes: &[u8], start: usize, end: usize, sink: &mut Sink<'_>) -> Option<usize> {
    let [a, b, c, d, ..] = bytes.get(start..end)? else { return None };
    if !(a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && c.is_ascii_digit() && d.is_ascii_digit()) {
        return None;
    }
    let country = [a.to_ascii_uppercase(), b.to_ascii_uppercase()];
    let (_, length) = LENGTHS.iter().find(|(known, _)| **known == country)?;
    if matches!(byte_before(bytes, start), b'_' | b'/' | b'=' | b'-') {
        return None;
    }
    // Groups of four with single spaces or hyphens, or none.
    let mut number = [0u8; 34];
    let (mut at, mut len) = (start, 0);
    while len < *length {
        let next = byte(bytes, at);
        if next.is_ascii_alphanumeric() {
            *number.get_mut(len)? = next.to_ascii_uppercase();
            len += 1;
        } else if !matches!(next, b' ' | b'-') || !byte(bytes, at + 1).is_ascii_alphanumeric() {
            return None;
        }
        at += 1;
    }
    let number = number.get(..len)?;
    if word_end(bytes, at) != at || byte(bytes, at) == b'_' || !mod_97(number) {
        return None;
    }
    sink.push(rules::IBAN, 950, start..at);
    Some(at)
}

/// ISO/IEC 7064, MOD 97-10, the first four characters behind the others, letters as 10 to 35.
fn mod_97(number: &[u8]) -> bool {
    let Some((head, body)) = number.split_at_checked(4) else { return false };
    let remainder = body.iter().chain(head).fold(0u32, |remainder, byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte.saturating_sub(b'A')) + 10) % 97,
    });
    remainder == 1
}
