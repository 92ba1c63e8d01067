//! The compiled form of the rules: flat tables of plain values, laid out when an engine is made.
//!
//! Places in other tables are `u32`: half the room on a 64-bit machine, and the same on every target.

use alloc::vec::Vec;

use super::{
    keys::{KeyTable, Pairs, Place},
    signs::SignTable,
    words::is_word_byte,
};

/// A part of another table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slice {
    /// Its first place.
    pub first: u32,
    /// How many.
    pub count: u32,
}

impl Slice {
    /// The items of `table` that it names.
    #[inline]
    pub fn of<T>(self, table: &[T]) -> &[T] {
        let first = self.first as usize;
        table.get(first..first + self.count as usize).unwrap_or_default()
    }
}

/// A word of a phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its first eight bytes, zeros where it is shorter.
    pub key: u64,
    /// Where all of it begins, in [`Tables::bytes`].
    pub first: u32,
    /// How many bytes it has.
    pub length: u16,
    /// Whether the word ends there, or may go on.
    pub whole: bool,
}

impl Word {
    /// Its bytes.
    #[inline]
    pub fn text(self, bytes: &[u8]) -> &[u8] {
        Slice { first: self.first, count: u32::from(self.length) }.of(bytes)
    }
}

/// A sequence of words, one of several that an item allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alternative {
    /// The [`head`] of its first word.
    pub head: u16,
    /// How many words it has.
    pub count: u16,
    /// The first of them, in [`Tables::words`].
    pub first: u32,
}

impl Alternative {
    /// Its words.
    #[inline]
    pub fn of(self, words: &[Word]) -> &[Word] {
        Slice { first: self.first, count: u32::from(self.count) }.of(words)
    }
}

/// The first two bytes of the word that begins with these eight bytes; one, if it has no more.
#[inline]
pub const fn head(eight: u64) -> u16 {
    let [first, second, ..] = eight.to_le_bytes();
    u16::from_le_bytes([first, if is_word_byte(second) { second } else { 0 }])
}

/// The bit that stands for a head in [`List::heads`].
#[inline]
pub const fn head_bit(head: u16) -> u64 {
    // The upper bits of a product depend on all bits of the head.
    1 << ((head as u32).wrapping_mul(0x9e37_79b1) >> 26)
}

/// Sequences of words of which one stands in a place. Patterns repeat each other's synonyms, so many share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    /// The [`head_bit`]s of them all: most words are told apart by it alone.
    pub heads: u64,
    /// The first, in [`Tables::alternatives`]; they are in the order of their heads.
    pub first: u32,
    /// How many.
    pub count: u16,
    /// Words of the longest.
    pub longest: u16,
}

impl List {
    /// Its sequences.
    #[inline]
    pub fn of(self, alternatives: &[Alternative]) -> &[Alternative] {
        Slice { first: self.first, count: u32::from(self.count) }.of(alternatives)
    }
}

/// One step of a phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Up to `most` words may stand here; with `cross`, sentences may end.
    Gap {
        /// Words at most.
        most: u8,
        /// Whether the end of a sentence may lie in it.
        cross: bool,
    },
    /// One of several sequences of words.
    Item {
        /// In [`Tables::lists`].
        list: u32,
        /// Whether it may be left out.
        optional: bool,
    },
}

/// A phrase pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// The rule it belongs to.
    pub rule: u32,
    /// The first of its steps, in [`Tables::steps`].
    pub first: u32,
    /// How many there are.
    pub count: u16,
    /// The step that is searched for.
    pub anchor: u16,
}

impl Phrase {
    /// Its steps.
    #[inline]
    pub fn of(self, steps: &[Step]) -> &[Step] {
        Slice { first: self.first, count: u32::from(self.count) }.of(steps)
    }
}

/// A place in a pattern of raw literals: one of several stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The characters that may stand between the piece before and this one.
    pub gap: u32,
    /// In [`Tables::literals`].
    pub literals: Slice,
    /// What they may begin with.
    pub firsts: Class,
    /// What they may end with.
    pub lasts: Class,
}

/// A pattern of raw literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw {
    /// The rule it belongs to.
    pub rule: u32,
    /// In [`Tables::pieces`].
    pub pieces: Slice,
}

/// A set of bytes, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class(pub [u64; 4]);

impl Class {
    /// Whether the byte is in it.
    #[inline]
    pub fn contains(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte >> 6)).is_some_and(|word| word >> (byte & 63) & 1 != 0)
    }

    /// Adds a byte.
    pub fn insert(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }
}

/// A piece of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// These bytes, in [`Tables::bytes`].
    Literal(Slice),
    /// Bytes of a class, as many as there are.
    Repeat {
        /// In [`Tables::classes`].
        class: u32,
        /// At least.
        min: u32,
        /// At most.
        max: u32,
    },
}

/// What a credential proves by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// GitHub and npm: after the prefix, 30 characters and their CRC-32 in six base-62 digits. A token typed by hand
    /// has a wrong one; that is held against it only where the text beside it calls it an example.
    GithubCrc32,
    /// GitLab's routable tokens: the CRC-32 of all before it in seven base-36 digits. Held against it likewise.
    GitlabCrc32,
    /// A JSON Web Token: its header names an algorithm (RFC 7515, 4.1.1). Without, it is none.
    JwtHeader,
}

impl Checksum {
    /// The checksum that a rule file names.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "github-crc32" => Self::GithubCrc32,
            "gitlab-crc32" => Self::GitlabCrc32,
            "jwt-header" => Self::JwtHeader,
            _ => return None,
        })
    }

    /// Its number in the packed rules; 0 is none.
    pub(super) const fn number(self) -> u32 {
        match self {
            Self::GithubCrc32 => 1,
            Self::GitlabCrc32 => 2,
            Self::JwtHeader => 3,
        }
    }

    /// The checksum of a number in the packed rules. `None` if no checksum has it.
    pub(super) const fn from_number(number: u32) -> Option<Option<Self>> {
        match number {
            0 => Some(None),
            1 => Some(Some(Self::GithubCrc32)),
            2 => Some(Some(Self::GitlabCrc32)),
            3 => Some(Some(Self::JwtHeader)),
            _ => None,
        }
    }
}

/// A token pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// The rule it belongs to.
    pub rule: u32,
    /// In [`Tables::elements`].
    pub elements: Slice,
    /// Thousandths of a bit a character, over what the classes matched.
    pub min_entropy: u16,
    /// What it proves by itself.
    pub checksum: Option<Checksum>,
    /// In [`Tables::stopwords`].
    pub stopwords: Slice,
}

/// What hangs on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posting {
    /// A word of a phrase's anchor.
    Phrase {
        /// In [`Tables::phrases`].
        phrase: u32,
        /// What must be near, in [`SignTable::needs`].
        needs: u32,
        /// The alternative, counted within the list.
        alternative: u16,
        /// The word, counted within the alternative.
        word: u16,
    },
    /// A place in a raw literal.
    Raw {
        /// In [`Tables::raws`].
        raw: u32,
        /// The piece, counted within the pattern.
        piece: u16,
        /// The literal, counted within the piece.
        literal: u16,
        /// The byte, counted within the literal.
        offset: u16,
    },
    /// A place in a literal of a token.
    Token {
        /// In [`Tables::tokens`].
        token: u32,
        /// The element, counted within the token.
        element: u16,
        /// The byte, counted within the literal.
        offset: u16,
    },
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Tables {
    /// What the patterns say.
    pub laid: Laid,
    /// What tells from the words round a hit which of its postings cannot match.
    pub signs: SignTable,
    /// What hangs on the keys.
    pub postings: Vec<Posting>,
    /// The keys of each [`Place`], in the order of [`Place::ALL`].
    pub keys: [KeyTable; Place::ALL.len()],
    /// Which of the keys may stand at a symbol.
    pub pairs: Pairs,
}

/// What the patterns say, without what finds them in a text.
#[derive(Clone, Debug, Default)]
pub struct Laid {
    /// Text that the other tables refer to.
    pub bytes: Vec<u8>,
    /// Words of phrases.
    pub words: Vec<Word>,
    /// Sequences of words.
    pub alternatives: Vec<Alternative>,
    /// Lists of them.
    pub lists: Vec<List>,
    /// Steps of phrases.
    pub steps: Vec<Step>,
    /// Phrase patterns.
    pub phrases: Vec<Phrase>,
    /// Raw literals, in [`Self::bytes`].
    pub literals: Vec<Slice>,
    /// Places for raw literals.
    pub pieces: Vec<Piece>,
    /// Patterns of raw literals.
    pub raws: Vec<Raw>,
    /// Sets of bytes.
    pub classes: Vec<Class>,
    /// Elements of tokens.
    pub elements: Vec<Element>,
    /// Words that make a token a placeholder, in [`Self::bytes`].
    pub stopwords: Vec<Slice>,
    /// Token patterns.
    pub tokens: Vec<Token>,
}

impl core::ops::Deref for Tables {
    type Target = Laid;

    fn deref(&self) -> &Laid {
        &self.laid
    }
}

impl Tables {
    /// The keys of one place.
    #[inline]
    pub const fn keys(&self, place: Place) -> &KeyTable {
        let [word, prefix, long, raw6, raw3, raw2, tail, raw1] = &self.keys;
        match place {
            Place::Word => word,
            Place::Prefix => prefix,
            Place::Long => long,
            Place::Raw6 => raw6,
            Place::Raw3 => raw3,
            Place::Raw2 => raw2,
            Place::Tail => tail,
            Place::Raw1 => raw1,
        }
    }
}
