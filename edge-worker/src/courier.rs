//! When events travel.
//!
//! An isolate has no clock tick of its own: work goes on only within some request's `waitUntil`, at most 30 seconds
//! after its answer. So one request at a time holds the *watch*: it waits for the batch interval, sends what came
//! together meanwhile, and, while the relay is away, tries again until its time is over; then the next request takes
//! the watch. An urgent event does not wait for the watch, its own request sends it; so does the request that fills a
//! batch. A watch, like a callout under way, has a deadline, because a request's context can end without a word.

use guard::{Callout, CalloutId, Moment, Reporter, wire::Event};

/// How long one request keeps the watch: within the 30 seconds of `waitUntil`, with room for the event's own request.
const WATCH_MS: u64 = 20_000;
/// The longest time a callout may take, whatever the policy says: the watch must outlive it.
const MAX_TIMEOUT_MS: u64 = 8_000;
/// The longest wait for a batch, whatever the policy says, for the same reason.
const MAX_INTERVAL_MS: u64 = 10_000;
/// So many events do not wait for the interval: as many as a callout carries.
const FULL: usize = 100;
/// Callouts of one watch at the most: a request of Cloudflare's free plan may make 50 subrequests, its own included.
const MAX_CALLOUTS: u32 = 40;
/// How often the watch looks whether the relay may be tried again.
const POLL_MS: u64 = 500;
/// How long after its deadline a callout that says nothing is given up.
const GRACE_MS: u64 = 2_000;

/// What a request has to do for the events, after its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errand {
    /// Whether it has the watch.
    pub(crate) watch: bool,
    /// Milliseconds until its first step.
    pub(crate) wait_ms: u64,
}

/// What to do next on an errand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Make this callout, tell how it ended, ask again.
    Send(Callout),
    /// Wait so many milliseconds, ask again.
    Wait(u64),
    /// Nothing more.
    Done,
}

/// The reporter, and who looks after it.
#[derive(Debug)]
pub(crate) struct Courier {
    reporter: Reporter,
    interval_ms: u64,
    timeout_ms: u64,
    /// When the watch ends that somebody holds.
    watch_until_ms: Option<u64>,
    /// When the watch may send less than a full batch.
    next_batch_ms: u64,
    /// Callouts that the watch has made.
    callouts: u32,
    /// Events taken so far.
    taken: usize,
    under_way: Vec<(CalloutId, u64)>,
}

impl Courier {
    pub(crate) fn new(reporter: Reporter, interval_ms: u64, timeout_ms: u64) -> Self {
        Self {
            reporter,
            interval_ms: interval_ms.min(MAX_INTERVAL_MS),
            timeout_ms: timeout_ms.min(MAX_TIMEOUT_MS),
            watch_until_ms: None,
            next_batch_ms: 0,
            callouts: 0,
            taken: 0,
            under_way: Vec::new(),
        }
    }

    /// How long a callout may take, in milliseconds.
    pub(crate) const fn timeout_ms(&self) -> u64 {
        self.timeout_ms
    }

    /// Events waiting or under way.
    pub(crate) fn waiting(&self) -> usize {
        self.reporter.queued()
    }

    /// Takes the event of a request, if there is one, and says what the request has to do for it or for others.
    pub(crate) fn take(&mut self, event: Option<Event>, now_ms: u64) -> Option<Errand> {
        let at_once = event.is_some_and(|event| {
            self.taken = self.taken.wrapping_add(1);
            // Of a flood, the request that fills a batch sends it: the queue must not overflow within an interval.
            self.reporter.push(event) || self.taken.is_multiple_of(FULL)
        });
        self.errand(at_once, now_ms)
    }

    /// Counts events that went down with another instance, so that the next batch tells of them.
    pub(crate) fn lose(&mut self, events: u32) {
        self.reporter.lose(u64::from(events));
    }

    /// Takes an event that must not wait for others: another trap would take it along.
    pub(crate) fn take_at_once(&mut self, event: Event, now_ms: u64) -> Option<Errand> {
        self.reporter.push(event);
        self.errand(true, now_ms)
    }

    fn errand(&mut self, at_once: bool, now_ms: u64) -> Option<Errand> {
        let watched = self.watch_until_ms.is_some_and(|until| now_ms < until);
        let watch = !watched && self.reporter.queued() > 0;
        if !watch && !at_once {
            return None;
        }
        let wait_ms = if at_once { 0 } else { self.interval_ms };
        if watch {
            self.watch_until_ms = Some(now_ms + WATCH_MS);
            self.next_batch_ms = now_ms + wait_ms;
            self.callouts = 0;
        }
        Some(Errand { watch, wait_ms })
    }

    /// The next step of an errand that began at `since_ms`.
    pub(crate) fn step(&mut self, watch: bool, since_ms: u64, moment: &Moment) -> Step {
        let now_ms = moment.unix_ms;
        self.give_up_silent_callouts(now_ms);
        let waiting = self.reporter.queued();
        if watch {
            let over = now_ms >= since_ms + WATCH_MS - MAX_TIMEOUT_MS || self.callouts >= MAX_CALLOUTS;
            if over || waiting == 0 {
                return self.end(watch);
            }
            if now_ms < self.next_batch_ms && waiting < FULL {
                return Step::Wait(self.next_batch_ms - now_ms);
            }
        }
        let Some(callout) = self.reporter.next_callout(moment) else {
            return if watch { Step::Wait(POLL_MS) } else { self.end(watch) };
        };
        if watch {
            self.next_batch_ms = now_ms + self.interval_ms;
            self.callouts += 1;
        }
        self.under_way.push((callout.id, now_ms + self.timeout_ms + GRACE_MS));
        Step::Send(callout)
    }

    /// Ends an errand; the watch becomes free for the next request.
    fn end(&mut self, watch: bool) -> Step {
        if watch {
            self.watch_until_ms = None;
        }
        Step::Done
    }

    /// How a callout ended: the relay's status, `None` without an answer.
    pub(crate) fn settle(&mut self, id: CalloutId, status: Option<u16>, now_ms: u64) {
        self.under_way.retain(|(other, _)| *other != id);
        self.reporter.settle(id, status, now_ms);
    }

    fn give_up_silent_callouts(&mut self, now_ms: u64) {
        while let Some(at) = self.under_way.iter().position(|(_, deadline)| now_ms >= *deadline) {
            let (id, _) = self.under_way.swap_remove(at);
            self.reporter.settle(id, None, now_ms);
        }
    }
}

const _: () = assert!(MAX_INTERVAL_MS + MAX_TIMEOUT_MS < WATCH_MS, "a watch can send at least one batch");

#[cfg(test)]
mod tests {
    use super::*;
    use guard::wire::{
        Client, Direction, EventId, EventKind, Request, Score, Severity, Surface, VERSION, Verdict,
        signature::Key,
    };

    const T0: u64 = 1_800_000_000_000;
    const INTERVAL: u64 = 1_000;

    fn courier() -> Courier {
        let key = Key::parse("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").unwrap();
        Courier::new(Reporter::new(key, 20_000), INTERVAL, 5_000)
    }

    fn at(unix_ms: u64) -> Moment {
        Moment { unix_ms, entropy: [7; 10] }
    }

    fn event(number: u16, severity: Severity) -> Option<Event> {
        Some(Event {
            v: VERSION,
            id: EventId::new(T0 + u64::from(number), [7; 10]),
            time_ms: T0,
            kind: EventKind::Detection,
            model: "demo".into(),
            direction: Direction::Request,
            surface: Surface::Edge,
            node: String::new(),
            route: String::new(),
            client: Client::default(),
            request: Request::default(),
            verdict: Verdict::Block,
            score: Score::ONE,
            severity,
            shadow: None,
            findings: Vec::new(),
        })
    }

    fn sent(step: Step) -> (CalloutId, usize) {
        let Step::Send(callout) = step else { panic!("{step:?} is no callout") };
        let batch = guard::wire::Batch::decode(&callout.body).unwrap();
        (callout.id, batch.events.len())
    }

    #[test]
    fn a_request_without_an_event_has_nothing_to_do() {
        assert_eq!(courier().take(None, T0), None);
    }

    #[test]
    fn ordinary_events_of_many_requests_travel_in_one_callout_of_one_request() {
        let mut courier = courier();
        let errand = courier.take(event(0, Severity::High), T0);
        assert_eq!(errand, Some(Errand { watch: true, wait_ms: INTERVAL }));
        for number in 1..5 {
            assert_eq!(courier.take(event(number, Severity::High), T0 + 10), None);
        }
        assert_eq!(courier.step(true, T0, &at(T0 + 900)), Step::Wait(100));
        let (id, events) = sent(courier.step(true, T0, &at(T0 + INTERVAL)));
        assert_eq!(events, 5);
        courier.settle(id, Some(202), T0 + INTERVAL);
        assert_eq!(courier.step(true, T0, &at(T0 + INTERVAL)), Step::Done);
        assert!(courier.take(event(6, Severity::High), T0 + INTERVAL).is_some());
    }

    #[test]
    fn an_urgent_event_is_sent_by_its_own_request_at_once() {
        let mut courier = courier();
        courier.take(event(0, Severity::Low), T0);
        let errand = courier.take(event(1, Severity::Critical), T0 + 1);
        assert_eq!(errand, Some(Errand { watch: false, wait_ms: 0 }));
        let (id, _) = sent(courier.step(false, T0 + 1, &at(T0 + 1)));
        courier.settle(id, Some(202), T0 + 2);
        assert_eq!(courier.step(false, T0 + 1, &at(T0 + 2)), Step::Done);
    }

    #[test]
    fn an_event_that_must_not_wait_is_sent_at_once_whatever_its_severity() {
        let mut courier = courier();
        let errand = courier.take_at_once(event(0, Severity::Low).unwrap(), T0);
        assert_eq!(errand, Some(Errand { watch: true, wait_ms: 0 }));
        assert_eq!(sent(courier.step(true, T0, &at(T0))).1, 1);
    }

    #[test]
    fn the_watch_keeps_its_pace_after_an_urgent_start() {
        let mut courier = courier();
        assert_eq!(courier.take(event(0, Severity::Critical), T0), Some(Errand { watch: true, wait_ms: 0 }));
        let (id, _) = sent(courier.step(true, T0, &at(T0)));
        courier.take(event(1, Severity::Low), T0 + 5);
        courier.settle(id, Some(202), T0 + 10);
        assert_eq!(courier.step(true, T0, &at(T0 + 10)), Step::Wait(INTERVAL - 10));
        assert_eq!(sent(courier.step(true, T0, &at(T0 + INTERVAL))).1, 1);
    }

    #[test]
    fn a_flood_is_sent_in_full_batches_and_one_request_makes_no_more_callouts_than_its_host_allows() {
        let mut courier = courier();
        let errands = (0..10_000).filter_map(|number| courier.take(event(number, Severity::Low), T0)).count();
        assert_eq!(errands, 1 + 10_000 / FULL, "the watch, and one for each full batch");
        let mut callouts = 0;
        while let Step::Send(callout) = courier.step(true, T0, &at(T0 + INTERVAL)) {
            callouts += 1;
            courier.settle(callout.id, Some(202), T0 + INTERVAL);
        }
        assert_eq!(callouts, MAX_CALLOUTS);
        assert_eq!(courier.waiting(), 10_000 - FULL * MAX_CALLOUTS as usize);
        assert!(
            courier.take(None, T0 + INTERVAL).is_some_and(|errand| errand.watch),
            "the next request goes on"
        );
    }

    #[test]
    fn a_silent_relay_is_tried_again_until_the_watch_is_over_and_then_by_a_later_request() {
        let mut courier = courier();
        courier.take(event(0, Severity::Critical), T0);
        let (mut now, mut tries) = (T0, 0);
        loop {
            match courier.step(true, T0, &at(now)) {
                Step::Send(callout) => {
                    tries += 1;
                    courier.settle(callout.id, None, now);
                }
                Step::Wait(ms) => now += ms,
                Step::Done => break,
            }
        }
        assert!((3..20).contains(&tries), "{tries} tries");
        assert!(now <= T0 + WATCH_MS, "the watch was left in time");
        let errand = courier.take(None, now + 30_000);
        assert_eq!(errand, Some(Errand { watch: true, wait_ms: INTERVAL }));
        now += 30_000 + INTERVAL;
        let (id, events) = sent(courier.step(true, now - INTERVAL, &at(now)));
        assert_eq!(events, 1);
        courier.settle(id, Some(202), now);
        assert_eq!(courier.waiting(), 0);
    }

    #[test]
    fn a_watch_that_nobody_gave_back_is_taken_over() {
        let mut courier = courier();
        courier.take(event(0, Severity::Low), T0);
        assert_eq!(courier.take(None, T0 + WATCH_MS - 1), None);
        assert!(courier.take(None, T0 + WATCH_MS).is_some_and(|errand| errand.watch));
    }

    #[test]
    fn a_callout_whose_request_ended_without_a_word_is_sent_again() {
        let mut courier = courier();
        courier.take(event(0, Severity::Critical), T0);
        sent(courier.step(true, T0, &at(T0)));
        let later = T0 + WATCH_MS + 10_000;
        assert!(courier.take(None, later).is_some());
        // Given up by the first step, which also tells the reporter to leave the relay in peace for a moment.
        assert_eq!(courier.step(true, later, &at(later + INTERVAL)), Step::Wait(POLL_MS));
        assert_eq!(sent(courier.step(true, later, &at(later + INTERVAL + POLL_MS))).1, 1);
    }
}
