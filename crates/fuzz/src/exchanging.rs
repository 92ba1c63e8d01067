//! Whole requests before the guard.

use guard::{Conflict, Exchange, Guard, Head, HeadFacts, Moment, Store, Version, wire};
use wire::{Batch, Score, Surface, Verdict};

const NOON: Moment = Moment { unix_ms: 1_790_000_000_000, entropy: [7; 10] };
const PATHS: [&str; 12] = [
    "/v1/chat/completions",
    "/v1/messages",
    "/v2/models/m/infer",
    "/v1/embeddings?x",
    "/",
    "/\u{1}\"é",
    "/v1/responses",
    "/v1/moderations",
    "/v1beta/models/g:generateContent",
    "/api/chat",
    "/model/m/converse",
    "/mcp",
];
const ENFORCING: &[u8] = br#"{"model":{"name":"fuzz"},"report":{"evidence":true},"detect":{"paranoia":4}}"#;
const MONITORING: &[u8] = br#"{"model":{"name":"fuzz"},"mode":"monitor"}"#;

thread_local! {
    static GUARDS: [Guard; 2] = [ENFORCING, MONITORING].map(|policy| {
        Guard::from_json(policy, None, Surface::Native, "fuzz")
            .expect("a policy")
    });
}

/// Remembers nothing.
struct Nowhere;

impl Store for Nowhere {
    fn load(&self, _slot: u32) -> Option<(Vec<u8>, Version)> {
        None
    }

    fn save(&self, _slot: u32, _bytes: &[u8], _version: Version) -> Result<(), Conflict> {
        Ok(())
    }
}

/// A request, its policy and path chosen by the first byte, a header in the first line, its body behind it: a refusal
/// has an answer and nothing else has; whatever is reported, the relay accepts.
pub fn exchange(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let choice = usize::from(choice);
    let (line, body) = match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (&[][..], rest),
    };
    let (name, value) = match line.iter().position(|byte| *byte == b':') {
        Some(colon) => (&line[..colon], &line[colon + 1..]),
        None => (&b"content-type"[..], &b"application/json"[..]),
    };
    GUARDS.with(|guards| {
        let guard = &guards[choice & 1];
        let path = PATHS[(choice >> 1) % PATHS.len()];
        let facts = HeadFacts { method: "POST", path, route: "route", address: Some("192.0.2.7") };
        let mut exchange = guard.open(Head::new(facts, [(name, value)]), !body.is_empty(), &NOON, &Nowhere);
        if exchange.outcome().is_none() {
            exchange.judge(guard, body, &NOON);
        }
        check(&mut exchange, choice & 1 == 0);
    });
}

fn check(exchange: &mut Exchange, enforcing: bool) {
    let outcome = exchange.outcome().expect("a verdict").clone();
    let refused = matches!(outcome.verdict, Verdict::Block | Verdict::Throttle);
    assert!(outcome.reply.is_some() == (refused && enforcing), "{outcome:?}");
    assert!(outcome.score <= Score::from_thousandths(1000));
    if let Some(reply) = &outcome.reply {
        // JSON-RPC refuses in its own envelope.
        let rpc = reply.status == 200 && reply.body.starts_with("{\"jsonrpc\":\"2.0\",\"id\":");
        assert!(rpc || (400..=599).contains(&reply.status), "{reply:?}");
        if reply.content_type.starts_with("application/json") {
            serde_json::from_str::<serde_json::Value>(&reply.body).expect("a reply in JSON");
        }
    }
    let events: Vec<_> = core::iter::from_fn(|| exchange.take_event()).collect();
    assert!(!refused || !events.is_empty() || !enforcing, "a refusal that nobody hears of");
    let batch = Batch::new(0, events);
    let received = Batch::decode(&batch.to_json()).expect("what a guard sends is a batch");
    assert_eq!(received.events, batch.events, "{:?}", received.rejected);
}
