//! Pig Latin: the first consonants of a word put behind it, with `ay`.

use alloc::string::String;

use super::{Counts, Reading, reads_better};
use crate::{
    language::{Standing, standing_of},
    transform::Transform,
};

/// Consonants that a word may begin with.
const CLUSTER: usize = 4;

/// What words begin with, if it is more than one consonant.
static ONSETS: [&str; 34] = [
    "bl", "br", "ch", "cl", "cr", "dr", "fl", "fr", "gl", "gr", "kn", "ph", "pl", "pr", "sc", "sch", "scr",
    "sh", "shr", "sk", "sl", "sm", "sn", "sp", "spr", "st", "str", "sw", "th", "thr", "tr", "tw", "wh", "wr",
];

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
    let stem = word.strip_suffix("ay").or_else(|| word.strip_suffix("AY")).filter(|stem| stem.len() > 1);
    let Some(stem) = stem else { return out.push_str(word) };
    let moved = |count: usize| {
        let (rest, first) = stem.split_at_checked(stem.len().checked_sub(count)?)?;
        (rest.contains(vowel) && !first.contains(vowel)).then(|| [first, rest].concat())
    };
    // `ignoreway`, `ignoreyay`, `ignorehay`: nothing was moved.
    let whole = stem.strip_suffix(['w', 'y', 'h']).filter(|whole| whole.starts_with(vowel)).map(String::from);
    let every = || whole.clone().into_iter().chain((1..=CLUSTER).rev().filter_map(moved));
    let best = |standing| every().find(|word| standing_of(word.as_bytes()) == Some(standing));
    let known = [Standing::Common, Standing::Frequent, Standing::Rare].into_iter().find_map(best);
    // Of an unknown word as much was moved as words begin with.
    let usual = || {
        let onset = |count: &usize| {
            let at = stem.len().checked_sub(*count);
            at.and_then(|at| stem.get(at..))
                .is_some_and(|end| ONSETS.contains(&end.to_ascii_lowercase().as_str()))
        };
        moved((2..=CLUSTER).rev().find(onset).unwrap_or(1))
    };
    let undone = known.or_else(usual).or(whole).unwrap_or_else(|| word.into());
    out.push_str(&undone.to_lowercase());
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
