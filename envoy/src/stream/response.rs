//! The way back: the model's answer through the response callbacks.

use guard::{AnswerHead, AnswerOutcome, AnswerPlan, Exchange, wire::Verdict};

use super::{Step, Stream, answer, describe, remove_own, reset, security};
use crate::{
    headers::HeaderMap,
    metrics::Count,
    plugin::{Headers, Plugin},
    port::{Host, Level, Refused, Side},
};

/// What is done with the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Answer {
    /// It passes.
    #[default]
    Passes,
    /// Its headers are held until its body of at most so many bytes is judged; so many are there.
    Held { limit: usize, seen: usize },
    /// Its chunks are judged one by one.
    Streams,
}

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
                self.answer = Answer::Held { limit, seen: 0 };
                if plugin.headers == Headers::Hold {
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
        match self.answer {
            Answer::Passes => Step::Continue,
            Answer::Streams => self.stream_answer(host, plugin, size, ends),
            Answer::Held { limit, .. } => {
                self.answer = Answer::Held { limit, seen: size };
                if size > limit {
                    let outcome = self
                        .exchange
                        .as_mut()
                        .map(|exchange| exchange.answer_too_large(&plugin.guard, &plugin.moment(host)));
                    self.conclude_answer(host, plugin, outcome, size)
                } else if ends {
                    self.judge_answer(host, plugin, size)
                } else {
                    Step::Hold
                }
            }
        }
    }

    /// The response ends with trailers: then no piece of its body was marked as the last one.
    pub(crate) fn response_trailers(&mut self, host: &dyn Host, plugin: &Plugin) -> Step {
        match self.answer {
            Answer::Passes => Step::Continue,
            Answer::Held { seen, .. } => self.judge_answer(host, plugin, seen),
            Answer::Streams => {
                let Some(exchange) = &mut self.exchange else { return Step::Continue };
                let passed = exchange.push_answer(&plugin.guard, &[], true, &plugin.moment(host));
                self.answer = Answer::Passes;
                self.report_answer(host, plugin);
                if !passed.bytes.is_empty() {
                    let added = host.replace_body(Side::Response, 0, &passed.bytes);
                    tolerate(host, plugin, added);
                }
                Step::Continue
            }
        }
    }

    fn judge_answer(&mut self, host: &dyn Host, plugin: &Plugin, size: usize) -> Step {
        plugin.begin(host);
        let body = if size == 0 { Ok(Vec::new()) } else { host.body(Side::Response, size) };
        let whole = body.and_then(|body| {
            if body.len() == size {
                Ok(body)
            } else {
                Err(Refused { call: "proxy_get_buffer_bytes", status: 0 })
            }
        });
        match (whole, &mut self.exchange) {
            (Ok(body), Some(exchange)) => {
                let outcome = exchange.judge_answer(&plugin.guard, &body, &plugin.moment(host));
                self.conclude_answer(host, plugin, Some(outcome), size)
            }
            // What was not seen is not inspected, and treated so.
            (whole, exchange) => {
                tolerate(host, plugin, whole.map(|_| ()));
                let outcome = exchange
                    .as_mut()
                    .map(|exchange| exchange.answer_too_large(&plugin.guard, &plugin.moment(host)));
                self.conclude_answer(host, plugin, outcome, size)
            }
        }
    }

    /// Carries out what was decided about an answer that is held.
    fn conclude_answer(
        &mut self,
        host: &dyn Host,
        plugin: &Plugin,
        outcome: Option<AnswerOutcome>,
        size: usize,
    ) -> Step {
        self.answer = Answer::Passes;
        self.report_answer(host, plugin);
        let Some(outcome) = outcome else { return Step::Continue };
        let holds = plugin.headers == Headers::Hold;
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
                plugin.metrics.add(host, Count::HostRefused, 1);
                host.log(Level::Error, &format!("an answer could not be masked and is dropped: {refused}"));
                reset(host);
                return Step::Hold;
            }
        }
        Step::Continue
    }

    fn refuse_answer(&mut self, host: &dyn Host, plugin: &Plugin, reply: &guard::Reply) -> Step {
        self.answered = true;
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
        let chunk = if size == 0 { Ok(Vec::new()) } else { host.body(Side::Response, size) };
        let (Ok(chunk), Some(exchange)) = (chunk, &mut self.exchange) else {
            plugin.metrics.add(host, Count::HostRefused, 1);
            host.log(Level::Error, "a chunk of an answer could not be read; the stream is reset");
            reset(host);
            return Step::Hold;
        };
        let passed = exchange.push_answer(&plugin.guard, &chunk, ends, &plugin.moment(host));
        self.report_answer(host, plugin);
        if passed.bytes != chunk
            && let Err(refused) = host.replace_body(Side::Response, size, &passed.bytes)
        {
            plugin.metrics.add(host, Count::HostRefused, 1);
            host.log(Level::Error, &format!("the stream is reset, since {refused}"));
            reset(host);
            return Step::Hold;
        }
        Step::Continue
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

/// Takes note of a host call that failed where the answer can go on all the same.
fn tolerate(host: &dyn Host, plugin: &Plugin, result: Result<(), Refused>) {
    if let Err(refused) = result {
        plugin.metrics.add(host, Count::HostRefused, 1);
        host.log(Level::Warn, &refused.to_string());
    }
}
