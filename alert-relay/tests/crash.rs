//! The process itself: asked to end, started twice. For what is killed see `kills.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::{
    collections::BTreeSet,
    fs,
    net::{SocketAddr, TcpListener},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use common::{
    KEY, Scratch,
    client::{Signed, batch, exchange, get},
    event, ids_of, now_ms,
    process::{Process, said},
    until,
};
use serde_json::{Value, json};

/// Sends batches until the relay is gone; the ids of those that were acknowledged.
async fn send_until_gone(address: SocketAddr, client: usize, sofar: Arc<AtomicUsize>) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for round in 0.. {
        let events: Vec<Value> = (0..20)
            .map(|n| {
                let mut event = event(&format!("203.0.113.{}", (n + round) % 7), "high");
                event["model"] = json!(format!("model-{}", (client + n) % 3));
                event
            })
            .collect();
        let body = batch(&events);
        let signed = Signed::new(KEY, &body, now_ms() / 1000);
        let mut request = "POST /v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".to_owned();
        for (name, value) in signed.headers() {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        match exchange(address, &[request.as_bytes(), &body].concat()).await {
            Some(answer) if answer.status == 202 => {
                acknowledged.extend(events.iter().map(|event| event["id"].as_str().unwrap().to_owned()));
                sofar.fetch_add(events.len(), Ordering::Relaxed);
            }
            // Turned away: try the next. Gone: done.
            Some(_) => {}
            None => break,
        }
    }
    acknowledged
}

#[tokio::test]
async fn asked_to_end_it_finishes_and_exits_with_0() {
    let scratch = Scratch::new();
    let process = Process::ready(&scratch).await;
    let address = process.address;
    let sofar = Arc::new(AtomicUsize::new(0));
    let client = tokio::spawn(send_until_gone(address, 0, Arc::clone(&sofar)));
    until("some are acknowledged", || sofar.load(Ordering::Relaxed) > 0).await;
    let code = tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
    assert_eq!(code, Some(0), "{}", said(&scratch));
    let acknowledged: BTreeSet<String> = client.await.unwrap().into_iter().collect();
    let stored: BTreeSet<String> = scratch.stored_ids().into_iter().collect();
    assert!(!acknowledged.is_empty() && acknowledged.is_subset(&stored));
    assert_eq!(ids_of(&scratch.log_lines()).len(), stored.len());
    assert!(said(&scratch).contains("relay: ended"));
}

#[tokio::test]
async fn a_second_relay_on_the_same_database_refuses_to_start() {
    let scratch = Scratch::new();
    let first = Process::ready(&scratch).await;
    let mut second = Process::spawn(&scratch);
    assert_eq!(second.child.wait().unwrap().code(), Some(1));
    assert!(said(&scratch).contains("another relay"), "{}", said(&scratch));
    assert_eq!(get(first.address, "/readyz").await.status, 200);
    assert_eq!(first.terminate(), Some(0));
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_database() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new();
    let process = Process::ready(&scratch).await;
    // A server keeps its files by itself.
    let files = matches!(scratch.db, common::database::Database::Sqlite(_));
    for name in ["relay.sqlite", "relay.sqlite-wal", "relay.sqlite-shm"].into_iter().filter(|_| files) {
        let mode = fs::metadata(scratch.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test]
async fn a_port_in_use_is_said() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_alert-relay"))
        .env_clear()
        .envs([("RELAY_LISTEN", address.as_str()), ("MODELGATE_WEBHOOK_KEY", KEY)])
        .env("RELAY_DATABASE", scratch.join("relay.sqlite"))
        .env("SECURITY_LOG_PATH", scratch.join("logs"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
}
