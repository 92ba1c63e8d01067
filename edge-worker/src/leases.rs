//! Requests that a ledger elsewhere granted in advance, so that a client far from its limits is not asked for each time.

use guard::Answer;

/// How long a lease lasts. What is left of it then goes back.
pub(crate) const LEASE_MS: u64 = 2_000;
/// Leases at the most; who finds no room asks each time.
const MAX_LEASES: usize = 4_096;

/// The leases of an isolate, in the order of their clients.
#[derive(Debug, Default)]
pub(crate) struct Leases(Vec<(u64, Box<Lease>)>);

#[derive(Debug)]
struct Lease {
    /// The answer with which it came.
    answer: Answer,
    left: u16,
    until_ms: u64,
    /// The client's record, as the requests since made it.
    record: Vec<u8>,
}

impl Leases {
    /// Takes what an answer grants. `true`: there is something to give back later.
    pub(crate) fn put(&mut self, client: u64, answer: &Answer, record: Vec<u8>, now_ms: u64) -> bool {
        let granted = answer.leased();
        if granted == 0 {
            return false;
        }
        // Two requests of a client may have asked at the same time: what both were granted counts.
        let place = self.place(client);
        let before = place.ok().and_then(|at| self.0.get(at)).map_or(0, |(_, lease)| lease.left);
        let left = before.saturating_add(granted);
        let answer = answer.to_leased(Vec::new());
        let lease = Box::new(Lease { answer, left, until_ms: now_ms + LEASE_MS, record });
        match place {
            Ok(at) => {
                if let Some(known) = self.0.get_mut(at) {
                    known.1 = lease;
                }
            }
            Err(at) if self.0.len() < MAX_LEASES => self.0.insert(at, (client, lease)),
            Err(_) => {}
        }
        true
    }

    /// One request out of a client's lease.
    pub(crate) fn take(&mut self, client: u64, now_ms: u64) -> Option<Answer> {
        let lease = self.of(client).filter(|lease| now_ms < lease.until_ms)?;
        lease.left = lease.left.checked_sub(1)?;
        Some(lease.answer.to_leased(lease.record.clone()))
    }

    /// What a request made of its client's record, for the next one.
    pub(crate) fn note(&mut self, client: u64, record: Vec<u8>) {
        if let Some(lease) = self.of(client) {
            lease.record = record;
        }
    }

    /// How many requests of a lease were not made, once it is over.
    pub(crate) fn end(&mut self, client: u64, now_ms: u64) -> Option<u32> {
        // One that was renewed meanwhile ends with its own end.
        let at = self.place(client).ok()?;
        self.0.get(at).filter(|(_, lease)| now_ms >= lease.until_ms)?;
        let (_, lease) = self.0.remove(at);
        Some(u32::from(lease.left)).filter(|left| *left > 0)
    }

    fn place(&self, client: u64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&client, |(client, _)| *client)
    }

    fn of(&mut self, client: u64) -> Option<&mut Lease> {
        let at = self.place(client).ok()?;
        self.0.get_mut(at).map(|(_, lease)| &mut **lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer that admits and grants `leased`, as it crosses.
    fn granting(leased: u16) -> Answer {
        let mut bytes = vec![1, 1, 0, 0];
        bytes.extend([0; 20]);
        bytes.extend(leased.to_le_bytes());
        Answer::read(&bytes).unwrap()
    }

    #[test]
    fn so_many_requests_are_made_of_a_lease_as_were_granted_and_the_rest_goes_back() {
        let mut leases = Leases::default();
        assert!(!leases.put(7, &granting(0), Vec::new(), 0));
        assert!(leases.put(7, &granting(3), Vec::new(), 0));
        assert!(leases.take(8, 1).is_none());
        assert!(leases.take(7, 1).is_some_and(|answer| answer.leased() == 0));
        assert_eq!(leases.end(7, LEASE_MS - 1), None, "it is not over");
        assert!(leases.take(7, LEASE_MS).is_none(), "it is over");
        assert_eq!(leases.end(7, LEASE_MS), Some(2));
        assert_eq!(leases.end(7, LEASE_MS), None);
    }

    #[test]
    fn what_two_requests_were_granted_counts_together() {
        let mut leases = Leases::default();
        leases.put(7, &granting(2), Vec::new(), 0);
        leases.put(7, &granting(2), Vec::new(), 1_000);
        assert_eq!((0..10).filter(|_| leases.take(7, 1_500).is_some()).count(), 4);
        assert_eq!(leases.end(7, LEASE_MS), None, "the first one's end is not the second one's");
        assert_eq!(leases.end(7, LEASE_MS + 1_000), None, "nothing is left");
    }

    #[test]
    fn leases_are_bounded() {
        let mut leases = Leases::default();
        for client in 0..2 * MAX_LEASES as u64 {
            leases.put(client, &granting(1), Vec::new(), 0);
        }
        assert_eq!(leases.0.len(), MAX_LEASES);
    }
}
