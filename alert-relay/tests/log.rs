//! The incident log: each stored event once, whatever happens, and nothing outside its directory.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::fs;

use common::{
    Scratch,
    client::{get, metric, post},
    event, files, ids_of, now_ms,
    smtp::{Smtp, heads},
    start, until,
};
use serde_json::{Value, json};

/// Stores `count` events in one batch and gives their ids.
async fn store(relay: &alert_relay::Relay, count: usize) -> Vec<String> {
    let events: Vec<Value> = (0..count).map(|_| event("203.0.113.1", "high")).collect();
    assert_eq!(post(relay.address(), &events).await.status, 202);
    events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn lines_are_in_pythons_form() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    for severity in ["low", "medium", "high", "critical"] {
        post(relay.address(), &[event("203.0.113.1", severity)]).await;
    }
    relay.shut_down().await;
    let lines = scratch.log_lines();
    let levels: Vec<&str> = lines.iter().map(|line| line.split(" - ").nth(1).unwrap()).collect();
    assert_eq!(levels, ["INFO", "WARNING", "ERROR", "CRITICAL"]);
    for line in &lines {
        let at = line.split(" - ").next().unwrap();
        let form: String = at.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(form, "0000-00-00 00:00:00,000");
        assert!(
            line.split(" - ").nth(2).is_some_and(|message| message.starts_with("prompt_injection event="))
        );
    }
    let names: Vec<String> = files(&scratch.join("logs"))
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, [format!("security_demo_{}.log", &lines[0][..10])]);
}

#[tokio::test]
async fn lines_lost_in_a_crash_are_written_at_the_next_start() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let ids = store(&relay, 50).await;
    relay.shut_down().await;
    let path = files(&scratch.join("logs")).remove(0);
    let whole = fs::read_to_string(&path).unwrap();
    let line_end = |n: usize| whole.match_indices('\n').nth(n - 1).unwrap().0 + 1;
    // How many lines stay, how much of the next one, and what the cursor in the database knows.
    for (kept, torn, cursor) in
        [(50, 0, 0), (50, 0, 49), (20, 0, 20), (20, 37, 20), (20, 1, 5), (0, 0, 0), (0, 60, 0)]
    {
        let end = if kept == 0 { 0 } else { line_end(kept) } + torn;
        fs::write(&path, &whole[..end]).unwrap();
        scratch.db.run(&format!("UPDATE meta SET value = {cursor} WHERE key LIKE 'logged:%'"));
        start(&scratch, "").await.shut_down().await;
        let lines = scratch.log_lines();
        assert_eq!(ids_of(&lines), ids, "{kept} lines and {torn} bytes kept, cursor {cursor}");
        assert_eq!(fs::read_to_string(&path).unwrap(), whole, "to the byte");
        assert_eq!(scratch.count("SELECT value FROM meta WHERE key LIKE 'logged:%'"), 50);
    }
    fs::remove_file(&path).unwrap();
    scratch.db.run("DELETE FROM meta WHERE key LIKE 'logged:%'");
    start(&scratch, "").await.shut_down().await;
    assert_eq!(fs::read_to_string(&path).unwrap(), whole, "after the whole file was lost");
}

#[tokio::test]
async fn lines_that_cannot_be_written_are_made_up_for() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let mut ids = store(&relay, 3).await;
    until("the first lines", || scratch.log_lines().len() == 3).await;
    // A file where the directory was: nothing can be written, whoever runs this.
    let (logs, aside) = (scratch.join("logs"), scratch.join("aside"));
    fs::rename(&logs, &aside).unwrap();
    fs::write(&logs, "").unwrap();
    ids.extend(store(&relay, 5).await);
    ids.extend(store(&relay, 5).await);
    while metric(relay.address(), "modelgate_relay_log_errors_total").await < 2.0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let ready = get(relay.address(), "/readyz").await;
    assert_eq!((ready.status, ready.json()["status"].as_str()), (200, Some("degraded")), "{ready:?}");
    assert!(ready.json()["log"].as_str().unwrap().contains("cannot be written"), "{ready:?}");
    assert!(metric(relay.address(), "modelgate_relay_log_failing_seconds").await > 0.0);
    fs::remove_file(&logs).unwrap();
    fs::rename(&aside, &logs).unwrap();
    until("the missing lines", || scratch.log_lines().len() == 13).await;
    ids.extend(store(&relay, 2).await);
    // The lines can be read before they are durable.
    while metric(relay.address(), "modelgate_relay_log_failing_seconds").await > 0.0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(get(relay.address(), "/readyz").await.json()["log"], "ok");
    relay.shut_down().await;
    assert_eq!(ids_of(&scratch.log_lines()), ids);
}

#[tokio::test]
async fn hostile_model_names_stay_in_the_directory() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let long = "x".repeat(256);
    let hostile = [
        "../../etc/passwd",
        "..",
        ".",
        "/",
        "/etc/passwd",
        "a/../../b",
        "a\\b",
        "C:\\x",
        "~root",
        "-rf",
        "%2e%2e",
        "ä…😀",
        &long,
    ];
    for model in hostile {
        let mut event = event("203.0.113.1", "low");
        event["model"] = json!(model);
        let answer = post(relay.address(), &[event]).await.json();
        assert_eq!(answer["accepted"], 1, "{model:?}: {answer}");
    }
    // A name with a control character is no name.
    let mut event = event("203.0.113.1", "low");
    event["model"] = json!("a\n2026-01-01 00:00:00,000 - INFO - forged");
    assert_eq!(post(relay.address(), &[event]).await.json()["rejected"][0]["index"], 0);
    relay.shut_down().await;
    let written = files(&scratch.join("logs"));
    assert_eq!(written.len(), hostile.len());
    assert!(written.iter().all(|path| path.is_file()));
    let mut around: Vec<String> = files(&scratch.join(""))
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    around.retain(|name| !name.starts_with("relay."));
    assert_eq!(around, ["logs", "mail-out"]);
    assert_eq!(scratch.log_lines().len(), hostile.len());
}

#[tokio::test]
async fn text_from_outside_cannot_forge_a_line() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let mut event = event("203.0.113.1", "high");
    let forged = "x\"\n2026-01-01 00:00:00,000 - CRITICAL - prompt_injection event=\r\u{85}\u{2028}\u{202e}";
    event["request"]["path"] = json!(forged);
    event["findings"][0]["summary"] = json!(forged);
    post(relay.address(), &[event]).await;
    relay.shut_down().await;
    let lines = scratch.log_lines();
    assert_eq!(lines.len(), 1);
    assert!(!lines[0].contains(['\r', '\u{85}', '\u{2028}', '\u{202e}']));
    assert!(lines[0].contains("x\\\"\\u{a}2026"), "{}", lines[0]);
}

#[tokio::test]
async fn many_models_share_files_beyond_the_cap() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let events: Vec<Value> = (0..300)
        .map(|n| {
            let mut event = event("203.0.113.1", "low");
            event["model"] = json!(format!("model-{n}"));
            event
        })
        .collect();
    post(relay.address(), &events).await;
    relay.shut_down().await;
    assert_eq!(files(&scratch.join("logs")).len(), 201);
    assert_eq!(scratch.log_lines().len(), 300);
}

/// Runs the program by hand on the configuration that a relay was started with.
fn by_hand(scratch: &Scratch, args: &[&str]) -> (bool, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_alert-relay"));
    let config = scratch.join("relay.toml");
    let output = command.args(args).arg("--config").arg(config).env_clear().output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn a_sealed_log_stays_whole_through_crashes_and_tells_of_every_change() {
    let scratch = Scratch::new();
    let more = "[log]\nchain_file = \"log.chain\"\n";
    let text = common::toml(&scratch, "").replace("[log]\n", more);
    fs::write(scratch.join("relay.toml"), &text).unwrap();
    let load = || {
        let path = scratch.join("relay.toml");
        alert_relay::config::Config::load(&alert_relay::config::Source { file: Some(&path), env: &|_| None })
    };
    let without = alert_relay::Relay::start(load().unwrap()).await.err().unwrap();
    assert!(without.contains("log-key"), "{without}");
    let (well, key) = by_hand(&scratch, &["log-key"]);
    assert!(well && key.starts_with("logkey_") && key.trim().len() == 71, "{key}");
    fs::write(scratch.join("key"), &key).unwrap();
    assert!(!by_hand(&scratch, &["log-key"]).0, "a chain is not begun twice");
    let relay = alert_relay::Relay::start(load().unwrap()).await.unwrap();
    let mut ids = store(&relay, 30).await;
    relay.shut_down().await;
    let key_file = scratch.join("key").display().to_string();
    let verify = || by_hand(&scratch, &["verify", &key_file]);
    let (well, says) = verify();
    assert!(well && says.contains("30 lines sealed and right"), "{says}");
    let head = says.lines().last().unwrap().strip_prefix("head ").unwrap().to_owned();
    // A crash after the lines and before the state: what the state does not cover is written again.
    let chain = fs::read(scratch.join("log.chain")).unwrap();
    let relay = alert_relay::Relay::start(load().unwrap()).await.unwrap();
    ids.extend(store(&relay, 7).await);
    relay.shut_down().await;
    fs::write(scratch.join("log.chain"), &chain).unwrap();
    let path = files(&scratch.join("logs")).remove(0);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 100]).unwrap();
    scratch.db.run("UPDATE meta SET value = 25 WHERE key LIKE 'logged:%'");
    alert_relay::Relay::start(load().unwrap()).await.unwrap().shut_down().await;
    assert_eq!(fs::read(&path).unwrap(), whole, "the same lines under the same seals");
    assert_eq!(ids_of(&scratch.log_lines()), ids);
    let (well, says) = by_hand(&scratch, &["verify", &key_file, "--head", &head]);
    assert!(well && says.contains("37 lines sealed and right"), "{says}");
    // Somebody was at it.
    let text = String::from_utf8(whole).unwrap();
    fs::write(&path, text.replacen("203.0.113.1", "203.0.113.2", 1)).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let (well, says) = verify();
    assert!(!well && says.contains(&format!("{name}:1: the line was changed")), "{says}");
}

/// Whoever takes lines away at the end and puts the chain's state back to where it was then is found out by a mail alone.
#[tokio::test]
async fn the_head_in_a_digest_mail_tells_of_a_log_that_was_put_back() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let minute = now_ms() / 60_000 % 1440;
    let digest = format!("[digest]\ndaily = \"{:02}:{:02}\"\n", minute / 60, minute % 60);
    let more = format!("{}{digest}", smtp.toml(&["ops@example.org"], ""));
    let text = common::toml(&scratch, &more).replace("[log]\n", "[log]\nchain_file = \"log.chain\"\n");
    fs::write(scratch.join("relay.toml"), &text).unwrap();
    let start = async || {
        let path = scratch.join("relay.toml");
        let source = alert_relay::config::Source { file: Some(&path), env: &|_| None };
        alert_relay::Relay::start(alert_relay::config::Config::load(&source).unwrap()).await.unwrap()
    };
    let (_, key) = by_hand(&scratch, &["log-key"]);
    fs::write(scratch.join("key"), &key).unwrap();
    let key_file = scratch.join("key").display().to_string();
    let relay = start().await;
    store(&relay, 4).await;
    until("the day begins", || scratch.count("SELECT COUNT(*) FROM meta WHERE key = 'digest:daily'") == 1)
        .await;
    relay.shut_down().await;
    let log = files(&scratch.join("logs")).remove(0);
    let before = [&log, &scratch.join("log.chain")].map(|path| (path.clone(), fs::read(path).unwrap()));
    let relay = start().await;
    store(&relay, 6).await;
    let told = "SELECT COALESCE(CAST(SUM(count) AS BIGINT), 0) FROM accounts";
    until("there is something to sum up", || scratch.count(told) == 10).await;
    relay.shut_down().await;
    // As if the day had begun yesterday.
    scratch.db.run("UPDATE meta SET value = value - 1 WHERE key = 'digest:daily'");
    scratch.db.run("UPDATE accounts SET hour = hour - 2");
    let relay = start().await;
    let digest = || smtp.received().into_iter().find(|mail| mail.data.contains("Subject: Security digest"));
    until("the digest", || digest().is_some()).await;
    relay.shut_down().await;
    let heads = heads(&digest().unwrap().data);
    let [(whose, head)] = &heads[..] else { panic!("{heads:?}") };
    assert!(whose.starts_with("The log") && head.starts_with("10:"), "{whose} {head}");
    let verify = |more: &[&str]| by_hand(&scratch, &[&["verify", &key_file], more].concat());
    let (well, says) = verify(&["--head", head]);
    assert!(well && says.contains("10 lines sealed and right"), "{says}");
    for (path, content) in before {
        fs::write(path, content).unwrap();
    }
    let (well, says) = verify(&[]);
    assert!(well && says.contains("4 lines sealed and right"), "nothing in the log itself tells: {says}");
    let (well, says) = verify(&["--head", head]);
    let name = log.file_name().unwrap().to_str().unwrap();
    let missing = format!("lines number 4 to 9 are missing, after {name}:4, up to the end");
    assert!(!well && says.contains(&missing), "{says}");
    // The relay itself does not tell of the lesser head either.
    let relay = start().await;
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    relay.shut_down().await;
    assert_eq!(scratch.text("SELECT head FROM log_heads"), *head);
}

#[tokio::test]
async fn the_log_may_be_json_and_full_files_are_put_aside() {
    let scratch = Scratch::new();
    let text = common::toml(&scratch, "").replace("[log]\n", "[log]\nform = \"json\"\nmax_file_mb = 1\n");
    fs::write(scratch.join("relay.toml"), &text).unwrap();
    let path = scratch.join("relay.toml");
    let source = alert_relay::config::Source { file: Some(&path), env: &|_| None };
    let relay = alert_relay::Relay::start(alert_relay::config::Config::load(&source).unwrap()).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.extend(store(&relay, 500).await);
        until("they are written", || scratch.log_lines().len() == ids.len()).await;
    }
    relay.shut_down().await;
    let written = files(&scratch.join("logs"));
    assert!(written.len() >= 2 && written[0].to_str().unwrap().ends_with(".1.log"), "{written:?}");
    let read: Vec<Value> =
        scratch.log_lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut read: Vec<&str> = read.iter().map(|line| line["event"].as_str().unwrap()).collect();
    read.sort_unstable();
    ids.sort_unstable();
    assert_eq!(read, ids);
    // A crash now: the lines in the part that is full are not written twice.
    scratch.db.run("UPDATE meta SET value = 2000 WHERE key LIKE 'logged:%'");
    let relay = alert_relay::Relay::start(alert_relay::config::Config::load(&source).unwrap()).await.unwrap();
    relay.shut_down().await;
    assert_eq!(scratch.log_lines().len(), ids.len());
}
