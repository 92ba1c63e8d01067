//! The classes that JavaScript uses.

use core::cell::RefCell;
use std::rc::Rc;

use guard::{
    AnswerHead, AnswerOutcome, CalloutId, HeadFacts, Moment, Reporter,
    wire::{
        Category, Client, Direction, Event, EventId, EventKind, Finding, Request, Score, Severity, Surface,
        VERSION, Verdict, signature::Key,
    },
};
use wasm_bindgen::{JsError, prelude::wasm_bindgen};

use crate::{
    answer,
    courier::{Courier, Errand},
    failure::{self, Failure},
    headers,
    memory::Memory,
};

/// A guard for one policy, with its ledger and its queue of events.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Guard(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    guard: guard::Guard,
    memory: Memory,
    /// Absent without a signing key: nobody would take what is not signed.
    courier: Option<RefCell<Courier>>,
}

/// One request.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Exchange {
    shared: Rc<Shared>,
    exchange: guard::Exchange,
    /// What the opening left to do for the events; given out with the answer.
    errand: Option<Errand>,
    /// Entropy for the verdict on the body; the opening's own may already be in an event's id.
    entropy: [u8; 10],
    /// The body that goes on in place of the request's or the answer's, until it is fetched.
    body: Option<Vec<u8>>,
    /// Whether the answer was cut, so that nothing more of it goes on.
    ended: bool,
}

/// Bytes of entropy that [`Guard::open`] takes: for the opening and for the verdict.
const OPEN_ENTROPY: usize = 20;
/// Longest path in an event about the guard itself, in characters.
const MAX_PATH: usize = 256;

#[wasm_bindgen]
impl Guard {
    /// A guard for a policy in JSON. `key`: the signing key `whsec_…`; without one nothing is reported. `node`: the
    /// name of this place in events.
    ///
    /// # Errors
    /// What is wrong with the policy or the key.
    #[wasm_bindgen(constructor)]
    pub fn new(policy: &str, key: Option<String>, node: &str) -> Result<Guard, JsError> {
        Shared::new(policy, key.as_deref(), node)
            .map(|shared| Self(Rc::new(shared)))
            .map_err(|e| JsError::new(&e))
    }

    /// The path of the relay's ingest.
    #[wasm_bindgen(getter, js_name = relayPath)]
    #[must_use]
    pub fn relay_path(&self) -> String {
        self.0.guard.policy().document().relay.path.clone()
    }

    /// How long a callout may take, in milliseconds.
    #[wasm_bindgen(getter, js_name = calloutTimeout)]
    #[must_use]
    pub fn callout_timeout(&self) -> f64 {
        self.0.courier.as_ref().map_or(0.0, |courier| from_millis(courier.borrow().timeout_ms()))
    }

    /// Events waiting or under way.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.courier.as_ref().map_or(0, |courier| courier.borrow().waiting())
    }

    /// Starts an exchange. `headers`: `name LF value LF` for each; `now`: Unix time in milliseconds; `entropy`: 20
    /// random bytes.
    #[expect(clippy::too_many_arguments, reason = "one crossing of the border instead of eight")]
    #[must_use]
    pub fn open(
        &self,
        method: &str,
        path: &str,
        address: Option<String>,
        headers: &str,
        has_body: bool,
        now: f64,
        entropy: &[u8],
    ) -> Exchange {
        #[cfg(feature = "trap")]
        crate::trap::spring(path.as_bytes());
        let (first, second) = entropy.split_at_checked(OPEN_ENTROPY / 2).unwrap_or((entropy, &[]));
        let facts = HeadFacts { method, path, route: "", address: address.as_deref() };
        let head = self.0.guard.head(facts, headers::pairs(headers));
        let moment = moment(now, bytes(first));
        let mut exchange = self.0.guard.open(head, has_body, &moment, &self.0.memory);
        // Monitoring reports a caller over the limit here and what the body holds later.
        let event = exchange.take_event();
        let errand = self.0.take(event, moment.unix_ms);
        Exchange {
            shared: Rc::clone(&self.0),
            exchange,
            errand,
            entropy: bytes(second),
            body: None,
            ended: false,
        }
    }

    /// Whether answers are judged, so that the model's host must not compress them.
    #[wasm_bindgen(getter, js_name = readsAnswers)]
    #[must_use]
    pub fn reads_answers(&self) -> bool {
        self.0.guard.reads_answers()
    }

    /// The security headers of every answer that goes out under TLS or not: `[[name,value]…]`.
    #[wasm_bindgen(js_name = securityHeaders)]
    #[must_use]
    pub fn security_headers(&self, tls: bool) -> String {
        answer::headers(&self.0.guard.security_headers(tls))
    }

    /// The next step of an errand that began at `since`: `{id, headers, body}`, `{wait}` or `{}`.
    #[must_use]
    pub fn step(&self, watch: bool, since: f64, now: f64, entropy: &[u8]) -> String {
        self.0.courier.as_ref().map_or_else(
            || "{}".into(),
            |courier| {
                answer::step(&courier.borrow_mut().step(
                    watch,
                    to_millis(since),
                    &moment(now, bytes(entropy)),
                ))
            },
        )
    }

    /// How a callout ended: the relay's status, nothing without an answer.
    pub fn settle(&self, id: u32, status: Option<u16>, now: f64) {
        if let Some(courier) = &self.0.courier {
            courier.borrow_mut().settle(CalloutId(id), status, to_millis(now));
        }
    }

    /// The JSON body of the 502 for a request whose model cannot be reached.
    #[wasm_bindgen(js_name = upstreamFailure)]
    #[must_use]
    pub fn upstream_failure(&self, path: &str) -> String {
        Failure::Upstream.body(&self.0.guard, path)
    }

    /// Answers a request at which the instance before this one trapped, losing `lost` waiting events, and reports it:
    /// `{headers, reply, errand?}`.
    #[must_use]
    pub fn trapped(
        &self,
        method: &str,
        path: &str,
        address: Option<String>,
        lost: u32,
        now: f64,
        entropy: &[u8],
    ) -> String {
        let moment = moment(now, bytes(entropy));
        let event = self.0.trap_event(method, path, address, lost, &moment);
        let outcome = failure::outcome(&self.0.guard, path, self.0.courier.as_ref().map(|_| event.id));
        let courier = self.0.courier.as_ref();
        let errand = courier.and_then(|courier| {
            let mut courier = courier.borrow_mut();
            courier.lose(lost);
            courier.take_at_once(event, moment.unix_ms)
        });
        answer::outcome(&outcome, errand)
    }
}

#[wasm_bindgen]
impl Exchange {
    /// The longest body in bytes that has to be read, -1 if the outcome needs none.
    #[wasm_bindgen(getter, js_name = bodyLimit)]
    #[must_use]
    pub fn body_limit(&self) -> f64 {
        if self.exchange.outcome().is_some() {
            return -1.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a body of 2^53 bytes fits no memory")]
        let limit = self.exchange.body_limit() as f64;
        limit
    }

    /// The outcome if there is one: `{headers, reply?, errand?}`.
    #[must_use]
    pub fn answer(&mut self) -> Option<String> {
        let errand = self.errand.take();
        self.exchange.outcome().map(|outcome| answer::outcome(outcome, errand))
    }

    /// Judges the whole body.
    #[must_use]
    pub fn judge(&mut self, body: &[u8], now: f64) -> Option<String> {
        #[cfg(feature = "trap")]
        crate::trap::spring(body);
        let moment = moment(now, self.entropy);
        self.exchange.judge_for(&self.shared.guard, body, &moment, &self.shared.memory);
        self.report(moment.unix_ms);
        self.answer()
    }

    /// Decides about a body that is longer than `bodyLimit`.
    #[wasm_bindgen(js_name = tooLarge)]
    #[must_use]
    pub fn too_large(&mut self, seen: f64, now: f64) -> Option<String> {
        let moment = moment(now, self.entropy);
        self.exchange.too_large(&self.shared.guard, to_millis(seen), &moment);
        self.report(moment.unix_ms);
        self.answer()
    }

    /// The exchange is over. `status`: what the model's API answered. Afterwards `answer` may have an errand once more.
    pub fn close(&mut self, status: Option<u16>, now: f64, entropy: &[u8]) -> Option<String> {
        let moment = moment(now, bytes(entropy));
        self.exchange.close(&self.shared.guard, status, &moment, &self.shared.memory);
        self.report(moment.unix_ms);
        self.answer()
    }

    /// What is to be done with the model's answer, once its head is there (`headers` as in `open`): `{plan, limit?,
    /// changes?, reply?, errand?}`.
    #[wasm_bindgen(js_name = openAnswer)]
    #[must_use]
    pub fn open_answer(&mut self, status: u16, headers: &str, now: f64, entropy: &[u8]) -> String {
        let head = AnswerHead::new(status, headers::pairs(headers));
        let moment = moment(now, bytes(entropy));
        let plan = self.exchange.open_answer(&self.shared.guard, head, &moment);
        self.report(moment.unix_ms);
        answer::plan(&plan, self.errand.take())
    }

    /// What goes on of a stream for its next chunk; `end`: nothing follows it. Then ask for `ended` and `takeErrand`.
    #[wasm_bindgen(js_name = pushAnswer)]
    #[must_use]
    pub fn push_answer(&mut self, chunk: &[u8], end: bool, now: f64, entropy: &[u8]) -> Vec<u8> {
        let moment = moment(now, bytes(entropy));
        let passed = self.exchange.push_answer(&self.shared.guard, chunk, end, &moment);
        self.ended = passed.ended;
        self.report(moment.unix_ms);
        passed.bytes
    }

    /// Whether the last chunk was the last that goes on.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// What is to be done for the events of the last chunk, if anything is: `{watch, wait}`.
    #[wasm_bindgen(js_name = takeErrand)]
    #[must_use]
    pub fn take_errand(&mut self) -> Option<String> {
        self.errand.take().map(answer::errand)
    }

    /// Judges an answer that was held: `{headers, reply?, errand?, body?}`, with the body in `takeBody`.
    #[wasm_bindgen(js_name = judgeAnswer)]
    #[must_use]
    pub fn judge_answer(&mut self, body: &[u8], now: f64, entropy: &[u8]) -> String {
        let moment = moment(now, bytes(entropy));
        let outcome = self.exchange.judge_answer(&self.shared.guard, body, &moment);
        self.held(outcome, moment.unix_ms)
    }

    /// Decides about an answer that is longer than its plan's limit.
    #[wasm_bindgen(js_name = answerTooLarge)]
    #[must_use]
    pub fn answer_too_large(&mut self, now: f64, entropy: &[u8]) -> String {
        let moment = moment(now, bytes(entropy));
        let outcome = self.exchange.answer_too_large(&self.shared.guard, &moment);
        self.held(outcome, moment.unix_ms)
    }

    /// The body that goes on in place of the one that came.
    #[wasm_bindgen(js_name = takeBody)]
    #[must_use]
    pub fn take_body(&mut self) -> Option<Vec<u8>> {
        let forwarded = self.exchange.outcome().and_then(|outcome| outcome.forward.body.clone());
        self.body.take().or(forwarded)
    }

    fn held(&mut self, outcome: AnswerOutcome, now_ms: u64) -> String {
        self.report(now_ms);
        let told = answer::held(&outcome, self.errand.take());
        self.body = outcome.body;
        told
    }

    fn report(&mut self, now_ms: u64) {
        while let Some(event) = self.exchange.take_event() {
            let errand = self.shared.take(Some(event), now_ms);
            // One errand does for all.
            self.errand = match (self.errand.take(), errand) {
                (Some(one), Some(other)) => {
                    Some(Errand { watch: one.watch || other.watch, wait_ms: one.wait_ms.min(other.wait_ms) })
                }
                (one, other) => one.or(other),
            };
        }
    }
}

impl Shared {
    fn new(policy: &str, key: Option<&str>, node: &str) -> Result<Self, String> {
        let key =
            key.map(Key::parse).transpose().map_err(|error| format!("MODELGATE_WEBHOOK_KEY: {error}"))?;
        let guard = guard::Guard::from_json(policy.as_bytes(), key.as_ref(), Surface::Edge, node)
            .map_err(|error| format!("POLICY: {error}"))?;
        let relay = &guard.policy().document().relay;
        let courier = key.map(|key| {
            let capacity = usize::try_from(relay.queue).unwrap_or(usize::MAX);
            let reporter = Reporter::new(key, capacity);
            RefCell::new(Courier::new(reporter, relay.batch_interval_ms.into(), relay.timeout_ms.into()))
        });
        Ok(Self { guard, memory: Memory::new(), courier })
    }

    fn take(&self, event: Option<Event>, now_ms: u64) -> Option<Errand> {
        self.courier.as_ref()?.borrow_mut().take(event, now_ms)
    }

    fn trap_event(
        &self,
        method: &str,
        path: &str,
        address: Option<String>,
        lost: u32,
        moment: &Moment,
    ) -> Event {
        let finding = Finding {
            rule: "guard.edge.trap".into(),
            category: Category::Guard,
            severity: Severity::High,
            score: Score::ONE,
            summary: format!(
                "The guard trapped, refused the request and started anew; up to {lost} waiting events were lost"
            ),
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
            model: self.guard.policy().document().model.name.as_str().to_string(),
            direction: Direction::Request,
            surface: Surface::Edge,
            node: String::new(),
            route: String::new(),
            client: Client { address, ..Client::default() },
            request: Request {
                method: method.chars().take(16).collect(),
                path: path.chars().take(MAX_PATH).collect(),
                status: Some(Failure::Guard.status()),
                ..Request::default()
            },
            verdict: Verdict::Block,
            score: Score::ONE,
            severity: Severity::High,
            shadow: None,
            findings: vec![finding],
        }
    }
}

fn moment(now: f64, entropy: [u8; 10]) -> Moment {
    Moment { unix_ms: to_millis(now), entropy }
}

/// The first ten bytes, zeros where there are fewer.
fn bytes(entropy: &[u8]) -> [u8; 10] {
    let mut ten = [0; 10];
    for (to, from) in ten.iter_mut().zip(entropy) {
        *to = *from;
    }
    ten
}

/// JavaScript's number as a whole one; below 0 and NaN count as 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
const fn to_millis(number: f64) -> u64 {
    number as u64
}

#[expect(clippy::cast_precision_loss, reason = "a time span far below 2^53 ms")]
const fn from_millis(millis: u64) -> f64 {
    millis as f64
}
