//! Reads what [`super::pack`] writes.

use alloc::vec::Vec;

use super::{
    pack::{MOST_REST, MOST_SHARED},
    plan::{Builder, append, next},
    sort::sort_by,
    tables::{Checksum, Class, Element, Phrase, Raw, Slice, Step, Token},
};

/// Reads numbers and bytes; `None` where there are no more.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads these bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// A number.
    pub fn number(&mut self) -> Option<u32> {
        let mut number = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u32::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// The length of something of which each takes a byte at least, so that a wrong one reserves no more than there is.
    pub fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.rest.len()).then_some(count)
    }

    /// Bytes as they are.
    pub fn raw(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// What was not read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything was read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn byte(&mut self) -> Option<u8> {
        u8::try_from(self.number()?).ok()
    }

    fn small(&mut self) -> Option<u16> {
        u16::try_from(self.number()?).ok()
    }
}

/// Takes up the packed rules. `None` if these bytes are none.
pub(super) fn unpack(bytes: &[u8]) -> Option<Builder> {
    let mut builder = Builder::default();
    let mut reader = Reader::new(bytes);
    words(&mut reader, &mut builder)?;
    phrases(&mut reader, &mut builder)?;
    let strings = strings(&mut reader, &mut builder)?;
    raws(&mut reader, &strings, &mut builder)?;
    tokens(&mut reader, &strings, &mut builder)?;
    reader.is_empty().then_some(builder)
}

/// Words, sequences and lists.
fn words(reader: &mut Reader<'_>, builder: &mut Builder) -> Option<()> {
    let count = reader.count()?;
    let mut sequences = Vec::with_capacity(count);
    let mut last = Slice::default();
    for _ in 0..count {
        let (text, whole) = text(reader, last, builder)?;
        let word = builder.word(text, whole).ok()?;
        sequences.push(builder.lay([word]).ok()?);
        last = text;
    }
    for _ in 0..reader.count()? {
        let mut words = Vec::new();
        for _ in 0..reader.count()? {
            let number = usize::try_from(reader.number()?).ok()?;
            words.push(*builder.laid.words.get(..count)?.get(number)?);
        }
        sequences.push(builder.lay(words).ok()?);
    }
    let mut list = Vec::new();
    for _ in 0..reader.count()? {
        let mut last = 0u32;
        list.clear();
        for _ in 0..reader.count()? {
            last = last.checked_add(reader.number()?)?;
            list.push(*sequences.get(usize::try_from(last).ok()?)?);
        }
        sort_by(&mut list, |a, b| a < b);
        builder.lay_list(&list).ok()?;
    }
    Some(())
}

/// A text, of which a part may be that of the one before, and its flag.
fn text(reader: &mut Reader<'_>, last: Slice, builder: &mut Builder) -> Option<(Slice, bool)> {
    let [first] = *reader.raw(1)?.first_chunk::<1>()?;
    let more = |told: u8, most: usize, reader: &mut Reader<'_>| -> Option<usize> {
        let told = usize::from(told);
        let missing = if told == most { usize::try_from(reader.number()?).ok()? } else { 0 };
        told.checked_add(missing)
    };
    let shared = more(first >> 4, MOST_SHARED, reader)?;
    let length = more(first >> 1 & 7, MOST_REST, reader)?;
    let rest = reader.raw(length)?;
    let bytes = &mut builder.laid.bytes;
    let text = Slice { first: next(bytes), count: u32::try_from(shared + length).ok()? };
    let from = usize::try_from(last.first).ok()?;
    if shared > usize::try_from(last.count).ok()? || from + shared > bytes.len() {
        return None;
    }
    bytes.extend_from_within(from..from + shared);
    bytes.extend_from_slice(rest);
    Some((text, first & 1 != 0))
}

fn phrases(reader: &mut Reader<'_>, builder: &mut Builder) -> Option<()> {
    let mut rule = 0u32;
    for _ in 0..reader.count()? {
        rule = rule.checked_add(reader.number()?)?;
        let count = reader.small()?;
        let anchor = reader.small()?;
        let first = next(&builder.laid.steps);
        for _ in 0..count {
            let step = reader.number()?;
            let flag = step & 2 != 0;
            builder.laid.steps.push(if step & 1 == 0 {
                Step::Gap { most: u8::try_from(step >> 2).ok()?, cross: flag }
            } else {
                Step::Item { list: step >> 2, optional: flag }
            });
        }
        builder.laid.phrases.push(Phrase { rule, first, count, anchor });
        builder.hang_phrase(next(&builder.laid.phrases) - 1).ok()?;
    }
    Some(())
}

fn strings(reader: &mut Reader<'_>, builder: &mut Builder) -> Option<Vec<Slice>> {
    let count = reader.count()?;
    let mut strings = Vec::with_capacity(count);
    let mut last = Slice::default();
    for _ in 0..count {
        (last, _) = text(reader, last, builder)?;
        strings.push(last);
    }
    Some(strings)
}

fn string_lists(reader: &mut Reader<'_>, strings: &[Slice]) -> Option<Vec<Vec<Slice>>> {
    let list = |reader: &mut Reader<'_>| -> Option<Vec<Slice>> {
        let count = reader.count()?;
        (0..count).map(|_| strings.get(usize::try_from(reader.number()?).ok()?).copied()).collect()
    };
    let count = reader.count()?;
    (0..count).map(|_| list(reader)).collect()
}

fn raws(reader: &mut Reader<'_>, strings: &[Slice], builder: &mut Builder) -> Option<()> {
    let lists = string_lists(reader, strings)?;
    for _ in 0..reader.count()? {
        let rule = reader.number()?;
        let count = reader.count()?;
        let mut pieces = Vec::with_capacity(count);
        for _ in 0..count {
            let gap = reader.number()?;
            let literals = lists.get(usize::try_from(reader.number()?).ok()?)?;
            pieces.push(builder.piece(gap, literals.clone()));
        }
        let pieces = append(&mut builder.laid.pieces, pieces);
        builder.laid.raws.push(Raw { rule, pieces });
        builder.hang_raw(next(&builder.laid.raws) - 1).ok()?;
    }
    Some(())
}

fn classes(reader: &mut Reader<'_>, builder: &mut Builder) -> Option<()> {
    for _ in 0..reader.count()? {
        let mut class = Class::default();
        let mut from = 0u8;
        for _ in 0..reader.count()? {
            let first = from.checked_add(reader.byte()?)?;
            let last = u8::try_from(u32::from(first).checked_add(reader.number()?)?.checked_sub(1)?).ok()?;
            (first..=last).for_each(|byte| class.insert(byte));
            from = last.saturating_add(1);
        }
        builder.laid.classes.push(class);
    }
    Some(())
}

fn tokens(reader: &mut Reader<'_>, strings: &[Slice], builder: &mut Builder) -> Option<()> {
    classes(reader, builder)?;
    let lists: Vec<_> = string_lists(reader, strings)?
        .into_iter()
        .map(|words| append(&mut builder.laid.stopwords, words))
        .collect();
    for _ in 0..reader.count()? {
        let rule = reader.number()?;
        let min_entropy = reader.small()?;
        let checksum = Checksum::from_number(reader.number()?)?;
        let stopwords = *lists.get(usize::try_from(reader.number()?).ok()?)?;
        let first = next(&builder.laid.elements);
        for _ in 0..reader.count()? {
            let number = reader.number()?;
            builder.laid.elements.push(if number & 1 == 0 {
                Element::Literal(*strings.get(usize::try_from(number >> 1).ok()?)?)
            } else {
                let min = reader.number()?;
                Element::Repeat { class: number >> 1, min, max: min.checked_add(reader.number()?)? }
            });
        }
        let elements = Slice { first, count: next(&builder.laid.elements) - first };
        builder.laid.tokens.push(Token { rule, elements, min_entropy, checksum, stopwords });
        builder.hang_token(next(&builder.laid.tokens) - 1).ok()?;
    }
    Some(())
}
