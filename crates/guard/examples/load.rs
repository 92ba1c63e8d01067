//! How long it takes from the bytes of a policy to a guard that judges, natively, on one core:
//!
//! ```text
//! cargo run --release -p modelgate-guard --example load
//! ```
//! The first guard of a process also expands what the rules are called; a VM of a proxy is one such process.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]

use std::{hint::black_box, time::Instant};

use modelgate_guard::{Guard, wire::Surface};

const ROUNDS: usize = 20;

fn main() {
    let load = || {
        let start = Instant::now();
        black_box(Guard::from_json(br#"{"model":{"name":"m"}}"#, None, Surface::Native, "load").unwrap());
        start.elapsed()
    };
    let first = load();
    let best = (0..ROUNDS).map(|_| load()).min().unwrap_or(first);
    println!(
        "default policy: first {:.1} ms, then {:.1} ms",
        first.as_secs_f64() * 1e3,
        best.as_secs_f64() * 1e3
    );
}
