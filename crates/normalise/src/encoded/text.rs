//! Whether decoded bytes are a text.

use alloc::{string::String, vec::Vec};

/// Fewer bytes say nothing that could be an instruction.
pub(super) const SHORTEST: usize = 8;

/// Whether the bytes could begin a text: UTF-8, cut off at the end at most, and no control characters
/// but white space.
pub(super) fn begins_text(bytes: &[u8]) -> bool {
    match core::str::from_utf8(bytes) {
        Ok(text) => text.chars().all(is_plain),
        Err(error) if error.error_len().is_some() => false,
        Err(error) => bytes
            .get(..error.valid_up_to())
            .and_then(|valid| core::str::from_utf8(valid).ok())
            .is_some_and(|text| text.chars().all(is_plain)),
    }
}

/// The text at the front of the bytes, up to what cannot be one, if it is worth a look.
pub(super) fn front(mut bytes: Vec<u8>) -> Option<String> {
    if let Err(error) = core::str::from_utf8(&bytes) {
        bytes.truncate(error.valid_up_to());
    }
    let mut text = String::from_utf8(bytes).ok()?;
    if let Some(end) = text.find(|c| !is_plain(c)) {
        text.truncate(end);
    }
    (text.len() >= SHORTEST && says_something(&text)).then_some(text)
}

/// Whether a text is without control characters, and letters for a good part.
pub(crate) fn says_something(text: &str) -> bool {
    text.chars().all(is_plain)
        && text.chars().filter(|c| c.is_alphabetic()).count() * 5 >= text.chars().count() * 2
}

fn is_plain(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r') || !c.is_control()
}
