//! Tokens: credentials and the like, on the text as it came.

use core::ops::Range;

use super::{Steps, Text};
use crate::{
    checksum::{self, Proof},
    compile::{
        Tables,
        tables::{Class, Element, Token},
    },
    entropy, passing,
    search::Hit,
};

/// Places before an anchor at which a token is tried to begin.
const TRIES: usize = 8;

/// What beginning with a posting costs, in steps.
const VERIFY: usize = 5;

pub(super) fn verify(
    token: u32,
    element: u16,
    offset: u16,
    hit: &Hit,
    text: &Text<'_>,
    tables: &Tables,
    steps: &mut Steps,
) -> Option<Range<usize>> {
    let token = tables.tokens.get(token as usize)?;
    let elements = token.elements.of(&tables.elements);
    let before = elements.get(..usize::from(element))?;
    let place = hit.at as usize;
    let anchor = text.normalised.source_range(place..place + 1).start.checked_sub(usize::from(offset))?;
    let Element::Literal(literal) = elements.get(usize::from(element))? else { return None };
    let literal = literal.of(&tables.bytes);
    if !steps.take(VERIFY + literal.len() / 8) || !text.source.get(anchor..)?.starts_with(literal) {
        return None;
    }
    let earliest = earliest(before, anchor, text.source, tables, steps)?;
    let starts = (earliest..=anchor).filter(|start| begins(text.source, *start));
    for start in starts.take(TRIES) {
        if let Some(end) = matches(elements, start, text.source, tables, steps)
            && end > anchor
            && holds(token, elements, start..end, text.source, tables)
        {
            return Some(start..end);
        }
        if before.is_empty() || steps.is_exhausted() {
            break;
        }
    }
    None
}

/// Whether a token may begin here: not within a word.
fn begins(source: &[u8], start: usize) -> bool {
    start
        .checked_sub(1)
        .and_then(|before| source.get(before))
        .is_none_or(|byte| !byte.is_ascii_alphanumeric())
}

/// Where a token may begin at the earliest, if the bytes up to `anchor` are to be of `before`.
fn earliest(
    before: &[Element],
    anchor: usize,
    source: &[u8],
    tables: &Tables,
    steps: &mut Steps,
) -> Option<usize> {
    let mut most = 0usize;
    let mut class = Class::default();
    for element in before {
        match element {
            Element::Literal(literal) => {
                let literal = literal.of(&tables.bytes);
                most = most.saturating_add(literal.len());
                literal.iter().for_each(|byte| class.insert(*byte));
            }
            Element::Repeat { class: repeated, max, .. } => {
                most = most.saturating_add(*max as usize);
                let repeated = tables.classes.get(*repeated as usize)?;
                for (into, word) in class.0.iter_mut().zip(repeated.0) {
                    *into |= word;
                }
            }
        }
    }
    let reach = source.get(anchor.saturating_sub(most)..anchor)?;
    let count = reach.iter().rev().take_while(|byte| class.contains(**byte)).count();
    steps.take(count / 4).then_some(anchor - count)
}

/// Where the elements end if they match from `start` on, each taking all it can.
fn matches(
    elements: &[Element],
    start: usize,
    source: &[u8],
    tables: &Tables,
    steps: &mut Steps,
) -> Option<usize> {
    let mut at = start;
    for element in elements {
        let rest = source.get(at..)?;
        match element {
            Element::Literal(literal) => {
                let literal = literal.of(&tables.bytes);
                if !steps.take(1) || !rest.starts_with(literal) {
                    return None;
                }
                at += literal.len();
            }
            Element::Repeat { class, min, max } => {
                let class = tables.classes.get(*class as usize)?;
                let count = rest.iter().take(*max as usize).take_while(|byte| class.contains(**byte)).count();
                if !steps.take(1 + count / 4) || count < *min as usize {
                    return None;
                }
                at += count;
            }
        }
    }
    // The last class would have taken more: a longer thing of another kind.
    if let Some(Element::Repeat { class, .. }) = elements.last() {
        let class = tables.classes.get(*class as usize)?;
        if source.get(at).is_some_and(|byte| class.contains(*byte)) {
            return None;
        }
    }
    Some(at)
}

/// Whether a match shows what its form alone does not prove.
fn holds(token: &Token, elements: &[Element], range: Range<usize>, source: &[u8], tables: &Tables) -> bool {
    let Some(matched) = source.get(range.clone()) else { return false };
    let is_placeholder = token.stopwords.of(&tables.stopwords).iter().any(|word| {
        let word = word.of(&tables.bytes);
        !word.is_empty() && matched.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
    });
    if is_placeholder {
        return false;
    }
    if passing::is_masked(source, &range) || passing::is_file_name(source, &range) {
        return false;
    }
    match token.checksum.map(|checksum| checksum::prove(checksum, matched)) {
        Some(Proof::Foreign) => return false,
        Some(Proof::Wrong) if passing::is_called_example(source, &range) => return false,
        _ => {}
    }
    token.min_entropy == 0
        || !entropy::counts_up(varying(elements, matched, tables))
            && entropy::reaches(varying(elements, matched, tables), token.min_entropy)
}

/// The bytes of a match that classes took.
fn varying<'a>(
    elements: &'a [Element],
    matched: &'a [u8],
    tables: &'a Tables,
) -> impl Iterator<Item = u8> + 'a {
    let mut rest = matched;
    elements.iter().flat_map(move |element| {
        let (count, counts) = match element {
            Element::Literal(literal) => (literal.count as usize, false),
            Element::Repeat { class, max, .. } => {
                let class = tables.classes.get(*class as usize).copied().unwrap_or_default();
                (rest.iter().take(*max as usize).take_while(|byte| class.contains(**byte)).count(), true)
            }
        };
        let (taken, behind) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        rest = behind;
        taken.iter().copied().filter(move |_| counts)
    })
}
