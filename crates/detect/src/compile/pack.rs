//! The rules as they lie in a binary: everything once, numbers in as few bytes as they need.
//!
//! ```text
//! number      seven bits a byte, the lowest first, the eighth bit set where more follow (LEB128)
//! text        a byte: how many bytes it shares with the text before it << 4, how many others it has << 1, a
//!             flag; where 15 or 7 do not suffice, what is missing as numbers; the others
//! words       count, then each: text, with the flag for a whole word
//! sequences   count, then each with several words: how many, the numbers of the words
//! lists       count, then each: how many, the numbers of its sequences as differences; those of a
//!             single word come first and have that word's number
//! phrases     count, then each: rule as a difference, steps, the anchor, each step
//! step        gap: most << 2 | cross << 1; item: list << 2 | optional << 1 | 1
//! strings     count, then each: text
//! raws        lists of strings; then count, each: rule, pieces, each piece: gap, list
//! classes     count, then each: ranges, each range: distance from the last one, length
//! tokens      lists of strings; then count, each: rule, entropy, checksum, stopwords' list, elements,
//!             each element: string << 1, or class << 1 | 1, least, most - least
//! ```
//! `build.rs` then compresses all of it.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::tables::{Alternative, Checksum, Class, Element, Laid, List, Slice, Step, Word};

/// Shared bytes that a text's first byte can tell.
pub(super) const MOST_SHARED: usize = 15;
/// Other bytes that it can tell.
pub(super) const MOST_REST: usize = 7;

/// Writes numbers and bytes.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A number.
    pub fn number(&mut self, mut number: u32) {
        while let Some(low) = u8::try_from(number & 0x7f).ok().filter(|_| number > 0x7f) {
            self.bytes.push(low | 0x80);
            number >>= 7;
        }
        self.bytes.extend(u8::try_from(number));
    }

    /// The length of something.
    pub fn count(&mut self, count: usize) {
        self.number(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// A text, of which a part may be that of the one before, and a flag.
    fn text(&mut self, text: &[u8], before: &[u8], flag: bool) {
        let shared = text.iter().zip(before).take_while(|(a, b)| a == b).count();
        let rest = text.get(shared..).unwrap_or_default();
        let (near, short) = (shared.min(MOST_SHARED), rest.len().min(MOST_REST));
        self.bytes.extend(u8::try_from(near << 4 | short << 1 | usize::from(flag)));
        if near == MOST_SHARED {
            self.count(shared - near);
        }
        if short == MOST_REST {
            self.count(rest.len() - short);
        }
        self.raw(rest);
    }

    /// Numbers in ascending order, as differences.
    fn ascending(&mut self, numbers: impl ExactSizeIterator<Item = u32>) {
        self.count(numbers.len());
        let mut last = 0;
        for number in numbers {
            self.number(number - last);
            last = number;
        }
    }
}

/// The bytes of each part of a packed form, before it is compressed.
pub type Sizes = Vec<(&'static str, usize)>;

/// Packs what was laid out. Returns the bytes and how many each part takes.
pub fn pack(laid: &Laid) -> (Vec<u8>, Sizes) {
    let mut packer = Packer { laid, out: Writer::default(), sizes: Vec::new() };
    let words = packer.words();
    let sequences = packer.sequences(&words);
    let lists = packer.lists(&sequences);
    packer.phrases(&lists);
    let strings = packer.strings();
    packer.raws(&strings);
    packer.tokens(&strings);
    (packer.out.finish(), packer.sizes)
}

type Numbers<T> = BTreeMap<T, u32>;

struct Packer<'a> {
    laid: &'a Laid,
    out: Writer,
    sizes: Sizes,
}

fn numbered<T: Ord>(items: impl IntoIterator<Item = T>) -> Numbers<T> {
    let distinct: BTreeSet<T> = items.into_iter().collect();
    distinct.into_iter().zip(0..).collect()
}

impl<'a> Packer<'a> {
    fn part(&mut self, name: &'static str, before: usize) {
        self.sizes.push((name, self.out.bytes.len() - before));
    }

    fn words(&mut self) -> Numbers<(&'a [u8], bool)> {
        let before = self.out.bytes.len();
        let words = numbered(self.laid.words.iter().map(|word| self.word(word)));
        self.out.count(words.len());
        let mut last: &[u8] = b"";
        for (text, whole) in words.keys() {
            self.out.text(text, last, *whole);
            last = text;
        }
        self.part("words", before);
        words
    }

    fn word(&self, word: &Word) -> (&'a [u8], bool) {
        (word.text(&self.laid.bytes), word.whole)
    }

    fn sequence(&self, sequence: &Alternative, words: &Numbers<(&[u8], bool)>) -> Vec<u32> {
        let sequence = sequence.of(&self.laid.words).iter();
        sequence.filter_map(|word| words.get(&self.word(word)).copied()).collect()
    }

    /// The number of each alternative in the laid out tables.
    fn sequences(&mut self, words: &Numbers<(&[u8], bool)>) -> BTreeMap<Alternative, u32> {
        let before = self.out.bytes.len();
        let alternatives: BTreeSet<_> = self.laid.alternatives.iter().copied().collect();
        let by_words: Vec<_> =
            alternatives.iter().map(|sequence| (*sequence, self.sequence(sequence, words))).collect();
        let several = numbered(by_words.iter().map(|(_, words)| words).filter(|words| words.len() > 1));
        self.out.count(several.len());
        for sequence in several.keys() {
            self.out.count(sequence.len());
            sequence.iter().for_each(|word| self.out.number(*word));
        }
        self.part("sequences", before);
        let singles = u32::try_from(words.len()).unwrap_or(u32::MAX);
        let number = |sequence: &Vec<u32>| match (&**sequence, several.get(sequence)) {
            ([word], _) => *word,
            (_, several) => singles + several.copied().unwrap_or(0),
        };
        by_words.iter().map(|(alternative, words)| (*alternative, number(words))).collect()
    }

    /// The number of each list in the laid out tables. Those that are used most come first.
    fn lists(&mut self, sequences: &BTreeMap<Alternative, u32>) -> BTreeMap<u32, u32> {
        let before = self.out.bytes.len();
        let of = |list: &List| -> BTreeSet<u32> {
            let alternatives = list.of(&self.laid.alternatives).iter();
            alternatives.filter_map(|alternative| sequences.get(alternative).copied()).collect()
        };
        let mut uses = BTreeMap::<u32, usize>::new();
        for step in &self.laid.steps {
            if let Step::Item { list, .. } = step {
                *uses.entry(*list).or_default() += 1;
            }
        }
        let mut used: Vec<_> = uses.into_iter().collect();
        used.sort_by_key(|(list, uses)| (core::cmp::Reverse(*uses), *list));
        self.out.count(used.len());
        for (list, _) in &used {
            let list = self.laid.lists.get(*list as usize).map(of).unwrap_or_default();
            self.out.ascending(list.into_iter().collect::<Vec<_>>().into_iter());
        }
        self.part("lists", before);
        used.into_iter().map(|(list, _)| list).zip(0..).collect()
    }

    fn phrases(&mut self, lists: &BTreeMap<u32, u32>) {
        let before = self.out.bytes.len();
        self.out.count(self.laid.phrases.len());
        let mut last = 0;
        for phrase in &self.laid.phrases {
            self.out.number(phrase.rule - last);
            last = phrase.rule;
            self.out.number(phrase.count.into());
            self.out.number(phrase.anchor.into());
            for step in phrase.of(&self.laid.steps) {
                self.out.number(match step {
                    Step::Gap { most, cross } => u32::from(*most) << 2 | u32::from(*cross) << 1,
                    Step::Item { list, optional } => {
                        lists.get(list).copied().unwrap_or(0) << 2 | u32::from(*optional) << 1 | 1
                    }
                });
            }
        }
        self.part("phrases", before);
    }

    fn bytes(&self, slice: Slice) -> &'a [u8] {
        slice.of(&self.laid.bytes)
    }

    fn strings(&mut self) -> Numbers<&'a [u8]> {
        let before = self.out.bytes.len();
        let of_elements = self.laid.elements.iter().filter_map(|element| match element {
            Element::Literal(literal) => Some(*literal),
            Element::Repeat { .. } => None,
        });
        let slices = self.laid.literals.iter().chain(&self.laid.stopwords).copied().chain(of_elements);
        let strings = numbered(slices.map(|slice| self.bytes(slice)));
        self.out.count(strings.len());
        let mut last: &[u8] = b"";
        for text in strings.keys() {
            self.out.text(text, last, false);
            last = text;
        }
        self.part("strings", before);
        strings
    }

    /// Writes lists of strings down, each one once. Returns their numbers.
    fn string_lists(
        &mut self,
        lists: impl Iterator<Item = Slice>,
        table: &[Slice],
        strings: &Numbers<&[u8]>,
    ) -> BTreeMap<Slice, u32> {
        let of = |list: Slice| -> Vec<u32> {
            list.of(table).iter().filter_map(|text| strings.get(self.bytes(*text)).copied()).collect()
        };
        let lists: BTreeMap<Slice, Vec<u32>> = lists.map(|list| (list, of(list))).collect();
        let numbers = numbered(lists.values());
        self.out.count(numbers.len());
        for list in numbers.keys() {
            self.out.count(list.len());
            list.iter().for_each(|text| self.out.number(*text));
        }
        let number = |texts: &Vec<u32>| numbers.get(texts).copied().unwrap_or(0);
        lists.iter().map(|(list, texts)| (*list, number(texts))).collect()
    }

    fn raws(&mut self, strings: &Numbers<&[u8]>) {
        let before = self.out.bytes.len();
        let laid = self.laid;
        let lists =
            self.string_lists(laid.pieces.iter().map(|piece| piece.literals), &laid.literals, strings);
        self.out.count(laid.raws.len());
        for raw in &laid.raws {
            let pieces = raw.pieces.of(&laid.pieces);
            self.out.number(raw.rule);
            self.out.count(pieces.len());
            for piece in pieces {
                self.out.number(piece.gap);
                self.out.number(lists.get(&piece.literals).copied().unwrap_or(0));
            }
        }
        self.part("raws", before);
    }

    fn classes(&mut self) {
        self.out.count(self.laid.classes.len());
        for class in &self.laid.classes {
            let ranges = ranges(class);
            self.out.count(ranges.len());
            let mut last = 0;
            for (from, length) in ranges {
                self.out.number(from - last);
                self.out.number(length);
                last = from + length;
            }
        }
    }

    fn tokens(&mut self, strings: &Numbers<&[u8]>) {
        let before = self.out.bytes.len();
        self.classes();
        let laid = self.laid;
        let lists =
            self.string_lists(laid.tokens.iter().map(|token| token.stopwords), &laid.stopwords, strings);
        self.out.count(laid.tokens.len());
        for token in &laid.tokens {
            let elements = token.elements.of(&laid.elements);
            self.out.number(token.rule);
            self.out.number(token.min_entropy.into());
            self.out.number(token.checksum.map_or(0, Checksum::number));
            self.out.number(lists.get(&token.stopwords).copied().unwrap_or(0));
            self.out.count(elements.len());
            for element in elements {
                match *element {
                    Element::Literal(text) => {
                        self.out.number(strings.get(self.bytes(text)).copied().unwrap_or(0) << 1);
                    }
                    Element::Repeat { class, min, max } => {
                        self.out.number(class << 1 | 1);
                        self.out.number(min);
                        self.out.number(max - min);
                    }
                }
            }
        }
        self.part("tokens", before);
    }
}

/// The bytes of a class as ranges: where each begins, and how many bytes it has.
fn ranges(class: &Class) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for byte in (0..=255u8).filter(|byte| class.contains(*byte)) {
        match ranges.last_mut().filter(|(from, length)| from + length == u32::from(byte)) {
            Some((_, length)) => *length += 1,
            None => ranges.push((byte.into(), 1)),
        }
    }
    ranges
}
