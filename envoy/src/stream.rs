//! One exchange on its way through the filter: which callback does what, and what the host is told in return.

mod response;

use guard::{Exchange, Forward, HeadFacts, Outcome, Reply, is_own_header, wire::Verdict};

use crate::{
    address::without_port,
    headers::HeaderMap,
    metrics::Count,
    plugin::{Headers, Plugin, route, text_property},
    port::{Answer, Host, Level, Refused, Side},
};

/// What the host does after a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It lets everything held so far go on.
    Continue,
    /// It holds the headers back, or buffers the body.
    Hold,
}

/// `%RESPONSE_CODE_DETAILS%` that Envoy gives a request whose body outgrew its buffer.
const ENVOY_TOO_LARGE: &str = "request_payload_too_large";
/// The filter that verifies JSON Web Tokens, as its metadata is called.
const JWT_AUTHN: &str = "envoy.filters.http.jwt_authn";
/// The details of an answer by the guard.
const ANSWERED: &str = "modelgate";
/// `%RESPONSE_CODE_DETAILS%` of an answer that is the upstream's.
const UPSTREAM_ANSWERED: &str = "via_upstream";
/// What access logs and the filters behind this one can read, as `%FILTER_STATE(wasm.modelgate.verdict:PLAIN)%`.
const VERDICT_PROPERTY: &str = "modelgate.verdict";
const EVENT_PROPERTY: &str = "modelgate.event";
const RULE_PROPERTY: &str = "modelgate.rule";
const CLIENT_PROPERTY: &str = "modelgate.client";
/// The details of an answer for want of a verdict.
const FAILED: &str = "modelgate_failed";

/// The state of one HTTP stream.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    exchange: Option<Exchange>,
    /// Bytes of the body that the host has buffered.
    seen: usize,
    /// Whether the guard has answered the caller. The answer runs through the response callbacks like any other, and
    /// a second one there would hang the caller.
    answered: bool,
    /// Whether the outcome was counted and its event reported.
    settled: bool,
    /// Whether it was reported that the upstream was asked before there was a verdict.
    bypassed: bool,
    /// The guard's own time so far.
    spent_ns: u64,
    /// The status of the answer, where the guard did not answer itself.
    status: Option<u16>,
    /// What is done with the answer.
    answer: response::Answer,
    /// When an answer that was cut is reset if nobody has ended it by then, in Unix time.
    overdue_ns: Option<u64>,
}

impl Stream {
    /// The request's headers are there.
    pub(crate) fn request_headers(&mut self, host: &dyn Host, plugin: &Plugin, end_of_stream: bool) -> Step {
        match self.open(host, plugin, end_of_stream) {
            Ok(()) if self.is_decided() => self.settle(host, plugin),
            // A host waits for no body that will not come.
            Ok(()) if end_of_stream => Step::Continue,
            Ok(()) => match plugin.headers {
                Headers::Hold => Step::Hold,
                Headers::Pass => Step::Continue,
            },
            Err(refused) => self.fail(host, Some(plugin), refused),
        }
    }

    fn open(&mut self, host: &dyn Host, plugin: &Plugin, end_of_stream: bool) -> Result<(), Refused> {
        plugin.begin(host);
        plugin.serve(host);
        let headers = host.headers(Side::Request)?;
        remove_own(host, Side::Request, &headers)?;
        if plugin.guard.reads_answers() && headers.first(b"accept-encoding").is_some() {
            // What is compressed cannot be read as a stream.
            host.remove_header(Side::Request, b"accept-encoding")?;
            host.add_header(Side::Request, "accept-encoding", "identity")?;
        }
        if plugin.headers == Headers::Pass && plugin.guard.changes_requests() {
            host.remove_header(Side::Request, b"content-length")?;
        }
        let text = |name: &[u8]| String::from_utf8_lossy(headers.first(name).unwrap_or_default());
        let (method, path) = (text(b":method"), text(b":path"));
        let route = if plugin.minds_routes { route(host) } else { String::new() };
        let address = text_property(host, &["source", "address"]);
        let address = Some(without_port(&address)).filter(|address| !address.is_empty());
        let facts = HeadFacts { method: &method, path: &path, route: &route, address };
        let identity = &plugin.guard.policy().document().identity;
        // Only what `jwt_authn` has verified gets into its metadata.
        let user = identity.jwt_claim.as_ref().map(|claim| {
            let path = ["metadata", "filter_metadata", JWT_AUTHN, &identity.jwt_payload, claim];
            text_property(host, &path)
        });
        let head = plugin.guard.head(facts, headers.iter()).with_user(user.as_deref());
        let store = plugin.ledger.on(host);
        self.exchange = Some(plugin.guard.open(head, !end_of_stream, &plugin.moment(host), &store));
        Ok(())
    }

    /// A piece of the request's body is there; `buffered` counts from its start.
    pub(crate) fn request_body(
        &mut self,
        host: &dyn Host,
        plugin: &Plugin,
        buffered: usize,
        end_of_stream: bool,
    ) -> Step {
        self.seen = self.seen.max(buffered);
        if self.answered {
            return Step::Hold;
        }
        let Some(exchange) = self.exchange.as_mut().filter(|exchange| exchange.outcome().is_none()) else {
            return Step::Continue;
        };
        if buffered > exchange.body_limit() {
            exchange.too_large(&plugin.guard, as_u64(buffered), &plugin.moment(host));
            return self.settle(host, plugin);
        }
        if end_of_stream { self.judge(host, plugin) } else { Step::Hold }
    }

    /// The request ends with trailers: then no piece of the body was marked as the last one.
    pub(crate) fn request_trailers(&mut self, host: &dyn Host, plugin: &Plugin) -> Step {
        if self.answered {
            Step::Hold
        } else if self.is_decided() {
            Step::Continue
        } else {
            self.judge(host, plugin)
        }
    }

    fn judge(&mut self, host: &dyn Host, plugin: &Plugin) -> Step {
        plugin.begin(host);
        let body = match self.seen {
            0 => Ok(Vec::new()),
            seen => host.body(Side::Request, seen),
        };
        match (body, &mut self.exchange) {
            (Ok(body), Some(exchange)) if body.len() == self.seen => {
                let store = plugin.ledger.on(host);
                exchange.judge_for(&plugin.guard, &body, &plugin.moment(host), &store);
                self.settle(host, plugin)
            }
            (Err(refused), _) => self.fail(host, Some(plugin), refused),
            // A part of the body is missing: what was not seen was not judged.
            (Ok(_), _) => {
                self.fail(host, Some(plugin), Refused { call: "proxy_get_buffer_bytes", status: 0 })
            }
        }
    }

    /// The stream is over.
    pub(crate) fn end(&mut self, host: &dyn Host, plugin: &Plugin) {
        self.notice_overflow(host, plugin);
        self.notice_bypass(host, plugin);
        if !self.settled && !self.answered {
            plugin.metrics.add(host, Count::Abandoned, 1);
        }
        plugin.metrics.took(host, self.spent_ns);
        let Some(exchange) = &mut self.exchange else { return };
        if exchange.is_counted() {
            exchange.close(&plugin.guard, self.status, &plugin.moment(host), &plugin.ledger.on(host));
        }
        while let Some(event) = exchange.take_event() {
            plugin.report(host, event);
        }
    }

    /// When the stream is to be reset, in Unix time in nanoseconds, if it is still there.
    pub(crate) const fn overdue_ns(&self) -> Option<u64> {
        self.overdue_ns
    }

    /// Adds nanoseconds to the guard's own time for this stream.
    pub(crate) fn spend(&mut self, ns: u64) {
        self.spent_ns = self.spent_ns.saturating_add(ns);
    }

    /// A host that cannot hold headers back asks the upstream before there is a verdict, and an upstream may answer
    /// before it has read the body. `true` if it did.
    fn notice_bypass(&mut self, host: &dyn Host, plugin: &Plugin) -> bool {
        let Some(exchange) = self.exchange.as_ref().filter(|exchange| exchange.outcome().is_none()) else {
            return false;
        };
        let is_late = self.answered || self.bypassed;
        if is_late || text_property(host, &["response", "code_details"]) != UPSTREAM_ANSWERED {
            return false;
        }
        let event = exchange.bypassed(&plugin.guard, as_u64(self.seen), &plugin.moment(host));
        self.bypassed = true;
        plugin.metrics.add(host, Count::Bypassed, 1);
        if let Some(event) = event {
            plugin.report(host, event);
        }
        true
    }

    /// Envoy answers 413 by itself when its buffer is smaller than what the policy lets through; the guard never sees
    /// that body, but it is told.
    fn notice_overflow(&mut self, host: &dyn Host, plugin: &Plugin) {
        let Some(exchange) = self.exchange.as_mut().filter(|exchange| exchange.outcome().is_none()) else {
            return;
        };
        if self.answered || text_property(host, &["response", "code_details"]) != ENVOY_TOO_LARGE {
            return;
        }
        exchange.too_large(&plugin.guard, as_u64(self.seen), &plugin.moment(host));
        self.publish(host, plugin);
    }

    fn is_decided(&self) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.outcome().is_some())
    }

    /// Counts the outcome and reports its event, once.
    fn publish(&mut self, host: &dyn Host, plugin: &Plugin) {
        let Some(exchange) = self.exchange.as_mut().filter(|_| !self.settled) else { return };
        self.settled = true;
        if let Some(outcome) = exchange.outcome() {
            plugin.metrics.decided(host, outcome);
            show(host, plugin, exchange, outcome);
        }
        while let Some(event) = exchange.take_event() {
            plugin.report(host, event);
        }
    }

    /// Carries out a verdict.
    fn settle(&mut self, host: &dyn Host, plugin: &Plugin) -> Step {
        self.publish(host, plugin);
        let Some(reply) = self.exchange.as_ref().and_then(Exchange::outcome).and_then(|o| o.reply.as_ref())
        else {
            return self.send_on(host, plugin);
        };
        self.answered = true;
        if let Err(refused) = answer(host, reply, &security(host, plugin)) {
            plugin.metrics.add(host, Count::HostRefused, 1);
            host.log(Level::Error, &format!("the stream is reset, since {refused}"));
            reset(host);
        }
        Step::Hold
    }

    /// Lets a request go on, changed as its outcome says.
    fn send_on(&mut self, host: &dyn Host, plugin: &Plugin) -> Step {
        let outcome = self.exchange.as_ref().and_then(Exchange::outcome);
        let Some(forward) = outcome.map(|outcome| &outcome.forward) else { return Step::Continue };
        match self.change(host, plugin, forward) {
            Ok(()) => Step::Continue,
            // What must not reach the model does not go on.
            Err(refused) => self.fail(host, Some(plugin), refused),
        }
    }

    fn change(&self, host: &dyn Host, plugin: &Plugin, forward: &Forward) -> Result<(), Refused> {
        if let Some(body) = &forward.body {
            host.replace_body(Side::Request, self.seen, body)?;
            if plugin.headers == Headers::Hold {
                describe(host, Side::Request, body.len())?;
            }
        }
        if plugin.headers == Headers::Hold {
            for (name, value) in &forward.headers {
                host.add_header(Side::Request, name, value)?;
            }
        }
        Ok(())
    }

    /// Refuses a request on which no verdict is possible, since the host failed.
    pub(crate) fn fail(&mut self, host: &dyn Host, plugin: Option<&Plugin>, refused: Refused) -> Step {
        if let Some(plugin) = plugin {
            plugin.metrics.add(host, Count::HostRefused, 1);
        }
        host.log(Level::Error, &format!("a request was refused without a verdict: {refused}"));
        self.answered = true;
        let answer = Answer {
            status: 503,
            details: FAILED,
            headers: &[("content-type", "application/json"), ("x-modelgate-verdict", "block")],
            body: br#"{"error":{"message":"The request could not be inspected.","type":"server_error","param":null,"code":null}}"#,
        };
        if host.answer(answer).is_err() {
            reset(host);
        }
        Step::Hold
    }
}

/// Ends a stream that could not be answered. Where even that fails, it stays held until the host's own timeout; what
/// was not judged does not go on.
fn reset(host: &dyn Host) {
    if let Err(refused) = host.reset() {
        host.log(Level::Error, &format!("a stream is left to its timeout: {refused}"));
    }
}

/// Has headers say what the body is now.
fn describe(host: &dyn Host, side: Side, length: usize) -> Result<(), Refused> {
    host.remove_header(side, b"content-length")?;
    host.remove_header(side, b"content-encoding")?;
    host.add_header(side, "content-length", &length.to_string())
}

/// The security headers that the policy adds to every answer.
fn security(host: &dyn Host, plugin: &Plugin) -> Vec<(&'static str, String)> {
    if !plugin.guard.adds_headers() {
        return Vec::new();
    }
    plugin.guard.security_headers(text_property(host, &["request", "scheme"]) == "https")
}

fn answer(host: &dyn Host, reply: &Reply, security: &[(&'static str, String)]) -> Result<(), Refused> {
    let content_type = ("content-type", reply.content_type);
    let others = reply.headers.iter().chain(security).map(|(name, value)| (*name, value.as_str()));
    let headers: Vec<_> = [content_type].into_iter().chain(others).collect();
    host.answer(Answer {
        status: reply.status,
        details: ANSWERED,
        headers: &headers,
        body: reply.body.as_bytes(),
    })
}

/// Sets what access logs and later filters can read. The host may lack the call; nothing depends on it.
fn show(host: &dyn Host, plugin: &Plugin, exchange: &Exchange, outcome: &Outcome) {
    let _ = host.set_property(VERDICT_PROPERTY, outcome.verdict.as_str().as_bytes());
    // Of a request in which nothing was found it is seldom asked for, and costs as much as all the rest of this.
    if outcome.verdict != Verdict::Allow || plugin.guard.policy().document().report.every_client {
        let client = exchange.client();
        let key = client.key.as_ref().map(|key| key.hash.as_str());
        if let Some(client) = key.or(client.address.as_deref()) {
            let _ = host.set_property(CLIENT_PROPERTY, client.as_bytes());
        }
    }
    if let Some((_, id)) = outcome.headers.iter().find(|(name, _)| *name == "x-modelgate-event") {
        let _ = host.set_property(EVENT_PROPERTY, id.as_bytes());
    }
    if let Some(finding) = outcome.findings.first() {
        let _ = host.set_property(RULE_PROPERTY, finding.rule.as_bytes());
    }
}

/// Removes the headers that only the guard may set.
fn remove_own(host: &dyn Host, side: Side, headers: &HeaderMap) -> Result<(), Refused> {
    let mut removed: Vec<&[u8]> = Vec::new();
    for (name, _) in headers.iter().filter(|(name, _)| is_own_header(name)) {
        if !removed.contains(&name) {
            host.remove_header(side, name)?;
            removed.push(name);
        }
    }
    Ok(())
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
