//! The bytes of a stream that are held back, and what is to be changed in them.

use alloc::{string::String, vec::Vec};
use core::ops::Range;

/// Bytes from a place in the stream on.
#[derive(Debug, Default)]
pub(super) struct Raw {
    bytes: Vec<u8>,
    /// Where they begin in the stream.
    base: u64,
    /// Stretches to replace, in the order of the stream; none overlaps another.
    edits: Vec<(Range<u64>, String)>,
    /// The last byte given out that is no white space.
    last: Option<u8>,
}

impl Raw {
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
    }

    /// Where the bytes held begin in the stream.
    pub(super) const fn base(&self) -> u64 {
        self.base
    }

    /// Where they end.
    pub(super) fn end(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    /// The last byte given out that is no white space.
    pub(super) const fn last(&self) -> Option<u8> {
        self.last
    }

    /// Has a stretch replaced when it is given out. What overlaps a stretch that is replaced already is left alone.
    pub(super) fn replace(&mut self, range: Range<u64>, with: String) {
        let place = self.edits.partition_point(|(known, _)| known.end <= range.start && *known != range);
        let next = self.edits.get(place);
        if next.is_none_or(|(known, _)| range.end <= known.start && *known != range) {
            self.edits.insert(place, (range, with));
        }
    }

    /// Gives out everything before a place in the stream, changed as was asked for.
    pub(super) fn take(&mut self, to: u64, out: &mut Vec<u8>) {
        let index = |place: u64, base: u64| usize::try_from(place.saturating_sub(base)).unwrap_or(usize::MAX);
        let length = index(to, self.base).min(self.bytes.len());
        let before = out.len();
        let mut at = 0;
        let done = self.edits.partition_point(|(range, _)| range.end <= self.base + length as u64);
        for (range, with) in self.edits.drain(..done) {
            let (start, end) = (index(range.start, self.base), index(range.end, self.base));
            out.extend_from_slice(self.bytes.get(at..start).unwrap_or_default());
            out.extend_from_slice(with.as_bytes());
            at = end.max(at);
        }
        out.extend_from_slice(self.bytes.get(at..length).unwrap_or_default());
        self.bytes.drain(..length);
        self.base += length as u64;
        let given = out.get(before..).unwrap_or_default();
        self.last = given.iter().rev().find(|byte| !byte.is_ascii_whitespace()).copied().or(self.last);
    }

    /// Forgets what is held.
    pub(super) fn clear(&mut self) {
        self.base = self.end();
        self.bytes = Vec::new();
        self.edits = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(raw: &mut Raw, to: u64) -> String {
        let mut out = Vec::new();
        raw.take(to, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn stretches_are_replaced_on_the_way_out() {
        let mut raw = Raw::default();
        raw.push(b"one two ");
        raw.push(b"three four");
        raw.replace(8..13, "3".into());
        raw.replace(4..7, String::new());
        raw.replace(4..7, "twice".into());
        raw.replace(5..9, "overlap".into());
        assert_eq!(taken(&mut raw, 3), "one");
        assert_eq!(taken(&mut raw, 8), "  ");
        assert_eq!((raw.base(), raw.end(), raw.last()), (8, 18, Some(b'e')));
        assert_eq!(taken(&mut raw, 100), "3 four");
        raw.push(b"x");
        raw.replace(18..18, "<".into());
        raw.replace(18..18, "<".into());
        assert_eq!(taken(&mut raw, 19), "<x");
        raw.push(b"gone");
        raw.clear();
        assert_eq!((taken(&mut raw, 100).as_str(), raw.base()), ("", 23));
    }
}
