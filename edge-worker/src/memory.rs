//! The ledger's slots in the memory of the isolate.

use core::cell::RefCell;

use guard::{Conflict, SLOTS, Store, Version};

/// Slots that live as long as the instance. Nothing else can change them, so a conflict cannot happen between a load
/// and the save that follows; the version is checked all the same, since that is the store's contract.
#[derive(Debug)]
pub(crate) struct Memory(RefCell<Vec<Slot>>);

#[derive(Clone, Debug, Default)]
struct Slot {
    version: u32,
    bytes: Vec<u8>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self(RefCell::new(vec![Slot::default(); SLOTS as usize]))
    }
}

impl Store for Memory {
    fn load(&self, slot: u32) -> Option<(Vec<u8>, Version)> {
        let slots = self.0.borrow();
        let slot = slots.get(usize::try_from(slot).ok()?)?;
        (slot.version > 0).then(|| (slot.bytes.clone(), Version(slot.version)))
    }

    fn save(&self, slot: u32, bytes: &[u8], version: Version) -> Result<(), Conflict> {
        let mut slots = self.0.borrow_mut();
        let slot = usize::try_from(slot).ok().and_then(|slot| slots.get_mut(slot)).ok_or(Conflict)?;
        if slot.version != version.0 {
            return Err(Conflict);
        }
        // 0 means "never saved", also after four billion requests of one slot.
        slot.version = slot.version.checked_add(1).unwrap_or(1);
        slot.bytes.clear();
        slot.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_absent_until_it_is_saved() {
        let memory = Memory::new();
        assert_eq!(memory.load(3), None);
        memory.save(3, b"abc", Version(0)).unwrap();
        assert_eq!(memory.load(3), Some((b"abc".to_vec(), Version(1))));
        assert_eq!(memory.load(4), None);
    }

    #[test]
    fn only_the_newest_version_may_be_replaced() {
        let memory = Memory::new();
        memory.save(0, b"a", Version(0)).unwrap();
        assert_eq!(memory.save(0, b"b", Version(0)), Err(Conflict));
        memory.save(0, b"b", Version(1)).unwrap();
        assert_eq!(memory.load(0), Some((b"b".to_vec(), Version(2))));
    }

    #[test]
    fn a_slot_beyond_the_last_one_is_refused() {
        let memory = Memory::new();
        assert_eq!(memory.load(SLOTS), None);
        assert_eq!(memory.save(SLOTS, b"a", Version(0)), Err(Conflict));
    }
}
