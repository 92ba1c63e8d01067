//! Decisions about callers: people and incidents make them, filters pull them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::net::SocketAddr;

use common::{
    KEY, Scratch,
    client::{Answer, Signed, get, post, request},
    event, now_ms, start,
};
use serde_json::{Value, json};
use wire::{
    Decision, DecisionAction, DecisionFeed, MESSAGE_PREFIX,
    signature::{self, ID_HEADER, Key, SIGNATURE_HEADER, TIMESTAMP_HEADER},
};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn decide(address: SocketAddr, decision: &Value) -> Answer {
    request(address, "POST", "/v1/decisions", &[JSON], decision.to_string().as_bytes()).await
}

fn block(value: &str) -> Value {
    json!({"scope": "address", "value": value, "action": "block", "reason": "attacks"})
}

/// Pulls as a filter does, and holds the answer to its signature.
async fn pull(address: SocketAddr, query: &str, tag: &str) -> (u16, Option<DecisionFeed>, String) {
    let path = format!("/v1/decisions{query}");
    let signed = Signed::new(KEY, path.as_bytes(), now_ms() / 1000);
    let mut headers = signed.headers().to_vec();
    headers.push(("if-none-match", tag));
    let answer = request(address, "GET", &path, &headers, b"").await;
    let tag = answer.header("etag").unwrap_or_default().to_owned();
    if answer.status != 200 {
        return (answer.status, None, tag);
    }
    let header = |name: &str| answer.header(name).unwrap();
    let (id, body) = (header(ID_HEADER), answer.body.as_bytes());
    assert!(id.starts_with(MESSAGE_PREFIX), "{id}");
    let keys = [Key::parse(KEY).unwrap()];
    let (timestamp, signatures) = (header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER));
    signature::verify(&keys, now_ms() / 1000, id, timestamp, signatures, body).unwrap();
    (200, Some(DecisionFeed::decode(body).unwrap()), tag)
}

fn told(feed: &DecisionFeed) -> Vec<(String, DecisionAction)> {
    feed.entries.iter().map(|Decision { subject, action, .. }| (subject.value(), *action)).collect()
}

#[tokio::test]
async fn filters_pull_what_is_new_and_nothing_twice() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let address = relay.address();
    let (_, feed, _) = pull(address, "", "").await;
    let empty = feed.unwrap();
    assert_eq!((empty.reset, empty.serial, empty.entries.len()), (true, 0, 0));

    let made = decide(address, &block("203.0.113.1")).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_eq!(
        (&made["scope"], &made["reason"], &made["automatic"]),
        (&json!("address"), &json!("attacks"), &json!(false))
    );
    decide(
        address,
        &json!({"scope": "cidr", "value": "198.51.100.0/24", "action": "throttle", "rate": 3,
        "seconds": 60, "reason": "scans"}),
    )
    .await;
    let query = format!("?epoch={}&since=0", empty.epoch);
    let (_, feed, tag) = pull(address, &query, "").await;
    let feed = feed.unwrap();
    assert_eq!((feed.reset, feed.serial), (false, 2));
    let expected =
        [("203.0.113.1".into(), DecisionAction::Block), ("198.51.100.0/24".into(), DecisionAction::Throttle)];
    assert_eq!(told(&feed), expected);
    assert_eq!(feed.entries[1].rate, 3);
    assert!(feed.entries[1].until <= now_ms() / 1000 + 60);

    let query = format!("?epoch={}&since=2", empty.epoch);
    assert_eq!(pull(address, &query, &tag).await, (304, None, tag.clone()));
    decide(
        address,
        &json!({"scope": "address", "value": "203.0.113.1", "action": "monitor", "reason": "calmer"}),
    )
    .await;
    let (_, feed, _) = pull(address, &query, &tag).await;
    assert_eq!(told(&feed.unwrap()), [("203.0.113.1".into(), DecisionAction::Monitor)]);
    relay.shut_down().await;
}

#[tokio::test]
async fn what_is_taken_back_is_told_and_then_forgotten() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let address = relay.address();
    let id = decide(address, &block("203.0.113.1")).await.json()["id"].as_u64().unwrap();
    let (_, feed, _) = pull(address, "", "").await;
    let known = feed.unwrap();
    let path = format!("/v1/decisions/{id}");
    assert_eq!(request(address, "DELETE", &path, &[], b"").await.status, 204);
    assert_eq!(request(address, "DELETE", &path, &[], b"").await.status, 404);
    assert_eq!(request(address, "DELETE", "/v1/decisions/x", &[], b"").await.status, 400);
    let (_, feed, _) = pull(address, &format!("?epoch={}&since={}", known.epoch, known.serial), "").await;
    assert_eq!(told(&feed.unwrap()), [("203.0.113.1".into(), DecisionAction::Lift)]);
    let (_, feed, _) = pull(address, "", "").await;
    assert_eq!(told(&feed.unwrap()), [], "who knows nothing needs not hear of it");
    relay.shut_down().await;
}

#[tokio::test]
async fn decisions_outlast_a_restart_and_another_database_is_another_epoch() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    decide(relay.address(), &block("203.0.113.1")).await;
    let (_, feed, _) = pull(relay.address(), "", "").await;
    let before = feed.unwrap();
    relay.shut_down().await;
    let relay = start(&scratch, "").await;
    let (status, ..) = pull(
        relay.address(),
        &format!("?epoch={}&since=1", before.epoch),
        &format!("\"{}-1\"", before.epoch),
    )
    .await;
    assert_eq!(status, 304);
    relay.shut_down().await;
    let other = Scratch::new();
    let relay = start(&other, "").await;
    let (_, feed, _) = pull(relay.address(), &format!("?epoch={}&since=1", before.epoch), "").await;
    let feed = feed.unwrap();
    assert!(feed.reset && feed.epoch != before.epoch);
    relay.shut_down().await;
}

#[tokio::test]
async fn a_long_list_comes_in_parts() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let address = relay.address();
    decide(address, &block("203.0.113.1")).await;
    let rows = "INSERT INTO decisions (serial, scope, value, action, rate, until_s, reason, automatic, created_ms, told_until_s) \
        WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) \
        SELECT i, 'user', 'user' || i, 'block', 0, 4000000000, 'r', 0, 0, 4000000000 FROM n; \
        UPDATE meta SET value = 12000 WHERE key = 'decision_serial'";
    scratch.db.run(rows);
    let (mut epoch, mut since, mut sizes) = (String::new(), 0, Vec::new());
    loop {
        let (_, feed, _) = pull(address, &format!("?epoch={epoch}&since={since}"), "").await;
        let feed = feed.unwrap();
        sizes.push(feed.entries.len());
        (epoch, since) = (feed.epoch, feed.serial);
        if !feed.more {
            break;
        }
    }
    assert_eq!((sizes, since), (vec![5000, 5000, 2000], 12_000));
    relay.shut_down().await;
}

/// Pulls until there is no more; the sizes of the parts, and what the filter knows then.
async fn pull_all(address: SocketAddr) -> (Vec<usize>, DecisionFeed) {
    let (mut sizes, mut query) = (Vec::new(), String::new());
    loop {
        let (_, feed, _) = pull(address, &query, "").await;
        let feed = feed.unwrap();
        sizes.push(feed.entries.len());
        query = format!("?epoch={}&since={}", feed.epoch, feed.serial);
        if !feed.more {
            return (sizes, feed);
        }
    }
}

/// Resident memory of a process: now and at its most, in MB.
fn resident(process: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|it| it.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

#[tokio::test]
async fn a_hundred_thousand_decisions_are_told_in_parts_and_then_only_what_changes() {
    let scratch = Scratch::new();
    let relay = common::process::Process::ready(&scratch).await;
    let (address, process) = (relay.address, relay.child.id());
    scratch.db.run(
        "INSERT INTO decisions (serial, scope, value, action, rate, until_s, reason, automatic, created_ms, told_until_s) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) \
         SELECT i, 'user', 'user' || i, 'block', 0, 4000000000, 'r', 0, 0, 4000000000 FROM n; \
         UPDATE meta SET value = 100000 WHERE key = 'decision_serial'",
    );
    let before = resident(process).0;
    let begun = std::time::Instant::now();
    let (sizes, last) = pull_all(address).await;
    let (took, most) = (begun.elapsed(), resident(process).1);
    println!(
        "100,000 decisions in {} parts: {took:?}, resident {before} MB before, {most} MB at most",
        sizes.len()
    );
    assert_eq!(sizes, [5000; 20]);
    assert!(most <= before + 64, "{before} MB before, {most} MB at most: not all of it is held at once");

    let query = format!("?epoch={}&since={}", last.epoch, last.serial);
    let tag = format!("\"{}-{}\"", last.epoch, last.serial);
    let begun = std::time::Instant::now();
    assert_eq!(pull(address, &query, &tag).await, (304, None, tag.clone()));
    println!("nothing new: {:?}", begun.elapsed());
    let full = decide(address, &block("203.0.113.1")).await;
    assert_eq!(full.status, 409, "{}", full.body);
    assert!(full.body.contains("too many"), "{}", full.body);
    let known = json!({"scope": "user", "value": "user70000", "action": "monitor", "reason": "calmer"});
    let id = decide(address, &known).await.json()["id"].as_u64().unwrap();
    assert_eq!(request(address, "DELETE", &format!("/v1/decisions/{}", id + 5), &[], b"").await.status, 204);
    let begun = std::time::Instant::now();
    let (_, feed, _) = pull(address, &query, &tag).await;
    println!("two changes: {:?}", begun.elapsed());
    let expected =
        [("user70000".to_owned(), DecisionAction::Monitor), ("user70005".to_owned(), DecisionAction::Lift)];
    assert_eq!(told(&feed.unwrap()), expected);
    let (sizes, _) = pull_all(address).await;
    assert_eq!(sizes, [5000; 20], "the parts after the first are changes, with what was taken back");
    relay.kill();
}

#[tokio::test]
async fn a_list_read_in_parts_while_it_changes_comes_out_as_it_is() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let address = relay.address();
    scratch.db.run(
        "INSERT INTO decisions (serial, scope, value, action, rate, until_s, reason, automatic, created_ms, told_until_s) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) \
         SELECT i, 'user', 'user' || i, 'block', 0, 4000000000, 'r', 0, 0, 4000000000 FROM n; \
         UPDATE meta SET value = 12000 WHERE key = 'decision_serial'",
    );
    let id_of = |user: &str| scratch.count(&format!("SELECT id FROM decisions WHERE value = '{user}'"));
    let (mut known, mut query, mut told_twice) =
        (std::collections::BTreeMap::new(), String::new(), Vec::new());
    for part in 0.. {
        let feed = pull(address, &query, "").await.1.unwrap();
        assert_eq!(feed.reset, part == 0);
        for Decision { subject, action, .. } in &feed.entries {
            if known.insert(subject.value(), *action).is_some() {
                told_twice.push(subject.value());
            }
        }
        query = format!("?epoch={}&since={}", feed.epoch, feed.serial);
        if !feed.more {
            break;
        }
        // Between any two parts: somebody told already and somebody who is not, changed and taken back; and a new one.
        for at in [100 + part, 11_000 + part] {
            let calmer = json!({"scope": "user", "value": format!("user{at}"), "action": "monitor", "reason": "calmer"});
            assert_eq!(decide(address, &calmer).await.status, 201);
            let path = format!("/v1/decisions/{}", id_of(&format!("user{}", at + 500)));
            assert_eq!(request(address, "DELETE", &path, &[], b"").await.status, 204);
        }
        assert_eq!(decide(address, &block(&format!("203.0.113.{part}"))).await.status, 201);
    }
    told_twice.sort();
    assert_eq!(told_twice, ["user100", "user101", "user600", "user601"], "again only for what changed after");
    known.retain(|_, action| *action != DecisionAction::Lift);
    let mut afresh = std::collections::BTreeMap::new();
    let mut query = String::new();
    loop {
        let feed = pull(address, &query, "").await.1.unwrap();
        for (value, action) in told(&feed) {
            assert!(afresh.insert(value, action).is_none(), "each once while nothing changes");
        }
        query = format!("?epoch={}&since={}", feed.epoch, feed.serial);
        if !feed.more {
            break;
        }
    }
    afresh.retain(|_, action| *action != DecisionAction::Lift);
    assert!(known == afresh && known.len() == 12_000 - 4 + 2, "{} {}", known.len(), afresh.len());
    relay.shut_down().await;
}

#[tokio::test]
async fn no_more_callers_and_neighbours_are_remembered_than_there_is_room_for() {
    let scratch = Scratch::new();
    let rules = "[[automatic_decisions]]\nevents = 1\naction = \"block\"\n\
                 [[automatic_decisions]]\nevents = 1\naction = \"block\"\nabout = \"range\"\naddresses = 2\n";
    let relay = start(&scratch, rules).await;
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100500)";
    scratch.db.run(&format!(
        "INSERT INTO repeats (scope, value, times, forget_s) {numbers} SELECT 'user', 'u' || i, 1, 4000000000 + i FROM n"
    ));
    scratch.db.run(&format!(
        "INSERT INTO neighbours (rule, network, address, forget_s) {numbers} \
         SELECT 'r', '10.0.0.0/8', 'a' || i, 4000000000 + i FROM n"
    ));
    post(relay.address(), &[event("203.0.113.1", "high"), event("198.51.100.1", "high")]).await;
    relay.shut_down().await;
    for table in ["repeats", "neighbours"] {
        let count = scratch.count(&format!("SELECT COUNT(*) FROM {table}"));
        assert!((99_990..=100_010).contains(&count), "{table}: {count}");
        let first = scratch.count(&format!("SELECT MIN(forget_s) FROM {table} WHERE forget_s > 3999999999"));
        assert!(first >= 4_000_000_480, "{table}: what is forgotten first goes first, {first}");
    }
}

#[tokio::test]
async fn who_was_away_hears_of_a_short_decision_in_place_of_a_long_one() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let address = relay.address();
    let decision = |action: &str, seconds: u64| json!({"scope": "user", "value": "ann", "action": action, "seconds": seconds, "reason": "r"});
    decide(address, &decision("block", 86_400)).await;
    let (_, feed, _) = pull(address, "", "").await;
    let known = feed.unwrap();
    decide(address, &decision("monitor", 60)).await;
    scratch.db.run("UPDATE decisions SET until_s = 1000");
    let query = format!("?epoch={}&since={}", known.epoch, known.serial);
    let (_, feed, _) = pull(address, &query, "").await;
    assert_eq!(told(&feed.unwrap()), [("ann".to_owned(), DecisionAction::Lift)]);
    let (_, feed, _) = pull(address, "", "").await;
    assert_eq!(told(&feed.unwrap()), []);
    relay.shut_down().await;
}

#[tokio::test]
async fn nobody_reads_or_decides_without_signature_or_token() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "api_token = \"a-token-of-decent-length\"\n").await;
    let address = relay.address();
    let token = ("authorization", "Bearer a-token-of-decent-length");
    assert_eq!(get(address, "/v1/decisions").await.status, 401);
    assert_eq!(decide(address, &block("203.0.113.1")).await.status, 401);
    assert_eq!(request(address, "DELETE", "/v1/decisions/1", &[], b"").await.status, 401);
    assert_eq!(pull(address, "", "").await.0, 200);
    // A signature over something else.
    let signed = Signed::new(KEY, b"/v1/decisions?since=5", now_ms() / 1000);
    assert_eq!(request(address, "GET", "/v1/decisions", &signed.headers(), b"").await.status, 401);
    let old = Signed::new(KEY, b"/v1/decisions", now_ms() / 1000 - 400);
    assert_eq!(request(address, "GET", "/v1/decisions", &old.headers(), b"").await.status, 401);
    let body = block("203.0.113.1").to_string();
    let signed = Signed::new(KEY, body.as_bytes(), now_ms() / 1000);
    let headers = [&signed.headers()[..], &[JSON]].concat();
    let answer = request(address, "POST", "/v1/decisions", &headers, body.as_bytes()).await;
    assert_eq!(answer.status, 401, "filters do not decide");
    assert_eq!(request(address, "POST", "/v1/decisions", &[JSON, token], body.as_bytes()).await.status, 201);
    let list = request(address, "GET", "/v1/decisions", &[token], b"").await.json();
    assert_eq!(list["entries"][0]["reason"], "attacks");
    let elsewhere = [JSON, token, ("sec-fetch-site", "cross-site")];
    assert_eq!(request(address, "POST", "/v1/decisions", &elsewhere, body.as_bytes()).await.status, 403);
    relay.shut_down().await;
}

#[tokio::test]
async fn without_a_key_no_signature_stands_for_the_token() {
    let scratch = Scratch::new();
    let unsigned = "allow_unsigned = true # no webhook_keys\napi_token = \"a-token-of-decent-length\"\n";
    let relay = start(&scratch, unsigned).await;
    let signed = Signed::new(KEY, b"/v1/decisions", now_ms() / 1000);
    let answer = request(relay.address(), "GET", "/v1/decisions", &signed.headers(), b"").await;
    assert_eq!(answer.status, 401, "{answer:?}");
    let token = ("authorization", "Bearer a-token-of-decent-length");
    assert_eq!(request(relay.address(), "GET", "/v1/decisions", &[token], b"").await.status, 200);
    relay.shut_down().await;
}

#[tokio::test]
async fn what_is_no_decision_is_refused_with_a_reason() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let address = relay.address();
    for (change, word) in [
        (json!({"value": "203.0.113"}), "scope and value"),
        (json!({"scope": "cidr", "value": "203.0.113.1/8"}), "scope and value"),
        (json!({"action": "lift"}), "action"),
        (json!({"rate": 5}), "rate"),
        (json!({"action": "throttle", "rate": 0}), "rate"),
        (json!({"seconds": 0}), "seconds"),
        (json!({"seconds": 99_999_999}), "seconds"),
        (json!({"reason": " "}), "reason"),
        (json!({"reason": "a\nb"}), "reason"),
        (json!({"note": "x"}), "note"),
    ] {
        let mut decision = block("203.0.113.1");
        decision.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = decide(address, &decision).await;
        assert_eq!(answer.status, 400, "{decision}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(word), "{}", answer.body);
    }
    let body = block("203.0.113.1").to_string();
    assert_eq!(request(address, "POST", "/v1/decisions", &[], body.as_bytes()).await.status, 415);
    let long = vec![b' '; 20_000];
    assert_eq!(request(address, "POST", "/v1/decisions", &[JSON], &long).await.status, 413);
    assert_eq!(get(address, "/v1/decisions?since=x").await.status, 400);
    relay.shut_down().await;
}

#[tokio::test]
async fn incidents_bring_decisions_where_the_configuration_says_so() {
    let scratch = Scratch::new();
    let rules = "[[automatic_decisions]]\ncategory = \"prompt_injection\"\nmin_severity = \"high\"\nevents = 3\n\
        action = \"block\"\nlasts = \"10m\"\nexcept = [\"198.51.100.0/24\"]\n";
    let relay = start(&scratch, rules).await;
    let address = relay.address();
    let entries = async || get(address, "/v1/decisions").await.json()["entries"].clone();
    post(address, &[event("203.0.113.1", "high"), event("203.0.113.1", "high")]).await;
    assert_eq!(entries().await, json!([]));
    let trusted: Vec<Value> = (0..5).map(|_| event("198.51.100.7", "high")).collect();
    let mild: Vec<Value> = (0..5).map(|_| event("203.0.113.2", "medium")).collect();
    post(address, &[trusted, mild, vec![event("203.0.113.1", "high")]].concat()).await;
    let made = entries().await;
    assert_eq!(made.as_array().unwrap().len(), 1, "{made}");
    assert_eq!((&made[0]["value"], &made[0]["automatic"]), (&json!("203.0.113.1"), &json!(true)));
    let incident = made[0]["incident"].as_str().unwrap();
    assert_eq!(
        get(address, &format!("/v1/incidents/{incident}")).await.json()["client"],
        "address:203.0.113.1"
    );
    // Further events change nothing, also where somebody has decided otherwise meanwhile.
    let mut refused = event("203.0.113.9", "high");
    refused["findings"][0]["rule"] = json!("decision.block");
    let others: Vec<Value> = (0..5)
        .map(|_| {
            let mut again = refused.clone();
            again["id"] = json!(common::fresh_id());
            again
        })
        .collect();
    post(address, &others).await;
    post(address, &[event("203.0.113.1", "high")]).await;
    assert_eq!(entries().await, made);
    relay.shut_down().await;
}

#[test]
fn a_wrong_rule_for_automatic_decisions_is_named() {
    use alert_relay::config::{Config, Source};
    let scratch = Scratch::new();
    for (wrong, word) in [
        ("events = 0\naction = \"block\"", "events"),
        ("events = 1\naction = \"lift\"", "action"),
        ("events = 1\naction = \"block\"\nabout = \"asn\"", "about"),
        ("events = 1\naction = \"throttle\"\nrate = 0", "rate"),
        ("events = 1\naction = \"block\"\nlasts = \"0s\"", "lasts"),
        ("events = 1\naction = \"block\"\nfactor = 0", "factor"),
        ("events = 1\naction = \"block\"\nlongest = \"1m\"", "longest"),
        ("events = 1\naction = \"block\"\nremember = \"9999d\"", "remember"),
        ("events = 1\naction = \"block\"\naddresses = 4", "addresses"),
        ("events = 1\naction = \"block\"\nabout = \"range\"\naddresses = 1", "addresses"),
        ("events = 1\naction = \"block\"\nabout = \"range\"\nwithin = \"0s\"", "within"),
        ("events = 1\naction = \"block\"\nabout = \"range\"\nipv4_bits = 8", "ipv4_bits"),
        ("events = 1\naction = \"block\"\nabout = \"range\"\nipv6_bits = 128", "ipv6_bits"),
        ("events = 1\naction = \"block\"\n[allow]\naddresses = [\"10.0.0.1/8\"]", "allow.addresses"),
        ("events = 1\naction = \"block\"\n[allow]\nkey_hashes = [\"sk-1\"]", "allow.key_hashes"),
        ("events = 1\naction = \"block\"\n[allow]\nusers = [\"\"]", "allow.users"),
        ("events = 1\naction = \"block\"\nexcept = [\"10.0.0.1/8\"]", "except"),
        ("events = 1\naction = \"block\"\ncategory = \"weather\"", "category"),
    ] {
        let path = scratch.join("relay.toml");
        std::fs::write(&path, common::toml(&scratch, &format!("[[automatic_decisions]]\n{wrong}\n")))
            .unwrap();
        let errors = Config::load(&Source { file: Some(&path), env: &|_| None }).unwrap_err();
        assert!(errors.to_string().contains(word), "{wrong}: {errors}");
    }
}
