//! What the relay takes and how long it takes: the figures of its README.
//!
//! `cargo xtask bench-relay` takes them in a release build, with ten million events or as many as it is told to; the test
//! here does the same with a few, so that it does not rot.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement that fails here fails as it should"
)]

#[path = "../common/mod.rs"]
mod common;
mod traffic;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use common::{
    Scratch,
    client::{get, metric},
    now_ms,
    process::Process,
};
use serde_json::Value;

use traffic::{FIND, Series, Times, at_full_load, load, on_schedule};

/// Events a second that half of the promised load has.
const HALF: u64 = 15_000;
/// Nobody is held to a number of events a minute, nor to one of messages.
const SETTINGS: &str = "[ingest]\nmax_events_per_minute = 0\n";

/// How much is measured.
struct Size {
    /// Events at full load, by the number in a batch.
    ingest: [(u64, u64); 4],
    /// Seconds of sending to a schedule.
    seconds: u64,
    /// Events a second then.
    rate: u64,
    /// Events stored when starting is measured.
    start: u64,
    /// Events stored when asking is measured.
    full: u64,
    /// Requests of each kind.
    requests: usize,
}

/// Whether a part is to be measured: all are, unless `RELAY_FIGURES_PARTS` names some: 1, 10, 100, 1000 (ingest in
/// batches of so many), schedule, store.
fn is_asked(part: &str) -> bool {
    std::env::var("RELAY_FIGURES_PARTS").map_or(true, |parts| parts.split(',').any(|asked| asked == part))
}

/// A line of the report.
fn tell(what: &str, goal: &str, value: &str) {
    println!("{what:<58} {goal:>12} {value}");
}

fn told(what: &str, goal: &str, times: &Times) {
    tell(what, goal, &format!("p50 {:.1} ms, p99 {:.1} ms", times.percentile(50), times.percentile(99)));
}

fn spawn(scratch: &Scratch) -> Process {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    Process::spawn_at(scratch, address, SETTINGS)
}

async fn ready(scratch: &Scratch) -> Process {
    let mut process = spawn(scratch);
    process.until_ready(scratch).await;
    process
}

/// Highest resident memory so far, in megabytes.
fn resident(process: &Process) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", process.child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map_or_else(|| "unknown".to_owned(), |kib| format!("{:.1} MB", kib as f64 * 1.024 / 1000.0))
}

/// Clock ticks (hundredths of a second) of each thread: where the time goes.
fn ticks(process: &Process) -> String {
    let mut threads = Vec::new();
    for task in fs::read_dir(format!("/proc/{}/task", process.child.id())).into_iter().flatten().flatten() {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let name = stat.split(['(', ')']).nth(1).unwrap_or_default().to_owned();
        let rest: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        if let (Some(user), Some(system)) = (rest.get(11), rest.get(12)) {
            threads.push(format!("{name} {user}+{system}"));
        }
    }
    threads.join(", ")
}

async fn ingest(size: &Size) {
    for (series, (events, per_batch)) in size.ingest.into_iter().enumerate() {
        if !is_asked(&per_batch.to_string()) {
            continue;
        }
        let scratch = Scratch::new();
        let process = ready(&scratch).await;
        let series = Series { number: 10 + series as u64, total: events, spread: false };
        let (rate, times) = at_full_load(process.address, series, per_batch).await;
        let stored = scratch.count("SELECT COUNT(*) FROM events");
        assert_eq!(u64::try_from(stored).unwrap(), events, "every acknowledged event is stored");
        let goal = if per_batch == 100 { ">= 30000/s" } else { "" };
        let commits = metric(process.address, "modelgate_relay_commits_total").await;
        let spent = ticks(&process);
        tell(
            &format!("ingest, batches of {per_batch}, full load"),
            goal,
            &format!(
                "{rate:.0} events/s, p50 {:.1} ms, p99 {:.1} ms, {} resident",
                times.percentile(50),
                times.percentile(99),
                resident(&process)
            ),
        );
        println!("    {commits} commits; ticks of threads, user+system: {spent}");
        process.kill();
    }
    if is_asked("schedule") {
        let scratch = Scratch::new();
        let process = ready(&scratch).await;
        scheduled("an empty store", size, &process, 20).await;
        process.kill();
    }
}

/// Ingest at half of the promised load.
async fn scheduled(what: &str, size: &Size, process: &Process, number: u64) {
    let series = Series { number, total: size.rate * size.seconds, spread: false };
    // As a watcher and a load balancer ask.
    let watched = tokio::spawn(watch(process.address));
    let times = on_schedule(process.address, series, 100, size.rate).await;
    watched.abort();
    told(&format!("ingest, {} events/s in batches of 100, {what}", size.rate), "<= 50 ms", &times);
    tell("  resident memory at most", "<= 60 MB", &resident(process));
}

async fn watch(address: SocketAddr) {
    loop {
        for path in ["/readyz", "/metrics"] {
            assert_eq!(get(address, path).await.status, 200, "{path}");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// From spawning the process to its first 200 of `/readyz`.
async fn start(scratch: &Scratch) -> (Duration, Process) {
    let begun = Instant::now();
    let mut process = spawn(scratch);
    loop {
        if let Some(answer) = common::client::exchange(
            process.address,
            b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        )
        .await
            && answer.status == 200
        {
            return (begun.elapsed(), process);
        }
        assert!(process.child.try_wait().unwrap().is_none(), "{}", common::process::said(scratch));
        assert!(begun.elapsed() < Duration::from_secs(60), "never ready");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Has the system forget what it holds of the files; whether that worked.
fn forget(scratch: &Scratch) -> bool {
    let files = [scratch.join("relay.sqlite")].into_iter().chain(common::files(&scratch.join("logs")));
    files.filter(|path| path.exists()).all(|path| {
        let mut from = std::ffi::OsString::from("if=");
        from.push(&path);
        let dd = Command::new("dd").arg(from).args(["iflag=nocache", "count=0", "status=none"]).status();
        dd.is_ok_and(|status| status.success())
    })
}

async fn starting(scratch: &Scratch, stored: u64, requests: usize) {
    let mut times = Vec::new();
    for _ in 0..requests.min(7) {
        let (took, process) = start(scratch).await;
        times.push(took);
        assert_eq!(process.terminate(), Some(0));
    }
    told(&format!("start to ready, {stored} events stored, file in memory"), "<= 200 ms", &Times::new(times));
    if forget(scratch) {
        let (took, process) = start(scratch).await;
        let value = format!("{:.1} ms", took.as_secs_f64() * 1000.0);
        tell("  the same, file read from the disk", "<= 200 ms", &value);
        assert_eq!(process.terminate(), Some(0));
    }
    let (_, process) = start(scratch).await;
    let series = Series { number: 30 + stored, total: stored.min(20_000), spread: false };
    load(process.address, series, 0, series.total).await;
    process.kill();
    let (took, process) = start(scratch).await;
    let value = format!("{:.1} ms", took.as_secs_f64() * 1000.0);
    tell("  the same, after a SIGKILL in the middle of its work", "<= 200 ms", &value);
    assert_eq!(process.terminate(), Some(0));
}

/// Waits until every event can be found by its words.
async fn searchable(address: SocketAddr) {
    let (begun, lag) = (Instant::now(), metric(address, "modelgate_relay_search_lag_events").await);
    let mut left = lag;
    while left > 0.0 {
        assert!(begun.elapsed() < Duration::from_secs(3600), "{left} events are not searchable");
        tokio::time::sleep(Duration::from_millis(100)).await;
        left = metric(address, "modelgate_relay_search_lag_events").await;
    }
    let rate = lag / begun.elapsed().as_secs_f64();
    tell("made searchable, when nothing else is to do", "", &format!("{rate:.0} events/s"));
}

/// Some dozens of one question.
async fn ask((address, requests): (SocketAddr, usize), what: &str, goal: &str, path: &str) -> Value {
    let mut times = Vec::new();
    let mut body = String::new();
    for _ in 0..requests {
        let begun = Instant::now();
        let answer = get(address, path).await;
        times.push(begun.elapsed());
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        body = answer.body;
    }
    told(what, goal, &Times::new(times));
    serde_json::from_str(&body).unwrap_or(Value::Null)
}

async fn asking(scratch: &Scratch, address: SocketAddr, requests: usize) {
    let to = (address, requests);
    const GOAL: &str = "<= 100 ms";
    let incidents = scratch.count("SELECT COUNT(*) FROM incidents");
    let events = scratch.count("SELECT COUNT(*) FROM events");
    println!("{events} events of {incidents} incidents:");
    let first = ask(to, "GET /v1/incidents", GOAL, "/v1/incidents").await;
    let id = first["incidents"][0]["id"].as_str().unwrap().to_owned();
    // A page from far on, as somebody reads who goes from page to page.
    let mut next = first["next"].as_str().map(str::to_owned);
    for _ in 0..50 {
        let Some(before) = &next else { break };
        let page = get(address, &format!("/v1/incidents?before={before}&limit=200")).await.json();
        next = page["next"].as_str().map(str::to_owned).or(next);
    }
    let before = next.unwrap_or_else(|| "0".to_owned());
    ask(to, "  a page far on", GOAL, &format!("/v1/incidents?before={before}")).await;
    let caller = first["incidents"][0]["client"].as_str().unwrap_or_default().replace('@', "%40");
    for (what, query) in [
        ("  of a model", "model=model-7".to_owned()),
        ("  of a model that nobody attacked", "model=model-x".to_owned()),
        ("  of a category and a severity", "category=exfiltration&severity=critical".to_owned()),
        ("  that were resolved", "state=resolved".to_owned()),
        ("  with a high score", "min_score=0.95".to_owned()),
        ("  of a caller", format!("client={caller}")),
        ("  of a day", "hours=24".to_owned()),
    ] {
        ask(to, what, GOAL, &format!("/v1/incidents?{query}")).await;
    }
    ask(to, "GET /v1/incidents/{id}", GOAL, &format!("/v1/incidents/{id}")).await;
    ask(to, "GET /incidents/{id}", GOAL, &format!("/incidents/{id}")).await;
    ask(to, "GET /v1/events", GOAL, "/v1/events").await;
    let week = now_ms() - 7 * 86_400_000;
    for (what, query) in [
        ("  of an address", format!("address={}", traffic::address(77))),
        ("  of an address that never called", "address=192.0.2.1".to_owned()),
        ("  of a day a week ago", format!("since_ms={}&until_ms={week}", week - 86_400_000)),
        ("  older than three weeks", format!("until_ms={}", week - 14 * 86_400_000)),
        ("  of the last hour", "hours=1".to_owned()),
        ("  by words", format!("text={}", FIND.replace(' ', "%20"))),
        ("  by a word that most have", "text=model".to_owned()),
        ("  by words that none has", "text=zebra".to_owned()),
        ("  by category and severity", "category=exfiltration&severity=critical".to_owned()),
        ("  by category and address", format!("category=pii&address={}", traffic::address(77))),
    ] {
        ask(to, what, GOAL, &format!("/v1/events?{query}")).await;
    }
    ask(to, "GET /v1/summary?hours=24", GOAL, "/v1/summary?hours=24").await;
    ask(to, "GET /v1/summary?hours=720", GOAL, "/v1/summary?hours=720").await;
    ask(to, "GET /readyz", GOAL, "/readyz").await;
    ask(to, "GET /metrics", GOAL, "/metrics").await;
}

/// Bytes of a file, or of the files in a folder.
fn bytes(path: &PathBuf) -> u64 {
    if path.is_dir() {
        return common::files(path).iter().map(bytes).sum();
    }
    fs::metadata(path).map_or(0, |found| found.len())
}

async fn figures(size: &Size) {
    println!("{:<58} {:>12} measured", "", "goal");
    let load_average = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("(load of the machine at the beginning: {})", load_average.trim());
    let binary = fs::metadata(env!("CARGO_BIN_EXE_alert-relay")).unwrap().len();
    tell("binary", "<= 25 MB", &format!("{:.1} MB", binary as f64 / 1e6));
    ingest(size).await;
    if is_asked("store") {
        store(size).await;
    }
}

/// Startup, questions and ingest with many events stored.
async fn store(size: &Size) {
    let scratch = match std::env::var("RELAY_FIGURES_STORE") {
        Ok(path) => Scratch::at(path.into()),
        Err(_) => Scratch::new(),
    };
    let series = Series { number: 1, total: size.full, spread: true };
    let process = ready(&scratch).await;
    let stored = u64::try_from(scratch.count("SELECT COUNT(*) FROM events")).unwrap();
    if stored < size.full {
        load(process.address, series, 0, size.start).await;
        assert_eq!(process.terminate(), Some(0));
        starting(&scratch, size.start, size.requests).await;
        let process = ready(&scratch).await;
        let begun = Instant::now();
        load(process.address, series, size.start, size.full).await;
        let rate = (size.full - size.start) as f64 / begun.elapsed().as_secs_f64();
        tell("ingest, batches of 1000, until the store is full", "", &format!("{rate:.0} events/s"));
        searchable(process.address).await;
        assert_eq!(process.terminate(), Some(0));
    } else {
        assert_eq!(process.terminate(), Some(0));
    }
    starting(&scratch, size.full, size.requests).await;
    let process = ready(&scratch).await;
    asking(&scratch, process.address, size.requests).await;
    scheduled("the full store", size, &process, 40 + now_ms() % 1000).await;
    assert_eq!(process.terminate(), Some(0));
    let events = scratch.count("SELECT COUNT(*) FROM events") as f64;
    tell(
        "on disk, an event",
        "",
        &format!(
            "{:.0} bytes in the database, {:.0} in the log",
            bytes(&scratch.join("relay.sqlite")) as f64 / events,
            bytes(&scratch.join("logs")) as f64 / events
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_figures_can_be_taken_with_few_events() {
    figures(&Size {
        ingest: [(100, 1), (500, 10), (1000, 100), (2000, 1000)],
        seconds: 1,
        rate: 1000,
        start: 1000,
        full: 4000,
        requests: 2,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes many minutes and a release build: cargo xtask bench-relay"]
async fn the_figures_of_a_large_store() {
    let events = std::env::var("RELAY_FIGURES").map_or(10_000_000, |text| text.parse().unwrap());
    figures(&Size {
        ingest: [(6000, 1), (40_000, 10), (300_000, 100), (600_000, 1000)],
        seconds: 20,
        rate: HALF,
        start: events.min(1_000_000),
        full: events,
        requests: 40,
    })
    .await;
}
