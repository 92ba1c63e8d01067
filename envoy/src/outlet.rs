//! The way of events out of the VM: the guard's reporter on one side, callouts of the root context on the other.

use std::iter;

use guard::wire::{Batch, Event};
use guard::{CalloutId, Moment, Reporter};

use crate::{
    estate::Estate,
    metrics::{Count, Metrics},
    port::{Call, CallToken, Host, Level},
    vms::{self, BEAT_MS},
};

/// How long an urgent event waits for the root context's turn. A stream must not make the callout itself: the answer
/// would be addressed to the stream, which may be gone by then, and nobody would learn whether the event arrived.
const URGENT_MS: u32 = 1;
/// More events than this do not wait for the next tick once the relay has answered.
const BACKLOG: usize = 100;

/// Where events go.
#[derive(Debug)]
pub(crate) enum Outlet {
    /// To the relay.
    Relay(Box<Relay>),
    /// To the host's log, for want of a relay or of a key that would make it believe us.
    Log,
}

/// The relay and what is on the way there.
#[derive(Debug)]
pub(crate) struct Relay {
    target: Target,
    estate: Estate,
    reporter: Reporter,
    under_way: Vec<(CallToken, CalloutId)>,
    /// Whether the tick was brought forward.
    hurried: bool,
    /// Whether an urgent event has not left yet.
    urgent: bool,
    /// When the events that waited for company leave, Unix time in milliseconds.
    due_ms: u64,
    /// What of the reporter's totals the metrics show already.
    delivered: u64,
    dropped: u64,
}

/// How the relay is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The host's name for its cluster.
    pub(crate) cluster: String,
    /// The path of its ingest.
    pub(crate) path: String,
    /// How long a callout may take.
    pub(crate) timeout_ms: u32,
    /// How long an ordinary event waits for company.
    pub(crate) interval_ms: u32,
}

impl Target {
    /// How often the root context is ticked: for the events, and for the VM's sign of life.
    pub(crate) fn tick_ms(&self) -> u32 {
        self.interval_ms.min(BEAT_MS)
    }
}

impl Outlet {
    /// An outlet to a relay; while a plugin is being configured.
    pub(crate) fn to_relay(host: &dyn Host, target: Target, reporter: Reporter) -> Self {
        let estate = Estate::of(&target.cluster, &target.path);
        if let Err(refused) = estate.seed(host) {
            host.log(Level::Warn, &format!("events of VMs that end may be lost: {refused}"));
        }
        Self::Relay(Box::new(Relay {
            target,
            estate,
            reporter,
            under_way: Vec::new(),
            hurried: false,
            urgent: false,
            due_ms: 0,
            delivered: 0,
            dropped: 0,
        }))
    }

    /// Takes an event from whatever callback it came up in.
    pub(crate) fn take(&mut self, host: &dyn Host, metrics: &Metrics, event: Event) {
        match self {
            Self::Relay(relay) => relay.take(host, metrics, event),
            Self::Log => write(host, &Batch::new(0, vec![event]).to_json()),
        }
    }

    /// The VM goes on: takes over what one that ended has left. In the root context's tick.
    pub(crate) fn inherit(&mut self, host: &dyn Host, now_ms: u64) {
        if let Self::Relay(relay) = self {
            relay.inherit(host, now_ms);
        }
    }

    /// The VM ends: leaves what has not arrived to one that goes on.
    pub(crate) fn bequeath(&mut self, host: &dyn Host, metrics: &Metrics) {
        if let Self::Relay(relay) = self {
            relay.bequeath(host, metrics);
        }
    }

    /// Sends what is due; in the root context's tick. Any number of ticks is harmless. `all`: also what is not due yet.
    pub(crate) fn tick(
        &mut self,
        host: &dyn Host,
        metrics: &Metrics,
        all: bool,
        moment: impl FnMut() -> Moment,
    ) {
        if let Self::Relay(relay) = self {
            relay.calm_down(host);
            relay.tick(host, metrics, all, moment);
        }
    }

    /// Settles a callout whose answer is there; in the root context's callback.
    pub(crate) fn answered(
        &mut self,
        host: &dyn Host,
        metrics: &Metrics,
        token: CallToken,
        moment: impl FnMut() -> Moment,
    ) {
        if let Self::Relay(relay) = self {
            relay.answered(host, metrics, token, moment);
        }
    }

    /// Events that have not arrived yet.
    pub(crate) fn waiting(&self) -> usize {
        match self {
            Self::Relay(relay) => relay.reporter.queued(),
            Self::Log => 0,
        }
    }
}

impl Relay {
    fn take(&mut self, host: &dyn Host, metrics: &Metrics, event: Event) {
        metrics.add(host, Count::EventQueued, 1);
        if self.reporter.push(event) {
            self.urgent = true;
            self.hurry(host);
        }
        self.publish(host, metrics);
    }

    fn hurry(&mut self, host: &dyn Host) {
        // Without it the event leaves with the next ordinary tick.
        if !self.hurried && host.tick_every(URGENT_MS).is_ok() {
            self.hurried = true;
        }
    }

    fn calm_down(&mut self, host: &dyn Host) {
        if self.hurried && host.tick_every(self.target.tick_ms()).is_ok() {
            self.hurried = false;
        }
    }

    fn inherit(&mut self, host: &dyn Host, now_ms: u64) {
        if !self.reporter.can_adopt(now_ms) {
            return;
        }
        let Some(sealed) = self.estate.take(host) else { return };
        if self.reporter.adopt(sealed) {
            self.urgent = true;
        } else {
            host.log(Level::Warn, "a batch of events in the shared data has another key's seal");
        }
    }

    fn bequeath(&mut self, host: &dyn Host, metrics: &Metrics) {
        let mut left = self.reporter.leave();
        if vms::is_anyone_left(host) {
            left.retain(|sealed| !self.estate.leave(host, sealed));
        } else {
            left.extend(iter::from_fn(|| self.estate.take(host)));
        }
        self.under_way.clear();
        let lost = left.iter().map(|sealed| u64::from(sealed.events)).sum::<u64>();
        if lost > 0 {
            host.log(
                Level::Error,
                &format!("{lost} events are in this log alone: no VM is there to send them"),
            );
            left.iter().for_each(|sealed| write(host, &sealed.body));
            metrics.add(host, Count::EventDropped, lost);
        }
    }

    fn tick(&mut self, host: &dyn Host, metrics: &Metrics, all: bool, mut moment: impl FnMut() -> Moment) {
        let now_ms = moment().unix_ms;
        // Half a beat early: the host's ticks come late as often as not, and a clock that went back must not stop events.
        let is_due = now_ms.saturating_add(u64::from(self.target.tick_ms() / 2)) >= self.due_ms
            || self.due_ms > now_ms.saturating_add(self.target.interval_ms.into());
        if all || self.urgent || is_due {
            self.due_ms = now_ms.saturating_add(self.target.interval_ms.into());
            self.send(host, metrics, moment);
        }
    }

    fn send(&mut self, host: &dyn Host, metrics: &Metrics, mut moment: impl FnMut() -> Moment) {
        loop {
            let now = moment();
            let Some(callout) = self.reporter.next_callout(&now) else { break };
            let call = Call {
                method: "POST",
                cluster: &self.target.cluster,
                path: &self.target.path,
                headers: &callout.headers,
                body: &callout.body,
                timeout_ms: self.target.timeout_ms,
            };
            match host.call(call) {
                Ok(token) => {
                    self.under_way.push((token, callout.id));
                    self.urgent = false;
                }
                Err(refused) => {
                    host.log(
                        Level::Warn,
                        &format!("no callout to cluster {}: {refused}", self.target.cluster),
                    );
                    metrics.add(host, Count::CalloutFailed, 1);
                    self.reporter.settle(callout.id, None, now.unix_ms);
                    break;
                }
            }
        }
        self.publish(host, metrics);
    }

    fn answered(
        &mut self,
        host: &dyn Host,
        metrics: &Metrics,
        token: CallToken,
        mut moment: impl FnMut() -> Moment,
    ) {
        let Some(at) = self.under_way.iter().position(|(known, _)| *known == token) else { return };
        let (_, id) = self.under_way.swap_remove(at);
        let status = host.call_status();
        let accepted = status.is_some_and(|status| (200..300).contains(&status));
        if !accepted {
            metrics.add(host, Count::CalloutFailed, 1);
            let answer = status.map_or_else(|| "nothing".to_owned(), |status| format!("status {status}"));
            host.log(
                Level::Warn,
                &format!("cluster {} answered a batch of events with {answer}", self.target.cluster),
            );
        }
        self.reporter.settle(id, status, moment().unix_ms);
        if accepted && (self.urgent || self.reporter.queued() > BACKLOG) {
            self.send(host, metrics, moment);
        } else {
            self.publish(host, metrics);
        }
    }

    /// Brings the metrics up to the reporter's totals.
    fn publish(&mut self, host: &dyn Host, metrics: &Metrics) {
        let (delivered, dropped) = (self.reporter.delivered(), self.reporter.dropped());
        metrics.add(host, Count::EventDelivered, delivered.saturating_sub(self.delivered));
        metrics.add(host, Count::EventDropped, dropped.saturating_sub(self.dropped));
        (self.delivered, self.dropped) = (delivered, dropped);
    }
}

/// Writes a batch to the host's log.
fn write(host: &dyn Host, json: &[u8]) {
    host.log(Level::Warn, &format!("event: {}", String::from_utf8_lossy(json)));
}

#[cfg(test)]
mod tests;
