//! The words of a comparable text, told by single bytes.

use alloc::vec::Vec;
use core::ops::Range;

use normalise::swar;

/// Whether a byte of comparable text belongs to a word. All that is not ASCII does: see [`normalise`].
pub const fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte >= 0x80
}

/// [`is_word_byte`] for eight bytes at once, as flags.
#[inline(always)]
pub const fn word_flags(eight: u64) -> u64 {
    let letter = swar::at_least(eight, b'a') & !swar::at_least(eight, b'z' + 1);
    let digit = swar::at_least(eight, b'0') & !swar::at_least(eight, b'9' + 1);
    letter | digit | swar::not_ascii(eight)
}

/// Whether a raw literal may be anchored at a byte: printable ASCII that is of no word, and the first byte of each
/// character outside ASCII.
pub const fn is_symbol_byte(byte: u8) -> bool {
    byte >= 0xc0 || byte.is_ascii_graphic() && !is_word_byte(byte)
}

/// The words in comparable text, as ranges.
pub fn split(text: &[u8]) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, byte) in text.iter().enumerate() {
        match (is_word_byte(*byte), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                words.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        words.push(from..text.len());
    }
    words
}
