//! The classes that JavaScript uses.

use core::cell::RefCell;
use std::rc::Rc;

use guard::{
    AnswerHead, AnswerOutcome, CalloutId, Decisions, HeadFacts, Moment, Reporter,
    wire::{Event, Request, Severity, Surface, signature::Key},
};
use wasm_bindgen::{JsError, prelude::wasm_bindgen};

use crate::{
    answer::{self, Todo},
    courier::Courier,
    failure::{self, Failure},
    headers,
    leases::Leases,
    memory::Memory,
    objects,
};

/// A guard for one policy, with its ledger and its queue of events.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Guard(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    guard: guard::Guard,
    memory: Memory,
    leases: RefCell<Leases>,
    key: Option<Key>,
    /// Whether events that must not be lost are given to an outbox.
    outbox: bool,
    /// Absent without a signing key: nobody would take what is not signed.
    courier: Option<RefCell<Courier>>,
}

/// One request.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Exchange {
    shared: Rc<Shared>,
    exchange: guard::Exchange,
    /// The caller as the ledger knows them; 0 where it is not asked.
    client: u64,
    /// What is left to do for the events; given out with the answer.
    todo: Todo,
    /// Entropy for what the head alone decides.
    opening: [u8; 10],
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
    /// name of this place in events. `outbox`: whether events that must not be lost are given out as `urgent`.
    ///
    /// # Errors
    /// What is wrong with the policy or the key.
    #[wasm_bindgen(constructor)]
    pub fn new(policy: &str, key: Option<String>, node: &str, outbox: bool) -> Result<Guard, JsError> {
        Shared::new(policy, key.as_deref(), node, outbox)
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

    /// Starts an exchange; `ask` and what follows it comes next. `headers`: `name LF value LF` for each; `route`: the name
    /// of the route; `user`: whom a verified token names; `now`: Unix time in milliseconds; `entropy`: 20 random bytes.
    #[expect(clippy::too_many_arguments, reason = "one crossing of the border instead of ten")]
    #[must_use]
    pub fn open(
        &self,
        method: &str,
        path: &str,
        route: &str,
        address: Option<String>,
        user: Option<String>,
        headers: &str,
        has_body: bool,
        now: f64,
        entropy: &[u8],
    ) -> Exchange {
        #[cfg(feature = "trap")]
        crate::trap::spring(path.as_bytes());
        let (first, second) = entropy.split_at_checked(OPEN_ENTROPY / 2).unwrap_or((entropy, &[]));
        let facts = HeadFacts { method, path, route, address: address.as_deref() };
        let head = self.0.guard.head(facts, headers::pairs(headers)).with_user(user.as_deref());
        let exchange = self.0.guard.begin(head, has_body, &moment(now, bytes(first)));
        Exchange {
            shared: Rc::clone(&self.0),
            client: exchange.ask().map_or(0, |ask| ask.fingerprint()),
            exchange,
            todo: Todo::default(),
            opening: bytes(first),
            entropy: bytes(second),
            body: None,
            ended: false,
        }
    }

    /// The claim of a verified token that names the user, if the policy wants one.
    #[wasm_bindgen(getter, js_name = jwtClaim)]
    #[must_use]
    pub fn jwt_claim(&self) -> Option<String> {
        self.0.guard.policy().document().identity.jwt_claim.clone()
    }

    /// Whether the policy wants the decisions of the security team.
    #[wasm_bindgen(getter, js_name = wantsDecisions)]
    #[must_use]
    pub fn wants_decisions(&self) -> bool {
        self.0.key.is_some() && self.0.guard.policy().document().decisions.enabled
    }

    /// Takes a page of decisions over, which an object pulled at `at`; `first`: it begins anew; `lines`: its body taken apart.
    /// Says what was wrong with it, if anything was.
    #[expect(clippy::too_many_arguments, reason = "one crossing of the border")]
    #[must_use]
    pub fn decide(
        &self,
        first: bool,
        id: &str,
        timestamp: &str,
        signature: &str,
        body: &[u8],
        lines: &str,
        at: f64,
    ) -> Option<String> {
        let decisions = self.0.guard.decisions();
        if first {
            let most = self.0.guard.policy().document().decisions.max_entries;
            *decisions.try_borrow_mut().ok()? = Decisions::new(usize::try_from(most).unwrap_or(usize::MAX));
        }
        objects::apply(decisions, self.0.key.as_ref()?, [id, timestamp, signature], body, lines, at)
    }

    /// What a client's lease has left, once it is over, in the bytes that the ledger takes.
    #[wasm_bindgen(js_name = endLease)]
    #[must_use]
    pub fn end_lease(&self, client: u64, now: f64) -> Option<Vec<u8>> {
        let left = self.0.leases.borrow_mut().end(client, to_millis(now))?;
        Some(guard::give_back(client, left))
    }

    /// Counts events that were lost on their way, so that the next batch tells of them.
    pub fn lose(&self, events: u32) {
        if let Some(courier) = &self.0.courier {
            courier.borrow_mut().lose(events);
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
        answer::outcome(&outcome, self.0.tell_of_failure(event, lost, &moment))
    }

    /// Tells the relay that the ledger did not answer `requests` requests, which were counted in this isolate alone: what is
    /// to be done for the event, `{errand?, urgent?}`.
    #[wasm_bindgen(js_name = ledgerFailed)]
    #[must_use]
    pub fn ledger_failed(&self, requests: u32, refused: bool, now: f64, entropy: &[u8]) -> String {
        let moment = moment(now, bytes(entropy));
        let what = if refused { "refused" } else { "counted in one isolate alone" };
        let summary = format!("The ledger did not answer in time; {requests} requests were {what}");
        let event = self.0.guard.about_itself("guard.edge.ledger", Severity::High, summary, &moment);
        answer::todo(self.0.tell_of_failure(event, 0, &moment))
    }

    /// The refusal of a request that could not be counted, where that is wanted: `{headers, reply}`.
    #[must_use]
    pub fn uncounted(&self, path: &str) -> String {
        answer::outcome(&failure::outcome(&self.0.guard, path, None), Todo::default())
    }
}

#[wasm_bindgen]
impl Exchange {
    /// What the ledger has to be asked; nothing: call `count`.
    #[must_use]
    pub fn ask(&self) -> Option<Vec<u8>> {
        self.exchange.ask().map(|ask| ask.to_bytes())
    }

    /// The caller as the ledger knows them, for `endLease`.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn client(&self) -> u64 {
        self.client
    }

    /// In which of so many shards the caller is counted.
    #[must_use]
    pub fn shard(&self, shards: u32) -> u32 {
        // The lowest bits choose the slot.
        u32::try_from((self.client >> 32) % u64::from(shards.max(1))).unwrap_or(0)
    }

    /// Goes on with a request that was granted before. `false`: there is none, ask.
    pub fn lease(&mut self, now: f64) -> bool {
        let takes_one = self.exchange.ask().is_some_and(|ask| ask.takes_lease());
        let taken =
            if takes_one { self.shared.leases.borrow_mut().take(self.client, to_millis(now)) } else { None };
        taken.map(|answer| self.go_on(answer, now)).is_some()
    }

    /// Counts the request in the memory of this isolate, if it is to be counted at all.
    pub fn count(&mut self, now: f64) {
        let moment = moment(now, self.opening);
        self.exchange.count(&self.shared.guard, &moment, &self.shared.memory);
        self.begun(moment.unix_ms);
    }

    /// Monitoring reports a caller over the limit here and what the body holds later. And events may be waiting that nobody
    /// looks after.
    fn begun(&mut self, now_ms: u64) {
        self.report(now_ms);
        let waiting = self.shared.take(None, now_ms);
        self.todo.join(waiting);
    }

    /// Goes on with the ledger's answer: 0 if that is none, 2 if it granted further requests, which end later
    /// (`Guard::endLease`), else 1.
    pub fn resume(&mut self, answer: &[u8], now: f64) -> u8 {
        let Some(answer) = guard::Answer::read(answer) else { return 0 };
        let leased = answer.leased() > 0;
        let kept = leased.then(|| answer.clone());
        self.go_on(answer, now);
        if let Some(answer) = kept {
            let record = self.exchange.record();
            self.shared.leases.borrow_mut().put(self.client, &answer, record, to_millis(now));
        }
        1 + u8::from(leased)
    }

    /// Goes on with the word of somebody who only tells that a client's requests are too many, over `period` milliseconds.
    pub fn refuse(&mut self, period: f64, now: f64) {
        self.go_on(guard::Answer::refusal(to_millis(period)), now);
    }

    fn go_on(&mut self, answer: guard::Answer, now: f64) {
        let moment = moment(now, self.opening);
        self.exchange.resume(&self.shared.guard, answer, &moment);
        self.begun(moment.unix_ms);
    }

    /// What the ledger has to be told of what was judged; empty where nothing is.
    #[wasm_bindgen(js_name = takeOperations)]
    #[must_use]
    pub fn take_operations(&mut self) -> Vec<u8> {
        let operations = self.exchange.take_operations();
        if !operations.is_empty() {
            self.shared.leases.borrow_mut().note(self.client, self.exchange.record());
        }
        operations
    }

    /// The same of a failed attempt, after `close`; the reply to it goes to `told`.
    #[wasm_bindgen(js_name = takeFailure)]
    #[must_use]
    pub fn take_failure(&mut self) -> Vec<u8> {
        self.exchange.take_failure()
    }

    /// What the ledger said to `takeFailure`: what is to be done then, `{errand?, urgent?}`, if anything is.
    #[must_use]
    pub fn told(&mut self, reply: &[u8], now: f64, entropy: &[u8]) -> Option<String> {
        let moment = moment(now, bytes(entropy));
        self.exchange.told(&self.shared.guard, reply, &moment);
        self.report(moment.unix_ms);
        self.take_errand()
    }

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
        let outcome = self.exchange.outcome()?;
        Some(answer::outcome(outcome, std::mem::take(&mut self.todo)))
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

    /// The exchange is over. `status`: what the model's API answered. Afterwards ask for `takeErrand` once more.
    pub fn close(&mut self, status: Option<u16>, now: f64, entropy: &[u8]) {
        let moment = moment(now, bytes(entropy));
        self.exchange.close(&self.shared.guard, status, &moment, &self.shared.memory);
        self.report(moment.unix_ms);
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
        answer::plan(&plan, std::mem::take(&mut self.todo))
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

    /// What is to be done for the events so far, if anything is: `{errand?, urgent?}`.
    #[wasm_bindgen(js_name = takeErrand)]
    #[must_use]
    pub fn take_errand(&mut self) -> Option<String> {
        let todo = std::mem::take(&mut self.todo);
        (!todo.is_empty()).then(|| answer::todo(todo))
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
        let told = answer::held(&outcome, std::mem::take(&mut self.todo));
        self.body = outcome.body;
        told
    }

    fn report(&mut self, now_ms: u64) {
        while let Some(event) = self.exchange.take_event() {
            self.todo.join(self.shared.take(Some(event), now_ms));
        }
    }
}

impl Shared {
    fn new(policy: &str, key: Option<&str>, node: &str, outbox: bool) -> Result<Self, String> {
        let key =
            key.map(Key::parse).transpose().map_err(|error| format!("MODELGATE_WEBHOOK_KEY: {error}"))?;
        let guard = guard::Guard::from_json(policy.as_bytes(), key.as_ref(), Surface::Edge, node)
            .map_err(|error| format!("POLICY: {error}"))?;
        let relay = &guard.policy().document().relay;
        let courier = key.clone().map(|key| {
            let capacity = usize::try_from(relay.queue).unwrap_or(usize::MAX);
            let reporter = Reporter::new(key, capacity);
            RefCell::new(Courier::new(reporter, relay.batch_interval_ms.into(), relay.timeout_ms.into()))
        });
        let leases = RefCell::default();
        Ok(Self { guard, memory: Memory::default(), leases, key, outbox, courier })
    }

    fn take(&self, event: Option<Event>, now_ms: u64) -> Todo {
        let Some(courier) = &self.courier else { return Todo::default() };
        match event {
            Some(event) if self.outbox && event.is_urgent() => Todo { errand: None, urgent: urgent(event) },
            event => Todo { errand: courier.borrow_mut().take(event, now_ms), urgent: Vec::new() },
        }
    }

    /// Reports something about the guard itself, and that so many events were lost with it.
    fn tell_of_failure(&self, event: Event, lost: u32, moment: &Moment) -> Todo {
        let Some(courier) = &self.courier else { return Todo::default() };
        let mut courier = courier.borrow_mut();
        courier.lose(lost);
        if self.outbox {
            return Todo { errand: courier.take(None, moment.unix_ms), urgent: urgent(event) };
        }
        Todo { errand: courier.take_at_once(event, moment.unix_ms), urgent: Vec::new() }
    }

    fn trap_event(
        &self,
        method: &str,
        path: &str,
        address: Option<String>,
        lost: u32,
        moment: &Moment,
    ) -> Event {
        let request = Request {
            method: method.chars().take(16).collect(),
            path: path.chars().take(MAX_PATH).collect(),
            status: Some(Failure::Guard.status()),
            ..Request::default()
        };
        self.guard.trapped(request, address, lost, moment)
    }
}

/// An event as the outbox keeps it.
fn urgent(mut event: Event) -> Vec<String> {
    event.fit();
    serde_json::to_string(&event).into_iter().collect()
}

pub(crate) fn moment(now: f64, entropy: [u8; 10]) -> Moment {
    Moment { unix_ms: to_millis(now), entropy }
}

/// The first ten bytes, zeros where there are fewer.
pub(crate) fn bytes(entropy: &[u8]) -> [u8; 10] {
    let mut ten = [0; 10];
    for (to, from) in ten.iter_mut().zip(entropy) {
        *to = *from;
    }
    ten
}

/// JavaScript's number as a whole one; below 0 and NaN count as 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
pub(crate) const fn to_millis(number: f64) -> u64 {
    number as u64
}

#[expect(clippy::cast_precision_loss, reason = "a time span far below 2^53 ms")]
pub(crate) const fn from_millis(millis: u64) -> f64 {
    millis as f64
}
