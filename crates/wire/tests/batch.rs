//! Batches: what a writer writes is read back, and what a reader refuses it names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

mod common;

use common::{Random, finding, full_event};
use modelgate_wire::{
    Batch, BatchError, Category, Direction, Event, EventId, EventKind, KeyIdentity, Location, Score,
    Severity, Span, Surface, Verdict, limits,
};
use serde_json::{Value, json};

/// The JSON of an event with every field.
fn full_json() -> Value {
    serde_json::to_value(full_event()).unwrap()
}

/// The answer to a batch of one event, changed by `change`.
fn with(change: impl FnOnce(&mut Value)) -> Result<Event, String> {
    let mut event = full_json();
    change(&mut event);
    let body = json!({"v": 1, "events": [event]}).to_string();
    let mut decoded = Batch::decode(body.as_bytes()).expect("a batch");
    match (decoded.events.pop(), decoded.rejected.pop()) {
        (Some(event), None) => Ok(event),
        (None, Some(error)) => {
            assert_eq!(error.index, 0);
            Err(error.reason)
        }
        other => panic!("one event, one answer: {other:?}"),
    }
}

#[test]
fn a_batch_comes_back_as_it_was() {
    let mut bare = full_event();
    bare.id = EventId::new(5, [1; 10]);
    bare.client = modelgate_wire::Client::default();
    bare.request = modelgate_wire::Request::default();
    bare.findings.clear();
    bare.node.clear();
    bare.route.clear();
    let batch = Batch::new(3, vec![full_event(), bare]);
    let decoded = Batch::decode(&batch.to_json()).unwrap();
    assert_eq!(decoded.events, batch.events);
    assert_eq!(decoded.dropped, 3);
    assert!(decoded.rejected.is_empty());
}

#[test]
fn the_json_of_an_event_is_fixed() {
    let expected = json!({
        "v": 1,
        "id": "01a1fb67-1030-7c1c-8707-070707070707",
        "time_ms": 1_795_219_198_000_u64,
        "kind": "detection",
        "model": "demo",
        "surface": "envoy",
        "node": "sidecar~10.0.0.1~pod.ns",
        "route": "chat",
        "client": {
            "address": "203.0.113.7",
            "key": {"hash": "00112233445566778899aabbccddeeff", "prefix": "sk-ab"},
            "user": "alice",
        },
        "request": {
            "id": "req-1",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "method": "POST",
            "path": "/v1/chat/completions",
            "protocol": "openai_chat",
            "bytes": 512,
            "parts": 2,
            "status": 400,
        },
        "verdict": "block",
        "score": 0.92,
        "severity": "high",
        "findings": [{
            "rule": "injection.override.ignore-previous",
            "category": "prompt_injection",
            "severity": "high",
            "score": 0.92,
            "summary": "Asks the model to drop its instructions",
            "owasp": ["LLM01:2025"],
            "atlas": ["AML.T0051.000"],
            "location": {"place": "/messages/1/content", "span": {"start": 3, "end": 9}},
            "transforms": ["base64"],
            "evidence": "ig…us",
        }],
        "shadow": {"verdict": "block", "score": 0.912},
    });
    assert_eq!(full_json(), expected);
}

#[test]
fn unknown_fields_kinds_and_categories_are_tolerated() {
    let event = with(|event| {
        event["of_a_later_version"] = json!({"deep": [1, 2, {"x": null}]});
        event["client"]["asn"] = json!(64512);
        event["findings"][0]["of_a_later_version"] = json!(true);
        event["kind"] = json!("drift");
        event["findings"][0]["category"] = json!("deepfake");
    })
    .unwrap();
    assert_eq!(event.kind, EventKind::Other);
    assert_eq!(event.findings[0].category, Category::Other);
    assert_eq!(event.findings[0].rule, finding().rule);
    let body = json!({"v": 1, "events": [], "sent_by": "a later version"}).to_string();
    assert!(Batch::decode(body.as_bytes()).is_ok());
}

#[test]
fn a_bad_event_is_refused_by_field_and_value() {
    type Change = fn(&mut Value);
    let long = limits::MAX_NAME_BYTES + 1;
    assert_eq!(long, 257);
    let table: &[(Change, &str)] = &[
        (|e| e["v"] = json!(2), "v: 2 is not known here, 1 is the newest"),
        (|e| e["v"] = json!(0), "v: 0 is not known"),
        (|e| e["time_ms"] = json!(253_402_300_800_000_u64), "time_ms: 253402300800000 is after"),
        (|e| e["model"] = json!(""), "model: is empty"),
        (|e| e["model"] = json!("a\nb"), "model: \"a\\nb\" has a control character"),
        (|e| e["model"] = json!("m".repeat(257)), "model: \"mmmm"),
        (|e| e["node"] = json!("n".repeat(257)), "has 257 bytes, more than 256"),
        (|e| e["route"] = json!("\u{85}"), "route: \"\\u{85}\" has a control character"),
        (|e| e["client"]["address"] = json!("\0"), "client.address: \"\\0\" has a control"),
        (|e| e["client"]["user"] = json!("u".repeat(257)), "client.user: "),
        (|e| e["client"]["key"]["hash"] = json!("xyz"), "client.key.hash: \"xyz\" is not 1 to 64 hex digits"),
        (|e| e["client"]["key"]["hash"] = json!(""), "client.key.hash: \"\" is not"),
        (|e| e["client"]["key"]["prefix"] = json!("\u{1b}[2J"), "client.key.prefix: "),
        (|e| e["request"]["id"] = json!("a\r\nb"), "request.id: \"a\\r\\nb\" has a control"),
        (|e| e["request"]["traceparent"] = json!("t".repeat(300)), "request.traceparent: "),
        (|e| e["request"]["method"] = json!("GET\n"), "request.method: "),
        (|e| e["request"]["protocol"] = json!("p".repeat(300)), "request.protocol: "),
        (|e| e["request"]["path"] = json!("p".repeat(2049)), "request.path: "),
        (|e| e["request"]["status"] = json!(99), "request.status: 99 is no HTTP status"),
        (|e| e["request"]["status"] = json!(600), "request.status: 600 is no HTTP status"),
        (|e| e["findings"] = json!(vec![finding(); 33]), "findings: 33 of them, more than 32"),
        (|e| e["findings"][0]["rule"] = json!(""), "findings[0].rule: is empty"),
        (|e| e["findings"][0]["rule"] = json!("a\tb"), "findings[0].rule: \"a\\tb\" has a control"),
        (|e| e["findings"][0]["summary"] = json!("s".repeat(2049)), "findings[0].summary: "),
        (|e| e["findings"][0]["evidence"] = json!("é".repeat(1025)), "has 2050 bytes, more than 2048"),
        (|e| e["findings"][0]["owasp"] = json!(vec!["x"; 17]), "findings[0].owasp: 17 of them, more than 16"),
        (|e| e["findings"][0]["atlas"] = json!(["\u{7f}"]), "findings[0].atlas: "),
        (|e| e["findings"][0]["transforms"] = json!(["t".repeat(300)]), "findings[0].transforms: "),
        (|e| e["findings"][0]["location"]["place"] = json!("/".repeat(2049)), "findings[0].location.place: "),
        (
            |e| e["findings"][0]["location"]["span"] = json!({"start": 9, "end": 3}),
            "findings[0].location.span: start 9 is after end 3",
        ),
        (|e| e["score"] = json!(1.0001), "a score lies between 0 and 1"),
        (|e| e["score"] = json!(-0.1), "a score lies between 0 and 1"),
        (|e| e["score"] = json!("high"), "invalid type"),
        (|e| e["verdict"] = json!("explode"), "unknown variant `explode`"),
        (|e| e["severity"] = json!("fatal"), "unknown variant `fatal`"),
        (|e| e["surface"] = json!("moon"), "unknown variant `moon`"),
        (|e| e["id"] = json!("not an id"), "an event id is a UUIDv7"),
        (|e| e["id"] = json!("017f22e2-79b0-4cc3-98c4-dc0c0c07398f"), "an event id is a UUIDv7"),
        (|e| e["time_ms"] = json!(-1), "invalid value: integer `-1`"),
        (|e| e["model"] = Value::Null, "invalid type: null"),
        (|e| drop(e.as_object_mut().unwrap().remove("model")), "missing field `model`"),
        (|e| *e = json!([]), "invalid length 0"),
        (|e| *e = json!("event"), "invalid type: string"),
        (|e| *e = Value::Null, "invalid type: null"),
    ];
    assert!(table.len() >= 40);
    for (change, expected) in table {
        let reason = with(change).expect_err(expected);
        assert!(reason.contains(expected), "{reason:?} does not say {expected:?}");
    }
}

#[test]
fn values_at_the_limits_are_taken() {
    let event = with(|e| {
        e["model"] = json!("m".repeat(256));
        e["request"]["path"] = json!("p".repeat(2048));
        e["request"]["status"] = json!(599);
        e["time_ms"] = json!(limits::MAX_TIME_MS);
        e["findings"] = json!(vec![finding(); 32]);
        e["findings"][0]["owasp"] = json!(vec!["x"; 16]);
        e["findings"][0]["location"]["span"] = json!({"start": 9, "end": 9});
        e["client"]["key"]["hash"] = json!("a".repeat(64));
    })
    .unwrap();
    assert_eq!(event.findings.len(), 32);
}

#[test]
fn good_events_survive_bad_neighbours() {
    let mut good = full_json();
    let mut bad = full_json();
    bad["id"] = json!("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    bad["model"] = json!(7);
    good["time_ms"] = json!(1);
    let body = json!({"v": 1, "events": [bad, good, "nonsense", good]}).to_string();
    let decoded = Batch::decode(body.as_bytes()).unwrap();
    assert_eq!(decoded.events.len(), 2);
    let places: Vec<usize> = decoded.rejected.iter().map(|error| error.index).collect();
    assert_eq!(places, [0, 2]);
    let id = decoded.rejected[0].id.unwrap();
    assert_eq!(id.to_string(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    assert_eq!(decoded.rejected[1].id, None);
}

#[test]
fn a_field_given_twice_is_refused() {
    let text = full_json().to_string().replacen("\"v\":1", "\"v\":1,\"model\":\"other\"", 1);
    let body = format!("{{\"v\":1,\"events\":[{text}]}}");
    let decoded = Batch::decode(body.as_bytes()).unwrap();
    assert!(decoded.rejected[0].reason.contains("duplicate field `model`"), "{:?}", decoded.rejected);
}

#[test]
fn the_direction_is_written_for_answers_alone_and_an_unknown_one_is_read() {
    let mut event = full_event();
    assert!(!serde_json::to_string(&event).unwrap().contains("direction"));
    event.direction = Direction::Response;
    let written = serde_json::to_value(&event).unwrap();
    assert_eq!(written["direction"], "response");
    assert_eq!(serde_json::from_value::<modelgate_wire::Event>(written).unwrap(), event);
    assert_eq!(with(|e| e["direction"] = json!("sideways")).unwrap().direction, Direction::Request);
}

#[test]
fn a_reason_is_short_and_one_line() {
    let noise = format!("\u{1b}[2J\n{}", "x".repeat(100_000));
    for field in ["verdict", "id", "surface"] {
        let reason = with(|e| e[field] = json!(noise)).unwrap_err();
        assert!(reason.chars().count() <= 300 && !reason.chars().any(char::is_control), "{field}: {reason}");
    }
}

#[test]
fn hostile_bodies_are_refused_as_a_whole() {
    let deep = format!("{{\"v\":1,\"events\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let many = format!("{{\"v\":1,\"events\":[{}0]}}", "0,".repeat(limits::MAX_EVENTS));
    let malformed: &[&[u8]] = &[
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{\"v\":1}",
        b"{\"events\":[]}",
        b"{\"v\":1,\"events\":{}}",
        b"{\"v\":\"1\",\"events\":[]}",
        b"{\"v\":-1,\"events\":[]}",
        b"{\"v\":99999999999,\"events\":[]}",
        b"{\"v\":1,\"v\":1,\"events\":[]}",
        b"{\"v\":1,\"events\":[]} trailing",
        b"{\"v\":1,\"events\":[]}{}",
        b"{\"v\":1,\"events\":[{\"a\":\"\xff\"}]}",
        b"{\"v\":1,\"events\":[{]}",
        b"{\"v\":1,\"dropped\":-5,\"events\":[]}",
        b"\xef\xbb\xbf{\"v\":1,\"events\":[]}",
    ];
    assert!(malformed.len() >= 15);
    for body in malformed {
        let error = Batch::decode(body).expect_err("malformed");
        assert!(
            matches!(error, BatchError::Malformed { .. }),
            "{error:?} of {:?}",
            String::from_utf8_lossy(body)
        );
    }
    let version = Batch::decode(b"{\"v\":2,\"events\":[]}").unwrap_err();
    assert_eq!(version, BatchError::UnknownVersion { version: 2 });
    assert_eq!(Batch::decode(many.as_bytes()).unwrap_err(), BatchError::TooManyEvents { events: 1001 });
    let large = vec![b' '; limits::MAX_BATCH_BYTES + 1];
    assert_eq!(
        Batch::decode(&large).unwrap_err(),
        BatchError::TooLarge { bytes: limits::MAX_BATCH_BYTES + 1 }
    );
    // Whether nested too deep for the batch or for its one event: an answer, not a stack overflow.
    match Batch::decode(deep.as_bytes()) {
        Ok(decoded) => assert!(decoded.events.is_empty() && decoded.rejected.len() == 1),
        Err(error) => assert!(matches!(error, BatchError::Malformed { .. })),
    }
    let nested = format!("\"extra\":{}1{},\"v\":1", "[".repeat(100_000), "]".repeat(100_000));
    let event = full_json().to_string().replacen("\"v\":1", &nested, 1);
    let body = format!("{{\"v\":1,\"events\":[{event}]}}");
    let decoded = Batch::decode(body.as_bytes()).unwrap();
    assert_eq!(decoded.events.len() + decoded.rejected.len(), 1, "an unknown field, however deep");
}

#[test]
fn every_truncation_is_refused() {
    let body = Batch::new(1, vec![full_event()]).to_json();
    for end in 0..body.len() {
        let error = Batch::decode(&body[..end]).expect_err("truncated");
        assert!(matches!(error, BatchError::Malformed { .. }), "cut at {end}: {error:?}");
    }
    assert!(Batch::decode(&body).is_ok());
}

#[test]
fn an_event_that_was_fitted_is_always_accepted() {
    let mut random = Random(1);
    let mut changed = 0;
    for round in 0..500 {
        let event = arbitrary(&mut random);
        let batch = Batch::new(0, vec![event.clone()]);
        changed += usize::from(batch.events[0] != event);
        let decoded = Batch::decode(&batch.to_json()).unwrap();
        assert!(decoded.rejected.is_empty(), "round {round}: {:?} of {event:?}", decoded.rejected);
        assert_eq!(decoded.events, batch.events, "round {round}");
        assert_eq!(decoded.events[0].id, event.id);
        assert_eq!(decoded.events[0].verdict, event.verdict);
    }
    assert!(changed > 400, "only {changed} events needed fitting");
}

#[test]
fn fitting_leaves_a_good_event_alone() {
    let mut event = full_event();
    event.fit();
    assert_eq!(event, full_event());
}

#[test]
fn fitting_keeps_the_beginning_and_says_that_it_cut() {
    let mut event = full_event();
    event.request.path = "ä".repeat(2000);
    event.model = "m\r\n".into();
    event.client.key = Some(KeyIdentity { hash: "not hex".into(), prefix: "sk".into() });
    event.findings[0].location =
        Some(Location { place: String::new(), span: Some(Span { start: 2, end: 1 }) });
    event.fit();
    assert!(event.request.path.starts_with("ääää") && event.request.path.ends_with('…'));
    assert!(event.request.path.len() <= limits::MAX_STRING_BYTES);
    assert_eq!(event.model, "m\u{fffd}\u{fffd}");
    assert_eq!(event.client.key, None);
    assert_eq!(event.findings[0].location, Some(Location { place: String::new(), span: None }));
}

/// Any event at all, most of them outside the limits.
fn arbitrary(random: &mut Random) -> Event {
    let mut event = full_event();
    event.id = EventId::new(random.next() >> 16, [u8::try_from(random.below(256)).unwrap(); 10]);
    event.time_ms = random.next() >> random.below(64);
    event.model = random.text(600);
    event.node = random.text(600);
    event.route = random.text(20);
    event.surface = random.pick(&[Surface::Envoy, Surface::Edge, Surface::Native]);
    event.direction = random.pick(&[Direction::Request, Direction::Response]);
    event.verdict = random.pick(&[Verdict::Allow, Verdict::Flag, Verdict::Throttle, Verdict::Block]);
    event.severity = random.pick(&[Severity::Low, Severity::Critical]);
    event.score = Score::from_thousandths(u16::try_from(random.below(2000)).unwrap());
    event.client.address = Some(random.text(400));
    event.client.user = Some(random.text(400));
    event.client.key = Some(KeyIdentity { hash: random.text(80), prefix: random.text(400) });
    event.request.id = Some(random.text(400));
    event.request.path = random.text(4000);
    event.request.method = random.text(20);
    event.request.status = u16::try_from(random.below(2000)).ok();
    event.findings = (0..random.below(40)).map(|_| arbitrary_finding(random)).collect();
    event
}

fn arbitrary_finding(random: &mut Random) -> modelgate_wire::Finding {
    let mut found = finding();
    found.rule = random.text(300);
    found.summary = random.text(100);
    found.evidence = Some(random.text(100));
    found.owasp = (0..random.below(20)).map(|_| random.text(10)).collect();
    found.transforms = (0..random.below(20)).map(|_| random.text(10)).collect();
    let span = Span { start: random.next() >> 40, end: random.next() >> 40 };
    found.location = Some(Location { place: random.text(100), span: Some(span) });
    found
}
