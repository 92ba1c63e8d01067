//! Raw literals, with characters between them.

use alloc::vec::Vec;
use core::ops::Range;

use super::{Steps, Text};
use crate::{
    compile::{Tables, tables::Piece},
    search::Hit,
};

/// Ways followed at once. Each is a place where a literal ended; the nearest ones are kept.
const WAYS: usize = 16;

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
    if !steps.take(1 + literal.len() / 8) || !stands_at(literal, start, text.padded) {
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

fn forward(
    pieces: &[Piece],
    from: usize,
    padded: &[u8],
    tables: &Tables,
    steps: &mut Steps,
) -> Option<usize> {
    let mut ends = Vec::from([from]);
    for piece in pieces {
        let literals = piece.literals.of(&tables.literals);
        let mut next = Vec::new();
        for end in ends {
            for start in within(piece.gap, end, true, padded) {
                if !steps.take(1 + literals.len() / 4) {
                    return None;
                }
                for literal in literals.iter().map(|literal| literal.of(&tables.bytes)) {
                    let end = start + literal.len();
                    if next.len() < WAYS && !next.contains(&end) && stands_at(literal, start, padded) {
                        next.push(end);
                    }
                }
            }
        }
        ends = next;
    }
    ends.into_iter().min()
}

/// `pieces` ends with the anchor, whose gap lies before it.
fn backward(
    pieces: &[Piece],
    from: usize,
    padded: &[u8],
    tables: &Tables,
    steps: &mut Steps,
) -> Option<usize> {
    let mut starts = Vec::from([from]);
    for pair in pieces.windows(2).rev() {
        let [piece, later] = pair else { break };
        let literals = piece.literals.of(&tables.literals);
        let mut next = Vec::new();
        for start in starts {
            for end in within(later.gap, start, false, padded) {
                if !steps.take(1 + literals.len() / 4) {
                    return None;
                }
                for literal in literals.iter().map(|literal| literal.of(&tables.bytes)) {
                    let Some(start) = end.checked_sub(literal.len()) else { continue };
                    if next.len() < WAYS && !next.contains(&start) && stands_at(literal, start, padded) {
                        next.push(start);
                    }
                }
            }
        }
        starts = next;
    }
    starts.into_iter().max()
}

/// The places at most `gap` characters from `at`, `at` itself first.
fn within(gap: u32, at: usize, forward: bool, padded: &[u8]) -> impl Iterator<Item = usize> {
    let is_boundary = |at: usize| padded.get(at).is_some_and(|byte| *byte & 0xc0 != 0x80);
    let mut next = Some(at);
    let mut left = gap;
    core::iter::from_fn(move || {
        let current = next?;
        next = None;
        if left > 0 {
            left -= 1;
            let mut moved = current;
            loop {
                moved = if forward { moved + 1 } else { moved.checked_sub(1).unwrap_or(usize::MAX) };
                if moved >= padded.len() {
                    break;
                }
                if is_boundary(moved) {
                    next = Some(moved);
                    break;
                }
            }
        }
        Some(current)
    })
}
