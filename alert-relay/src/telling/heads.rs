//! Has the store know where this relay's log stands, so that the digest of any relay on the same database can say it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    config::Config,
    logfile, notice,
    store::{Store, StoreError},
};

/// Between two looks: at most so much of the log is not known to the others.
const LOOK_EVERY_MS: u64 = 10_000;
/// What has not changed is told again after so long: the log is still there.
const TELL_EVERY_MS: u64 = 3_600_000;
/// A digest names the heads told of in the time before it, so long: also those of relays that have ended since.
pub(super) const NAMED_FOR_MS: u64 = 30 * 86_400_000;

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Heads {
    looked_ms: AtomicU64,
    told_ms: AtomicU64,
    sequence: AtomicU64,
}

impl Heads {
    /// Tells the store where the log stands, if it is time to.
    ///
    /// # Errors
    /// What the database says.
    pub(super) async fn tell(&self, config: &Config, store: &Store, now: u64) -> Result<(), StoreError> {
        // Also where the clock was put back.
        if now.abs_diff(self.looked_ms.load(Ordering::Relaxed)) < LOOK_EVERY_MS {
            return Ok(());
        }
        self.tell_now(config, store, now).await
    }

    /// The same at once, as before a digest.
    ///
    /// # Errors
    /// What the database says.
    pub(super) async fn tell_now(&self, config: &Config, store: &Store, now: u64) -> Result<(), StoreError> {
        self.looked_ms.store(now, Ordering::Relaxed);
        let Some(head) = logfile::head(&config.log) else { return Ok(()) };
        let sequence = head.sequence;
        let is_old = now.abs_diff(self.told_ms.load(Ordering::Relaxed)) >= TELL_EVERY_MS;
        if !is_old && sequence == self.sequence.load(Ordering::Relaxed) {
            return Ok(());
        }
        let known = store.head(head).await?;
        if known > sequence {
            notice::error!(
                "log: its chain stands at {sequence} and has been at {known}: somebody has put it back; see what \
                 `alert-relay verify` says with the head of the last digest"
            );
        }
        self.told_ms.store(now, Ordering::Relaxed);
        self.sequence.store(sequence, Ordering::Relaxed);
        Ok(())
    }
}
