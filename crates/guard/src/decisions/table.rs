//! Decisions in one sorted list of 32 bytes each, looked up by bisection: once for each length of a range that is in use,
//! and for address, key and user.

use alloc::vec::Vec;
use core::net::IpAddr;

use sha2::{Digest as _, Sha256};
use wire::{Decision, DecisionAction, Subject};

use super::Decided;

/// Bits of an address. Those of version 4 are in their place among those of version 6 (RFC 4291, section 2.5.5.2).
const ADDRESS_BITS: u8 = 128;
/// What comes before the bits of an address of version 4.
const MAPPED_BITS: u8 = 96;
/// The scope of keys; scopes up to [`ADDRESS_BITS`] are lengths of ranges.
const KEY: u8 = 200;
/// The scope of users.
const USER: u8 = 201;

#[derive(Debug)]
pub(super) struct Table {
    most: usize,
    /// In the order of scope and bits, each once.
    entries: Vec<Entry>,
    /// The scopes that there are.
    scopes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    bits: u128,
    id: u64,
    until: u32,
    rate: u16,
    scope: u8,
    action: DecisionAction,
}

impl Entry {
    const fn place(&self) -> (u8, u128) {
        (self.scope, self.bits)
    }
}

impl Table {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, entries: Vec::new(), scopes: Vec::new() }
    }

    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) const fn resize(&mut self, most: usize) {
        self.most = most;
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.scopes.clear();
    }

    /// Throws away what has ended.
    pub(super) fn sweep(&mut self, now: u32) {
        self.entries.retain(|entry| entry.until > now);
        self.note_scopes();
    }

    /// Takes decisions in, later ones in place of earlier ones about the same. Returns how many that end first had to go.
    pub(super) fn apply(&mut self, decisions: &[Decision], now: u32) -> usize {
        let mut new: Vec<Entry> = decisions.iter().map(entry).collect();
        // Stable: of several about the same the last one stays last.
        new.sort_by_key(Entry::place);
        let known = core::mem::take(&mut self.entries);
        let mut merged: Vec<Entry> = Vec::with_capacity(known.len() + new.len());
        let mut known = known.into_iter().peekable();
        for entry in new {
            while let Some(before) = known.next_if(|other| other.place() < entry.place()) {
                merged.push(before);
            }
            known.next_if(|other| other.place() == entry.place());
            match merged.last_mut().filter(|last| last.place() == entry.place()) {
                Some(last) => *last = entry,
                None => merged.push(entry),
            }
        }
        merged.extend(known);
        merged.retain(|entry| entry.until > now && entry.action != DecisionAction::Lift);
        let surplus = merged.len().saturating_sub(self.most);
        if surplus > 0 {
            let mut ends: Vec<u32> = merged.iter().map(|entry| entry.until).collect();
            let (_, last, _) = ends.select_nth_unstable(surplus - 1);
            let (last, mut left) = (*last, surplus);
            merged.retain(|entry| {
                let goes = left > 0 && entry.until <= last;
                left -= usize::from(goes);
                !goes
            });
        }
        merged.shrink_to_fit();
        self.entries = merged;
        self.note_scopes();
        surplus
    }

    fn note_scopes(&mut self) {
        self.scopes.clear();
        // The list is in the order of scopes: each begins behind the one before.
        let mut at = 0;
        while let Some(entry) = self.entries.get(at) {
            let scope = entry.scope;
            self.scopes.push(scope);
            at = self.entries.partition_point(|entry| entry.scope <= scope);
        }
    }

    /// The strictest decision that has not ended.
    pub(super) fn find(
        &self,
        address: Option<IpAddr>,
        key: Option<u128>,
        user: Option<&str>,
        now: u32,
    ) -> Option<Decided> {
        let address = address.map(bits_of);
        let found = self.scopes.iter().filter_map(|scope| {
            let bits = match *scope {
                KEY => key?,
                USER => user_bits(user?),
                length => address? & mask(length),
            };
            let place = self.entries.binary_search_by_key(&(*scope, bits), Entry::place).ok()?;
            self.entries.get(place).filter(|entry| entry.until > now)
        });
        let strictest = found.max_by_key(|entry| (entry.action, u16::MAX - entry.rate))?;
        Some(Decided { id: strictest.id, action: strictest.action, rate: u32::from(strictest.rate) })
    }
}

fn entry(decision: &Decision) -> Entry {
    let (scope, bits) = match &decision.subject {
        Subject::Address(address) => (ADDRESS_BITS, bits_of(*address)),
        Subject::Range(address, bits) => {
            let before = if address.is_ipv4() { MAPPED_BITS } else { 0 };
            let length = before.saturating_add(*bits).min(ADDRESS_BITS);
            (length, bits_of(*address) & mask(length))
        }
        Subject::Key(hash) => (KEY, *hash),
        Subject::User(user) => (USER, user_bits(user)),
    };
    Entry {
        bits,
        id: decision.id,
        until: u32::try_from(decision.until).unwrap_or(u32::MAX),
        rate: u16::try_from(decision.rate).unwrap_or(u16::MAX),
        scope,
        action: decision.action,
    }
}

fn bits_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The first `length` bits.
fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(u32::from(ADDRESS_BITS.saturating_sub(length))).unwrap_or(0)
}

/// A user in 128 bits; the list holds no names.
fn user_bits(user: &str) -> u128 {
    let digest: [u8; 32] = Sha256::digest(user.as_bytes()).into();
    digest.first_chunk::<16>().map_or(0, |first| u128::from_be_bytes(*first))
}

/// What a decision takes in memory.
#[cfg(test)]
pub(super) const ENTRY_BYTES: usize = size_of::<Entry>();
