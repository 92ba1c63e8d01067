//! What the core costs from the bytes of a body to the verdict, natively, on one core:
//!
//! ```text
//! cargo run --release -p modelgate-guard --example speed
//! ```
//! Benign chat bodies of four sizes, with everything on and with each detector alone. Of several rounds over different
//! texts the best counts for each text: what else the machine does only ever adds.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]

use std::{hint::black_box, time::Instant};

use modelgate_guard::{
    Conflict, Guard, Head, HeadFacts, Moment, Store, Version, wire::Surface, wire::Verdict,
};

const PROSE: &str = include_str!("../../detect/src/speed.txt");
const SIZES: [usize; 4] = [200, 2 << 10, 32 << 10, 1 << 20];
const ROUNDS: usize = 7;
const PACKS: [&str; 9] = [
    "injection",
    "jailbreak",
    "extraction",
    "secret",
    "pii",
    "exfiltration",
    "web_payload",
    "structure",
    "classifier",
];

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

/// Chat bodies with prompts of about `size` bytes, two mebibytes in all.
fn bodies(size: usize) -> Vec<Vec<u8>> {
    let prose = PROSE.repeat((2 << 20) / PROSE.len() + 2);
    let body = |at: usize| {
        let start = prose.ceil_char_boundary(at * size);
        let text = &prose[start..prose.floor_char_boundary(start + size)];
        let message = serde_json::json!({ "role": "user", "content": text });
        serde_json::json!({ "model": "demo", "messages": [message] }).to_string().into_bytes()
    };
    (0..(2 << 20) / size).map(body).collect()
}

fn guard(only: Option<&str>) -> Guard {
    let packs: Vec<String> =
        PACKS.iter().map(|pack| format!("\"{pack}\":{}", only.is_none_or(|only| only == *pack))).collect();
    let policy = format!(
        r#"{{"model":{{"name":"m"}},"limits":{{"enabled":false}},"input":{{"max_size":4194304}},"detect":{{"packs":{{{}}}}}}}"#,
        packs.join(",")
    );
    Guard::from_json(policy.as_bytes(), None, Surface::Native, "speed").unwrap()
}

/// Nanoseconds for a byte of the bodies, and how many of them were not allowed.
fn measure(guard: &Guard, bodies: &[Vec<u8>]) -> (f64, usize) {
    let moment = Moment { unix_ms: 1_790_000_000_000, entropy: [7; 10] };
    let facts =
        HeadFacts { method: "POST", path: "/v1/chat/completions", route: "", address: Some("192.0.2.7") };
    let mut best = vec![f64::INFINITY; bodies.len()];
    let mut alarms = 0;
    for _ in 0..ROUNDS {
        alarms = 0;
        for (body, best) in bodies.iter().zip(&mut best) {
            let start = Instant::now();
            let head = Head::new(facts, [("content-type".as_bytes(), "application/json".as_bytes())]);
            let mut exchange = guard.open(head, true, &moment, &NoLedger);
            let verdict = exchange.judge(guard, black_box(body), &moment).verdict;
            *best = best.min(start.elapsed().as_secs_f64());
            alarms += usize::from(verdict != Verdict::Allow);
        }
    }
    let bytes: usize = bodies.iter().map(Vec::len).sum();
    #[expect(clippy::cast_precision_loss, reason = "a speed for people")]
    let nanoseconds = best.iter().sum::<f64>() * 1e9 / bytes as f64;
    (nanoseconds, alarms)
}

fn main() {
    let all = guard(None);
    println!("{:<24} {:>10} {:>9} {:>8}", "everything on", "ns/byte", "MB/s", "alarms");
    for size in SIZES {
        let bodies = bodies(size);
        let (nanoseconds, alarms) = measure(&all, &bodies);
        println!("{size:<24} {nanoseconds:>10.2} {:>9.0} {alarms:>8}", 1e3 / nanoseconds);
    }
    let bodies = bodies(2 << 10);
    println!("\n{:<24} {:>10} {:>9}", "2 KiB, one detector", "ns/byte", "MB/s");
    for only in std::iter::once("none").chain(PACKS) {
        let (nanoseconds, _) = measure(&guard(Some(only)), &bodies);
        println!("{only:<24} {nanoseconds:>10.2} {:>9.0}", 1e3 / nanoseconds);
    }
}
