//! Answers on their way back: what the model's server sends is judged before the caller gets it.
//!
//! Streams are judged in windows of each of their texts, so that it makes no difference how text is split over events and
//! events over chunks. What is found is told; by policy it is masked in place – in the events' own JSON, every other byte
//! as it was – or the stream is cut, with an ending in the words of its protocol. Where anything may be changed, the end of
//! a text is held back for a window at the most; whole events alone are given out. Answers that come whole are judged
//! whole.

mod ending;
mod head;
mod lane;
mod raw;
mod ruling;
mod stream;
mod whole;

use alloc::{
    boxed::Box,
    string::{String, ToString},
    vec::Vec,
};

use decode::{Limits, Protocol};
use policy::{Action, Mode};
use wire::{Direction, EventId, EventKind, Score, Severity, Verdict};

pub use head::AnswerHead;

use crate::{
    Exchange, Guard, Moment, Reply,
    reason::{self, GuardRule, Judged},
    reply::{self, Refusal},
    settle::{Ruling, verdict_header},
};
use head::Form;
use ruling::{Context, Rulings};
use stream::Streamed;

/// Reports of one answer at the most; what is found later is judged all the same.
const MAX_EVENTS: u32 = 8;

/// What a shell does with an answer, told by its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerPlan {
    /// Hand it on.
    Pass,
    /// Hold head and body, at most so many bytes of it, and call [`Exchange::judge_answer`]; with more bytes,
    /// [`Exchange::answer_too_large`].
    Whole {
        /// The longest body in bytes.
        limit: usize,
    },
    /// Hand on the head and what [`Exchange::push_answer`] gives for each chunk.
    Stream {
        /// Whether the length may change, so that no `content-length` may be promised.
        changes: bool,
    },
    /// Answer this in its place.
    Refuse(Reply),
}

/// What goes on of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// The bytes: whole events, perhaps none.
    pub bytes: Vec<u8>,
    /// Nothing more will come, whatever the model's server sends.
    pub ended: bool,
}

/// What to do with an answer that was held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerOutcome {
    /// The verdict on request and answer, whichever is worse.
    pub verdict: Verdict,
    /// The answer to give in its place.
    pub reply: Option<Reply>,
    /// The body to send instead: not compressed, so that `content-encoding` has to go. `None`: as it came.
    pub body: Option<Vec<u8>>,
    /// Headers to add, in place of those of the request's [`crate::Outcome`]. A [`Reply`] already holds them.
    pub headers: Vec<(&'static str, String)>,
}

/// What an answer cost, as the model's server counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read.
    pub input: Option<u64>,
    /// Tokens written.
    pub output: Option<u64>,
}

/// Where an answer is.
#[derive(Debug, Default)]
pub(crate) enum Answer {
    /// Not looked at.
    #[default]
    None,
    /// It comes in, to be judged whole.
    Whole(AnswerHead),
    /// It is judged while it comes in.
    Streamed(Box<Streamed>),
    /// It was judged.
    Done(Usage),
}

impl Guard {
    /// What answers may be.
    pub(crate) fn answer_limits(&self) -> Limits {
        let longest = self.policy.document().response.max_size;
        Limits { max_bytes: usize::try_from(longest).unwrap_or(usize::MAX), ..*self.inspector().limits() }
    }

    /// Whether answers are looked at, so that the model's server must not compress them.
    #[must_use]
    pub fn reads_answers(&self) -> bool {
        self.policy.document().response.scan
    }

    /// Whether there are any [`Self::security_headers`].
    #[must_use]
    pub fn adds_headers(&self) -> bool {
        self.policy.document().headers != policy::Headers::default()
    }

    /// The security headers that the policy adds to every answer, the guard's own among them.
    #[must_use]
    pub fn security_headers(&self, tls: bool) -> Vec<(&'static str, String)> {
        self.policy.document().headers.lines(tls)
    }
}

impl Exchange {
    /// Decides what is done with an answer, once its head is there. The guard's own answers are none of these.
    pub fn open_answer(&mut self, guard: &Guard, head: AnswerHead, moment: &Moment) -> AnswerPlan {
        let document = guard.policy.document();
        let response = &document.response;
        let is_ours = self.outcome.as_ref().is_some_and(|outcome| outcome.reply.is_some());
        if !response.scan || is_ours || !head.has_body(&self.head.method) || self.head.opens_tunnel() {
            return AnswerPlan::Pass;
        }
        self.asked.protocol = self.asked.protocol.or_else(|| guard.inspector().protocol_for(&self.head.path));
        let limits = guard.answer_limits();
        match head.form(self.asked.protocol, self.asked.streams) {
            Form::None => AnswerPlan::Pass,
            Form::Unknown => self.not_inspected(guard, &reason::ANSWER_TYPE, moment),
            Form::Stream(_) if head.is_encoded() => {
                self.not_inspected(guard, &reason::ANSWER_ENCODING, moment)
            }
            Form::Whole if head.content_length.is_some_and(|length| length > limits.max_bytes as u64) => {
                self.not_inspected(guard, &reason::ANSWER_SIZE, moment)
            }
            Form::Whole => {
                self.answer = Answer::Whole(head);
                AnswerPlan::Whole { limit: limits.max_bytes }
            }
            Form::Stream(protocol) => {
                let changes = document.mode == Mode::Enforce
                    && (response.may_change()
                        || response.unscannable >= Action::Mask
                        || !self.asked.restore.is_empty());
                let window = usize::try_from(response.window).unwrap_or(usize::MAX);
                self.answer = Answer::Streamed(Box::new(Streamed::new(protocol, &limits, window, changes)));
                AnswerPlan::Stream { changes }
            }
        }
    }

    /// Takes a chunk of a stream; `end`: nothing follows it.
    pub fn push_answer(&mut self, guard: &Guard, chunk: &[u8], end: bool, moment: &Moment) -> Passed {
        let Answer::Streamed(mut streamed) = core::mem::take(&mut self.answer) else {
            return Passed { bytes: chunk.to_vec(), ended: end };
        };
        let mut bytes = Vec::with_capacity(chunk.len());
        streamed.push(&self.context(guard, moment), chunk, end, moment.unix_ms, &mut bytes);
        let (seen, parts) = streamed.seen();
        let rulings = &mut streamed.rulings;
        if !rulings.fresh.is_empty() {
            let protocol = Some(streamed.protocol());
            let fresh = core::mem::take(&mut streamed.rulings.fresh);
            let action = core::mem::replace(&mut streamed.rulings.action, Action::Allow);
            self.report_answer(
                guard,
                &Found { reasons: &fresh, action, protocol, parts, bytes: seen },
                None,
                moment,
            );
        }
        let ended = end || streamed.is_ended();
        let usage = streamed.usage();
        self.answer = Answer::Streamed(streamed);
        self.spend(usage);
        Passed { bytes, ended }
    }

    /// Judges an answer that was held, as it came over the wire.
    pub fn judge_answer(&mut self, guard: &Guard, body: &[u8], moment: &Moment) -> AnswerOutcome {
        let Answer::Whole(head) = core::mem::take(&mut self.answer) else {
            return self.answered(Action::Allow, None, None);
        };
        let mut rulings = Rulings::default();
        let context = self.context(guard, moment);
        let judged = whole::judge(&context, &head, body, &mut rulings);
        let enforces = context.enforces;
        self.answer = Answer::Done(judged.usage);
        self.spend(judged.usage);
        if rulings.fresh.is_empty() {
            let body = judged.body.filter(|_| enforces);
            return self.answered(Action::Allow, None, body);
        }
        let found = Found {
            reasons: &rulings.fresh,
            action: rulings.action,
            protocol: judged.protocol,
            parts: judged.parts,
            bytes: body.len() as u64,
        };
        self.conclude(guard, &found, judged.body, moment)
    }

    /// Decides about an answer that is longer than [`AnswerPlan::Whole`] said.
    pub fn answer_too_large(&mut self, guard: &Guard, moment: &Moment) -> AnswerOutcome {
        self.answer = Answer::None;
        let reasons = [Judged::own(&reason::ANSWER_SIZE, String::new(), None)];
        self.conclude_own(guard, &reasons, moment)
    }

    /// What the answer cost so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        match &self.answer {
            Answer::Streamed(streamed) => streamed.usage(),
            Answer::Done(usage) => *usage,
            Answer::None | Answer::Whole(_) => Usage::default(),
        }
    }

    /// Tells the ledger what the answer cost so far.
    fn spend(&mut self, usage: Usage) {
        let Usage { input, output } = usage;
        if input.is_some() || output.is_some() {
            self.used(input.unwrap_or(0).saturating_add(output.unwrap_or(0)));
        }
    }

    fn context<'a>(&'a self, guard: &'a Guard, moment: &Moment) -> Context<'a> {
        Context {
            guard,
            here: self.circumstances(moment),
            asked: &self.asked,
            enforces: guard.policy.document().mode == Mode::Enforce,
        }
    }

    /// What happens to an answer that cannot be looked at, told by its head.
    fn not_inspected(&mut self, guard: &Guard, rule: &'static GuardRule, moment: &Moment) -> AnswerPlan {
        let reasons = [Judged::own(rule, String::new(), None)];
        let outcome = self.conclude_own(guard, &reasons, moment);
        outcome.reply.map_or(AnswerPlan::Pass, AnswerPlan::Refuse)
    }

    fn conclude_own(&mut self, guard: &Guard, reasons: &[Judged], moment: &Moment) -> AnswerOutcome {
        let action = match guard.policy.document().response.unscannable {
            Action::Allow => return self.answered(Action::Allow, None, None),
            Action::Flag => Action::Flag,
            Action::Mask | Action::Block => Action::Block,
        };
        let protocol = self.asked.protocol;
        self.conclude(guard, &Found { reasons, action, protocol, parts: 0, bytes: 0 }, None, moment)
    }

    /// Carries out what was found in an answer that is held.
    fn conclude(
        &mut self,
        guard: &Guard,
        found: &Found<'_>,
        body: Option<Vec<u8>>,
        moment: &Moment,
    ) -> AnswerOutcome {
        let enforces = guard.policy.document().mode == Mode::Enforce;
        let done = if enforces { found.action } else { found.action.min(Action::Flag) };
        let refused = (done == Action::Block).then(|| {
            let refusal = ending::refusal();
            let protocol = self.asked.protocol.or(found.protocol);
            let rpc_id = self.asked.rpc_id.as_deref();
            let status =
                if protocol == Some(Protocol::Mcp) && rpc_id.is_some() { 200 } else { refusal.status };
            (status, reply::body(protocol, &refusal, rpc_id), reply::error_type(protocol, status))
        });
        let id = self.report_answer(guard, found, refused.as_ref().map(|(status, ..)| *status), moment);
        let mut outcome = self.answered(done, id, body.filter(|_| enforces));
        if let Some((status, body, error_type)) = refused {
            let headers = outcome.headers.iter().cloned().chain(error_type).collect();
            outcome.body = None;
            outcome.reply = Some(Reply { status, content_type: "application/json", body, headers });
        }
        outcome
    }

    /// The outcome of request and answer together.
    fn answered(&self, done: Action, event: Option<EventId>, body: Option<Vec<u8>>) -> AnswerOutcome {
        let verdict = match done {
            Action::Allow => Verdict::Allow,
            Action::Flag => Verdict::Flag,
            Action::Mask => Verdict::Mask,
            Action::Block => Verdict::Block,
        };
        let before = self.outcome.as_ref();
        let verdict = before.map_or(verdict, |outcome| outcome.verdict.max(verdict));
        let others = before.into_iter().flat_map(|outcome| &outcome.headers);
        let mut headers = Vec::from([verdict_header(verdict)]);
        headers.extend(others.filter(|(name, _)| *name != "x-modelgate-verdict").cloned());
        headers.extend(event.map(|id| ("x-modelgate-event", id.to_string())));
        AnswerOutcome { verdict, reply: None, body, headers }
    }

    /// Tells what was found in an answer.
    fn report_answer(
        &mut self,
        guard: &Guard,
        found: &Found<'_>,
        status: Option<u16>,
        moment: &Moment,
    ) -> Option<EventId> {
        if self.asked.reports >= MAX_EVENTS {
            return None;
        }
        self.asked.reports += 1;
        let enforces = guard.policy.document().mode == Mode::Enforce;
        let verdict = match found.action {
            Action::Allow => return None,
            Action::Mask if enforces => Verdict::Mask,
            Action::Block if enforces => Verdict::Block,
            _ => Verdict::Flag,
        };
        let ruling = Ruling {
            action: found.action,
            verdict,
            score: found.reasons.iter().map(Judged::score).max().unwrap_or(Score::ZERO),
            severity: found.reasons.iter().map(Judged::severity).max().unwrap_or(Severity::Low),
            shadow: None,
            kind: EventKind::Detection,
            protocol: found.protocol.or(self.asked.protocol),
            parts: u32::try_from(found.parts).unwrap_or(u32::MAX),
            bytes: found.bytes,
            reasons: found.reasons,
            refusal: Refusal { status: 0, code: "", message: String::new() },
            rpc_id: None,
            extra: Vec::new(),
            report: true,
        };
        let id = EventId::new(moment.unix_ms, moment.entropy);
        let findings = reason::report(found.reasons);
        let mut event = self.write_event(guard, &ruling, id, moment, verdict, status, findings);
        event.direction = Direction::Response;
        self.events.push(event);
        Some(id)
    }
}

/// What was found in an answer.
struct Found<'a> {
    reasons: &'a [Judged],
    action: Action,
    protocol: Option<Protocol>,
    parts: usize,
    bytes: u64,
}
