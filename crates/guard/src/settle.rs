//! From what was found to what is done: the policy's mode, the answer, the headers, the event.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use decode::Protocol;
use policy::{Action, Mode};
use wire::{Direction, Event, EventId, EventKind, Score, Severity, Shadow, VERSION, Verdict};

use crate::{
    Exchange, Forward, Guard, Moment, Outcome,
    reason::{self, GuardRule, Judged},
    reply::{self, Refusal, Reply},
};

/// What was found out about a request, before the policy's mode is applied.
pub(crate) struct Ruling<'a> {
    pub(crate) action: Action,
    pub(crate) verdict: Verdict,
    pub(crate) score: Score,
    pub(crate) severity: Severity,
    pub(crate) shadow: Option<Shadow>,
    pub(crate) kind: EventKind,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) parts: u32,
    pub(crate) bytes: u64,
    pub(crate) reasons: &'a [Judged],
    pub(crate) refusal: Refusal,
    /// The id of the JSON-RPC request that is refused, as it is written.
    pub(crate) rpc_id: Option<&'a str>,
    pub(crate) extra: Vec<(&'static str, String)>,
    /// Whether it is told to the relay.
    pub(crate) report: bool,
}

impl<'a> Ruling<'a> {
    /// A refusal by one of the guard's own rules, of which nothing but the request's head need be known.
    pub(crate) fn own(
        guard: &Guard,
        exchange: &Exchange,
        rule: &GuardRule,
        reasons: &'a [Judged],
        code: &'static str,
        message: String,
    ) -> Self {
        Self {
            action: Action::Block,
            verdict: Verdict::Block,
            score: Score::ONE,
            severity: rule.severity,
            shadow: None,
            kind: EventKind::Detection,
            protocol: guard.inspector.protocol_for(&exchange.head.path),
            parts: 0,
            bytes: 0,
            reasons,
            refusal: Refusal { status: rule.status, code, message },
            rpc_id: None,
            extra: Vec::new(),
            report: true,
        }
    }
}

impl Exchange {
    /// Applies the policy's mode, words the answer and writes the event.
    pub(crate) fn settle(&mut self, guard: &Guard, ruling: Ruling<'_>, moment: &Moment) -> &Outcome {
        let document = guard.policy.document();
        let refused = ruling.action == Action::Block && document.mode == Mode::Enforce;
        let verdict = match ruling.action {
            Action::Allow => Verdict::Allow,
            _ if refused => ruling.verdict,
            Action::Mask if document.mode == Mode::Enforce => Verdict::Mask,
            _ => Verdict::Flag,
        };
        let (score, status) = (ruling.score, reply::status(&ruling));
        let findings = reason::report(ruling.reasons);
        let mut headers = Vec::from([verdict_header(verdict)]);
        headers.extend(self.standing.iter().cloned());
        if let Some(counted) = &mut self.counted {
            counted.failed |= refused && ruling.verdict == Verdict::Block;
        }
        if ruling.report {
            let id = EventId::new(moment.unix_ms, moment.entropy);
            headers.push(("x-modelgate-event", id.to_string()));
            let status = refused.then_some(status);
            let event = self.write_event(guard, &ruling, id, moment, verdict, status, findings.clone());
            self.events.push(event);
        }
        let reply = refused.then(|| {
            let mut refusal = ruling.refusal;
            if document.report.explain_to_caller {
                let rules: Vec<&str> = findings.iter().map(|finding| finding.rule.as_str()).collect();
                refusal.message = format!("{} ({})", refusal.message, rules.join(", "));
            }
            Reply {
                status,
                content_type: "application/json",
                body: reply::body(ruling.protocol, &refusal, ruling.rpc_id),
                headers: headers
                    .iter()
                    .cloned()
                    .chain(reply::error_type(ruling.protocol, status))
                    .chain(ruling.extra)
                    .collect(),
            }
        });
        self.outcome.insert(Outcome { verdict, score, reply, headers, findings, forward: Forward::default() })
    }

    /// Reports something of which the caller's answer says nothing.
    pub(crate) fn tell(&mut self, guard: &Guard, reason: Judged, verdict: Verdict, moment: &Moment) {
        let severity = reason.severity();
        let ruling = Ruling {
            action: Action::Flag,
            verdict,
            score: Score::ONE,
            severity,
            shadow: None,
            kind: EventKind::RateLimit,
            protocol: guard.inspector.protocol_for(&self.head.path),
            parts: 0,
            bytes: 0,
            reasons: &[],
            refusal: Refusal { status: 0, code: "", message: String::new() },
            rpc_id: None,
            extra: Vec::new(),
            report: true,
        };
        let id = EventId::new(moment.unix_ms, moment.entropy);
        let findings = reason::report(&[reason]);
        let event = self.write_event(guard, &ruling, id, moment, verdict, None, findings);
        self.events.push(event);
    }

    #[expect(clippy::too_many_arguments, reason = "the event's own fields")]
    pub(crate) fn write_event(
        &self,
        guard: &Guard,
        ruling: &Ruling<'_>,
        id: EventId,
        moment: &Moment,
        verdict: Verdict,
        status: Option<u16>,
        findings: Vec<wire::Finding>,
    ) -> Event {
        Event {
            v: VERSION,
            id,
            time_ms: moment.unix_ms,
            kind: ruling.kind,
            model: guard.policy.document().model.name.as_str().to_string(),
            direction: Direction::Request,
            surface: guard.surface,
            node: guard.node.clone(),
            route: self.head.route.clone(),
            client: self.client.clone(),
            request: wire::Request {
                id: self.head.request_id.clone(),
                traceparent: self.head.traceparent.clone(),
                method: self.head.method.clone(),
                path: self.head.path.clone(),
                protocol: ruling.protocol.map(|protocol| protocol.as_str().to_string()).unwrap_or_default(),
                bytes: ruling.bytes,
                parts: ruling.parts,
                status,
            },
            verdict,
            score: ruling.score,
            severity: ruling.severity,
            findings,
            shadow: ruling.shadow,
        }
    }
}

pub(crate) fn verdict_header(verdict: Verdict) -> (&'static str, String) {
    ("x-modelgate-verdict", verdict.as_str().to_string())
}

/// What a caller is told of findings: nothing of an attack's rule, but what a numeric input breaks, since whoever
/// calls a model by mistake with a NaN needs to find it.
pub(crate) fn refusal(reasons: &[Judged]) -> Refusal {
    let validation = reasons.iter().find(|reason| {
        matches!(
            reason.rule(),
            "tensor.empty" | "tensor.null" | "tensor.size" | "tensor.range" | "tensor.non-finite"
        )
    });
    let told = validation.map(|reason| {
        let finding = reason.to_wire();
        (finding.summary, finding.location.map(|location| location.place).unwrap_or_default())
    });
    match told {
        Some((summary, place)) => Refusal {
            status: 400,
            code: "invalid_input",
            message: format!("The input was refused: {summary}, at {place}."),
        },
        None => Refusal {
            status: 400,
            code: "content_filter",
            message: "The request was refused by the content policy.".into(),
        },
    }
}
