//! Base64 of short texts, into a buffer of the caller's.

/// Decodes what stands at the beginning of `bytes`, in either alphabet (RFC 4648), up to the first byte of none; what
/// finds no room is left out.
pub(crate) fn decode<'a>(bytes: &[u8], room: &'a mut [u8]) -> &'a [u8] {
    let (mut bits, mut held, mut len) = (0u32, 0, 0);
    for byte in bytes {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            let Some(place) = room.get_mut(len) else { break };
            *place = u8::try_from(bits >> held & 0xff).unwrap_or(0);
            len += 1;
        }
    }
    room.get(..len).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_both_alphabets_up_to_the_padding() {
        for (text, expected) in
            [("aGk/aGk+", "hi?hi>"), ("aGk_aGk-", "hi?hi>"), ("YQ==", "a"), ("", ""), ("=", "")]
        {
            assert_eq!(decode(text.as_bytes(), &mut [0; 8]), expected.as_bytes(), "{text}");
        }
        assert_eq!(decode(b"YWJjZGVm", &mut [0; 4]), b"abcd");
    }
}
