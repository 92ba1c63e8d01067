//! One request on its way through the guard.

use alloc::{format, rc::Rc, string::String, vec::Vec};
use core::{cell::RefCell, mem};

use decode::{InflateLimits, Input, Problem, ProblemKind, Protocol};
use detect::PromptPrint;
use policy::{Action, Circumstances, ConfigError, Policy};
use wire::{Client, Event, EventKind, Score, Severity, Shadow, Surface, Verdict, signature::Key};

use crate::{
    Decisions, Head, Moment, NoStore, Store,
    answer::Answer,
    conversation::Past,
    counting::{Counted, Remote},
    decisions::Decided,
    forward::{Forward, Masks},
    head::printable,
    input,
    inspect::Inspector,
    ledger::{self, Ask},
    mask::Restored,
    reason::{self, GuardRule, Judged},
    reply::Reply,
    settle::{Ruling, refusal, verdict_header},
};

/// Everything that requests share: the policy, its detectors, the identity of this guard.
#[derive(Debug)]
pub struct Guard {
    pub(crate) policy: Policy,
    pub(crate) inspector: Inspector,
    pub(crate) surface: Surface,
    pub(crate) node: String,
    /// Makes hashes of callers useless to whoever does not know it.
    pub(crate) identity_key: [u8; 32],
    /// The same for the names of clients in the ledger. The model is in it, which keeps the clients of two guards apart that
    /// share a ledger.
    pub(crate) client_key: u128,
    pub(crate) decisions: Rc<RefCell<Decisions>>,
}

/// What the guard decided, and what the shell has to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// The combined score of the findings.
    pub score: Score,
    /// The answer to give instead of asking the model; `None`: let the request go on.
    pub reply: Option<Reply>,
    /// Headers to add to the answer to the client, whoever answers. A [`Reply`] already holds them.
    pub headers: Vec<(&'static str, String)>,
    /// The rules that led to the verdict, as they are reported.
    pub findings: Vec<wire::Finding>,
    /// What is changed in a request that goes on.
    pub forward: Forward,
}

/// One request: opened with its head, decided at once or after its body.
#[derive(Debug)]
pub struct Exchange {
    pub(crate) head: Head,
    pub(crate) client: Client,
    body_limit: usize,
    /// Whether anything follows the head.
    has_body: bool,
    /// What the ledger has to be asked before anything else.
    ask: Option<Ask>,
    /// Where the ledger is kept elsewhere: what it said of the client, and what it has to be told.
    pub(crate) remote: Option<Remote>,
    /// What the security team decided about its caller.
    pub(crate) decided: Option<Decided>,
    /// What the ledger has to know of it; `None` where clients are not counted.
    pub(crate) counted: Option<Counted>,
    /// Headers that tell the client how it stands.
    pub(crate) standing: Vec<(&'static str, String)>,
    /// What its answer has to be judged by, and where that is.
    pub(crate) asked: Asked,
    pub(crate) answer: Answer,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) events: Vec<Event>,
}

/// What of a request its answer is judged by.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) protocol: Option<Protocol>,
    /// The id of a JSON-RPC request, as it is written.
    pub(crate) rpc_id: Option<String>,
    /// Whether the answer is to be streamed.
    pub(crate) streams: bool,
    pub(crate) print: Option<PromptPrint>,
    pub(crate) restore: Vec<Restored>,
    /// Reports of the answer so far.
    pub(crate) reports: u32,
}

impl Guard {
    /// Reads a policy and builds its detectors.
    ///
    /// # Errors
    /// What is wrong with the policy, with line and column.
    pub fn from_json(
        policy: &[u8],
        key: Option<&Key>,
        surface: Surface,
        node: &str,
    ) -> Result<Self, ConfigError> {
        Self::new(Policy::from_json(policy)?, key, surface, node)
    }

    /// A guard for a checked policy. Without a `key`, hashes of callers are not secret.
    ///
    /// # Errors
    /// Names the first rule of the operator that cannot be used.
    pub fn new(policy: Policy, key: Option<&Key>, surface: Surface, node: &str) -> Result<Self, ConfigError> {
        let inspector = Inspector::new(&policy)?;
        let identity_key = key.map_or([0; 32], |key| key.derive("modelgate client identity"));
        let decisions = Decisions::new(most_decisions(&policy));
        let mut guard = Self {
            policy,
            inspector,
            surface,
            node: printable(node.as_bytes(), 128),
            identity_key,
            client_key: 0,
            decisions: Rc::new(RefCell::new(decisions)),
        };
        guard.client_key = guard.digest("client", b"");
        Ok(guard)
    }

    /// What the security team decided about callers; empty until the shell pulls it.
    #[must_use]
    pub const fn decisions(&self) -> &Rc<RefCell<Decisions>> {
        &self.decisions
    }

    /// Takes the decisions over from a guard before this one, so that none is forgotten with a new policy.
    pub fn take_over(&mut self, decisions: Rc<RefCell<Decisions>>) {
        if let Ok(mut decisions) = decisions.try_borrow_mut() {
            decisions.resize(most_decisions(&self.policy));
        }
        self.decisions = decisions;
    }

    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The detectors.
    #[must_use]
    pub const fn inspector(&self) -> &Inspector {
        &self.inspector
    }

    /// Starts an exchange once the request's headers are there. `has_body`: whether anything may follow them.
    pub fn open(&self, head: Head, has_body: bool, moment: &Moment, store: &dyn Store) -> Exchange {
        let mut exchange = self.begin(head, has_body, moment);
        exchange.count(self, moment, store);
        exchange
    }

    /// The same where the ledger may be kept elsewhere: nothing is decided before [`Exchange::count`] or
    /// [`Exchange::resume`].
    pub fn begin(&self, mut head: Head, has_body: bool, moment: &Moment) -> Exchange {
        let client = self.client(&mut head);
        let mut exchange = Exchange {
            head,
            client,
            body_limit: usize::try_from(self.policy.document().input.max_size).unwrap_or(usize::MAX),
            has_body,
            ask: None,
            remote: None,
            decided: None,
            counted: None,
            standing: Vec::new(),
            asked: Asked::default(),
            answer: Answer::None,
            outcome: None,
            events: Vec::new(),
        };
        exchange.ask = exchange.ask_for(self, moment);
        exchange
    }
}

fn most_decisions(policy: &Policy) -> usize {
    usize::try_from(policy.document().decisions.max_entries).unwrap_or(usize::MAX)
}

impl Outcome {
    fn allowed(score: Score) -> Self {
        let headers = Vec::from([verdict_header(Verdict::Allow)]);
        let forward = Forward::default();
        Self { verdict: Verdict::Allow, score, reply: None, headers, findings: Vec::new(), forward }
    }
}

impl Exchange {
    /// The outcome, once there is one. `None`: the body is needed.
    #[must_use]
    pub const fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// What a ledger that is kept elsewhere has to be asked. `None`: nothing, call [`Self::count`] with any store.
    #[must_use]
    pub const fn ask(&self) -> Option<Ask> {
        self.ask
    }

    /// Asks the ledger in this store, and decides what can be decided without a body.
    pub fn count(&mut self, guard: &Guard, moment: &Moment, store: &dyn Store) {
        let ask = self.ask.take().map(|ask| Ask { record: false, lease: 0, ..ask });
        self.proceed(guard, ask.map(|ask| ask.answer(store, moment.unix_ms)), moment);
    }

    /// Takes what a ledger said that is kept elsewhere, and decides what can be decided without a body. What the exchange
    /// adds to the ledger is then not written to a store, but given out by [`Self::take_operations`].
    pub fn resume(&mut self, guard: &Guard, mut answer: ledger::Answer, moment: &Moment) {
        let record = mem::take(&mut answer.record);
        self.remote = self.ask.take().map(|_| Remote::new(record));
        self.proceed(guard, Some(answer), moment);
    }

    fn proceed(&mut self, guard: &Guard, answer: Option<ledger::Answer>, moment: &Moment) {
        if let Some(answer) = answer {
            self.apply_answer(guard, &answer, moment);
        }
        if self.outcome.is_some() {
            return;
        }
        if self.head.opens_tunnel() {
            let message = "A WebSocket cannot be inspected and is not let through.".into();
            self.own(guard, &reason::WEBSOCKET, 0, None, message, "websocket_not_allowed", moment);
        } else if self.head.is_grpc() && guard.inspector.protocol_for(&self.head.path).is_none() {
            // On the path of a protocol that is read, whatever calls itself gRPC is a body of the wrong type.
            let message = "A gRPC stream cannot be inspected and is not let through.".into();
            self.own(guard, &reason::GRPC, 0, None, message, "grpc_not_allowed", moment);
        } else if !self.has_body {
            self.judge(guard, &[], moment);
        } else if let Some(length) = self.head.content_length
            && length > self.body_limit as u64
        {
            self.too_large(guard, length, moment);
        }
    }

    /// The longest body in bytes that the shell has to hold; with more call [`Self::too_large`].
    #[must_use]
    pub const fn body_limit(&self) -> usize {
        self.body_limit
    }

    /// The next event to report, each given out once; call until there is none.
    pub fn take_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// Decides about a body of which `seen` bytes are known to come, more than [`Self::body_limit`].
    pub fn too_large(&mut self, guard: &Guard, seen: u64, moment: &Moment) -> &Outcome {
        let message = format!("The request body is larger than {} bytes.", self.body_limit);
        self.own(guard, &reason::SIZE, seen, None, message, "request_too_large", moment)
    }

    /// [`Self::judge_for`] a client of whom nothing is remembered.
    pub fn judge(&mut self, guard: &Guard, body: &[u8], moment: &Moment) -> &Outcome {
        self.judge_for(guard, body, moment, &NoStore)
    }

    /// Decides about the whole body, as it came over the wire. Where it is compressed, the places of findings are those in
    /// the body once inflated. `store` remembers what the client said before.
    pub fn judge_for(&mut self, guard: &Guard, body: &[u8], moment: &Moment, store: &dyn Store) -> &Outcome {
        if body.len() > self.body_limit {
            return self.too_large(guard, body.len() as u64, moment);
        }
        if body.is_empty() {
            return self.judge_empty(guard, moment);
        }
        if let Some((rule, message)) = input::wrong_type(guard, &self.head) {
            let bytes = body.len() as u64;
            return self.own(guard, rule, bytes, None, message, "unsupported_content_type", moment);
        }
        let bytes = body.len() as u64;
        let encodings = self.head.content_encoding.as_deref().unwrap_or_default();
        let limits = InflateLimits { max_bytes: self.body_limit, ..InflateLimits::default() };
        let body = match decode::inflate(encodings, body, &limits) {
            Ok(inflated) if inflated.is_empty() => return self.judge_empty(guard, moment),
            Ok(inflated) => inflated,
            Err(problem) => return self.not_inflated(guard, &problem, bytes, moment),
        };
        let request = Input {
            protocol: None,
            path: &self.head.path,
            content_type: self.head.content_type.as_deref(),
            inference_header_length: self.head.inference_header_length,
            body: &body,
        };
        match guard.inspector.inspect_for(&request, self.sketch_key(guard)) {
            Ok(mut inspection) => {
                self.asked.protocol = Some(inspection.protocol);
                self.asked.rpc_id.clone_from(&inspection.rpc_id);
                self.asked.streams = inspection.streams;
                self.asked.print = inspection.print.take();
                let fields = || guard.inspector.fields.check(&body, guard.inspector.limits());
                if let Some((rule, message)) = input::too_many(guard, &inspection).or_else(fields) {
                    return self.own(guard, rule, bytes, None, message, "invalid_input", moment);
                }
                let mut masks = Masks::of(guard, &inspection.candidates, &self.circumstances(moment));
                // A binary tensor has its length written before it.
                inspection.can_mask = !masks.is_empty() && self.head.inference_header_length.is_none();
                let turns = mem::take(&mut inspection.past);
                let past = Past::of(guard, &turns, &self.circumstances(moment));
                masks.cut(&past.excised);
                self.judge_findings(guard, &inspection, &past, bytes, moment, store);
                self.forward(guard, &inspection, masks, &body);
                self.allow_if_none()
            }
            Err(problem) => {
                let (rule, code) = rule_of(&problem.kind);
                let message = format!("The request body cannot be accepted: {problem}.");
                self.own(guard, rule, bytes, Some(problem.at), message, code, moment)
            }
        }
    }

    /// Decides about a body whose content encoding could not be undone.
    fn not_inflated(&mut self, guard: &Guard, problem: &Problem, bytes: u64, moment: &Moment) -> &Outcome {
        if problem.kind == ProblemKind::TooLarge {
            let message = format!("The request body inflates to more than {} bytes.", self.body_limit);
            return self.own(guard, &reason::SIZE, bytes, None, message, "request_too_large", moment);
        }
        let message = format!(
            "The request body's content-encoding cannot be inspected ({}); send it without one.",
            problem.detail
        );
        let code = "unsupported_content_encoding";
        self.own(guard, &reason::CONTENT_ENCODING, bytes, None, message, code, moment)
    }

    /// No body: wrong where a model's input belongs, ordinary anywhere else.
    fn judge_empty(&mut self, guard: &Guard, moment: &Moment) -> &Outcome {
        let expects_input = guard.inspector.protocol_for(&self.head.path).is_some();
        if expects_input && matches!(self.head.method.as_str(), "POST" | "PUT" | "PATCH") {
            let message = "The request body is empty.".into();
            return self.own(guard, &reason::EMPTY, 0, None, message, "empty_input", moment);
        }
        self.allow(Score::ZERO)
    }

    /// The outcome that there is.
    fn allow_if_none(&mut self) -> &Outcome {
        let none = || Outcome::allowed(Score::ZERO);
        self.outcome.get_or_insert_with(none)
    }

    fn allow(&mut self, score: Score) -> &Outcome {
        let mut outcome = Outcome::allowed(score);
        outcome.headers.extend(self.standing.iter().cloned());
        self.outcome.insert(outcome)
    }

    fn judge_findings(
        &mut self,
        guard: &Guard,
        inspection: &crate::Inspection,
        past: &Past<'_>,
        bytes: u64,
        moment: &Moment,
        store: &dyn Store,
    ) -> &Outcome {
        let policy = &guard.policy;
        let unscannable = &policy.document().unscannable;
        let findings = inspection.findings.iter().chain(past.others.iter().copied());
        let own = findings.clone().filter_map(|reason| reason.own_action(unscannable)).max();
        let judged = findings.clone().filter_map(Judged::reason);
        let judgement = policy.judge(judged.clone(), &self.circumstances(moment));
        let score = Score::from_thousandths(judgement.score);
        let found = match judgement.action.max(own.unwrap_or(Action::Allow)) {
            // What cannot be masked does not go on as it is.
            Action::Mask if !inspection.can_mask => Action::Block,
            found => found,
        };
        let remembered = self.remember(guard, inspection, past, found, judgement.score, moment, store);
        if let Some(retry_ms) = remembered.too_many_tokens {
            self.throttle_tokens(guard, retry_ms, moment);
        }
        if let Some(ref outcome) = self.outcome {
            return outcome;
        }
        let here = self.circumstances(moment);
        let is_news = !past.offences.is_empty() && !remembered.past_told;
        let action = found.max(remembered.action).max(past.action(is_news));
        let shadow = policy.judge_in_shadow(judged, &here).map(|shadow| {
            let action = shadow.action.max(own.unwrap_or(Action::Allow));
            (action, Shadow { verdict: verdict_of(action), score: Score::from_thousandths(shadow.score) })
        });
        let differs = shadow.is_some_and(|(other, _)| other != found);
        if action == Action::Allow && !differs {
            return self.allow(score);
        }
        // A finding that no judgement counts is none. Where the shadow differs, what it counts is told, too.
        let counts = |finding: &&Judged| {
            differs || finding.reason().is_none_or(|reason| policy.counts(&reason, &here))
        };
        let reasons: Vec<Judged> = findings
            .chain(past.offences.iter().copied().filter(|_| is_news))
            .filter(counts)
            .chain(&remembered.reasons)
            .cloned()
            .collect();
        let limited = found < Action::Block && remembered.limit.is_some();
        let ruling = Ruling {
            action,
            verdict: if limited { Verdict::Throttle } else { Verdict::Block },
            score,
            // What only the shadow minds alarms nobody.
            severity: if action == Action::Allow {
                Severity::Low
            } else {
                reasons.iter().map(Judged::severity).max().unwrap_or(Severity::Low)
            },
            shadow: shadow.map(|(_, shadow)| shadow),
            kind: if limited { EventKind::RateLimit } else { EventKind::Detection },
            protocol: Some(inspection.protocol),
            parts: inspection.parts,
            bytes,
            reasons: &reasons,
            refusal: remembered.limit.filter(|_| limited).unwrap_or_else(|| refusal(&reasons)),
            rpc_id: inspection.rpc_id.as_deref(),
            extra: remembered.extra,
            report: found > Action::Allow || differs || is_news || remembered.report,
        };
        self.settle(guard, ruling, moment)
    }

    /// What exceptions may depend on.
    pub(crate) fn circumstances(&self, moment: &Moment) -> Circumstances<'_> {
        Circumstances {
            now_ms: moment.unix_ms,
            path: &self.head.path,
            route: &self.head.route,
            address: self.client.address.as_deref(),
            key_hash: self.client.key.as_ref().map(|key| key.hash.as_str()),
        }
    }

    /// Settles a matter of form, by one of the guard's own rules.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a fact of the one refusal, and all callers are here"
    )]
    fn own(
        &mut self,
        guard: &Guard,
        rule: &'static GuardRule,
        bytes: u64,
        at: Option<usize>,
        message: String,
        code: &'static str,
        moment: &Moment,
    ) -> &Outcome {
        let action = match rule.action(&guard.policy.document().unscannable) {
            Action::Mask => Action::Block,
            action => action,
        };
        let reasons = [Judged::own(rule, String::new(), at.map(|at| at..at))];
        if action == Action::Allow {
            // Nobody is told, but it can be counted.
            return self.outcome.insert(Outcome {
                verdict: Verdict::Allow,
                score: Score::ZERO,
                reply: None,
                headers: Vec::from([verdict_header(Verdict::Allow)]),
                findings: reason::report(&reasons),
                forward: Forward::default(),
            });
        }
        let ruling = Ruling { action, bytes, ..Ruling::own(guard, self, rule, &reasons, code, message) };
        self.settle(guard, ruling, moment)
    }
}

/// The guard's rule for a body that could not be read, and the code its caller sees.
fn rule_of(kind: &ProblemKind) -> (&'static GuardRule, &'static str) {
    match kind {
        ProblemKind::Empty => (&reason::EMPTY, "empty_input"),
        ProblemKind::Null => (&reason::NULL, "null_input"),
        ProblemKind::TooLarge => (&reason::SIZE, "request_too_large"),
        ProblemKind::Encoding | ProblemKind::Surrogate => (&reason::CHARSET, "invalid_encoding"),
        ProblemKind::Syntax | ProblemKind::TrailingData => (&reason::SYNTAX, "invalid_json"),
        ProblemKind::DuplicateKey => (&reason::DUPLICATE_KEY, "duplicate_key"),
        ProblemKind::TooDeep | ProblemKind::TooMany => (&reason::TOO_COMPLEX, "too_complex"),
        ProblemKind::NumberRange => (&reason::NUMBER, "invalid_number"),
        ProblemKind::Shape => (&reason::SHAPE, "invalid_shape"),
        ProblemKind::Compression => (&reason::CONTENT_ENCODING, "unsupported_content_encoding"),
        ProblemKind::UnsupportedType => (&reason::CONTENT_TYPE, "unsupported_content_type"),
        ProblemKind::Form => (&reason::FORM, "invalid_form"),
    }
}

const fn verdict_of(action: Action) -> Verdict {
    match action {
        Action::Allow => Verdict::Allow,
        Action::Flag => Verdict::Flag,
        Action::Mask => Verdict::Mask,
        Action::Block => Verdict::Block,
    }
}
