//! Events in envelopes of CloudEvents: which are opened, and what is said of the others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

mod common;

use common::full_event;
use modelgate_wire::{Batch, BatchError, limits};
use serde_json::{Value, json};

fn envelope() -> Value {
    json!({
        "specversion": "1.0", "id": "a-1", "source": "/mesh/eu", "type": "modelgate.event",
        "datacontenttype": "application/json", "time": "2026-11-20T10:00:00Z", "anextension": {"x": [1]},
        "data": full_event(),
    })
}

#[test]
fn one_envelope_and_a_list_are_read() {
    for (body, count) in [(envelope(), 1), (json!([envelope(), envelope(), envelope()]), 3), (json!([]), 0)] {
        let decoded = Batch::decode_cloud_events(format!(" \n{body}").as_bytes()).unwrap();
        assert_eq!(decoded.events, vec![full_event(); count]);
        assert!(decoded.rejected.is_empty());
    }
}

#[test]
fn bad_envelopes_are_named_and_the_good_ones_kept() {
    let with = |name: &str, value: Value| {
        let mut changed = envelope();
        changed[name] = value;
        changed
    };
    let mut bare = envelope();
    bare.as_object_mut().unwrap().remove("data");
    let mut event = serde_json::to_value(full_event()).unwrap();
    event["severity"] = json!("fatal");
    let table = [
        (with("specversion", json!("0.3")), "specversion: \"0.3\" is not 1.0"),
        (with("id", json!("")), "id: is empty"),
        (with("source", json!("")), "source: is empty"),
        (with("type", json!("com.example.other")), "type: \"com.example.other\" is not modelgate.event"),
        (bare, "data: is missing"),
        (with("data", event), "data: unknown variant `fatal`"),
        (with("id", json!(7)), "invalid type: integer `7`"),
        (json!("text"), "invalid type: string"),
        (json!(null), "invalid type: null"),
    ];
    for (bad, expected) in table {
        let decoded =
            Batch::decode_cloud_events(json!([envelope(), bad, envelope()]).to_string().as_bytes()).unwrap();
        assert_eq!(decoded.events.len(), 2, "{expected}");
        let [error] = decoded.rejected.as_slice() else { panic!("{expected}: {:?}", decoded.rejected) };
        assert_eq!(error.index, 1);
        assert!(error.reason.starts_with(expected), "{:?} does not begin with {expected:?}", error.reason);
    }
}

#[test]
fn bodies_that_are_no_envelopes_are_refused() {
    for body in ["", "[", "{", "[{}] x", "[{},]"] {
        let refused = Batch::decode_cloud_events(body.as_bytes());
        assert!(matches!(refused, Err(BatchError::Malformed { .. })), "{body:?}: {refused:?}");
    }
    let many = format!("[{}1]", "1,".repeat(limits::MAX_EVENTS));
    assert!(matches!(Batch::decode_cloud_events(many.as_bytes()), Err(BatchError::TooManyEvents { .. })));
    let long = format!("[{}]", " ".repeat(limits::MAX_BATCH_BYTES));
    assert!(matches!(Batch::decode_cloud_events(long.as_bytes()), Err(BatchError::TooLarge { .. })));
    let deep = "[".repeat(200_000);
    assert!(Batch::decode_cloud_events(deep.as_bytes()).is_err(), "depth is bounded");
}
