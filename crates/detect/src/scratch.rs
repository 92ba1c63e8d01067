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

    /// What verification cost in the last scan, in steps of about fifty machine instructions.
    #[must_use]
    pub const fn steps(&self) -> usize {
        self.steps
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
