//! Pig Latin: the first consonants of a word put behind it, with `ay`.

use alloc::string::String;

use super::{Counts, Reading, reads_better};
use crate::{language::is_known, transform::Transform};

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
    let stem = word.strip_suffix("ay").or_else(|| word.strip_suffix("AY")).filter(|stem| stem.len() > 1);
    let Some(stem) = stem else { return out.push_str(word) };
    // `ignoreway`, `ignoreyay`, `ignorehay`: nothing was moved.
    let whole = stem.strip_suffix(['w', 'y', 'h']).filter(|whole| is_known(whole.as_bytes()));
    if let Some(whole) = whole {
        return out.push_str(whole);
    }
    let moved = (1..=CLUSTER).filter_map(|count| stem.split_at_checked(stem.len().checked_sub(count)?));
    let vowel = |c: char| "aeiouAEIOU".contains(c);
    let spelt =
        moved.clone().map(|(rest, first)| [first, rest].concat()).find(|word| is_known(word.as_bytes()));
    let spelt = spelt.or_else(|| {
        // Of a word that is not listed, all the consonants at its end were moved.
        let (rest, first) = stem.split_at(stem.rfind(vowel)? + 1);
        Some([first, rest].concat())
    });
    out.push_str(&spelt.unwrap_or_else(|| word.into()).to_lowercase());
}
