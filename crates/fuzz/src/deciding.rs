//! What the security team decided, pulled from the relay, and the state of clients that other threads wrote.

use std::{cell::RefCell, collections::BTreeMap, net::IpAddr, rc::Rc};

use guard::{Conflict, Decisions, Guard, HeadFacts, Moment, NoStore, Pulled, SLOTS, Store, Version};
use wire::{DecisionAction, DecisionFeed, Subject, Surface, Verdict, signature::Key};

const NOON: Moment = Moment { unix_ms: 1_790_000_000_000, entropy: [7; 10] };
const POLICY: &[u8] = br#"{"model":{"name":"fuzz"}}"#;
const COUNTING: &[u8] =
    br#"{"model":{"name":"fuzz"},"limits":{"max_tokens_per_minute":9000,"max_concurrent_requests":4,
    "min_request_interval":5,"failed_attempts":"block","repeats":"block","headers":"always"},
    "conversation":{"risk":"block","history":"new_only"}}"#;
/// Whose requests are looked at.
const CALLERS: [&str; 4] = ["192.0.2.1", "192.0.2.200", "2001:db8::7", "::1"];

thread_local! {
    static DECIDES: RefCell<Guard> =
        RefCell::new(Guard::from_json(POLICY, None, Surface::Native, "fuzz").expect("a policy"));
    static COUNTS: Guard = Guard::from_json(COUNTING, None, Surface::Native, "fuzz").expect("a policy");
}

/// Feeds, one after the other with a zero byte between them, each signed: a caller is refused if and only if the last
/// decision about them, or about a range they are in, that has not ended says so.
pub(crate) fn decisions(data: &[u8]) {
    DECIDES.with_borrow_mut(|guard| {
        guard.take_over(Rc::new(RefCell::new(Decisions::new(0))));
        pulled(guard, data);
    });
}

fn pulled(guard: &Guard, data: &[u8]) {
    let key = Key::parse("whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=").expect("a key");
    let mut known: BTreeMap<(u8, u128), (DecisionAction, u64)> = BTreeMap::new();
    let (mut epoch, mut serial) = (String::new(), 0);
    for body in data.split(|byte| *byte == 0).take(8) {
        let (id, seconds) = ("dec_1", NOON.unix_ms / 1000);
        let (timestamp, signature) = (seconds.to_string(), key.sign(id, seconds, body));
        let pulled = Pulled { status: 200, signature: [id, &timestamp, &signature], body };
        let settled = guard.decisions().borrow_mut().settle(Some(pulled), &key, 1000, NOON.unix_ms);
        let Ok(feed) = DecisionFeed::decode(body) else {
            assert!(settled.is_err());
            continue;
        };
        let is_other = feed.epoch != epoch;
        if is_other != feed.reset || (!is_other && feed.serial < serial) {
            assert!(settled.is_err(), "a feed that is old");
            continue;
        }
        assert!(settled.is_ok(), "{settled:?}");
        if feed.reset {
            known.clear();
        }
        (epoch, serial) = (feed.epoch, feed.serial);
        known.extend(feed.entries.iter().filter_map(|entry| {
            Some((range(&entry.subject)?, (entry.action, entry.until.min(u64::from(u32::MAX)))))
        }));
    }
    for caller in CALLERS {
        let bits = bits(caller.parse().expect("an address"));
        let within = |(length, first): &(u8, u128)| {
            *first == if *length == 0 { 0 } else { bits & (u128::MAX << (128 - u32::from(*length))) }
        };
        let holds = known.iter().filter(|(range, (_, until))| within(range) && *until > NOON.unix_ms / 1000);
        let strictest = holds.map(|(_, (action, _))| *action).filter(|it| *it != DecisionAction::Lift).max();
        let facts = HeadFacts { method: "GET", path: "/", route: "", address: Some(caller) };
        let exchange = guard.open(guard.head(facts, core::iter::empty()), false, &NOON, &NoStore);
        let verdict = exchange.outcome().map(|outcome| outcome.verdict);
        assert_eq!(
            verdict == Some(Verdict::Block),
            strictest == Some(DecisionAction::Block),
            "{caller}: {verdict:?}"
        );
    }
}

/// The bits that an address has to begin with, in the order of version 6.
fn range(subject: &Subject) -> Option<(u8, u128)> {
    match subject {
        Subject::Address(address) => Some((128, bits(*address))),
        Subject::Range(first @ IpAddr::V4(_), length) => Some((96 + length, bits(*first))),
        Subject::Range(first, length) => Some((*length, bits(*first))),
        Subject::Key(_) | Subject::User(_) => None,
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Slots full of the same bytes.
struct Rubbish<'a>(&'a [u8]);

impl Store for Rubbish<'_> {
    fn load(&self, slot: u32) -> Option<(Vec<u8>, Version)> {
        assert!(slot < SLOTS);
        Some((self.0.to_vec(), Version(1)))
    }

    fn save(&self, slot: u32, bytes: &[u8], _: Version) -> Result<(), Conflict> {
        assert!(slot < SLOTS && bytes.len() <= 4096, "{} bytes in a slot", bytes.len());
        Ok(())
    }
}

/// What slots of the ledger hold, with a client's own name at the front of each record: any bytes are some record, and
/// whoever comes gets a verdict and a pause that ends.
pub(crate) fn ledger(data: &[u8]) {
    const BODY: &[u8] =
        br#"{"messages":[{"role":"user","content":"How do I keep basil alive?"}],"max_tokens":100}"#;
    let store = Rubbish(data);
    COUNTS.with(|guard| {
        let facts =
            HeadFacts { method: "POST", path: "/v1/chat/completions", route: "", address: Some(CALLERS[0]) };
        let head = guard.head(facts, [(&b"content-type"[..], &b"application/json"[..])]);
        let mut exchange = guard.open(head, true, &NOON, &store);
        if exchange.outcome().is_none() {
            exchange.judge_for(guard, BODY, &NOON, &store);
        }
        let outcome = exchange.outcome().expect("a verdict").clone();
        if let Some(reply) = &outcome.reply {
            let pause = reply.headers.iter().find(|(name, _)| *name == "retry-after");
            let seconds = pause.map(|(_, seconds)| seconds.parse::<u64>().expect("a number"));
            assert!(seconds.is_none_or(|seconds| seconds <= 7 * 86_400), "a pause of {seconds:?} s");
        }
        exchange.used(7);
        exchange.close(guard, Some(200), &NOON, &store);
    });
}

/// Seeds: records of a client, as [`ledger`] finds them.
pub(crate) fn slots() -> Vec<Vec<u8>> {
    let kept = RefCell::new(Vec::new());
    COUNTS.with(|guard| {
        let facts =
            HeadFacts { method: "POST", path: "/v1/chat/completions", route: "", address: Some(CALLERS[0]) };
        let mut exchange = guard.open(guard.head(facts, core::iter::empty()), true, &NOON, &Kept(&kept));
        exchange.judge_for(
            guard,
            br#"{"messages":[{"role":"user","content":"Hello there"}]}"#,
            &NOON,
            &Kept(&kept),
        );
    });
    kept.into_inner()
}

/// Keeps what is saved.
struct Kept<'a>(&'a RefCell<Vec<Vec<u8>>>);

impl Store for Kept<'_> {
    fn load(&self, _: u32) -> Option<(Vec<u8>, Version)> {
        None
    }

    fn save(&self, _: u32, bytes: &[u8], _: Version) -> Result<(), Conflict> {
        self.0.borrow_mut().push(bytes.to_vec());
        Ok(())
    }
}
