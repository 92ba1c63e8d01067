//! Identity, tax and insurance numbers made of digits alone, by country.
//!
//! Each has a length, the groupings it is written in, and what its check digits or its date must show.
//! Those whose check leaves many numbers through are taken only beside a word that names them.

mod africa_asia;
mod americas_pacific;
mod europe;

use super::{
    check::{sequential, uniform},
    context::{Context, Hints},
    text::{Edges, Gap},
    words,
};

/// What it takes beside a right check digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: a date and a check digit, or as much.
    Nothing,
    /// One of its groupings, or a word that names it.
    Form,
    /// A word that names it, or one of its groupings and a word that means any such number.
    Name,
}

/// A kind of number.
pub(super) struct National {
    pub(super) rule: usize,
    pub(super) digits: usize,
    /// The lengths of the groups, in each of the ways it is written other than as one group.
    pub(super) forms: &'static [&'static [u8]],
    pub(super) check: fn(&[u8]) -> bool,
    pub(super) need: Need,
    /// The words that name it.
    pub(super) names: Hints,
}

/// A number with its own name beside it.
const NAMED: u16 = 920;
/// One that proves itself by its form.
const PROVEN: u16 = 860;
/// One that a general word stands beside.
const LIKELY: u16 = 830;

/// A candidate as it stands in the text.
pub(super) struct Candidate<'a> {
    pub(super) values: &'a [u8],
    /// Lengths of the groups.
    pub(super) form: &'a [u8],
    pub(super) gap: Gap,
    pub(super) edges: Edges,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The rule and weight of the most likely kind of number that this is.
pub(super) fn judge(candidate: &Candidate<'_>, context: &mut Context<'_>) -> Option<(usize, u16)> {
    let values = candidate.values;
    if candidate.edges == Edges::Within || is_round(values) || sequential(values) {
        return None;
    }
    let mut best = None;
    let tables = [europe::KINDS, americas_pacific::KINDS, africa_asia::KINDS];
    for kind in tables.iter().flat_map(|table| table.iter()) {
        if kind.digits != values.len() {
            continue;
        }
        let grouped = kind.forms.contains(&candidate.form);
        if !grouped && candidate.form.len() > 1 || !(kind.check)(values) {
            continue;
        }
        let hints = context.hints(candidate.start, candidate.end);
        let general = words::ID | words::TAX | words::SOCIAL;
        let distinct = grouped && candidate.gap != Gap::Space;
        let weight = match kind.need {
            _ if hints & kind.names != 0 => NAMED,
            Need::Nothing if candidate.edges == Edges::Free => PROVEN,
            Need::Form if distinct && candidate.edges == Edges::Free => PROVEN,
            Need::Nothing if hints & general != 0 => LIKELY,
            Need::Form | Need::Name if grouped && hints & general != 0 => LIKELY,
            _ => continue,
        };
        if best.is_none_or(|(_, most)| weight > most) {
            best = Some((kind.rule, weight));
        }
    }
    best
}

/// Amounts, and numbers that somebody typed for an example: few different digits, or zeros at the end.
fn is_round(values: &[u8]) -> bool {
    let distinct = (0..10u8).filter(|digit| values.contains(digit)).count();
    let zeros = values.iter().rev().take_while(|digit| **digit == 0).count();
    let quads = values.windows(4).filter(|quad| uniform(quad)).count();
    distinct < 3 || zeros > 4 || quads > 1
}

/// A kind, written short.
pub(super) const fn kind(
    rule: usize,
    digits: usize,
    forms: &'static [&'static [u8]],
    check: fn(&[u8]) -> bool,
    need: Need,
    names: Hints,
) -> National {
    National { rule, digits, forms, check, need, names }
}
