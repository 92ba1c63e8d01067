//! Hexadecimal digits, two a byte.

use alloc::{string::String, vec::Vec};

use super::text;

/// Digits without which a stretch is not looked at: a dozen decoded bytes.
pub(super) const SHORTEST: usize = 24;

/// Decoded bytes that decide whether to go on.
const SNIFFED: usize = 8;

/// Decodes the digits at the front of `bytes`, at most `most` bytes of them. Returns the text, how
/// many bytes of the source it took, and whether it was cut for being longer. `None` if there are too
/// few digits, or what they give is no text.
pub(super) fn decode(bytes: &[u8], most: usize) -> Option<(String, usize, bool)> {
    let head = bytes.get(..SHORTEST)?;
    if !head.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let mut decoded = Vec::new();
    let (pairs, _) = bytes.get(..digits)?.as_chunks::<2>();
    for [high, low] in pairs {
        if decoded.len() == SNIFFED && !text::begins_text(&decoded) {
            return None;
        }
        if decoded.len() == most {
            break;
        }
        decoded.push(digit(*high)? << 4 | digit(*low)?);
    }
    let cut = decoded.len() < pairs.len();
    Some((text::front(decoded)?, digits, cut))
}

/// The value of a hexadecimal digit.
pub(super) fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
