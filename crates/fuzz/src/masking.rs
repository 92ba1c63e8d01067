//! Bodies that are changed on their way: requests masked, numbers clamped, answers masked and filled in again.

use guard::{AnswerHead, AnswerPlan, Exchange, Guard, HeadFacts, Moment, NoStore};
use serde_json::{Value, json};
use wire::{Surface, Verdict};

use crate::{
    changed::{self, Changes, is_mask, is_redaction},
    exchanging::{PATHS, reports},
};

const NOON: Moment = Moment { unix_ms: 1_790_000_000_000, entropy: [7; 10] };
const POLICY: &[u8] =
    br#"{"model":{"name":"fuzz"},"detect":{"pii":"mask","secret":"mask","exfiltration":"mask","paranoia":3},
    "input":{"clamp_tokens":77,"clamp_answers":2},"conversation":{"history":"excise"},
    "response":{"pii":"mask","secret":"mask","exfiltration":"mask","unscannable":"flag"}}"#;
const REQUESTS: Changes = Changes { is_placeholder: is_mask, clamped: &[77, 2], nulls: false, cuts: true };
const ANSWERS: Changes = Changes { is_placeholder: is_redaction, clamped: &[], nulls: true, cuts: false };

thread_local! {
    static GUARD: Guard = Guard::from_json(POLICY, None, Surface::Native, "fuzz").expect("a policy");
}

fn open(guard: &Guard, path: &str) -> Exchange {
    let facts = HeadFacts { method: "POST", path, route: "", address: None };
    guard.open(guard.head(facts, [(&b"content-type"[..], &b"application/json"[..])]), true, &NOON, &NoStore)
}

/// A request in JSON, its path chosen by the first byte. What goes on in its place is JSON that differs in masked texts
/// and clamped numbers alone; sent again, it comes to an end; an answer that repeats it is JSON with the values in it.
pub(crate) fn mask(data: &[u8]) {
    let Some((&choice, body)) = data.split_first() else { return };
    let path = PATHS[usize::from(choice) % PATHS.len()];
    GUARD.with(|guard| {
        let mut exchange = open(guard, path);
        let outcome = match exchange.outcome() {
            Some(outcome) => outcome.clone(),
            None => exchange.judge(guard, body, &NOON).clone(),
        };
        reports(&mut exchange);
        let Some(forward) = outcome.forward.body else { return };
        assert!(outcome.reply.is_none() && outcome.verdict < Verdict::Block, "{:?}", outcome.verdict);
        changed::check(body, &forward, REQUESTS);
        settles(&forward, REQUESTS, |body| open(guard, path).judge(guard, body, &NOON).forward.body.clone());
        repeated(guard, &mut exchange, body, &forward);
    });
}

/// The model says what it was told.
fn repeated(guard: &Guard, exchange: &mut Exchange, body: &[u8], forward: &[u8]) {
    let (Ok(before), Ok(after)) =
        (serde_json::from_slice::<Value>(body), serde_json::from_slice::<Value>(forward))
    else {
        return;
    };
    let mut pairs = Vec::new();
    strings(&before, &after, &mut pairs);
    for (_, told) in pairs.iter().filter(|(said, told)| said != told).take(4) {
        let answer =
            json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": told}}]}).to_string();
        let head = AnswerHead::new(200, [(&b"content-type"[..], &b"application/json"[..])]);
        if !matches!(exchange.open_answer(guard, head, &NOON), AnswerPlan::Whole { .. }) {
            return;
        }
        let given = exchange.judge_answer(guard, answer.as_bytes(), &NOON);
        let text = given.body.unwrap_or_else(|| answer.into_bytes());
        serde_json::from_slice::<Value>(&text).expect("an answer with values put back is JSON");
    }
}

/// Strings of two values of the same form, side by side.
fn strings<'v>(one: &'v Value, other: &'v Value, pairs: &mut Vec<(&'v str, &'v str)>) {
    match (one, other) {
        (Value::String(one), Value::String(other)) => pairs.push((one, other)),
        (Value::Array(one), Value::Array(other)) => {
            one.iter().zip(other).for_each(|(one, other)| strings(one, other, pairs));
        }
        (Value::Object(one), Value::Object(other)) => {
            one.values().zip(other.values()).for_each(|(one, other)| strings(one, other, pairs));
        }
        _ => {}
    }
}

/// A whole answer in JSON, the request's path chosen by the first byte: what goes on in its place is JSON that differs in
/// masked texts alone, and nothing in it has to be masked again.
pub(crate) fn whole(data: &[u8]) {
    let Some((&choice, body)) = data.split_first() else { return };
    let path = PATHS[usize::from(choice) % PATHS.len()];
    GUARD.with(|guard| {
        let Some(answer) = answered(guard, path, body) else { return };
        changed::check(body, &answer, ANSWERS);
        settles(&answer, ANSWERS, |body| answered(guard, path, body));
    });
}

/// What stood on both sides of something masked may be read together afterwards, and be masked too; but not for ever.
fn settles(body: &[u8], changes: Changes, mask: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    let mut last = body.to_vec();
    for _ in 0..4 {
        let Some(next) = mask(&last) else { return };
        changed::check(&last, &next, changes);
        last = next;
    }
    panic!("masked for ever: {}", String::from_utf8_lossy(&last));
}

/// The body in place of an answer, if there is another.
fn answered(guard: &Guard, path: &str, body: &[u8]) -> Option<Vec<u8>> {
    let facts = HeadFacts { method: "GET", path, route: "", address: None };
    let mut exchange = guard.open(guard.head(facts, core::iter::empty()), false, &NOON, &NoStore);
    let head = AnswerHead::new(200, [(&b"content-type"[..], &b"application/json"[..])]);
    let AnswerPlan::Whole { .. } = exchange.open_answer(guard, head, &NOON) else { return None };
    let outcome = exchange.judge_answer(guard, body, &NOON);
    reports(&mut exchange);
    assert!(outcome.reply.is_none() || outcome.body.is_none());
    outcome.body
}
