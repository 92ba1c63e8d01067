//! The contexts of one VM: a root for each configuration, one for each HTTP stream, and whom a callback is for.
//!
//! The host numbers them. A number that is not known here is no reason to fall over: a VM that traps takes every stream
//! with it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use crate::{
    plugin::Plugin,
    port::{CallToken, Host, Level, Refused},
    stream::{Step, Stream},
};

/// The contexts of this VM.
pub(crate) struct Filter {
    roots: RefCell<BTreeMap<u32, Option<Rc<Plugin>>>>,
    streams: RefCell<BTreeMap<u32, Rc<RefCell<Http>>>>,
    /// Streams whose answers were cut, and when they are reset if they are still there, in Unix time in nanoseconds.
    overdue: RefCell<VecDeque<(u32, u64)>>,
}

/// One HTTP stream and the configuration that it began under.
struct Http {
    plugin: Option<Rc<Plugin>>,
    stream: Stream,
}

/// Cut streams that the tick looks after. One beyond them is reset when more comes of it, or by the host's own timeout.
const MAX_OVERDUE: usize = 1024;

/// The number of no root context.
const NO_ROOT: u32 = 0;

impl Filter {
    /// A VM without contexts.
    pub(crate) const fn new() -> Self {
        Self {
            roots: RefCell::new(BTreeMap::new()),
            streams: RefCell::new(BTreeMap::new()),
            overdue: RefCell::new(VecDeque::new()),
        }
    }

    /// A root context, or a stream under one.
    pub(crate) fn create(&self, id: u32, root: u32) {
        if root == NO_ROOT {
            if let Ok(mut roots) = self.roots.try_borrow_mut() {
                roots.insert(id, None);
            }
        } else if let Ok(mut streams) = self.streams.try_borrow_mut() {
            let http = Http { plugin: self.plugin(root), stream: Stream::default() };
            streams.insert(id, Rc::new(RefCell::new(http)));
        }
    }

    fn plugin(&self, root: u32) -> Option<Rc<Plugin>> {
        self.roots.try_borrow().ok()?.get(&root)?.clone()
    }

    /// The configuration of a root context is there, `length` bytes of it. `false`: it is not usable.
    pub(crate) fn configure(&self, host: &dyn Host, root: u32, length: usize) -> bool {
        let configured = host
            .configuration(length)
            .map_err(|refused| refused.to_string())
            .and_then(|json| Plugin::configure(host, &json).map_err(|unusable| unusable.to_string()));
        match (configured, self.roots.try_borrow_mut()) {
            (Ok(plugin), Ok(mut roots)) => {
                roots.insert(root, Some(Rc::new(plugin)));
                true
            }
            (Ok(_), Err(_)) => false,
            (Err(reason), _) => {
                host.log(Level::Error, &format!("modelgate is not configured: {reason}"));
                false
            }
        }
    }

    /// The tick of a root context.
    pub(crate) fn tick(&self, host: &dyn Host, root: u32) {
        if let Some(plugin) = self.plugin(root) {
            plugin.tick(host);
        }
        self.reset_overdue(host, root);
    }

    /// Resets streams that were cut and that nobody has ended. The last thing a tick does: host calls mean other contexts
    /// meanwhile.
    fn reset_overdue(&self, host: &dyn Host, root: u32) {
        let Ok(mut overdue) = self.overdue.try_borrow_mut() else { return };
        if overdue.is_empty() {
            return;
        }
        let now = host.clock_ns();
        while let Some((stream, _)) = overdue.pop_front_if(|(_, at)| *at <= now) {
            if self.streams.try_borrow().is_ok_and(|streams| streams.contains_key(&stream))
                && let Err(refused) = host.reset_other(stream, root)
            {
                host.log(Level::Warn, &refused.to_string());
            }
        }
    }

    /// Has the tick look after a stream that was cut.
    fn look_after(&self, stream: u32, at: u64) {
        if let Ok(mut overdue) = self.overdue.try_borrow_mut()
            && overdue.len() < MAX_OVERDUE
        {
            overdue.push_back((stream, at));
        }
    }

    /// The answer to a root context's callout.
    pub(crate) fn answered(&self, host: &dyn Host, root: u32, token: CallToken) {
        if let Some(plugin) = self.plugin(root) {
            plugin.answered(host, token);
        }
    }

    /// A context is to end. `false`: a root context that has something left to do, and tells the host when it has not.
    pub(crate) fn done(&self, host: &dyn Host, id: u32) -> bool {
        let Some(plugin) = self.plugin(id) else { return true };
        let is_done = plugin.retire(host);
        if plugin.is_vm_over() {
            // Some that were replaced earlier may still wait for answers that will not come any more.
            let roots = self.roots.try_borrow().map(|roots| roots.values().flatten().cloned().collect());
            roots.unwrap_or_else(|_| Vec::new()).iter().for_each(|plugin| plugin.bequeath(host));
        }
        is_done
    }

    /// A stream is over.
    pub(crate) fn log(&self, host: &dyn Host, id: u32) {
        self.with(id, |http| {
            if let Some(plugin) = &http.plugin {
                http.stream.end(host, plugin);
            }
        });
    }

    /// A context is gone.
    pub(crate) fn delete(&self, id: u32) {
        if let Ok(mut streams) = self.streams.try_borrow_mut()
            && streams.remove(&id).is_some()
        {
            return;
        }
        if let Ok(mut roots) = self.roots.try_borrow_mut() {
            roots.remove(&id);
        }
    }

    /// A request's headers are there. One that no configuration is there for is refused.
    pub(crate) fn request_headers(&self, host: &dyn Host, id: u32, end_of_stream: bool) -> Step {
        let step =
            self.on_stream(host, id, |stream, plugin| stream.request_headers(host, plugin, end_of_stream));
        let refused = Refused { call: "proxy_on_configure", status: 0 };
        step.or_else(|| self.with(id, |http| http.stream.fail(host, None, refused))).unwrap_or(Step::Hold)
    }

    /// Any other callback about a stream, its time added to the guard's own; `None` if there is no such stream, or no
    /// configuration for it.
    pub(crate) fn on_stream(
        &self,
        host: &dyn Host,
        id: u32,
        run: impl FnOnce(&mut Stream, &Plugin) -> Step,
    ) -> Option<Step> {
        self.with(id, |http| {
            let plugin = http.plugin.as_ref()?;
            plugin.wake();
            let before = http.stream.overdue_ns();
            let step = run(&mut http.stream, plugin);
            http.stream.spend(plugin.rest(host));
            if let Some(at) = http.stream.overdue_ns().filter(|_| before.is_none()) {
                self.look_after(id, at);
            }
            Some(step)
        })
        .flatten()
    }

    /// Runs with a stream that is held apart from the map meanwhile, so that a host that calls back from within a call
    /// finds a map that it can use.
    fn with<T>(&self, id: u32, run: impl FnOnce(&mut Http) -> T) -> Option<T> {
        let http = Rc::clone(self.streams.try_borrow().ok()?.get(&id)?);
        let mut http = http.try_borrow_mut().ok()?;
        Some(run(&mut http))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mock::Mock, port::Side};

    const POLICY: &[u8] = br#"{"model":{"name":"demo"}}"#;

    fn host() -> Mock {
        let mock = Mock::new();
        *mock.configuration.borrow_mut() = POLICY.to_vec();
        mock.set_headers(Side::Request, &[(":method", b"GET"), (":path", b"/v1/models")]);
        mock
    }

    #[test]
    fn a_stream_lives_under_the_configuration_it_began_with() {
        let (host, filter) = (host(), Filter::new());
        filter.create(1, 0);
        assert!(filter.configure(&host, 1, POLICY.len()));
        filter.create(2, 1);
        *host.configuration.borrow_mut() = b"{".to_vec();
        filter.create(3, 0);
        assert!(!filter.configure(&host, 3, 1));
        assert!(host.lines.borrow().iter().any(|line| line.contains("not configured: the policy")));
        assert_eq!(filter.request_headers(&host, 2, true), Step::Continue);
        filter.log(&host, 2);
        filter.delete(2);
        assert_eq!(host.counted("requests_total.model.demo.verdict.allow"), 1);
        assert!(filter.done(&host, 1) && filter.done(&host, 3));
        filter.delete(1);
        assert_eq!((filter.roots.borrow().len(), filter.streams.borrow().len()), (1, 0));
    }

    #[test]
    fn a_stream_that_was_cut_is_reset_by_the_tick_if_it_is_still_there() {
        let (host, filter) = (host(), Filter::new());
        filter.create(1, 0);
        assert!(filter.configure(&host, 1, POLICY.len()));
        let now = host.now_ms.get();
        for stream in [2, 3, 4] {
            filter.create(stream, 1);
            filter.look_after(stream, (now + u64::from(stream)) * 1_000_000);
        }
        filter.delete(2);
        filter.tick(&host, 1);
        assert!(host.others_reset.borrow().is_empty());
        host.now_ms.set(now + 3);
        filter.tick(&host, 1);
        filter.tick(&host, 1);
        assert_eq!(*host.others_reset.borrow(), [3]);
        host.now_ms.set(now + 4);
        host.broken.borrow_mut().push("reset_other");
        filter.tick(&host, 1);
        assert!(host.lines.borrow().iter().any(|line| line.contains("reset_other")));
        (0..5000).for_each(|stream| filter.look_after(stream, u64::MAX));
        assert_eq!(filter.overdue.borrow().len(), MAX_OVERDUE);
    }

    #[test]
    fn a_vm_that_ends_leaves_also_what_an_earlier_configuration_waits_for() {
        let (host, filter) = (host(), Filter::new());
        *host.configuration.borrow_mut() = br#"{"model":{"name":"demo"},"mode":"monitor"}"#.to_vec();
        let other = Filter::new();
        other.create(1, 0);
        assert!(other.configure(&host, 1, POLICY.len()));
        other.tick(&host, 1);
        crate::vms::forget();
        for root in [1, 2] {
            filter.create(root, 0);
            assert!(filter.configure(&host, root, POLICY.len()));
        }
        host.set_headers(Side::Request, &[(":method", b"CONNECT"), (":authority", b"a:1")]);
        filter.create(3, 1);
        filter.request_headers(&host, 3, true);
        filter.log(&host, 3);
        filter.delete(3);
        assert!(!filter.done(&host, 1), "its event is under way");
        assert_eq!(host.calls.borrow().len(), 1);
        assert!(filter.done(&host, 2));
        other.tick(&host, 1);
        let calls = host.calls.borrow();
        assert_eq!((calls.len(), &calls[0]), (2, &calls[1]));
    }

    #[test]
    fn a_request_without_a_configuration_is_refused() {
        let (host, filter) = (host(), Filter::new());
        filter.create(1, 0);
        filter.create(2, 1);
        assert_eq!(filter.request_headers(&host, 2, true), Step::Hold);
        assert_eq!(host.answers.borrow()[0].status, 503);
    }

    #[test]
    fn numbers_that_nobody_gave_do_no_harm() {
        let (host, filter) = (host(), Filter::new());
        filter.tick(&host, 7);
        filter.answered(&host, 7, CallToken(1));
        filter.log(&host, 7);
        filter.delete(7);
        assert!(filter.done(&host, 7));
        assert_eq!(filter.request_headers(&host, 7, true), Step::Hold);
        assert_eq!(filter.on_stream(&host, 7, |_, _| Step::Continue), None);
    }
}
