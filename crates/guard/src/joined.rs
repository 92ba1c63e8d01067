//! Texts that a model reads as one although a body splits them: an attack may be cut at the seams.

use alloc::{string::String, vec::Vec};
use core::ops::Range;

use decode::{Part, Role};

/// Consecutive parts as one text.
#[derive(Debug)]
pub(crate) struct Joined<'p, 'a> {
    /// The text.
    pub(crate) text: String,
    /// The parts, and where each begins and ends in the text.
    parts: Vec<(Range<usize>, &'p Part<'a>)>,
}

/// The texts that parts make together: those of one message and role, and the strings that have no message, which a
/// template may put into one prompt. Values that are no prose are left out.
pub(crate) fn joined<'p, 'a>(parts: &'p [Part<'a>]) -> impl Iterator<Item = Joined<'p, 'a>> {
    let of_one_text = |a: &Part<'_>, b: &Part<'_>| {
        a.message == b.message && a.role == b.role && (a.message.is_some() || a.role == Role::Unknown)
    };
    // Left out before the rest is grouped: an id between two texts keeps nobody from reading them together.
    let is_prose = |part: &&Part<'_>| part.role != Role::Field && !part.text.is_empty();
    let prose: Vec<&'p Part<'a>> = parts.iter().filter(is_prose).collect();
    let groups = prose.chunk_by(|a, b| of_one_text(a, b)).filter(|group| group.len() > 1);
    let groups: Vec<Vec<&'p Part<'a>>> = groups.map(<[_]>::to_vec).collect();
    groups.into_iter().flat_map(|group| {
        // Some templates put a line break between parts, some nothing. Where white space is there anyway, both are one.
        let is_spaced = group
            .array_windows()
            .all(|[a, b]| a.text.ends_with(char::is_whitespace) || b.text.starts_with(char::is_whitespace));
        let seams = if is_spaced { [None, Some("")] } else { [Some("\n"), Some("")] };
        seams.iter().flatten().map(|seam| Joined::new(&group, seam)).collect::<Vec<_>>()
    })
}

impl<'p, 'a> Joined<'p, 'a> {
    fn new(group: &[&'p Part<'a>], seam: &str) -> Self {
        let mut joined = Self { text: String::new(), parts: Vec::with_capacity(group.len()) };
        for part in group {
            if !joined.text.is_empty() {
                joined.text.push_str(seam);
            }
            let start = joined.text.len();
            joined.text.push_str(&part.text);
            joined.parts.push((start..joined.text.len(), part));
        }
        joined
    }

    /// Whose words it is.
    pub(crate) fn role(&self) -> Role {
        self.parts.first().map_or(Role::Unknown, |(_, part)| part.role)
    }

    /// The part in which a range begins, if the range goes on behind it: what lies in one part was judged there.
    pub(crate) fn crossing(&self, range: &Range<usize>) -> Option<&'p Part<'a>> {
        let (own, part) = self.at(range.start)?;
        (range.end > own.end).then_some(part)
    }

    /// The bytes of the body from where a range begins to where it ends.
    pub(crate) fn body_span(&self, body: &[u8], range: &Range<usize>) -> Range<usize> {
        let start = self.at(range.start).map_or(0, |(own, part)| {
            let at = range.start.saturating_sub(own.start);
            part.body_span(body, at..at).start
        });
        let last = self.parts.iter().rev().find(|(own, _)| own.start < range.end);
        let end =
            last.map_or(start, |(own, part)| part.body_span(body, 0..range.end.min(own.end) - own.start).end);
        start.min(end)..start.max(end)
    }

    /// The parts that a range touches, and what it touches in each.
    pub(crate) fn pieces(&self, range: &Range<usize>) -> impl Iterator<Item = (&'p Part<'a>, Range<usize>)> {
        self.parts.iter().filter(|(own, _)| range.start < own.end && own.start < range.end).map(
            |(own, part)| (*part, range.start.max(own.start) - own.start..range.end.min(own.end) - own.start),
        )
    }

    /// The part that holds a byte, or the one behind a seam.
    fn at(&self, at: usize) -> Option<(&Range<usize>, &'p Part<'a>)> {
        self.parts.iter().find(|(own, _)| at < own.end).map(|(own, part)| (own, *part))
    }
}
