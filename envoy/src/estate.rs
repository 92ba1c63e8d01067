//! What a VM leaves when it ends: batches of events that did not arrive, in Envoy's shared data, for a VM that goes on.
//!
//! A new version of the filter runs in VMs of its own. Envoy takes an old one down with its last configuration, callouts
//! under way included, whatever `proxy_on_done` answers; only a configuration that is replaced in a VM that goes on may
//! take its time. So the last events cannot be sent, and go to whoever reports to the same place with the same key.
//!
//! The value is a list of batches: the number of events, the length of the seal, that of the body, all `u32` and
//! little-endian, then the seal and the body. The seal keeps a foreign plugin that shares the `vm_id` from having us sign
//! what it likes.

use guard::Sealed;

use crate::{
    port::{Host, Refused},
    shared,
};

/// The longest value in bytes: about a thousand events.
const LONGEST: usize = 1 << 20;
const NUMBER: usize = 4;
const HEAD: usize = 3 * NUMBER;

/// Where VMs that report to one place leave their batches.
#[derive(Debug)]
pub(crate) struct Estate {
    key: String,
}

impl Estate {
    /// The place of those that report to `path` of `cluster`.
    pub(crate) fn of(cluster: &str, path: &str) -> Self {
        Self { key: format!("modelgate/left/1/{cluster}{path}") }
    }

    /// Makes the place if there is none; while a plugin is being configured.
    pub(crate) fn seed(&self, host: &dyn Host) -> Result<(), Refused> {
        shared::seed(host, &self.key)
    }

    /// Leaves a batch. `false`: there is no room for it, or no shared data.
    pub(crate) fn leave(&self, host: &dyn Host, sealed: &Sealed) -> bool {
        let added = write(sealed);
        shared::change(host, &self.key, |value| {
            (value.len() + added.len() <= LONGEST).then(|| ([value, &added].concat(), ()))
        })
        .is_some()
    }

    /// Takes the first batch that is there; nobody else gets it.
    pub(crate) fn take(&self, host: &dyn Host) -> Option<Sealed> {
        shared::change(host, &self.key, |value| match read(value) {
            Some((sealed, rest)) => Some((rest.to_vec(), Some(sealed))),
            // Bytes that are no batch would stand in the way of all that follow.
            None => (!value.is_empty()).then(|| (Vec::new(), None)),
        })
        .flatten()
    }
}

fn write(sealed: &Sealed) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let (seal, body) = (sealed.seal.as_bytes(), sealed.body.as_slice());
    let head = [sealed.events, length(seal), length(body)].map(u32::to_le_bytes);
    [head.as_flattened(), seal, body].concat()
}

/// The first batch and what follows it.
fn read(value: &[u8]) -> Option<(Sealed, &[u8])> {
    let (head, rest) = value.split_at_checked(HEAD)?;
    let (numbers, _) = head.as_chunks::<NUMBER>();
    let [events, seal, body] = numbers.first_chunk()?.map(u32::from_le_bytes);
    let (seal, rest) = rest.split_at_checked(usize::try_from(seal).ok()?)?;
    let (body, rest) = rest.split_at_checked(usize::try_from(body).ok()?)?;
    let seal = String::from_utf8(seal.to_vec()).ok()?;
    Some((Sealed { body: body.to_vec(), events, seal }, rest))
}

/// A value of these bytes, as far as it holds batches, is written as it was read.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn rewritten(mut value: &[u8]) -> Vec<u8> {
    let mut written = Vec::new();
    while let Some((sealed, rest)) = read(value) {
        written.extend(write(&sealed));
        value = rest;
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::Mock;

    fn sealed(number: u32, length: usize) -> Sealed {
        Sealed { body: vec![b'x'; length], events: number, seal: format!("seal {number}") }
    }

    fn estate(mock: &Mock) -> Estate {
        let estate = Estate::of("relay", "/v1/events");
        estate.seed(mock).unwrap();
        estate
    }

    #[test]
    fn what_was_left_is_taken_once_in_its_order() {
        let mock = Mock::new();
        let estate = estate(&mock);
        assert_eq!(estate.take(&mock), None);
        for number in 0..3 {
            assert!(estate.leave(&mock, &sealed(number, 10)));
        }
        estate.seed(&mock).unwrap();
        assert_eq!(Estate::of("other", "/v1/events").take(&mock), None);
        for number in 0..3 {
            assert_eq!(estate.take(&mock), Some(sealed(number, 10)));
        }
        assert_eq!(estate.take(&mock), None);
    }

    #[test]
    fn the_estate_is_bounded_and_foreign_bytes_in_it_do_no_harm() {
        let mock = Mock::new();
        let estate = estate(&mock);
        assert!(estate.leave(&mock, &sealed(1, LONGEST / 2)));
        assert!(!estate.leave(&mock, &sealed(2, LONGEST / 2)));
        assert!(estate.leave(&mock, &sealed(3, 10)));
        assert_eq!([1, 3].map(|_| estate.take(&mock).unwrap().events), [1, 3]);
        for foreign in [&[0xff; 40][..], b"x", &[1; 12]] {
            mock.share(&estate.key, foreign, 0).unwrap();
            assert_eq!(estate.take(&mock), None);
            assert!(estate.leave(&mock, &sealed(4, 10)), "it is cleared");
            assert_eq!(estate.take(&mock), Some(sealed(4, 10)));
        }
    }

    #[test]
    fn a_host_without_shared_data_keeps_nothing() {
        let mock = Mock::new();
        assert!(!Estate::of("relay", "/").leave(&mock, &sealed(1, 1)));
        mock.broken.borrow_mut().push("shared");
        assert!(Estate::of("relay", "/").seed(&mock).is_err());
    }
}
