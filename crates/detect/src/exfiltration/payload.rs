//! Whether a piece of an address carries data in an encoding.

use alloc::vec::Vec;

/// Characters of an encoding from which on it may hold something worth sending.
const SHORTEST: usize = 20;
/// Characters of one that is not readable, above the 64 of a SHA-256 in hexadecimal digits, which
/// addresses carry as the version of what they name.
const OPAQUE: usize = 72;

/// What a piece of an address carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// Nothing that looks encoded.
    None,
    /// Something encoded that does not decode to text: encrypted, compressed, or a signature.
    Opaque,
    /// Names and values, once decoded.
    Record,
    /// Text, once decoded.
    Readable,
}

/// Judges a path segment or the value of a parameter.
pub(super) fn of(piece: &[u8], decoded: &mut Vec<u8>) -> Payload {
    if piece
        .get(..3)
        .is_some_and(|front| front.eq_ignore_ascii_case(b"%7b") || front.eq_ignore_ascii_case(b"%5b"))
    {
        unescape(piece, decoded);
        return if is_record(decoded) { Payload::Record } else { Payload::None };
    }
    let piece = piece.split(|byte| matches!(byte, b'=' | b'.' | b',')).next().unwrap_or_default();
    let padded = piece.windows(3).position(|three| three.eq_ignore_ascii_case(b"%3d"));
    let piece = piece.get(..padded.unwrap_or(piece.len())).unwrap_or_default();
    if piece.len() < SHORTEST {
        return Payload::None;
    }
    if (hex(piece, decoded) || base64(piece, decoded)) && is_text(decoded) {
        return Payload::Readable;
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"+_-".contains(byte);
    let mixed = piece.iter().any(u8::is_ascii_digit) && piece.iter().any(u8::is_ascii_alphabetic);
    let slug = piece.iter().filter(|byte| b"+_-".contains(byte)).count() * 8 > piece.len();
    if piece.len() >= OPAQUE && piece.iter().all(plain) && mixed && !slug {
        return Payload::Opaque;
    }
    Payload::None
}

/// The number of words in the value of a parameter, where it is written with `+` or `%20` between them.
pub(super) fn words(value: &[u8], decoded: &mut Vec<u8>) -> usize {
    // Eight words take more than sixteen bytes.
    if value.len() < 16 {
        return 0;
    }
    unescape(value, decoded);
    decoded.split(|byte| *byte == b' ').filter(|word| is_word(word)).count()
}

/// Undoes the encoding of a query.
fn unescape(value: &[u8], decoded: &mut Vec<u8>) {
    decoded.clear();
    let mut rest = value;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        decoded.push(match (byte, behind) {
            (b'+', _) => b' ',
            (b'%', [high, low, behind @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    rest = behind;
                    high << 4 | low
                }
                _ => b'%',
            },
            _ => *byte,
        });
    }
}

/// Whether a text is a record of names and values in JSON. Charts are drawn from such, too.
fn is_record(text: &[u8]) -> bool {
    let pairs = text.windows(2).filter(|two| *two == b"\":").count();
    let drawn = super::contains(text, b"\"type\"") || super::contains(text, b"\"labels\"");
    pairs >= 2 && !drawn
}

fn is_word(word: &[u8]) -> bool {
    let letters = word.iter().filter(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
    !word.is_empty() && word.len() <= 24 && letters * 4 >= word.len() * 3
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Decodes pairs of hexadecimal digits; `false` if it is something else.
pub(super) fn hex(piece: &[u8], decoded: &mut Vec<u8>) -> bool {
    decoded.clear();
    let (pairs, odd) = piece.as_chunks::<2>();
    for [high, low] in pairs {
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else { return false };
        decoded.push(high << 4 | low);
    }
    odd.is_empty()
}

/// Decodes base64 in either alphabet, without its padding; `false` if it is something else.
fn base64(piece: &[u8], decoded: &mut Vec<u8>) -> bool {
    decoded.clear();
    let (mut bits, mut count) = (0u32, 0u32);
    for byte in piece {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return false,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.push((bits >> count & 0xff) as u8);
        }
    }
    true
}

/// Whether decoded bytes are something a person wrote or a program printed for one. An address within an
/// address is how proxies for pictures work.
fn is_text(decoded: &[u8]) -> bool {
    let front = decoded.trim_ascii_start();
    let proxied = super::starts_with(front, b"http")
        || super::starts_with(front, b"{\"alg")
        || super::starts_with(front, b"{\"typ");
    let Ok(text) = core::str::from_utf8(decoded) else { return false };
    let printed = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 1).count();
    !proxied && words >= 3 && text.chars().all(printed) && ordinary(text)
}

/// Random bytes are printable by chance only when they are few; those are told by their signs.
fn ordinary(text: &str) -> bool {
    let all = text.chars().count();
    let common = text.chars().filter(|c| c.is_alphanumeric() || " \n.,:;=-_@'\"{}/?!()".contains(*c)).count();
    common * 100 >= all * 95
}
