//! Texts whose shape is an attack: adversarial suffixes, many invented turns, repetition, floods of odd
//! characters. Whole-number statistics, in windows, so that much ordinary text around hides nothing.
//!
//! Brackets and colons are looked for, and what is around them is read; characters are counted only in
//! texts that are not plain ASCII; repetition is probed for every [`repetition::STEP`] bytes.

mod characters;
mod repetition;
mod rules;
mod suffix;
#[cfg(test)]
pub(crate) mod tests;
mod turns;

use normalise::swar;

pub(crate) use self::rules::RULES;
use crate::{
    detector::{Detector, Sink, Subject},
    role::Role,
    scratch::Buffers,
};

/// Looks at the shape of texts.
#[derive(Debug)]
pub(crate) struct Structure;

impl Detector for Structure {
    fn scan(&self, subject: &Subject<'_>, buffers: &mut Buffers, sink: &mut Sink<'_>) {
        if !subject.is_read && !subject.is_reading {
            suffix::scan(subject.text.as_bytes(), &mut buffers.places, sink);
        }
        if !subject.text.is_ascii() || has_controls(subject.text.as_bytes()) {
            characters::scan(subject.text, sink);
        }
        repetition::scan(subject.text.as_bytes(), subject.role == Role::Tool, sink);
        turns::scan(subject.text.as_bytes(), sink);
    }
}

/// Whether an ASCII text has control characters that texts have not: others than white space and ESC.
fn has_controls(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    let flags = words.iter().fold(0, |flags, word| {
        let word = u64::from_le_bytes(*word);
        flags | !swar::at_least(word, b'\t') | swar::at_least(word, 0x0e) & !swar::at_least(word, 0x1b)
    });
    flags & swar::HIGHS != 0 || rest.iter().any(|byte| *byte < b'\t' || (0x0e..0x1b).contains(byte))
}
