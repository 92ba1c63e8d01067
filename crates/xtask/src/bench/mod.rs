//! `cargo xtask bench`: what the filter costs in Envoy, as a share of what an empty filter lets through.
//!
//! One Envoy worker thread, sixteen connections, a model that answers at once. The ports are measured in turn, in several
//! rounds, and the median of the rounds counts: on a machine with few cores all of them share what else goes on. Then the
//! same with ten thousand rules of the operator's more, with a hundred thousand decisions about callers, and how long the
//! first byte of a streamed answer takes.

mod decisions;
pub mod edge;
pub mod relay;
mod stream;

use std::{fs, path::Path, process::Command, thread, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    Paths, build, demo, interrupt, setup, soak,
    stack::{Options, Part, Ports, Stack},
    step::{self, say},
};

const ROUNDS: usize = 5;
const SECONDS: &str = "3";
/// Sizes of the prompts in bytes.
const SIZES: [usize; 2] = [2 << 10, 32 << 10];
/// Rules of the operator's in the second measurement.
const OWN_RULES: usize = 10_000;

/// What one port does at one size, the median of all rounds.
struct Row {
    size: usize,
    target: &'static str,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// Sets up, builds, measures, prints the table.
///
/// # Errors
/// When anything fails, also a single request.
pub fn run(paths: &Paths) -> Result<()> {
    setup::all(paths)?;
    build::all(paths)?;
    let mut memory = String::new();
    let plain = throughput(paths, "bench", Vec::new(), |_| Ok(()), &mut memory)?;
    step::print(table(&plain).trim_end());
    let edit = (LIMITS.to_owned(), format!("{LIMITS} {},", own_rules()));
    let ruled = throughput(paths, "bench-rules", vec![edit], |_| Ok(()), &mut memory)?;
    show_kept(&format!("with {OWN_RULES} rules of the operator's more"), &plain, &ruled);
    let decided = throughput(paths, "bench-decisions", Vec::new(), decisions::load, &mut memory)?;
    show_kept(&format!("with {} decisions", decisions::DECISIONS), &plain, &decided);
    step::print(&format!("\n{}", memory.trim_end()));
    step::print(stream::measure(paths)?.trim_end());
    Ok(())
}

fn show_kept(what: &str, before: &[Row], after: &[Row]) {
    step::print(&format!("\n{what}:\n{}", table(after).trim_end()));
    for (size, share) in kept(before, after) {
        step::print(&format!("{} KiB: {share:.2} of the throughput without them", size >> 10));
    }
}

/// Where the policy of the port without limits takes more.
const LIMITS: &str = r#""limits": { "enabled": false },"#;

/// Literals that no prompt of the benchmark holds, of words that it does hold.
fn own_rules() -> String {
    let rule = |number: usize| {
        format!(
            r#"{{"id":"own.bench.r{number}","summary":"s","category":"jailbreak","literal":"garden {number} of the {} moon"}}"#,
            number * 7919 % 10_007
        )
    };
    let rules: Vec<String> = (0..OWN_RULES).map(rule).collect();
    format!(r#""detect": {{ "own_rules": [{}] }}"#, rules.join(","))
}

/// Measures one stack at all sizes, and writes what its VMs weigh. `prepare` does what is to be done first.
fn throughput(
    paths: &Paths,
    name: &str,
    edits: Vec<(String, String)>,
    prepare: impl FnOnce(&Stack) -> Result<()>,
    text: &mut String,
) -> Result<Vec<Row>> {
    let mut options = Options::test(paths, name)?;
    options.parts = vec![Part::Model, Part::Relay, Part::Envoy];
    options.quick_model = true;
    options.envoy_threads = Some(1);
    options.envoy_edits = edits;
    let stack = Stack::start(paths, options)?;
    prepare(&stack)?;
    let mut rows = Vec::new();
    for size in SIZES {
        let body = stack.data().join(format!("prompt-{size}.json"));
        fs::write(&body, demo::chat_body(size))?;
        rows.extend(measure(paths, &stack.ports(), size, &body)?);
    }
    // Each VM signs once a second.
    thread::sleep(Duration::from_millis(1500));
    let (vms, memory) =
        (soak::gauge(&stack, "modelgate_vms")?, soak::gauge(&stack, "modelgate_vm_memory_bytes")?);
    let each = memory / vms.max(1) / 1024;
    text.push_str(&format!("{name}: {vms} VMs of {each} KiB each, one of them without traffic\n"));
    Ok(rows)
}

/// What share of Modelgate's throughput is left, each taken as a share of the empty filter's beside it.
fn kept(before: &[Row], after: &[Row]) -> Vec<(usize, f64)> {
    let share = |rows: &[Row], size: usize| {
        let of = |target: &str| rows.iter().find(|row| row.size == size && row.target == target);
        Some(of("Modelgate")?.per_second / of("empty filter")?.per_second)
    };
    SIZES.iter().filter_map(|size| Some((*size, share(after, *size)? / share(before, *size)?))).collect()
}

fn measure(paths: &Paths, ports: &Ports, size: usize, body: &Path) -> Result<Vec<Row>> {
    let targets = [
        ("no filter", ports.envoy_plain),
        ("empty filter", ports.envoy_empty),
        ("Modelgate", ports.envoy_unlimited),
    ];
    for (_, port) in targets {
        load(paths, port, body, "0.5")?;
    }
    let mut rounds = vec![Vec::new(); targets.len()];
    for round in 1..=ROUNDS {
        say(&format!("{} KiB prompts, round {round} of {ROUNDS}", size >> 10));
        for ((_, port), results) in targets.iter().zip(&mut rounds) {
            interrupt::check()?;
            results.push(load(paths, *port, body, SECONDS)?);
            thread::sleep(Duration::from_millis(100));
        }
    }
    let median = |results: &[Value], key: &str| -> Result<f64> {
        let mut values: Vec<f64> = results.iter().filter_map(|result| result.get(key)?.as_f64()).collect();
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied().with_context(|| format!("the load generator gave no {key}"))
    };
    let row = |((target, _), results): (&(&'static str, u16), &Vec<Value>)| {
        Ok(Row {
            size,
            target,
            per_second: median(results, "per_second")?,
            p50_ms: median(results, "p50_us")? / 1000.0,
            p99_ms: median(results, "p99_us")? / 1000.0,
        })
    };
    targets.iter().zip(&rounds).map(row).collect()
}

fn load(paths: &Paths, port: u16, body: &Path, seconds: &str) -> Result<Value> {
    let mut command = Command::new(paths.dist.join("load"));
    command.args(["--port", &port.to_string(), "--seconds", seconds, "--body"]).arg(body);
    let result: Value =
        serde_json::from_str(&step::output(&mut command)?).context("the load generator's answer")?;
    if result.get("failed").and_then(Value::as_u64) != Some(0)
        || result.get("requests").and_then(Value::as_u64) == Some(0)
    {
        bail!("port {port}: not every request was answered with 200: {result}");
    }
    Ok(result)
}

fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "\n{:<8} {:<13} {:>11} {:>8} {:>8} {:>20}\n",
        "prompt", "Envoy with", "requests/s", "p50 ms", "p99 ms", "share of empty"
    );
    for row in rows {
        let empty = rows.iter().find(|other| other.size == row.size && other.target == "empty filter");
        let share = empty.map_or(0.0, |empty| row.per_second / empty.per_second);
        text.push_str(&format!(
            "{:<8} {:<13} {:>11.0} {:>8.2} {:>8.2} {share:>20.2}\n",
            format!("{} KiB", row.size >> 10),
            row.target,
            row.per_second,
            row.p50_ms,
            row.p99_ms
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_taken_of_the_empty_filter_at_the_same_size() {
        let row = |size, target, per_second| Row { size, target, per_second, p50_ms: 1.0, p99_ms: 2.0 };
        let text = table(&[
            row(2048, "empty filter", 100.0),
            row(2048, "Modelgate", 80.0),
            row(32768, "empty filter", 50.0),
        ]);
        assert!(text.contains("0.80") && text.matches("1.00").count() >= 2, "{text}");
    }

    #[test]
    fn what_more_rules_cost_is_told_apart_from_what_the_machine_did_meanwhile() {
        let rows = |empty, ours| {
            let row = |target, per_second| Row { size: 2048, target, per_second, p50_ms: 1.0, p99_ms: 2.0 };
            vec![row("empty filter", empty), row("Modelgate", ours)]
        };
        let kept = kept(&rows(100.0, 80.0), &rows(50.0, 36.0));
        assert_eq!(kept.len(), 1);
        assert!(kept.iter().all(|(size, share)| *size == 2048 && (share - 0.9).abs() < 0.001));
    }

    #[test]
    fn the_rules_are_a_policy() {
        let policy: Value = serde_json::from_str(&format!("{{{}}}", own_rules())).unwrap();
        assert_eq!(policy["detect"]["own_rules"].as_array().unwrap().len(), OWN_RULES);
    }
}
