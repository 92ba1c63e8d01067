//! Base85: Ascii85 as Adobe writes it, and the alphabet of RFC 1924 that programs use.

use alloc::{string::String, vec::Vec};

use super::{Counts, Reading};
use crate::{encoded::text, transform::Transform};

/// Symbols without which a piece is not looked at: sixteen decoded bytes.
const SHORTEST: usize = 20;

static RFC_1924: &[u8; 85] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";

pub(super) fn read(stretch: &str, counts: &Counts) -> Reading {
    // One symbol in eight, at least, is no letter and no digit.
    if counts.symbols * 10 < counts.graphic() {
        return None;
    }
    let piece = stretch.split_whitespace().max_by_key(|piece| piece.len())?.trim_matches(['"', '\'']);
    let piece = piece.strip_prefix("<~").map_or(piece, |inner| inner.trim_end_matches("~>"));
    if piece.len() < SHORTEST {
        return None;
    }
    let ascii85 = |symbol: u8| symbol.checked_sub(b'!').filter(|value| *value < 85);
    let rfc =
        |symbol: u8| RFC_1924.iter().position(|known| *known == symbol).and_then(|at| u8::try_from(at).ok());
    [decode(piece, ascii85), decode(piece, rfc)]
        .into_iter()
        .flatten()
        .find(|text| text::says_something(text))
        .map(|text| (Transform::Base85, text))
}

fn decode(piece: &str, value: impl Fn(u8) -> Option<u8>) -> Option<String> {
    let mut decoded = Vec::with_capacity(piece.len());
    for group in piece.as_bytes().chunks(5) {
        let mut number = 0u64;
        for place in 0..5 {
            // The last group is filled up with the highest symbol.
            let digit = group.get(place).map_or(Some(84), |symbol| value(*symbol))?;
            number = number * 85 + u64::from(digit);
        }
        let bytes = u32::try_from(number).ok()?.to_be_bytes();
        decoded.extend_from_slice(bytes.get(..group.len().checked_sub(1)?)?);
    }
    String::from_utf8(decoded).ok()
}
