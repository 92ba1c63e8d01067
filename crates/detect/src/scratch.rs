//! Buffers that one scan after another uses.

use alloc::{string::String, vec::Vec};
use core::ops::Range;

use normalise::{Normalised, Transform, View};

use crate::{search::Found, verify::Around};

/// Reusable buffers. Nothing in them means anything after a scan; only their room is kept.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) normalised: Normalised,
    pub(crate) found: Found,
    pub(crate) around: Around,
    pub(crate) views: Vec<View>,
    pub(crate) layers: Vec<Layer>,
    /// The rules that may still match, as bits.
    pub(crate) open: Vec<u64>,
    pub(crate) exhausted: bool,
    /// What the last scan did.
    pub(crate) work: Work,
    /// Steps that were saved for the next layer.
    pub(crate) steps_left: usize,
    pub(crate) buffers: Buffers,
}

/// The buffers of the detectors that look by their own code.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    /// Set by a detector that left something out because its budget ran out.
    pub(crate) exhausted: bool,
    /// Where the operator's own expressions are to be tried.
    #[cfg(feature = "regex")]
    pub(crate) windows: crate::own_regex::Windows,
    /// What an address carried.
    pub(crate) decoded: Vec<u8>,
    /// Where brackets are at fault.
    pub(crate) places: Vec<usize>,
}

impl Scratch {
    /// Whether the last scan left something out because a budget ran out.
    #[must_use]
    pub const fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// What the last scan did.
    #[must_use]
    pub const fn work(&self) -> Work {
        self.work
    }

    /// What verification cost in the last scan, in steps of about fifty machine instructions.
    #[must_use]
    pub const fn steps(&self) -> usize {
        self.work.steps
    }
}

/// What a scan did, counted, so that it tells on every machine what a text costs. What else costs something does so once
/// for each byte judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Bytes of texts judged: the text itself and what was read out of it.
    pub judged: usize,
    /// Those of them that are not ASCII.
    pub folded: usize,
    /// Steps of verification.
    pub steps: usize,
    /// Bytes looked at closely for what is hidden in them.
    pub looked_at: usize,
    /// Bytes tried for tricks of writing.
    pub tried: usize,
}

impl Work {
    /// About how many machine instructions that is: of some 450 texts made to cost much, callgrind counts between half and
    /// twice as many for most, and for prose the same.
    #[must_use]
    pub const fn instructions(&self) -> usize {
        self.judged * 110 + self.folded * 400 + self.steps * 50 + self.looked_at * 100 + self.tried * 600
    }

    /// With what another scan did.
    pub(crate) const fn add(&mut self, other: Self) {
        self.judged += other.judged;
        self.folded += other.folded;
        self.steps += other.steps;
        self.looked_at += other.looked_at;
        self.tried += other.tried;
    }
}

/// A text that was encoded in another, or the outermost text.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    /// What it says; empty for the outermost, which is borrowed.
    pub(crate) text: String,
    /// Where it lies in the outermost text.
    pub(crate) span: Option<Range<usize>>,
    /// How it was encoded, outermost first.
    pub(crate) transforms: Vec<Transform>,
}
