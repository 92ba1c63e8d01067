//! The ledger's slots in memory: those of the isolate, and those of a Durable Object, which writes down what has changed.

use core::cell::RefCell;

use guard::{Conflict, SLOTS, Store, Version};

/// Slots that live as long as the instance. Nothing else can change them, so a conflict cannot happen between a load
/// and the save that follows; the version is checked all the same, since that is the store's contract.
#[derive(Debug)]
pub(crate) struct Memory {
    slots: RefCell<Vec<Slot>>,
    /// The slots saved since the last [`Memory::take_changed`].
    changed: RefCell<Vec<u32>>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    /// 0: never saved.
    version: u32,
    /// Whether it is among those that have changed.
    changed: bool,
    bytes: Vec<u8>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { slots: RefCell::new(vec![Slot::default(); SLOTS as usize]), changed: RefCell::default() }
    }
}

impl Memory {
    /// Puts a slot in that was written down before.
    pub(crate) fn put(&self, slot: u32, bytes: Vec<u8>) {
        self.change(slot, |known| *known = Slot { version: 1, bytes, changed: known.changed });
    }

    /// Forgets a slot.
    pub(crate) fn remove(&self, slot: u32) {
        self.change(slot, |known| *known = Slot { changed: known.changed, ..Slot::default() });
    }

    /// The slots saved since this was asked last.
    pub(crate) fn take_changed(&self) -> Vec<u32> {
        let changed = self.changed.take();
        for slot in &changed {
            self.change(*slot, |known| known.changed = false);
        }
        changed
    }

    fn change<T>(&self, slot: u32, body: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        let mut slots = self.slots.borrow_mut();
        Some(body(slots.get_mut(usize::try_from(slot).ok()?)?))
    }
}

impl Store for Memory {
    fn load(&self, slot: u32) -> Option<(Vec<u8>, Version)> {
        let slots = self.slots.borrow();
        let slot = slots.get(usize::try_from(slot).ok()?)?;
        (slot.version > 0).then(|| (slot.bytes.clone(), Version(slot.version)))
    }

    fn save(&self, slot: u32, bytes: &[u8], version: Version) -> Result<(), Conflict> {
        let is_news = self.change(slot, |known| {
            if known.version != version.0 {
                return Err(Conflict);
            }
            // 0 means "never saved", also after four billion requests of one slot.
            known.version = known.version.checked_add(1).unwrap_or(1);
            known.bytes.clear();
            known.bytes.extend_from_slice(bytes);
            Ok(!std::mem::replace(&mut known.changed, true))
        });
        if is_news.ok_or(Conflict)?? {
            self.changed.borrow_mut().push(slot);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_absent_until_it_is_saved() {
        let memory = Memory::default();
        assert_eq!(memory.load(3), None);
        memory.save(3, b"abc", Version(0)).unwrap();
        assert_eq!(memory.load(3), Some((b"abc".to_vec(), Version(1))));
        assert_eq!(memory.load(4), None);
    }

    #[test]
    fn only_the_newest_version_may_be_replaced() {
        let memory = Memory::default();
        memory.save(0, b"a", Version(0)).unwrap();
        assert_eq!(memory.save(0, b"b", Version(0)), Err(Conflict));
        memory.save(0, b"b", Version(1)).unwrap();
        assert_eq!(memory.load(0), Some((b"b".to_vec(), Version(2))));
    }

    #[test]
    fn a_slot_beyond_the_last_one_is_refused() {
        let memory = Memory::default();
        memory.put(SLOTS, b"a".to_vec());
        assert_eq!(memory.load(SLOTS), None);
        assert_eq!(memory.save(SLOTS, b"a", Version(0)), Err(Conflict));
    }

    #[test]
    fn what_was_saved_is_told_once_and_what_was_put_in_is_not() {
        let memory = Memory::default();
        memory.put(1, b"a".to_vec());
        memory.save(2, b"b", Version(0)).unwrap();
        memory.save(2, b"c", Version(1)).unwrap();
        memory.save(1, b"d", Version(1)).unwrap();
        assert_eq!(memory.take_changed(), [2, 1]);
        assert!(memory.take_changed().is_empty());
        memory.remove(1);
        assert_eq!(memory.load(1), None);
    }
}
