//! What to search for in place of a token pattern.
//!
//! The search runs over comparable text, so it looks for the literal in lower case; the pattern itself
//! is then compared with the text as it came.

use super::{
    anchor::{Anchor, raw_anchors},
    frequency::Frequencies,
    keys::{LONG, Place},
    tables::{Class, Element, Laid},
    words::is_word_byte,
};

/// The cheapest anchor: in which element, at which byte of its literal.
pub(super) fn anchor(
    elements: &[Element],
    laid: &Laid,
    frequencies: &Frequencies,
) -> Option<(usize, usize, Anchor)> {
    let shortest: usize = elements.iter().map(shortest).sum();
    let literals = elements.iter().enumerate().filter_map(|(at, element)| match element {
        Element::Literal(literal) => Some((at, literal.of(&laid.bytes).to_ascii_lowercase())),
        Element::Repeat { .. } => None,
    });
    literals
        .flat_map(|(at, text)| {
            let behind = elements.get(at + 1).and_then(|element| Repeat::of(element, laid));
            let in_words = word_anchor(&text, at == 0, behind, shortest, frequencies);
            let in_symbols = raw_anchors(&text).filter(|(_, anchor)| !has_space(anchor)).min_by_key(cost);
            [in_words, in_symbols]
                .into_iter()
                .flatten()
                .min_by_key(cost)
                .map(|(offset, anchor)| (at, offset, anchor))
        })
        .min_by_key(|(_, _, anchor)| anchor.cost)
}

fn cost((_, anchor): &(usize, Anchor)) -> u32 {
    anchor.cost
}

/// White space may come out of normalisation as another.
fn has_space(anchor: &Anchor) -> bool {
    anchor.key.to_le_bytes().iter().any(|byte| matches!(byte, b' ' | b'\n'))
}

fn shortest(element: &Element) -> usize {
    match element {
        Element::Literal(literal) => literal.count as usize,
        Element::Repeat { min, .. } => *min as usize,
    }
}

/// What stands behind a literal, if that is a class.
#[derive(Clone, Copy)]
pub(super) struct Repeat {
    class: Class,
    min: u32,
}

impl Repeat {
    fn of(element: &Element, laid: &Laid) -> Option<Self> {
        match element {
            Element::Repeat { class, min, .. } => {
                Some(Self { class: laid.classes.get(*class as usize).copied()?, min: *min })
            }
            Element::Literal(_) => None,
        }
    }

    /// Whether it takes bytes that belong to a word.
    fn is_of_words(self) -> bool {
        (0..=255u8).any(|byte| self.class.contains(byte) && !is_separator(byte))
    }

    /// Whether it takes bytes that belong to no word.
    fn breaks(self) -> bool {
        (0..=255u8).any(|byte| self.class.contains(byte) && is_separator(byte))
    }
}

/// The best word in a literal: one that surely begins where it does, since the token begins there or a
/// character of no word stands before it.
pub(super) fn word_anchor(
    text: &[u8],
    first: bool,
    behind: Option<Repeat>,
    shortest: usize,
    frequencies: &Frequencies,
) -> Option<(usize, Anchor)> {
    let mut best: Option<(usize, Anchor)> = None;
    let mut before_is_word = !first;
    for (offset, byte) in text.iter().enumerate() {
        let begins = is_word_byte(*byte) && !before_is_word;
        before_is_word = is_word_byte(*byte);
        if !begins {
            continue;
        }
        let rest = text.get(offset..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| is_word_byte(**byte)).count();
        let whole = length < rest.len() || !may_go_on(behind);
        let word = rest.get(..length).unwrap_or_default();
        let place = match length {
            _ if whole => Place::Word,
            8.. => Place::Word,
            4.. => Place::Prefix,
            2.. if first && long_word(behind, shortest) => Place::Long,
            _ => continue,
        };
        // Long words are rare, so that two bytes will do.
        let cost = if place == Place::Long { 5 } else { frequencies.of_word(word, whole) };
        let anchor = Anchor::new(place, word, cost);
        if best.as_ref().is_none_or(|(_, best)| anchor.cost < best.cost) {
            best = Some((offset, anchor));
        }
    }
    best
}

/// Whether what stands behind a literal may lengthen its last word. Nothing is asked of what follows a literal.
fn may_go_on(behind: Option<Repeat>) -> bool {
    behind.is_none_or(Repeat::is_of_words)
}

/// Whether a token that begins with a short literal surely is one long word.
fn long_word(behind: Option<Repeat>, shortest: usize) -> bool {
    let long = LONG as usize;
    shortest >= long && behind.is_some_and(|behind| !behind.breaks() && behind.min as usize + 2 >= long)
}

/// Whether a byte of the source ends a word in comparable text.
fn is_separator(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric()
}
