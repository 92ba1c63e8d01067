//! Rotated alphabets: Caesar's ciphers, ROT13 among them, atbash, and ROT47.

use alloc::{string::String, vec::Vec};

use super::{Counts, Reading, WORDS, reads_better};
use crate::{
    language::{Substitution, best_rotation, fluency, naturalness},
    transform::Transform,
};

/// Fewer letters say nothing.
const FEWEST: u32 = 12;

/// Bytes of a stretch that are tried before all of it is turned.
const TRIED: usize = 512;

/// One symbol in so many characters, at least, in what ROT47 made.
const SYMBOLS: u32 = 12;

pub(super) fn letters(stretch: &str, counts: &Counts, before: u32) -> Reading {
    if counts.alphabetic < FEWEST || counts.alphabetic * 2 < counts.graphic() {
        return None;
    }
    let head = front(stretch);
    // Statistics err on few letters: the best guess is tried, and the customary ciphers.
    let guess = best_rotation(&counts.letters);
    let tried = [guess, Some(Substitution::Rotation(13)), Some(Substitution::Atbash)];
    let short = counts.alphabetic < 40 && naturalness(head.as_bytes()) < 800;
    let mut head_turned = Vec::with_capacity(head.len());
    let every = (1..26).filter(|_| short).map(Substitution::Rotation);
    let (_, best) = tried
        .into_iter()
        .flatten()
        .chain(every)
        .map(|one| {
            head_turned.clear();
            head_turned.extend(head.bytes().map(|byte| one.apply(byte)));
            (fluency(&head_turned), one)
        })
        .max_by_key(|(fluency, _)| *fluency)?;
    let text = turned(head, best);
    // Turned round as well: the letters are as frequent as in a language all the same.
    if let Some(guess) = guess.filter(|_| fluency(text.as_bytes()) < WORDS) {
        let backwards: Vec<u8> = turned(head, guess).bytes().rev().collect();
        if reads_better(&backwards, before) {
            return Some((Transform::Rotation, turned(stretch, guess).chars().rev().collect()));
        }
    }
    let natural = naturalness(text.as_bytes());
    let better = reads_better(text.as_bytes(), before)
        // A language of which few words are listed.
        || natural >= 780 && naturalness(head.as_bytes()) < 600;
    let transform = match best {
        Substitution::Atbash => Transform::Atbash,
        Substitution::Rotation(_) => Transform::Rotation,
    };
    better.then(|| (transform, turned(stretch, best)))
}

pub(super) fn printable(stretch: &str, counts: &Counts, before: u32) -> Reading {
    if counts.graphic() < FEWEST || (counts.symbols + counts.digits) * SYMBOLS < counts.graphic() {
        return None;
    }
    let turn = |text: &str| text.chars().map(rot47).collect::<String>();
    reads_better(turn(front(stretch)).as_bytes(), before).then(|| (Transform::Rot47, turn(stretch)))
}

fn front(stretch: &str) -> &str {
    stretch.get(..stretch.floor_char_boundary(TRIED)).unwrap_or_default()
}

fn turned(text: &str, by: Substitution) -> String {
    let turn =
        |c: char| u8::try_from(c).map_or(c, |byte| if c.is_ascii() { char::from(by.apply(byte)) } else { c });
    text.chars().map(turn).collect()
}

fn rot47(c: char) -> char {
    match u8::try_from(c) {
        Ok(byte) if byte.is_ascii_graphic() => char::from(b'!' + (byte - b'!' + 47) % 94),
        _ => c,
    }
}
