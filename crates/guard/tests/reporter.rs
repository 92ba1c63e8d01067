//! The reporter: order, bounds, back-off, and the count of what was lost.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

use modelgate_guard::{
    Callout, Moment, Reporter,
    wire::{
        Batch, Client, Direction, Event, EventId, EventKind, Request, Score, Severity, Surface, VERSION,
        Verdict,
        signature::{self, ID_HEADER, Key, SIGNATURE_HEADER, TIMESTAMP_HEADER},
    },
};

const KEY: &str = "whsec_bW9kZWxnYXRlIHRlc3RzIHVzZSB0aGlzIGtleQ==";

fn key() -> Key {
    Key::parse(KEY).unwrap()
}

fn event(number: u8, severity: Severity) -> Event {
    Event {
        v: VERSION,
        id: EventId::new(1000, [number; 10]),
        time_ms: 1000,
        kind: EventKind::Detection,
        model: "demo".into(),
        direction: Direction::Request,
        surface: Surface::Native,
        node: String::new(),
        route: String::new(),
        client: Client::default(),
        request: Request::default(),
        verdict: Verdict::Block,
        score: Score::ONE,
        severity,
        shadow: None,
        findings: Vec::new(),
    }
}

fn at(unix_ms: u64) -> Moment {
    Moment { unix_ms, entropy: [9; 10] }
}

fn batch(callout: &Callout) -> (u64, Vec<EventId>) {
    let decoded = Batch::decode(&callout.body).unwrap();
    assert!(decoded.rejected.is_empty(), "{:?}", decoded.rejected);
    (decoded.dropped, decoded.events.iter().map(|event| event.id).collect())
}

fn ids(numbers: impl IntoIterator<Item = u8>) -> Vec<EventId> {
    numbers.into_iter().map(|number| EventId::new(1000, [number; 10])).collect()
}

#[test]
fn a_callout_is_signed_so_that_the_relay_accepts_it() {
    let mut reporter = Reporter::new(key(), 10);
    assert!(reporter.next_callout(&at(5000)).is_none());
    assert!(!reporter.push(event(1, Severity::High)));
    let callout = reporter.next_callout(&at(5000)).unwrap();
    let header =
        |name| callout.headers.iter().find(|(known, _)| *known == name).map(|(_, v)| v.as_str()).unwrap();
    let [id, time, signed] = [ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER].map(header);
    assert_eq!(time, "5");
    signature::verify(&[key()], 5, id, time, signed, &callout.body).unwrap();
    assert_eq!(batch(&callout), (0, ids([1])));
    reporter.settle(callout.id, Some(202), 5001);
    assert_eq!((reporter.queued(), reporter.delivered(), reporter.dropped()), (0, 1, 0));
}

#[test]
fn urgent_events_ask_to_leave_at_once_and_go_first() {
    let mut reporter = Reporter::new(key(), 10);
    assert!(!reporter.push(event(1, Severity::High)));
    assert!(reporter.push(event(2, Severity::Critical)));
    assert_eq!(batch(&reporter.next_callout(&at(1)).unwrap()).1, ids([2, 1]));
}

#[test]
fn a_failed_callout_loses_nothing_and_waits_twice_as_long_each_time() {
    let mut reporter = Reporter::new(key(), 10);
    for number in 1..=3 {
        reporter.push(event(number, Severity::Low));
    }
    let mut now = 0;
    let mut callout = reporter.next_callout(&at(now)).unwrap();
    let failures = [None, Some(503), Some(401), Some(429), None, None, None, None];
    for (status, wait) in failures.into_iter().zip([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
        assert_eq!(batch(&callout).1, ids([1, 2, 3]));
        reporter.settle(callout.id, status, now);
        assert!(reporter.next_callout(&at(now + wait - 1)).is_none(), "{wait} ms were not waited");
        now += wait;
        callout = reporter.next_callout(&at(now)).unwrap();
    }
    reporter.settle(callout.id, Some(202), now);
    assert_eq!((reporter.queued(), reporter.delivered(), reporter.dropped()), (0, 3, 0));
    // A success forgets the failures.
    reporter.push(event(4, Severity::Low));
    let callout = reporter.next_callout(&at(now)).unwrap();
    reporter.settle(callout.id, None, now);
    assert!(reporter.next_callout(&at(now + 500)).is_some());
}

#[test]
fn a_full_queue_drops_the_oldest_ordinary_event_and_says_so() {
    let mut reporter = Reporter::new(key(), 3);
    reporter.push(event(1, Severity::Critical));
    for number in 2..=5 {
        reporter.push(event(number, Severity::Low));
    }
    assert_eq!((reporter.queued(), reporter.dropped()), (3, 2));
    let callout = reporter.next_callout(&at(1)).unwrap();
    assert_eq!(batch(&callout), (2, ids([1, 4, 5])));
    // The relay did not hear of the drops: they are told again.
    reporter.settle(callout.id, Some(500), 1);
    let callout = reporter.next_callout(&at(10_000)).unwrap();
    assert_eq!(batch(&callout), (2, ids([1, 4, 5])));
    reporter.settle(callout.id, Some(202), 10_000);
    reporter.push(event(6, Severity::Low));
    assert_eq!(batch(&reporter.next_callout(&at(10_001)).unwrap()), (0, ids([6])));
}

#[test]
fn what_the_relay_will_never_take_is_dropped_and_counted() {
    let mut reporter = Reporter::new(key(), 10);
    reporter.push(event(1, Severity::Low));
    let callout = reporter.next_callout(&at(1)).unwrap();
    reporter.settle(callout.id, Some(413), 1);
    assert_eq!((reporter.queued(), reporter.dropped()), (0, 1));
    let callout = reporter.next_callout(&at(2)).unwrap();
    assert_eq!(batch(&callout), (1, Vec::new()), "drops are told even without events");
}

#[test]
fn few_callouts_are_under_way_at_once_and_none_is_larger_than_the_relay_takes() {
    let mut reporter = Reporter::new(key(), 2000);
    for number in 0..1000_u16 {
        let mut event = event(u8::try_from(number % 250).unwrap(), Severity::Low);
        event.request.path = "\u{1}".repeat(1024);
        reporter.push(event);
    }
    let mut callouts = Vec::new();
    while let Some(callout) = reporter.next_callout(&at(1)) {
        assert!(callout.body.len() <= 1 << 20);
        callouts.push(callout);
    }
    assert_eq!(callouts.len(), 4);
    assert_eq!(reporter.queued(), 1000);
}

#[test]
fn an_answer_that_comes_twice_counts_once() {
    let mut reporter = Reporter::new(key(), 10);
    reporter.push(event(1, Severity::Low));
    let callout = reporter.next_callout(&at(1)).unwrap();
    reporter.settle(callout.id, Some(202), 1);
    reporter.settle(callout.id, None, 1);
    assert_eq!((reporter.queued(), reporter.delivered()), (0, 1));
}

#[test]
fn what_one_reporter_leaves_another_delivers() {
    let mut old = Reporter::new(key(), 10);
    old.lose(2);
    (2..6).for_each(|number| assert!(!old.push(event(number, Severity::Low))));
    let under_way = old.next_callout(&at(1)).unwrap();
    old.push(event(7, Severity::Low));
    let left = old.leave();
    assert_eq!(left.iter().map(|sealed| sealed.events).collect::<Vec<_>>(), [4, 1]);
    assert_eq!((left[0].body.as_slice(), old.queued()), (under_way.body.as_slice(), 0));
    assert_eq!(old.leave(), []);
    // The answer that comes all the same is to nothing.
    old.settle(under_way.id, Some(202), 2);
    assert_eq!(old.delivered(), 0);

    let mut new = Reporter::new(key(), 1);
    let mut now = 10;
    for (sealed, expected) in left.into_iter().zip([(2, ids(2..6)), (0, ids([7]))]) {
        assert!(new.can_adopt(now) && new.adopt(sealed) && !new.can_adopt(now));
        // It takes no room from the reporter's own, which go first.
        new.push(event(8, Severity::Low));
        let [own, failed] = [(); 2].map(|()| new.next_callout(&at(now)).unwrap());
        assert_eq!([&own, &failed].map(batch), [(0, ids([8])), expected.clone()]);
        new.settle(own.id, Some(202), now);
        new.settle(failed.id, Some(503), now);
        assert!(new.next_callout(&at(now)).is_none());
        now += 60_000;
        assert!(!new.can_adopt(now), "it still holds one");
        let again = new.next_callout(&at(now)).unwrap();
        assert_eq!(batch(&again), expected);
        new.settle(again.id, Some(202), now);
    }
    assert_eq!((new.queued(), new.delivered(), new.dropped()), (0, 7, 0));
    assert!(new.can_adopt(now) && new.leave().is_empty());
}

#[test]
fn what_the_key_did_not_seal_is_not_sent() {
    let mut old = Reporter::new(key(), 4);
    old.push(event(1, Severity::Low));
    let sealed = old.leave().remove(0);
    let mut new = Reporter::new(key(), 4);
    let mut forged = sealed.clone();
    forged.body[20] ^= 1;
    assert!(!new.adopt(forged));
    assert!(!new.adopt(modelgate_guard::Sealed { events: 9, ..sealed.clone() }));
    let other = Key::parse("whsec_YW5vdGhlciBrZXkgdGhhdCBpcyBub3Qgb3Vycw==").unwrap();
    assert!(!Reporter::new(other, 4).adopt(sealed.clone()));
    assert!(new.next_callout(&at(1)).is_none());
    assert!(new.adopt(sealed));
}
