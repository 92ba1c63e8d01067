//! The language of phrase patterns.
//!
//! ```text
//! word           this word                       word*     a word that begins so
//! <a|b c|d*>     one of these words or phrases   [a|b c]   the same, or nothing
//! ..N            up to N words between           ..N!      the same, over the ends of sentences
//! ="text"        these very characters           ="a" ..N ="b"   N characters between
//! =<a|b c>       one of these raw literals, for scripts that put no spaces between words
//! ```
//! Words and raw literals stand over the comparable text, so patterns are normalised as texts are.
//! White space and punctuation between words count for nothing; a space in a raw literal matches a line
//! break too. In a raw literal `\"`, `\\` and `\n` are escapes.

use alloc::{string::String, vec, vec::Vec};

use normalise::Normalised;

use super::{error::Problem, words};

/// Words that a gap may span: the whole pattern has to fit a window of 64.
const MAX_GAP: u32 = 60;
/// Characters between two raw literals.
const MAX_RAW_GAP: u32 = 400;

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Words.
    Words(Vec<Part>),
    /// Raw literals of which one stands in each place, with the characters that may stand before it.
    Raw(Vec<(u32, Vec<Vec<u8>>)>),
}

/// A part of a pattern of words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Up to so many words; with `cross`, over the end of a sentence.
    Gap {
        /// Words at most.
        most: u8,
        /// Whether a sentence may end.
        cross: bool,
    },
    /// One of several sequences of words.
    Item {
        /// The sequences.
        alternatives: Vec<Vec<Word>>,
        /// Whether it may be left out.
        optional: bool,
    },
}

/// A word, normalised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word {
    /// Its bytes.
    pub text: Vec<u8>,
    /// Whether the word ends there.
    pub whole: bool,
}

/// Bytes of a word that may go on. One would be any word with that letter.
const SHORTEST_STEM: usize = 2;

enum Element<'a> {
    Gap(u32, bool),
    Alternatives(&'a str, bool),
    Raw(Vec<String>),
    Plain(&'a str),
}

/// Parses a pattern.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse(pattern: &str) -> Result<Pattern, Problem> {
    let mut elements = Vec::new();
    let mut rest = pattern.trim();
    while !rest.is_empty() {
        let (element, behind) = element(rest)?;
        elements.push(element);
        rest = behind.trim_start();
    }
    match (elements.first(), elements.last()) {
        (None, _) | (_, None) => return Err(Problem::Empty),
        (Some(Element::Gap(..)), _) | (_, Some(Element::Gap(..))) => return Err(Problem::Gap),
        _ => {}
    }
    if elements.iter().any(|element| matches!(element, Element::Raw(_))) {
        raw(elements)
    } else {
        Ok(Pattern::Words(parts(&elements)?))
    }
}

fn element(text: &str) -> Result<(Element<'_>, &str), Problem> {
    if let Some(rest) = text.strip_prefix("..") {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = rest.split_at_checked(digits).ok_or(Problem::Gap)?;
        let number = number.parse().map_err(|_| Problem::Gap)?;
        let (cross, rest) = rest.strip_prefix('!').map_or((false, rest), |rest| (true, rest));
        return Ok((Element::Gap(number, cross), rest));
    }
    if let Some(rest) = text.strip_prefix("=\"") {
        return quoted(rest);
    }
    if let Some(rest) = text.strip_prefix("=<") {
        let (inside, rest) = rest.split_once('>').ok_or(Problem::Unclosed)?;
        return Ok((Element::Raw(inside.split('|').map(String::from).collect()), rest));
    }
    for (open, close, optional) in [('<', '>', false), ('[', ']', true)] {
        if let Some(rest) = text.strip_prefix(open) {
            let (inside, rest) = rest.split_once(close).ok_or(Problem::Unclosed)?;
            return Ok((Element::Alternatives(inside, optional), rest));
        }
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).ok_or(Problem::Empty)?;
    Ok((Element::Plain(word), rest))
}

fn quoted(text: &str) -> Result<(Element<'_>, &str), Problem> {
    let mut literal = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok((Element::Raw(vec![literal]), chars.as_str())),
            '\\' => match chars.next().ok_or(Problem::Unclosed)? {
                'n' => literal.push('\n'),
                other => literal.push(other),
            },
            _ => literal.push(c),
        }
    }
    Err(Problem::Unclosed)
}

fn raw(elements: Vec<Element<'_>>) -> Result<Pattern, Problem> {
    let mut pieces = Vec::new();
    let mut gap = 0;
    for element in elements {
        match element {
            Element::Gap(number, _) => gap += number,
            Element::Raw(texts) => {
                let texts: Vec<_> = texts.iter().map(|text| normalised(text)).collect();
                if texts.iter().any(Vec::is_empty) {
                    return Err(Problem::Empty);
                }
                if gap > MAX_RAW_GAP {
                    return Err(Problem::Gap);
                }
                pieces.push((gap, texts));
                gap = 0;
            }
            Element::Alternatives(..) | Element::Plain(_) => return Err(Problem::Mixed),
        }
    }
    Ok(Pattern::Raw(pieces))
}

fn parts(elements: &[Element<'_>]) -> Result<Vec<Part>, Problem> {
    let mut parts = Vec::new();
    let mut plain = Vec::new();
    for element in elements {
        if let Element::Plain(text) = element {
            plain.extend(sequence(text)?);
            continue;
        }
        flush(&mut plain, &mut parts);
        match element {
            Element::Gap(number, cross) if *number <= MAX_GAP => {
                parts.push(Part::Gap {
                    most: u8::try_from(*number).map_err(|_| Problem::Gap)?,
                    cross: *cross,
                });
            }
            Element::Alternatives(inside, optional) => {
                let alternatives = inside.split('|').map(sequence).collect::<Result<_, _>>()?;
                parts.push(Part::Item { alternatives, optional: *optional });
            }
            _ => return Err(Problem::Gap),
        }
    }
    flush(&mut plain, &mut parts);
    Ok(parts)
}

fn flush(plain: &mut Vec<Word>, parts: &mut Vec<Part>) {
    if !plain.is_empty() {
        parts.push(Part::Item { alternatives: vec![core::mem::take(plain)], optional: false });
    }
}

/// The words of one alternative, which may be a phrase.
fn sequence(text: &str) -> Result<Vec<Word>, Problem> {
    let mut sequence = Vec::new();
    for written in text.split_whitespace() {
        let (stem, whole) = written.strip_suffix('*').map_or((written, true), |stem| (stem, false));
        let stem = normalised(stem);
        let mut words: Vec<_> = words::split(&stem)
            .into_iter()
            .filter_map(|range| stem.get(range))
            .map(|word| Word { text: word.to_vec(), whole: true })
            .collect();
        let last = words.last_mut().ok_or(Problem::NoWord)?;
        last.whole = whole;
        if !whole && last.text.len() < SHORTEST_STEM {
            return Err(Problem::ShortStem);
        }
        sequence.extend(words);
    }
    if sequence.is_empty() { Err(Problem::NoWord) } else { Ok(sequence) }
}

fn normalised(text: &str) -> Vec<u8> {
    let mut normalised = Normalised::default();
    normalised.set(text);
    normalised.bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Word {
        let (text, whole) = text.strip_suffix('*').map_or((text, true), |text| (text, false));
        Word { text: text.as_bytes().to_vec(), whole }
    }

    fn item(alternatives: &[&[&str]], optional: bool) -> Part {
        let alternatives = alternatives.iter().map(|words| words.iter().map(|text| word(text)).collect());
        Part::Item { alternatives: alternatives.collect(), optional }
    }

    #[test]
    fn reads_each_form_of_element() {
        let pattern = parse("Pay  attention <a|b C|de*> ..4 [please|now] ..2! Don’t").unwrap();
        assert_eq!(
            pattern,
            Pattern::Words(vec![
                item(&[&["pay", "attention"]], false),
                item(&[&["a"], &["b", "c"], &["de*"]], false),
                Part::Gap { most: 4, cross: false },
                item(&[&["please"], &["now"]], true),
                Part::Gap { most: 2, cross: true },
                item(&[&["don", "t"]], false),
            ])
        );
    }

    #[test]
    fn reads_raw_literals() {
        let raw = |pieces: &[(u32, &str)]| {
            let literals = |texts: &str| texts.split('/').map(|text| text.as_bytes().to_vec()).collect();
            Pattern::Raw(pieces.iter().map(|(gap, texts)| (*gap, literals(texts))).collect())
        };
        assert_eq!(parse(r#"="<|IM_start|>""#), Ok(raw(&[(0, "<|im_start|>")])));
        assert_eq!(parse(r#"="\"role\"" ..3 ="\nSystem:""#), Ok(raw(&[(0, "\"role\""), (3, "\nsystem:")])));
        assert_eq!(parse("=\"忽略\" ..4 =\"指令\""), Ok(raw(&[(0, "忽略"), (4, "指令")])));
        assert_eq!(parse("=<忽略|无视> ..4 =<指令>"), Ok(raw(&[(0, "忽略/无视"), (4, "指令")])));
    }

    #[test]
    fn says_what_is_wrong() {
        for (pattern, problem) in [
            ("", Problem::Empty),
            ("=\"\"", Problem::Empty),
            ("..3 a", Problem::Gap),
            ("a ..3", Problem::Gap),
            ("a ..61 b", Problem::Gap),
            ("a ..x b", Problem::Gap),
            ("a <b|c", Problem::Unclosed),
            ("a [b", Problem::Unclosed),
            ("=\"abc", Problem::Unclosed),
            ("=<a|b", Problem::Unclosed),
            ("=<a||b>", Problem::Empty),
            ("a - b", Problem::NoWord),
            ("<a||b>", Problem::NoWord),
            ("*", Problem::NoWord),
            ("a b*", Problem::ShortStem),
            ("a =\"b\"", Problem::Mixed),
        ] {
            assert_eq!(parse(pattern), Err(problem), "{pattern:?}");
        }
    }
}
