//! Streamed answers on their way back.

use guard::{AnswerHead, AnswerPlan, Guard, Head, HeadFacts, Moment, NoStore};
use wire::{Finding, Surface};

use crate::exchanging::reports;

const NOON: Moment = Moment { unix_ms: 1_790_000_000_000, entropy: [7; 10] };
const PATHS: [&str; 8] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1beta/models/g:streamGenerateContent",
    "/api/chat",
    "/mcp",
    "/",
];
const TYPES: [&str; 3] = ["text/event-stream", "application/x-ndjson", "text/plain"];
const POLICIES: [&[u8]; 3] = [
    br#"{"model":{"name":"fuzz"},"detect":{"canaries":["Kestrel-7f3a-Harbour"]},"response":{"pii":"mask"}}"#,
    br#"{"model":{"name":"fuzz"},"response":{"secret":"block","exfiltration":"block","unscannable":"block"}}"#,
    br#"{"model":{"name":"fuzz"},"response":{"secret":"flag","canary":"flag","image":"flag"}}"#,
];

thread_local! {
    static GUARDS: [Guard; 3] = POLICIES.map(|policy| {
        Guard::from_json(policy, None, Surface::Native, "fuzz").expect("a policy")
    });
}

/// A stream; policy, protocol, content type and the size of its chunks chosen by the first two bytes. However it is cut,
/// the same goes on and the same is found; what goes on is bounded; where nothing may be changed, all goes on as it came;
/// whatever is reported, the relay accepts.
pub(crate) fn respond(data: &[u8]) {
    let [choice, size, body @ ..] = data else { return };
    let choice = usize::from(*choice);
    GUARDS.with(|guards| {
        let guard = &guards[choice % 3];
        let (path, kind) = (PATHS[choice / 3 % PATHS.len()], TYPES[choice / 24 % TYPES.len()]);
        let (whole, findings) = through(guard, path, kind, [body]);
        let (pieces, again) = through(guard, path, kind, pieces(body, *size));
        assert_eq!(String::from_utf8_lossy(&pieces), String::from_utf8_lossy(&whole));
        assert_eq!(again, findings);
        assert!(whole.len() <= 2 * body.len() + 4096, "{} bytes of {}", whole.len(), body.len());
        if choice % 3 == 2 {
            assert_eq!(whole, body);
        }
    });
}

fn through<'c>(
    guard: &Guard,
    path: &str,
    kind: &str,
    chunks: impl IntoIterator<Item = &'c [u8]>,
) -> (Vec<u8>, Vec<Finding>) {
    let facts = HeadFacts { method: "GET", path, route: "", address: None };
    let head = Head::new(facts, core::iter::empty());
    let mut exchange = guard.open(head, false, &NOON, &NoStore);
    let plan =
        exchange.open_answer(guard, AnswerHead::new(200, [(&b"content-type"[..], kind.as_bytes())]), &NOON);
    assert!(matches!(plan, AnswerPlan::Stream { .. }), "{plan:?}");
    let mut out = Vec::new();
    for chunk in chunks {
        out.extend(exchange.push_answer(guard, chunk, false, &NOON).bytes);
    }
    out.extend(exchange.push_answer(guard, &[], true, &NOON).bytes);
    let events = reports(&mut exchange);
    let mut findings: Vec<_> = events.into_iter().flat_map(|event| event.findings).collect();
    findings.sort_by(|a, b| a.rule.cmp(&b.rule));
    (out, findings)
}

/// A body in pieces of one size, or of sizes that differ.
fn pieces(mut body: &[u8], size: u8) -> impl Iterator<Item = &[u8]> {
    let mut next = usize::from(size & 127) + 1;
    core::iter::from_fn(move || {
        let (piece, rest) = body.split_at(next.min(body.len()));
        body = rest;
        if size >= 128 {
            next = next * 37 % 101;
        }
        (!piece.is_empty()).then_some(piece)
    })
}
