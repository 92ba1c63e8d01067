//! The language of token patterns: credentials and the like, over the text as it came.
//!
//! ```text
//! abc-          these characters, upper and lower case told apart; \ before an operator
//! [A-Za-z_]     one of these; [^…] one of the others; \d \w \s as usual
//! {m} {m,} {m,n} + ? *    behind a class: so often, as often as there are
//! ```
//! A match begins where no letter or digit stands before it, and takes all that its last class holds.

use alloc::vec::Vec;
use core::{iter::Peekable, str::Chars};

use super::{error::Problem, tables::Class};

/// Bytes that an open repetition takes at most: longer than any credential.
const OPEN: u32 = 4096;

/// A parsed piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Literal(Vec<u8>),
    /// Bytes of a class.
    Repeat {
        /// Which.
        class: Class,
        /// At least.
        min: u32,
        /// At most.
        max: u32,
    },
}

/// Parses a pattern.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse(pattern: &str) -> Result<Vec<Piece>, Problem> {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '[' => {
                let class = class(&mut chars)?;
                let (min, max) = repetition(&mut chars)?;
                pieces.push(Piece::Repeat { class, min, max });
            }
            '\\' => literal(chars.next().ok_or(Problem::Unclosed)?, &mut pieces),
            '+' | '?' | '*' | '{' | '}' | ']' | '(' | ')' | '|' => return Err(Problem::Operator),
            _ => literal(c, &mut pieces),
        }
    }
    if pieces.is_empty() { Err(Problem::Empty) } else { Ok(pieces) }
}

fn literal(c: char, pieces: &mut Vec<Piece>) {
    if !matches!(pieces.last(), Some(Piece::Literal(_))) {
        pieces.push(Piece::Literal(Vec::new()));
    }
    if let Some(Piece::Literal(bytes)) = pieces.last_mut() {
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

fn class(chars: &mut Peekable<Chars<'_>>) -> Result<Class, Problem> {
    let mut class = Class::default();
    let negated = chars.next_if_eq(&'^').is_some();
    loop {
        let low = match chars.next().ok_or(Problem::Unclosed)? {
            ']' => break,
            '\\' => match chars.next().ok_or(Problem::Unclosed)? {
                'd' => {
                    (b'0'..=b'9').for_each(|byte| class.insert(byte));
                    continue;
                }
                'w' => {
                    (0..=127u8).filter(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').for_each(
                        |byte| {
                            class.insert(byte);
                        },
                    );
                    continue;
                }
                's' => {
                    b" \t\r\n".iter().for_each(|byte| class.insert(*byte));
                    continue;
                }
                other => other,
            },
            other => other,
        };
        let low = u8::try_from(low).ok().filter(u8::is_ascii).ok_or(Problem::Class)?;
        let mut ahead = chars.clone();
        if ahead.next() == Some('-') && ahead.peek().is_some_and(|next| *next != ']') {
            chars.next();
            let high = match chars.next().ok_or(Problem::Unclosed)? {
                '\\' => chars.next().ok_or(Problem::Unclosed)?,
                other => other,
            };
            let high = u8::try_from(high).ok().filter(u8::is_ascii).ok_or(Problem::Class)?;
            if high < low {
                return Err(Problem::Class);
            }
            (low..=high).for_each(|byte| class.insert(byte));
        } else {
            class.insert(low);
        }
    }
    if class == Class::default() {
        return Err(Problem::Class);
    }
    Ok(if negated { Class(class.0.map(|word| !word)) } else { class })
}

fn repetition(chars: &mut Peekable<Chars<'_>>) -> Result<(u32, u32), Problem> {
    let Some(operator) = chars.next_if(|c| matches!(c, '+' | '?' | '*' | '{')) else { return Ok((1, 1)) };
    match operator {
        '+' => return Ok((1, OPEN)),
        '?' => return Ok((0, 1)),
        '*' => return Ok((0, OPEN)),
        _ => {}
    }
    let min = number(chars).ok_or(Problem::Repetition)?;
    let max = match chars.next().ok_or(Problem::Unclosed)? {
        '}' => return if min <= OPEN { Ok((min, min)) } else { Err(Problem::TooLong) },
        ',' if chars.peek() == Some(&'}') => OPEN,
        ',' => number(chars).ok_or(Problem::Repetition)?,
        _ => return Err(Problem::Repetition),
    };
    if chars.next() != Some('}') || min > max {
        return Err(Problem::Repetition);
    }
    if max > OPEN { Err(Problem::TooLong) } else { Ok((min, max)) }
}

fn number(chars: &mut Peekable<Chars<'_>>) -> Option<u32> {
    let mut number = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        number = Some(number.unwrap_or(0u32).checked_mul(10)?.checked_add(digit)?);
        chars.next();
    }
    number
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn set(bytes: &[u8]) -> Class {
        let mut class = Class::default();
        bytes.iter().for_each(|byte| class.insert(*byte));
        class
    }

    #[test]
    fn reads_literals_classes_and_repetitions() {
        assert_eq!(
            parse(r"sk-[ab]{2,3}\.[0-2x-]+[\]\-]?T3").unwrap(),
            vec![
                Piece::Literal(b"sk-".to_vec()),
                Piece::Repeat { class: set(b"ab"), min: 2, max: 3 },
                Piece::Literal(b".".to_vec()),
                Piece::Repeat { class: set(b"012x-"), min: 1, max: OPEN },
                Piece::Repeat { class: set(b"]-"), min: 0, max: 1 },
                Piece::Literal(b"T3".to_vec()),
            ]
        );
        let Piece::Repeat { class, min: 5, max: 5 } = parse(r"[^\d\s]{5}").unwrap().remove(0) else {
            panic!("a class five times")
        };
        assert!(
            class.contains(b'a') && class.contains(0xc3) && !class.contains(b'7') && !class.contains(b' ')
        );
    }

    #[test]
    fn says_what_is_wrong() {
        for (pattern, problem) in [
            ("", Problem::Empty),
            ("a+", Problem::Operator),
            ("(a|b)", Problem::Operator),
            ("[a", Problem::Unclosed),
            ("a\\", Problem::Unclosed),
            ("[]", Problem::Class),
            ("[z-a]", Problem::Class),
            ("[é]", Problem::Class),
            ("[a]{x}", Problem::Repetition),
            ("[a]{3,2}", Problem::Repetition),
            ("[a]{9999}", Problem::TooLong),
            ("[a]{99999999999}", Problem::Repetition),
        ] {
            assert_eq!(parse(pattern), Err(problem), "{pattern:?}");
        }
    }
}
