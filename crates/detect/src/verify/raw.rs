//! Raw literals, with characters between them.

use core::ops::Range;

use super::{Steps, Text};
use crate::{
    compile::{Tables, tables::Piece},
    search::Hit,
};

/// Ways followed at once. Each is a place where a literal ended; the nearest ones are kept.
const WAYS: usize = 16;

/// What beginning with a posting costs, in steps.
const VERIFY: usize = 6;

pub(super) fn verify(
    raw: u32,
    [piece, literal, offset]: [u16; 3],
    hit: &Hit,
    text: &Text<'_>,
    tables: &Tables,
    steps: &mut Steps,
) -> Option<Range<usize>> {
    let pieces = tables.raws.get(raw as usize)?.pieces.of(&tables.pieces);
    let piece = usize::from(piece);
    let anchor = pieces.get(piece)?;
    let start = (hit.at as usize).checked_sub(usize::from(offset))?;
    let literal = anchor.literals.of(&tables.literals).get(usize::from(literal))?.of(&tables.bytes);
    if !steps.take(VERIFY + literal.len() / 8) || !stands_at(literal, start, text.padded) {
        return None;
    }
    let end = forward(pieces.get(piece + 1..)?, start + literal.len(), text.padded, tables, steps)?;
    let start = backward(pieces.get(..=piece)?, start, text.padded, tables, steps)?;
    Some(start..end)
}

/// Whether the literal stands there. A space stands for a line break too.
fn stands_at(literal: &[u8], start: usize, padded: &[u8]) -> bool {
    let Some(there) = padded.get(start..start + literal.len()) else { return false };
    // Most places are told apart by the first byte.
    if there.first() != literal.first() && literal.first() != Some(&b' ') {
        return false;
    }
    literal.iter().zip(there).all(|(wanted, byte)| wanted == byte || *wanted == b' ' && *byte == b'\n')
}

/// Where the nearest match ends, if the pieces follow.
fn forward(
    pieces: &[Piece],
    from: usize,
    padded: &[u8],
    tables: &Tables,
    steps: &mut Steps,
) -> Option<usize> {
    let mut ends = Ways::from(from);
    for piece in pieces {
        let literals = piece.literals.of(&tables.literals);
        let mut next = Ways::default();
        for end in ends.iter() {
            let window = padded.get(end..).unwrap_or_default();
            let characters = window.iter().enumerate().filter(|(_, byte)| **byte & 0xc0 != 0x80);
            let mut looked_at = 0;
            for (offset, byte) in characters.take(piece.gap as usize + 1) {
                looked_at = offset;
                if !piece.firsts.contains(*byte) {
                    continue;
                }
                let literals = literals.iter().map(|literal| literal.of(&tables.bytes));
                let start = end + offset;
                literals.filter(|literal| stands_at(literal, start, padded)).for_each(|literal| {
                    next.add(start + literal.len());
                });
                if !steps.take(1 + piece.literals.count as usize / 2) {
                    return None;
                }
            }
            if !steps.take(4 + looked_at / 2) {
                return None;
            }
        }
        ends = next;
    }
    ends.iter().min()
}

/// Where the nearest match begins, if the pieces go before. The last of `pieces` is the anchor, whose gap lies before
/// it.
fn backward(
    pieces: &[Piece],
    from: usize,
    padded: &[u8],
    tables: &Tables,
    steps: &mut Steps,
) -> Option<usize> {
    let mut starts = Ways::from(from);
    for pair in pieces.windows(2).rev() {
        let [piece, later] = pair else { break };
        let literals = piece.literals.of(&tables.literals);
        let mut next = Ways::default();
        for start in starts.iter() {
            let window = padded.get(..start).unwrap_or_default();
            // A character ends where the next one begins.
            let begins = |end: &usize| padded.get(*end).is_some_and(|byte| *byte & 0xc0 != 0x80);
            let mut looked_at = 0;
            for end in (0..=window.len()).rev().filter(begins).take(later.gap as usize + 1) {
                looked_at = window.len() - end;
                let last = end.checked_sub(1).and_then(|last| window.get(last));
                if !last.is_some_and(|last| piece.lasts.contains(*last)) {
                    continue;
                }
                for literal in literals.iter().map(|literal| literal.of(&tables.bytes)) {
                    if let Some(start) = end.checked_sub(literal.len())
                        && stands_at(literal, start, padded)
                    {
                        next.add(start);
                    }
                }
                if !steps.take(1 + literals.len() / 2) {
                    return None;
                }
            }
            if !steps.take(4 + looked_at / 2) {
                return None;
            }
        }
        starts = next;
    }
    starts.iter().max()
}

/// Places that are followed at once, the first ones found.
#[derive(Default)]
struct Ways {
    places: [usize; WAYS],
    count: usize,
}

impl Ways {
    fn from(place: usize) -> Self {
        let mut ways = Self::default();
        ways.add(place);
        ways
    }

    fn add(&mut self, place: usize) {
        if self.iter().any(|known| known == place) {
            return;
        }
        if let Some(into) = self.places.get_mut(self.count) {
            *into = place;
            self.count += 1;
        }
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        self.places.iter().take(self.count).copied()
    }
}
