//! Incidents that take events, kept in memory from one group to the next.
//!
//! Only where one relay alone writes: what is here is what stands in the table, and nobody asks the table for it. The
//! writer empties it whenever that might not be so: after a failed transaction, and after somebody else wrote.

use std::collections::HashMap;

use wire::EventId;

use crate::incident::{Incident, Key};

/// Most incidents kept: some megabytes.
const MOST: usize = 2048;

/// The incidents.
#[derive(Debug, Default)]
pub(super) struct Recent {
    incidents: HashMap<EventId, Incident>,
    /// All of a key that took events when it was last looked at.
    keys: HashMap<Key, Vec<EventId>>,
}

impl Recent {
    /// Takes those of a key out. None: they are not known.
    pub(super) fn take(&mut self, key: &Key) -> Option<Vec<Incident>> {
        let ids = self.keys.remove(key)?;
        Some(ids.iter().filter_map(|id| self.incidents.remove(id)).collect())
    }

    /// Takes one out, with its key: whoever changes it may open or end it.
    pub(super) fn take_one(&mut self, id: EventId) -> Option<Incident> {
        self.incidents.remove(&id)
    }

    /// Keeps what a group has written.
    pub(super) fn keep(&mut self, mut written: HashMap<EventId, Incident>, open: HashMap<Key, Vec<EventId>>) {
        if self.incidents.len() + written.len() > MOST {
            *self = Self::default();
        }
        for (key, mut ids) in open {
            // One that was begun for events that were all there already was not written.
            ids.retain(|id| written.get(id).is_some_and(|incident| incident.count > 0));
            for id in &ids {
                if let Some(mut incident) = written.remove(id) {
                    incident.news.clear();
                    self.incidents.insert(*id, incident);
                }
            }
            self.keys.insert(key, ids);
        }
        // Changed without an event: it is kept if it is one of those that take events, and if not, it may be now.
        for (id, mut incident) in written {
            match self.keys.get(&incident.key) {
                Some(ids) if ids.contains(&id) => {
                    incident.news.clear();
                    self.incidents.insert(id, incident);
                }
                Some(ids) => {
                    ids.iter().for_each(|id| drop(self.incidents.remove(id)));
                    self.keys.remove(&incident.key);
                }
                None => {}
            }
        }
    }
}
