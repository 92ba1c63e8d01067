//! Numbers that only the word beside them tells: passports, driving licences, accounts, devices, plates.

use super::{
    context::Context,
    letters::is_device,
    rules,
    text::{Digits, Edges, Gap, Group, Run, edges},
    words,
};
use crate::detector::Sink;

/// Reports the first groups of a run if a word before them says what they are.
pub(super) fn look(bytes: &[u8], run: &Run, context: &mut Context<'_>, sink: &mut Sink<'_>) -> bool {
    let groups = run.groups();
    let Some(first) = groups.first() else { return false };
    let tied: usize =
        groups.iter().skip(1).take_while(|group| matches!(group.gap, Gap::Hyphen | Gap::Space)).count();
    let last = groups.get(tied.min(4)).unwrap_or(first);
    if edges(bytes, first.start, first.end) != Edges::Free && first.gap == Gap::None && groups.len() == 1 {
        return false;
    }
    let mut digits = Digits::default();
    let single = bytes.get(first.start..first.end).unwrap_or_default();
    // Every number comes here, and few are long enough to ask for the words before them.
    let is_short = if first.digits { single.len() < 6 } else { single.len() < 5 };
    if !digits.extend(single) || is_short && (tied == 0 || groups.iter().map(Group::len).sum::<usize>() < 7) {
        return false;
    }
    let hints = context.hints_before(first.start);
    let has = |wanted: u64| hints & wanted != 0;
    let count = digits.len();
    if is_device(digits.values()) && context.hints(first.start, first.end) & words::IMEI != 0 {
        sink.push(rules::IMEI, 900, first.start..first.end);
        return true;
    }
    if has(words::PASSPORT)
        && !is_year(first)
        && (7..=9).contains(&single.len())
        && count >= 6
        && single.len() - count <= 3
    {
        sink.push(rules::PASSPORT, 870, first.start..first.end);
        return true;
    }
    let is_date = matches!(groups, [a, b, ..] if matches!(a.len(), 1 | 2 | 4) && b.len() < 3);
    let licence = !is_date && has(words::DRIVER) && has(words::LICENCE);
    let long: usize = groups.iter().take(tied.min(4) + 1).map(Group::len).sum();
    if licence && ((6..=18).contains(&single.len()) && count >= 4 || tied > 0 && (7..=18).contains(&long)) {
        let end = if (6..=18).contains(&single.len()) { first.end } else { last.end };
        sink.push(rules::LICENCE, 870, first.start..end);
        return true;
    }
    if has(words::BANK) && first.digits && (8..=18).contains(&count) && groups.len() == 1 {
        sink.push(rules::ACCOUNT, 500, first.start..first.end);
        return true;
    }
    if has(words::PLATE) && !first.digits && (5..=8).contains(&single.len()) {
        sink.push(rules::PLATE, 300, first.start..first.end);
    }
    false
}

const fn is_year(group: &Group) -> bool {
    group.len() < 6
}
