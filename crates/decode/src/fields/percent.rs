//! Percent-encoding as forms use it (WHATWG URL, "application/x-www-form-urlencoded parsing").

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::ops::Range;

use crate::{Problem, ProblemKind};

/// The next byte that `rest` stands for, and how many it is written with. A percent sign without two digits is itself.
fn unit(rest: &[u8]) -> Option<(u8, usize)> {
    let digit = |place: usize| rest.get(place).and_then(|byte| char::from(*byte).to_digit(16));
    match *rest.first()? {
        b'+' => Some((b' ', 1)),
        b'%' => match (digit(1), digit(2)) {
            (Some(high), Some(low)) => u8::try_from(high << 4 | low).ok().map(|byte| (byte, 3)),
            _ => Some((b'%', 1)),
        },
        byte => Some((byte, 1)),
    }
}

/// What a written value stands for; `at` is where it stands in the body.
pub(crate) fn undo(written: &str, at: usize) -> Result<Cow<'_, str>, Problem> {
    if !written.bytes().any(|byte| matches!(byte, b'+' | b'%')) {
        return Ok(Cow::Borrowed(written));
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(written.len()), written.as_bytes());
    while let Some((byte, length)) = unit(rest) {
        bytes.push(byte);
        rest = rest.get(length..).unwrap_or_default();
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        Problem::new(ProblemKind::Encoding, at + written_length(written, valid), "a field that is not UTF-8")
    })
}

/// A value as it is written for a text.
pub(crate) fn written(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => written.push(byte.into()),
            b' ' => written.push('+'),
            _ => {
                let digit = |value: u8| char::from_digit(u32::from(value & 15), 16).unwrap_or('0');
                written.extend(['%', digit(byte >> 4), digit(byte)].map(|c| c.to_ascii_uppercase()));
            }
        }
    }
    written
}

/// How many written bytes stand for the first `decoded` ones.
fn written_length(written: &str, decoded: usize) -> usize {
    let (mut at, mut rest) = (0, written.as_bytes());
    for _ in 0..decoded {
        let Some((_, length)) = unit(rest) else { break };
        at += length;
        rest = rest.get(length..).unwrap_or_default();
    }
    at
}

/// Maps a byte range of the undone text to the written bytes. A character whose bytes lie only partly in the range
/// counts whole; what lies behind the end maps to the end.
pub(crate) fn source(written: &str, text: &str, range: Range<usize>) -> Range<usize> {
    let from = text.floor_char_boundary(range.start.min(text.len()));
    let to =
        text.ceil_char_boundary(range.end.clamp(range.start, text.len().max(range.start)).min(text.len()));
    let start = written_length(written, from);
    if range.end <= range.start || to <= from {
        return start..start;
    }
    let rest = written.get(start..).unwrap_or_default();
    start..start + written_length(rest, to - from)
}
