//! Telephone numbers: international ones by the plan of their country (ITU-T E.164), national ones by
//! their grouping and by a word near them.

mod plans;

use super::{
    Setting,
    check::{day, number, sequential, uniform},
    context::Context,
    rules,
    text::{Digits, Edges, Gap, Group, Run, byte_before, edges},
    words,
};
use crate::detector::Sink;

/// An international number, or one with a word beside it.
const SURE: u16 = 850;
/// A grouping that little else has.
const LIKELY: u16 = 600;
/// A number that is used in films, manuals and tests.
const FICTION: u16 = 450;

/// Reports the telephone numbers in a run of groups. `true` if there is one.
pub(super) fn look(
    bytes: &[u8],
    run: &Run,
    setting: Setting,
    context: &mut Context<'_>,
    sink: &mut Sink<'_>,
) -> bool {
    let groups = run.groups();
    let (Some(first), Some(last)) = (groups.first(), groups.last()) else { return false };
    let mut digits = Digits::default();
    let mut count = 0;
    for group in groups {
        // The extension belongs to the number and not to its length.
        let is_room = group.digits && digits.len() + group.len() <= 15;
        if !is_room || !digits.extend(bytes.get(group.start..group.end).unwrap_or_default()) {
            break;
        }
        count += 1;
    }
    let taken = groups.get(..count).unwrap_or_default();
    let Some(end) = taken.last().map(|group| group.end) else { return false };
    // Six digits are few, and some towns have no more: 33 93 31.
    if !(6..=15).contains(&digits.len()) {
        return false;
    }
    let start = first.start;
    let plus = byte_before(bytes, start) == b'+'
        || byte_before(bytes, start) == b'(' && byte_before(bytes, start - 1) == b'+';
    let whole = count == groups.len() || last.end == end;
    let stands = match byte_before(bytes, start) {
        b'-' => Edges::Within,
        _ => edges(bytes, start, run.end()),
    };
    let number = Number { groups: taken, values: digits.values(), plus, whole, stands };
    let Some(weight) = number.weight(start, end, context) else { return false };
    sink.push(rules::PHONE, setting.contact(weight), start - usize::from(plus)..end);
    weight >= LIKELY
}

struct Number<'a> {
    groups: &'a [Group],
    values: &'a [u8],
    plus: bool,
    whole: bool,
    stands: Edges,
}

impl Number<'_> {
    fn weight(&self, start: usize, end: usize, context: &mut Context<'_>) -> Option<u16> {
        if self.stands == Edges::Within || uniform(self.values) {
            return None;
        }
        if self.plus {
            return plans::is_international(self.values).then(|| self.or_fiction(SURE));
        }
        if self.is_date() || self.is_amount() {
            return None;
        }
        let named = context.hints(start, end) & words::PHONE != 0;
        if self.values.starts_with(&[0, 0]) && self.values.get(2..).is_some_and(plans::is_international) {
            return (named || self.groups.len() > 2)
                .then(|| self.or_fiction(if named { SURE } else { LIKELY }));
        }
        if self.stands == Edges::Signs && !named {
            return None;
        }
        let american = self.is_american();
        if named && self.whole && (self.is_national() || american) {
            return Some(self.or_fiction(SURE));
        }
        let distinct = american || self.is_french() || self.is_brazilian();
        let bracketed = american && self.groups.iter().any(|group| group.gap == Gap::Bracket);
        let weight = if bracketed { SURE } else { LIKELY };
        (distinct && self.whole).then(|| self.or_fiction(weight))
    }

    /// 555 0100 to 0199 are set aside for fiction in North America; counted-up digits are nobody's.
    fn or_fiction(&self, weight: u16) -> u16 {
        let length = self.values.len();
        let seven = length.checked_sub(7).map_or(0, |from| number(self.values, from, 7));
        let fictional = matches!(seven, 5_550_100..=5_550_199 | 5_551_212)
            || length == 7 && seven / 10_000 == 555
            || length.checked_sub(7).and_then(|from| self.values.get(from..)).is_some_and(sequential)
            || self.values.windows(7).any(|window| sequential(window) || uniform(window));
        if fictional { FICTION } else { weight }
    }

    fn is_form(&self, form: &[usize]) -> bool {
        self.groups.len() == form.len()
            && self.groups.iter().zip(form).all(|(group, length)| group.len() == *length)
    }

    /// 978-645-9740, (978) 645-9740, 1-978-645-9740: area and exchange begin with 2 to 9.
    fn is_american(&self) -> bool {
        let (form, country): (&[usize], usize) = match self.values.len() {
            10 => (&[3, 3, 4], 0),
            11 if self.values.first() == Some(&1) => (&[1, 3, 3, 4], 1),
            _ => return false,
        };
        let digit = |at: usize| self.values.get(country + at).copied().unwrap_or(0);
        let apart = self.groups.iter().skip(1).all(|group| group.gap != Gap::Slash)
            && self.groups.last().is_some_and(|group| group.gap != Gap::Space);
        self.is_form(form) && digit(0) > 1 && digit(3) > 1 && apart
    }

    /// 01 23 45 67 89.
    fn is_french(&self) -> bool {
        self.is_form(&[2, 2, 2, 2, 2])
            && self.values.first() == Some(&0)
            && self.values.get(1).is_some_and(|digit| *digit > 0)
    }

    /// (11) 91234-5678.
    fn is_brazilian(&self) -> bool {
        (self.is_form(&[2, 5, 4]) || self.is_form(&[2, 4, 4]))
            && matches!(self.groups, [_, a, b] if a.gap == Gap::Bracket && b.gap == Gap::Hyphen)
    }

    /// A grouping that some country writes its numbers in, or one group that begins with 0, or is as long
    /// as a number with its area.
    fn is_national(&self) -> bool {
        match self.groups {
            [single] => {
                let zero = self.values.first() == Some(&0);
                (if zero { 9..=12 } else { 8..=12 }).contains(&single.len())
            }
            _ => {
                let lengths = self.groups.iter().all(|group| (1..=8).contains(&group.len()));
                let ends = self.groups.last().is_some_and(|group| group.len() >= 2);
                lengths && ends && (7..=14).contains(&self.values.len()) && self.groups.len() <= 6
                    || self.is_form(&[2, 2, 2]) && !day(number(self.values, 2, 2), number(self.values, 0, 2))
            }
        }
    }

    /// 2024-05-17, 17.05.2024, also with a time behind.
    fn is_date(&self) -> bool {
        let values = self.values;
        let [first, second, third, ..] = self.groups else { return false };
        let year = |value: u64| (1800..=2199).contains(&value);
        match (first.len(), second.len(), third.len()) {
            (4, 1 | 2, 1..=2) => year(number(values, 0, 4)) && number(values, 4, second.len()) <= 12,
            (1 | 2, 1 | 2, 4) => {
                let from = first.len() + second.len();
                year(number(values, from, 4))
                    && number(values, 0, first.len()) <= 31
                    && number(values, first.len(), second.len()) <= 31
                    && self.groups.len() == 3
            }
            _ => false,
        }
    }

    /// 1.234.567 and the like, and years: 1939-1945.
    fn is_amount(&self) -> bool {
        match self.groups {
            [first, rest @ ..] if !rest.is_empty() => {
                let thousands = rest.iter().all(|group| group.len() == 3 && group.gap == Gap::Dot);
                let years = rest.len() == 1
                    && first.len() == 4
                    && rest.iter().all(|group| group.len() == 4 && group.gap == Gap::Hyphen)
                    && matches!(number(self.values, 0, 4), 1000..=2199)
                    && matches!(number(self.values, 4, 4), 1000..=2199);
                thousands && first.len() <= 3 || years
            }
            _ => false,
        }
    }
}
