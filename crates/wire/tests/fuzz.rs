//! The bodies of the fuzz targets over changed good inputs, the same ones each time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

mod common;

use common::{Random, full_event};
use modelgate_wire::{Batch, Decision, DecisionAction, DecisionFeed, Subject, fuzz};

/// What each input is changed into: bytes replaced, removed, doubled, and pieces of JSON put in.
fn mutate(seed: &[u8], random: &mut Random) -> Vec<u8> {
    const PIECES: [&str; 14] = [
        "null",
        "\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "-1",
        "1e999",
        "\\u0000",
        "\\ud800",
        "\"v\":1",
        "18446744073709551616",
    ];
    let mut data = seed.to_vec();
    for _ in 0..=random.below(4) {
        if data.is_empty() {
            break;
        }
        let at = random.below(data.len());
        match random.below(5) {
            0 => data[at] = u8::try_from(random.below(256)).unwrap(),
            1 => drop(data.remove(at)),
            2 => data.truncate(at),
            3 => {
                let piece = random.pick(&PIECES);
                data.splice(at..at, piece.bytes());
            }
            _ => {
                let end = (at + random.below(40)).min(data.len());
                let piece = data[at..end].to_vec();
                data.splice(at..at, piece);
            }
        }
    }
    data
}

#[test]
fn batches_keep_their_promises() {
    let mut random = Random(11);
    let seed = Batch::new(2, vec![full_event(), full_event()]).to_json();
    let mut read = 0;
    for _ in 0..10_000 {
        let data = mutate(&seed, &mut random);
        read += usize::from(Batch::decode(&data).is_ok());
        fuzz::batch(&data);
    }
    assert!(read > 1000, "only {read} of the changed batches could still be read");
}

#[test]
fn envelopes_keep_their_promises() {
    let mut random = Random(19);
    let envelope = |event| serde_json::json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "modelgate.event", "data": event});
    let seed = serde_json::json!([envelope(full_event()), envelope(full_event())]).to_string();
    let mut read = 0;
    for _ in 0..10_000 {
        let data = mutate(seed.as_bytes(), &mut random);
        read +=
            usize::from(Batch::decode_cloud_events(&data).is_ok_and(|decoded| !decoded.events.is_empty()));
        fuzz::batch(&data);
    }
    assert!(read > 1000, "only {read} of the changed lists could still be read");
}

#[test]
fn ids_keep_their_promises() {
    let mut random = Random(12);
    for _ in 0..20_000 {
        fuzz::id(&mutate(b"017f22e2-79b0-7cc3-98c4-dc0c0c07398f", &mut random));
    }
}

#[test]
fn signatures_keep_their_promises() {
    let mut random = Random(13);
    let key = modelgate_wire::signature::Key::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    // Header and body have the same length, as the target splits its input in the middle.
    let body = b"{\"a signed body that is as long as its header\"}";
    let header = key.sign("msg_1", 1_614_265_330, body);
    assert_eq!(header.len(), body.len());
    let seed = [header.as_bytes(), body].concat();
    fuzz::signature(&seed);
    for _ in 0..5000 {
        fuzz::signature(&mutate(&seed, &mut random));
    }
}

#[test]
fn feeds_keep_their_promises() {
    let mut random = Random(17);
    let decision = |id: u64, scope: &str, value: &str, action| Decision {
        id,
        subject: Subject::parse(scope, value).unwrap(),
        action,
        until: 1_790_000_000,
        rate: 7,
    };
    let seed = DecisionFeed {
        epoch: "a1b2".into(),
        serial: 12,
        reset: true,
        more: false,
        entries: vec![
            decision(1, "address", "192.0.2.1", DecisionAction::Block),
            decision(2, "cidr", "2001:db8::/32", DecisionAction::Throttle),
            decision(3, "key_hash", "00112233445566778899aabbccddeeff", DecisionAction::Monitor),
            decision(4, "user", "ann", DecisionAction::Lift),
        ],
        rejected: 0,
    }
    .to_json();
    let mut read = 0;
    for _ in 0..20_000 {
        let data = mutate(&seed, &mut random);
        read += u32::from(DecisionFeed::decode(&data).is_ok());
        fuzz::feed(&data);
    }
    assert!(read > 500, "only {read} inputs got past the first error");
}
