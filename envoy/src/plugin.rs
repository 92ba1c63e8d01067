//! One configured plugin: everything that its streams share. It belongs to the root context, since a new configuration
//! makes a new root context in the same VM while the streams of the old one go on.

use std::{cell::RefCell, fmt};

use guard::wire::{Event, Surface, signature::Key};
use guard::{Guard, Moment, Reporter};

use crate::{
    ledger::Ledger,
    metrics::{Count, Metrics},
    outlet::{Outlet, Target},
    port::{CallToken, Host, Level, Refused},
    random::Random,
};

/// The variable with the key that signs callouts; named in the VM's `host_env_keys`.
const KEY_VARIABLE: &str = "MODELGATE_WEBHOOK_KEY";
/// The variable with the proxy's name, where the host does not tell it.
const NODE_VARIABLE: &str = "HOSTNAME";

/// Why a configuration was not taken.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// The policy; the text names line and column.
    Policy(String),
    /// The signing key.
    Key(String),
    /// The host has no random bytes.
    Random(getrandom::Error),
    /// The host, on something without which nothing works.
    Host(Refused),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(reason) => write!(f, "the policy is not usable: {reason}"),
            Self::Key(reason) => write!(f, "{KEY_VARIABLE} is not usable: {reason}"),
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
    outlet: RefCell<Outlet>,
    random: RefCell<Random>,
}

impl Plugin {
    /// Reads the configuration: the policy as JSON. Leaves nothing behind that a second run would not.
    ///
    /// # Errors
    /// What makes it unusable.
    pub(crate) fn configure(host: &dyn Host, configuration: &[u8]) -> Result<Self, Unusable> {
        let key = signing_key(host)?;
        let guard = Guard::from_json(configuration, key.as_ref(), Surface::Envoy, &node(host))
            .map_err(|error| Unusable::Policy(error.to_string()))?;
        let document = guard.policy().document();
        let model = document.model.name.as_str();
        let target = Target {
            cluster: document.relay.cluster.clone(),
            path: document.relay.path.clone(),
            timeout_ms: document.relay.timeout_ms,
            interval_ms: document.relay.batch_interval_ms,
        };
        let capacity = usize::try_from(document.relay.queue).unwrap_or(usize::MAX);
        let outlet = match key {
            _ if target.cluster.is_empty() => Outlet::Log,
            Some(key) => {
                host.tick_every(target.interval_ms).map_err(Unusable::Host)?;
                Outlet::to_relay(target, Reporter::new(key, capacity))
            }
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
        let random = Random::from_host().map_err(Unusable::Random)?;
        let metrics = Metrics::define(host, model);
        Ok(Self { ledger, metrics, outlet: RefCell::new(outlet), random: RefCell::new(random), guard })
    }

    /// The present moment. A host without a clock stands at 1970, where limits and signatures fail loudly.
    pub(crate) fn moment(&self, host: &dyn Host) -> Moment {
        let entropy = self.random.try_borrow_mut().map_or([0; 10], |mut random| random.entropy());
        Moment { unix_ms: host.unix_ms().unwrap_or(0), entropy }
    }

    /// Reports an event.
    pub(crate) fn report(&self, host: &dyn Host, event: Event) {
        match self.outlet.try_borrow_mut() {
            Ok(mut outlet) => outlet.take(host, &self.metrics, event),
            // Only a host that calls back from within a call gets here.
            Err(_) => self.metrics.add(host, Count::EventDropped, 1),
        }
    }

    /// The root context's tick.
    pub(crate) fn tick(&self, host: &dyn Host) {
        if let Ok(mut outlet) = self.outlet.try_borrow_mut() {
            outlet.tick(host, &self.metrics, || self.moment(host));
        }
    }

    /// The answer to a callout.
    pub(crate) fn answered(&self, host: &dyn Host, token: CallToken) {
        if let Ok(mut outlet) = self.outlet.try_borrow_mut() {
            outlet.answered(host, &self.metrics, token, || self.moment(host));
        }
    }

    /// Events that have not arrived yet.
    pub(crate) fn waiting(&self) -> usize {
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

/// The proxy's name: the node's id of the bootstrap, or the machine's name.
fn node(host: &dyn Host) -> String {
    let id = text_property(host, &["xds", "node", "id"]);
    if id.is_empty() { host.variable(NODE_VARIABLE).unwrap_or_default() } else { id }
}

/// A property that is a text; empty if the host does not know it.
pub(crate) fn text_property(host: &dyn Host, path: &[&str]) -> String {
    let bytes = host.property(path).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
