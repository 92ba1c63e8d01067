//! What the Unicode Character Database knows of a character, and NFKC (UAX #15).

use alloc::vec::Vec;

include!(concat!(env!("OUT_DIR"), "/unicode.rs"));

/// Bytes of the tables.
pub(crate) const TABLES: usize =
    size_of_val(&TRAITS) + size_of_val(&COMPOSED) + size_of_val(&KEYS) + size_of_val(&STARTS) + TEXTS.len();

/// The answer of a quick check (UAX #15, 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quick {
    /// Normalised.
    Yes,
    /// Not normalised.
    No,
    /// It depends on what stands before it.
    Maybe,
}

// Hangul is composed and decomposed by arithmetic: The Unicode Standard, 3.12.
const SYLLABLES: u32 = 0xac00;
const LEADING: u32 = 0x1100;
const VOWELS: u32 = 0x1161;
/// One before the first trailing consonant.
const TRAILING: u32 = 0x11a7;
const VOWEL_COUNT: u32 = 21;
const TRAILING_COUNT: u32 = 28;
const SYLLABLE_COUNT: u32 = 19 * VOWEL_COUNT * TRAILING_COUNT;

#[inline(never)]
fn traits(c: char) -> u32 {
    if c.is_ascii() {
        return 0;
    }
    let behind = TRAITS.partition_point(|row| row >> 11 <= u32::from(c));
    behind.checked_sub(1).and_then(|place| TRAITS.get(place)).map_or(0, |row| row & 0x7ff)
}

/// The canonical combining class.
pub(crate) fn combining_class(c: char) -> u8 {
    traits(c).to_le_bytes().first().copied().unwrap_or(0)
}

/// Whether this is a mark, by its general category.
pub(crate) fn is_mark(c: char) -> bool {
    traits(c) & 0x100 != 0
}

/// Whether a character alone is in NFKC.
pub(crate) fn quick(c: char) -> Quick {
    match traits(c) >> 9 {
        0 => Quick::Yes,
        1 => Quick::No,
        _ => Quick::Maybe,
    }
}

/// Whether a text is in NFKC as far as a quick look tells.
pub(crate) fn is_normal(text: &str) -> bool {
    let mut last = 0;
    text.chars().all(|c| {
        let class = combining_class(c);
        let ordered = class == 0 || last <= class;
        last = class;
        ordered && quick(c) == Quick::Yes
    })
}

/// A character's text in the table of decompositions, and whether only compatibility decomposes it so.
#[inline(never)]
fn decomposition(c: char) -> Option<(&'static str, bool)> {
    let number = u32::from(c);
    let plane = usize::try_from(number >> 16).ok()?;
    let first = *PLANES.get(plane)?;
    let keys = KEYS.get(first..*PLANES.get(plane + 1)?)?;
    let low = u16::try_from(number & 0xffff).ok()?;
    let place = first + keys.binary_search(&low).ok()?;
    let (start, end) = (*STARTS.get(place)?, *STARTS.get(place + 1)?);
    let text = TEXTS.get(usize::from(start & 0x7fff)..usize::from(end & 0x7fff))?;
    Some((text, start >> 15 != 0))
}

/// Whether only compatibility decomposes this character, or decomposes it further.
pub(crate) fn is_compatibility(c: char) -> bool {
    !c.is_ascii() && decomposition(c).is_some_and(|(_, only)| only)
}

/// Hands over the compatibility decomposition of a character, which may be the character alone.
pub(crate) fn decompose(c: char, mut put: impl FnMut(char)) {
    if c.is_ascii() {
        return put(c);
    }
    match u32::from(c).checked_sub(SYLLABLES) {
        Some(place) if place < SYLLABLE_COUNT => {
            let trailing = place % TRAILING_COUNT;
            let leading = LEADING + place / (VOWEL_COUNT * TRAILING_COUNT);
            let vowel = VOWELS + place / TRAILING_COUNT % VOWEL_COUNT;
            let parts = [leading, vowel, TRAILING + trailing];
            let count = if trailing == 0 { 2 } else { 3 };
            parts.into_iter().take(count).filter_map(char::from_u32).for_each(put);
        }
        _ => match decomposition(c) {
            Some((text, _)) => text.chars().for_each(put),
            None => put(c),
        },
    }
}

/// The character that two are the canonical decomposition of, unless it is never composed.
#[inline(never)]
pub(crate) fn compose(first: char, second: char) -> Option<char> {
    let (one, two) = (u32::from(first), u32::from(second));
    if let (Some(leading @ 0..19), Some(vowel @ 0..VOWEL_COUNT)) =
        (one.checked_sub(LEADING), two.checked_sub(VOWELS))
    {
        return char::from_u32(SYLLABLES + (leading * VOWEL_COUNT + vowel) * TRAILING_COUNT);
    }
    if let (Some(syllable @ 0..SYLLABLE_COUNT), Some(trailing @ 1..TRAILING_COUNT)) =
        (one.checked_sub(SYLLABLES), two.checked_sub(TRAILING))
    {
        return char::from_u32(one + trailing).filter(|_| syllable % TRAILING_COUNT == 0);
    }
    let pair = u64::from(one) << 21 | u64::from(two);
    let row = *COMPOSED.get(COMPOSED.partition_point(|row| row >> 21 < pair))?;
    char::from_u32(u32::try_from(row & 0x1f_ffff).ok()?).filter(|_| row >> 21 == pair)
}

/// Puts a text in NFKC, each character behind its combining class, in place of what was in `out`. Every mark is put in
/// order at once: this is for clusters, not for long runs of marks.
pub(crate) fn nfkc(text: &str, out: &mut Vec<(u8, char)>) {
    out.clear();
    for c in text.chars() {
        decompose(c, |part| {
            let class = combining_class(part);
            let later = out.iter().rev().take_while(|(before, _)| class != 0 && *before > class).count();
            out.insert(out.len() - later, (class, part));
        });
    }
    let (mut starter, mut last, mut length) = (None, 0, 0);
    for place in 0..out.len() {
        let Some((class, c)) = out.get(place).copied() else { break };
        // A mark of the same class or of a later one stands between a mark and its letter.
        if let Some(starter) = starter
            && (length == starter + 1 || last < class)
            && let Some((_, first)) = out.get_mut(starter)
            && let Some(whole) = compose(*first, c)
        {
            *first = whole;
            continue;
        }
        if class == 0 {
            starter = Some(length);
        }
        if let Some(kept) = out.get_mut(length) {
            *kept = (class, c);
        }
        last = class;
        length += 1;
    }
    out.truncate(length);
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use unicode_normalization::{IsNormalized, UnicodeNormalization, char as known, is_nfkc_quick};

    use super::*;

    fn all() -> impl Iterator<Item = char> {
        (0..=0x10_ffffu32).filter_map(char::from_u32)
    }

    fn ours(text: &str) -> String {
        let mut out = Vec::new();
        nfkc(text, &mut out);
        out.into_iter().map(|(_, c)| c).collect()
    }

    #[test]
    fn every_character_has_the_traits_and_the_decomposition_of_the_database() {
        let (mut decomposed, mut marks) = (0, 0);
        for c in all() {
            assert_eq!(combining_class(c), known::canonical_combining_class(c), "{c:?}");
            assert_eq!(is_mark(c), known::is_combining_mark(c), "{c:?}");
            let answer = match is_nfkc_quick(core::iter::once(c)) {
                IsNormalized::Yes => Quick::Yes,
                IsNormalized::No => Quick::No,
                IsNormalized::Maybe => Quick::Maybe,
            };
            assert_eq!(quick(c), answer, "{c:?}");
            let (mut mine, mut compatible, mut canonical) = (String::new(), String::new(), String::new());
            decompose(c, |part| mine.push(part));
            known::decompose_compatible(c, |part| compatible.push(part));
            known::decompose_canonical(c, |part| canonical.push(part));
            assert_eq!(mine, compatible, "{c:?}");
            assert_eq!(is_compatibility(c), canonical != compatible, "{c:?}");
            decomposed += u32::from(mine.chars().ne([c]));
            marks += u32::from(is_mark(c));
        }
        assert!(decomposed > 17_000 && marks > 2400, "{decomposed} {marks}");
    }

    #[test]
    fn every_pair_composes_as_in_the_database() {
        let seconds: Vec<char> =
            all().filter(|c| quick(*c) == Quick::Maybe).chain(['a', '\u{11a7}']).collect();
        let mut composed = 0;
        for first in all().take(0x1_8000) {
            for second in &seconds {
                let whole = compose(first, *second);
                assert_eq!(whole, known::compose(first, *second), "{first:?} {second:?}");
                composed += u32::from(whole.is_some());
            }
        }
        assert!(composed > 12_000, "{composed}");
    }

    #[test]
    fn clusters_are_put_in_nfkc() {
        let odd: Vec<char> = all().filter(|c| quick(*c) != Quick::Yes || combining_class(*c) != 0).collect();
        let letters =
            ['a', 'o', 'q', ' ', '가', 'が', 'ａ', 'ﬁ', '\u{1100}', '\u{95d}', '\u{344}', '\u{1fed}'];
        let mut seed = 1usize;
        let mut next = |from: &[char]| {
            seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
            from[(seed >> 8) % from.len()]
        };
        let mut changed = 0;
        for number in 0..60_000 {
            let mut text = String::from(next(&letters));
            (0..number % 6).for_each(|_| text.push(next(&odd)));
            if number % 3 == 0 {
                text.extend(['\u{301}', '\u{327}', '\u{302}', next(&letters), '\u{308}']);
            }
            let normal: String = text.nfkc().collect();
            assert_eq!(ours(&text), normal, "{text:?}");
            assert_eq!(is_normal(&text), is_nfkc_quick(text.chars()) == IsNormalized::Yes, "{text:?}");
            changed += u32::from(normal != text);
        }
        assert!(changed > 30_000, "{changed}");
    }
}
