//! Lays patterns out in tables.

use alloc::{borrow::Cow, collections::BTreeMap, string::ToString, vec::Vec};

use super::{
    Patterns, Proof,
    anchor::{Anchor, anchors, literal_anchor, reach},
    error::{Error, Problem},
    keys::{Entry, KeyTable, Place, literal_key},
    phrase::{self, Part},
    plan_token,
    signs::{self, Laid},
    tables::{
        Alternative, Class, Element, Phrase, Piece, Posting, Raw, Slice, Step, Tables, Token, Word, head,
        head_bit,
    },
    token,
};

/// Words that a pattern may span: positions are bits of a word of 64.
const MAX_REACH: usize = 60;
/// The most of anything in one pattern: counted in 16 bits.
const MAX_COUNT: usize = 4096;

/// What hangs on a key.
#[derive(Debug)]
struct Hanging {
    postings: Vec<Posting>,
    /// What all the anchors begin with.
    common: Vec<u8>,
}

/// Collects rules into tables.
#[derive(Debug, Default)]
pub struct Builder {
    bytes: Vec<u8>,
    interned: BTreeMap<Vec<u8>, Slice>,
    /// Patterns repeat each other's synonyms, so equal sequences and lists of them are laid out once.
    sequences: BTreeMap<Vec<phrase::Word>, Alternative>,
    lists: BTreeMap<Vec<Alternative>, Slice>,
    words: Vec<Word>,
    alternatives: Vec<Alternative>,
    steps: Vec<Step>,
    phrases: Vec<Phrase>,
    literals: Vec<Slice>,
    pieces: Vec<Piece>,
    raws: Vec<Raw>,
    classes: Vec<Class>,
    elements: Vec<Element>,
    stopwords: Vec<Slice>,
    tokens: Vec<Token>,
    keyed: BTreeMap<(Place, u64), Hanging>,
}

impl Builder {
    /// Starts with what is compiled already.
    #[must_use]
    pub fn from_tables(tables: &Tables) -> Self {
        let mut keyed = BTreeMap::new();
        for (place, table) in Place::ALL.iter().zip(&tables.keys) {
            for entry in table.entries.iter() {
                let postings = Slice { first: entry.first, count: entry.count }.of(&tables.postings);
                let common = entry.common.of(&tables.bytes);
                let hanging = Hanging { postings: postings.to_vec(), common: common.to_vec() };
                keyed.insert((*place, entry.key), hanging);
            }
        }
        Self {
            bytes: tables.bytes.to_vec(),
            interned: BTreeMap::new(),
            sequences: BTreeMap::new(),
            lists: BTreeMap::new(),
            words: tables.words.to_vec(),
            alternatives: tables.alternatives.to_vec(),
            steps: tables.steps.to_vec(),
            phrases: tables.phrases.to_vec(),
            literals: tables.literals.to_vec(),
            pieces: tables.pieces.to_vec(),
            raws: tables.raws.to_vec(),
            classes: tables.classes.to_vec(),
            elements: tables.elements.to_vec(),
            stopwords: tables.stopwords.to_vec(),
            tokens: tables.tokens.to_vec(),
            keyed,
        }
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
        let mut postings = Vec::new();
        let mut keys = Place::ALL.map(|_| Vec::new());
        for ((place, key), hanging) in core::mem::take(&mut self.keyed) {
            let Slice { first, count } = append(&mut postings, hanging.postings);
            let common = self.intern(&hanging.common);
            if let Some(entries) = keys.get_mut(place as usize) {
                entries.push(Entry { key, first, count, common });
            }
        }
        let laid = Laid {
            bytes: &self.bytes,
            words: &self.words,
            alternatives: &self.alternatives,
            steps: &self.steps,
            phrases: &self.phrases,
        };
        let of_words: Vec<_> = [Place::Word, Place::Prefix]
            .iter()
            .filter_map(|place| keys.get(*place as usize))
            .flatten()
            .map(|entry: &Entry| entry.key)
            .collect();
        let signs = signs::sign(&mut postings, laid, &of_words);
        Tables {
            signs,
            bytes: Cow::Owned(self.bytes),
            words: Cow::Owned(self.words),
            alternatives: Cow::Owned(self.alternatives),
            steps: Cow::Owned(self.steps),
            phrases: Cow::Owned(self.phrases),
            literals: Cow::Owned(self.literals),
            pieces: Cow::Owned(self.pieces),
            raws: Cow::Owned(self.raws),
            classes: Cow::Owned(self.classes),
            elements: Cow::Owned(self.elements),
            stopwords: Cow::Owned(self.stopwords),
            tokens: Cow::Owned(self.tokens),
            postings: Cow::Owned(postings),
            keys: keys.map(KeyTable::new),
        }
    }

    fn words(&mut self, rule: u32, parts: &[Part]) -> Result<(), Problem> {
        if parts.len() > MAX_COUNT || reach(parts) > MAX_REACH {
            return Err(Problem::TooLong);
        }
        let parts = &sorted(parts);
        let steps: Vec<_> = parts.iter().map(|part| self.step(part)).collect::<Result<_, _>>()?;
        let phrase = next(&self.phrases);
        let steps = append(&mut self.steps, steps);
        self.phrases.push(Phrase { rule, steps });
        let anchored = parts.iter().enumerate().filter_map(|(step, part)| match part {
            Part::Item { alternatives, optional: false } => Some((step, anchors(alternatives)?)),
            _ => None,
        });
        let cost = |anchors: &[(usize, Anchor)]| {
            anchors.iter().map(|(_, anchor)| u64::from(anchor.cost)).sum::<u64>()
        };
        let (step, anchors) = anchored.min_by_key(|(_, anchors)| cost(anchors)).ok_or(Problem::NoAnchor)?;
        for (alternative, (word, anchor)) in anchors.into_iter().enumerate() {
            let posting = Posting::Phrase {
                phrase,
                step: small(step)?,
                alternative: small(alternative)?,
                word: small(word)?,
                needs: 0,
            };
            self.hang(&anchor, posting);
        }
        Ok(())
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
                let heads = laid.iter().fold(0, |heads, laid| heads | head_bit(laid.head));
                let longest = laid.iter().map(|laid| laid.count).max().unwrap_or(0);
                let alternatives = match self.lists.get(&laid) {
                    Some(known) => *known,
                    None => {
                        let slice = append(&mut self.alternatives, laid.iter().copied());
                        self.lists.insert(laid, slice);
                        slice
                    }
                };
                Ok(Step::Item { alternatives, heads, longest, optional: *optional })
            }
        }
    }

    fn sequence(&mut self, sequence: &[phrase::Word]) -> Result<Alternative, Problem> {
        if let Some(known) = self.sequences.get(sequence) {
            return Ok(*known);
        }
        let words: Vec<_> = sequence
            .iter()
            .map(|word| {
                let Slice { first, count } = self.intern(&word.text);
                let length = u16::try_from(count).map_err(|_| Problem::TooLong)?;
                Ok(Word { key: literal_key(&word.text, 8), first, length, whole: word.whole })
            })
            .collect::<Result<_, _>>()?;
        let head = words.first().map_or(0, |word| head(word.key));
        let Slice { first, count } = append(&mut self.words, words);
        let laid = Alternative { head, count: u16::try_from(count).map_err(|_| Problem::TooLong)?, first };
        self.sequences.insert(sequence.to_vec(), laid);
        Ok(laid)
    }

    fn raw(&mut self, rule: u32, pieces: &[(u32, Vec<Vec<u8>>)]) -> Result<(), Problem> {
        let too_long = |(_, texts): &(u32, Vec<Vec<u8>>)| {
            texts.len() > MAX_COUNT || texts.iter().any(|text| text.len() > MAX_COUNT)
        };
        if pieces.len() > MAX_COUNT || pieces.iter().any(too_long) {
            return Err(Problem::TooLong);
        }
        let cost = |anchors: &[(usize, Anchor)]| {
            anchors.iter().map(|(_, anchor)| u64::from(anchor.cost)).sum::<u64>()
        };
        let (piece, texts, anchors) = pieces
            .iter()
            .enumerate()
            .filter_map(|(piece, (_, texts))| {
                let anchors: Option<Vec<_>> = texts.iter().map(|text| literal_anchor(text)).collect();
                Some((piece, texts, anchors?))
            })
            .min_by_key(|(_, _, anchors)| cost(anchors))
            .ok_or(Problem::BareRaw)?;
        let laid: Vec<_> = pieces
            .iter()
            .map(|(gap, texts)| {
                let literals: Vec<_> = texts.iter().map(|text| self.intern(text)).collect();
                let literals = append(&mut self.literals, literals);
                Piece { gap: *gap, literals, firsts: firsts(texts) }
            })
            .collect();
        let raw = next(&self.raws);
        let laid = append(&mut self.pieces, laid);
        self.raws.push(Raw { rule, pieces: laid });
        for (literal, (text, (offset, anchor))) in texts.iter().zip(anchors).enumerate() {
            let posting =
                Posting::Raw { raw, piece: small(piece)?, literal: small(literal)?, offset: small(offset)? };
            match anchor.place {
                Place::Raw6 | Place::Raw3 | Place::Tail => {
                    self.hang_with_breaks(&anchor, text.get(offset..).unwrap_or_default(), posting)
                }
                _ => self.hang(&anchor, posting),
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
        let (element, offset, anchor) = plan_token::anchor(parsed).ok_or(Problem::NoAnchor)?;
        let elements: Vec<_> = parsed
            .iter()
            .map(|piece| match piece {
                token::Piece::Literal(bytes) => Element::Literal(self.intern(bytes)),
                token::Piece::Repeat { class, min, max } => {
                    self.classes.push(*class);
                    Element::Repeat { class: next(&self.classes) - 1, min: *min, max: *max }
                }
            })
            .collect();
        let elements = append(&mut self.elements, elements);
        let token = next(&self.tokens);
        let Proof { min_entropy, checksum, .. } = *proof;
        self.tokens.push(Token { rule, elements, min_entropy, checksum, stopwords });
        self.hang(&anchor, Posting::Token { token, element: small(element)?, offset: small(offset)? });
        Ok(())
    }

    fn stopwords(&mut self, proof: &Proof) -> Slice {
        let words: Vec<_> =
            proof.stopwords.iter().map(|word| self.intern(word.to_lowercase().as_bytes())).collect();
        append(&mut self.stopwords, words)
    }

    fn intern(&mut self, text: &[u8]) -> Slice {
        if let Some(slice) = self.interned.get(text) {
            return *slice;
        }
        let slice = append(&mut self.bytes, text.iter().copied());
        self.interned.insert(text.to_vec(), slice);
        slice
    }

    fn hang(&mut self, anchor: &Anchor, posting: Posting) {
        let fresh = || Hanging { postings: Vec::new(), common: anchor.text.clone() };
        let hanging = self.keyed.entry((anchor.place, anchor.key)).or_insert_with(fresh);
        hanging.postings.push(posting);
        let alike = hanging.common.iter().zip(&anchor.text).take_while(|(a, b)| a == b).count();
        hanging.common.truncate(alike);
    }

    /// Hangs a posting on its key and, where the key holds a space, on the same with a line break.
    fn hang_with_breaks(&mut self, anchor: &Anchor, text: &[u8], posting: Posting) {
        self.hang(anchor, posting);
        let broken: Vec<_> = text.iter().map(|byte| if *byte == b' ' { b'\n' } else { *byte }).collect();
        let key = literal_key(&broken, anchor.place.width());
        if key != anchor.key {
            self.hang(&Anchor { key, text: anchor.text.clone(), ..*anchor }, posting);
        }
    }
}

/// The parts with the alternatives of each item in the order of their heads.
fn sorted(parts: &[Part]) -> Vec<Part> {
    let mut parts = parts.to_vec();
    for part in &mut parts {
        if let Part::Item { alternatives, .. } = part {
            alternatives
                .sort_by_key(|sequence| sequence.first().map(|word| head(literal_key(&word.text, 8))));
            alternatives.dedup();
        }
    }
    parts
}

/// The bytes with which the literals may begin in a text.
fn firsts(texts: &[Vec<u8>]) -> Class {
    let mut firsts = Class::default();
    for first in texts.iter().filter_map(|text| text.first()) {
        firsts.insert(*first);
        if *first == b' ' {
            firsts.insert(b'\n');
        }
    }
    firsts
}

fn append<T>(table: &mut Vec<T>, items: impl IntoIterator<Item = T>) -> Slice {
    let first = next(table);
    table.extend(items);
    Slice { first, count: next(table) - first }
}

/// The number of the item that a table takes next. No table comes near 2³² entries: patterns are bounded, and so is
/// the number of rules an operator may bring.
fn next<T>(table: &[T]) -> u32 {
    u32::try_from(table.len()).unwrap_or(u32::MAX)
}

fn small(number: usize) -> Result<u16, Problem> {
    u16::try_from(number).map_err(|_| Problem::TooLong)
}
