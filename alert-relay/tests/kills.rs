//! Nothing acknowledged is lost: the relay is killed (SIGKILL) at random moments while events come in and mails go out.
//!
//! Three times, or as often as `RELAY_KILLS` says; `cargo xtask kills --count N` does it on both databases. A run that
//! failed is repeated by the `RELAY_KILLS_SEED` that it printed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{SocketAddr, TcpListener},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use common::{
    KEY, Scratch,
    client::{Signed, batch, exchange},
    event, ids_of, now_ms,
    process::{Process, said},
    smtp::Smtp,
};
use serde_json::{Value, json};

/// Senders at once.
const SENDERS: usize = 3;
/// Events in a batch.
const BATCH: usize = 5;
/// Longest time between a start and the kill.
const LONGEST: u64 = 700;
/// After the last kill all that is due must be told within this time.
const PATIENCE: Duration = Duration::from_secs(120);
/// Each gets a mail of their own.
const RECIPIENTS: [&str; 2] = ["ops@example.org", "sec@example.org"];

/// A number of the environment.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Marsaglia's xorshift: all that a random moment needs.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn some_events(sender: usize, round: usize) -> Vec<Value> {
    (0..BATCH)
        .map(|n| {
            let mut event = event(&format!("203.0.113.{}", (n + round) % 3), "high");
            event["model"] = json!(format!("model-{}", (sender + n) % 2));
            event
        })
        .collect()
}

/// Sends batches as a filter does: each again and again until it is acknowledged.
async fn send(
    address: SocketAddr,
    sender: usize,
    done: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<String>>>,
) {
    for round in 0.. {
        let events = some_events(sender, round);
        let body = batch(&events);
        loop {
            if done.load(Ordering::Relaxed) {
                return;
            }
            let signed = Signed::new(KEY, &body, now_ms() / 1000);
            let mut request = "POST /v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".to_owned();
            for (name, value) in signed.headers() {
                request.push_str(&format!("{name}: {value}\r\n"));
            }
            request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
            let answer = exchange(address, &[request.as_bytes(), &body].concat()).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
            if answer.is_some_and(|answer| answer.status == 202) {
                break;
            }
        }
        let ids = events.iter().map(|event| event["id"].as_str().unwrap().to_owned());
        acknowledged.lock().unwrap().extend(ids);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_everything_due_is_told_when_the_relay_is_killed() {
    let kills = number("RELAY_KILLS", 3);
    let seed = number("RELAY_KILLS_SEED", now_ms()).max(1);
    println!("{kills} kills, RELAY_KILLS_SEED={seed}");
    let (mut random, scratch, smtp) = (Random(seed), Scratch::new(), Smtp::start().await);
    let more = format!(
        "{}[alerts]\ngroup_wait = \"50ms\"\ngroup_interval = \"1s\"\nmax_per_hour = 100000\n",
        smtp.toml(&RECIPIENTS, "")
    );
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (done, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let senders: Vec<_> = (0..SENDERS)
        .map(|n| tokio::spawn(send(address, n, Arc::clone(&done), Arc::clone(&acknowledged))))
        .collect();
    for kill in 0..kills {
        let mut process = Process::spawn_at(&scratch, address, &more);
        // Every fourth one dies while it starts.
        if kill % 4 != 3 {
            process.until_ready(&scratch).await;
        }
        tokio::time::sleep(Duration::from_millis(random.below(LONGEST))).await;
        process.kill();
    }
    let mut process = Process::spawn_at(&scratch, address, &more);
    process.until_ready(&scratch).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    done.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await.unwrap();
    }
    all_is_told(&scratch).await;
    assert_eq!(process.terminate(), Some(0), "{}", said(&scratch));
    let acknowledged: BTreeSet<String> = acknowledged.lock().unwrap().iter().cloned().collect();
    let stored = assert_stored_and_logged(&scratch, &acknowledged);
    let twice = assert_told(&scratch, &smtp, kills);
    println!("{} events acknowledged, {stored} stored, none lost; {twice} mails twice", acknowledged.len());
    assert!(acknowledged.len() as u64 >= kills * 10, "too few to show anything");
}

async fn all_is_told(scratch: &Scratch) {
    let begun = Instant::now();
    while scratch.count("SELECT COUNT(*) FROM incidents WHERE due_ms IS NOT NULL") > 0
        || scratch.count("SELECT COUNT(*) FROM alert_groups WHERE due_ms IS NOT NULL") > 0
        || scratch.count("SELECT COUNT(*) FROM outbox WHERE state <> 'sent'") > 0
    {
        assert!(begun.elapsed() < PATIENCE, "not all is told: {}", said(scratch));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Every acknowledged event is stored, every stored one has its one line; how many there are.
fn assert_stored_and_logged(scratch: &Scratch, acknowledged: &BTreeSet<String>) -> usize {
    let stored: BTreeSet<String> = scratch.stored_ids().into_iter().collect();
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged events are lost", lost.len(), acknowledged.len());
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for id in ids_of(&scratch.log_lines()) {
        *times.entry(id).or_default() += 1;
    }
    let twice = times.values().filter(|n| **n > 1).count();
    let missing = stored.iter().filter(|id| !times.contains_key(*id)).count();
    assert_eq!((twice, missing, times.len()), (0, 0, stored.len()), "lines written twice, missing, and all");
    stored.len()
}

/// Incidents and rules count what is stored, every incident was told whole, and every mail arrived: at most one of them
/// twice for each kill. How many did.
fn assert_told(scratch: &Scratch, smtp: &Smtp, kills: u64) -> usize {
    let events = scratch.count("SELECT COUNT(*) FROM events");
    assert_eq!(scratch.count("SELECT CAST(SUM(count) AS BIGINT) FROM incidents"), events);
    assert_eq!(scratch.count("SELECT CAST(SUM(count) AS BIGINT) FROM threats"), events);
    let untold = "SELECT COUNT(*) FROM incidents WHERE notify_count <> count";
    assert_eq!(scratch.count(untold), 0, "{}", said(scratch));
    let told = scratch.count("SELECT CAST(SUM(count) AS BIGINT) FROM accounts WHERE outcome = 'told'");
    assert_eq!(told, events, "{}", said(scratch));
    let mails = usize::try_from(scratch.count("SELECT COUNT(*) FROM outbox")).unwrap();
    let received = smtp.received();
    let once: BTreeSet<String> =
        received.iter().map(|mail| format!("{:?} {:?}", mail.to, mail.header("Message-ID"))).collect();
    assert_eq!(once.len(), mails, "every mail arrived");
    let twice = received.len() - once.len();
    assert!(twice as u64 <= kills, "{twice} mails twice after {kills} kills");
    let path = scratch.join("relay.toml");
    let mut check = Command::new(env!("CARGO_BIN_EXE_alert-relay"));
    let checked = check.arg("check").arg("--config").arg(path).env_clear().output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    twice
}
