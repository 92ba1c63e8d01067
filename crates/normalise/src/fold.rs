//! What becomes of one character that is not ASCII.

use crate::{
    comparable::SYMBOL,
    invisible::is_invisible,
    unicode::{Quick, combining_class, compose, decompose, is_compatibility, is_mark, quick},
};

/// Whether `c` is part of a word: a letter, a digit or a mark.
#[must_use]
pub fn is_word(c: char) -> bool {
    is_alphanumeric(c) || !c.is_ascii() && is_mark(c)
}

/// What to do with a character of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Never seen: leave it out.
    Invisible,
    /// White space, with the line breaks it counts for.
    Space(u8),
    /// Stands for this ASCII punctuation.
    Punctuation(&'static str),
    /// A letter, digit or mark in normal form; only its case may change.
    Letter,
    /// Has to be normalised together with the marks that follow it.
    Compatible,
    /// Neither of a word nor known by an ASCII form.
    Symbol,
}

/// Sorts a character that is not ASCII. The ranges first asked for are those of ordinary text in the
/// most written scripts; the tables behind answer for the rest.
pub(crate) fn kind(c: char) -> Kind {
    match c {
        'à'..='ö' | 'ø'..='ÿ' | 'À'..='Ö' | 'Ø'..='ß' => Kind::Letter,
        'А'..='я' | 'ѐ'..='џ' | 'α'..='ω' | 'א'..='ת' | 'ؠ'..='ي' => Kind::Letter,
        '\u{4e00}'..='\u{9fff}' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '\u{ac00}'..='\u{d7a3}' => Kind::Letter,
        _ if is_phrase(c) => Kind::Letter,
        // Words and units in one square, which NFKC makes up to six times as long.
        '\u{3300}'..='\u{33ff}' => Kind::Symbol,
        _ => punctuation(c).unwrap_or_else(|| rare(c)),
    }
}

/// The small letter of a letter in normal form of the most written scripts, told without a table.
pub(crate) const fn cased(c: char) -> Option<char> {
    let by = match c {
        'а'..='џ' | 'à'..='ö' | 'ø'..='ÿ' | 'α'..='ω' => 0,
        '\u{4e00}'..='\u{9fff}' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '\u{ac00}'..='\u{d7a3}' | 'א'..='ת' => 0,
        'А'..='Я' | 'À'..='Ö' | 'Ø'..='Þ' => 0x20,
        'Ѐ'..='Џ' => 0x50,
        _ => return None,
    };
    char::from_u32(c as u32 + by)
}

/// Ligatures of a whole phrase, which are letters enough as they are: undone they would be eleven times as long.
pub(crate) const fn is_phrase(c: char) -> bool {
    matches!(c, '\u{fdfa}' | '\u{fdfb}')
}

/// A letter and the mark on it as one character, if that is all there is and there is such a character.
pub(crate) fn composed(cluster: &str) -> Option<char> {
    let mut chars = cluster.chars();
    let (base, mark) = (chars.next()?, chars.next()?);
    if chars.next().is_some() || quick(base) != Quick::Yes {
        return None;
    }
    compose(base, mark)
}

fn punctuation(c: char) -> Option<Kind> {
    Some(match c {
        '\u{85}' | '\u{2028}' => Kind::Space(1),
        '\u{2029}' => Kind::Space(2),
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            Kind::Space(0)
        }
        '‘' | '’' | '‚' | '‛' | '′' | '‹' | '›' | 'ʼ' => Kind::Punctuation("'"),
        '“' | '”' | '„' | '‟' | '″' | '«' | '»' | '「' | '」' | '『' | '』' => {
            Kind::Punctuation("\"")
        }
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Kind::Punctuation("-"),
        '。' | '।' | '۔' | '።' | '\u{ff61}' => Kind::Punctuation("."),
        '、' | '،' | '\u{ff64}' => Kind::Punctuation(","),
        '؟' | '¿' | '⸮' => Kind::Punctuation("?"),
        '¡' => Kind::Punctuation("!"),
        '؛' => Kind::Punctuation(";"),
        '…' => Kind::Punctuation("..."),
        '【' | '〔' => Kind::Punctuation("["),
        '】' | '〕' => Kind::Punctuation("]"),
        '《' | '〈' | '⟨' => Kind::Punctuation("<"),
        '》' | '〉' | '⟩' => Kind::Punctuation(">"),
        '•' | '·' | '・' | '‣' => Kind::Punctuation("*"),
        _ => return None,
    })
}

fn rare(c: char) -> Kind {
    if is_invisible(c) {
        return Kind::Invisible;
    }
    if combining_class(c) != 0 || quick(c) != Quick::Yes {
        return Kind::Compatible;
    }
    if is_word(c) { Kind::Letter } else { Kind::Symbol }
}

/// Whether `c` may combine with the character before it.
pub(crate) fn joins_previous(c: char) -> bool {
    match c {
        ..'\u{300}' | '\u{370}'..'\u{483}' | '\u{2000}'..'\u{20d0}' | '\u{3400}'..'\u{a000}' => return false,
        // A syllable begins with a consonant, which joins nothing.
        '\u{ac00}'..='\u{d7a3}' | '\u{1f000}'..'\u{1fb00}' => return false,
        _ => {}
    }
    if is_invisible(c) {
        return false;
    }
    let mut first = c;
    let mut seen = false;
    decompose(c, |part| {
        if !seen {
            first = part;
            seen = true;
        }
    });
    combining_class(first) != 0 || quick(first) == Quick::Maybe
}

/// Whether a letter or digit was written in a compatibility form: `ｉ`, `𝐢`, `ﬁ`, `①`.
pub(crate) fn is_compatibility_letter(c: char) -> bool {
    let mut word = false;
    if is_compatibility(c) {
        decompose(c, |part| word |= part.is_alphanumeric());
    }
    word
}

/// Hands over the comparable form of a normalised character, byte-wise ASCII unless it is of a word.
pub(crate) fn lower(c: char, mut put: impl FnMut(char)) {
    if c.is_ascii() {
        return put(c.to_ascii_lowercase());
    }
    match kind(c) {
        Kind::Invisible => {}
        Kind::Space(_) => put(' '),
        Kind::Punctuation(text) => text.chars().for_each(put),
        Kind::Symbol => put(SYMBOL),
        // Lower case may bring a mark along (`İ`), never anything but letters and marks.
        Kind::Letter => c.to_lowercase().for_each(put),
        Kind::Compatible if is_word(c) => c.to_lowercase().for_each(put),
        Kind::Compatible => put(SYMBOL),
    }
}

/// Whether a character is a letter or a digit, as the standard library says: what there is most of is told without
/// looking it up.
#[inline(always)]
pub(crate) fn is_alphanumeric(c: char) -> bool {
    match c {
        '\0'..='\x7f' => c.is_ascii_alphanumeric(),
        '\u{2000}'..='\u{206f}'
        | '\u{2190}'..='\u{23ff}'
        | '\u{2500}'..='\u{2775}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{1f300}'..='\u{1faff}' => false,
        '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => true,
        _ => c.is_alphanumeric(),
    }
}

/// Whether a character is a letter, told as fast.
#[inline(always)]
pub(crate) fn is_alphabetic(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { is_alphanumeric(c) && c.is_alphabetic() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_lowers_to_ascii_or_to_letters_and_marks() {
        for c in (0..=0x10_ffffu32).filter_map(char::from_u32) {
            if !c.is_ascii() {
                lower(c, |out| assert!(out.is_ascii() || is_word(out), "{c:?} gave {out:?}"));
            }
        }
    }

    #[test]
    fn letters_and_digits_are_those_of_the_standard_library() {
        for c in (0..=0x10_ffffu32).filter_map(char::from_u32) {
            assert_eq!(is_alphanumeric(c), c.is_alphanumeric(), "{c:?}");
            assert_eq!(is_alphabetic(c), c.is_alphabetic(), "{c:?}");
        }
    }

    #[test]
    fn shortcuts_agree_with_the_tables() {
        for c in (0x80..=0x10_ffffu32).filter_map(char::from_u32) {
            if let Some(small) = cased(c) {
                assert_eq!(kind(c), Kind::Letter, "{c:?}");
                assert!(c.to_lowercase().eq([small]), "{c:?}");
            }
            if kind(c) == Kind::Letter && !is_phrase(c) {
                assert!(is_word(c), "{c:?} is no part of a word");
                assert_eq!(quick(c), Quick::Yes, "{c:?}");
            }
            if combining_class(c) != 0 && !is_invisible(c) {
                assert!(joins_previous(c), "{c:?} combines");
            }
        }
    }

    #[test]
    fn compatibility_letters_are_told_from_plain_and_composed_ones() {
        for c in ['ｉ', '𝐢', 'ﬁ', '①', '²', 'Ⅳ'] {
            assert!(is_compatibility_letter(c), "{c}");
        }
        for c in ['i', 'é', '…', '中', '\u{a0}', 'Å', '\u{1f600}'] {
            assert!(!is_compatibility_letter(c), "{c}");
        }
    }
}
