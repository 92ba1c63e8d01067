//! What texts made to cost much cost, from a body's bytes to the verdict:
//!
//! ```text
//! cargo build --release -p modelgate-guard --example cost
//! target/release/examples/cost 8192                        # nanoseconds a byte, the dearest first
//! valgrind --tool=callgrind --dump-before='*measured*' \
//!     --callgrind-out-file=target/cost target/release/examples/cost 8192 NAME
//! ```
//! Each text is judged in [`measured`], so that each has a dump of its own. The first is ordinary prose: no other is
//! to cost more than ten times as much a byte.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement, run by hand"
)]

#[path = "cost/texts.rs"]
mod texts;

use std::{hint::black_box, time::Instant};

use modelgate_guard::{
    Conflict, Guard, Head, HeadFacts, Moment, Store, Version, wire::Surface, wire::Verdict,
};

/// A ledger that keeps nothing: nobody is limited here.
struct NoLedger;

impl Store for NoLedger {
    fn load(&self, _: u32) -> Option<(Vec<u8>, Version)> {
        None
    }

    fn save(&self, _: u32, _: &[u8], _: Version) -> Result<(), Conflict> {
        Ok(())
    }
}

/// Judges a body: what callgrind counts.
#[inline(never)]
fn measured(guard: &Guard, body: &[u8]) -> Verdict {
    let moment = Moment { unix_ms: 1_790_000_000_000, entropy: [7; 10] };
    let facts =
        HeadFacts { method: "POST", path: "/v1/chat/completions", route: "", address: Some("192.0.2.7") };
    let head = Head::new(facts, [("content-type".as_bytes(), "application/json".as_bytes())]);
    let mut exchange = guard.open(head, true, &moment, &NoLedger);
    exchange.judge(guard, body, &moment).verdict
}

fn body(text: &str) -> Vec<u8> {
    let message = serde_json::json!({ "role": "user", "content": text });
    serde_json::json!({ "model": "demo", "messages": [message] }).to_string().into_bytes()
}

/// Says which texts of JSON lines `{"text":…}` from the standard input are not read whole, for want of budget.
fn unread() {
    let engine = detect::Engine::new(&detect::Options::default());
    let (mut all, mut scratch) = (0, detect::Scratch::default());
    for line in std::io::stdin().lines() {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let text = line["text"].as_str().unwrap_or_default();
        engine.scan_text(text, detect::Role::User, &mut scratch, &mut Vec::new());
        all += 1;
        if scratch.is_exhausted() {
            let front = text.get(..text.floor_char_boundary(60)).unwrap_or_default();
            println!("{}\t{}\t{} bytes\t{front:?}", line["set"], line["label"], text.len());
        }
    }
    println!("of {all}");
}

/// `cost unread < CORPUS`, or `cost SIZE [NAME [ROUNDS]]`: texts of so many bytes whose names contain `NAME`.
fn main() {
    let mut args = std::env::args().skip(1);
    if std::env::args().nth(1).is_some_and(|word| word == "unread") {
        return unread();
    }
    let size: usize = args.next().map_or(8 << 10, |size| size.parse().unwrap());
    let wanted = args.next().unwrap_or_default();
    let rounds = args.next().map_or(1, |rounds| rounds.parse().unwrap());
    let policy = r#"{"model":{"name":"m"},"limits":{"enabled":false},"input":{"max_size":8388608}}"#;
    let guard = Guard::from_json(policy.as_bytes(), None, Surface::Native, "cost").unwrap();
    // Nothing else is done between one text and the next.
    let texts: Vec<_> = texts::all(size).into_iter().filter(|(name, _)| name.contains(&wanted)).collect();
    let bodies: Vec<_> = texts.iter().map(|(name, text)| (name, body(text))).collect();
    let mut costs = Vec::with_capacity(bodies.len());
    for (name, body) in &bodies {
        let mut best = f64::INFINITY;
        let mut verdict = Verdict::Allow;
        for _ in 0..rounds {
            let start = Instant::now();
            verdict = black_box(measured(&guard, black_box(body)));
            best = best.min(start.elapsed().as_secs_f64());
        }
        costs.push((best * 1e9 / body.len() as f64, *name, body.len(), verdict));
    }
    if rounds > 1 {
        costs.sort_by(|a, b| b.0.total_cmp(&a.0));
    }
    let engine = detect::Engine::new(&detect::Options::default());
    let mut scratch = detect::Scratch::default();
    for (cost, name, bytes, verdict) in costs {
        let (_, text) = texts.iter().find(|(known, _)| known == name).unwrap();
        engine.scan_text(text, detect::Role::User, &mut scratch, &mut Vec::new());
        println!("{cost:10.1}\t{bytes}\t{verdict:?}\t{name:?}\t{:?}", scratch.work());
    }
}
