//! What an exchange counts in the ledger for its client, and what comes of it.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use policy::{Action, History, LimitHeaders, Limits, Mode};
use wire::{DecisionAction, EventKind, Verdict};

use crate::{
    Exchange, Guard, Inspection, Moment, Store,
    conversation::Past,
    ledger::{
        self, Admission, Answer, Ask, Carried, Limit, Operation, PaceRules, Refusal as Refused, Sensed,
        Standing, Turn,
    },
    reason::{self, GuardRule, Judged},
    reply::Refusal,
    settle::Ruling,
};

/// An exchange in the ledger.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    fingerprint: u64,
    /// The stretch of time under which it is counted as under way.
    stretch: Option<u32>,
    /// Tokens counted for it.
    estimated: u32,
    /// Tokens that the answer says it used.
    used: Option<u32>,
    /// Whether the guard refused it for what it holds.
    pub(crate) failed: bool,
}

/// A client's ledger that is kept elsewhere, as far as one exchange has to do with it.
#[derive(Debug, Default)]
pub(crate) struct Remote {
    /// What was remembered of the client.
    carried: Carried,
    /// What is to be told, and has no reply.
    operations: Vec<u8>,
    /// A failed attempt, which has one.
    failure: Vec<u8>,
}

impl Remote {
    pub(crate) fn new(record: Vec<u8>) -> Self {
        Self { carried: Carried::new(record), ..Self::default() }
    }
}

/// What came of comparing a request with those before it.
#[derive(Debug)]
pub(crate) struct Remembered {
    pub(crate) action: Action,
    /// The findings.
    pub(crate) reasons: Vec<Judged>,
    /// Whether they are told: of a flood only the 1st, 10th, 100th …
    pub(crate) report: bool,
    /// How it is refused if it is for a limit, and headers for that.
    pub(crate) limit: Option<Refusal>,
    pub(crate) extra: Vec<(&'static str, String)>,
    /// Whether all earlier turns that would be refused were told before.
    pub(crate) past_told: bool,
    /// Its tokens are too many: when it has a chance, in milliseconds.
    pub(crate) too_many_tokens: Option<u64>,
}

impl Remembered {
    const fn nothing() -> Self {
        Self {
            action: Action::Allow,
            reasons: Vec::new(),
            report: false,
            limit: None,
            extra: Vec::new(),
            past_told: false,
            too_many_tokens: None,
        }
    }
}

/// Bytes of text that make a token, about: English in the tokenisers in use has 4 to 5, other languages and code less.
const BYTES_A_TOKEN: usize = 4;
/// Requests that a guard takes at once from a ledger that is kept elsewhere.
const MAX_LEASE: u16 = 16;
/// The score in thousandths from which a turn is suspicious by itself.
const SUSPICIOUS: u16 = 300;

impl Exchange {
    /// What the ledger has to be asked about the request, once it was looked up what the security team decided about its
    /// caller.
    pub(crate) fn ask_for(&mut self, guard: &Guard, moment: &Moment) -> Option<Ask> {
        if let Ok(decisions) = guard.decisions.try_borrow() {
            self.decided = decisions.find(&self.client, moment.unix_ms);
        }
        let document = guard.policy.document();
        let is_blocked = self.is_blocked();
        let is_over = is_blocked && document.mode == Mode::Enforce;
        let rules = self.rules(guard).filter(|_| !is_over);
        if rules.is_none() && !is_blocked {
            return None;
        }
        let is_counted = rules.is_some() && self.is_limited(guard);
        let record = is_counted && (remembers(guard) || document.limits.max_tokens_per_minute.is_some());
        // A lease was granted by the policy's own rules.
        let lease = if is_blocked || !is_counted || self.is_throttled() { 0 } else { MAX_LEASE };
        Some(Ask { fingerprint: guard.fingerprint(&self.client), refuse: is_blocked, rules, record, lease })
    }

    fn is_limited(&self, guard: &Guard) -> bool {
        let limits = &guard.policy.document().limits;
        limits.enabled && !limits.exempts(&self.head.route, &self.head.path)
    }

    /// What the request is held to.
    fn rules(&self, guard: &Guard) -> Option<PaceRules> {
        let is_counted = self.is_limited(guard);
        let throttled = self.decided.filter(|decided| decided.action == DecisionAction::Throttle);
        let mut rules =
            if is_counted { pace_rules(&guard.policy.document().limits) } else { PaceRules::NONE };
        if let Some(decided) = throttled {
            rules.requests_per_minute = rules.requests_per_minute.min(decided.rate.max(1));
        }
        (is_counted || throttled.is_some()).then_some(rules)
    }

    /// Refuses the request where its client is blocked or over a limit.
    pub(crate) fn apply_answer(&mut self, guard: &Guard, answer: &Answer, moment: &Moment) {
        if self.is_blocked() {
            self.refuse_blocked(guard, answer.refusals, moment);
        }
        let Some((admission, rules)) = answer.admission.zip(self.rules(guard)) else { return };
        let fingerprint = guard.fingerprint(&self.client);
        let mut counted = Counted { fingerprint, stretch: None, estimated: 0, used: None, failed: false };
        if let Admission::Admitted { standing, stretch } = admission {
            counted.stretch = stretch;
            if guard.policy.document().limits.headers == LimitHeaders::Always {
                self.standing = requests_headers(rules.requests_per_minute, standing).into();
            }
        }
        self.counted = self.is_limited(guard).then_some(counted);
        if let Admission::Refused(refused) = admission {
            self.throttle(guard, rules.requests_per_minute, refused, moment);
        }
    }

    /// Refuses the request as the security team decided. `refused`: how many were in this minute.
    fn refuse_blocked(&mut self, guard: &Guard, refused: u32, moment: &Moment) {
        let rule = &reason::DECISION_BLOCK;
        let reasons = [self.decided_reason(rule)];
        let message = "Access to this service is blocked.".into();
        let own = Ruling::own(guard, self, rule, &reasons, "client_blocked", message);
        let ruling = Ruling { report: is_power_of_ten(refused), ..own };
        self.settle_unless_monitoring(guard, ruling, moment);
    }

    fn is_blocked(&self) -> bool {
        self.decided.is_some_and(|decided| decided.action == DecisionAction::Block)
    }

    fn is_throttled(&self) -> bool {
        self.decided.is_some_and(|decided| decided.action == DecisionAction::Throttle)
    }

    /// A reason of the guard's own; where it is a decision, with its number.
    fn decided_reason(&self, rule: &'static GuardRule) -> Judged {
        let number = self.decided.filter(|_| rule.id.starts_with("decision."));
        let evidence = number.map(|decided| format!("decision {}", decided.id));
        Judged { evidence, ..Judged::own(rule, String::new(), None) }
    }

    /// The key under which inputs are remembered, where they are.
    pub(crate) fn sketch_key(&self, guard: &Guard) -> Option<u64> {
        self.counted.filter(|_| remembers(guard)).map(|counted| guard.secret() ^ counted.fingerprint)
    }

    #[expect(clippy::too_many_arguments, reason = "each is a fact of the one request")]
    /// Adds what was judged to the client's record, and looks what the record says about it. `found` and `score` are the
    /// verdict without it.
    pub(crate) fn remember(
        &mut self,
        guard: &Guard,
        inspection: &Inspection,
        past: &Past<'_>,
        found: Action,
        score: u16,
        moment: &Moment,
        store: &dyn Store,
    ) -> Remembered {
        let mut remembered = self.compare(guard, inspection, past, found, score, moment, store);
        if self.decided.is_some_and(|decided| decided.action == DecisionAction::Monitor) {
            remembered.action = remembered.action.max(Action::Flag);
            remembered.reasons.push(self.decided_reason(&reason::DECISION_MONITOR));
            remembered.report = true;
        }
        remembered
    }

    #[expect(clippy::too_many_arguments, reason = "each is a fact of the one request")]
    fn compare(
        &mut self,
        guard: &Guard,
        inspection: &Inspection,
        past: &Past<'_>,
        found: Action,
        score: u16,
        moment: &Moment,
        store: &dyn Store,
    ) -> Remembered {
        let document = guard.policy.document();
        let (limits, conversation) = (&document.limits, &document.conversation);
        let Some(counted) = &mut self.counted else { return Remembered::nothing() };
        let passes = found < Action::Block;
        let estimated = u32::try_from(inspection.text_bytes / BYTES_A_TOKEN).unwrap_or(u32::MAX);
        let suspicious = score >= SUSPICIOUS && conversation.risk != Action::Allow;
        let turn = Turn {
            tokens: limits.max_tokens_per_minute.filter(|_| passes).map(|most| (estimated, most)),
            input: inspection.input.map(|input| (input, limits.repeat_window)),
            suspicion: suspicious.then(|| {
                let turn = inspection.input.map_or(0, |input| input.hash);
                (turn, u32::from(score), conversation.risk_half_life)
            }),
            past: past.hashes,
            session_ms: u64::from(limits.session_timeout) * 1000,
        };
        if turn.tokens.is_none() && turn.input.is_none() && turn.suspicion.is_none() {
            return Remembered::nothing();
        }
        let store = self.remote.as_ref().map_or(store, |remote| &remote.carried);
        let Some(sensed) = ledger::sense(store, counted.fingerprint, &turn, moment.unix_ms) else {
            return Remembered::nothing();
        };
        if let Some(remote) = &mut self.remote {
            Operation::Sense(turn).write(counted.fingerprint, &mut remote.operations);
        }
        if let Some((tokens, most)) = turn.tokens {
            if sensed.too_many_tokens.is_none() {
                counted.estimated = tokens;
            }
            if limits.headers == LimitHeaders::Always {
                self.standing.extend(tokens_headers(most, sensed.tokens_left, sensed.tokens_reset_ms));
            }
        }
        let mut remembered = Remembered {
            too_many_tokens: sensed.too_many_tokens.filter(|_| passes),
            past_told: sensed.past_told,
            ..Remembered::nothing()
        };
        remembered.weigh_repeats(limits, &sensed);
        if passes && turn.suspicion.is_some() && sensed.risk >= conversation.risk_threshold {
            remembered.action = remembered.action.max(conversation.risk);
            remembered.reasons.push(Judged::own(&reason::RISK, String::new(), None));
            remembered.report = true;
            if conversation.risk == Action::Block {
                remembered.limit = None;
            }
        }
        remembered
    }

    /// Refuses a client over a limit. Of a flood only the 1st, 10th, 100th … refusal in a minute is reported.
    fn throttle(&mut self, guard: &Guard, per_minute: u32, refused: Refused, moment: &Moment) {
        let limits = &guard.policy.document().limits;
        let seconds = refused.retry_ms.div_ceil(1000).max(1);
        let (rule, what) = match refused.limit {
            Limit::Requests => {
                let rule = if self.is_throttled() { &reason::DECISION_THROTTLE } else { &reason::REQUESTS };
                (rule, format!("Rate limit reached: {per_minute} requests a minute."))
            }
            Limit::Interval => {
                let what = format!("Requests come less than {} ms apart.", limits.min_request_interval);
                (&reason::INTERVAL, what)
            }
            Limit::Concurrent => {
                let most = limits.max_concurrent_requests.unwrap_or(0);
                (&reason::CONCURRENT, format!("More than {most} requests are under way."))
            }
            Limit::Penalty => (&reason::PENALTY, "Too many requests were refused.".into()),
        };
        let standing = Standing { remaining: 0, reset_ms: refused.retry_ms };
        let headers = requests_headers(per_minute, standing).into();
        self.hold_off(guard, rule, what, seconds, headers, is_power_of_ten(refused.refused), moment);
    }

    /// Refuses a client that used too many tokens.
    pub(crate) fn throttle_tokens(&mut self, guard: &Guard, retry_ms: u64, moment: &Moment) {
        let most = guard.policy.document().limits.max_tokens_per_minute.unwrap_or(0);
        let what = format!("Rate limit reached: {most} tokens a minute.");
        let headers = tokens_headers(most, 0, retry_ms).into();
        self.hold_off(guard, &reason::TOKENS, what, retry_ms.div_ceil(1000).max(1), headers, true, moment);
    }

    #[expect(clippy::too_many_arguments, reason = "each is a fact of the one refusal")]
    fn hold_off(
        &mut self,
        guard: &Guard,
        rule: &'static GuardRule,
        what: String,
        seconds: u64,
        headers: Vec<(&'static str, String)>,
        report: bool,
        moment: &Moment,
    ) {
        let message = format!("{what} Try again in {seconds} s.");
        let reasons = [self.decided_reason(rule)];
        self.standing.clear();
        let ruling = Ruling {
            verdict: Verdict::Throttle,
            kind: EventKind::RateLimit,
            extra: [("retry-after", seconds.to_string())].into_iter().chain(headers).collect(),
            report,
            ..Ruling::own(guard, self, rule, &reasons, "rate_limit_exceeded", message)
        };
        self.settle_unless_monitoring(guard, ruling, moment);
    }

    /// Monitoring lets the request go on, so its body still has to be judged.
    fn settle_unless_monitoring(&mut self, guard: &Guard, ruling: Ruling<'_>, moment: &Moment) {
        let enforced = guard.policy.document().mode == Mode::Enforce;
        self.settle(guard, ruling, moment);
        if !enforced {
            self.outcome = None;
        }
    }

    /// The answer says how many tokens the exchange used, those read and those written.
    pub fn used(&mut self, tokens: u64) {
        if let Some(counted) = &mut self.counted {
            counted.used = Some(u32::try_from(tokens).unwrap_or(u32::MAX));
        }
    }

    /// Whether [`Self::close`] has anything to do.
    #[must_use]
    pub const fn is_counted(&self) -> bool {
        self.counted.is_some()
    }

    /// The exchange is over, whatever its end; any further call does nothing. `status`: what the model's API answered,
    /// `None` where it did not. Afterwards there may be an event to take.
    pub fn close(&mut self, guard: &Guard, status: Option<u16>, moment: &Moment, store: &dyn Store) {
        let Some(counted) = self.counted.take() else { return };
        let limits = &guard.policy.document().limits;
        let corrected = counted.used.filter(|_| limits.max_tokens_per_minute.is_some());
        let failed = counted.failed || status.is_some_and(|status| matches!(status, 401 | 403 | 404 | 429));
        let failed = failed && limits.failed_attempts != Action::Allow;
        let (client, now_ms) = (counted.fingerprint, moment.unix_ms);
        if let Some(remote) = &mut self.remote {
            if let Some(stretch) = counted.stretch {
                Operation::Leave { stretch }.write(client, &mut remote.operations);
            }
            if let Some(used) = corrected.filter(|used| *used != counted.estimated) {
                let estimated = counted.estimated;
                Operation::Correct { estimated, used }.write(client, &mut remote.operations);
            }
            if failed {
                Operation::Fail(pace_rules(limits)).write(client, &mut remote.failure);
            }
            return;
        }
        if let Some(stretch) = counted.stretch {
            ledger::leave(store, client, stretch, now_ms);
        }
        if let Some(used) = corrected {
            ledger::correct(store, client, counted.estimated, used, now_ms);
        }
        if failed && ledger::fail(store, client, &pace_rules(limits), now_ms).is_some() {
            self.failed_too_often(guard, moment);
        }
    }

    /// What a ledger that is kept elsewhere has to be told, in the bytes that [`crate::operate`] takes; it has no reply.
    pub fn take_operations(&mut self) -> Vec<u8> {
        self.remote.as_mut().map(|remote| core::mem::take(&mut remote.operations)).unwrap_or_default()
    }

    /// The same of a failed attempt, after [`Self::close`]; the reply to it goes to [`Self::told`].
    pub fn take_failure(&mut self) -> Vec<u8> {
        self.remote.as_mut().map(|remote| core::mem::take(&mut remote.failure)).unwrap_or_default()
    }

    /// What the ledger said to [`Self::take_failure`]. Afterwards there may be an event to take.
    pub fn told(&mut self, guard: &Guard, reply: &[u8], moment: &Moment) {
        if reply.first_chunk::<4>().is_some_and(|failures| *failures != [0; 4]) {
            self.failed_too_often(guard, moment);
        }
    }

    /// The client's record as the requests before and this one made it; the next one may begin with it.
    #[must_use]
    pub fn record(&self) -> Vec<u8> {
        self.remote.as_ref().map(|remote| remote.carried.record()).unwrap_or_default()
    }

    fn failed_too_often(&mut self, guard: &Guard, moment: &Moment) {
        let limits = &guard.policy.document().limits;
        let penalised = limits.failed_attempts == Action::Block && limits.penalty > 0;
        let verdict = if penalised { Verdict::Throttle } else { Verdict::Flag };
        self.tell(guard, Judged::own(&reason::FAILURES, String::new(), None), verdict, moment);
    }
}

impl Remembered {
    fn weigh_repeats(&mut self, limits: &Limits, sensed: &Sensed) {
        let same = sensed.repeats.same.saturating_sub(limits.max_repeats);
        let near = sensed.repeats.near.saturating_sub(limits.max_near_repeats);
        for (rule, over) in [(&reason::REPEATS, same), (&reason::NEIGHBOURS, near)] {
            if over == 0 || limits.repeats == Action::Allow {
                continue;
            }
            self.action = limits.repeats;
            self.reasons.push(Judged::own(rule, String::new(), None));
            self.report |= is_power_of_ten(over);
            if limits.repeats == Action::Block {
                let seconds = limits.repeat_window;
                let message = "The same input, or nearly the same, was sent too often.".into();
                self.limit = Some(Refusal { status: rule.status, code: "repeated_input", message });
                self.extra = [("retry-after", seconds.to_string())].into();
            }
        }
    }
}

impl Guard {
    /// Makes hashes of inputs useless to whoever does not know it.
    fn secret(&self) -> u64 {
        self.identity_key.first_chunk::<8>().map_or(0, |first| u64::from_le_bytes(*first))
    }
}

/// Whether the policy makes anything of what clients said before.
fn remembers(guard: &Guard) -> bool {
    let document = guard.policy.document();
    document.limits.repeats != Action::Allow
        || document.conversation.risk != Action::Allow
        || document.conversation.history != History::Judge
}

fn pace_rules(limits: &Limits) -> PaceRules {
    PaceRules {
        requests_per_minute: limits.max_requests_per_minute,
        burst: limits.burst,
        min_interval_ms: limits.min_request_interval,
        concurrent: limits.max_concurrent_requests,
        failures: limits.failed_attempts_threshold,
        failure_window_ms: u64::from(limits.failed_attempts_window) * 1000,
        failures_penalised: limits.failed_attempts == Action::Block,
        penalty_s: limits.penalty,
        max_penalty_s: limits.max_penalty,
        penalty_decay_s: limits.penalty_decay,
        session_ms: u64::from(limits.session_timeout) * 1000,
    }
}

fn requests_headers(per_minute: u32, standing: Standing) -> [(&'static str, String); 3] {
    [
        ("x-ratelimit-limit-requests", per_minute.to_string()),
        ("x-ratelimit-remaining-requests", standing.remaining.to_string()),
        ("x-ratelimit-reset-requests", format!("{}s", standing.reset_ms.div_ceil(1000))),
    ]
}

fn tokens_headers(most: u32, left: u32, reset_ms: u64) -> [(&'static str, String); 3] {
    [
        ("x-ratelimit-limit-tokens", most.to_string()),
        ("x-ratelimit-remaining-tokens", left.to_string()),
        ("x-ratelimit-reset-tokens", format!("{}s", reset_ms.div_ceil(1000))),
    ]
}

const fn is_power_of_ten(mut number: u32) -> bool {
    while number >= 10 && number.is_multiple_of(10) {
        number /= 10;
    }
    number == 1
}
