//! The escapes of JSON strings: checking, undoing, and mapping back.

use alloc::string::String;
use core::ops::Range;

use crate::{Problem, ProblemKind};

/// One escape: what it stands for and how many bytes it takes in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Escape {
    /// The character meant.
    pub(crate) character: char,
    /// Its length as written, backslash included: 2, 6 or 12.
    pub(crate) written: usize,
}

/// Reads the escape at the start of `bytes`, which begins with a backslash. Errors carry offsets within `bytes`.
pub(crate) fn escape(bytes: &[u8]) -> Result<Escape, Problem> {
    let character = match bytes.get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(bytes),
        Some(_) => return Err(Problem::new(ProblemKind::Syntax, 1, "an escape that JSON does not have")),
        None => return Err(Problem::new(ProblemKind::Syntax, 1, "the body ends within a string")),
    };
    Ok(Escape { character, written: 2 })
}

/// Reads `\uXXXX`, or the two of them that make a character beyond the basic plane.
fn unicode(bytes: &[u8]) -> Result<Escape, Problem> {
    let lone = Problem::new(ProblemKind::Surrogate, 0, "half of a surrogate pair");
    let first = hex4(bytes, 2)?;
    if let Some(character) = char::from_u32(first) {
        return Ok(Escape { character, written: 6 });
    }
    if first >= 0xDC00 || bytes.get(6) != Some(&b'\\') || bytes.get(7) != Some(&b'u') {
        return Err(lone);
    }
    let second = hex4(bytes, 8)?;
    if !(0xDC00..0xE000).contains(&second) {
        return Err(lone);
    }
    let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
    char::from_u32(code).map(|character| Escape { character, written: 12 }).ok_or(lone)
}

/// Four hexadecimal digits at `at`.
fn hex4(bytes: &[u8], at: usize) -> Result<u32, Problem> {
    let mut code = 0;
    for place in at..at + 4 {
        let digit = match bytes.get(place) {
            Some(byte) => char::from(*byte).to_digit(16),
            None => {
                return Err(Problem::new(ProblemKind::Syntax, bytes.len(), "the body ends within a string"));
            }
        };
        let Some(digit) = digit else {
            return Err(Problem::new(
                ProblemKind::Syntax,
                place,
                "an escape without four hexadecimal digits",
            ));
        };
        code = code << 4 | digit;
    }
    Ok(code)
}

/// The text that a string's inside stands for. Every escape in it has been checked.
pub(crate) fn undo(inside: &str) -> String {
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some((plain, tail)) = next(rest) {
        text.push_str(plain);
        let Ok(found) = escape(tail.as_bytes()) else { break };
        text.push(found.character);
        rest = tail.get(found.written..).unwrap_or_default();
    }
    text.push_str(rest);
    text
}

/// The inside of a string that stands for a text.
pub fn escaped(text: &str) -> String {
    let mut inside = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => inside.push_str("\\\""),
            '\\' => inside.push_str("\\\\"),
            '\n' => inside.push_str("\\n"),
            '\u{0}'..='\u{1f}' => {
                let digit = |value: u32| char::from_digit(value & 15, 16).unwrap_or('0');
                inside.push_str("\\u00");
                inside.extend([digit(character as u32 >> 4), digit(character as u32)]);
            }
            other => inside.push(other),
        }
    }
    inside
}

/// Splits at the next backslash.
fn next(rest: &str) -> Option<(&str, &str)> {
    memchr::memchr(b'\\', rest.as_bytes()).and_then(|at| rest.split_at_checked(at))
}

/// Maps a byte range of the undone text to the bytes of `inside` that it came from. A character whose bytes lie only
/// partly in the range counts whole; what lies behind the end maps to the end.
pub(crate) fn source(inside: &str, text: Range<usize>) -> Range<usize> {
    let end = text.end.max(text.start);
    let mut walk = Walk { inside, at: 0, text: 0 };
    let start = walk.to(text.start, false);
    let stop = if end == text.start { start } else { walk.to(end, true) };
    start..stop
}

/// A walk along a string, in step in the body and in the text.
struct Walk<'a> {
    inside: &'a str,
    at: usize,
    text: usize,
}

impl Walk<'_> {
    /// Goes on to `target` in the text and gives the place in the body: of the start of the character that holds it
    /// or, with `after`, of the end of the character before it.
    fn to(&mut self, target: usize, after: bool) -> usize {
        while self.text < target {
            let rest = self.inside.get(self.at..).unwrap_or_default();
            let plain = memchr::memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
            if plain > 0 {
                let step = whole(rest, plain.min(target - self.text), after);
                if step == 0 {
                    break;
                }
                self.at += step;
                self.text += step;
                if step < plain {
                    break;
                }
                continue;
            }
            let Ok(found) = escape(rest.as_bytes()) else { break };
            let length = found.character.len_utf8();
            if self.text + length > target && !after {
                break;
            }
            self.at += found.written;
            self.text += length;
        }
        self.at
    }
}

/// The nearest character boundary of `text` at or before `at`, or at or after it.
fn whole(text: &str, at: usize, after: bool) -> usize {
    if after { text.ceil_char_boundary(at) } else { text.floor_char_boundary(at) }
}
