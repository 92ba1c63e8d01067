//! The process itself: killed in the middle of things, asked to end, started twice.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{
    KEY, Scratch,
    client::{Signed, batch, exchange, get},
    event, ids_of, now_ms, toml, until,
};
use serde_json::{Value, json};

/// The relay as a process of its own.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn spawn(scratch: &Scratch) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let path = scratch.join("relay.toml");
        fs::write(&path, toml(scratch, "").replace("127.0.0.1:0", &address.to_string())).unwrap();
        let log = fs::OpenOptions::new().create(true).append(true).open(scratch.join("relay.err")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_alert-relay"))
            .arg("--config")
            .arg(&path)
            .env_clear()
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, address }
    }

    async fn ready(scratch: &Scratch) -> Self {
        let mut process = Self::spawn(scratch);
        for _ in 0..500 {
            if exchange(process.address, b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                .await
                .is_some_and(|answer| answer.status == 200)
            {
                return process;
            }
            assert!(process.child.try_wait().unwrap().is_none(), "it ended: {}", said(scratch));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never ready: {}", said(scratch));
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the exit code.
    fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

fn said(scratch: &Scratch) -> String {
    fs::read_to_string(scratch.join("relay.err")).unwrap_or_default()
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let scratch = Scratch::new();
    let mut acknowledged = BTreeSet::new();
    for round in 0..4_u64 {
        let process = Process::ready(&scratch).await;
        let address = process.address;
        let sofar = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> =
            (0..4).map(|n| tokio::spawn(send_until_gone(address, n, Arc::clone(&sofar)))).collect();
        until("some are acknowledged", || sofar.load(Ordering::Relaxed) > 50).await;
        tokio::time::sleep(Duration::from_millis(round * 130)).await;
        process.kill();
        let before = acknowledged.len();
        for client in clients {
            acknowledged.extend(client.await.unwrap());
        }
        assert!(acknowledged.len() > before + 50, "round {round} acknowledged too little to show anything");
    }
    let process = Process::ready(&scratch).await;
    for _ in 0..1500 {
        let pending = get(process.address, "/readyz").await.json()["outbox"]["pending"].as_u64();
        if pending == Some(0) && scratch.count("SELECT COUNT(*) FROM incidents WHERE due_ms IS NOT NULL") == 0
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(process.terminate(), Some(0));
    let stored = stored_ids(&scratch);
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged events are lost", lost.len(), acknowledged.len());
    assert_logged_once(&scratch, &stored);
    // Incidents and rules count what is stored, and every incident was mailed.
    let events = i64::try_from(stored.len()).unwrap();
    assert_eq!(scratch.count("SELECT SUM(count) FROM incidents"), events);
    assert_eq!(scratch.count("SELECT SUM(count) FROM threats"), events);
    let untold = "SELECT COUNT(*) FROM incidents WHERE notify_count <> count OR notify_sequence = 0";
    assert_eq!(scratch.count(untold), 0, "{}", said(&scratch));
    assert_eq!(scratch.count("SELECT COUNT(*) FROM outbox WHERE state <> 'sent'"), 0);
    let mails = i64::try_from(common::files(&scratch.join("mail-out")).len()).unwrap();
    assert_eq!(mails, scratch.count("SELECT COUNT(*) FROM notifications"), "each mail is one file");
}

fn stored_ids(scratch: &Scratch) -> BTreeSet<String> {
    let id = |body: String| serde_json::from_str::<Value>(&body).unwrap()["id"].as_str().unwrap().to_owned();
    scratch.db.texts("SELECT body FROM events").into_iter().map(id).collect()
}

fn assert_logged_once(scratch: &Scratch, stored: &BTreeSet<String>) {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for id in ids_of(&scratch.log_lines()) {
        *times.entry(id).or_default() += 1;
    }
    let twice = times.values().filter(|n| **n > 1).count();
    let missing = stored.iter().filter(|id| !times.contains_key(*id)).count();
    assert_eq!((twice, missing, times.len()), (0, 0, stored.len()), "lines written twice, missing, and all");
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
    let stored = stored_ids(&scratch);
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
