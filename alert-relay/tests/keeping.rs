//! How long what is kept; backup, restore and check.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::{
    fs,
    process::{Command, Output},
};

use common::{
    Scratch,
    client::{get, metric, post, request},
    database::Database,
    event, start, toml, until,
};
use serde_json::{Value, json};

/// Runs the program with the configuration of the scratch folder.
fn run(scratch: &Scratch, arguments: &[&str]) -> Output {
    let path = scratch.join("relay.toml");
    fs::write(&path, toml(scratch, "")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_alert-relay"));
    command.env_clear().arg("--config").arg(path).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn what_is_old_goes_and_what_is_young_or_waits_stays() {
    let scratch = Scratch::new();
    // Mails wait for a server that is not there.
    let away = "[mail]\nrecipients = [\"a@example.org\"]\n[smtp]\nserver = \"127.0.0.1\"\nport = 1\n";
    let relay = start(&scratch, away).await;
    for n in 0..3 {
        // More than two steps of old ones.
        let events: Vec<Value> = (0..400).map(|_| event(&format!("203.0.113.{n}"), "high")).collect();
        assert_eq!(post(relay.address(), &events).await.status, 202);
    }
    until("every incident is told", || scratch.count("SELECT COUNT(*) FROM outbox") >= 3).await;
    let decision = json!({"scope": "user", "value": "u", "action": "block", "reason": "r"}).to_string();
    let headers = [("content-type", "application/json")];
    let made = request(relay.address(), "POST", "/v1/decisions", &headers, decision.as_bytes()).await;
    assert_eq!(made.status, 201);
    relay.shut_down().await;
    let old = |address: &str| format!("client = 'address:203.0.113.{address}'");
    scratch.db.run(&format!("UPDATE events SET time_ms = 1000 WHERE {} OR {}", old("0"), old("1")));
    scratch.db.run(&format!(
        "UPDATE incidents SET last_ms = 1000, updated_ms = 1000, due_ms = NULL WHERE {}",
        old("0")
    ));
    scratch.db.run("UPDATE notifications SET created_ms = 1000");
    scratch.db.run("UPDATE outbox SET state = 'sent' WHERE id = (SELECT MIN(id) FROM outbox)");
    scratch.db.run("INSERT INTO threats (minute, rule, count) VALUES (1, 'old', 7)");
    scratch.db.run("INSERT INTO audit (at_ms, actor, action, what) VALUES (1000, 'person', 'lift', '{}')");
    let (mails, audit) =
        (scratch.count("SELECT COUNT(*) FROM outbox"), scratch.count("SELECT COUNT(*) FROM audit"));
    assert_eq!(audit, 2, "the decision, and the old one");
    let relay = start(&scratch, away).await;
    until("the old audit line goes, which is the last", || {
        scratch.count("SELECT COUNT(*) FROM audit WHERE at_ms = 1000") == 0
    })
    .await;
    relay.shut_down().await;
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 400);
    assert_eq!(scratch.count("SELECT COUNT(*) FROM incidents"), 2);
    assert_eq!(scratch.count(&format!("SELECT COUNT(*) FROM incidents WHERE {}", old("0"))), 0);
    assert_eq!(scratch.count("SELECT COUNT(*) FROM threats WHERE rule = 'old'"), 0);
    assert!(scratch.count("SELECT COUNT(*) FROM threats") > 0, "young counts stay");
    assert_eq!(scratch.count("SELECT COUNT(*) FROM outbox"), mails - 1, "what waits stays, however old");
    assert_eq!(scratch.text("SELECT action FROM audit WHERE actor = 'person'"), "decide");
}

#[tokio::test]
async fn a_store_whose_events_have_all_gone_is_well_and_finds_what_comes_next() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    assert_eq!(post(relay.address(), &[event("203.0.113.1", "high")]).await.status, 202);
    let indexed = "SELECT COUNT(*) FROM meta WHERE key = 'searchable' AND value > 0";
    until("it can be found", || scratch.count(indexed) == 1).await;
    relay.shut_down().await;
    scratch.db.run("UPDATE events SET time_ms = 1000");
    let relay = start(&scratch, "").await;
    until("it is gone", || scratch.count("SELECT COUNT(*) FROM events") == 0).await;
    let answer = get(relay.address(), "/metrics").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for (name, value) in [("store_up", 1.0), ("search_lag_events", 0.0)] {
        assert_eq!(metric(relay.address(), &format!("modelgate_relay_{name}")).await, value, "{name}");
    }
    assert_eq!(post(relay.address(), &[event("203.0.113.2", "high")]).await.status, 202);
    let mut found = 0;
    for _ in 0..500 {
        let page = get(relay.address(), "/v1/events?text=injection").await.json();
        found = page["events"].as_array().unwrap().len();
        if found == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(found, 1);
    relay.shut_down().await;
}

#[tokio::test]
async fn a_backup_of_a_running_relay_comes_back_whole() {
    let scratch = Scratch::new();
    let copy = scratch.join("copy.sqlite");
    let copied = copy.to_str().unwrap();
    let relay = start(&scratch, "").await;
    let events: Vec<Value> = (0..50).map(|_| event("203.0.113.1", "high")).collect();
    assert_eq!(post(relay.address(), &events).await.status, 202);
    let epoch = get(relay.address(), "/v1/decisions").await.json()["epoch"].clone();
    let backup = run(&scratch, &["backup", copied]);
    if let Database::Postgres { .. } = scratch.db {
        assert_eq!(backup.status.code(), Some(1));
        assert!(text(&backup.stderr).contains("pg_dump"), "{backup:?}");
        return relay.shut_down().await;
    }
    assert!(text(&backup.stdout).contains("holds 50 events"), "{backup:?}");
    assert!(text(&run(&scratch, &["backup", copied]).stderr).contains("is there already"));
    assert!(text(&run(&scratch, &["restore", copied]).stderr).contains("another relay"), "not while it runs");
    assert_eq!(post(relay.address(), &[event("203.0.113.2", "high")]).await.status, 202);
    relay.shut_down().await;
    let restore = run(&scratch, &["restore", copied]);
    assert!(text(&restore.stdout).contains("holds 50 events now; what it held before is in"), "{restore:?}");
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 50);
    let lines = scratch.log_lines().len();
    let relay = start(&scratch, "").await;
    assert_ne!(get(relay.address(), "/v1/decisions").await.json()["epoch"], epoch, "filters begin anew");
    let again = post(relay.address(), &events).await.json();
    assert_eq!((again["accepted"].as_u64(), again["duplicates"].as_u64()), (Some(0), Some(50)));
    relay.shut_down().await;
    assert_eq!(scratch.log_lines().len(), lines, "no line is written twice");
    let checked = run(&scratch, &["check"]);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
}

#[tokio::test]
async fn a_restore_that_was_broken_off_is_made_good_by_the_next() {
    let scratch = Scratch::new();
    let Database::Sqlite(file) = &scratch.db else { return };
    let beside = |end: &str| file.with_file_name(format!("relay.sqlite{end}"));
    let copy = scratch.join("copy.sqlite");
    let relay = start(&scratch, "").await;
    assert_eq!(post(relay.address(), &[event("203.0.113.1", "high")]).await.status, 202);
    run(&scratch, &["backup", copy.to_str().unwrap()]);
    relay.shut_down().await;
    // The file was moved away, what belongs to it not yet.
    std::fs::rename(file, beside(".away")).unwrap();
    std::fs::write(beside("-wal"), "the log of another file").unwrap();
    let restore = run(&scratch, &["restore", copy.to_str().unwrap()]);
    assert!(text(&restore.stdout).contains("holds 1 events now"), "{restore:?}");
    let kept = std::fs::read_to_string(beside(".before-restore-1-wal"));
    assert_eq!(kept.unwrap(), "the log of another file");
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 1);
}

#[tokio::test]
async fn nothing_is_sent_again_out_of_a_database_that_is_not_there() {
    let scratch = Scratch::new();
    let Database::Sqlite(file) = &scratch.db else { return };
    common::config(&scratch, "");
    for arguments in [&["resend"][..], &["resend", "all"], &["resend", "5"], &["check"]] {
        let answer = run(&scratch, arguments);
        assert_eq!(answer.status.code(), Some(1), "{answer:?}");
        assert!(text(&answer.stderr).contains("there is no "), "{answer:?}");
        assert!(!file.exists(), "{arguments:?} made a database");
    }
}

#[tokio::test]
async fn check_names_what_is_wrong() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let events: Vec<Value> = (0..3).map(|_| event("203.0.113.1", "high")).collect();
    assert_eq!(post(relay.address(), &events).await.status, 202);
    until("the mail is composed", || scratch.count("SELECT COUNT(*) FROM outbox") > 0).await;
    relay.shut_down().await;
    let well = run(&scratch, &["check"]);
    assert_eq!(well.status.code(), Some(0), "{well:?}");
    assert!(text(&well.stdout).lines().count() >= 6 && !text(&well.stdout).contains("WRONG"), "{well:?}");
    for (harm, mend, word) in [
        ("UPDATE incidents SET count = 2", "UPDATE incidents SET count = 3", "has 2 of 3"),
        ("UPDATE events SET body = '{' || body", "UPDATE events SET body = substr(body, 2)", "event 1"),
        (
            "UPDATE events SET time_ms = time_ms + 9999999",
            "UPDATE events SET time_ms = time_ms - 9999999",
            "event 1",
        ),
        ("UPDATE outbox SET notification = 77", "UPDATE outbox SET notification = 1", "mail 1"),
    ] {
        scratch.db.run(harm);
        let found = run(&scratch, &["check"]);
        assert_eq!(found.status.code(), Some(1), "{harm}: {found:?}");
        let wrong: Vec<_> =
            text(&found.stdout).lines().filter(|l| l.starts_with("WRONG")).map(str::to_owned).collect();
        assert!(!wrong.is_empty() && wrong.iter().any(|line| line.contains(word)), "{harm}: {wrong:?}");
        scratch.db.run(mend);
        assert_eq!(run(&scratch, &["check"]).status.code(), Some(0), "{mend}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_neither_well_nor_restored() {
    let scratch = Scratch::new();
    let Database::Sqlite(file) = &scratch.db else {
        assert!(text(&run(&scratch, &["restore", "x"]).stderr).contains("pg_restore"));
        return;
    };
    let relay = start(&scratch, "").await;
    let events: Vec<Value> = (0..400).map(|n| event(&format!("203.0.113.{}", n % 200), "low")).collect();
    assert_eq!(post(relay.address(), &events).await.status, 202);
    relay.shut_down().await;
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0x5a);
    let damaged = scratch.join("damaged.sqlite");
    fs::write(&damaged, &bytes).unwrap();
    let whole = fs::read(file).unwrap();
    for bad in [
        damaged.to_str().unwrap(),
        scratch.join("missing").to_str().unwrap(),
        scratch.join("relay.toml").to_str().unwrap(),
    ] {
        let refused = run(&scratch, &["restore", bad]);
        assert_eq!(refused.status.code(), Some(1), "{bad}: {refused:?}");
        assert!(fs::read(file).unwrap() == whole, "the database is as it was");
    }
    fs::write(file, &bytes).unwrap();
    assert_eq!(run(&scratch, &["check"]).status.code(), Some(1));
}
