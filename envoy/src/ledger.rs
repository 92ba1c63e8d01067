//! The guard's ledger in Envoy's shared data, so that all worker threads count together.

use guard::{Conflict, SLOTS, Store, Version};

use crate::port::{Host, Refused, ShareError};

/// The ledger of one model. Shared data is one flat map for each `vm_id`, without listing or expiry, so every key
/// starts with what it belongs to, and their number is fixed.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    prefix: String,
}

impl Ledger {
    /// The ledger of `model` under the plugin's `root_id`: plugins that are to count apart have different ones.
    ///
    /// The number is that of the records' form: a filter that reads another one counts anew.
    pub(crate) fn new(root_id: &str, model: &str) -> Self {
        Self { prefix: format!("modelgate/ledger/2/{root_id}/{model}/") }
    }

    fn key(&self, slot: u32) -> String {
        format!("{}{slot}", self.prefix)
    }

    /// Fills every slot that does not exist yet.
    ///
    /// The host compares versions only where there is a value: of two threads that both insert a first one, the later
    /// wins and the other's count is lost. So the slots are inserted while the plugin is being configured. Envoy first
    /// configures a plugin in one VM on its main thread, before any worker has a VM to take requests with.
    pub(crate) fn seed(&self, host: &dyn Host) -> Result<(), Refused> {
        let last = SLOTS.saturating_sub(1);
        // The last slot is inserted last: where it is, all of them are.
        if host.shared(&self.key(last))?.is_some() {
            return Ok(());
        }
        for slot in 0..=last {
            let key = self.key(slot);
            if host.shared(&key)?.is_none() {
                match host.share(&key, &[], 0) {
                    Ok(()) | Err(ShareError::Conflict) => {}
                    Err(ShareError::Refused(refused)) => return Err(refused),
                }
            }
        }
        Ok(())
    }

    /// The ledger as the guard sees it during one callback.
    pub(crate) const fn on<'a>(&'a self, host: &'a dyn Host) -> SharedStore<'a> {
        SharedStore { ledger: self, host }
    }
}

/// A [`Ledger`] within reach of its host.
pub(crate) struct SharedStore<'a> {
    ledger: &'a Ledger,
    host: &'a dyn Host,
}

impl Store for SharedStore<'_> {
    fn load(&self, slot: u32) -> Option<(Vec<u8>, Version)> {
        let (bytes, version) = self.host.shared(&self.ledger.key(slot)).ok()??;
        Some((bytes, Version(version)))
    }

    fn save(&self, slot: u32, bytes: &[u8], version: Version) -> Result<(), Conflict> {
        match self.host.share(&self.ledger.key(slot), bytes, version.0) {
            // A host that keeps no shared data cannot count; asking it again would not help.
            Ok(()) | Err(ShareError::Refused(_)) => Ok(()),
            Err(ShareError::Conflict) => Err(Conflict),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::Mock;

    #[test]
    fn seeding_fills_every_slot_once_and_keeps_what_was_counted() {
        let (mock, ledger) = (Mock::new(), Ledger::new("root", "demo"));
        ledger.seed(&mock).unwrap();
        assert_eq!(mock.shared.borrow().len(), usize::try_from(SLOTS).unwrap());
        let store = ledger.on(&mock);
        let (empty, version) = store.load(7).unwrap();
        assert_eq!((empty.as_slice(), version), (&[][..], Version(1)));
        store.save(7, b"counted", version).unwrap();
        ledger.seed(&mock).unwrap();
        assert_eq!(store.load(7).unwrap().0, b"counted");
    }

    #[test]
    fn seeding_ends_what_another_thread_began() {
        let (mock, ledger) = (Mock::new(), Ledger::new("root", "demo"));
        mock.share(&ledger.key(0), b"counted", 0).unwrap();
        ledger.seed(&mock).unwrap();
        assert_eq!(ledger.on(&mock).load(0).unwrap().0, b"counted");
        assert!(ledger.on(&mock).load(SLOTS - 1).is_some());
    }

    #[test]
    fn a_slot_that_was_changed_meanwhile_is_not_replaced() {
        let (mock, ledger) = (Mock::new(), Ledger::new("root", "demo"));
        ledger.seed(&mock).unwrap();
        let store = ledger.on(&mock);
        let (_, version) = store.load(1).unwrap();
        store.save(1, b"theirs", version).unwrap();
        assert_eq!(store.save(1, b"ours", version), Err(Conflict));
        assert_eq!(store.load(1).unwrap().0, b"theirs");
    }

    #[test]
    fn models_and_roots_count_apart() {
        let keys: std::collections::HashSet<String> =
            [("a", "x"), ("a", "y"), ("b", "x")].map(|(root, model)| Ledger::new(root, model).key(1)).into();
        assert_eq!(keys.len(), 3);
    }

    #[test]
    fn a_host_without_shared_data_lets_requests_pass_uncounted() {
        let (mock, ledger) = (Mock::new(), Ledger::new("root", "demo"));
        mock.broken.borrow_mut().push("shared");
        assert!(ledger.seed(&mock).is_err());
        assert_eq!(ledger.on(&mock).load(1), None);
    }
}
