//! Personal data: numbers, addresses and documents that point at one person.
//!
//! Only where a digit or an at-sign stands is anything looked at. A number is taken by its own proof (check digits, ranges, a grouping that nothing else
//! has) or by a word near it that says what it is, in some twenty-five languages ([`words`]); the
//! weaker the proof, the more of the other is asked for. Weights are set in [`rules`].

mod card;
mod check;
mod context;
mod crypto;
mod document;
mod iban;
mod letters;
mod mail;
mod national;
mod network;
mod phone;
mod place;
mod rules;
#[cfg(test)]
pub(crate) mod tests;
mod text;
mod vehicle;
mod words;

use context::Context;
use national::Candidate;
pub(crate) use rules::RULES;
use text::{Digits, Edges, Gap, Group, Run, edges, word_round};

use crate::{
    detector::{Detector, Sink, Subject},
    role::Role,
    scratch::Buffers,
};

/// Finds personal data in the text as it came.
#[derive(Debug)]
pub(crate) struct Pii;

impl Detector for Pii {
    fn scan(&self, subject: &Subject<'_>, _: &mut Buffers, sink: &mut Sink<'_>) {
        let bytes = subject.text.as_bytes();
        let setting = Setting::of(subject);
        let mut context = Context::new(bytes);
        let mut at = 0;
        // Prose has few of either.
        let is_sign = |byte| matches!(byte, b'0'..=b'9' | b'@');
        while let Some(sign) = subject.marks().next(bytes, at, is_sign) {
            at = if bytes.get(sign) == Some(&b'@') {
                mail::look(bytes, sign, setting, sink)
            } else {
                number(bytes, sign, at, setting, &mut context, sink)
            };
        }
    }
}

/// What kind of text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setting {
    /// Somebody's message.
    Talk,
    /// A document, or a record that a tool returned. Those are full of people's contacts, which are then
    /// no news: measured on simulated tool results, one in seven holds some.
    Record,
}

impl Setting {
    /// Bytes from which a text is a document. Nine in ten chat messages are shorter.
    const DOCUMENT: usize = 600;
    /// What a contact weighs at most in a record. Three of them stay below the threshold.
    const CONTACT: u16 = 400;

    fn of(subject: &Subject<'_>) -> Self {
        let text = subject.text;
        let is_data = text.trim_start().starts_with(['{', '[']);
        let is_given = matches!(subject.role, Role::Tool | Role::System);
        if is_data || is_given || text.len() > Self::DOCUMENT { Self::Record } else { Self::Talk }
    }

    /// The weight of a contact that alone has this one.
    fn contact(self, weight: u16) -> u16 {
        if self == Self::Record { weight.min(Self::CONTACT) } else { weight }
    }
}

/// Looks at all that a digit may belong to; returns where to go on.
fn number(
    bytes: &[u8],
    sign: usize,
    from: usize,
    setting: Setting,
    context: &mut Context<'_>,
    sink: &mut Sink<'_>,
) -> usize {
    let (start, end) = word_round(bytes, sign);
    let start = start.max(from);
    if end - start >= text::WORD {
        return long_word(bytes, end);
    }
    if let Some(behind) = network::look(bytes, start, end, setting, context, sink) {
        return behind;
    }
    if let Some(behind) = iban::look(bytes, start, end, sink) {
        return behind;
    }
    let whole = bytes.get(start..end).unwrap_or_default();
    if !whole.iter().all(u8::is_ascii_digit) && letters::look(bytes, start, end, context, sink) {
        return end;
    }
    if let Some(behind) =
        letters::joined(bytes, start, end, context, sink).or_else(|| letters::spaced_nino(bytes, start, sink))
    {
        return behind;
    }
    let run = Run::read(bytes, start, end);
    // Where a number was found that is certain, nothing else in it counts.
    if !card_or_national(bytes, &run, context, sink)
        && !phone::look(bytes, &run, setting, context, sink)
        && !document::look(bytes, &run, context, sink)
    {
        place::look(bytes, &run, context, sink);
    }
    run.resume().max(end)
}

/// Skips a word that is too long for anything here.
fn long_word(bytes: &[u8], end: usize) -> usize {
    let rest = bytes.get(end..).unwrap_or_default();
    end + rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count()
}

/// Tries each stretch of neighbouring groups as a card and as a national number.
fn card_or_national(bytes: &[u8], run: &Run, context: &mut Context<'_>, sink: &mut Sink<'_>) -> bool {
    let groups = run.groups();
    let mut any = false;
    for first in 0..groups.len() {
        let mut digits = Digits::default();
        let mut form = [0u8; Run::FORM];
        let mut inner = Gap::None;
        for (place, group) in groups.iter().skip(first).take(Run::FORM).enumerate() {
            if !group.digits || !digits.extend(bytes.get(group.start..group.end).unwrap_or_default()) {
                break;
            }
            if place > 0 && inner != Gap::Slash {
                inner = if inner == Gap::None || group.gap != Gap::Space { group.gap } else { inner };
            }
            if let Some(slot) = form.get_mut(place) {
                *slot = u8::try_from(group.len()).unwrap_or(u8::MAX);
            }
            if digits.len() < 8 {
                continue;
            }
            let last = first + place;
            let (start, end) = (groups.get(first).map_or(0, |group| group.start), group.end);
            let candidate = Candidate {
                values: digits.values(),
                form: form.get(..=place).unwrap_or_default(),
                gap: inner,
                edges: stand(bytes, groups, first, last),
                start,
                end,
            };
            let found = card::judge(&candidate, context).or_else(|| national::judge(&candidate, context));
            if let Some((rule, weight)) = found {
                sink.push(rule, weight, start..end);
                any |= weight >= 800;
            }
        }
    }
    any
}

/// How the groups from `first` to `last` stand: in the text, and among the groups round them.
fn stand(bytes: &[u8], groups: &[Group], first: usize, last: usize) -> Edges {
    let at = |place: usize| groups.get(place).copied().unwrap_or_default();
    let gap_outside = |gap: Gap, inside: Gap| match gap {
        Gap::None | Gap::Bracket => Edges::Free,
        Gap::Space if inside != Gap::Space => Edges::Free,
        Gap::Slash if inside == Gap::Space || inside == Gap::None => Edges::Signs,
        _ => Edges::Within,
    };
    let inside = if first == last { Gap::None } else { at(last).gap };
    let before = if first == 0 { Edges::Free } else { gap_outside(at(first).gap, inside) };
    let after = if last + 1 >= groups.len() { Edges::Free } else { gap_outside(at(last + 1).gap, inside) };
    edges(bytes, at(first).start, at(last).end).min(before).min(after)
}
