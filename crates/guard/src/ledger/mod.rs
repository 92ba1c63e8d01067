//! The ledger of clients: how often they ask, how often they fail, what they said.
//!
//! Fixed size and O(1) a request. There are two tables of [`TABLE`] slots each; a client's fingerprint chooses the slot,
//! and a slot is a set of [`WAYS`] records. The host keeps the slots ([`Store`]) and lets one be replaced only by somebody
//! who saw its newest version, so threads lose no count.
//!
//! | table | slots | a record | is read and written |
//! |---|---|---|---|
//! | [`Pace`] | from 0 | 76 bytes: requests, failures, penalty, requests under way | when a request begins; when one ends that failed or is counted as under way |
//! | [`Sense`] | from [`TABLE`] | 192 bytes: tokens, risk, the last inputs | when a body is judged, if the policy counts any of it; when an answer tells its tokens |
//!
//! That is room for 32,768 clients of each kind in 8.4 MiB at the most. Where a set is full, a new client takes the place
//! of the record that matters least: never that of a client under a penalty (or, for `Sense`, with risk) while there is
//! another one, and among equals that of the client that was silent longest. So a flood of new clients makes idle ones
//! begin anew, and cannot wash out a penalty unless it brings eight penalised clients to one set.
//!
//! What a record holds is not trusted: any bytes are some record, and numbers from the future (a clock that went back,
//! rubbish) count as nothing.

mod pace;
mod sense;
mod window;
mod wire;

use alloc::vec::Vec;
use core::cell::RefCell;

pub(crate) use pace::{Admission, Limit, PaceRules, Refusal, Standing, count_refusal, fail, leave};
use sense::Sense;
pub(crate) use sense::{Input, PAST, Sensed, Turn, correct, sense};
pub(crate) use wire::Operation;
pub use wire::{Answer, Ask, give_back, operate};

/// Slots of a table.
const TABLE: u32 = 4096;
/// Number of slots.
pub const SLOTS: u32 = 2 * TABLE;
/// Records in a slot.
const WAYS: usize = 8;
/// Tries to save a slot that other threads are changing too. Each failure means that another one succeeded.
const MAX_TRIES: u32 = 64;

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

/// A store that keeps nothing: every client is a new one.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStore;

impl Store for NoStore {
    fn load(&self, _: u32) -> Option<(Vec<u8>, Version)> {
        None
    }

    fn save(&self, _: u32, _: &[u8], _: Version) -> Result<(), Conflict> {
        Ok(())
    }
}

/// What a table holds of one client. Every record begins with the fingerprint, `u64`, and the moment in which the client
/// was last seen, Unix milliseconds as `u64`, 0 for a free place; all numbers are little-endian.
pub(crate) trait Record: Sized {
    /// Its first slot.
    const FIRST_SLOT: u32;
    /// Its length behind fingerprint and moment.
    const BYTES: usize;

    /// A client never seen before.
    fn new() -> Self;
    /// Reads the bytes behind fingerprint and moment.
    fn read(bytes: &mut Reader<'_>) -> Self;
    /// Writes them.
    fn write(&self, bytes: &mut Writer<'_>);
    /// Whether it matters more than one of a client that is only idle.
    fn matters(&self, now_ms: u64) -> bool;
}

/// Fingerprint and moment.
const HEAD: usize = 16;

/// What became of a change.
pub(crate) enum Change<T> {
    /// The record is to be saved.
    Save(T),
    /// It stays as it was.
    Keep(T),
}

/// Changes the record of a client, as often as it takes until no other thread was faster. `None`: the host is too busy,
/// nothing was changed.
///
/// `change` gets the record and how long the client was silent, in milliseconds; `None` for a client never seen.
pub(crate) fn update<R: Record, T>(
    store: &dyn Store,
    fingerprint: u64,
    now_ms: u64,
    mut change: impl FnMut(&mut R, Option<u64>) -> Change<T>,
) -> Option<T> {
    let slot = slot_of::<R>(fingerprint);
    let size = HEAD + R::BYTES;
    for _ in 0..MAX_TRIES {
        let (mut bytes, version) = store.load(slot).unwrap_or((Vec::new(), Version(0)));
        bytes.resize(WAYS * size, 0);
        let (place, silent) = find::<R>(&bytes, fingerprint, now_ms);
        let way = bytes.get_mut(place * size..(place + 1) * size)?;
        let mut record = match silent {
            Some(_) => R::read(&mut Reader(way.get(HEAD..)?)),
            None => R::new(),
        };
        match change(&mut record, silent) {
            Change::Keep(result) => return Some(result),
            Change::Save(result) => {
                let mut writer = Writer(way);
                writer.u64(fingerprint);
                writer.u64(now_ms.max(1));
                record.write(&mut writer);
                if store.save(slot, &bytes, version).is_ok() {
                    return Some(result);
                }
            }
        }
    }
    None
}

/// A client's record as it is kept, its head in front; empty where there is none.
fn record_of<R: Record>(store: &dyn Store, fingerprint: u64) -> Vec<u8> {
    let bytes = store.load(slot_of::<R>(fingerprint)).map(|(bytes, _)| bytes).unwrap_or_default();
    let found = bytes.chunks_exact(HEAD + R::BYTES).find(|way| {
        let mut way = Reader(way);
        way.u64() == fingerprint && way.u64() > 0
    });
    found.map(<[u8]>::to_vec).unwrap_or_default()
}

fn slot_of<R: Record>(fingerprint: u64) -> u32 {
    R::FIRST_SLOT + u32::try_from(fingerprint % u64::from(TABLE)).unwrap_or(0)
}

/// The record of one client, brought from a ledger that is kept elsewhere: what is changed here is gone with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Carried(RefCell<Vec<u8>>);

impl Carried {
    pub(crate) const fn new(record: Vec<u8>) -> Self {
        Self(RefCell::new(record))
    }

    /// The record as it is now.
    pub(crate) fn record(&self) -> Vec<u8> {
        self.0.borrow().clone()
    }
}

impl Store for Carried {
    fn load(&self, _: u32) -> Option<(Vec<u8>, Version)> {
        Some((self.0.borrow().clone(), Version(1)))
    }

    fn save(&self, _: u32, bytes: &[u8], _: Version) -> Result<(), Conflict> {
        let mut record = self.0.borrow_mut();
        record.clear();
        // The client's own is the first that was there, or took the first place that was free.
        record.extend(bytes.iter().take(HEAD + Sense::BYTES));
        Ok(())
    }
}

/// The place of a client in a set, and for how long it was silent; `None` if the place is another's, who has to go.
fn find<R: Record>(bytes: &[u8], fingerprint: u64, now_ms: u64) -> (usize, Option<u64>) {
    let ways = || bytes.chunks_exact(HEAD + R::BYTES).map(Reader);
    for (place, mut way) in ways().enumerate() {
        let (known, seen) = (way.u64(), way.u64());
        if known == fingerprint && seen > 0 {
            // A moment in the future: the clock went back, by a little between threads or by much.
            return (place, Some(now_ms.saturating_sub(seen)));
        }
    }
    let worth = |way: &mut Reader<'_>| {
        let (_, seen) = (way.u64(), way.u64());
        (seen > 0 && R::read(way).matters(now_ms), seen.min(now_ms))
    };
    let least = ways().map(|mut way| worth(&mut way)).enumerate().min_by_key(|(_, worth)| *worth);
    (least.map_or(0, |(place, _)| place), None)
}

/// Takes numbers from the front of bytes; zeros behind their end.
pub(crate) struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((first, rest)) = self.0.split_first_chunk::<N>() else { return [0; N] };
        self.0 = rest;
        *first
    }

    pub(crate) fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.take())
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}

/// Puts numbers at the front of bytes; what finds no room is left out.
pub(crate) struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn put<const N: usize>(&mut self, number: [u8; N]) {
        let bytes = core::mem::take(&mut self.0);
        if let Some((first, rest)) = bytes.split_first_chunk_mut::<N>() {
            *first = number;
            self.0 = rest;
        }
    }

    pub(crate) fn u8(&mut self, number: u8) {
        self.put(number.to_le_bytes());
    }

    pub(crate) fn u16(&mut self, number: u16) {
        self.put(number.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, number: u32) {
        self.put(number.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, number: u64) {
        self.put(number.to_le_bytes());
    }
}

#[cfg(test)]
use pace::{Pace, admit};

#[cfg(test)]
mod tests;
