//! Buffers that one scan after another uses.

use alloc::vec::Vec;

use normalise::{Normalised, View};

/// Reusable buffers. Nothing in them outlives a scan in meaning; only their room is kept.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) normalised: Normalised,
    pub(crate) views: Vec<View>,
    pub(crate) exhausted: bool,
}

impl Scratch {
    /// Whether the last scan left something out because a budget ran out.
    #[must_use]
    pub const fn is_exhausted(&self) -> bool {
        self.exhausted
    }
}
