//! Texts whose shape is an attack: adversarial suffixes, many invented turns, repetition, floods of odd
//! characters. Whole-number statistics, in windows, so that much ordinary text around hides nothing.
//!
//! What is around brackets and colons is read; characters are counted only in
//! texts that are not plain ASCII; repetition is probed for every [`repetition::STEP`] bytes.

mod characters;
mod noise;
mod repetition;
mod rules;
mod suffix;
#[cfg(test)]
pub(crate) mod tests;
mod turns;

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
            suffix::scan(subject.text.as_bytes(), subject.marks(), &mut buffers.places, sink);
        }
        if !subject.marks().is_ascii() || subject.marks().has_any(&CONTROLS) {
            characters::scan(subject.text, sink);
        }
        if !subject.is_code && !subject.is_reading {
            noise::scan(subject.text.as_bytes(), subject.is_read, sink);
        }
        repetition::scan(subject.text.as_bytes(), subject.role == Role::Tool, sink);
        turns::scan(subject.text.as_bytes(), subject.marks(), sink);
    }
}

/// Control characters that texts have not: others than white space and ESC.
const CONTROLS: [u8; 22] =
    *b"\0\x01\x02\x03\x04\x05\x06\x07\x08\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a";
