//! The roll of the filter's VMs in Envoy's shared data: who is alive, and who went without a word.
//!
//! A VM that traps cannot tell of it, and its successor does not know that it is one: Envoy makes a VM for each worker
//! thread, one more for its main thread, and others while it reads a configuration. So each VM signs the roll once a
//! second in its tick, and strikes itself off when its last configuration ends. Whoever finds a signature that is older
//! than [`PATIENCE_MS`] strikes it off and reports it; the roll is one value that is replaced by compare and swap, so
//! exactly one does. The VM of the main thread serves no requests and hence outlives those that trap at one.
//!
//! A VM that serves no requests is struck off without a word: it had nothing to trap at, and the main thread stands still
//! whenever it compiles a module. One that was not ticked itself for a while (the machine slept, the clock jumped) first
//! gives the others time to sign.
//!
//! The value is a list of 32-byte entries: the VM's random number, Unix time in milliseconds, bytes of memory, 1 if it
//! serves requests, all `u64`, little-endian.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use crate::{
    port::{Host, Refused},
    shared,
};

/// The key of the roll.
const KEY: &str = "modelgate/vms/1";
/// How often a VM signs.
pub(crate) const BEAT_MS: u32 = 1_000;
/// A signature older than this is that of a VM which is gone. Callbacks take milliseconds; a worker thread that stands
/// still for so long is worth an alarm, too.
const PATIENCE_MS: u64 = 10_000;
/// More VMs than this are not watched: 64 worker threads with four different modules.
const MAX_VMS: usize = 256;
const NUMBER: usize = 8;
pub(crate) const ENTRY: usize = 4 * NUMBER;

/// One signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    id: u64,
    at_ms: u64,
    memory: u64,
    serves: u64,
}

/// What a VM saw when it signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watch {
    /// VMs that served requests and were struck off for being gone.
    pub(crate) lost: u32,
    /// VMs on the roll.
    pub(crate) vms: u64,
    /// Their memory together, in bytes.
    pub(crate) memory: u64,
}

/// This VM.
#[derive(Debug, Default)]
pub(crate) struct Vm {
    id: Cell<Option<u64>>,
    signed_ms: Cell<u64>,
    /// Whether it has had a request.
    serves: Cell<bool>,
    /// Configurations that live in it.
    roots: Cell<u32>,
}

thread_local! {
    static THIS: RefCell<Rc<Vm>> = RefCell::default();
}

/// The VM that this code runs in: all its root contexts share it.
pub(crate) fn this() -> Rc<Vm> {
    THIS.with(|vm| vm.try_borrow().map(|vm| Rc::clone(&vm)).unwrap_or_default())
}

/// Has the thread's next configurations live in another VM.
#[cfg(test)]
pub(crate) fn forget() {
    THIS.with(|vm| vm.take());
}

/// Makes the roll if there is none; while a plugin is being configured.
pub(crate) fn seed(host: &dyn Host) -> Result<(), Refused> {
    shared::seed(host, KEY)
}

/// Whether any VM is on the roll.
pub(crate) fn is_anyone_left(host: &dyn Host) -> bool {
    matches!(host.shared(KEY), Ok(Some((bytes, _))) if !read(&bytes).is_empty())
}

impl Vm {
    /// A configuration begins to live here.
    pub(crate) fn enter(&self) {
        self.roots.set(self.roots.get().saturating_add(1));
    }

    /// A configuration has ended; with the last one the VM strikes itself off.
    pub(crate) fn leave(&self, host: &dyn Host) {
        self.roots.set(self.roots.get().saturating_sub(1));
        if let Some(id) = self.id.get().filter(|_| self.roots.get() == 0) {
            self.id.set(None);
            change(host, |roll| roll.retain(|entry| entry.id != id));
        }
    }

    /// Whether its last configuration has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.roots.get() == 0
    }

    /// A request is there. `true` for the first one: then the VM has to sign at once.
    pub(crate) fn serve(&self) -> bool {
        let is_first = !self.serves.replace(true);
        if is_first {
            self.signed_ms.set(0);
        }
        is_first
    }

    /// Signs the roll if that is due. `fresh` is the number of a VM that has none yet.
    pub(crate) fn sign(&self, host: &dyn Host, now_ms: u64, memory: u64, fresh: u64) -> Option<Watch> {
        if self.is_over() {
            return None;
        }
        let since_ms = now_ms.abs_diff(self.signed_ms.get());
        if since_ms < u64::from(BEAT_MS / 2) {
            return None;
        }
        let id = self.id.get().unwrap_or(fresh);
        self.id.set(Some(id));
        self.signed_ms.set(now_ms);
        // Whoever was away cannot tell who else was.
        let may_judge = since_ms < PATIENCE_MS / 2;
        let mut watch = Watch::default();
        let is_signed = change(host, |roll| {
            roll.retain(|entry| entry.id != id);
            let is_gone = |entry: &Entry| may_judge && now_ms.saturating_sub(entry.at_ms) > PATIENCE_MS;
            let lost = roll.iter().filter(|entry| is_gone(entry) && entry.serves > 0).count();
            watch.lost = u32::try_from(lost).unwrap_or(u32::MAX);
            roll.retain(|entry| !is_gone(entry));
            if roll.len() < MAX_VMS {
                roll.push(Entry { id, at_ms: now_ms, memory, serves: self.serves.get().into() });
            }
            watch.vms = u64::try_from(roll.len()).unwrap_or(u64::MAX);
            watch.memory = roll.iter().fold(0, |sum, entry| sum.saturating_add(entry.memory));
        });
        is_signed.then_some(watch)
    }
}

/// Changes the roll; `false` if the host has none or others are always faster.
fn change(host: &dyn Host, mut edit: impl FnMut(&mut Vec<Entry>)) -> bool {
    shared::change(host, KEY, |bytes| {
        let mut roll = read(bytes);
        edit(&mut roll);
        Some((write(&roll), ()))
    })
    .is_some()
}

fn read(bytes: &[u8]) -> Vec<Entry> {
    let entry = |bytes: &[u8]| {
        let (numbers, _) = bytes.as_chunks::<NUMBER>();
        let [id, at_ms, memory, serves] = *numbers.first_chunk()?;
        let [id, at_ms, memory, serves] = [id, at_ms, memory, serves].map(u64::from_le_bytes);
        Some(Entry { id, at_ms, memory, serves })
    };
    bytes.chunks_exact(ENTRY).filter_map(entry).take(MAX_VMS).collect()
}

fn write(roll: &[Entry]) -> Vec<u8> {
    let numbers = |entry: &Entry| [entry.id, entry.at_ms, entry.memory, entry.serves];
    roll.iter().flat_map(numbers).flat_map(u64::to_le_bytes).collect()
}

/// The longest roll in bytes.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) const LONGEST: usize = MAX_VMS * ENTRY;

/// What a roll of these bytes is written as.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn rewritten(bytes: &[u8]) -> Vec<u8> {
    write(&read(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::Mock;

    const START: u64 = 1_750_000_000_000;

    fn roll(mock: &Mock) -> Vec<u64> {
        read(&mock.shared(KEY).unwrap().unwrap().0).iter().map(|entry| entry.id).collect()
    }

    /// A VM with a configuration.
    fn living() -> Vm {
        let vm = Vm::default();
        vm.enter();
        vm
    }

    /// Three VMs that signed for two seconds.
    fn three(mock: &Mock) -> [Vm; 3] {
        seed(mock).unwrap();
        let vms = [Vm::default(), Vm::default(), Vm::default()];
        for second in 0..2 {
            for (vm, id) in vms.iter().zip(1..) {
                vm.enter();
                vm.serve();
                assert_eq!(vm.sign(mock, START + second * 1000, 100, id).unwrap().lost, 0);
            }
        }
        vms
    }

    #[test]
    fn a_vm_that_signs_no_more_is_reported_once_by_one() {
        let mock = Mock::new();
        let [one, other, _gone] = three(&mock);
        assert_eq!(roll(&mock), [1, 2, 3]);
        let mut lost = Vec::new();
        for second in 2..30 {
            for vm in [&one, &other] {
                let watch = vm.sign(&mock, START + second * 1000, 100, 9).unwrap();
                lost.push(watch.lost);
                assert_eq!(watch.memory, watch.vms * 100);
            }
        }
        assert_eq!(lost.iter().sum::<u32>(), 1);
        assert_eq!(lost.iter().position(|lost| *lost == 1), Some(20), "eleven seconds after it last signed");
        assert_eq!(roll(&mock), [1, 2]);
    }

    #[test]
    fn a_vm_without_requests_may_stand_still() {
        let mock = Mock::new();
        let [one, other, _gone] = three(&mock);
        let idle = living();
        idle.sign(&mock, START + 1000, 100, 4).unwrap();
        for second in 2..30 {
            for vm in [&one, &other] {
                vm.sign(&mock, START + second * 1000, 100, 9).unwrap();
            }
        }
        assert_eq!(roll(&mock), [1, 2]);
        assert!(idle.sign(&mock, START + 30_000, 100, 9).is_some());
        assert_eq!(roll(&mock), [1, 2, 4], "it is back");
        assert!(idle.serve() && !idle.serve());
        assert!(idle.sign(&mock, START + 30_001, 100, 9).is_some(), "at once, with its first request");
        let lost = (31..50).filter_map(|second| one.sign(&mock, START + second * 1000, 100, 9));
        assert_eq!(lost.map(|watch| watch.lost).sum::<u32>(), 2, "it and the other");
    }

    #[test]
    fn a_vm_that_ends_in_order_is_not_missed() {
        let mock = Mock::new();
        let [one, other, third] = three(&mock);
        third.leave(&mock);
        assert_eq!(roll(&mock), [1, 2, 3], "another configuration lives in it");
        third.leave(&mock);
        assert_eq!(roll(&mock), [1, 2]);
        assert_eq!(third.sign(&mock, START + 2000, 1, 9), None, "it is over");
        for second in 2..30 {
            for vm in [&one, &other] {
                assert_eq!(vm.sign(&mock, START + second * 1000, 1, 9).unwrap().lost, 0);
            }
        }
    }

    #[test]
    fn after_a_sleep_of_the_machine_nobody_is_missed() {
        let mock = Mock::new();
        let vms = three(&mock);
        for second in 3600..3620 {
            for vm in &vms {
                assert_eq!(vm.sign(&mock, START + second * 1000, 1, 9).unwrap().lost, 0);
            }
        }
        // The clock goes back an hour, too.
        for second in 0..20 {
            for vm in &vms {
                assert_eq!(vm.sign(&mock, START + second * 1000, 1, 9).unwrap().lost, 0);
            }
        }
    }

    #[test]
    fn two_ticks_of_one_second_sign_once() {
        let mock = Mock::new();
        seed(&mock).unwrap();
        let vm = living();
        assert!(vm.sign(&mock, START, 1, 7).is_some());
        assert_eq!(vm.sign(&mock, START + 1, 1, 7), None);
        assert!(vm.sign(&mock, START + 1000, 1, 8).is_some());
        assert_eq!(roll(&mock), [7]);
    }

    #[test]
    fn the_roll_is_bounded_and_foreign_bytes_in_it_do_no_harm() {
        let mock = Mock::new();
        seed(&mock).unwrap();
        for id in 0..300 {
            living().sign(&mock, START, 1, id);
        }
        assert_eq!(roll(&mock).len(), MAX_VMS);
        mock.share(KEY, &[0xff; 31], 0).unwrap();
        let vm = living();
        assert!(vm.sign(&mock, START, 1, 7).is_some());
        assert_eq!(roll(&mock).last(), Some(&7));
    }

    #[test]
    fn a_host_without_shared_data_has_no_roll() {
        let mock = Mock::new();
        assert_eq!(living().sign(&mock, START, 1, 7), None);
        mock.broken.borrow_mut().push("shared");
        assert!(seed(&mock).is_err());
    }
}
