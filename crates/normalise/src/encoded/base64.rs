//! Base64 in both alphabets of RFC 4648, padded or not, with or without line breaks (RFC 2045).

use alloc::{string::String, vec::Vec};
use core::ops::Range;

use super::text;

/// Not of the alphabet.
const NONE: u8 = 0xff;

/// Symbols without which a stretch is not looked at: twelve decoded bytes.
pub(super) const SHORTEST: usize = 16;

/// A line shorter than this is not broken base64 but the end of it.
const LINE: usize = 16;

/// Spaces, quotation marks and line breaks between two lines.
const BETWEEN_LINES: usize = 8;

static VALUES: [u8; 256] = values();

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, where a wrong index is an error")]
const fn values() -> [u8; 256] {
    let mut values = [NONE; 256];
    let mut value = 0u8;
    while value < 26 {
        values[b'A' as usize + value as usize] = value;
        values[b'a' as usize + value as usize] = value + 26;
        value += 1;
    }
    value = 0;
    while value < 10 {
        values[b'0' as usize + value as usize] = value + 52;
        value += 1;
    }
    values[b'+' as usize] = 62;
    values[b'-' as usize] = 62;
    values[b'/' as usize] = 63;
    values[b'_' as usize] = 63;
    values
}

pub(super) fn is_symbol(byte: u8) -> bool {
    value(byte) != NONE
}

fn value(byte: u8) -> u8 {
    VALUES.get(usize::from(byte)).copied().unwrap_or(NONE)
}

/// Three bytes from four values.
fn join(values: [u8; 4]) -> [u8; 3] {
    let [a, b, c, d] = values;
    [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]
}

fn group(bytes: &[u8]) -> Option<[u8; 3]> {
    let values = bytes.first_chunk::<4>()?.map(value);
    (!values.contains(&NONE)).then(|| join(values))
}

/// Whether the symbols at the front of `bytes` decode to the beginning of a text.
pub(super) fn sniff(bytes: &[u8]) -> bool {
    let mut decoded = [0; SHORTEST / 4 * 3];
    let mut rest = bytes;
    let (groups, _) = decoded.as_chunks_mut::<3>();
    let mut first = true;
    for into in groups {
        let Some(group) = group(rest) else { return false };
        // Most of what is no text shows in its first three bytes.
        if first && !text::begins_text(&group) {
            return false;
        }
        first = false;
        *into = group;
        rest = rest.get(4..).unwrap_or_default();
    }
    text::begins_text(&decoded)
}

/// Where the text that [`sniff`] found at `start` begins: not before `from`.
pub(super) fn beginning(bytes: &[u8], from: usize, start: usize) -> usize {
    let mut start = start;
    while let Some(earlier) = start.checked_sub(4).filter(|earlier| *earlier >= from) {
        let group = bytes.get(earlier..).and_then(group);
        if !group.is_some_and(|group| group.iter().all(|byte| (b' '..0x7f).contains(byte))) {
            break;
        }
        start = earlier;
    }
    start
}

/// Decodes the stretch that begins at `start`, at most `most` bytes of it. Returns the text, its
/// range, and whether it was cut for being longer.
pub(super) fn decode(bytes: &[u8], start: usize, most: usize) -> (Option<String>, Range<usize>, bool) {
    let mut symbols = Symbols { bytes, at: start, line: start };
    let mut decoded = Vec::new();
    loop {
        if decoded.len() >= most {
            return (text::front(decoded), start..symbols.at, true);
        }
        let mut values = [0; 4];
        let mut count = 0;
        for (into, symbol) in values.iter_mut().zip(&mut symbols) {
            *into = symbol;
            count += 1;
        }
        let whole = count == values.len();
        let group = join(values);
        // One symbol alone holds six bits: no byte.
        decoded.extend_from_slice(group.get(..count * 3 / 4).unwrap_or_default());
        let last = decoded.last().copied().unwrap_or_default();
        if !whole || last < b' ' && !matches!(last, b'\t' | b'\n' | b'\r') {
            break;
        }
    }
    let padding =
        bytes.get(symbols.at..).unwrap_or_default().iter().take(2).take_while(|byte| **byte == b'=');
    (text::front(decoded), start..symbols.at + padding.count(), false)
}

/// The values of a stretch's symbols, over line breaks.
struct Symbols<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the current line began.
    line: usize,
}

impl Iterator for Symbols<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        if value(byte) == NONE {
            self.at = self.next_line()?;
            self.line = self.at;
        }
        let value = value(*self.bytes.get(self.at)?);
        self.at += 1;
        Some(value)
    }
}

impl Symbols<'_> {
    /// Where the stretch goes on behind a line break, if it does: the line was long enough to be
    /// broken, and the next one holds symbols and nothing else.
    fn next_line(&self) -> Option<usize> {
        let rest = self.bytes.get(self.at..)?;
        let gap = rest.iter().take(BETWEEN_LINES).take_while(|byte| b"\r\n\t >".contains(byte)).count();
        let breaks = rest.get(..gap)?.contains(&b'\n');
        if !breaks || self.at - self.line < LINE {
            return None;
        }
        let next = rest.get(gap..)?;
        let length = next.iter().take_while(|byte| is_symbol(**byte)).count();
        let closed = next.get(length).is_none_or(|byte| b"\r\n=\"'`".contains(byte));
        (length > 0 && closed).then_some(self.at + gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_the_vectors_of_the_rfc_in_groups() {
        assert_eq!(group(b"Zm9vYmFy"), Some(*b"foo"));
        assert_eq!(group(b"_-+/"), Some([0xff, 0xef, 0xbf]));
        assert_eq!(group(b"Zm9"), None);
        assert_eq!(group(b"Zm=v"), None);
    }

    #[test]
    fn a_text_found_in_the_middle_is_taken_from_its_beginning() {
        let bytes = b"////aWdub3JlIHRoaXMgdGhpbmc";
        assert!(sniff(&bytes[8..]));
        assert_eq!(beginning(bytes, 0, 8), 4);
    }
}
