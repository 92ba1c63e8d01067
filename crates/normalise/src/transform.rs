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
}

impl Transform {
    /// Every transform, in the order of their declaration.
    pub const ALL: [Self; 7] =
        [Self::Nfkc, Self::Invisibles, Self::Case, Self::Tags, Self::Base64, Self::Hex, Self::Url];

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
        }
    }

    const fn bit(self) -> u32 {
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
pub struct Transforms(u32);

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
