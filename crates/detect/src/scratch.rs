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
    /// Steps that verification took in the last scan.
    pub(crate) steps: usize,
    /// Bytes of texts that were judged in the last scan, those read out of others among them.
    pub(crate) judged: usize,
    /// What finding them took of the budget.
    pub(crate) taken: [usize; 2],
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
        let [looked_at, tried] = self.taken;
        Work { judged: self.judged, steps: self.steps, looked_at, tried }
    }

    /// What verification cost in the last scan, in steps of about fifty machine instructions.
    #[must_use]
    pub const fn steps(&self) -> usize {
        self.steps
    }
}

/// What a scan did, counted. All that costs more than a constant is one of these, so that they tell on every machine what
/// a text costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Bytes of texts judged: the text itself and what was read out of it.
    pub judged: usize,
    /// Steps of verification.
    pub steps: usize,
    /// Bytes looked at closely for what is hidden in them.
    pub looked_at: usize,
    /// Bytes tried for tricks of writing.
    pub tried: usize,
}

impl Work {
    /// About how many machine instructions that is.
    #[must_use]
    pub const fn instructions(&self) -> usize {
        self.judged * 150 + self.steps * 50 + self.looked_at * 100 + self.tried * 500
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
