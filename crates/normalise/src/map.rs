//! From the comparable text back to the source.

use alloc::vec::Vec;
use core::ops::Range;

/// A run in which each `out_unit` bytes of the comparable text stand for `source_unit` bytes of the
/// source. It ends where the next one begins.
#[derive(Clone, Copy, Debug)]
struct Run {
    out: usize,
    source: usize,
    out_unit: usize,
    source_unit: usize,
}

/// Runs in order, merged where they continue each other: plain text is one run.
#[derive(Debug, Default)]
pub(crate) struct Map {
    runs: Vec<Run>,
    out_end: usize,
    source_end: usize,
}

impl Map {
    pub(crate) fn clear(&mut self) {
        self.runs.clear();
        self.out_end = 0;
        self.source_end = 0;
    }

    /// `len` bytes of the source at `source` were taken over byte by byte.
    pub(crate) fn copy(&mut self, source: usize, len: usize) {
        self.add(source, 1, 1);
        self.out_end += len;
        self.source_end = source + len;
    }

    /// The source's range became `out_len` bytes as a whole.
    pub(crate) fn replace(&mut self, source: Range<usize>, out_len: usize) {
        if out_len == source.len() {
            return self.copy(source.start, out_len);
        }
        if out_len == 0 {
            return;
        }
        self.add(source.start, out_len, source.len());
        self.out_end += out_len;
        self.source_end = source.end;
    }

    fn add(&mut self, source: usize, out_unit: usize, source_unit: usize) {
        let continues = self.runs.last().is_some_and(|run| {
            run.out_unit == out_unit
                && run.source_unit == source_unit
                && run.source + (self.out_end - run.out) / out_unit * source_unit == source
        });
        if !continues {
            self.runs.push(Run { out: self.out_end, source, out_unit, source_unit });
        }
    }

    /// Takes back the last byte, which must have been copied from ASCII. Returns its place in the source.
    pub(crate) fn uncopy(&mut self) -> Option<usize> {
        let run = self.runs.last()?;
        let out_end = self.out_end.checked_sub(1)?;
        if run.out_unit != 1 || run.source_unit != 1 {
            return None;
        }
        let source = run.source + out_end.checked_sub(run.out)?;
        if run.out == out_end {
            self.runs.pop();
        }
        self.out_end = out_end;
        self.source_end = source;
        Some(source)
    }

    /// The bytes of the source that the range stands for.
    pub(crate) fn source(&self, out: Range<usize>) -> Range<usize> {
        let start = self.unit(out.start).start;
        if out.is_empty() {
            return start..start;
        }
        start..self.unit(out.end - 1).end.max(start)
    }

    fn unit(&self, out: usize) -> Range<usize> {
        if out >= self.out_end {
            return self.source_end..self.source_end;
        }
        let at = self.runs.partition_point(|run| run.out <= out);
        let Some(run) = at.checked_sub(1).and_then(|at| self.runs.get(at)) else { return 0..0 };
        let start = run.source + (out - run.out) / run.out_unit * run.source_unit;
        start..start + run.source_unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_one_run() {
        let mut map = Map::default();
        map.copy(0, 5);
        map.copy(5, 7);
        assert_eq!(map.runs.len(), 1);
        assert_eq!(map.source(2..9), 2..9);
        assert_eq!(map.source(3..3), 3..3);
        assert_eq!(map.source(12..12), 12..12);
    }

    #[test]
    fn a_gap_and_a_replacement_shift_what_follows() {
        let mut map = Map::default();
        map.copy(0, 2);
        map.copy(5, 2); // three bytes left out
        map.replace(7..10, 1);
        map.replace(10..13, 1);
        map.copy(13, 1);
        assert_eq!(map.runs.len(), 4);
        assert_eq!(map.source(0..3), 0..6);
        assert_eq!(map.source(2..3), 5..6);
        assert_eq!(map.source(4..5), 7..10);
        assert_eq!(map.source(4..6), 7..13);
        assert_eq!(map.source(6..7), 13..14);
    }

    #[test]
    fn a_copied_byte_can_be_taken_back() {
        let mut map = Map::default();
        map.copy(0, 1);
        assert_eq!(map.uncopy(), Some(0));
        assert!(map.runs.is_empty());
        map.replace(0..3, 2);
        assert_eq!(map.uncopy(), None);
        map.copy(3, 4);
        assert_eq!(map.uncopy(), Some(6));
        map.replace(6..8, 1);
        assert_eq!(map.source(5..6), 6..8);
    }
}
