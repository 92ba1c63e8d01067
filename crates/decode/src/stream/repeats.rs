//! Texts that a stream gives a second time: OpenAI's responses repeat every text when it is complete, three times over.

use alloc::vec::Vec;

use crate::Lane;

/// Most texts remembered; what is not remembered is given out again.
const MAX_TEXTS: usize = 256;

/// The texts of a stream so far, by length and hash.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    texts: Vec<(Lane, Sum)>,
}

/// Length and FNV-1a of a text; whoever makes two texts collide hides one of them from a reader that trusts a server to
/// repeat itself, and is that server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sum {
    length: usize,
    hash: u64,
}

impl Sum {
    const EMPTY: Self = Self { length: 0, hash: 0xcbf2_9ce4_8422_2325 };

    fn with(self, text: &str) -> Self {
        let hash =
            text.bytes().fold(self.hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        Self { length: self.length + text.len(), hash }
    }
}

impl Repeats {
    /// The lane in which a text was given out before, whole or piece by piece.
    pub(super) fn lane_of(&self, text: &str) -> Option<Lane> {
        let sum = Sum::EMPTY.with(text);
        self.texts.iter().find(|(_, known)| *known == sum).map(|(lane, _)| *lane)
    }

    /// Remembers a piece of a text. A name or an identifier is complete in itself.
    pub(super) fn add(&mut self, lane: Lane, piece: &str) {
        let whole = lane.channel == crate::Channel::Field;
        if let Some((_, sum)) = self.texts.iter_mut().find(|(known, _)| *known == lane && !whole) {
            *sum = sum.with(piece);
        } else if self.texts.len() < MAX_TEXTS {
            self.texts.push((lane, Sum::EMPTY.with(piece)));
        }
    }
}
