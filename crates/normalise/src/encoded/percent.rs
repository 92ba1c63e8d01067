//! URL percent-encoding (RFC 3986), with `+` for a space as forms write it.

use alloc::vec::Vec;
use core::ops::Range;

use memchr::memchr;

use super::{View, hex::digit, put, text};
use crate::{budget::Budget, transform::Transform};

/// Fewer escapes than this are left as they are.
const FEWEST: usize = 2;

/// Times that a stretch is decoded.
const LAYERS: usize = 3;

pub(super) fn views(source: &str, budget: &mut Budget, out: &mut Vec<View>) {
    let bytes = source.as_bytes();
    let mut from = 0;
    while let Some(found) = memchr(b'%', bytes.get(from..).unwrap_or_default()) {
        let percent = from + found;
        if escape(bytes, percent).is_none() {
            from = percent + 1;
            continue;
        }
        let range = stretch(bytes, from, percent);
        from = range.end;
        let (mut decoded, escapes, cut) = decode(bytes.get(range.clone()).unwrap_or_default(), budget.bytes);
        if escapes < FEWEST {
            continue;
        }
        budget.exhausted |= cut;
        // The percent signs may have been encoded again.
        for _ in 1..LAYERS {
            let (again, escapes, _) = decode(&decoded, usize::MAX);
            if escapes < FEWEST {
                break;
            }
            decoded = again;
        }
        if let Some(text) = text::front(decoded) {
            put(Transform::Url, range, text, budget, out);
        }
    }
}

fn escape(bytes: &[u8], at: usize) -> Option<u8> {
    match bytes.get(at..)?.first_chunk::<3>()? {
        [b'%', high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}

/// The run without white space or quotation marks that holds the escape at `percent`.
fn stretch(bytes: &[u8], from: usize, percent: usize) -> Range<usize> {
    let inside = |byte: &u8| byte.is_ascii_graphic() && !b"\"'<>`()[]{}".contains(byte);
    let before = bytes.get(from..percent).unwrap_or_default();
    let after = bytes.get(percent..).unwrap_or_default();
    percent - before.iter().rev().take_while(|byte| inside(byte)).count()
        ..percent + after.iter().take_while(|byte| inside(byte)).count()
}

fn decode(bytes: &[u8], most: usize) -> (Vec<u8>, usize, bool) {
    let mut decoded = Vec::new();
    let mut escapes = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if decoded.len() >= most {
            return (decoded, escapes, true);
        }
        if let Some(value) = escape(bytes, at) {
            decoded.push(value);
            escapes += 1;
            at += 3;
        } else {
            decoded.push(if *byte == b'+' { b' ' } else { *byte });
            at += 1;
        }
    }
    (decoded, escapes, false)
}
