//! Dates of birth and postal addresses: what many texts hold and few are about, so both are hints.

use super::{
    check::{day, number},
    context::Context,
    rules,
    text::{Digits, Run},
    words,
};
use crate::detector::Sink;

/// Reports a date beside a word about birth, and a house or post number beside a street.
pub(super) fn look(bytes: &[u8], run: &Run, context: &mut Context<'_>, sink: &mut Sink<'_>) {
    let groups = run.groups();
    let Some(first) = groups.first() else { return };
    if let [a, b, c, ..] = groups {
        let mut digits = Digits::default();
        for group in [a, b, c] {
            if !group.digits || !digits.extend(bytes.get(group.start..group.end).unwrap_or_default()) {
                return;
            }
        }
        let values = digits.values();
        let (x, y) = (a.len(), a.len() + b.len());
        let year = |from: usize, length: usize| length == 2 || matches!(number(values, from, 4), 1890..=2030);
        let is_date = match (a.len(), b.len(), c.len()) {
            (4, 1 | 2, 1 | 2) => year(0, 4) && day(number(values, x, b.len()), number(values, y, c.len())),
            (1 | 2, 1 | 2, 2 | 4) => {
                let (p, q) = (number(values, 0, x), number(values, x, b.len()));
                year(y, c.len()) && (day(p, q) || day(q, p))
            }
            _ => false,
        };
        if is_date && context.hints_before(a.start) & words::BIRTH != 0 {
            sink.push(rules::BIRTH, 250, a.start..c.end);
        }
        return;
    }
    // A house number, then a street's word; or a post code near one.
    let is_house = first.len() < 4 || first.len() == 5;
    if first.digits
        && groups.len() == 1
        && is_house
        && capital_behind(bytes, first.end)
        && context.hints(first.start, first.end) & words::ADDRESS != 0
    {
        sink.push(rules::ADDRESS, 250, first.start..first.end);
    }
}

/// Whether a word with a capital follows after a space.
fn capital_behind(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at..), Some([b' ', b'A'..=b'Z' | 0xc3.., ..] | [b',', b' ', b'A'..=b'Z', ..]))
}
