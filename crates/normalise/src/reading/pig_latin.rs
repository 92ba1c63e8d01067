//! Pig Latin: the first consonants of a word put behind it, with `ay`.

use alloc::string::String;

use super::{Counts, Reading, reads_better};
use crate::{
    language::{is_known, naturalness},
    transform::Transform,
};

/// Consonants that a word may begin with.
const CLUSTER: usize = 4;

pub(super) fn read(stretch: &str, counts: &Counts, before: u32) -> Reading {
    if counts.ay < 3 || counts.ay * 2 < counts.pieces {
        return None;
    }
    let mut text = String::with_capacity(stretch.len());
    for piece in stretch.split_inclusive(|c: char| !c.is_ascii_alphabetic()) {
        let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
        push_word(word, &mut text);
        text.push_str(piece.get(word.len()..).unwrap_or_default());
    }
    reads_better(text.as_bytes(), before).then_some((Transform::PigLatin, text))
}

fn push_word(word: &str, out: &mut String) {
    // A word that ends so by itself.
    if word.len() < 5 && is_known(word.as_bytes()) {
        return out.push_str(word);
    }
    let stem = word.strip_suffix("ay").or_else(|| word.strip_suffix("AY")).filter(|stem| stem.len() > 1);
    let Some(stem) = stem else { return out.push_str(word) };
    let moved = (1..=CLUSTER)
        .filter_map(|count| stem.split_at_checked(stem.len().checked_sub(count)?))
        .filter(|(rest, first)| !rest.is_empty() && !first.contains(vowel))
        .map(|(rest, first)| [first, rest].concat());
    // `ignoreway`, `ignoreyay`, `ignorehay`: nothing was moved.
    let whole = stem.strip_suffix(['w', 'y', 'h']).filter(|whole| whole.starts_with(vowel)).map(String::from);
    let known = moved.clone().chain(whole.clone()).find(|word| is_known(word.as_bytes()));
    let natural = || moved.chain(whole).max_by_key(|word| naturalness(word.as_bytes()));
    out.push_str(&known.or_else(natural).unwrap_or_else(|| word.into()).to_lowercase());
}

const fn vowel(c: char) -> bool {
    matches!(c, 'a' | 'e' | 'i' | 'o' | 'u' | 'A' | 'E' | 'I' | 'O' | 'U')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consonants_go_back_to_the_front() {
        for (hidden, word) in [
            ("Ignoreway", "ignore"),
            ("eviouspray", "previous"),
            ("instructionsway", "instructions"),
            ("ouryay", "your"),
            ("originallyway", "originally"),
            ("irstFay", "first"),
            ("day", "day"),
        ] {
            let mut out = String::new();
            push_word(hidden, &mut out);
            assert_eq!(out, word);
        }
    }
}
