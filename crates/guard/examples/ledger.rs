//! What the ledger costs for each request, natively: requests of 2 KiB from many clients, without any detector.
//!
//! ```text
//! cargo build --release -p modelgate-guard --example ledger
//! for what in off on all; do valgrind --tool=callgrind target/release/examples/ledger $what; done
//! ```
//! `off` without a ledger, `on` with the defaults, `all` with every limit. The instructions of `on` less those of `off`,
//! divided by [`REQUESTS`], are what the defaults cost; the host's own copies of the slots come on top.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]

use std::{cell::RefCell, hint::black_box, time::Instant};

use modelgate_guard::{Conflict, Guard, HeadFacts, Moment, SLOTS, Store, Version, wire::Surface};

const PROSE: &str = include_str!("../../detect/src/speed.txt");
/// Requests of one run.
const REQUESTS: u64 = 20_000;

/// Slots in memory, as Envoy keeps them: handed out and taken back as copies.
struct Memory(RefCell<Vec<(Vec<u8>, u32)>>);

impl Store for Memory {
    fn load(&self, slot: u32) -> Option<(Vec<u8>, Version)> {
        let slots = self.0.borrow();
        let (bytes, version) = slots.get(usize::try_from(slot).ok()?)?;
        Some((bytes.clone(), Version(*version)))
    }

    fn save(&self, slot: u32, bytes: &[u8], version: Version) -> Result<(), Conflict> {
        let mut slots = self.0.borrow_mut();
        let slot = slots.get_mut(usize::try_from(slot).map_err(|_| Conflict)?).ok_or(Conflict)?;
        *slot = (bytes.to_vec(), version.0 + 1);
        Ok(())
    }
}

fn main() {
    let what = std::env::args().nth(1).unwrap_or_else(|| "on".into());
    let limits = match what.as_str() {
        "off" => r#"{"enabled":false}"#,
        "all" => {
            r#"{"max_requests_per_minute":1000000,"max_tokens_per_minute":4000000000,"max_concurrent_requests":60000,
                "min_request_interval":1,"headers":"always"}"#
        }
        _ => r#"{"max_requests_per_minute":1000000}"#,
    };
    let packs =
        ["injection", "jailbreak", "extraction", "secret", "pii", "exfiltration", "web_payload", "structure"]
            .map(|pack| format!("\"{pack}\":false"))
            .join(",");
    let policy = format!(
        r#"{{"model":{{"name":"m"}},"limits":{limits},"detect":{{"packs":{{{packs},"classifier":false}}}}}}"#
    );
    let guard = Guard::from_json(policy.as_bytes(), None, Surface::Native, "ledger").unwrap();
    let store = Memory(RefCell::new(vec![(Vec::new(), 1); usize::try_from(SLOTS).unwrap()]));
    let bodies: Vec<Vec<u8>> = (0..16)
        .map(|at| {
            let start = PROSE.ceil_char_boundary(at * 40);
            let text = &PROSE[start..PROSE.floor_char_boundary(start + (2 << 10))];
            serde_json::json!({"messages": [{"role": "user", "content": text}]}).to_string().into_bytes()
        })
        .collect();
    let start = Instant::now();
    for request in 0..REQUESTS {
        let address = format!("192.0.{}.{}", request / 256 % 4, request % 256);
        let facts =
            HeadFacts { method: "POST", path: "/v1/chat/completions", route: "", address: Some(&address) };
        let moment = Moment { unix_ms: 1_790_000_000_000 + request * 10, entropy: [7; 10] };
        let head = guard.head(facts, [("content-type".as_bytes(), "application/json".as_bytes())]);
        let mut exchange = guard.open(head, true, &moment, &store);
        let body = bodies.get(usize::try_from(request).unwrap() % bodies.len()).unwrap();
        black_box(exchange.judge_for(&guard, body, &moment, &store));
        exchange.used(500);
        exchange.close(&guard, Some(200), &moment, &store);
    }
    println!("{what}: {:.2} µs a request", start.elapsed().as_secs_f64() * 1e6 / 20_000.0);
}
