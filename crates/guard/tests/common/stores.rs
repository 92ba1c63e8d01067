//! Ledgers for tests.

use std::{cell::RefCell, collections::HashMap};

use modelgate_guard::{Conflict, Store, Version};

/// One that keeps what it is given.
#[derive(Default)]
pub(crate) struct Memory(pub(crate) RefCell<HashMap<u32, (Vec<u8>, u32)>>);

impl Store for Memory {
    fn load(&self, slot: u32) -> Option<(Vec<u8>, Version)> {
        self.0.borrow().get(&slot).map(|(bytes, version)| (bytes.clone(), Version(*version)))
    }

    fn save(&self, slot: u32, bytes: &[u8], version: Version) -> Result<(), Conflict> {
        self.0.borrow_mut().insert(slot, (bytes.to_vec(), version.0 + 1));
        Ok(())
    }
}
