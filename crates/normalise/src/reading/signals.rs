//! Morse code and spelling alphabets.

use alloc::string::String;

use super::{Counts, LONGEST, Reading, WORDS};
use crate::{
    language::{fluency, is_known, segment},
    transform::Transform,
};

/// Fewer signs spell no instruction.
const FEWEST: usize = 6;

/// Words of a stretch that are asked first.
const FIRST: usize = 12;

/// Morse code of ITU-R M.1677-1.
static MORSE: [(&str, char); 49] = [
    (".-", 'a'),
    ("-...", 'b'),
    ("-.-.", 'c'),
    ("-..", 'd'),
    (".", 'e'),
    ("..-.", 'f'),
    ("--.", 'g'),
    ("....", 'h'),
    ("..", 'i'),
    (".---", 'j'),
    ("-.-", 'k'),
    (".-..", 'l'),
    ("--", 'm'),
    ("-.", 'n'),
    ("---", 'o'),
    (".--.", 'p'),
    ("--.-", 'q'),
    (".-.", 'r'),
    ("...", 's'),
    ("-", 't'),
    ("..-", 'u'),
    ("...-", 'v'),
    (".--", 'w'),
    ("-..-", 'x'),
    ("-.--", 'y'),
    ("--..", 'z'),
    ("-----", '0'),
    (".----", '1'),
    ("..---", '2'),
    ("...--", '3'),
    ("....-", '4'),
    (".....", '5'),
    ("-....", '6'),
    ("--...", '7'),
    ("---..", '8'),
    ("----.", '9'),
    (".-.-.-", '.'),
    ("--..--", ','),
    ("..--..", '?'),
    (".----.", '\''),
    ("-.-.--", '!'),
    ("-..-.", '/'),
    ("-.--.", '('),
    ("-.--.-", ')'),
    ("---...", ':'),
    ("-.-.-.", ';'),
    ("-...-", '='),
    ("-....-", '-'),
    (".-..-.", '"'),
];

/// The spelling alphabet of ICAO and NATO, by the first four letters of each word.
static SPELLING: [(&str, char); 40] = [
    ("alfa", 'a'),
    ("alph", 'a'),
    ("brav", 'b'),
    ("char", 'c'),
    ("delt", 'd'),
    ("echo", 'e'),
    ("foxt", 'f'),
    ("golf", 'g'),
    ("hote", 'h'),
    ("indi", 'i'),
    ("juli", 'j'),
    ("kilo", 'k'),
    ("lima", 'l'),
    ("mike", 'm'),
    ("nove", 'n'),
    ("osca", 'o'),
    ("papa", 'p'),
    ("queb", 'q'),
    ("rome", 'r'),
    ("sier", 's'),
    ("tang", 't'),
    ("unif", 'u'),
    ("vict", 'v'),
    ("whis", 'w'),
    ("xray", 'x'),
    ("x-ra", 'x'),
    ("yank", 'y'),
    ("zulu", 'z'),
    ("zero", '0'),
    ("one", '1'),
    ("two", '2'),
    ("thre", '3'),
    ("four", '4'),
    ("five", '5'),
    ("six", '6'),
    ("seve", '7'),
    ("eigh", '8'),
    ("nine", '9'),
    ("stop", '.'),
    ("spac", ' '),
];

/// Reads Morse code: signs of dots and dashes, spaces between letters, and more than that between words.
pub(super) fn morse(stretch: &str, counts: &Counts) -> Reading {
    let dots = stretch.chars().take(LONGEST).filter(|c| is_signal(*c)).count();
    if dots < 2 * FEWEST || dots < 2 * (counts.alphabetic + counts.digits) as usize {
        return None;
    }
    let mut text = String::new();
    let (mut sign, mut gap, mut unread) = (String::new(), 0, 0);
    for c in stretch.chars().chain([' ']) {
        if is_signal(c) {
            if gap > 1 && !text.is_empty() {
                text.push(' ');
            }
            gap = 0;
            sign.push(if matches!(c, '.' | '•' | '·') { '.' } else { '-' });
            continue;
        }
        if !sign.is_empty() {
            match MORSE.iter().find(|(known, _)| *known == sign) {
                Some((_, letter)) => text.push(*letter),
                None => unread += 1,
            }
            sign.clear();
        }
        // `/`, `|` and line breaks part words as well as wide gaps do.
        gap += if c == ' ' { 1 } else { 2 };
    }
    if text.len() < FEWEST || unread * 4 > text.len() {
        return None;
    }
    finish(Transform::Morse, text)
}

const fn is_signal(c: char) -> bool {
    matches!(c, '.' | '-' | '_' | '•' | '·' | '–' | '—' | '−')
}

/// Reads the words of a spelling alphabet.
pub(super) fn spelling(stretch: &str) -> Reading {
    let mut text = String::new();
    let (mut spelt, mut other) = (0, 0);
    // A quarter of the first words have to be of it.
    let first =
        || stretch.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() > 2).take(FIRST);
    if first().filter_map(spelt_by).count() * 4 < first().count() {
        return None;
    }
    for line in stretch.split_inclusive(['\n', '/', '|', ',', '.', ';', '(', ')']) {
        let mut gap = 0;
        for word in line.split(|c: char| !c.is_ascii_alphabetic()) {
            if word.is_empty() {
                gap += 1;
                continue;
            }
            // More than a space or a hyphen parts words.
            if gap > 1 && !text.ends_with(' ') {
                text.push(' ');
            }
            gap = 0;
            match spelt_by(word) {
                Some(letter) => {
                    text.push(letter);
                    spelt += 1;
                }
                None => other += 1,
            }
            if other > 8 + 2 * spelt {
                return None;
            }
        }
        if !text.ends_with(' ') && !line.ends_with(',') {
            text.push(' ');
        }
    }
    (spelt >= FEWEST && spelt > other * 2).then(|| finish(Transform::Spelling, text)).flatten()
}

fn spelt_by(word: &str) -> Option<char> {
    let mut head = [0; 4];
    for (into, byte) in head.iter_mut().zip(word.bytes()) {
        *into = byte.to_ascii_lowercase();
    }
    let initial = head.first()?;
    let head = head.get(..word.len().min(4))?;
    let known = SPELLING.iter().filter(|(known, _)| known.as_bytes().first() == Some(initial));
    { known }.find(|(known, _)| known.as_bytes() == head).map(|(_, letter)| *letter)
}

/// Parts what was signalled without gaps, and asks whether it is words.
fn finish(transform: Transform, text: String) -> Reading {
    let mut parted = String::with_capacity(text.len() * 2);
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !parted.is_empty() {
            parted.push(' ');
        }
        let letters = word.bytes().all(|byte| byte.is_ascii_lowercase());
        if letters && word.len() > 6 && !is_known(word.as_bytes()) {
            let mut apart = String::new();
            segment(word.as_bytes(), &mut apart);
            parted.push_str(&apart);
        } else {
            parted.push_str(word);
        }
    }
    (fluency(parted.as_bytes()) >= WORDS).then_some((transform, parted))
}
