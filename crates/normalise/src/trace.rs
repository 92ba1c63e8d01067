//! What hid the part of a text that a rule matched.

use crate::{
    fold::{is_compatibility_letter, is_word},
    invisible::is_invisible,
    transform::{Transform, Transforms},
};

/// Bytes of a match that are looked at. Matches are short; a longer one is odd enough in its first part.
const LOOKED_AT: usize = 4096;

/// The transforms that had to be undone inside `part` of a source: compatibility letters, and
/// invisible characters within a word. Case is none of them, and neither is an invisible character
/// beside an emoji or between words, where it belongs to ordinary writing.
#[must_use]
pub fn undone_in(part: &str) -> Transforms {
    let mut undone = Transforms::NONE;
    let part = part.get(..part.floor_char_boundary(LOOKED_AT)).unwrap_or_default();
    let mut after_word = false;
    let mut hidden = false;
    for c in part.chars() {
        if is_invisible(c) {
            hidden |= after_word;
            continue;
        }
        let word = is_word(c);
        if word && hidden {
            undone.insert(Transform::Invisibles);
        }
        if is_compatibility_letter(c) {
            undone.insert(Transform::Nfkc);
        }
        after_word = word;
        hidden = false;
    }
    undone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(part: &str) -> alloc::vec::Vec<&'static str> {
        undone_in(part).iter().map(Transform::as_str).collect()
    }

    #[test]
    fn names_what_hides_a_word() {
        assert_eq!(names("ig\u{200b}nore"), ["invisibles"]);
        assert_eq!(names("ｉｇｎｏｒｅ previous"), ["nfkc"]);
        assert_eq!(names("𝐢g\u{ad}nore"), ["nfkc", "invisibles"]);
    }

    #[test]
    fn leaves_ordinary_writing_alone() {
        for part in ["Ignore ALL", "❤\u{fe0f} you", "naïve — “quoted”…", "a \u{200e}b", "e\u{301}t\u{e9}"]
        {
            assert!(names(part).is_empty(), "{part:?}");
        }
    }
}
