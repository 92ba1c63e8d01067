//! What only a server has: several relays on one PostgreSQL, and connections that break.
//!
//! `cargo xtask postgres cargo test -p alert-relay --test shared -- --ignored`
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::{collections::BTreeSet, fs};

use alert_relay::{
    Relay,
    config::{Config, Source},
};
use common::{
    Scratch,
    client::post,
    event, files, ids_of, now_ms,
    smtp::{Smtp, heads},
    start, toml, until,
};
use serde_json::{Value, json};

/// Another relay on the same database, with a log of its own.
async fn start_another(scratch: &Scratch, name: &str, more: &str) -> Relay {
    let text = toml(scratch, more)
        .replace("name = \"one\"", &format!("name = \"{name}\""))
        .replace("path = \"logs\"", &format!("path = \"logs-{name}\""));
    let path = scratch.join(&format!("{name}.toml"));
    fs::write(&path, text).unwrap();
    Relay::start(Config::load(&Source { file: Some(&path), env: &|_| None }).unwrap()).await.unwrap()
}

fn lines_of(scratch: &Scratch, folder: &str) -> Vec<String> {
    let paths = files(&scratch.join(folder));
    paths
        .iter()
        .flat_map(|path| fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn some_events(n: usize) -> Vec<Value> {
    (0..10)
        .map(|m| {
            let mut event = event(&format!("203.0.113.{}", (n + m) % 5), "high");
            event["model"] = json!(format!("model-{}", m % 2));
            event
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server: cargo xtask test brings one"]
async fn relays_share_events_incidents_and_mails() {
    let scratch = Scratch::new();
    let smtp = Smtp::start().await;
    let more = smtp.toml(&["ops@example.org", "sec@example.org"], "");
    let (one, two) = (start(&scratch, &more).await, start_another(&scratch, "two", &more).await);
    let (first, second) = (one.address(), two.address());
    let posts: Vec<_> = (0..40)
        .map(|n| {
            tokio::spawn(async move {
                let events = some_events(n);
                // Most batches to both at once, as a sender does that had no answer in time; of these one relay may be the
                // first with all, so each gets some alone.
                let to: &[_] = match n % 10 {
                    0 => &[first],
                    1 => &[second],
                    _ => &[first, second],
                };
                let answers = futures_util::future::join_all(to.iter().map(|at| post(*at, &events))).await;
                let taken = answers.iter().map(|answer| {
                    assert_eq!(answer.status, 202, "{answer:?}");
                    answer.json()["accepted"].as_u64().unwrap()
                });
                taken.sum::<u64>()
            })
        })
        .collect();
    for post in posts {
        assert_eq!(post.await.unwrap(), 10, "each event is new to one of them");
    }
    until("all is told", || {
        scratch.count("SELECT COUNT(*) FROM incidents WHERE due_ms IS NOT NULL") == 0
            && scratch.count("SELECT COUNT(*) FROM alert_groups WHERE due_ms IS NOT NULL") == 0
            && scratch.count("SELECT COUNT(*) FROM outbox WHERE state <> 'sent'") == 0
    })
    .await;
    one.shut_down().await;
    two.shut_down().await;
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 400);
    assert_eq!(scratch.count("SELECT COUNT(*) FROM incidents"), 10, "five callers of two models");
    assert_eq!(scratch.count("SELECT CAST(SUM(count) AS BIGINT) FROM incidents"), 400);
    assert_eq!(scratch.count("SELECT CAST(SUM(count) AS BIGINT) FROM threats"), 400);
    assert_eq!(scratch.count("SELECT COUNT(*) FROM incidents WHERE notify_count <> count"), 0);
    let mails = usize::try_from(scratch.count("SELECT COUNT(*) FROM outbox")).unwrap();
    let received: BTreeSet<String> =
        smtp.received().iter().map(|mail| format!("{:?} {:?}", mail.to, mail.header("Message-ID"))).collect();
    assert_eq!((smtp.received().len(), received.len()), (mails, mails), "each mail once");
    let (ours, theirs) = (lines_of(&scratch, "logs"), lines_of(&scratch, "logs-two"));
    assert!(!ours.is_empty() && !theirs.is_empty(), "both took some");
    let ids: BTreeSet<String> = ids_of(&[ours, theirs].concat()).into_iter().collect();
    assert_eq!(ids.len(), 400, "each line is in the log of the relay that took the event");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server: cargo xtask test brings one"]
async fn connections_that_break_are_made_anew_and_nothing_acknowledged_is_lost() {
    let scratch = Scratch::new();
    let name = format!("breaking-{}", std::process::id());
    let text = toml(&scratch, "").replace("?options", &format!("?application_name={name}&options"));
    let path = scratch.join("relay.toml");
    fs::write(&path, text).unwrap();
    let config = Config::load(&Source { file: Some(&path), env: &|_| None }).unwrap();
    let relay = Relay::start(config).await.unwrap();
    let address = relay.address();
    let sender = tokio::spawn(async move {
        let mut acknowledged = BTreeSet::new();
        let mut refused = 0;
        for n in 0..120 {
            let events = some_events(n);
            match post(address, &events).await.status {
                202 => {
                    acknowledged.extend(events.iter().map(|event| event["id"].as_str().unwrap().to_owned()))
                }
                503 => refused += 1,
                other => panic!("{other}"),
            }
        }
        (acknowledged, refused)
    });
    for _ in 0..12 {
        tokio::time::sleep(std::time::Duration::from_millis(40)).await;
        let all = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}'"
        );
        scratch.db.run(&all);
    }
    let (acknowledged, refused) = sender.await.unwrap();
    let ready = common::client::get(address, "/readyz").await;
    assert_eq!(ready.status, 200, "{ready:?}");
    until("the log is whole", || {
        scratch.log_lines().len() as i64 == scratch.count("SELECT COUNT(*) FROM events")
    })
    .await;
    relay.shut_down().await;
    let stored: BTreeSet<String> = scratch.stored_ids().into_iter().collect();
    assert!(acknowledged.is_subset(&stored), "{} lost", acknowledged.difference(&stored).count());
    assert!(acknowledged.len() > 100, "{refused} batches refused");
    let logged: BTreeSet<String> = ids_of(&scratch.log_lines()).into_iter().collect();
    assert_eq!(logged, stored, "what was stored without a word has its line too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server: cargo xtask test brings one"]
async fn the_allow_list_wins_over_a_rule_of_another_relay_at_the_same_moment() {
    let scratch = Scratch::new();
    let rule = "[[automatic_decisions]]\nevents = 1\naction = \"block\"\n";
    let (one, two) = (start(&scratch, rule).await, start_another(&scratch, "two", rule).await);
    let (first, second) = (one.address(), two.address());
    let headers = [("content-type", "application/json")];
    for n in 0..60 {
        let value = format!("203.0.113.{n}");
        let allow =
            json!({"scope": "address", "value": value, "action": "allow", "reason": "ours"}).to_string();
        let (events, pause) = ([event(&value, "high")], std::time::Duration::from_micros(n * 150));
        let decided = async {
            // Sometimes before, sometimes after.
            tokio::time::sleep(pause).await;
            common::client::request(second, "POST", "/v1/decisions", &headers, allow.as_bytes()).await
        };
        let (posted, allowed) = tokio::join!(post(first, &events), decided);
        assert_eq!((posted.status, allowed.status), (202, 201), "{posted:?} {allowed:?}");
        let stands = format!("SELECT action FROM decisions WHERE value = '{value}' AND allows = 0");
        assert_eq!(scratch.db.texts(&stands), Vec::<String>::new(), "{value} is allowed");
    }
    // Nor later, by either.
    let again: Vec<Value> = (0..60).map(|n| event(&format!("203.0.113.{n}"), "high")).collect();
    post(first, &again[..30]).await;
    post(second, &again[30..]).await;
    one.shut_down().await;
    two.shut_down().await;
    assert_eq!(scratch.count("SELECT COUNT(*) FROM decisions WHERE allows = 1"), 60);
    assert_eq!(scratch.count("SELECT COUNT(*) FROM decisions WHERE allows = 0"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server: cargo xtask test brings one"]
async fn relays_that_acknowledge_tell_and_escalate_at_once_agree() {
    let scratch = Scratch::new();
    let smtp = Smtp::start().await;
    let more = format!(
        "[alerts]\ngroup_wait = \"20ms\"\ngroup_interval = \"100ms\"\nmax_per_hour = 100000\ngroup_by = [\"client\"]\n\
         escalate_after = \"300ms\"\nescalate_to = \"night\"\nreceivers = [\"day\"]\n{}\
         [[receivers]]\nname = \"night\"\nemail = [\"night@example.org\"]\n\
         [[receivers]]\nname = \"day\"\nsend_resolved = true\nemail = [\"day@example.org\"]\n",
        smtp.toml(&[], "")
    );
    let (one, two) = (start(&scratch, &more).await, start_another(&scratch, "two", &more).await);
    let addresses = [one.address(), two.address()];
    let headers = [("content-type", "application/json")];
    let mut callers = tokio::task::JoinSet::new();
    for n in 0..12_usize {
        callers.spawn(async move {
            let client = format!("203.0.113.{n}");
            for round in 0..6 {
                let (here, there) = (addresses[(n + round) % 2], addresses[(n + round + 1) % 2]);
                assert_eq!(post(here, &[event(&client, "high")]).await.status, 202);
                let list =
                    common::client::get(there, &format!("/v1/incidents?client=address:{client}")).await;
                let id = list.json()["incidents"][0]["id"].as_str().unwrap().to_owned();
                let verb = ["acknowledge", "resolve", "reopen"][round % 3];
                let path = format!("/v1/incidents/{id}/{verb}");
                let (more, body) = ([event(&client, "high")], b"{\"by\":\"ann\"}");
                let (changed, posted) = tokio::join!(
                    common::client::request(there, "POST", &path, &headers, body),
                    post(here, &more)
                );
                assert_eq!((changed.status, posted.status), (200, 202), "{changed:?} {posted:?}");
                tokio::time::sleep(std::time::Duration::from_millis(97)).await;
            }
            // In the end it is over.
            let list = common::client::get(addresses[0], &format!("/v1/incidents?client=address:{client}"))
                .await
                .json();
            for incident in list["incidents"].as_array().unwrap() {
                let path = format!("/v1/incidents/{}/resolve", incident["id"].as_str().unwrap());
                common::client::request(addresses[n % 2], "POST", &path, &headers, b"{}").await;
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    until("all is told", || {
        scratch.count("SELECT COUNT(*) FROM incidents WHERE due_ms IS NOT NULL OR state <> told_state") == 0
            && scratch.count(
                "SELECT COUNT(*) FROM alert_groups WHERE due_ms IS NOT NULL OR state_due_ms IS NOT NULL",
            ) == 0
            && scratch.count("SELECT COUNT(*) FROM outbox WHERE state <> 'sent'") == 0
    })
    .await;
    for relay in addresses {
        let errors = common::client::metric(relay, "modelgate_relay_commit_errors_total").await;
        assert_eq!(errors, 0.0, "nobody is in anybody's way");
    }
    one.shut_down().await;
    two.shut_down().await;
    assert_eq!(scratch.count("SELECT CAST(SUM(count) AS BIGINT) FROM incidents"), 12 * 12);
    assert_eq!(
        scratch.count(
            "SELECT CAST(SUM(count) AS BIGINT) FROM accounts WHERE receiver = 'day' AND outcome = 'told'"
        ),
        12 * 12
    );
    assert_eq!(
        scratch.count("SELECT COUNT(*) FROM alert_groups WHERE sequence > 0 AND told_state <> 'resolved'"),
        0
    );
    let ids: BTreeSet<String> =
        smtp.received().iter().map(|mail| format!("{:?} {:?}", mail.to, mail.header("Message-ID"))).collect();
    assert_eq!(ids.len(), smtp.received().len(), "each mail once");
    // Whatever the way there, the last word to each thread is that it is over.
    let last = "SELECT COUNT(*) FROM notifications AS n WHERE receiver = 'day' AND is_state = 0 AND NOT EXISTS \
                (SELECT 1 FROM notifications AS later WHERE later.incident = n.incident AND later.sequence > n.sequence)";
    assert_eq!(scratch.count(last), 0);
}

/// Each relay's log can be cut off by whoever has its machine; the digest is made by any of them, and tells of all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server: cargo xtask test brings one"]
async fn a_digest_names_the_heads_of_all_relays_and_each_holds_its_log_to_it() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let minute = now_ms() / 60_000 % 1440;
    let digest = format!("[digest]\ndaily = \"{:02}:{:02}\"\n", minute / 60, minute % 60);
    let more = format!("{}{digest}", smtp.toml(&["ops@example.org"], ""));
    let names = ["one", "two"];
    let file = |name: &str| scratch.join(&format!("{name}.toml"));
    for name in names {
        let text = toml(&scratch, &more)
            .replace("name = \"one\"", &format!("name = \"{name}\""))
            .replace("path = \"logs\"", &format!("path = \"logs-{name}\"\nchain_file = \"{name}.chain\""));
        fs::write(file(name), text).unwrap();
    }
    let load = |name: &str| Config::load(&Source { file: Some(&file(name)), env: &|_| None }).unwrap();
    for name in names {
        fs::write(
            scratch.join(&format!("{name}.key")),
            alert_relay::maintenance::log_key(&load(name)).unwrap(),
        )
        .unwrap();
    }
    let run = async |events: usize| {
        for name in names {
            let relay = Relay::start(load(name)).await.unwrap();
            let batch: Vec<Value> = (0..events).map(|_| event("203.0.113.1", "high")).collect();
            assert_eq!(post(relay.address(), &batch).await.status, 202);
            let begun = "SELECT COUNT(*) FROM meta WHERE key = 'digest:daily'";
            until("the day begins", || scratch.count(begun) == 1).await;
            relay.shut_down().await;
        }
    };
    run(3).await;
    let log = files(&scratch.join("logs-two")).remove(0);
    let before = [log, scratch.join("two.chain")].map(|path| (path.clone(), fs::read(path).unwrap()));
    run(5).await;
    let told = "SELECT COALESCE(CAST(SUM(count) AS BIGINT), 0) FROM accounts";
    // One alone makes the digest; the other has told where its log stands and is gone.
    let two = Relay::start(load("two")).await.unwrap();
    until("it is told", || {
        scratch.count("SELECT COUNT(*) FROM log_heads WHERE relay = 'two' AND sequence = 8") == 1
            && scratch.count(told) == 16
    })
    .await;
    two.shut_down().await;
    scratch.db.run("UPDATE meta SET value = value - 1 WHERE key = 'digest:daily'");
    scratch.db.run("UPDATE accounts SET hour = hour - 2");
    let one = Relay::start(load("one")).await.unwrap();
    let digest = || smtp.received().into_iter().find(|mail| mail.data.contains("Subject: Security digest"));
    until("the digest", || digest().is_some()).await;
    one.shut_down().await;
    let heads = heads(&digest().unwrap().data);
    let verify = |name: &str, (whose, head): &(String, String)| {
        assert!(
            whose.starts_with(&format!("The log of {name} stood here")) && head.starts_with("8:"),
            "{whose} {head}"
        );
        let key = scratch.join(&format!("{name}.key"));
        alert_relay::maintenance::verify(&load(name), &key, std::slice::from_ref(head)).unwrap()
    };
    assert_eq!(heads.len(), 2, "{heads:?}");
    for (name, head) in names.iter().zip(&heads) {
        let (says, well) = verify(name, head);
        assert!(well, "{says:?}");
    }
    for (path, content) in before {
        fs::write(path, content).unwrap();
    }
    assert!(verify("one", &heads[0]).1);
    let (says, well) = verify("two", &heads[1]);
    assert!(
        !well && says[0].starts_with("lines number 3 to 7 are missing, after security_demo_"),
        "{says:?}"
    );
}
