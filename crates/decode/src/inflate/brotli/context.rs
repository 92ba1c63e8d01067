//! The contexts of literals (RFC 7932, section 7.1), computed instead of looked up.

/// The context of a literal in this mode behind these bytes, the last one first.
pub(super) fn context(mode: u32, last: u8, before: u8) -> usize {
    let context = match mode {
        0 => last & 63,
        1 => last >> 2,
        2 => utf8_last(last) | utf8_before(before),
        _ => magnitude(last) << 3 | magnitude(before),
    };
    context.into()
}

/// What a byte is to the literal behind it: `Lut0` of the RFC.
const fn utf8_last(byte: u8) -> u8 {
    match byte {
        b'\t' | b'\n' | b'\r' => 4,
        0..=31 | 127 => 0,
        b' ' => 8,
        b'"' => 16,
        b'%' => 20,
        b'\'' => 16,
        b'(' | b'<' | b'[' | b'{' => 24,
        b')' | b'>' | b']' | b'}' => 28,
        b',' | b':' | b';' => 32,
        b'.' => 36,
        b'!' | b'#'..=b'/' | b'?'..=b'@' | b'\\'..=b'`' | b'|' | b'~' => 12,
        b'=' => 40,
        b'0'..=b'9' => 44,
        b'A' | b'E' | b'I' | b'O' | b'U' => 48,
        b'A'..=b'Z' => 52,
        b'a' | b'e' | b'i' | b'o' | b'u' => 56,
        b'a'..=b'z' => 60,
        128..=191 => byte & 1,
        192..=255 => 2 | byte & 1,
    }
}

/// What a byte is to the literal after the next: `Lut1` of the RFC.
const fn utf8_before(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' | b'A'..=b'Z' => 2,
        b'a'..=b'z' => 3,
        b'!'..=b'~' => 1,
        224..=255 => 2,
        _ => 0,
    }
}

/// How large a byte is as a signed number: `Lut2` of the RFC.
const fn magnitude(byte: u8) -> u8 {
    match byte {
        0 => 0,
        1..=15 => 1,
        16..=63 => 2,
        64..=127 => 3,
        128..=191 => 4,
        192..=239 => 5,
        240..=254 => 6,
        255 => 7,
    }
}
