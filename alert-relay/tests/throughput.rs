//! How many events a second are taken, with their commit awaited.
//!
//! `cargo test --release -p alert-relay --test throughput -- --ignored --nocapture`
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement that fails here fails as it should"
)]

mod common;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use common::{
    KEY, Scratch,
    client::{Signed, batch, get},
    event, now_ms, toml,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Connections that send, each one batch after the other.
const SENDERS: usize = 8;

/// Signed requests, made before the clock runs.
fn requests(batches: usize, per_batch: usize) -> Vec<Vec<u8>> {
    (0..batches)
        .map(|n| {
            let events: Vec<Value> = (0..per_batch)
                .map(|m| {
                    let mut event = event(&format!("198.51.{}.{}", n % 8, m % 50), "low");
                    event["request"]["id"] = json!(format!("{n:016x}{m:016x}"));
                    event["node"] = json!("sidecar~10.0.0.7~chat-6f8~prod");
                    event
                })
                .collect();
            let body = batch(&events);
            let signed = Signed::new(KEY, &body, now_ms() / 1000);
            let mut request = "POST /v1/events HTTP/1.1\r\nhost: x\r\n".to_owned();
            for (name, value) in signed.headers() {
                request.push_str(&format!("{name}: {value}\r\n"));
            }
            request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
            [request.as_bytes(), &body].concat()
        })
        .collect()
}

/// Sends its share over one connection; the time each answer took.
async fn send(address: SocketAddr, requests: Arc<Vec<Vec<u8>>>, from: usize) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 4096];
    let mut times = Vec::new();
    for request in requests.iter().skip(from).step_by(SENDERS) {
        let begun = Instant::now();
        stream.write_all(request).await.unwrap();
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(buffer[..read].starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(&buffer[..read]));
        times.push(begun.elapsed());
    }
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement of some seconds, meaningful in a release build only"]
async fn events_a_second() {
    for (batches, per_batch) in [(3000, 1), (2000, 10), (1500, 100), (150, 1000)] {
        let scratch = Scratch::new();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let path = scratch.join("relay.toml");
        fs::write(&path, toml(&scratch, "").replace("127.0.0.1:0", &address.to_string())).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_alert-relay"))
            .arg("--config")
            .arg(&path)
            .env_clear()
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let requests = Arc::new(requests(batches, per_batch));
        let bytes: usize = requests.iter().map(Vec::len).sum();
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let begun = Instant::now();
        let senders: Vec<_> =
            (0..SENDERS).map(|from| tokio::spawn(send(address, Arc::clone(&requests), from))).collect();
        let mut times = Vec::new();
        for sender in senders {
            times.extend(sender.await.unwrap());
        }
        let took = begun.elapsed();
        times.sort();
        let events = batches * per_batch;
        assert_eq!(usize::try_from(scratch.count("SELECT COUNT(*) FROM events")).unwrap(), events);
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let memory = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM unknown");
        let metrics = get(address, "/metrics").await.body;
        let commits =
            metrics.lines().find(|line| line.starts_with("modelgate_relay_commits_total")).unwrap_or("");
        // Clock ticks (hundredths of a second) of each thread: where the time goes.
        for task in fs::read_dir(format!("/proc/{}/task", child.id())).into_iter().flatten().flatten() {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            let name = stat.split(['(', ')']).nth(1).unwrap_or_default().to_owned();
            let rest: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
            if let (Some(user), Some(system)) = (rest.get(11), rest.get(12)) {
                println!("  thread {name}: user {user}, system {system} ticks");
            }
        }
        println!(
            "{batches} batches of {per_batch} ({} bytes an event): {:.0} events/s, p50 {:?}, p99 {:?}, {commits}, \
             {memory}",
            bytes / events,
            events as f64 / took.as_secs_f64(),
            times[times.len() / 2],
            times[times.len() * 99 / 100],
        );
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
