//! How many events each sender may bring: a bucket of tokens for each, filled at a steady rate.
//!
//! One filter that runs wild must not fill the disk or take the others' room.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Senders remembered. A sender that is forgotten begins with a full bucket, so those that are full already go first.
const SENDERS: usize = 10_000;
/// A bucket is full again after so long.
const MINUTE_MS: u64 = 60_000;

/// Who sends, as far as the connection shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sender {
    /// An address.
    Address(IpAddr),
    /// A client certificate of our authority: SHA-256 of it.
    Certificate([u8; 32]),
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Certificate(hash) => {
                f.write_str("certificate ")?;
                hash.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

/// All buckets. Tokens are thousandths of an event, so that a slow rate still fills. They outlast a configuration that is
/// read anew: who is at their limit stays there.
#[derive(Default)]
pub(crate) struct Quotas {
    per_minute: AtomicU64,
    buckets: Mutex<HashMap<Sender, Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    milli_tokens: u64,
    at_ms: u64,
}

impl Quotas {
    /// From now on so many events a minute for each sender, 0 for no limit, which it is at first.
    pub(crate) fn set(&self, per_minute: u64) {
        self.per_minute.store(per_minute, Ordering::Relaxed);
    }

    /// Takes room for so many events, or says in how many seconds there is room.
    pub(crate) fn take(&self, sender: Sender, events: usize, now_ms: u64) -> Result<(), u32> {
        let full = self.full();
        if full == 0 {
            return Ok(());
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= SENDERS && !buckets.contains_key(&sender) {
            forget(&mut buckets, full, now_ms);
        }
        let bucket = buckets.entry(sender).or_insert(Bucket { milli_tokens: full, at_ms: now_ms });
        bucket.milli_tokens = bucket.filled(full, now_ms);
        // Also where the clock went back: it goes on filling from there, however far ahead it had been.
        bucket.at_ms = now_ms;
        // A batch larger than the bucket passes when that is full; else it never would.
        let wanted = (events as u64).saturating_mul(1000).min(full);
        match bucket.milli_tokens.checked_sub(wanted) {
            Some(rest) => {
                bucket.milli_tokens = rest;
                Ok(())
            }
            None => {
                let missing = wanted - bucket.milli_tokens;
                let seconds = (missing.saturating_mul(MINUTE_MS) / full).div_ceil(1000).max(1);
                Err(u32::try_from(seconds).unwrap_or(u32::MAX))
            }
        }
    }

    /// What a full bucket holds.
    fn full(&self) -> u64 {
        self.per_minute.load(Ordering::Relaxed).saturating_mul(1000)
    }
}

impl Bucket {
    /// What it holds by now.
    fn filled(self, full: u64, now_ms: u64) -> u64 {
        let elapsed = now_ms.saturating_sub(self.at_ms).min(MINUTE_MS);
        self.milli_tokens.saturating_add(elapsed.saturating_mul(full) / MINUTE_MS).min(full)
    }
}

/// Forgets senders whose bucket is full anyway; all, if that makes no room.
fn forget(buckets: &mut HashMap<Sender, Bucket>, full: u64, now_ms: u64) {
    buckets.retain(|_, bucket| bucket.filled(full, now_ms) < full);
    if buckets.len() >= SENDERS {
        buckets.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_219_198_000;

    fn sender(n: u32) -> Sender {
        Sender::Address(IpAddr::from(n.to_be_bytes()))
    }

    fn quotas(per_minute: u64) -> Quotas {
        let quotas = Quotas::default();
        quotas.set(per_minute);
        quotas
    }

    #[test]
    fn each_sender_has_a_minutes_worth_and_it_comes_back() {
        let quotas = quotas(600);
        assert_eq!(quotas.take(sender(1), 400, NOW), Ok(()));
        assert_eq!(quotas.take(sender(1), 200, NOW), Ok(()));
        assert_eq!(quotas.take(sender(1), 100, NOW), Err(10), "ten a second come back");
        assert_eq!(quotas.take(sender(2), 600, NOW), Ok(()), "another one has its own");
        assert_eq!(quotas.take(sender(1), 100, NOW + 9_000), Err(1));
        assert_eq!(quotas.take(sender(1), 100, NOW + 10_000), Ok(()));
        assert_eq!(quotas.take(sender(1), 601, NOW + 100_000), Ok(()), "a large batch passes a full bucket");
        assert_eq!(quotas.take(sender(1), 1, NOW), Err(1), "a clock that goes back gives nothing");
        assert_eq!(quotas.take(sender(1), 10, NOW + 1000), Ok(()), "and goes on from there");
    }

    #[test]
    fn another_limit_does_not_forget_what_was_brought() {
        let quotas = quotas(600);
        assert_eq!(quotas.take(sender(1), 500, NOW), Ok(()));
        quotas.set(300);
        assert_eq!(quotas.take(sender(1), 100, NOW), Ok(()));
        assert_eq!(quotas.take(sender(1), 1, NOW), Err(1));
        assert_eq!(quotas.take(sender(2), 300, NOW), Ok(()));
        assert_eq!(quotas.take(sender(2), 300, NOW + 30_000), Err(30), "at the new rate");
    }

    #[test]
    fn no_limit_is_no_limit() {
        let quotas = quotas(0);
        assert!((0..1000).all(|_| quotas.take(sender(1), usize::MAX, NOW).is_ok()));
    }

    #[test]
    fn memory_is_bounded_and_who_is_at_its_limit_is_not_forgotten_for_those_who_are_not() {
        let quotas = quotas(1000);
        assert_eq!(quotas.take(sender(0), 1000, NOW), Ok(()));
        for n in 1..30_000 {
            // A moment later each of these is full again.
            assert_eq!(quotas.take(sender(n), 1, NOW + u64::from(n)), Ok(()));
        }
        assert!(quotas.buckets.lock().unwrap().len() <= SENDERS);
        assert!(quotas.take(sender(0), 1000, NOW + 30_000).is_err());
    }
}
