//! One configured plugin: everything that its streams share. It belongs to the root context, since a new configuration
//! makes a new root context in the same VM while the streams of the old one go on.

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};

use guard::wire::{Event, Surface, signature::Key};
use guard::{Guard, Moment, Notice, Reporter, route_name};

use crate::{
    feed::Feed,
    ledger::Ledger,
    metrics::{Count, Metrics},
    outlet::{Outlet, Target},
    port::{CallToken, Host, Level, Refused},
    random::Random,
    vms::{self, Vm},
};

/// The variable with the key that signs callouts; named in the VM's `host_env_keys`.
const KEY_VARIABLE: &str = "MODELGATE_WEBHOOK_KEY";
/// The variable with the proxy's name, where the host does not tell it.
const NODE_VARIABLE: &str = "HOSTNAME";

/// The variable that tells what becomes of a request's headers until there is a verdict, see [`Headers`].
const HEADERS_VARIABLE: &str = "MODELGATE_HEADERS";

/// What becomes of a request's headers until there is a verdict. The body waits in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Headers {
    /// They wait, too: `hold`, the default. Takes a host that can hold headers back and still hand over the body, as Envoy
    /// does with `allow_on_headers_stop_iteration`; any other never shows us the body then, and the request hangs.
    Hold,
    /// They go on: `pass`. An upstream may then answer before it has the body; such an answer is kept back.
    Pass,
}

const NS_IN_MS: u64 = 1_000_000;

/// What is known of the time while a callback about a stream runs.
#[derive(Clone, Copy, Debug, Default)]
enum Clock {
    /// None is running: each moment is another.
    #[default]
    Idle,
    /// Nobody wanted to know it yet.
    Unread,
    /// Unix time in nanoseconds.
    Read(u64),
}

/// Where an answer is kept until it is judged whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// The host holds it back.
    InHost,
    /// The filter takes it out of its chunks, for hosts that cannot go on with a response once it was held back (Kong's
    /// ngx_wasm_module). Its headers are gone by then.
    InFilter,
}

/// How long a plugin that was replaced waits for a relay that is away. Each one waiting costs a tick and its queue.
const MAX_LINGER_MS: u64 = 600_000;

/// Why a configuration was not taken.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// The policy; the text names line and column.
    Policy(String),
    /// The signing key.
    Key(String),
    /// The host has no random bytes.
    Random(getrandom::Error),
    /// The variable for the headers.
    Headers(String),
    /// The host, on something without which nothing works.
    Host(Refused),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(reason) => write!(f, "the policy is not usable: {reason}"),
            Self::Key(reason) => write!(f, "{KEY_VARIABLE} is not usable: {reason}"),
            Self::Headers(word) => {
                write!(f, "{HEADERS_VARIABLE} is {word:?}, it can be \"hold\" or \"pass\"")
            }
            Self::Random(error) => write!(f, "the host has no random bytes: {error}"),
            Self::Host(refused) => refused.fmt(f),
        }
    }
}

/// A configured plugin.
#[derive(Debug)]
pub(crate) struct Plugin {
    pub(crate) guard: Guard,
    pub(crate) ledger: Ledger,
    pub(crate) metrics: Metrics,
    pub(crate) headers: Headers,
    pub(crate) answers: Waiting,
    /// Whether a verdict may depend on the route, so that its name is needed before there is one.
    pub(crate) minds_routes: bool,
    outlet: RefCell<Outlet>,
    feed: RefCell<Option<Feed>>,
    random: RefCell<Random>,
    vm: Rc<Vm>,
    clock: Cell<Clock>,
    /// Since when the host waits for the last events to leave, before it takes the root context down.
    retiring_since_ms: Cell<Option<u64>>,
}

impl Plugin {
    /// Reads the configuration: the policy as JSON. Leaves nothing behind that a second run would not.
    ///
    /// # Errors
    /// What makes it unusable.
    pub(crate) fn configure(host: &dyn Host, configuration: &[u8]) -> Result<Self, Unusable> {
        let (key, headers) = (signing_key(host)?, headers(host)?);
        let mut guard = Guard::from_json(configuration, key.as_ref(), Surface::Envoy, &node(host))
            .map_err(|error| Unusable::Policy(error.to_string()))?;
        let feed = Feed::of(&mut guard, key.as_ref());
        let document = guard.policy().document();
        let model = document.model.name.as_str();
        let target = Target {
            cluster: document.relay.cluster.clone(),
            path: document.relay.path.clone(),
            timeout_ms: document.relay.timeout_ms,
            interval_ms: document.relay.batch_interval_ms,
        };
        let capacity = usize::try_from(document.relay.queue).unwrap_or(usize::MAX);
        host.tick_every(target.tick_ms()).map_err(Unusable::Host)?;
        let outlet = match key {
            _ if target.cluster.is_empty() => Outlet::Log,
            Some(key) => Outlet::to_relay(host, target, Reporter::new(key, capacity)),
            None => {
                host.log(
                    Level::Warn,
                    &format!("{KEY_VARIABLE} is not set: events go to this log, not to the relay"),
                );
                Outlet::Log
            }
        };
        for warning in guard.policy().warnings() {
            host.log(Level::Warn, &format!("policy of model {model}: {warning}"));
        }
        let ledger = Ledger::new(&text_property(host, &["plugin_root_id"]), model);
        if let Err(refused) = ledger.seed(host) {
            host.log(Level::Warn, &format!("clients are not limited: {refused}"));
        }
        if let Err(refused) = vms::seed(host) {
            host.log(Level::Warn, &format!("VMs that crash are not reported: {refused}"));
        }
        let random = Random::from_host().map_err(Unusable::Random)?;
        let metrics = Metrics::define(host, model);
        let (outlet, feed, random) = (RefCell::new(outlet), RefCell::new(feed), RefCell::new(random));
        let vm = vms::this();
        vm.enter();
        Ok(Self {
            minds_routes: guard.policy().minds_routes(),
            guard,
            ledger,
            metrics,
            headers,
            answers: if cfg!(feature = "portable") { Waiting::InFilter } else { Waiting::InHost },
            outlet,
            feed,
            random,
            vm,
            clock: Cell::default(),
            retiring_since_ms: Cell::new(None),
        })
    }

    /// Whether an answer's head waits for its body, so that it can be refused or told the length of another body.
    pub(crate) fn holds_answers(&self) -> bool {
        self.headers == Headers::Hold && self.answers == Waiting::InHost
    }

    /// The present moment. A host without a clock stands at 1970, where limits and signatures fail loudly.
    pub(crate) fn moment(&self, host: &dyn Host) -> Moment {
        let entropy = self.random.try_borrow_mut().map_or([0; 10], |mut random| random.entropy());
        Moment { unix_ms: self.begin(host) / NS_IN_MS, entropy }
    }

    /// A callback about a stream is running from now on: its moments are one, so that the host is asked once.
    pub(crate) fn wake(&self) {
        self.clock.set(Clock::Unread);
    }

    /// The callback has work to do, and its time is taken from now on. Returns Unix time in nanoseconds.
    pub(crate) fn begin(&self, host: &dyn Host) -> u64 {
        match self.clock.get() {
            Clock::Read(ns) => ns,
            Clock::Unread => {
                let ns = host.clock_ns();
                self.clock.set(Clock::Read(ns));
                ns
            }
            Clock::Idle => host.clock_ns(),
        }
    }

    /// The callback is over. Returns the nanoseconds that it worked; one that had nothing to do asks no clock.
    pub(crate) fn rest(&self, host: &dyn Host) -> u64 {
        match self.clock.replace(Clock::Idle) {
            Clock::Read(since) => host.clock_ns().saturating_sub(since),
            Clock::Unread | Clock::Idle => 0,
        }
    }

    /// Reports an event.
    pub(crate) fn report(&self, host: &dyn Host, mut event: Event) {
        // Only an event about a request is reported from a stream, where there is a route to ask for.
        if event.route.is_empty() && !event.request.path.is_empty() {
            event.route = route_name(route(host).as_bytes());
        }
        match self.outlet.try_borrow_mut() {
            Ok(mut outlet) => outlet.take(host, &self.metrics, event),
            // Only a host that calls back from within a call gets here.
            Err(_) => self.metrics.add(host, Count::EventDropped, 1),
        }
    }

    /// The root context's tick.
    pub(crate) fn tick(&self, host: &dyn Host) {
        self.sign(host);
        let is_retiring = self.retiring_since_ms.get().is_some();
        if let Ok(mut feed) = self.feed.try_borrow_mut()
            && let Some(feed) = feed.as_mut().filter(|_| !is_retiring)
        {
            feed.tick(host, &self.moment(host));
        }
        if let Ok(mut outlet) = self.outlet.try_borrow_mut() {
            if !is_retiring {
                outlet.inherit(host, self.moment(host).unix_ms);
            }
            outlet.tick(host, &self.metrics, is_retiring, || self.moment(host));
        }
        self.leave(host);
    }

    /// A request is there.
    pub(crate) fn serve(&self, host: &dyn Host) {
        if self.vm.serve() {
            self.sign(host);
        }
    }

    /// Shows that this VM is alive, and reports those that no longer are.
    fn sign(&self, host: &dyn Host) {
        let moment = self.moment(host);
        let [.., a, b, c, d, e, f, g, h] = moment.entropy;
        let fresh = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let Some(watch) = self.vm.sign(host, moment.unix_ms, host.memory(), fresh) else { return };
        self.metrics.show_vms(host, watch.vms, watch.memory);
        if watch.lost > 0 {
            host.log(Level::Error, &format!("{} VMs are gone without a word: they crashed", watch.lost));
            self.metrics.add(host, Count::Reloaded, watch.lost.into());
            self.report(host, self.guard.notice(Notice::Reloaded(watch.lost), &moment));
        }
    }

    /// The answer to a callout.
    pub(crate) fn answered(&self, host: &dyn Host, token: CallToken) {
        if let Ok(mut feed) = self.feed.try_borrow_mut()
            && let Some(feed) = feed.as_mut()
            && feed.answered(host, token, self.moment(host).unix_ms)
        {
            return;
        }
        if let Ok(mut outlet) = self.outlet.try_borrow_mut() {
            outlet.answered(host, &self.metrics, token, || self.moment(host));
        }
        self.leave(host);
    }

    /// A newer configuration has taken over, and the last stream of this one is over. `true`: nothing is left to do;
    /// otherwise the host is told later, after a tick or an answer.
    pub(crate) fn retire(&self, host: &dyn Host) -> bool {
        if let Ok(mut feed) = self.feed.try_borrow_mut()
            && let Some(feed) = feed.as_mut()
        {
            feed.end(self.moment(host).unix_ms);
        }
        // Whatever becomes of the events, from now on the host may end the VM at any moment, and rightly so.
        self.vm.leave(host);
        if self.vm.is_over() {
            self.bequeath(host);
            return true;
        }
        self.retiring_since_ms.set(Some(self.moment(host).unix_ms));
        if let Ok(mut outlet) = self.outlet.try_borrow_mut() {
            outlet.tick(host, &self.metrics, true, || self.moment(host));
        }
        if self.waiting() == 0 {
            self.retiring_since_ms.set(None);
            return true;
        }
        false
    }

    /// Whether the VM has no configuration any more that goes on.
    pub(crate) fn is_vm_over(&self) -> bool {
        self.vm.is_over()
    }

    /// The VM ends, and with it whatever this configuration waits for.
    pub(crate) fn bequeath(&self, host: &dyn Host) {
        if let Ok(mut outlet) = self.outlet.try_borrow_mut() {
            outlet.bequeath(host, &self.metrics);
        }
    }

    /// Lets the host take a retired plugin down once its events are away.
    fn leave(&self, host: &dyn Host) {
        let Some(since) = self.retiring_since_ms.get() else { return };
        let waiting = self.waiting();
        if waiting > 0 && self.moment(host).unix_ms.saturating_sub(since) < MAX_LINGER_MS {
            return;
        }
        if waiting > 0 {
            host.log(
                Level::Error,
                &format!("{waiting} events of a replaced configuration are lost: no relay took them"),
            );
            self.metrics.add(host, Count::EventDropped, u64::try_from(waiting).unwrap_or(u64::MAX));
        }
        self.retiring_since_ms.set(None);
        if let Err(refused) = host.done() {
            host.log(Level::Warn, &refused.to_string());
        }
    }

    /// Events that have not arrived yet.
    fn waiting(&self) -> usize {
        self.outlet.try_borrow().map_or(0, |outlet| outlet.waiting())
    }
}

/// The key that signs callouts, if there is one.
fn signing_key(host: &dyn Host) -> Result<Option<Key>, Unusable> {
    match host.variable(KEY_VARIABLE).filter(|text| !text.trim().is_empty()) {
        Some(text) => Key::parse(&text).map(Some).map_err(|error| Unusable::Key(error.to_string())),
        None => Ok(None),
    }
}

/// What becomes of a request's headers until there is a verdict.
fn headers(host: &dyn Host) -> Result<Headers, Unusable> {
    match host.variable(HEADERS_VARIABLE).as_deref() {
        Some("pass") => Ok(Headers::Pass),
        Some("hold") => Ok(Headers::Hold),
        None | Some("") if cfg!(feature = "portable") => Ok(Headers::Pass),
        None | Some("") => Ok(Headers::Hold),
        Some(word) => Err(Unusable::Headers(word.to_owned())),
    }
}

/// The proxy's name: the node's id of the bootstrap, or the machine's name.
fn node(host: &dyn Host) -> String {
    let id = text_property(host, &["xds", "node", "id"]);
    if id.is_empty() { host.variable(NODE_VARIABLE).unwrap_or_default() } else { id }
}

/// The name of the stream's route.
pub(crate) fn route(host: &dyn Host) -> String {
    text_property(host, &["xds", "route_name"])
}

/// A property that is a text; empty if the host does not know it.
pub(crate) fn text_property(host: &dyn Host, path: &[&str]) -> String {
    let bytes = host.property(path).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::Mock;

    const POLICY: &[u8] = br#"{"model":{"name":"demo"}}"#;

    fn reason(mock: &Mock, policy: &[u8]) -> String {
        Plugin::configure(mock, policy).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_bad_policy_is_refused_with_line_and_column() {
        let mock = Mock::new();
        for (policy, place) in [
            (&b"{\"model\":{\"name\":\"demo\"},\n \"mode\":\"enforc\"}"[..], "line 2, column 16"),
            (b"{}", "line 1, column 2"),
            (b"", "line 1, column 0"),
            (b"\x0a\x05model", "line 2"),
            (b"\xff\xfe", "line 1"),
        ] {
            let reason = reason(&mock, policy);
            assert!(reason.contains(place), "{reason}");
        }
    }

    #[test]
    fn a_malformed_key_is_refused_without_being_shown() {
        let mut mock = Mock::new();
        mock.variables.insert("MODELGATE_WEBHOOK_KEY", "whsec_hunter2!".into());
        let reason = reason(&mock, POLICY);
        assert!(reason.contains("MODELGATE_WEBHOOK_KEY") && !reason.contains("hunter2"), "{reason}");
    }

    #[test]
    fn a_word_for_the_headers_that_means_nothing_is_refused() {
        let mut mock = Mock::new();
        for (word, expected) in [("pass", Some(Headers::Pass)), ("hold", Some(Headers::Hold)), ("no", None)] {
            mock.variables.insert("MODELGATE_HEADERS", word.into());
            assert_eq!(headers(&mock).ok(), expected);
        }
        assert!(reason(&mock, POLICY).contains("\"no\""));
    }

    #[test]
    fn configuring_twice_changes_nothing_that_is_shared() {
        let mock = Mock::new();
        Plugin::configure(&mock, POLICY).unwrap();
        let (shared, counters) = (mock.shared.borrow().clone(), mock.metrics.borrow().clone());
        Plugin::configure(&mock, POLICY).unwrap();
        assert_eq!(*mock.shared.borrow(), shared);
        assert_eq!(*mock.metrics.borrow(), counters);
        assert!(mock.calls.borrow().is_empty());
    }

    #[test]
    fn a_policy_that_can_be_bypassed_is_warned_of() {
        let mock = Mock::new();
        Plugin::configure(&mock, br#"{"model":{"name":"demo"},"mode":"monitor"}"#).unwrap();
        assert!(mock.lines.borrow().iter().any(|line| line.starts_with("Warn policy of model demo: mode")));
    }

    #[test]
    fn the_node_is_named_by_the_bootstrap_or_by_the_machine() {
        let mut mock = Mock::new();
        assert_eq!(node(&mock), "");
        mock.variables.insert("HOSTNAME", "pod-7".into());
        assert_eq!(node(&mock), "pod-7");
        mock.set_property(&["xds", "node", "id"], "sidecar-7");
        assert_eq!(node(&mock), "sidecar-7");
    }
}
