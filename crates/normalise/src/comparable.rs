//! The comparable text.

use alloc::vec::Vec;
use core::ops::Range;

use crate::{
    fold::{self, Kind},
    invisible::{is_invisible, tagged},
    map::Map,
    marks::Marks,
    transform::{Transform, Transforms},
    unicode::{is_normal, nfkc},
};

/// Stands for a character that is of no word and has no ASCII form, such as an emoji. A control
/// character, so that nothing in a source can pass for it: those are left out.
pub const SYMBOL: char = '\u{1f}';

/// Zero bytes behind the comparable text, so that matchers may load whole words at its end.
pub const PADDING: usize = 64;

/// As many characters are normalised together; the Stream-Safe Text Format of UAX #15 allows 30 marks
/// in a row, and no orthography needs them.
const CLUSTER: usize = 32;

/// Of those, as many are kept: a letter with seven marks.
const MARKS: usize = 8;

/// A comparable text with its way back. Reuse it: its buffers keep their room.
#[derive(Debug, Default)]
pub struct Normalised {
    /// The text and its padding. Always UTF-8.
    bytes: Vec<u8>,
    map: Map,
    transforms: Transforms,
    /// A cluster in normal form.
    cluster: Vec<(u8, char)>,
    /// The marks of the source.
    marks: Marks,
}

impl Normalised {
    /// Takes up `source` in place of what was there.
    pub fn set(&mut self, source: &str) {
        self.bytes.clear();
        self.map.clear();
        self.transforms = Transforms::NONE;
        self.bytes.reserve(source.len() + PADDING);
        self.marks.set(source.as_bytes());
        let mut at = 0;
        while at < source.len() {
            at += self.copy_plain(source, at);
            at += self.fold_odd(source, at);
        }
        self.bytes.resize(self.bytes.len() + PADDING, 0);
    }

    /// The comparable text's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    /// The comparable text's bytes, followed by [`PADDING`] zero bytes; empty before the first [`Self::set`].
    #[must_use]
    pub fn padded(&self) -> &[u8] {
        &self.bytes
    }

    /// The comparable text. Checks the whole of it: matchers use [`Self::bytes`].
    #[must_use]
    pub fn text(&self) -> &str {
        core::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len().saturating_sub(PADDING)
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The transforms that changed something, anywhere in the text.
    #[must_use]
    pub const fn transforms(&self) -> Transforms {
        self.transforms
    }

    /// The marks of the source.
    #[must_use]
    pub const fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The byte range of the source that a byte range of the comparable text stands for.
    #[must_use]
    pub fn source_range(&self, range: Range<usize>) -> Range<usize> {
        self.map.source(range)
    }

    /// Takes over ASCII that needs no more than lower case, in bulk. Returns how many bytes it was.
    fn copy_plain(&mut self, source: &str, start: usize) -> usize {
        let rest = source.as_bytes().get(start..).unwrap_or_default();
        // The marks tell white space behind white space in the source; here it may stand behind what became some.
        let doubled =
            matches!(self.bytes.last(), Some(b' ' | b'\n')) && matches!(rest.first(), Some(b' ' | b'\n'));
        let end = if doubled { start } else { self.marks.next_odd(start, source.len()) };
        let plain = rest.get(..end - start).unwrap_or_default();
        if plain.is_empty() {
            return 0;
        }
        let before = self.bytes.len();
        self.bytes.extend_from_slice(plain);
        if make_small(self.bytes.get_mut(before..).unwrap_or_default()) {
            self.transforms.insert(Transform::Case);
        }
        self.map.copy(start, plain.len());
        plain.len()
    }

    /// Handles everything else up to the next ASCII that may be plain. Returns how many bytes it was.
    fn fold_odd(&mut self, source: &str, start: usize) -> usize {
        let mut at = start;
        let mut rest = source.get(start..).unwrap_or_default().chars();
        while let Some(c) = rest.next() {
            let next = source.len() - rest.as_str().len();
            if c.is_ascii() {
                if line_breaks(c).is_some() {
                    at += self.fold_space(source, at);
                } else if is_invisible(c) {
                    self.transforms.insert(Transform::Invisibles);
                    at = next;
                }
                break;
            }
            at += self.fold_char(source, at, c, next);
            rest = source.get(at..).unwrap_or_default().chars();
        }
        at - start
    }

    fn fold_char(&mut self, source: &str, at: usize, c: char, next: usize) -> usize {
        let len = next - at;
        if let Some(small) = fold::cased(c)
            && !next_joins(source, next)
        {
            self.push(small);
            self.map.copy(at, len);
            return len;
        }
        match fold::kind(c) {
            Kind::Invisible => {
                self.transforms.insert(Transform::Invisibles);
                if tagged(c).is_some() {
                    self.transforms.insert(Transform::Tags);
                }
            }
            Kind::Space(_) => return self.fold_space(source, at),
            Kind::Punctuation(text) => {
                self.bytes.extend_from_slice(text.as_bytes());
                self.map.replace(at..next, text.len());
            }
            Kind::Symbol => {
                self.bytes.push(SYMBOL as u8);
                self.map.replace(at..next, 1);
            }
            Kind::Letter if fold::is_phrase(c) || !next_joins(source, next) => {
                let before = self.bytes.len();
                self.push_lower(c);
                self.map.replace(at..next, self.bytes.len() - before);
            }
            Kind::Letter | Kind::Compatible => return self.fold_cluster(source, at),
        }
        len
    }

    /// A run of white space becomes one space, one line break or, where a blank line is, two.
    fn fold_space(&mut self, source: &str, start: usize) -> usize {
        let mut from = start;
        let mut breaks = 0u32;
        // White space before, if it was copied, is of this run.
        while let Some(last @ (b' ' | b'\n')) = self.bytes.last().copied() {
            let Some(place) = self.map.uncopy() else { break };
            self.bytes.pop();
            from = place;
            breaks += u32::from(last == b'\n');
        }
        let follows = matches!(self.bytes.last(), Some(b' ' | b'\n'));
        let mut end = start;
        let mut rest = source.get(start..).unwrap_or_default().chars();
        while let Some(c) = rest.next() {
            match line_breaks(c) {
                Some(some) => breaks += u32::from(some),
                None if c != '\r' => break,
                None => {}
            }
            end = source.len() - rest.as_str().len();
        }
        let folded: &[u8] = match breaks {
            _ if follows => b"",
            0 => b" ",
            1 => b"\n",
            _ => b"\n\n",
        };
        self.bytes.extend_from_slice(folded);
        self.map.replace(from..end, folded.len());
        end - start
    }

    /// Normalises the character at `start` with whatever combines with it.
    fn fold_cluster(&mut self, source: &str, start: usize) -> usize {
        let rest = source.get(start..).unwrap_or_default();
        let first = rest.chars().next().unwrap_or(SYMBOL);
        let end = (rest.char_indices().enumerate().skip(1))
            .find(|(count, (_, c))| *count == CLUSTER || !fold::joins_previous(*c))
            .map_or(rest.len(), |(_, (at, _))| at);
        let mut from = start;
        // An ASCII letter before it was copied already.
        let base = self.bytes.last().copied().filter(u8::is_ascii_alphanumeric);
        if base.is_some()
            && fold::joins_previous(first)
            && let Some(place) = self.map.uncopy()
        {
            self.bytes.pop();
            from = place;
        }
        let before = self.bytes.len();
        let cluster = source.get(from..start + end).unwrap_or_default();
        self.push_cluster(cluster);
        self.map.replace(from..start + end, self.bytes.len() - before);
        end
    }

    fn push_cluster(&mut self, cluster: &str) {
        // Marks beyond what any orthography heaps up say nothing.
        let head = match cluster.char_indices().nth(MARKS) {
            Some((end, _)) => cluster.get(..end).unwrap_or_default(),
            None => cluster,
        };
        if let Some(composed) = fold::composed(head) {
            return self.push_lower(composed);
        }
        if is_normal(head) {
            return head.chars().for_each(|c| self.push_lower(c));
        }
        let mut cluster = core::mem::take(&mut self.cluster);
        nfkc(head, &mut cluster);
        for (_, c) in &cluster {
            // A mark that stands alone (´ or ¨) is a space and the mark; behind white space the space is one too many.
            if *c != ' ' || !matches!(self.bytes.last(), Some(b' ' | b'\n')) {
                self.push_lower(*c);
            }
        }
        self.cluster = cluster;
        if head.chars().any(fold::is_compatibility_letter) {
            self.transforms.insert(Transform::Nfkc);
        }
    }

    fn push(&mut self, c: char) {
        self.bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn push_lower(&mut self, c: char) {
        let bytes = &mut self.bytes;
        fold::lower(c, |out| bytes.extend_from_slice(out.encode_utf8(&mut [0; 4]).as_bytes()));
    }
}

/// Makes ASCII capitals small. Returns whether there were any.
fn make_small(bytes: &mut [u8]) -> bool {
    let mut capitals = 0;
    for byte in bytes {
        // Folded over bytes, so that the compiler takes whole vectors of them.
        let bit = u8::from(byte.is_ascii_uppercase()) << 5;
        capitals |= bit;
        *byte |= bit;
    }
    capitals != 0
}

/// The line breaks that a character of white space counts for; `None` if it is no white space, or a
/// carriage return, whose line feed counts.
fn line_breaks(c: char) -> Option<u8> {
    match c {
        ' ' | '\t' | '\u{b}' | '\u{c}' => Some(0),
        '\n' => Some(1),
        '\r' => Some(0),
        _ if c.is_ascii() => None,
        _ => match fold::kind(c) {
            Kind::Space(breaks) => Some(breaks),
            _ => None,
        },
    }
}

fn next_joins(source: &str, at: usize) -> bool {
    let rest = source.get(at..).unwrap_or_default();
    rest.as_bytes().first().is_some_and(|byte| *byte >= 0xcc)
        && rest.chars().next().is_some_and(fold::joins_previous)
}
