//! Lays patterns out in tables.

use alloc::{collections::BTreeMap, string::ToString, vec::Vec};

use super::{
    Patterns, Proof,
    anchor::{Anchor, anchors, literal_anchor, reach},
    error::{Error, Problem},
    frequency::Frequencies,
    keys::{Entry, KeyTable, Pairs, Place, literal_key},
    pack::{Sizes, pack},
    phrase::{self, Part},
    plan_token, signs,
    sort::{sort_by, sort_by_number},
    tables::{
        Alternative, Class, Element, Laid, List, Phrase, Piece, Posting, Raw, Slice, Step, Tables, Token,
        Word, head, head_bit,
    },
    token,
    unpack::unpack,
};

/// Words that a pattern may span: positions are bits of a word of 64.
const MAX_REACH: usize = 60;
/// The most of anything in one pattern: counted in 16 bits.
const MAX_COUNT: usize = 4096;

/// Something that is searched for.
#[derive(Clone, Copy, Debug)]
struct Hung {
    key: u64,
    /// What stands there, in [`Laid::bytes`].
    text: Slice,
    posting: Posting,
}

/// What was laid out already: rules repeat each other's words.
#[derive(Debug, Default)]
struct Known {
    bytes: BTreeMap<Vec<u8>, Slice>,
    sequences: BTreeMap<Vec<phrase::Word>, Alternative>,
    lists: BTreeMap<Vec<Alternative>, u32>,
    classes: BTreeMap<Class, u32>,
    stopwords: BTreeMap<Vec<Slice>, Slice>,
}

/// Collects rules into tables.
#[derive(Debug, Default)]
pub struct Builder {
    pub(super) laid: Laid,
    known: Known,
    /// By their places, in the order of [`Place::ALL`].
    hung: [Vec<Hung>; Place::ALL.len()],
    frequencies: Frequencies,
}

impl Builder {
    /// Starts with rules that [`super::pack`] packed. `None` if these bytes are no such rules.
    #[must_use]
    pub fn unpack(packed: &[u8]) -> Option<Self> {
        unpack(packed)
    }

    /// Packs what was added. Returns the bytes, and how many each part of it takes.
    #[must_use]
    pub fn pack(&self) -> (Vec<u8>, Sizes) {
        pack(&self.laid)
    }

    /// Adds the patterns of a rule, which the tables will call `rule`.
    ///
    /// # Errors
    /// Names the first pattern that cannot be compiled.
    pub fn add(&mut self, rule: u32, patterns: &Patterns) -> Result<(), Error> {
        for pattern in &patterns.phrases {
            let added = phrase::parse(pattern).and_then(|parsed| match parsed {
                phrase::Pattern::Words(parts) => self.words(rule, &parts),
                phrase::Pattern::Raw(pieces) => self.raw(rule, &pieces),
            });
            added.map_err(|problem| Error { pattern: pattern.to_string(), problem })?;
        }
        let stopwords = self.stopwords(&patterns.proof);
        for pattern in &patterns.tokens {
            let added = token::parse(pattern)
                .and_then(|parsed| self.token(rule, &parsed, &patterns.proof, stopwords));
            added.map_err(|problem| Error { pattern: pattern.to_string(), problem })?;
        }
        Ok(())
    }

    /// The tables.
    #[must_use]
    pub fn finish(mut self) -> Tables {
        let mut postings = Vec::with_capacity(self.hung.iter().map(Vec::len).sum());
        let mut of_words = Vec::new();
        let hung = core::mem::take(&mut self.hung);
        let mut keys = Place::ALL.iter().zip(hung).map(|(place, mut hung)| {
            // Postings keep the order of the rules.
            sort_by_number(&mut hung, |hung| hung.key);
            let entries = hung.chunk_by(|a, b| a.key == b.key).filter_map(|alike| {
                let Hung { key, text, .. } = *alike.first()?;
                let Slice { first, count } = append(&mut postings, alike.iter().map(|hung| hung.posting));
                // What the key holds itself need not be compared once more.
                let known = 8 - key.leading_zeros() / 8;
                let common = Some(self.in_common(alike)).filter(|common| *common > known).unwrap_or(0);
                Some(Entry { key, first, count, common: Slice { first: text.first, count: common } })
            });
            let entries: Vec<_> = entries.collect();
            if matches!(place, Place::Word | Place::Prefix) {
                of_words.extend(entries.iter().map(|entry| entry.key));
            }
            KeyTable::new(entries)
        });
        let keys = Place::ALL.map(|_| keys.next().unwrap_or_else(|| KeyTable::new(Vec::new())));
        let signs = signs::sign(&mut postings, &self.laid, &of_words, &self.frequencies);
        let pairs = Pairs::of(&keys);
        Tables { laid: self.laid, signs, postings, keys, pairs }
    }

    /// With how many bytes all of these begin.
    fn in_common(&self, alike: &[Hung]) -> u32 {
        let text = |hung: &Hung| hung.text.of(&self.laid.bytes);
        let first = alike.first().map(text).unwrap_or_default();
        let same = |other: &[u8]| first.iter().zip(other).take_while(|(a, b)| a == b).count();
        let least = alike.iter().map(|hung| same(text(hung))).min().unwrap_or(0);
        u32::try_from(least).unwrap_or(0)
    }

    fn words(&mut self, rule: u32, parts: &[Part]) -> Result<(), Problem> {
        if parts.len() > MAX_COUNT || reach(parts) > MAX_REACH {
            return Err(Problem::TooLong);
        }
        let steps: Vec<_> = parts.iter().map(|part| self.step(part)).collect::<Result<_, _>>()?;
        let anchor = self.rarest_step(&steps).ok_or(Problem::NoAnchor)?;
        let anchor = small(anchor)?;
        let Slice { first, count } = append(&mut self.laid.steps, steps);
        self.laid.phrases.push(Phrase { rule, first, count: small(count as usize)?, anchor });
        self.hang_phrase(next(&self.laid.phrases) - 1)
    }

    /// The step that is cheapest to search for.
    fn rarest_step(&self, steps: &[Step]) -> Option<usize> {
        let anchored = steps.iter().enumerate().filter_map(|(at, step)| match step {
            Step::Item { list, optional: false } => {
                let list = *self.laid.lists.get(*list as usize)?;
                let anchors = anchors(list, &self.laid, &self.frequencies)?;
                Some((at, anchors.iter().map(|(_, anchor)| u64::from(anchor.cost)).sum::<u64>()))
            }
            _ => None,
        });
        anchored.min_by_key(|(_, cost)| *cost).map(|(at, _)| at)
    }

    fn step(&mut self, part: &Part) -> Result<Step, Problem> {
        match part {
            Part::Gap { most, cross } => Ok(Step::Gap { most: *most, cross: *cross }),
            Part::Item { alternatives, optional } => {
                if alternatives.len() > MAX_COUNT {
                    return Err(Problem::TooLong);
                }
                let laid: Vec<_> =
                    alternatives.iter().map(|sequence| self.sequence(sequence)).collect::<Result<_, _>>()?;
                Ok(Step::Item { list: self.list(laid)?, optional: *optional })
            }
        }
    }

    fn list(&mut self, mut laid: Vec<Alternative>) -> Result<u32, Problem> {
        sort_by(&mut laid, |a, b| a < b);
        laid.dedup();
        if let Some(known) = self.known.lists.get(&laid) {
            return Ok(*known);
        }
        let list = self.lay_list(&laid)?;
        self.known.lists.insert(laid, list);
        Ok(list)
    }

    /// Lays a list of alternatives out, which are in ascending order.
    pub(super) fn lay_list(&mut self, laid: &[Alternative]) -> Result<u32, Problem> {
        let heads = laid.iter().fold(0, |heads, laid| heads | head_bit(laid.head));
        let longest = laid.iter().map(|laid| laid.count).max().unwrap_or(0);
        let Slice { first, count } = append(&mut self.laid.alternatives, laid.iter().copied());
        self.laid.lists.push(List { heads, first, count: small(count as usize)?, longest });
        Ok(next(&self.laid.lists) - 1)
    }

    fn sequence(&mut self, sequence: &[phrase::Word]) -> Result<Alternative, Problem> {
        if let Some(known) = self.known.sequences.get(sequence) {
            return Ok(*known);
        }
        let words: Vec<_> = sequence
            .iter()
            .map(|word| {
                let text = self.intern(&word.text);
                self.word(text, word.whole)
            })
            .collect::<Result<_, _>>()?;
        let laid = self.lay(words)?;
        self.known.sequences.insert(sequence.to_vec(), laid);
        Ok(laid)
    }

    pub(super) fn word(&self, text: Slice, whole: bool) -> Result<Word, Problem> {
        let key = literal_key(text.of(&self.laid.bytes), 8);
        Ok(Word { key, first: text.first, length: small(text.count as usize)?, whole })
    }

    /// Lays a sequence of words out.
    pub(super) fn lay(&mut self, words: impl IntoIterator<Item = Word>) -> Result<Alternative, Problem> {
        let Slice { first, count } = append(&mut self.laid.words, words);
        let head = self.laid.words.get(first as usize).map_or(0, |word| head(word.key));
        Ok(Alternative { head, count: small(count as usize)?, first })
    }

    /// Hangs the words of a phrase's anchor on their keys.
    pub(super) fn hang_phrase(&mut self, number: u32) -> Result<(), Problem> {
        let phrase = *self.laid.phrases.get(number as usize).ok_or(Problem::NoAnchor)?;
        let anchor = phrase.of(&self.laid.steps).get(usize::from(phrase.anchor)).ok_or(Problem::NoAnchor)?;
        let Step::Item { list, optional: false } = *anchor else { return Err(Problem::NoAnchor) };
        let list = *self.laid.lists.get(list as usize).ok_or(Problem::NoAnchor)?;
        let anchors = anchors(list, &self.laid, &self.frequencies).ok_or(Problem::NoAnchor)?;
        for (alternative, (word, anchor)) in anchors.into_iter().enumerate() {
            let sequence = list.of(&self.laid.alternatives).get(alternative).ok_or(Problem::NoAnchor)?;
            let first = sequence.of(&self.laid.words).get(word).ok_or(Problem::NoAnchor)?.first;
            let (alternative, word) = (small(alternative)?, small(word)?);
            self.hang(&anchor, first, Posting::Phrase { phrase: number, needs: 0, alternative, word });
        }
        Ok(())
    }

    fn raw(&mut self, rule: u32, pieces: &[(u32, Vec<Vec<u8>>)]) -> Result<(), Problem> {
        let too_long = |(_, texts): &(u32, Vec<Vec<u8>>)| {
            texts.len() > MAX_COUNT || texts.iter().any(|text| text.len() > MAX_COUNT)
        };
        if pieces.len() > MAX_COUNT || pieces.iter().any(too_long) {
            return Err(Problem::TooLong);
        }
        let laid: Vec<_> = pieces
            .iter()
            .map(|(gap, texts)| {
                let literals: Vec<_> = texts.iter().map(|text| self.intern(text)).collect();
                self.piece(*gap, literals)
            })
            .collect();
        let pieces = append(&mut self.laid.pieces, laid);
        self.laid.raws.push(Raw { rule, pieces });
        self.hang_raw(next(&self.laid.raws) - 1)
    }

    /// A place for one of several literals.
    pub(super) fn piece(&mut self, gap: u32, literals: Vec<Slice>) -> Piece {
        let texts = || literals.iter().map(|literal| literal.of(&self.laid.bytes));
        let firsts = bytes_of(texts().filter_map(|text| text.first()));
        let lasts = bytes_of(texts().filter_map(|text| text.last()));
        Piece { gap, literals: append(&mut self.laid.literals, literals), firsts, lasts }
    }

    /// Hangs the literals of a raw pattern's rarest piece on their keys.
    pub(super) fn hang_raw(&mut self, number: u32) -> Result<(), Problem> {
        let raw = self.laid.raws.get(number as usize).ok_or(Problem::BareRaw)?;
        let anchored = raw.pieces.of(&self.laid.pieces).iter().enumerate().filter_map(|(at, piece)| {
            let anchor = |literal: &Slice| literal_anchor(literal.of(&self.laid.bytes), &self.frequencies);
            let literals = piece.literals.of(&self.laid.literals).iter();
            Some((at, *piece, literals.map(anchor).collect::<Option<Vec<_>>>()?))
        });
        let cost = |anchors: &[(usize, Anchor)]| {
            anchors.iter().map(|(_, anchor)| u64::from(anchor.cost)).sum::<u64>()
        };
        let (piece, laid, anchors) =
            anchored.min_by_key(|(_, _, anchors)| cost(anchors)).ok_or(Problem::BareRaw)?;
        for (literal, (offset, anchor)) in anchors.into_iter().enumerate() {
            let text = laid.literals.of(&self.laid.literals).get(literal).copied().unwrap_or_default();
            let posting = Posting::Raw {
                raw: number,
                piece: small(piece)?,
                literal: small(literal)?,
                offset: small(offset)?,
            };
            let first = text.first + u32::from(small(offset)?);
            self.hang(&anchor, first, posting);
            if matches!(anchor.place, Place::Raw6 | Place::Raw3 | Place::Raw2 | Place::Tail) {
                self.hang_with_breaks(&anchor, first, text, posting);
            }
        }
        Ok(())
    }

    fn token(
        &mut self,
        rule: u32,
        parsed: &[token::Piece],
        proof: &Proof,
        stopwords: Slice,
    ) -> Result<(), Problem> {
        let elements: Vec<_> = parsed
            .iter()
            .map(|piece| match piece {
                token::Piece::Literal(bytes) => Element::Literal(self.intern(bytes)),
                token::Piece::Repeat { class, min, max } => {
                    Element::Repeat { class: self.class(*class), min: *min, max: *max }
                }
            })
            .collect();
        let elements = append(&mut self.laid.elements, elements);
        let Proof { min_entropy, checksum, .. } = *proof;
        self.laid.tokens.push(Token { rule, elements, min_entropy, checksum, stopwords });
        self.hang_token(next(&self.laid.tokens) - 1)
    }

    fn class(&mut self, class: Class) -> u32 {
        let number = next(&self.laid.classes);
        let known = *self.known.classes.entry(class).or_insert(number);
        if known == number {
            self.laid.classes.push(class);
        }
        known
    }

    /// Hangs a token's rarest literal on its key.
    pub(super) fn hang_token(&mut self, number: u32) -> Result<(), Problem> {
        let token = self.laid.tokens.get(number as usize).ok_or(Problem::NoAnchor)?;
        let elements = token.elements.of(&self.laid.elements);
        let (element, offset, anchor) =
            plan_token::anchor(elements, &self.laid, &self.frequencies).ok_or(Problem::NoAnchor)?;
        let Some(Element::Literal(literal)) = elements.get(element) else { return Err(Problem::NoAnchor) };
        // The search runs over small letters.
        let lower = literal.of(&self.laid.bytes).to_ascii_lowercase();
        let literal = if lower == literal.of(&self.laid.bytes) { *literal } else { self.intern(&lower) };
        let (element, offset) = (small(element)?, small(offset)?);
        let first = literal.first + u32::from(offset);
        self.hang(&anchor, first, Posting::Token { token: number, element, offset });
        Ok(())
    }

    fn stopwords(&mut self, proof: &Proof) -> Slice {
        let words: Vec<_> =
            proof.stopwords.iter().map(|word| self.intern(word.to_lowercase().as_bytes())).collect();
        if let Some(known) = self.known.stopwords.get(&words) {
            return *known;
        }
        let slice = append(&mut self.laid.stopwords, words.iter().copied());
        self.known.stopwords.insert(words, slice);
        slice
    }

    fn intern(&mut self, text: &[u8]) -> Slice {
        if let Some(slice) = self.known.bytes.get(text) {
            return *slice;
        }
        let slice = append(&mut self.laid.bytes, text.iter().copied());
        self.known.bytes.insert(text.to_vec(), slice);
        slice
    }

    /// Hangs a posting on its key; what stands there begins at `first` in the table of bytes.
    fn hang(&mut self, anchor: &Anchor, first: u32, posting: Posting) {
        let text = Slice { first, count: u32::try_from(anchor.length).unwrap_or(0) };
        if let Some(hung) = self.hung.get_mut(anchor.place as usize) {
            hung.push(Hung { key: anchor.key, text, posting });
        }
    }

    /// Where the key holds a space, hangs the posting on the same with a line break too.
    fn hang_with_breaks(&mut self, anchor: &Anchor, first: u32, literal: Slice, posting: Posting) {
        let rest = Slice { first, count: literal.count - (first - literal.first) };
        let broken: Vec<_> = (rest.of(&self.laid.bytes).iter())
            .map(|byte| if *byte == b' ' { b'\n' } else { *byte })
            .collect();
        let key = literal_key(&broken, anchor.place.width());
        if key != anchor.key {
            self.hang(&Anchor { key, ..*anchor }, first, posting);
        }
    }
}

/// The class of bytes that stand for these in a text: a space stands for a line break too.
fn bytes_of<'a>(bytes: impl Iterator<Item = &'a u8>) -> Class {
    let mut class = Class::default();
    for byte in bytes {
        class.insert(*byte);
        if *byte == b' ' {
            class.insert(b'\n');
        }
    }
    class
}

pub(super) fn append<T>(table: &mut Vec<T>, items: impl IntoIterator<Item = T>) -> Slice {
    let first = next(table);
    table.extend(items);
    Slice { first, count: next(table) - first }
}

/// The number of the item that a table takes next. No table comes near 2³² entries: patterns are bounded, and so is
/// the number of rules an operator may bring.
pub(super) fn next<T>(table: &[T]) -> u32 {
    u32::try_from(table.len()).unwrap_or(u32::MAX)
}

fn small(number: usize) -> Result<u16, Problem> {
    u16::try_from(number).map_err(|_| Problem::TooLong)
}
