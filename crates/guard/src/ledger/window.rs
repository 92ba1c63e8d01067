//! Counts in a sliding window.
//!
//! The estimate is "this window's count plus the last window's, weighed by how much of it still lies in the window"
//! (Cloudflare, "How we built rate limiting capable of scaling to millions of domains", 2017).

use super::{Reader, Writer};

/// Two windows side by side, `length` milliseconds each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// The number of the window since 1970.
    index: u32,
    current: u32,
    previous: u32,
}

impl Window {
    pub(crate) const BYTES: usize = 12;

    pub(crate) fn read(bytes: &mut Reader<'_>) -> Self {
        Self { index: bytes.u32(), current: bytes.u32(), previous: bytes.u32() }
    }

    pub(crate) fn write(&self, bytes: &mut Writer<'_>) {
        for number in [self.index, self.current, self.previous] {
            bytes.u32(number);
        }
    }

    /// Moves on to the window of this moment. `true`: it is another one.
    ///
    /// A thread whose clock is a little behind counts in the other's window; a window further ahead than that was written
    /// by a clock that was wrong.
    pub(crate) fn roll(&mut self, length: u64, now_ms: u64) -> bool {
        let index = u32::try_from(now_ms / length.max(1)).unwrap_or(u32::MAX);
        if index == self.index || index.saturating_add(1) == self.index {
            return false;
        }
        let previous = if self.index.checked_add(1) == Some(index) { self.current } else { 0 };
        *self = Self { index, current: 0, previous };
        true
    }

    /// How many lie in the window that ends now; [`Self::roll`] comes first.
    pub(crate) fn estimate(&self, length: u64, now_ms: u64) -> u64 {
        let carried = u64::from(self.previous) * (length - self.elapsed(length, now_ms)) / length.max(1);
        carried + u64::from(self.current)
    }

    fn elapsed(&self, length: u64, now_ms: u64) -> u64 {
        now_ms.saturating_sub(u64::from(self.index).saturating_mul(length)).min(length)
    }

    pub(crate) const fn add(&mut self, number: u32) {
        self.current = self.current.saturating_add(number);
    }

    /// Takes back what was counted too much.
    pub(crate) const fn subtract(&mut self, number: u32) {
        let rest = number.saturating_sub(self.current);
        self.current = self.current.saturating_sub(number);
        self.previous = self.previous.saturating_sub(rest);
    }

    /// In how many milliseconds the estimate falls below `limit` if nothing is added.
    pub(crate) fn retry_ms(&self, limit: u32, length: u64, now_ms: u64) -> u64 {
        let elapsed = self.elapsed(length, now_ms);
        // The share of a past window's `count` that may remain is below (limit - others) / count.
        let fades_in = |count: u32, others: u32| {
            let room = u64::from(limit.saturating_sub(others));
            length - (room * length / u64::from(count.max(1))).min(length) + 1
        };
        let wait = if self.current >= limit {
            length - elapsed + fades_in(self.current, 0)
        } else {
            fades_in(self.previous, self.current).saturating_sub(elapsed).max(1)
        };
        // A clock that is behind has to come to the window's start first.
        wait + u64::from(self.index).saturating_mul(length).saturating_sub(now_ms).min(length)
    }
}
