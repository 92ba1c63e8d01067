//! A relay under test, a client that signs, and a mail server that can misbehave.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "each test uses its part, and one that fails here fails as it should"
)]

pub(crate) mod client;
pub(crate) mod database;
pub(crate) mod forms;
pub(crate) mod haraka;
pub(crate) mod http;
pub(crate) mod process;
pub(crate) mod smtp;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use alert_relay::{
    Relay,
    config::{Config, Source},
};
use serde_json::{Value, json};
use wire::EventId;

use self::database::Database;

/// The key that tests sign with.
pub(crate) const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A directory and a database that go when the test ends well.
pub(crate) struct Scratch {
    path: PathBuf,
    keep: bool,
    pub(crate) db: Database,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("modelgate-relay-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        let db = Database::new(&path, number);
        Self { path, keep: false, db }
    }

    /// One with a SQLite file that stays, and is found again the next time.
    pub(crate) fn at(path: PathBuf) -> Self {
        fs::create_dir_all(&path).unwrap();
        let db = Database::Sqlite(path.join("relay.sqlite"));
        Self { path, keep: true, db }
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Every line of the incident log, file by file.
    pub(crate) fn log_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for path in files(&self.join("logs")) {
            lines.extend(fs::read_to_string(path).unwrap().lines().map(str::to_owned));
        }
        lines
    }

    /// A number from the database.
    pub(crate) fn count(&self, sql: &str) -> i64 {
        let text = self.text(sql);
        text.parse().unwrap_or_else(|e| panic!("{sql}: {text:?}: {e}"))
    }

    /// The ids of all events in the database.
    pub(crate) fn stored_ids(&self) -> Vec<String> {
        let id =
            |body: String| serde_json::from_str::<Value>(&body).unwrap()["id"].as_str().unwrap().to_owned();
        self.db.texts("SELECT body FROM events").into_iter().map(id).collect()
    }

    /// A text from the database.
    pub(crate) fn text(&self, sql: &str) -> String {
        self.db.texts(sql).into_iter().next().unwrap_or_else(|| panic!("{sql}: no row"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep && !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// The files of a directory, sorted; none if it is not there.
pub(crate) fn files(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(path)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    files.sort();
    files
}

/// A configuration for tests: everything in `scratch`, quick mails, and what `more` says (TOML).
pub(crate) fn toml(scratch: &Scratch, more: &str) -> String {
    let (top, tables) = match more.find('[') {
        Some(at) if more[..at].trim().is_empty() || more[..at].ends_with('\n') => more.split_at(at),
        _ => (more, ""),
    };
    let mut text = format!(
        "listen = \"127.0.0.1:0\"\n{}public_url = \"https://relay.example.org\"\n{top}\n",
        scratch.db.toml()
    );
    if !top.contains("webhook_keys") {
        text.push_str(&format!("webhook_keys = [\"{KEY}\"]\n"));
    }
    if !tables.contains("[alerts]") {
        text.push_str("[alerts]\ngroup_wait = \"50ms\"\ngroup_interval = \"400ms\"\n");
    }
    if !tables.contains("[outbox]") {
        text.push_str("[outbox]\nretry_min = \"50ms\"\nretry_max = \"200ms\"\n");
    }
    // A digest of the clock would be a mail too many.
    if !tables.contains("[digest]") {
        text.push_str("[digest]\ndaily = \"off\"\n");
    }
    text.push_str("[log]\npath = \"logs\"\n");
    text.push_str(tables);
    text
}

/// Writes and checks a configuration.
pub(crate) fn config(scratch: &Scratch, more: &str) -> Config {
    let path = scratch.join("relay.toml");
    fs::write(&path, toml(scratch, more)).unwrap();
    Config::load(&Source { file: Some(&path), env: &|_| None }).expect("a good configuration")
}

/// Starts a relay in this process.
pub(crate) async fn start(scratch: &Scratch, more: &str) -> Relay {
    Relay::start(config(scratch, more)).await.expect("a relay that starts")
}

/// Waits until something is so, for half a minute at the most.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Now, Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// An id that no other event of this run has.
pub(crate) fn fresh_id() -> EventId {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let process = std::process::id().to_be_bytes();
    let mut entropy = [0; 10];
    entropy[2..6].copy_from_slice(&process);
    entropy[6..].copy_from_slice(&number);
    EventId::new(now_ms(), entropy)
}

/// A blocked injection, as JSON.
pub(crate) fn event(address: &str, severity: &str) -> Value {
    json!({
        "v": 1,
        "id": fresh_id(),
        "time_ms": now_ms(),
        "kind": "detection",
        "model": "demo",
        "surface": "envoy",
        "client": {"address": address},
        "request": {
            "method": "POST", "path": "/v1/chat/completions", "protocol": "openai_chat", "bytes": 512, "parts": 2,
            "status": 400,
        },
        "verdict": "block",
        "score": 0.92,
        "severity": severity,
        "findings": [{
            "rule": "injection.override.ignore-previous",
            "category": "prompt_injection",
            "severity": severity,
            "score": 0.92,
            "summary": "Asks the model to drop its instructions",
            "owasp": ["LLM01:2025"],
            "atlas": ["AML.T0051.000"],
        }],
    })
}

/// The ids in lines of the incident log.
pub(crate) fn ids_of(lines: &[String]) -> Vec<String> {
    let id = |line: &String| line.split(" event=").nth(1).and_then(|rest| rest.get(..36)).map(str::to_owned);
    lines.iter().map(|line| id(line).unwrap_or_else(|| panic!("no id in {line:?}"))).collect()
}
