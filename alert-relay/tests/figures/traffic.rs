//! Events as filters of a large deployment send them, and how they are sent.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use wire::EventId;

use crate::common::{KEY, client::Signed, now_ms};

/// Connections that send, each one batch after the other.
pub(crate) const SENDERS: usize = 8;
/// Connections that send to a schedule: more, so that one slow answer does not keep the next batch.
const SCHEDULED: usize = 16;
/// Models that are guarded.
const MODELS: u64 = 40;
/// Callers in all.
const CLIENTS: u64 = 20_000;
/// Events of one attack, on average.
const ATTACK: u64 = 150;
/// Attacks that are under way at a time.
const AT_A_TIME: u64 = 400;
/// Over so long the events of a full store are spread: within the time that the counts are kept, too.
const SPREAD_MS: u64 = 28 * 86_400_000;

const CATEGORIES: [(&str, &str, &str, &str); 12] = [
    ("prompt_injection", "injection", "high", "block"),
    ("jailbreak", "jailbreak", "high", "block"),
    ("rate_limit", "limit", "low", "throttle"),
    ("prompt_extraction", "extraction", "medium", "block"),
    ("secret", "secret", "high", "mask"),
    ("pii", "pii", "medium", "mask"),
    ("exfiltration", "exfiltration", "critical", "block"),
    ("web_payload", "web", "medium", "flag"),
    ("structure", "structure", "low", "flag"),
    ("invalid_input", "input", "low", "block"),
    ("authentication", "authentication", "medium", "block"),
    ("tensor", "tensor", "medium", "block"),
];
const WORDS: [&str; 16] = [
    "override",
    "persona",
    "ignore",
    "reveal",
    "system",
    "translate",
    "role",
    "hidden",
    "markdown",
    "encoded",
    "payload",
    "repeat",
    "suffix",
    "fiction",
    "urgent",
    "developer",
];

/// A number that has nothing to do with the one before (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014).
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The address of a caller.
pub(crate) fn address(client: u64) -> String {
    format!("198.18.{}.{}", client / 250 % 256, client % 250)
}

/// The callers' first rule, which a search by words finds.
pub(crate) const FIND: &str = "persona fiction";

/// Which events are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series {
    /// Events of two series are never the same.
    pub(crate) number: u64,
    /// How many it has in all; over those the attacks follow each other.
    pub(crate) total: u64,
    /// Whether they happened over the last weeks; if not, now.
    pub(crate) spread: bool,
}

/// Adds the event of this number as JSON.
fn event(out: &mut String, series: Series, n: u64, now: u64) {
    let random = mixed(n ^ (series.number << 48));
    let time = if series.spread { now - SPREAD_MS + n * (SPREAD_MS / series.total.max(1)) } else { now };
    // A few attacks make most of the noise of a moment, and others take their place.
    let share = (random % AT_A_TIME) * (random / AT_A_TIME % AT_A_TIME) / AT_A_TIME;
    let attack = mixed(n / ATTACK + share);
    let (category, prefix, severity, verdict) = CATEGORIES[usize::try_from(attack % 12).unwrap()];
    let client = attack / 12 % CLIENTS;
    let word = |at: u64| WORDS[usize::try_from(at % 16).unwrap()];
    let (first, second) = (word(attack >> 8), word(attack >> 12));
    let mut entropy = [0; 10];
    entropy[..8].copy_from_slice(&random.to_be_bytes());
    let id = EventId::new(time, entropy);
    let address = address(client);
    let _ = write!(
        out,
        "{{\"v\":1,\"id\":\"{id}\",\"time_ms\":{time},\"kind\":\"detection\",\"model\":\"model-{}\",\"surface\":\"envoy\",\
         \"node\":\"sidecar~10.0.{}.7~chat-6f8~prod\",\"route\":\"chat\",\"client\":{{\"address\":\"{address}\"",
        attack / 240_000 % MODELS,
        n % 20,
    );
    match client % 4 {
        0 => drop(write!(
            out,
            ",\"key\":{{\"hash\":\"{:032x}\",\"prefix\":\"sk-{}\"}}",
            mixed(client),
            client % 1000
        )),
        1 => drop(write!(out, ",\"user\":\"user-{client}@example.org\"")),
        _ => {}
    }
    let _ = write!(
        out,
        "}},\"request\":{{\"id\":\"{random:016x}{n:016x}\",\"method\":\"POST\",\"path\":\"/v1/chat/completions\",\
         \"protocol\":\"openai_chat\",\"bytes\":{},\"parts\":3,\"status\":400}},\"verdict\":\"{verdict}\",\
         \"score\":0.{},\"severity\":\"{severity}\",\"findings\":[{{\"rule\":\"{prefix}.{first}.{second}\",\
         \"category\":\"{category}\",\"severity\":\"{severity}\",\"score\":0.9,\
         \"summary\":\"Asks the model for what its application forbids: {first} {second}\",\
         \"owasp\":[\"LLM01:2025\"],\"atlas\":[\"AML.T0051.000\"],\
         \"location\":{{\"place\":\"/messages/{}/content\"}}}}]}}",
        random % 8000 + 200,
        random % 40 + 55,
        random % 6,
    );
}

/// A signed request with the events from this number on.
pub(crate) fn request(series: Series, from: u64, events: u64) -> Vec<u8> {
    let now = now_ms();
    let mut body = "{\"v\":1,\"events\":[".to_owned();
    for n in from..from + events {
        if n > from {
            body.push(',');
        }
        event(&mut body, series, n, now);
    }
    body.push_str("]}");
    let signed = Signed::new(KEY, body.as_bytes(), now / 1000);
    let mut request = "POST /v1/events HTTP/1.1\r\nhost: x\r\n".to_owned();
    for (name, value) in signed.headers() {
        let _ = write!(request, "{name}: {value}\r\n");
    }
    let _ = write!(request, "content-length: {}\r\n\r\n{body}", body.len());
    request.into_bytes()
}

/// A connection that stays.
struct Sender {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Sender {
    async fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: vec![0; 4096] }
    }

    /// Sends a batch and waits for its acknowledgement.
    async fn send(&mut self, request: &[u8]) {
        self.stream.write_all(request).await.unwrap();
        let read = self.stream.read(&mut self.buffer).await.unwrap();
        let answer = String::from_utf8_lossy(&self.buffer[..read]);
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    }
}

/// How long each of some things took, in order of size.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    /// The time that so many of a hundred took at most, in milliseconds.
    pub(crate) fn percentile(&self, hundredths: usize) -> f64 {
        self.0[(self.0.len() * hundredths / 100).min(self.0.len() - 1)].as_secs_f64() * 1000.0
    }
}

/// Sends as fast as the relay takes it; the events a second, and how long each batch waited for its acknowledgement.
pub(crate) async fn at_full_load(address: SocketAddr, series: Series, per_batch: u64) -> (f64, Times) {
    let made: Vec<Vec<u8>> =
        (0..series.total / per_batch).map(|n| request(series, n * per_batch, per_batch)).collect();
    let (made, next) = (Arc::new(made), Arc::new(AtomicUsize::new(0)));
    let begun = Instant::now();
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (made, next) = (Arc::clone(&made), Arc::clone(&next));
            tokio::spawn(async move {
                let mut sender = Sender::new(address).await;
                let mut times = Vec::new();
                while let Some(request) = made.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = Instant::now();
                    sender.send(request).await;
                    times.push(sent.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for sender in senders {
        times.extend(sender.await.unwrap());
    }
    (series.total as f64 / begun.elapsed().as_secs_f64(), Times::new(times))
}

/// Sends to a schedule, so many events a second; how long after the moment that each batch was due for it was acknowledged.
/// Who waits for a slow answer does not wait for less: that is what the schedule is for.
pub(crate) async fn on_schedule(address: SocketAddr, series: Series, per_batch: u64, rate: u64) -> Times {
    let made: Vec<Vec<u8>> =
        (0..series.total / per_batch).map(|n| request(series, n * per_batch, per_batch)).collect();
    let (made, next) = (Arc::new(made), Arc::new(AtomicUsize::new(0)));
    let begun = Instant::now() + Duration::from_millis(200);
    let senders: Vec<_> = (0..SCHEDULED)
        .map(|_| {
            let (made, next) = (Arc::clone(&made), Arc::clone(&next));
            tokio::spawn(async move {
                let mut sender = Sender::new(address).await;
                let mut times = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(request) = made.get(number) else { return times };
                    let micros = number as u64 * per_batch * 1_000_000 / rate;
                    let due = begun + Duration::from_micros(micros);
                    tokio::time::sleep_until(due.into()).await;
                    sender.send(request).await;
                    times.push(due.elapsed());
                }
            })
        })
        .collect();
    let mut times = Vec::new();
    for sender in senders {
        times.extend(sender.await.unwrap());
    }
    Times::new(times)
}

/// Stores the events from one number up to another, in large batches.
pub(crate) async fn load(address: SocketAddr, series: Series, from: u64, to: u64) {
    const BATCH: u64 = 1000;
    let next = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let next = Arc::clone(&next);
            tokio::spawn(async move {
                let mut sender = Sender::new(address).await;
                loop {
                    let first = from + next.fetch_add(1, Ordering::Relaxed) as u64 * BATCH;
                    if first >= to {
                        return;
                    }
                    sender.send(&request(series, first, BATCH.min(to - first))).await;
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
}
