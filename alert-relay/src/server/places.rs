//! Who has a connection: of all places, no address gets more than it leaves free.
//!
//! So one address has half of them at most, two a third each, and whoever comes from another one finds a place: health,
//! people and other senders beside a sender that has run wild, or means harm (Choudhury and Hahne, "Dynamic queue length
//! thresholds for shared-memory packet switches", 1998, with a factor of one). A mesh that sends from one address has as much
//! as it can use: connections of its own that ask for nothing go first.

use std::{
    collections::HashMap,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::Notify;

/// What counts as one address: of IPv6 a /64, which is what one machine is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Network(u128);

impl Network {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_ipv6_mapped().to_bits()),
            IpAddr::V6(address) => Self(address.to_bits() & !u128::from(u64::MAX)),
        }
    }
}

/// All places.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    taken: Mutex<HashMap<Network, Vec<Arc<Seat>>>>,
}

/// What a connection and its place know of each other.
#[derive(Debug, Default)]
pub(super) struct Seat {
    /// Whether a request is being answered.
    busy: AtomicBool,
    /// Wakes the connection that has to go.
    pub(super) leave: Notify,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    places: Arc<Places>,
    network: Network,
    pub(super) seat: Arc<Seat>,
}

/// A request is being answered until this is dropped.
pub(super) struct Busy(Arc<Seat>);

impl Busy {
    pub(super) fn begin(seat: &Arc<Seat>) -> Self {
        seat.busy.store(true, Ordering::Relaxed);
        Self(Arc::clone(seat))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Relaxed);
    }
}

/// The body of an answer: while it is being written its connection has something to do.
pub(super) struct Answer {
    pub(super) body: Body,
    pub(super) _busy: Busy,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Places {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// A place for a connection from an address. If that has as many as it may, its oldest one goes that asks for nothing; if
    /// there is none, there is no place.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Taken> {
        let (network, seat) = (Network::of(address), Arc::new(Seat::default()));
        let mut taken = self.lock();
        let free = self.most.saturating_sub(taken.values().map(Vec::len).sum());
        let own = taken.entry(network).or_default();
        if own.len() >= free {
            let idle = own.iter().position(|seat| !seat.busy.load(Ordering::Relaxed))?;
            own.remove(idle).leave.notify_one();
        }
        own.push(Arc::clone(&seat));
        drop(taken);
        Some(Taken { places: Arc::clone(self), network, seat })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Network, Vec<Arc<Seat>>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(own) = taken.get_mut(&self.network) {
            own.retain(|seat| !Arc::ptr_eq(seat, &self.seat));
            if own.is_empty() {
                taken.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn busy(taken: &Taken) {
        std::mem::forget(Busy::begin(&taken.seat));
    }

    #[test]
    fn an_address_has_as_many_as_it_leaves_free_and_others_find_a_place() {
        let places = Places::new(12);
        let fill = |text: &str| {
            let mut all = Vec::new();
            while let Some(taken) = places.take(address(text)) {
                busy(&taken);
                all.push(taken);
                assert!(all.len() < 12);
            }
            all
        };
        let first = fill("192.0.2.1");
        assert_eq!(first.len(), 6);
        assert_eq!(fill("::ffff:192.0.2.1").len(), 0, "the same address");
        let second = fill("192.0.2.2");
        assert_eq!(second.len(), 3);
        let third = fill("2001:db8::1");
        assert_eq!(third.len(), 2);
        assert_eq!(fill("2001:db8::ffff").len(), 0, "the same /64");
        assert!(places.take(address("2001:db8:0:1::1")).is_some(), "somebody else");
        drop((first, second, third));
        assert!(places.lock().is_empty(), "nothing is kept of who has gone");
    }

    #[tokio::test]
    async fn with_all_that_it_may_have_an_address_loses_the_oldest_that_asks_for_nothing() {
        let places = Places::new(6);
        let all: Vec<Taken> = (0..3).map(|_| places.take(address("192.0.2.1")).unwrap()).collect();
        busy(&all[0]);
        let further = places.take(address("192.0.2.1")).unwrap();
        all[1].seat.leave.notified().await;
        busy(&all[2]);
        busy(&further);
        assert!(places.take(address("192.0.2.1")).is_none(), "all of them are being answered");
        drop(all);
        assert_eq!(places.lock().values().map(Vec::len).sum::<usize>(), 1);
    }
}
