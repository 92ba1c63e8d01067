//! The ledger of clients: who asked how often in the last minute.
//!
//! Fixed size and O(1) a request. A client's fingerprint chooses one of [`SLOTS`] slots; a slot is a set of
//! [`WAYS`] records, and a new client takes the place of the one that was silent longest. The host keeps the slots
//! ([`Store`]) and lets a slot be replaced only by somebody who saw its newest version, so threads lose no count.
//!
//! A record, little-endian: fingerprint `u64`, minute `u32`, requests in it `u32`, requests in the minute before
//! `u32`, refusals in it `u32`. The rate is the sliding-window estimate "this minute's count plus the last minute's,
//! weighed by how much of it still lies in the window" (Cloudflare, "How we built rate limiting capable of scaling to
//! millions of domains", 2017).

use alloc::vec::Vec;

/// Number of slots. With [`WAYS`] records each, 32,768 clients in 768 KiB.
pub const SLOTS: u32 = 4096;
/// Records in a slot.
const WAYS: usize = 8;
/// Bytes of a record.
const RECORD: usize = 24;
/// The window.
const MINUTE_MS: u64 = 60_000;
/// Tries to save a slot that other threads are changing too. Each failure means that another one succeeded.
const MAX_TRIES: u32 = 32;

/// What a host gives out with a slot and wants to see again when the slot is saved. 0: the slot was never saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub u32);

/// The slot was changed by somebody else since it was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict;

/// Where a host keeps the slots, `0..SLOTS`.
pub trait Store {
    /// A slot's bytes and version, `None` if it was never saved.
    fn load(&self, slot: u32) -> Option<(Vec<u8>, Version)>;

    /// Replaces a slot that is still of `version`.
    ///
    /// # Errors
    /// [`Conflict`] when it is not; load it again.
    fn save(&self, slot: u32, bytes: &[u8], version: Version) -> Result<(), Conflict>;
}

/// Whether a request is within its client's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is.
    Admitted,
    /// It is not.
    Refused {
        /// How many were refused in this minute, this one included.
        refused: u32,
        /// When the next one has a chance, in milliseconds from now.
        retry_ms: u64,
    },
    /// Too many threads wanted the slot; the request passes without being counted.
    Uncounted,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Record {
    fingerprint: u64,
    minute: u32,
    current: u32,
    previous: u32,
    refused: u32,
}

/// Counts a request of the client with this fingerprint, at most `limit` a minute.
pub(crate) fn admit(store: &dyn Store, fingerprint: u64, limit: u32, now_ms: u64) -> Admission {
    let slot = u32::try_from(fingerprint % u64::from(SLOTS)).unwrap_or(0);
    for _ in 0..MAX_TRIES {
        let (bytes, version) = store.load(slot).unwrap_or((Vec::new(), Version(0)));
        let mut records = read(&bytes);
        let Some(record) = find(&mut records, fingerprint) else { return Admission::Uncounted };
        let admission = record.count(limit, now_ms);
        if store.save(slot, &write(&records), version).is_ok() {
            return admission;
        }
    }
    Admission::Uncounted
}

/// The client's record; a new one in place of an empty or the oldest one.
fn find(records: &mut [Record; WAYS], fingerprint: u64) -> Option<&mut Record> {
    let known = records.iter().position(|record| record.fingerprint == fingerprint && record.minute > 0);
    if let Some(at) = known {
        return records.get_mut(at);
    }
    let oldest = records.iter_mut().min_by_key(|record| (record.minute, record.current))?;
    *oldest = Record { fingerprint, ..Record::default() };
    Some(oldest)
}

impl Record {
    fn count(&mut self, limit: u32, now_ms: u64) -> Admission {
        let minute = u32::try_from(now_ms / MINUTE_MS).unwrap_or(u32::MAX);
        // A thread whose clock is behind another's counts in the other's minute.
        if minute > self.minute {
            self.previous = if minute - self.minute == 1 { self.current } else { 0 };
            (self.minute, self.current, self.refused) = (minute, 0, 0);
        }
        let elapsed = now_ms.saturating_sub(u64::from(self.minute) * MINUTE_MS).min(MINUTE_MS);
        let carried = u64::from(self.previous) * (MINUTE_MS - elapsed) / MINUTE_MS;
        if carried + u64::from(self.current) < u64::from(limit) {
            self.current = self.current.saturating_add(1);
            return Admission::Admitted;
        }
        self.refused = self.refused.saturating_add(1);
        Admission::Refused { refused: self.refused, retry_ms: self.retry_ms(limit, elapsed) }
    }

    /// When the estimate falls below the limit if the client keeps silent.
    fn retry_ms(&self, limit: u32, elapsed: u64) -> u64 {
        let rest_of_minute = MINUTE_MS - elapsed;
        // The share of a past minute's `count` that may remain is below (limit - others) / count.
        let fades_in = |count: u32, others: u32| {
            let room = u64::from(limit.saturating_sub(others));
            MINUTE_MS - (room * MINUTE_MS / u64::from(count.max(1))).min(MINUTE_MS) + 1
        };
        if self.current >= limit {
            rest_of_minute + fades_in(self.current, 0)
        } else {
            fades_in(self.previous, self.current).saturating_sub(elapsed).max(1)
        }
    }
}

fn read(bytes: &[u8]) -> [Record; WAYS] {
    let mut records = [Record::default(); WAYS];
    for (record, chunk) in records.iter_mut().zip(bytes.chunks_exact(RECORD)) {
        if let Some(parsed) = parse(chunk) {
            *record = parsed;
        }
    }
    records
}

fn parse(chunk: &[u8]) -> Option<Record> {
    let (fingerprint, rest) = chunk.split_first_chunk::<8>()?;
    let (minute, rest) = rest.split_first_chunk::<4>()?;
    let (current, rest) = rest.split_first_chunk::<4>()?;
    let (previous, rest) = rest.split_first_chunk::<4>()?;
    let (refused, _) = rest.split_first_chunk::<4>()?;
    Some(Record {
        fingerprint: u64::from_le_bytes(*fingerprint),
        minute: u32::from_le_bytes(*minute),
        current: u32::from_le_bytes(*current),
        previous: u32::from_le_bytes(*previous),
        refused: u32::from_le_bytes(*refused),
    })
}

fn write(records: &[Record; WAYS]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(WAYS * RECORD);
    for record in records {
        bytes.extend_from_slice(&record.fingerprint.to_le_bytes());
        for word in [record.minute, record.current, record.previous, record.refused] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::{Cell, RefCell};
    use hashbrown::HashMap;

    /// A host that refuses the first `conflicts` saves.
    #[derive(Default)]
    struct Memory {
        slots: RefCell<HashMap<u32, (Vec<u8>, u32)>>,
        conflicts: Cell<u32>,
    }

    impl Store for Memory {
        fn load(&self, slot: u32) -> Option<(Vec<u8>, Version)> {
            self.slots.borrow().get(&slot).map(|(bytes, version)| (bytes.clone(), Version(*version)))
        }

        fn save(&self, slot: u32, bytes: &[u8], version: Version) -> Result<(), Conflict> {
            if self.conflicts.get() > 0 {
                self.conflicts.set(self.conflicts.get() - 1);
                return Err(Conflict);
            }
            let mut slots = self.slots.borrow_mut();
            let entry = slots.entry(slot).or_insert((Vec::new(), 0));
            if entry.1 != version.0 {
                return Err(Conflict);
            }
            *entry = (bytes.to_vec(), version.0 + 1);
            Ok(())
        }
    }

    const T0: u64 = 29_000_000 * MINUTE_MS;

    fn admitted(store: &Memory, client: u64, limit: u32, at: u64) -> bool {
        admit(store, client, limit, at) == Admission::Admitted
    }

    #[test]
    fn a_client_gets_exactly_its_limit_in_a_fresh_minute() {
        let store = Memory::default();
        let passed = (0..150).filter(|i| admitted(&store, 7, 100, T0 + i * 10)).count();
        assert_eq!(passed, 100);
    }

    #[test]
    fn the_window_slides_over_the_minute() {
        let store = Memory::default();
        assert_eq!((0..100).filter(|_| admitted(&store, 7, 100, T0 + 59_000)).count(), 100);
        // Half a minute later about half of the old requests still count.
        assert_eq!((0..100).filter(|_| admitted(&store, 7, 100, T0 + 90_000)).count(), 50);
        // Two minutes of silence forget all.
        assert_eq!((0..150).filter(|_| admitted(&store, 7, 100, T0 + 240_000)).count(), 100);
    }

    #[test]
    fn whoever_waits_as_long_as_told_is_admitted() {
        for (limit, burst, at) in
            [(1, 1, 0), (100, 130, 59_999), (100, 100, 30_000), (3, 9, 12_345), (60, 61, 1)]
        {
            let store = Memory::default();
            for _ in 0..burst {
                admit(&store, 7, limit, T0 + at);
            }
            let Admission::Refused { retry_ms, .. } = admit(&store, 7, limit, T0 + at) else {
                panic!("limit {limit}: the burst was not refused");
            };
            assert!(retry_ms <= 2 * MINUTE_MS);
            assert!(admitted(&store, 7, limit, T0 + at + retry_ms), "limit {limit}, waited {retry_ms} ms");
        }
    }

    #[test]
    fn clients_do_not_share_a_count() {
        let store = Memory::default();
        // The same slot, different fingerprints.
        for client in 0..WAYS as u64 {
            let fingerprint = 7 + client * u64::from(SLOTS);
            assert_eq!((0..20).filter(|_| admitted(&store, fingerprint, 10, T0)).count(), 10);
        }
    }

    #[test]
    fn more_clients_than_records_keep_to_the_fixed_size() {
        let store = Memory::default();
        for client in 0..100_000_u64 {
            admit(&store, client.wrapping_mul(0x9e37_79b9_7f4a_7c15), 100, T0);
        }
        let slots = store.slots.borrow();
        assert!(slots.len() <= SLOTS as usize);
        assert!(slots.values().all(|(bytes, _)| bytes.len() == WAYS * RECORD));
    }

    #[test]
    fn conflicts_are_tried_again_and_then_let_pass() {
        let store = Memory::default();
        store.conflicts.set(MAX_TRIES - 1);
        assert_eq!(admit(&store, 7, 1, T0), Admission::Admitted);
        store.conflicts.set(MAX_TRIES);
        assert_eq!(admit(&store, 7, 1, T0), Admission::Uncounted);
        assert!(matches!(admit(&store, 7, 1, T0), Admission::Refused { refused: 1, .. }));
    }

    #[test]
    fn a_slot_of_rubbish_is_no_obstacle() {
        for rubbish in [&[0xff_u8; 5][..], &[0xff; 24], &[0xff; 1000]] {
            let store = Memory::default();
            store.slots.borrow_mut().insert(7, (rubbish.to_vec(), 1));
            assert_eq!(admit(&store, 7, 1, T0), Admission::Admitted);
        }
    }
}
