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

/// The same for digits of which each pair has its own `0x` before it: `0x480x69`.
pub(super) fn decode_marked(bytes: &[u8], most: usize) -> Option<(String, usize, bool)> {
    let byte = |four: &[u8; 4]| match four {
        [b'0', b'x' | b'X', high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let (fours, _) = bytes.as_chunks::<4>();
    if fours.len() < SHORTEST / 2 || !fours.iter().take(SNIFFED).all(|four| byte(four).is_some()) {
        return None;
    }
    let decoded: Vec<u8> = fours.iter().map_while(byte).collect();
    let (taken, cut) = (decoded.len(), decoded.len() > most);
    let decoded = decoded.get(..most.min(taken)).unwrap_or_default();
    text::begins_text(decoded.get(..SNIFFED)?).then_some(())?;
    Some((text::front(decoded.to_vec())?, taken * 4, cut))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_may_have_its_own_mark() {
        let marked: String = "Hi there, you two".bytes().map(|byte| alloc::format!("0x{byte:02X}")).collect();
        let expected = Some(("Hi there, you two".into(), marked.len(), false));
        assert_eq!(decode_marked(marked.as_bytes(), 100), expected);
        assert_eq!(decode_marked(b"0x480x690x480x69", 100), None, "too short");
        assert_eq!(decode_marked("0x01".repeat(20).as_bytes(), 100), None, "no text");
        assert!(decode_marked(marked.as_bytes(), 9).is_some_and(|(text, _, cut)| cut && text.len() == 9));
    }
}
