use alloc::{format, string::ToString as _, vec};

use wire::{Decision, KeyIdentity, Subject, limits};

use super::*;

const NOW: u64 = 1_790_000_000_000;
const NOW_S: u64 = NOW / 1000;
const MOMENT: Moment = Moment { unix_ms: NOW, entropy: [3; 10] };

fn key() -> Key {
    Key::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()
}

fn decision(scope: &str, value: &str, action: DecisionAction) -> Decision {
    let subject = Subject::parse(scope, value).unwrap();
    Decision { id: 7, subject, action, until: NOW_S + 60, rate: 5 }
}

fn feed(serial: u64, reset: bool, entries: Vec<Decision>) -> DecisionFeed {
    DecisionFeed { epoch: "e1".into(), serial, reset, more: false, entries, rejected: 0 }
}

/// Hands a feed over as the relay would.
fn give(decisions: &mut Decisions, feed: &DecisionFeed, now_ms: u64) -> Result<Update, PullError> {
    let body = feed.to_json();
    let timestamp = (now_ms / 1000).to_string();
    let signature = key().sign("dec_1", now_ms / 1000, &body);
    let pulled = Pulled { status: 200, signature: ["dec_1", &timestamp, &signature], body: &body };
    decisions.settle(Some(pulled), &key(), 10_000, now_ms)
}

fn known(entries: Vec<Decision>) -> Decisions {
    let mut decisions = Decisions::new(1000);
    give(&mut decisions, &feed(1, true, entries), NOW).unwrap();
    decisions
}

fn client(address: &str) -> Client {
    Client { address: Some(address.into()), ..Client::default() }
}

fn about(decisions: &Decisions, address: &str) -> Option<DecisionAction> {
    decisions.find(&client(address), NOW).map(|decided| decided.action)
}

#[test]
fn callers_are_found_by_address_range_key_and_user() {
    use DecisionAction::{Block, Monitor, Throttle};
    let hash = "00112233445566778899aabbccddeeff";
    let decisions = known(vec![
        decision("address", "192.0.2.1", Block),
        decision("cidr", "198.51.100.0/24", Throttle),
        decision("cidr", "198.51.100.128/25", Monitor),
        decision("cidr", "2001:db8::/32", Block),
        decision("key_hash", hash, Block),
        decision("user", "ann", Throttle),
    ]);
    for (address, expected) in [
        ("192.0.2.1", Some(Block)),
        ("::ffff:192.0.2.1", Some(Block)),
        ("192.0.2.2", None),
        ("198.51.100.7", Some(Throttle)),
        ("198.51.100.200", Some(Throttle)),
        ("198.51.101.7", None),
        ("2001:db8:ffff::1", Some(Block)),
        ("2001:db9::1", None),
        ("::192.0.2.1", None),
        ("not an address", None),
    ] {
        assert_eq!(about(&decisions, address), expected, "{address}");
    }
    let key = KeyIdentity { hash: hash.into(), prefix: String::new() };
    let mut caller = Client { key: Some(key), ..client("192.0.2.9") };
    assert_eq!(decisions.find(&caller, NOW).map(|it| (it.id, it.action)), Some((7, Block)));
    caller.key = None;
    caller.user = Some("ann".into());
    assert_eq!(decisions.find(&caller, NOW).map(|it| (it.rate, it.action)), Some((5, Throttle)));
    caller.user = Some("Ann".into());
    assert_eq!(decisions.find(&caller, NOW), None);
}

#[test]
fn everybody_can_be_meant() {
    let decisions = known(vec![decision("cidr", "0.0.0.0/0", DecisionAction::Monitor)]);
    assert_eq!(about(&decisions, "203.0.113.1"), Some(DecisionAction::Monitor));
    assert_eq!(about(&decisions, "2001:db8::1"), None);
    let decisions = known(vec![decision("cidr", "::/0", DecisionAction::Monitor)]);
    assert_eq!(about(&decisions, "203.0.113.1"), Some(DecisionAction::Monitor));
}

#[test]
fn later_feeds_change_lift_and_add() {
    let mut decisions = known(vec![
        decision("address", "192.0.2.1", DecisionAction::Block),
        decision("address", "192.0.2.2", DecisionAction::Block),
    ]);
    let changes = vec![
        decision("address", "192.0.2.1", DecisionAction::Monitor),
        decision("address", "192.0.2.3", DecisionAction::Block),
        decision("address", "192.0.2.3", DecisionAction::Throttle),
        decision("address", "192.0.2.2", DecisionAction::Lift),
    ];
    give(&mut decisions, &feed(5, false, changes), NOW).unwrap();
    assert_eq!(about(&decisions, "192.0.2.1"), Some(DecisionAction::Monitor));
    assert_eq!(about(&decisions, "192.0.2.2"), None);
    assert_eq!(about(&decisions, "192.0.2.3"), Some(DecisionAction::Throttle));
    assert_eq!(decisions.len(), 2);
    let other = DecisionFeed { epoch: "e2".into(), ..feed(1, true, vec![]) };
    give(&mut decisions, &other, NOW).unwrap();
    assert!(decisions.is_empty(), "a new life of the list");
}

#[test]
fn decisions_end_by_themselves_while_the_relay_is_away() {
    let mut decisions = known(vec![decision("address", "192.0.2.1", DecisionAction::Block)]);
    for (seconds, expected) in [(0, true), (59, true), (60, false), (61, false)] {
        let now = NOW + seconds * 1000;
        assert_eq!(decisions.find(&client("192.0.2.1"), now).is_some(), expected, "after {seconds} s");
        let _ = decisions.settle(None, &key(), 10_000, now);
    }
    decisions.next_pull("/v1/decisions", &key(), &Moment { unix_ms: NOW + 200_000, ..MOMENT });
    assert!(decisions.is_empty(), "swept");
}

#[test]
fn a_pull_names_what_is_known_and_is_signed() {
    let mut decisions = Decisions::new(10);
    let pull = decisions.next_pull("/v1/decisions", &key(), &MOMENT).unwrap();
    assert_eq!(pull.path, "/v1/decisions?epoch=&since=0");
    assert_eq!(decisions.next_pull("/v1/decisions", &key(), &MOMENT), None, "one is under way");
    give(&mut decisions, &feed(3, true, vec![]), NOW).unwrap();
    assert_eq!(decisions.next_pull("/v1/decisions", &key(), &MOMENT), None, "not due yet");
    let later = Moment { unix_ms: NOW + 10_000, ..MOMENT };
    let pull = decisions.next_pull("/v1/decisions", &key(), &later).unwrap();
    assert_eq!(pull.path, "/v1/decisions?epoch=e1&since=3");
    let header = |name: &str| pull.headers.iter().find(|(known, _)| *known == name).unwrap().1.as_str();
    assert_eq!(header("if-none-match"), "\"e1-3\"");
    let (id, timestamp) = (header(ID_HEADER), header(TIMESTAMP_HEADER));
    let body = pull.path.as_bytes();
    signature::verify(&[key()], later.unix_ms / 1000, id, timestamp, header(SIGNATURE_HEADER), body).unwrap();
}

#[test]
fn more_is_asked_for_at_once_and_failures_are_waited_for() {
    let mut decisions = Decisions::new(10);
    let part = DecisionFeed { more: true, ..feed(3, true, vec![]) };
    give(&mut decisions, &part, NOW).unwrap();
    assert!(decisions.next_pull("/d", &key(), &MOMENT).is_some());
    for (failures, pause) in [(1, 1000), (2, 2000), (3, 4000), (7, 60_000), (70, 60_000)] {
        let mut decisions = Decisions::new(10);
        for _ in 0..failures {
            assert_eq!(decisions.settle(None, &key(), 500, NOW), Err(PullError::Status(None)));
        }
        let mut is_due = |wait: u64| {
            let moment = Moment { unix_ms: NOW + wait, ..MOMENT };
            decisions.next_pull("/d", &key(), &moment).is_some()
        };
        assert!(!is_due(pause - 1) && is_due(pause), "after {failures} failures");
    }
    decisions.under_way = None;
    let back = Moment { unix_ms: NOW - 86_400_000, ..MOMENT };
    assert!(decisions.next_pull("/d", &key(), &back).is_some(), "a clock that went back");
}

#[test]
fn what_the_relay_did_not_sign_changes_nothing() {
    let mut decisions = known(vec![decision("address", "192.0.2.1", DecisionAction::Block)]);
    let body = feed(9, false, vec![decision("address", "192.0.2.1", DecisionAction::Lift)]).to_json();
    let now = NOW_S.to_string();
    let old = (NOW_S - 400).to_string();
    let good = key().sign("dec_1", NOW_S, &body);
    let of_a_batch = key().sign("msg_1", NOW_S, &body);
    let of_old = key().sign("dec_1", NOW_S - 400, &body);
    let mut changed = body.clone();
    let last = changed.len() - 3;
    changed[last] ^= 1;
    for (signature, body) in [
        (["", "", ""], &body),
        (["dec_1", &now, "v1,AAAA"], &body),
        (["dec_2", &now, &good], &body),
        (["msg_1", &now, &of_a_batch], &body),
        (["dec_1", &old, &of_old], &body),
        (["dec_1", &now, &good], &changed),
    ] {
        let pulled = Pulled { status: 200, signature, body };
        let error = decisions.settle(Some(pulled), &key(), 0, NOW).unwrap_err();
        assert!(matches!(error, PullError::Signature(_)), "{signature:?}: {error:?}");
    }
    let pulled = Pulled { status: 500, signature: ["dec_1", &now, &good], body: &body };
    assert_eq!(decisions.settle(Some(pulled), &key(), 0, NOW), Err(PullError::Status(Some(500))));
    assert_eq!(about(&decisions, "192.0.2.1"), Some(DecisionAction::Block));
    // Signed, and older than what is known, or of another life without saying so.
    give(&mut decisions, &feed(9, false, vec![]), NOW).unwrap();
    for stale in [
        feed(8, false, vec![]),
        feed(9, true, vec![]),
        DecisionFeed { epoch: "e0".into(), ..feed(99, false, vec![]) },
    ] {
        assert_eq!(give(&mut decisions, &stale, NOW), Err(PullError::Stale));
    }
    assert_eq!(about(&decisions, "192.0.2.1"), Some(DecisionAction::Block));
}

#[test]
fn a_hundred_thousand_decisions_take_32_bytes_each_and_are_all_found() {
    assert_eq!((table::ENTRY_BYTES, limits::MAX_FEED_ENTRIES), (32, 5000));
    let mut decisions = Decisions::new(100_000);
    let address = |number: u32| core::net::Ipv4Addr::from_bits(number.wrapping_mul(0x9e37_79b1));
    for page in 0..20_u32 {
        let entries = (0..5000_u32)
            .map(|at| Decision {
                id: u64::from(at),
                subject: Subject::Address(address(page * 5000 + at).into()),
                action: DecisionAction::Block,
                until: NOW_S + 60,
                rate: 0,
            })
            .collect();
        give(&mut decisions, &feed(u64::from(page) + 1, page == 0, entries), NOW).unwrap();
    }
    assert_eq!(decisions.len(), 100_000);
    for number in (0..100_000).step_by(37) {
        assert_eq!(about(&decisions, &address(number).to_string()), Some(DecisionAction::Block));
    }
    assert_eq!(about(&decisions, &address(100_001).to_string()), None);
}

#[test]
fn where_there_is_no_room_those_that_end_first_go() {
    let mut decisions = Decisions::new(3);
    let entries: Vec<Decision> = (1..=5)
        .map(|number| Decision {
            until: NOW_S + 60 * number,
            ..decision("address", &format!("192.0.2.{number}"), DecisionAction::Block)
        })
        .collect();
    let update = give(&mut decisions, &feed(1, true, entries), NOW).unwrap();
    assert_eq!(update, Update::Applied { entries: 5, rejected: 0, left_out: 2 });
    let found: Vec<bool> =
        (1..=5).map(|number| about(&decisions, &format!("192.0.2.{number}")).is_some()).collect();
    assert_eq!(found, [false, false, true, true, true]);
}

#[test]
fn any_decisions_give_what_a_plain_search_gives() {
    let mut state = 1_u64;
    let mut number = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(state >> 40).unwrap()
    };
    for _ in 0..200 {
        let mut decisions = Decisions::new(1000);
        let mut all: Vec<Decision> = Vec::new();
        for serial in 1..4 {
            let entries: Vec<Decision> = (0..20)
                .map(|id| {
                    let bits = 24 + u8::try_from(number() % 9).unwrap();
                    let address = core::net::Ipv4Addr::from_bits(0xc000_0200 | (number() % 64));
                    let first = core::net::Ipv4Addr::from_bits(address.to_bits() & u32::MAX << (32 - bits));
                    let actions = [DecisionAction::Lift, DecisionAction::Monitor, DecisionAction::Block];
                    Decision {
                        id,
                        subject: Subject::Range(first.into(), bits),
                        action: actions[number() as usize % 3],
                        until: NOW_S + u64::from(number() % 100),
                        rate: 0,
                    }
                })
                .collect();
            for entry in &entries {
                all.retain(|known| known.subject != entry.subject);
                all.push(entry.clone());
            }
            give(&mut decisions, &feed(serial, serial == 1, entries), NOW).unwrap();
        }
        for host in 0..64_u32 {
            let address = core::net::Ipv4Addr::from_bits(0xc000_0200 | host);
            for seconds in [0, 50, 99] {
                let fits = |known: &&Decision| match &known.subject {
                    Subject::Range(IpAddr::V4(first), bits) => {
                        (first.to_bits() ^ address.to_bits()) & (u32::MAX << (32 - bits)) == 0
                    }
                    _ => false,
                };
                let live = all.iter().filter(|known| known.until > NOW_S + seconds).filter(fits);
                let expected = live.map(|known| known.action).max().filter(|it| *it != DecisionAction::Lift);
                let found = decisions.find(&client(&address.to_string()), NOW + seconds * 1000);
                assert_eq!(found.map(|it| it.action), expected, "{address} after {seconds} s");
            }
        }
    }
}
