//! `cargo xtask bench-edge`: what the edge worker costs in workerd, as a share of what an empty worker lets through; what a
//! call to the ledger's object adds; how long it takes to start; whether its memory stays.
//!
//! 2 KiB prompts, a model that answers at once. The ports are measured in turn, in several rounds, and the median counts.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    Paths, build, demo, interrupt, setup,
    stack::{Options, Part, Stack},
    step::{self, say},
};

const ROUNDS: usize = 5;
const PROMPT: usize = 2 << 10;
/// Requests after which memory has to stay, and how much it may still grow, in MiB.
const WARM: u64 = 100_000;
const REQUESTS: u64 = 300_000;
const GROWTH_MIB: u64 = 16;

/// The demo's two policies, as its configuration writes them.
const GUARDED: &str = r#"text = "{\"model\":{\"name\":\"demo\"}}""#;
const UNLIMITED: &str = r#"text = "{\"model\":{\"name\":\"demo\"},\"limits\":{\"enabled\":false}}""#;
/// Limits that nobody reaches. With few requests at a time allowed, none is granted in advance: each asks the object.
const ASKING: &str = r#"text = "{\"model\":{\"name\":\"demo\"},\"limits\":{\"max_requests_per_minute\":1000000,\"max_concurrent_requests\":60000,\"repeats\":\"allow\"}}""#;
const LEASING: &str = r#"text = "{\"model\":{\"name\":\"demo\"},\"limits\":{\"max_requests_per_minute\":1000000,\"repeats\":\"allow\"}}""#;
/// The node of the second worker, behind which its ledger is chosen.
const NODE: &str = r#"(name = "NODE", text = "workerd-unlimited"),"#;
const MEMORY: &str = r#"(name = "NODE", text = "workerd-unlimited"), (name = "LEDGER", text = "memory"),"#;

/// Sets up, builds, measures, prints what came of it.
///
/// # Errors
/// When anything fails, also a single request, or memory grows.
pub fn run(paths: &Paths) -> Result<()> {
    setup::all(paths)?;
    build::edge_worker(paths)?;
    build::native(paths)?;
    start_up(paths)?;
    let plain = start(paths, "bench-edge", &[])?;
    let ports = plain.ports();
    let body = prompt(&plain)?;
    let measured = compare(
        paths,
        &body,
        "16",
        &[("empty worker", ports.edge_empty), ("guarded, no limits", ports.edge_unlimited)],
    )?;
    show("16 connections", &measured);
    memory(paths, &plain, &body)?;
    drop(plain);
    let asking = start(paths, "bench-ledger", &[(GUARDED, ASKING), (UNLIMITED, ASKING), (NODE, MEMORY)])?;
    let ports = asking.ports();
    let body = prompt(&asking)?;
    for connections in ["1", "16"] {
        let measured = compare(
            paths,
            &body,
            connections,
            &[("clients in memory", ports.edge_unlimited), ("in an object, each request asks", ports.edge)],
        )?;
        show(&format!("{connections} connections"), &measured);
    }
    drop(asking);
    let leasing = start(paths, "bench-leases", &[(GUARDED, LEASING), (UNLIMITED, LEASING), (NODE, MEMORY)])?;
    let ports = leasing.ports();
    let body = prompt(&leasing)?;
    let measured = compare(
        paths,
        &body,
        "1",
        &[("clients in memory", ports.edge_unlimited), ("in an object, far from the limits", ports.edge)],
    )?;
    show("1 connection", &measured);
    Ok(())
}

fn start(paths: &Paths, name: &str, edits: &[(&str, &str)]) -> Result<Stack> {
    let mut options = Options::test(paths, name)?;
    options.parts = vec![Part::Model, Part::Edge];
    options.quick_model = true;
    options.edge_edits = edits.iter().map(|(from, to)| ((*from).into(), (*to).into())).collect();
    Stack::start(paths, options)
}

fn prompt(stack: &Stack) -> Result<std::path::PathBuf> {
    let body = stack.data().join("prompt.json");
    fs::write(&body, demo::chat_body(PROMPT))?;
    Ok(body)
}

/// Medians: requests a second, and the median and the 99th percentile of the time of one, in milliseconds.
struct Measured {
    name: &'static str,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

fn compare(
    paths: &Paths,
    body: &Path,
    connections: &str,
    targets: &[(&'static str, u16)],
) -> Result<Vec<Measured>> {
    for (_, port) in targets {
        load(paths, *port, body, connections, "0.5")?;
    }
    let mut rounds = vec![Vec::new(); targets.len()];
    for round in 1..=ROUNDS {
        say(&format!("{connections} connections, round {round} of {ROUNDS}"));
        for ((_, port), results) in targets.iter().zip(&mut rounds) {
            interrupt::check()?;
            results.push(load(paths, *port, body, connections, "3")?);
        }
    }
    let measured = targets.iter().zip(&rounds).map(|((name, _), results)| {
        Ok(Measured {
            name,
            per_second: median(results, "per_second")?,
            p50_ms: median(results, "p50_us")? / 1000.0,
            p99_ms: median(results, "p99_us")? / 1000.0,
        })
    });
    measured.collect()
}

fn median(results: &[Value], key: &str) -> Result<f64> {
    let mut values: Vec<f64> = results.iter().filter_map(|result| result.get(key)?.as_f64()).collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().with_context(|| format!("the load generator gave no {key}"))
}

fn load(paths: &Paths, port: u16, body: &Path, connections: &str, seconds: &str) -> Result<Value> {
    let mut command = Command::new(paths.dist.join("load"));
    command.args(["--port", &port.to_string(), "--seconds", seconds, "--connections", connections, "--body"]);
    let result: Value =
        serde_json::from_str(&step::output(command.arg(body))?).context("the load generator")?;
    let number = |key: &str| result.get(key).and_then(Value::as_u64);
    if number("failed") != Some(0) || number("requests") == Some(0) {
        bail!("port {port}: not every request was answered with 200: {result}");
    }
    Ok(result)
}

/// The first is what the others are compared with.
fn show(what: &str, measured: &[Measured]) {
    let first = measured.first().map_or(1.0, |first| first.per_second);
    step::print(&format!("\n{what:<36} {:>11} {:>8} {:>8} {:>7}", "requests/s", "p50 ms", "p99 ms", "share"));
    for row in measured {
        let share = row.per_second / first;
        step::print(&format!(
            "{:<36} {:>11.0} {:>8.2} {:>8.2} {share:>7.2}",
            row.name, row.per_second, row.p50_ms, row.p99_ms
        ));
    }
}

/// From the compiled module to the first answer, in a process of its own each time.
fn start_up(paths: &Paths) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let mut command = Command::new("node");
        command.arg(paths.root.join("tests/e2e/hosts/startup.mjs")).arg(paths.edge_worker());
        times.push(step::output(&mut command)?.trim().parse::<f64>().context("a time in ms")?);
    }
    times.sort_unstable_by(f64::total_cmp);
    let median = times.get(ROUNDS / 2).copied().unwrap_or_default();
    step::print(&format!(
        "from the compiled module to the first answer: {median:.1} ms (median of {ROUNDS}, {times:?})"
    ));
    Ok(())
}

/// Many requests, and what workerd's memory does meanwhile.
fn memory(paths: &Paths, stack: &Stack, body: &Path) -> Result<()> {
    let id = stack.id(Part::Edge).context("workerd does not run")?;
    let (mut sent, mut warm) = (0, 0);
    while sent < WARM + REQUESTS {
        interrupt::check()?;
        let result = load(paths, stack.ports().edge_unlimited, body, "16", "10")?;
        let before = sent;
        sent += result.get("requests").and_then(Value::as_u64).context("the load generator")?;
        if before < WARM && sent >= WARM {
            warm = resident(id)?;
        }
        say(&format!("{sent} requests, workerd holds {} MiB", resident(id)? >> 20));
    }
    let grown = resident(id)?.saturating_sub(warm) >> 20;
    step::print(&format!("workerd grew by {grown} MiB over {REQUESTS} requests, after the first {WARM}"));
    if grown > GROWTH_MIB {
        bail!("that is more than {GROWTH_MIB} MiB");
    }
    Ok(())
}

/// A process's resident memory in bytes.
fn resident(id: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).context("reading workerd's memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib << 10)
}
