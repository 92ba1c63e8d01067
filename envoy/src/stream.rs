//! One exchange on its way through the filter: which callback does what, and what the host is told in return.

use guard::{Exchange, Head, HeadFacts, Reply, is_own_header};

use crate::{
    address::without_port,
    headers::HeaderMap,
    metrics::Count,
    plugin::{Plugin, text_property},
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
/// The details of an answer by the guard.
const ANSWERED: &str = "modelgate";
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
}

impl Stream {
    /// The request's headers are there.
    pub(crate) fn request_headers(&mut self, host: &dyn Host, plugin: &Plugin, end_of_stream: bool) -> Step {
        match self.open(host, plugin, end_of_stream) {
            Ok(()) if self.is_decided() => self.settle(host, plugin),
            // A host waits for no body that will not come.
            Ok(()) if end_of_stream => Step::Continue,
            Ok(()) => Step::Hold,
            Err(refused) => self.fail(host, Some(plugin), refused),
        }
    }

    fn open(&mut self, host: &dyn Host, plugin: &Plugin, end_of_stream: bool) -> Result<(), Refused> {
        let headers = host.headers(Side::Request)?;
        remove_own(host, Side::Request, &headers)?;
        let text = |name: &[u8]| String::from_utf8_lossy(headers.first(name).unwrap_or_default());
        let (method, path) = (text(b":method"), text(b":path"));
        let route = text_property(host, &["xds", "route_name"]);
        let address = text_property(host, &["source", "address"]);
        let address = Some(without_port(&address)).filter(|address| !address.is_empty());
        let facts = HeadFacts { method: &method, path: &path, route: &route, address };
        let head = Head::new(facts, headers.iter());
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
        let body = match self.seen {
            0 => Ok(Vec::new()),
            seen => host.request_body(seen),
        };
        match (body, &mut self.exchange) {
            (Ok(body), Some(exchange)) if body.len() == self.seen => {
                exchange.judge(&plugin.guard, &body, &plugin.moment(host));
                self.settle(host, plugin)
            }
            (Err(refused), _) => self.fail(host, Some(plugin), refused),
            // A part of the body is missing: what was not seen was not judged.
            (Ok(_), _) => {
                self.fail(host, Some(plugin), Refused { call: "proxy_get_buffer_bytes", status: 0 })
            }
        }
    }

    /// The response's headers are there, the upstream's, Envoy's own or the guard's.
    pub(crate) fn response_headers(&mut self, host: &dyn Host, plugin: &Plugin) {
        if self.answered {
            return;
        }
        let headers = host.headers(Side::Response);
        if let Err(refused) = headers.and_then(|headers| remove_own(host, Side::Response, &headers)) {
            plugin.metrics.add(host, Count::HostRefused, 1);
            host.log(Level::Warn, &format!("response headers: {refused}"));
        }
        self.notice_overflow(host, plugin);
        let outcome = self.exchange.as_ref().and_then(Exchange::outcome);
        for (name, value) in outcome.into_iter().flat_map(|outcome| &outcome.headers) {
            if let Err(refused) = host.add_header(Side::Response, name, value) {
                plugin.metrics.add(host, Count::HostRefused, 1);
                host.log(Level::Warn, &format!("header {name}: {refused}"));
            }
        }
    }

    /// The stream is over.
    pub(crate) fn end(&mut self, host: &dyn Host, plugin: &Plugin) {
        self.notice_overflow(host, plugin);
        if !self.settled && !self.answered {
            plugin.metrics.add(host, Count::Abandoned, 1);
        }
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
            plugin.metrics.add(host, Count::Verdict(outcome.verdict), 1);
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
            return Step::Continue;
        };
        self.answered = true;
        if let Err(refused) = answer(host, reply) {
            plugin.metrics.add(host, Count::HostRefused, 1);
            host.log(Level::Error, &format!("the stream is reset, since {refused}"));
            reset(host);
        }
        Step::Hold
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

fn answer(host: &dyn Host, reply: &Reply) -> Result<(), Refused> {
    let content_type = ("content-type", reply.content_type);
    let others = reply.headers.iter().map(|(name, value)| (*name, value.as_str()));
    let headers: Vec<_> = [content_type].into_iter().chain(others).collect();
    host.answer(Answer {
        status: reply.status,
        details: ANSWERED,
        headers: &headers,
        body: reply.body.as_bytes(),
    })
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
mod tests {
    use super::*;
    use crate::mock::Mock;

    const POLICY: &[u8] =
        br#"{"model":{"name":"demo"},"input":{"max_size":64},"limits":{"max_requests_per_minute":3}}"#;
    const BENIGN: &[u8] = br#"{"messages":[{"role":"user","content":"hello"}]}"#;

    fn setup() -> (Mock, Plugin, Stream) {
        let mock = Mock::new();
        let plugin = Plugin::configure(&mock, POLICY).unwrap();
        request(&mock, &[]);
        (mock, plugin, Stream::default())
    }

    fn request(mock: &Mock, further: &[(&str, &[u8])]) {
        let mut headers: Vec<(&str, &[u8])> = vec![
            (":method", b"POST"),
            (":path", b"/v1/chat/completions"),
            ("content-type", b"application/json"),
        ];
        headers.extend(further);
        mock.set_headers(Side::Request, &headers);
    }

    fn body(mock: &Mock, bytes: &[u8]) -> usize {
        *mock.body.borrow_mut() = bytes.to_vec();
        bytes.len()
    }

    #[test]
    fn a_request_is_held_until_its_last_byte_and_then_goes_on() {
        let (mock, plugin, mut stream) = setup();
        assert_eq!(stream.request_headers(&mock, &plugin, false), Step::Hold);
        let length = body(&mock, BENIGN);
        for buffered in [1, 10, length] {
            assert_eq!(stream.request_body(&mock, &plugin, buffered, false), Step::Hold);
        }
        assert_eq!(stream.request_body(&mock, &plugin, length, true), Step::Continue);
        stream.response_headers(&mock, &plugin);
        assert_eq!(mock.values(Side::Response, "x-modelgate-verdict"), ["allow"]);
        stream.end(&mock, &plugin);
        assert_eq!((mock.counted("verdict.allow"), mock.counted("verdict.none")), (1, 0));
        assert!(mock.answers.borrow().is_empty());
    }

    #[test]
    fn a_request_without_a_body_goes_on_at_once() {
        let (mock, plugin, mut stream) = setup();
        mock.set_headers(Side::Request, &[(":method", b"GET"), (":path", b"/v1/models")]);
        assert_eq!(stream.request_headers(&mock, &plugin, true), Step::Continue);
        assert_eq!(mock.counted("verdict.allow"), 1);
    }

    #[test]
    fn a_refusal_is_given_once_and_its_own_way_out_adds_nothing() {
        let (mock, plugin, mut stream) = setup();
        stream.request_headers(&mock, &plugin, false);
        assert_eq!(stream.request_body(&mock, &plugin, 0, true), Step::Hold);
        stream.response_headers(&mock, &plugin);
        assert_eq!(stream.request_body(&mock, &plugin, 0, true), Step::Hold);
        assert_eq!(stream.request_trailers(&mock, &plugin), Step::Hold);
        stream.end(&mock, &plugin);
        let answers = mock.answers.borrow();
        assert_eq!((answers.len(), answers[0].status), (1, 400));
        let names: Vec<_> = answers[0].headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["content-type", "x-modelgate-verdict", "x-modelgate-event"]);
        assert!(mock.response.borrow().is_empty());
        assert_eq!((mock.counted("verdict.block"), mock.counted("events_queued")), (1, 1));
    }

    #[test]
    fn a_body_that_ends_with_trailers_is_judged_before_it_goes_on() {
        let (mock, plugin, mut stream) = setup();
        stream.request_headers(&mock, &plugin, false);
        let length = body(&mock, b"{broken");
        assert_eq!(stream.request_body(&mock, &plugin, length, false), Step::Hold);
        assert_eq!(stream.request_trailers(&mock, &plugin), Step::Hold);
        assert_eq!(mock.answers.borrow()[0].status, 400);

        let mut stream = Stream::default();
        stream.request_headers(&mock, &plugin, false);
        let length = body(&mock, BENIGN);
        assert_eq!(stream.request_body(&mock, &plugin, length, false), Step::Hold);
        assert_eq!(stream.request_trailers(&mock, &plugin), Step::Continue);
    }

    #[test]
    fn too_long_a_body_is_refused_as_soon_as_that_is_known() {
        let (mock, plugin, mut stream) = setup();
        request(&mock, &[("content-length", b"65")]);
        assert_eq!(stream.request_headers(&mock, &plugin, false), Step::Hold);
        assert_eq!(mock.answers.borrow()[0].status, 413);

        let mut stream = Stream::default();
        request(&mock, &[]);
        stream.request_headers(&mock, &plugin, false);
        assert_eq!(stream.request_body(&mock, &plugin, 64, false), Step::Hold);
        assert_eq!(mock.answers.borrow().len(), 1);
        assert_eq!(stream.request_body(&mock, &plugin, 65, false), Step::Hold);
        assert_eq!(mock.answers.borrow()[1].status, 413);
    }

    #[test]
    fn an_answer_of_413_by_the_host_itself_is_reported_once() {
        for ends_at_once in [false, true] {
            let (mock, plugin, mut stream) = setup();
            stream.request_headers(&mock, &plugin, false);
            stream.request_body(&mock, &plugin, 60, false);
            mock.set_property(&["response", "code_details"], ENVOY_TOO_LARGE);
            if !ends_at_once {
                stream.response_headers(&mock, &plugin);
                assert_eq!(mock.values(Side::Response, "x-modelgate-verdict"), ["block"]);
            }
            stream.end(&mock, &plugin);
            assert_eq!((mock.counted("verdict.block"), mock.counted("events_queued")), (1, 1));
            assert!(mock.answers.borrow().is_empty());
        }
    }

    #[test]
    fn a_caller_who_leaves_early_is_counted_but_not_reported() {
        let (mock, plugin, mut stream) = setup();
        stream.request_headers(&mock, &plugin, false);
        stream.request_body(&mock, &plugin, 10, false);
        stream.end(&mock, &plugin);
        assert_eq!((mock.counted("verdict.none"), mock.counted("events_queued")), (1, 0));
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm_in_any_header() {
        let (mock, plugin, mut stream) = setup();
        request(&mock, &[("authorization", b"Bearer \xff\xfe"), ("x-request-id", b"\x80"), ("x", b"\xff")]);
        assert_eq!(stream.request_headers(&mock, &plugin, false), Step::Hold);
        let length = body(&mock, BENIGN);
        assert_eq!(stream.request_body(&mock, &plugin, length, true), Step::Continue);
    }

    #[test]
    fn nobody_else_sets_the_guards_headers() {
        let (mock, plugin, mut stream) = setup();
        request(
            &mock,
            &[("X-Modelgate-Verdict", b"allow"), ("x-modelgate-x", b"1"), ("x-modelgate-x", b"2")],
        );
        stream.request_headers(&mock, &plugin, false);
        assert_eq!(mock.request.borrow().len(), 3);
        let length = body(&mock, BENIGN);
        stream.request_body(&mock, &plugin, length, true);
        mock.set_headers(
            Side::Response,
            &[(":status", b"200"), ("x-modelgate-verdict", b"forged"), ("a", b"b")],
        );
        stream.response_headers(&mock, &plugin);
        assert_eq!(mock.values(Side::Response, "x-modelgate-verdict"), ["allow"]);
        assert_eq!(mock.response.borrow().len(), 3);
    }

    #[test]
    fn what_the_host_does_not_show_does_not_go_on() {
        for (broken, promised) in [("headers", 4), ("body", 4), ("", 40)] {
            let (mock, plugin, mut stream) = setup();
            mock.broken.borrow_mut().push(broken);
            body(&mock, b"{}  ");
            let mut step = stream.request_headers(&mock, &plugin, false);
            if mock.answers.borrow().is_empty() {
                step = stream.request_body(&mock, &plugin, promised, true);
            }
            assert_eq!(step, Step::Hold);
            let answers = mock.answers.borrow();
            assert_eq!((answers.len(), answers[0].status), (1, 503), "{broken}");
            assert_eq!(mock.counted("host_refusals"), 1);
        }
    }

    #[test]
    fn a_stream_that_cannot_be_answered_is_reset() {
        let (mock, plugin, mut stream) = setup();
        mock.broken.borrow_mut().push("answer");
        stream.request_headers(&mock, &plugin, false);
        assert_eq!(stream.request_body(&mock, &plugin, 0, true), Step::Hold);
        assert_eq!(mock.resets.get(), 1);
    }

    #[test]
    fn a_caller_over_the_limit_is_refused_before_the_body() {
        let (mock, plugin, _) = setup();
        for _ in 0..3 {
            assert!(!Stream::default().request_headers(&mock, &plugin, false).eq(&Step::Continue));
        }
        assert!(mock.answers.borrow().is_empty());
        assert_eq!(Stream::default().request_headers(&mock, &plugin, false), Step::Hold);
        let answers = mock.answers.borrow();
        assert_eq!((answers.len(), answers[0].status), (1, 429));
        assert!(answers[0].headers.iter().any(|(name, _)| name == "retry-after"));
        assert_eq!(mock.counted("verdict.throttle"), 1);
        // Another address is another caller.
        mock.set_property(&["source", "address"], "192.0.2.8:4711");
        Stream::default().request_headers(&mock, &plugin, false);
        assert_eq!(mock.counted("verdict.throttle"), 1);
    }
}
