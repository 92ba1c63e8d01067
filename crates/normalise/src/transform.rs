//! What can be undone to a text.

use core::fmt;

/// One way in which a text differed from what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transform {
    /// Compatibility characters (full width, mathematical letters, ligatures …) in place of plain ones.
    Nfkc,
    /// Characters that are not seen: zero width, soft hyphens, direction controls …
    Invisibles,
    /// Upper case. Folded always and reported never: capitals hide nothing.
    Case,
    /// Text spelt in Unicode tag characters, which no font shows.
    Tags,
    /// Base64, in the standard or in the URL-safe alphabet.
    Base64,
    /// Pairs of hexadecimal digits.
    Hex,
    /// URL percent-encoding.
    Url,
    /// Base32, in the standard alphabet.
    Base32,
    /// Base58, in Bitcoin's alphabet.
    Base58,
    /// Base85: Ascii85, or the alphabet of RFC 1924.
    Base85,
    /// Eight (or seven) binary digits a character.
    Binary,
    /// Octal character codes.
    Octal,
    /// Decimal character codes, or the letters' numbers.
    Decimal,
    /// HTML character references.
    Html,
    /// Escape sequences of programming languages: `\u0069`, `\x69`, `U+0069` …
    Escapes,
    /// Quoted-printable, as mail has it.
    QuotedPrintable,
    /// Each letter replaced by the one so many places further on: ROT13, Caesar's cipher.
    Rotation,
    /// ROT47: the rotation by 47 places among the printable ASCII characters.
    Rot47,
    /// The alphabet read from its end.
    Atbash,
    /// Written backwards, as a whole or word by word.
    Reversed,
    /// The words in the opposite order.
    WordOrder,
    /// Morse code.
    Morse,
    /// Words of a spelling alphabet: Alfa, Bravo, Charlie …
    Spelling,
    /// Braille cells, a letter each.
    Braille,
    /// Letters of other scripts, and of none, that look like Latin ones.
    Confusables,
    /// Combining marks heaped on letters.
    Marks,
    /// Digits and symbols in place of letters.
    Leet,
    /// Letters held apart by spaces, punctuation or anything else; words by anything but spaces.
    Spaced,
    /// Words written without gaps.
    Joined,
    /// Letters written several times.
    Repeated,
    /// Words in pieces: concatenated strings, markup or symbols inside words.
    Pieces,
    /// Pig Latin.
    PigLatin,
    /// Words with letters swapped, left out or mistaken.
    Typos,
}

impl Transform {
    /// Every transform, in the order of their declaration.
    pub const ALL: [Self; 33] = [
        Self::Nfkc,
        Self::Invisibles,
        Self::Case,
        Self::Tags,
        Self::Base64,
        Self::Hex,
        Self::Url,
        Self::Base32,
        Self::Base58,
        Self::Base85,
        Self::Binary,
        Self::Octal,
        Self::Decimal,
        Self::Html,
        Self::Escapes,
        Self::QuotedPrintable,
        Self::Rotation,
        Self::Rot47,
        Self::Atbash,
        Self::Reversed,
        Self::WordOrder,
        Self::Morse,
        Self::Spelling,
        Self::Braille,
        Self::Confusables,
        Self::Marks,
        Self::Leet,
        Self::Spaced,
        Self::Joined,
        Self::Repeated,
        Self::Pieces,
        Self::PigLatin,
        Self::Typos,
    ];

    /// Its name in events and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nfkc => "nfkc",
            Self::Invisibles => "invisibles",
            Self::Case => "case",
            Self::Tags => "tags",
            Self::Base64 => "base64",
            Self::Hex => "hex",
            Self::Url => "url",
            Self::Base32 => "base32",
            Self::Base58 => "base58",
            Self::Base85 => "base85",
            Self::Binary => "binary",
            Self::Octal => "octal",
            Self::Decimal => "decimal",
            Self::Html => "html",
            Self::Escapes => "escapes",
            Self::QuotedPrintable => "quoted_printable",
            Self::Rotation => "rotation",
            Self::Rot47 => "rot47",
            Self::Atbash => "atbash",
            Self::Reversed => "reversed",
            Self::WordOrder => "word_order",
            Self::Morse => "morse",
            Self::Spelling => "spelling",
            Self::Braille => "braille",
            Self::Confusables => "confusables",
            Self::Marks => "marks",
            Self::Leet => "leet",
            Self::Spaced => "spaced",
            Self::Joined => "joined",
            Self::Repeated => "repeated",
            Self::Pieces => "pieces",
            Self::PigLatin => "pig_latin",
            Self::Typos => "typos",
        }
    }

    /// Whether undoing it gives back every character as it was written, spaces and punctuation too.
    #[must_use]
    pub const fn is_exact(self) -> bool {
        matches!(
            self,
            Self::Base64
                | Self::Hex
                | Self::Url
                | Self::Base32
                | Self::Base58
                | Self::Base85
                | Self::Binary
                | Self::Octal
                | Self::Decimal
                | Self::Html
                | Self::Escapes
                | Self::QuotedPrintable
        )
    }

    const fn bit(self) -> u64 {
        1 << self as u32
    }
}

impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of transforms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transforms(u64);

impl Transforms {
    /// None.
    pub const NONE: Self = Self(0);

    /// Adds one.
    pub const fn insert(&mut self, transform: Transform) {
        self.0 |= transform.bit();
    }

    /// Whether it is among them.
    #[must_use]
    pub const fn contains(self, transform: Transform) -> bool {
        self.0 & transform.bit() != 0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them, in the order of their declaration.
    pub fn iter(self) -> impl Iterator<Item = Transform> {
        Transform::ALL.into_iter().filter(move |transform| self.contains(*transform))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transform_is_listed_once_under_its_own_name() {
        for (at, transform) in Transform::ALL.iter().enumerate() {
            assert_eq!(*transform as usize, at);
            assert_eq!(Transform::ALL.iter().filter(|other| other.as_str() == transform.as_str()).count(), 1);
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let mut set = Transforms::NONE;
        assert!(set.is_empty());
        set.insert(Transform::Base64);
        set.insert(Transform::Nfkc);
        assert_eq!(set.iter().collect::<alloc::vec::Vec<_>>(), [Transform::Nfkc, Transform::Base64]);
        assert!(!set.contains(Transform::Case));
    }
}
