//! What a guard tells about itself.

use alloc::{format, string::String, vec::Vec};

use wire::{
    Category, Client, Direction, Event, EventId, EventKind, Finding, Score, Severity, VERSION, Verdict,
};

use crate::{Exchange, Guard, Moment};

/// Something about the guard that somebody should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// So many instances of the guard ended without a word, with the requests and the events they held.
    Reloaded(u32),
}

/// The rule of [`Notice::Reloaded`].
const RELOADED: &str = "guard.envoy.reloaded";
/// The rule of [`Guard::trapped`].
const TRAPPED: &str = "guard.edge.trap";
/// The rule of [`Exchange::bypassed`].
const BYPASSED: &str = "guard.envoy.bypassed";

impl Guard {
    /// The event of a notice.
    #[must_use]
    pub fn notice(&self, notice: Notice, moment: &Moment) -> Event {
        let Notice::Reloaded(number) = notice;
        let summary = format!(
            "{number} of the proxy's VMs ended without a word and were replaced; the requests and the events they held are lost"
        );
        self.about_itself(RELOADED, Severity::High, summary, moment)
    }

    /// The event of an instance of the guard that trapped at a request and was replaced; the request, whose `status` says
    /// so, was refused, and `lost` events that waited are gone.
    #[must_use]
    pub fn trapped(
        &self,
        request: wire::Request,
        address: Option<String>,
        lost: u32,
        moment: &Moment,
    ) -> Event {
        let summary = format!(
            "The guard trapped, refused the request and started anew; up to {lost} waiting events were lost"
        );
        let client = Client { address, ..Client::default() };
        let event = self.about_itself(TRAPPED, Severity::High, summary, moment);
        Event { verdict: Verdict::Block, client, request, ..event }
    }

    /// An event about the guard itself, by whose `rule` something has to be looked after.
    #[must_use]
    pub fn about_itself(&self, rule: &str, severity: Severity, summary: String, moment: &Moment) -> Event {
        let finding = Finding {
            rule: rule.into(),
            category: Category::Guard,
            severity,
            score: Score::ONE,
            summary,
            owasp: Vec::new(),
            atlas: Vec::new(),
            location: None,
            transforms: Vec::new(),
            evidence: None,
        };
        Event {
            v: VERSION,
            id: EventId::new(moment.unix_ms, moment.entropy),
            time_ms: moment.unix_ms,
            kind: EventKind::Guard,
            model: self.policy.document().model.name.as_str().into(),
            direction: Direction::Request,
            surface: self.surface,
            node: self.node.clone(),
            route: String::new(),
            client: Client::default(),
            request: wire::Request::default(),
            verdict: Verdict::Flag,
            score: Score::ONE,
            severity,
            findings: Vec::from([finding]),
            shadow: None,
        }
    }
}

impl Exchange {
    /// The host let a request through to the model without a verdict: `None` if there was one. `seen`: the bytes of its
    /// body that were shown to the guard.
    #[must_use]
    pub fn bypassed(&self, guard: &Guard, seen: u64, moment: &Moment) -> Option<Event> {
        if self.outcome.is_some() {
            return None;
        }
        let summary = "The proxy passed a request on to the model before there was a verdict".into();
        let event = guard.about_itself(BYPASSED, Severity::Critical, summary, moment);
        let request = wire::Request {
            id: self.head.request_id.clone(),
            traceparent: self.head.traceparent.clone(),
            method: self.head.method.clone(),
            path: self.head.path.clone(),
            bytes: seen,
            ..wire::Request::default()
        };
        Some(Event { route: self.head.route.clone(), client: self.client.clone(), request, ..event })
    }

    /// The caller, as reports name them.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }
}
