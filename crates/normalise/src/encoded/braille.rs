//! Braille cells of Unicode (U+2800 to U+28FF), a letter each as in uncontracted English Braille.

use alloc::{string::String, vec::Vec};

use memchr::memmem;

use super::{View, put};
use crate::{budget::Budget, transform::Transform};

/// Fewer cells are a drawing or a spinner.
const FEWEST: usize = 8;

/// The cells of a to z: dot n is bit n - 1.
static CELLS: [u8; 26] = [
    0x01, 0x03, 0x09, 0x19, 0x11, 0x0b, 0x1b, 0x13, 0x0a, 0x1a, 0x05, 0x07, 0x0d, 0x1d, 0x15, 0x0f, 0x1f,
    0x17, 0x0e, 0x1e, 0x25, 0x27, 0x3a, 0x2d, 0x3d, 0x35,
];

pub(super) fn views(source: &str, budget: &mut Budget, out: &mut Vec<View>) {
    // U+2800 to U+283F, of which letters are made.
    let Some(first) = memmem::find(source.as_bytes(), b"\xe2\xa0") else { return };
    // A capital may have been left as it is.
    let before = source
        .as_bytes()
        .get(..first)
        .unwrap_or_default()
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count();
    let first = first - before;
    let rest = source.get(first..).unwrap_or_default();
    let mut text = String::new();
    let mut end = first;
    let mut letters = 0;
    for (at, c) in rest.char_indices() {
        match c {
            '\u{2800}' => text.push(' '),
            '\u{2801}'..='\u{28ff}' => {
                let cell = u32::from(c) - 0x2800;
                let letter = (b'a'..).zip(CELLS).find(|(_, dots)| u32::from(*dots) == cell);
                if let Some((letter, _)) = letter {
                    text.push(char::from(letter));
                    letters += 1;
                }
            }
            _ if c.is_ascii() => text.push(c),
            _ => continue,
        }
        if text.len() > budget.bytes {
            budget.exhausted = true;
            return;
        }
        end = first + at + c.len_utf8();
    }
    if letters >= FEWEST && letters * 2 >= text.len() {
        put(Transform::Braille, first..end, text, budget, out);
    }
}
