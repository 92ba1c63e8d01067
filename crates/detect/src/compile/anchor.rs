//! What to search for in place of a pattern: the part of it that ordinary text holds least often.

use alloc::vec::Vec;

use super::{
    frequency::{self, Frequencies},
    keys::{Place, TAIL, literal_key},
    phrase::Part,
    plan_token,
    tables::{Alternative, Laid, List, Word},
    words,
};

/// Something to search for, and how often it would be met for nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchor {
    pub(super) place: Place,
    pub(super) key: u64,
    /// Bytes that stand there, up to white space; the key is their beginning.
    pub(super) length: usize,
    pub(super) cost: u32,
}

impl Anchor {
    pub(super) fn new(place: Place, text: &[u8], cost: u32) -> Self {
        let length = text.iter().take_while(|byte| !matches!(byte, b' ' | b'\n')).count();
        Self { place, key: literal_key(text, place.width()), length, cost }
    }
}

/// How many words a match can span at most.
pub(super) fn reach(parts: &[Part]) -> usize {
    let span = |part: &Part| match part {
        Part::Gap { most, .. } => usize::from(*most),
        Part::Item { alternatives, .. } => alternatives.iter().map(Vec::len).max().unwrap_or(0),
    };
    parts.iter().map(span).sum()
}

/// The rarest word of each alternative: its number and what to search for. `None` if one of them has none to search
/// for.
pub(super) fn anchors(list: List, laid: &Laid, frequencies: &Frequencies) -> Option<Vec<(usize, Anchor)>> {
    let rarest = |sequence: &Alternative| {
        let words = sequence.of(&laid.words).iter().enumerate();
        let anchors =
            words.filter_map(|(at, word)| Some((at, word_anchor(*word, &laid.bytes, frequencies)?)));
        anchors.min_by_key(|(_, anchor)| anchor.cost)
    };
    list.of(&laid.alternatives).iter().map(rarest).collect()
}

fn word_anchor(word: Word, bytes: &[u8], frequencies: &Frequencies) -> Option<Anchor> {
    let place = match word.length {
        _ if word.whole => Place::Word,
        8.. => Place::Word,
        4.. => Place::Prefix,
        _ => return None,
    };
    let text = word.text(bytes);
    Some(Anchor::new(place, text, frequencies.of_word(text, word.whole)))
}

/// The cheapest place in a raw literal where a search may begin.
pub(super) fn literal_anchor(text: &[u8], frequencies: &Frequencies) -> Option<(usize, Anchor)> {
    // A literal without symbols may still hold a word that begins behind a space.
    let in_words = plan_token::word_anchor(text, false, None, 0, frequencies);
    in_words.into_iter().chain(raw_anchors(text)).min_by_key(|(_, anchor)| anchor.cost)
}

/// Each place in a raw literal where a search may begin.
pub(super) fn raw_anchors(text: &[u8]) -> impl Iterator<Item = (usize, Anchor)> {
    let symbols = text.iter().enumerate().filter(|(_, byte)| words::is_symbol_byte(**byte));
    symbols.filter_map(move |(symbol, _)| {
        let (place, offset) = match (text.len() - symbol, symbol.checked_sub(TAIL)) {
            (6.., _) => (Place::Raw6, symbol),
            (3.., _) => (Place::Raw3, symbol),
            (_, Some(before)) => (Place::Tail, before),
            (2, None) => (Place::Raw2, symbol),
            (_, None) => (Place::Raw1, symbol),
        };
        let rest = text.get(offset..)?;
        let compared = rest.get(..place.width())?;
        Some((offset, Anchor::new(place, rest, frequency::of_raw(compared))))
    })
}
