//! The way back: the model's answer through the response callbacks.

use guard::{AnswerHead, AnswerOutcome, AnswerPlan, Exchange, wire::Verdict};

use super::{Step, Stream, answer, describe, remove_own, reset, security};
use crate::{
    headers::HeaderMap,
    metrics::Count,
    plugin::{Plugin, Waiting},
    port::{Host, Level, Refused, Side},
};

/// What is done with the answer.
#[derive(Debug, Default)]
pub(super) enum Answer {
    /// It passes.
    #[default]
    Passes,
    /// The host holds it until its body of at most so many bytes is judged; so many are there.
    Held { limit: usize, seen: usize },
    /// The same where the host cannot hold it: these bytes were taken out of its chunks, and go out with the last one.
    Kept { limit: usize, bytes: Vec<u8> },
    /// Its chunks are judged one by one.
    Streams,
    /// Something else was said in its place; what still comes of it goes nowhere.
    Ended,
}

/// How long the caller and the upstream of an answer that was cut have to end it by themselves; then it is reset. An upstream
/// that is through by then ends it properly, and most callers leave once they have read the ending.
pub(crate) const GRACE_NS: u64 = 2_000_000_000;

/// Why what waits for a stream's end cannot go out any more: with the trailers the host shows no body that could take it.
const TRAILERS: &str = "trailers came before the end of its text";

impl Stream {
    /// The response's headers are there, the upstream's, Envoy's own or the guard's.
    pub(crate) fn response_headers(&mut self, host: &dyn Host, plugin: &Plugin, end_of_stream: bool) -> Step {
        if self.answered {
            return Step::Continue;
        }
        plugin.begin(host);
        let headers = host.headers(Side::Response).and_then(|headers| {
            self.status =
                headers.first(b":status").and_then(|status| str::from_utf8(status).ok()?.parse().ok());
            remove_own(host, Side::Response, &headers)?;
            Ok(headers)
        });
        self.notice_overflow(host, plugin);
        if self.notice_bypass(host, plugin) {
            // What the model says to a question that nobody looked at stays here.
            return self.fail(host, Some(plugin), Refused { call: "proxy_on_request_headers", status: 0 });
        }
        match headers {
            Ok(headers) => self.open_answer(host, plugin, &headers, end_of_stream),
            Err(refused) => {
                plugin.metrics.add(host, Count::HostRefused, 1);
                host.log(Level::Warn, &format!("response headers: {refused}"));
                self.add_headers(host, plugin, None);
                Step::Continue
            }
        }
    }

    fn open_answer(&mut self, host: &dyn Host, plugin: &Plugin, headers: &HeaderMap, ends: bool) -> Step {
        let head = AnswerHead::new(self.status.unwrap_or(200), headers.iter());
        let exchange = self.exchange.as_mut().filter(|exchange| !ends && exchange.outcome().is_some());
        let plan = exchange.map_or(AnswerPlan::Pass, |exchange| {
            exchange.open_answer(&plugin.guard, head, &plugin.moment(host))
        });
        self.report_answer(host, plugin);
        match plan {
            AnswerPlan::Pass => {
                self.add_headers(host, plugin, None);
                Step::Continue
            }
            AnswerPlan::Stream { changes } => {
                self.answer = Answer::Streams;
                self.add_headers(host, plugin, None);
                if changes {
                    // A promised length that the body does not have would hang the caller.
                    tolerate(host, plugin, host.remove_header(Side::Response, b"content-length"));
                }
                Step::Continue
            }
            AnswerPlan::Whole { limit } => {
                self.answer = match plugin.answers {
                    Waiting::InHost => Answer::Held { limit, seen: 0 },
                    Waiting::InFilter => Answer::Kept { limit, bytes: Vec::new() },
                };
                if plugin.holds_answers() {
                    return Step::Hold;
                }
                self.add_headers(host, plugin, None);
                tolerate(host, plugin, host.remove_header(Side::Response, b"content-length"));
                Step::Continue
            }
            AnswerPlan::Refuse(reply) => self.refuse_answer(host, plugin, &reply),
        }
    }

    /// A piece of the response's body is there. `size`: of the piece, or of all that is held.
    pub(crate) fn response_body(
        &mut self,
        host: &dyn Host,
        plugin: &Plugin,
        size: usize,
        ends: bool,
    ) -> Step {
        match &mut self.answer {
            Answer::Passes => Step::Continue,
            Answer::Streams => self.stream_answer(host, plugin, size, ends),
            Answer::Kept { .. } => self.keep_answer(host, plugin, size, ends),
            Answer::Ended => {
                let is_over = self.is_overdue(host, plugin) && host.reset().is_ok();
                if is_over { Step::Hold } else { self.pass_on(host, plugin, size, &[]) }
            }
            Answer::Held { limit, seen } => {
                *seen = size;
                if size > *limit {
                    let outcome = self.too_large(host, plugin);
                    self.conclude_answer(host, plugin, outcome, size, ends)
                } else if ends {
                    self.judge_answer(host, plugin, size)
                } else {
                    Step::Hold
                }
            }
        }
    }

    fn too_large(&mut self, host: &dyn Host, plugin: &Plugin) -> Option<AnswerOutcome> {
        let exchange = self.exchange.as_mut()?;
        Some(exchange.answer_too_large(&plugin.guard, &plugin.moment(host)))
    }

    /// Takes a chunk out of an answer that the host cannot hold, and puts what goes on in the place of the last one.
    fn keep_answer(&mut self, host: &dyn Host, plugin: &Plugin, size: usize, ends: bool) -> Step {
        plugin.begin(host);
        let Ok(chunk) = read(host, size) else { return self.unread(host, plugin) };
        let Answer::Kept { limit, bytes } = &mut self.answer else { return Step::Continue };
        bytes.extend_from_slice(&chunk);
        let is_long = bytes.len() > *limit;
        if !is_long && !ends {
            return self.pass_on(host, plugin, size, &[]);
        }
        let bytes = core::mem::take(bytes);
        let outcome = match &mut self.exchange {
            Some(exchange) if !is_long => {
                Some(exchange.judge_answer(&plugin.guard, &bytes, &plugin.moment(host)))
            }
            _ => self.too_large(host, plugin),
        };
        self.report_answer(host, plugin);
        self.answer = Answer::Passes;
        let Some(outcome) = outcome else { return self.pass_on(host, plugin, size, &bytes) };
        if outcome.reply.is_some() && !ends {
            self.end_answer(host, plugin);
        }
        let reply = outcome.reply.as_ref().map(|reply| reply.body.as_bytes());
        self.pass_on(host, plugin, size, reply.or(outcome.body.as_deref()).unwrap_or(&bytes))
    }

    /// Something was said in the place of what is still to come of the answer.
    fn end_answer(&mut self, host: &dyn Host, plugin: &Plugin) {
        self.answer = Answer::Ended;
        self.overdue_ns = Some(plugin.begin(host).saturating_add(GRACE_NS));
    }

    fn is_overdue(&self, host: &dyn Host, plugin: &Plugin) -> bool {
        self.overdue_ns.is_some_and(|overdue| plugin.begin(host) >= overdue)
    }

    /// Puts other bytes in the place of a chunk.
    fn pass_on(&mut self, host: &dyn Host, plugin: &Plugin, size: usize, bytes: &[u8]) -> Step {
        if size == 0 && bytes.is_empty() {
            return Step::Continue;
        }
        match host.replace_body(Side::Response, size, bytes) {
            Ok(()) => Step::Continue,
            Err(refused) => self.drop_answer(host, plugin, &refused.to_string()),
        }
    }

    /// Ends an answer of which something should not be read, or was not seen.
    fn drop_answer(&mut self, host: &dyn Host, plugin: &Plugin, why: &str) -> Step {
        self.answer = Answer::Ended;
        plugin.metrics.add(host, Count::HostRefused, 1);
        host.log(Level::Error, &format!("an answer is dropped: {why}"));
        reset(host);
        Step::Hold
    }

    fn unread(&mut self, host: &dyn Host, plugin: &Plugin) -> Step {
        self.drop_answer(host, plugin, "a chunk of it could not be read")
    }

    /// The response ends with trailers: then no piece of its body was marked as the last one.
    pub(crate) fn response_trailers(&mut self, host: &dyn Host, plugin: &Plugin) -> Step {
        match core::mem::replace(&mut self.answer, Answer::Passes) {
            Answer::Passes | Answer::Ended => Step::Continue,
            Answer::Held { seen, .. } => self.judge_answer(host, plugin, seen),
            Answer::Kept { bytes, .. } if bytes.is_empty() => Step::Continue,
            Answer::Kept { .. } => self.drop_answer(host, plugin, TRAILERS),
            Answer::Streams => {
                let Some(exchange) = &mut self.exchange else { return Step::Continue };
                let passed = exchange.push_answer(&plugin.guard, &[], true, &plugin.moment(host));
                self.report_answer(host, plugin);
                if passed.bytes.is_empty() {
                    Step::Continue
                } else {
                    self.drop_answer(host, plugin, TRAILERS)
                }
            }
        }
    }

    fn judge_answer(&mut self, host: &dyn Host, plugin: &Plugin, size: usize) -> Step {
        plugin.begin(host);
        let outcome = match (read(host, size), &mut self.exchange) {
            (Ok(body), Some(exchange)) => {
                Some(exchange.judge_answer(&plugin.guard, &body, &plugin.moment(host)))
            }
            // What was not seen is not inspected, and treated so.
            (whole, _) => {
                tolerate(host, plugin, whole.map(|_| ()));
                self.too_large(host, plugin)
            }
        };
        self.conclude_answer(host, plugin, outcome, size, true)
    }

    /// Carries out what was decided about an answer that is held.
    fn conclude_answer(
        &mut self,
        host: &dyn Host,
        plugin: &Plugin,
        outcome: Option<AnswerOutcome>,
        size: usize,
        ends: bool,
    ) -> Step {
        self.answer = Answer::Passes;
        self.report_answer(host, plugin);
        let Some(outcome) = outcome else { return Step::Continue };
        if outcome.reply.is_some() && !ends {
            self.end_answer(host, plugin);
        }
        let holds = plugin.holds_answers();
        let body = match &outcome.reply {
            Some(reply) if holds => return self.refuse_answer(host, plugin, reply),
            // The status is gone, the words are not.
            Some(reply) => Some(reply.body.as_bytes()),
            None => outcome.body.as_deref(),
        };
        if holds {
            self.add_headers(host, plugin, Some(&outcome.headers));
        }
        if let Some(body) = body {
            let replaced = host
                .replace_body(Side::Response, size, body)
                .and_then(|()| if holds { describe(host, Side::Response, body.len()) } else { Ok(()) });
            if let Err(refused) = replaced {
                // What should not be read does not go on.
                return self.drop_answer(host, plugin, &refused.to_string());
            }
        }
        Step::Continue
    }

    fn refuse_answer(&mut self, host: &dyn Host, plugin: &Plugin, reply: &guard::Reply) -> Step {
        self.answered = true;
        // The reply comes by here as well.
        self.answer = Answer::Passes;
        if let Err(refused) = answer(host, reply, &security(host, plugin)) {
            plugin.metrics.add(host, Count::HostRefused, 1);
            host.log(Level::Error, &format!("the stream is reset, since {refused}"));
            reset(host);
        }
        Step::Hold
    }

    fn stream_answer(&mut self, host: &dyn Host, plugin: &Plugin, size: usize, ends: bool) -> Step {
        plugin.begin(host);
        let (Ok(chunk), Some(exchange)) = (read(host, size), &mut self.exchange) else {
            return self.unread(host, plugin);
        };
        let passed = exchange.push_answer(&plugin.guard, &chunk, ends, &plugin.moment(host));
        self.report_answer(host, plugin);
        if passed.ended && !ends {
            self.end_answer(host, plugin);
        }
        if passed.bytes == chunk { Step::Continue } else { self.pass_on(host, plugin, size, &passed.bytes) }
    }

    /// Reports what was found in the answer so far.
    fn report_answer(&mut self, host: &dyn Host, plugin: &Plugin) {
        while let Some(event) = self.exchange.as_mut().and_then(Exchange::take_event) {
            if matches!(event.verdict, Verdict::Flag | Verdict::Mask | Verdict::Block) {
                plugin.metrics.add(host, Count::Answer(event.verdict), 1);
            }
            plugin.report(host, event);
        }
    }

    /// Adds the guard's headers: those of the answer's outcome, else of the request's.
    fn add_headers(&self, host: &dyn Host, plugin: &Plugin, headers: Option<&[(&'static str, String)]>) {
        let outcome = self.exchange.as_ref().and_then(Exchange::outcome);
        let own = headers.or_else(|| outcome.map(|outcome| outcome.headers.as_slice())).unwrap_or_default();
        let security = security(host, plugin);
        for (name, _) in &security {
            tolerate(host, plugin, host.remove_header(Side::Response, name.as_bytes()));
        }
        for (name, value) in own.iter().chain(&security) {
            tolerate(host, plugin, host.add_header(Side::Response, name, value));
        }
    }
}

/// The bytes of a chunk, or of all that the host holds: all of them, or it was not seen.
fn read(host: &dyn Host, size: usize) -> Result<Vec<u8>, Refused> {
    let body = if size == 0 { Vec::new() } else { host.body(Side::Response, size)? };
    if body.len() == size { Ok(body) } else { Err(Refused { call: "proxy_get_buffer_bytes", status: 0 }) }
}

/// Takes note of a host call that failed where the answer can go on all the same.
fn tolerate(host: &dyn Host, plugin: &Plugin, result: Result<(), Refused>) {
    if let Err(refused) = result {
        plugin.metrics.add(host, Count::HostRefused, 1);
        host.log(Level::Warn, &refused.to_string());
    }
}
