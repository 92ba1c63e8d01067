//! Who is told, when, and when not: routes, silences, mute windows, inhibition, escalation, limits, digests; and a storm.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::time::Duration;

use alert_relay::Relay;
use common::{
    Scratch,
    client::{get, post, request},
    event, now_ms,
    smtp::Smtp,
    start, until,
};
use serde_json::{Value, json};

/// Quick, but for what a test asks for.
const QUICK: &str = "group_wait = \"50ms\"\ngroup_interval = \"300ms\"\n";

async fn relay(scratch: &Scratch, smtp: &Smtp, alerts: &str, more: &str) -> Relay {
    let text = format!("[alerts]\n{QUICK}{alerts}{}{more}", smtp.toml(&["ops@example.org"], ""));
    start(scratch, &text).await
}

const NIGHT: &str = "[[receivers]]\nname = \"night\"\nemail = [\"night@example.org\"]\n";

fn to(smtp: &Smtp, who: &str) -> usize {
    smtp.received().iter().filter(|mail| mail.to.concat().contains(who)).count()
}

/// Events by what became of them.
fn fates(scratch: &Scratch, receiver: &str) -> Vec<(String, i64)> {
    let sql = format!(
        "SELECT outcome || ' ' || CAST(SUM(count) AS BIGINT) FROM accounts WHERE receiver = '{receiver}' \
         GROUP BY outcome ORDER BY outcome"
    );
    let split = |text: String| {
        let (outcome, count) = text.split_once(' ').unwrap();
        (outcome.to_owned(), count.parse().unwrap())
    };
    scratch.db.texts(&sql).into_iter().map(split).collect()
}

/// Everything that has to be told is told or counted.
async fn settled(scratch: &Scratch) {
    until("all is handed on and told", || {
        scratch.count("SELECT COUNT(*) FROM incidents WHERE due_ms IS NOT NULL") == 0
            && scratch
                .count("SELECT COUNT(*) FROM alert_groups WHERE due_ms IS NOT NULL AND place <> 'overflow'")
                == 0
            && scratch.count("SELECT COUNT(*) FROM outbox WHERE state = 'pending'") == 0
    })
    .await;
}

#[tokio::test]
async fn routes_name_who_is_told() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let routes = format!(
        "{NIGHT}[[routes]]\nmatch = [\"severity=critical\"]\nreceivers = [\"night\"]\ncontinue = true\n\
         [[routes]]\nmatch = [\"model=iris\"]\nreceivers = []\n\
         [[routes]]\nmatch = [\"category=~prompt_.*\"]\nreceivers = [\"default\"]\n"
    );
    let relay = relay(&scratch, &smtp, "receivers = [\"default\"]\n", &routes).await;
    let mut ignored = event("203.0.113.3", "high");
    ignored["model"] = json!("iris");
    post(relay.address(), &[event("203.0.113.1", "critical"), event("203.0.113.2", "high"), ignored]).await;
    until("three mails", || smtp.received().len() >= 3).await;
    settled(&scratch).await;
    relay.shut_down().await;
    assert_eq!((to(&smtp, "ops@"), to(&smtp, "night@")), (2, 1));
    assert_eq!(fates(&scratch, "default"), [("told".to_owned(), 2)]);
    assert_eq!(fates(&scratch, ""), [("unrouted".to_owned(), 1)]);
}

#[tokio::test]
async fn silences_keep_what_fits_from_being_told_and_are_noted() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let configured = "[[silences]]\nmatch = [\"client=address:203.0.113.7\"]\nuntil = \"2999-01-01T00:00:00Z\"\n\
                      by = \"ann\"\nreason = \"our own scanner\"\n";
    let relay = relay(&scratch, &smtp, "", configured).await;
    let address = relay.address();
    let silence =
        json!({"match": ["client=address:203.0.113.1"], "reason": "known", "seconds": 3600, "by": "bob"});
    let headers = [("content-type", "application/json")];
    let made = request(address, "POST", "/v1/silences", &headers, silence.to_string().as_bytes()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let listed = get(address, "/v1/silences").await.json();
    assert_eq!(
        (&listed["silences"][0]["by"], &listed["silences"][0]["reason"]),
        (&json!("bob"), &json!("known"))
    );
    post(address, &["1", "2", "7"].map(|n| event(&format!("203.0.113.{n}"), "high"))).await;
    until("the one mail", || smtp.received().len() == 1).await;
    settled(&scratch).await;
    assert_eq!(fates(&scratch, "default"), [("silenced".to_owned(), 2), ("told".to_owned(), 1)]);
    let path = format!("/v1/silences/{}", made.json()["id"]);
    assert_eq!(request(address, "DELETE", &path, &[], b"").await.status, 204);
    assert_eq!(request(address, "DELETE", &path, &[], b"").await.status, 404);
    post(address, &[event("203.0.113.1", "high")]).await;
    until("it is told again", || smtp.received().len() == 2).await;
    let audit = get(address, "/v1/audit").await.json();
    let actions: Vec<&str> =
        audit["changes"].as_array().unwrap().iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["unsilence", "silence"]);
    for bad in [
        json!({"match": [], "reason": "x", "seconds": 60}),
        json!({"match": ["colour=red"], "reason": "x", "seconds": 60}),
        json!({"match": ["rule=~("], "reason": "x", "seconds": 60}),
        json!({"match": ["model=x"], "reason": " ", "seconds": 60}),
        json!({"match": ["model=x"], "reason": "x", "seconds": 0}),
    ] {
        let answer = request(address, "POST", "/v1/silences", &headers, bad.to_string().as_bytes()).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
    relay.shut_down().await;
}

#[tokio::test]
async fn in_a_mute_window_all_waits_for_its_end() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let always = "[[mute_windows]]\nname = \"always\"\nfrom = \"00:00\"\nto = \"00:00\"\n\
                  [[routes]]\nmatch = [\"severity!=critical\"]\nmute = [\"always\"]\n";
    let relay = relay(&scratch, &smtp, "", always).await;
    post(relay.address(), &[event("203.0.113.1", "high"), event("203.0.113.2", "critical")]).await;
    until("the critical one", || smtp.received().len() == 1).await;
    until("the other waits for midnight", || {
        let now = i64::try_from(now_ms()).unwrap();
        scratch.count("SELECT COALESCE(MAX(due_ms), 0) FROM alert_groups") > now + 1000
    })
    .await;
    relay.shut_down().await;
    assert_eq!(scratch.count("SELECT pending FROM alert_groups WHERE due_ms IS NOT NULL"), 1);
}

#[tokio::test]
async fn what_is_worse_keeps_the_rest_of_the_same_caller_from_being_told() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let rule = "[[inhibitions]]\nsource = [\"severity=critical\"]\ntarget = [\"severity=~low|medium\"]\n\
                equal = [\"client\"]\n";
    let relay = relay(&scratch, &smtp, "", rule).await;
    let mut minor = event("203.0.113.1", "medium");
    minor["findings"][0]["category"] = json!("jailbreak");
    let mut other = minor.clone();
    other["id"] = json!(common::fresh_id());
    other["client"] = json!({"address": "203.0.113.2"});
    post(relay.address(), &[event("203.0.113.1", "critical"), minor, other]).await;
    until("two mails", || smtp.received().len() == 2).await;
    settled(&scratch).await;
    relay.shut_down().await;
    assert_eq!(fates(&scratch, "default"), [("inhibited".to_owned(), 1), ("told".to_owned(), 2)]);
}

#[tokio::test]
async fn what_nobody_acknowledges_goes_to_somebody_else_too() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let alerts = "escalate_after = \"1500ms\"\nescalate_to = \"night\"\n";
    let relay = relay(&scratch, &smtp, alerts, NIGHT).await;
    let address = relay.address();
    let mut other = event("203.0.113.2", "high");
    other["findings"][0]["category"] = json!("secret");
    post(address, &[event("203.0.113.1", "high"), other]).await;
    until("both are told", || to(&smtp, "ops@") == 2).await;
    let list = get(address, "/v1/incidents?category=secret").await.json();
    let path = format!("/v1/incidents/{}/acknowledge", list["incidents"][0]["id"].as_str().unwrap());
    assert_eq!(request(address, "POST", &path, &[], b"").await.status, 200);
    until("the other is escalated", || to(&smtp, "night@") == 1).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    relay.shut_down().await;
    assert_eq!((to(&smtp, "ops@"), to(&smtp, "night@")), (2, 1));
    let escalated = smtp.received().into_iter().find(|mail| mail.to.concat().contains("night@")).unwrap();
    assert!(escalated.data.contains("Nobody has acknowledged"), "{}", escalated.data);
    assert_eq!(scratch.count("SELECT COUNT(*) FROM timeline WHERE what = 'escalated'"), 1);
}

#[tokio::test]
async fn what_stays_open_is_told_again_until_it_is_acknowledged() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let relay = relay(&scratch, &smtp, "repeat_interval = \"400ms\"\n", "").await;
    let address = relay.address();
    post(address, &[event("203.0.113.1", "high")]).await;
    until("a reminder", || smtp.received().len() >= 2).await;
    let list = get(address, "/v1/incidents").await.json();
    let path = format!("/v1/incidents/{}/acknowledge", list["incidents"][0]["id"].as_str().unwrap());
    assert_eq!(request(address, "POST", &path, &[], b"").await.status, 200);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let told = smtp.received().len();
    tokio::time::sleep(Duration::from_millis(1200)).await;
    relay.shut_down().await;
    assert_eq!(smtp.received().len(), told, "somebody has taken it up");
    assert!(smtp.received()[1].data.contains("still open"));
}

#[tokio::test]
async fn many_callers_who_send_the_same_are_told_as_one() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let relay = relay(&scratch, &smtp, "campaign_clients = 5\n", "").await;
    let events: Vec<Value> = (1..=40).map(|n| event(&format!("203.0.113.{n}"), "medium")).collect();
    post(relay.address(), &events).await;
    settled(&scratch).await;
    until("the mails", || smtp.received().len() >= 5).await;
    let list = get(relay.address(), "/v1/incidents?limit=1").await.json();
    let campaign = list["incidents"][0]["campaign"].as_str().unwrap();
    let whole = get(relay.address(), &format!("/v1/incidents?campaign={campaign}")).await.json();
    assert_eq!(whole["incidents"].as_array().unwrap().len(), 40);
    relay.shut_down().await;
    assert_eq!(smtp.received().len(), 5, "four alone, then the campaign");
    assert!(
        smtp.received().iter().any(|mail| mail.data.contains("36 incidents of 36")),
        "{:?}",
        smtp.received()
    );
    assert_eq!(fates(&scratch, "default"), [("told".to_owned(), 40)]);
    assert_eq!(
        scratch.count("SELECT COUNT(*) FROM incidents WHERE severity = 2"),
        31,
        "the spread raises it"
    );
}

#[tokio::test]
async fn many_small_things_are_told_as_their_number_is_a_sign() {
    for (kind, number, told) in [
        ("authentication", 10, false),
        ("authentication", 11, true),
        ("rate_limit", 5, false),
        ("rate_limit", 6, true),
        ("prompt_injection", 20, false),
        ("prompt_injection", 21, true),
    ] {
        let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
        let relay = relay(&scratch, &smtp, "", "").await;
        let events: Vec<Value> = (0..number)
            .map(|_| {
                let mut event = event("203.0.113.1", "low");
                event["findings"][0]["category"] = json!(kind);
                event
            })
            .collect();
        post(relay.address(), &events).await;
        settled(&scratch).await;
        relay.shut_down().await;
        assert_eq!(smtp.received().len(), usize::from(told), "{kind} {number}");
        let outcome = if told { "told" } else { "below" };
        assert_eq!(fates(&scratch, "default"), [(outcome.to_owned(), number)], "{kind}");
    }
}

#[tokio::test]
async fn an_anomaly_of_high_score_is_told_and_severities_can_be_set() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let relay = relay(&scratch, &smtp, "", "[severities]\ndata_breach = \"critical\"\n").await;
    let of = |category: &str, score: f64| {
        let mut event = event("203.0.113.1", "low");
        event["findings"][0]["category"] = json!(category);
        event["score"] = json!(score);
        event
    };
    post(relay.address(), &[of("tensor", 0.8), of("structure", 0.79), of("exfiltration", 0.1)]).await;
    settled(&scratch).await;
    relay.shut_down().await;
    assert_eq!(fates(&scratch, "default"), [("below".to_owned(), 1), ("told".to_owned(), 2)]);
    assert_eq!(scratch.count("SELECT severity FROM incidents WHERE category = 'exfiltration'"), 3);
}

#[tokio::test]
async fn a_digest_accounts_for_every_event() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let minute = now_ms() / 60_000 % 1440;
    let time = |minute: u64| format!("{:02}:{:02}", minute / 60, minute % 60);
    let quiet = "[[silences]]\nmatch = [\"category=jailbreak\"]\nuntil = \"2999-01-01T00:00:00Z\"\nby = \"a\"\n\
                 reason = \"b\"\n";
    let text = |at: u64| format!("{quiet}[digest]\ndaily = \"{}\"\n", time(at));
    let first = relay(&scratch, &smtp, "", &text(minute)).await;
    let mut silent = event("203.0.113.1", "high");
    silent["findings"][0]["category"] = json!("jailbreak");
    post(first.address(), &[event("203.0.113.1", "high"), event("203.0.113.1", "high"), silent]).await;
    settled(&scratch).await;
    until("the day begins", || scratch.count("SELECT COUNT(*) FROM meta WHERE key = 'digest:daily'") == 1)
        .await;
    first.shut_down().await;
    assert_eq!(smtp.received().len(), 1, "a relay that has just begun has nothing to sum up");
    // As if that had been yesterday.
    scratch.db.run("UPDATE meta SET value = value - 1 WHERE key = 'digest:daily'");
    scratch.db.run("UPDATE accounts SET hour = hour - 2");
    let second = relay(&scratch, &smtp, "", &text(minute)).await;
    until("the digest", || smtp.received().len() == 2).await;
    settled(&scratch).await;
    second.shut_down().await;
    let digest = smtp.received().remove(1);
    assert_eq!(digest.header("Subject"), Some("Security digest: 3 events (daily)"));
    for line in ["2  prompt injection: told in messages", "1  jailbreak: silenced"] {
        assert!(digest.data.contains(line), "{line}\n{}", digest.data);
    }
    assert_eq!(smtp.received().len(), 2, "once");
}

#[tokio::test]
async fn what_waits_for_a_receiver_that_is_gone_goes_to_the_first() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let wait = "[alerts]\ngroup_wait = \"2s\"\n";
    let mail = smtp.toml(&["ops@example.org"], "");
    let route = "[[routes]]\nmatch = [\"model=demo\"]\nreceivers = [\"night\"]\n";
    let relay = start(&scratch, &format!("{wait}{mail}{NIGHT}{route}")).await;
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    until("it waits", || scratch.count("SELECT COUNT(*) FROM alert_groups WHERE receiver = 'night'") == 1)
        .await;
    relay.shut_down().await;
    assert_eq!(smtp.received().len(), 0);
    let relay = start(&scratch, &format!("{wait}{mail}")).await;
    until("somebody is told", || smtp.received().len() == 1).await;
    // Nobody who is configured was told by that name, so nobody hears how it ends.
    let list = get(relay.address(), "/v1/incidents").await.json();
    let path = format!("/v1/incidents/{}/resolve", list["incidents"][0]["id"].as_str().unwrap());
    assert_eq!(request(relay.address(), "POST", &path, &[], b"").await.status, 200);
    until("that is noted", || scratch.text("SELECT told_state FROM alert_groups") == "resolved").await;
    settled(&scratch).await;
    relay.shut_down().await;
    assert_eq!((to(&smtp, "ops@"), smtp.received().len()), (1, 1));
    assert_eq!(fates(&scratch, "night"), [("told".to_owned(), 1)]);
}

#[tokio::test]
async fn a_clock_that_was_put_back_keeps_nobody_from_being_told() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let relay = relay(&scratch, &smtp, "max_per_hour = 4\n", "").await;
    // A quarter of four is for what is critical: the hour is full.
    post(relay.address(), &unlike("high", 1, 3)).await;
    until("the hour is full", || smtp.received().len() == 3).await;
    settled(&scratch).await;
    // As if all of it had been told in a day that is yet to come.
    let day = 86_400_000;
    scratch.db.run(&format!("UPDATE notifications SET created_ms = created_ms + {day}"));
    scratch.db.run(&format!("UPDATE outbox SET settled_ms = settled_ms + {day}"));
    scratch
        .db
        .run(&format!("UPDATE alert_groups SET last_ms = last_ms + {day}, updated_ms = updated_ms + {day}"));
    scratch.db.run(&format!("UPDATE incidents SET notify_last_ms = notify_last_ms + {day}"));
    post(relay.address(), &unlike("high", 1, 2)).await;
    // What is told already would wait for its interval, and at most an hour for the incident's own moment.
    scratch.db.run("UPDATE incidents SET due_ms = due_ms - 3600000 WHERE due_ms IS NOT NULL");
    post(relay.address(), &unlike("high", 50, 1)).await;
    until("all are told", || smtp.received().len() == 6).await;
    relay.shut_down().await;
}

#[tokio::test]
async fn a_silence_that_ends_leaves_what_it_kept_to_the_digest_and_the_next_event() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let relay = relay(&scratch, &smtp, "", "").await;
    let address = relay.address();
    let silence = json!({"match": ["severity=high"], "reason": "known", "seconds": 1, "by": "bob"});
    let headers = [("content-type", "application/json")];
    let made = request(address, "POST", "/v1/silences", &headers, silence.to_string().as_bytes()).await;
    assert_eq!(made.status, 201, "{made:?}");
    post(address, &[event("203.0.113.1", "high")]).await;
    until("it is counted", || fates(&scratch, "default") == [("silenced".to_owned(), 1)]).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(smtp.received().len(), 0, "whoever silenced it knew of it");
    assert_eq!(get(address, "/v1/incidents").await.json()["incidents"][0]["state"], "open");
    // Events are looked at again after some seconds, as those that nobody is told of are many.
    post(address, &[event("203.0.113.1", "high")]).await;
    until("the next is told", || smtp.received().len() == 1).await;
    relay.shut_down().await;
    assert!(smtp.received()[0].data.contains("2 in all") || smtp.received()[0].data.contains("2 events"));
    assert_eq!(fates(&scratch, "default"), [("silenced".to_owned(), 1), ("told".to_owned(), 1)]);
}

async fn silence(relay: &Relay, matcher: &str) {
    let body = json!({"match": [matcher], "reason": "known", "seconds": 3600, "by": "bob"}).to_string();
    let headers = [("content-type", "application/json")];
    let made = request(relay.address(), "POST", "/v1/silences", &headers, body.as_bytes()).await;
    assert_eq!(made.status, 201, "{made:?}");
}

#[tokio::test]
async fn a_silence_holds_what_waits_to_be_told_already() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let alerts = "[alerts]\ngroup_wait = \"1500ms\"\ngroup_interval = \"1500ms\"\ngroup_by = [\"model\"]\n";
    let relay = start(&scratch, &format!("{alerts}{}", smtp.toml(&["ops@example.org"], ""))).await;
    let address = relay.address();
    let of = |model: &str, n: u8| {
        let mut event = event(&format!("203.0.113.{n}"), "high");
        event["model"] = json!(model);
        event
    };
    // The worst of a group, another of it, and a group that is silenced whole.
    post(address, &[of("demo", 1), of("demo", 1), of("demo", 2), of("iris", 3)]).await;
    let waiting = "SELECT COALESCE(CAST(SUM(pending) AS BIGINT), 0) FROM alert_groups";
    until("all waits", || scratch.count(waiting) == 4).await;
    silence(&relay, "client=address:203.0.113.1").await;
    silence(&relay, "model=iris").await;
    until("what is left is told", || smtp.received().len() == 1).await;
    until("nothing waits", || scratch.count(waiting) == 0).await;
    let mail = smtp.received().remove(0);
    let text = common::smtp::plain(&mail.data);
    assert!(text.contains("203.0.113.2") && !text.contains("203.0.113.1\n"), "{text}");
    assert!(!text.contains("stands for"), "it is about one incident: {text}");
    assert_eq!(fates(&scratch, "default"), [("silenced".to_owned(), 3), ("told".to_owned(), 1)]);
    // More of a group that was told of.
    post(address, &[of("demo", 2), of("demo", 1)]).await;
    until("it waits", || scratch.count(waiting) == 1).await;
    silence(&relay, "client=address:203.0.113.2").await;
    until("nothing waits", || scratch.count(waiting) == 0).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    relay.shut_down().await;
    assert_eq!(smtp.received().len(), 1);
    assert_eq!(fates(&scratch, "default"), [("silenced".to_owned(), 5), ("told".to_owned(), 1)]);
}

#[tokio::test]
async fn nobody_is_reminded_of_what_is_silenced_and_nobody_else_told() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let alerts = "repeat_interval = \"900ms\"\nescalate_after = \"900ms\"\nescalate_to = \"night\"\n\
                  receivers = [\"default\"]\n";
    let relay = relay(&scratch, &smtp, alerts, NIGHT).await;
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    until("it is told", || smtp.received().len() == 1).await;
    silence(&relay, "client=address:203.0.113.1").await;
    until("both wait for their turn", || {
        let later = i64::try_from(now_ms()).unwrap() + 30_000;
        scratch.count(&format!("SELECT COUNT(*) FROM alert_groups WHERE due_ms > {later}")) == 2
    })
    .await;
    assert_eq!(smtp.received().len(), 1);
    scratch.db.run("UPDATE silences SET until_ms = 1");
    scratch.db.run("UPDATE alert_groups SET due_ms = 1");
    until("the silence is over", || to(&smtp, "ops@") >= 2 && to(&smtp, "night@") == 1).await;
    relay.shut_down().await;
}

#[tokio::test]
async fn a_mute_window_that_begins_meanwhile_holds_what_waits_and_what_was_above_the_limit() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let few = "max_per_hour = 4\n";
    let first = relay(&scratch, &smtp, few, "[[routes]]\nmatch = [\"model=~model-.*\"]\n").await;
    post(first.address(), &unlike("high", 0, 4)).await;
    let held = "SELECT COUNT(*) FROM alert_groups WHERE place = 'overflow' AND pending = 1";
    until("one is above the limit", || scratch.count(held) == 1).await;
    until("the others are told", || smtp.received().len() == 3).await;
    // More of what was told, due soon.
    let interval = "[alerts]\ngroup_wait = \"2s\"\ngroup_interval = \"2s\"\n";
    first.shut_down().await;
    age(&scratch, 3_600_000);
    let wait = |mute: &str| {
        let mail = smtp.toml(&["ops@example.org"], "");
        let window = "[[mute_windows]]\nname = \"always\"\nfrom = \"00:00\"\nto = \"00:00\"\n";
        let route = format!("[[routes]]\nmatch = [\"model=~model-.*\"]\n{mute}");
        format!("{interval}{few}{mail}{window}{route}")
    };
    // It would be told now; it is not, as its route is mute. The root is not.
    let second = start(&scratch, &wait("mute = [\"always\"]\n")).await;
    post(second.address(), &unlike("high", 10, 1)).await;
    let later = "SELECT COUNT(*) FROM alert_groups WHERE pending = 1 AND due_ms > ";
    until("both wait for midnight", || {
        scratch.count(&format!("{later}{}", i64::try_from(now_ms()).unwrap() + 3000)) == 2
    })
    .await;
    second.shut_down().await;
    assert_eq!(smtp.received().len(), 3);
    scratch.db.run("UPDATE alert_groups SET due_ms = 1 WHERE pending > 0");
    let third = start(&scratch, &wait("")).await;
    until("the window is over", || smtp.received().len() == 5).await;
    third.shut_down().await;
}

/// As if all of it had been so much earlier.
fn age(scratch: &Scratch, ms: u64) {
    for change in [
        format!("UPDATE notifications SET created_ms = created_ms - {ms}"),
        format!(
            "UPDATE outbox SET created_ms = created_ms - {ms}, due_ms = due_ms - {ms}, settled_ms = settled_ms - {ms}"
        ),
        format!(
            "UPDATE alert_groups SET last_ms = last_ms - {ms}, due_ms = due_ms - {ms}, \
             state_due_ms = state_due_ms - {ms}, repeat_ms = repeat_ms - {ms}"
        ),
    ] {
        scratch.db.run(&change);
    }
}

/// Incidents that have nothing to do with each other.
fn unlike(severity: &str, from: usize, count: usize) -> Vec<Value> {
    (from..from + count)
        .map(|n| {
            let mut event = event(&format!("203.0.113.{n}"), severity);
            event["model"] = json!(format!("model-{n}"));
            event
        })
        .collect()
}

#[tokio::test]
async fn every_mail_of_an_hour_counts_digests_and_states_too() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let minute = now_ms() / 60_000 % 1440;
    let config = format!(
        "[alerts]\ngroup_wait = \"0s\"\ngroup_interval = \"10ms\"\ngroup_by = [\"model\"]\nreceivers = [\"soc\"]\n{}\
         [[receivers]]\nname = \"soc\"\nemail = [\"soc@example.org\"]\nsend_resolved = true\n\
         [digest]\ndaily = \"{:02}:{:02}\"\n",
        smtp.toml(&[], ""),
        minute / 60,
        minute % 60
    );
    let first = start(&scratch, &config).await;
    until("the day begins", || scratch.count("SELECT COUNT(*) FROM meta WHERE key = 'digest:daily'") == 1)
        .await;
    post(first.address(), &unlike("high", 0, 5)).await;
    settled(&scratch).await;
    until("five", || smtp.received().len() == 5).await;
    first.shut_down().await;
    // The digest of yesterday is late.
    scratch.db.run("UPDATE meta SET value = value - 1 WHERE key = 'digest:daily'");
    scratch.db.run("UPDATE accounts SET hour = hour - 2");
    let relay = start(&scratch, &config).await;
    for (from, severity) in [(5, "critical"), (45, "high"), (85, "critical")] {
        post(relay.address(), &unlike(severity, from, 40)).await;
    }
    settled(&scratch).await;
    until("the digest", || smtp.received().iter().any(|mail| mail.data.contains("Security digest"))).await;
    let list = get(relay.address(), "/v1/incidents?limit=200").await.json();
    for incident in list["incidents"].as_array().unwrap() {
        let path = format!("/v1/incidents/{}/resolve", incident["id"].as_str().unwrap());
        assert_eq!(request(relay.address(), "POST", &path, &[], b"").await.status, 200);
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    settled(&scratch).await;
    let mut before = smtp.received().len();
    assert!(before <= 12, "{before} mails in the first hour");
    // Hour after hour, until all is told: how much was held back, and what became of all that was told.
    let waiting = "SELECT COUNT(*) FROM alert_groups WHERE due_ms IS NOT NULL OR state_due_ms IS NOT NULL";
    for hour in 1.. {
        assert!(hour < 8, "too many hours");
        age(&scratch, 3_600_002);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        settled(&scratch).await;
        let now = smtp.received().len();
        assert!(now - before <= 12, "{} mails in hour {hour}", now - before);
        before = now;
        if scratch.count(waiting) == 0 {
            break;
        }
    }
    relay.shut_down().await;
    assert_eq!(
        scratch.count("SELECT COUNT(*) FROM alert_groups WHERE sequence > 0 AND told_state <> 'resolved'"),
        0
    );
    assert_eq!(scratch.count("SELECT COALESCE(SUM(pending), 0) FROM alert_groups"), 0);
    let fates = fates(&scratch, "soc");
    assert_eq!(fates.iter().map(|(_, count)| count).sum::<i64>(), 125, "{fates:?}");
    let digests = smtp.received().iter().filter(|mail| mail.data.contains("Security digest")).count();
    assert_eq!(digests, 1);
}

#[tokio::test]
async fn what_is_critical_has_places_of_its_own() {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    let relay = relay(&scratch, &smtp, "group_by = [\"model\"]\n", "").await;
    post(relay.address(), &unlike("high", 0, 40)).await;
    settled(&scratch).await;
    until("three quarters", || smtp.received().len() == 9).await;
    post(relay.address(), &unlike("critical", 100, 2)).await;
    settled(&scratch).await;
    until("both", || smtp.received().len() == 11).await;
    relay.shut_down().await;
    let critical = smtp.received().iter().filter(|mail| mail.data.contains("CRITICAL Severity")).count();
    assert_eq!((critical, smtp.received().len()), (2, 11));
}

#[tokio::test]
async fn what_gathers_while_mail_is_away_does_not_arrive_all_at_once() {
    let scratch = Scratch::new();
    let smtp = Smtp::start().await;
    let away = smtp.toml(&["ops@example.org"], "").replace("port = ", "port = 1 # ");
    let alerts = "[alerts]\ngroup_wait = \"0s\"\ngroup_interval = \"10ms\"\ngroup_by = [\"model\"]\n";
    let relay = start(&scratch, &format!("{alerts}{away}")).await;
    for hour in 0..3 {
        post(relay.address(), &unlike("critical", hour * 30, 30)).await;
        until("it is handed on", || {
            scratch.count("SELECT COUNT(*) FROM incidents WHERE due_ms IS NOT NULL") == 0
        })
        .await;
        tokio::time::sleep(Duration::from_millis(800)).await;
        age(&scratch, 3_600_002);
    }
    relay.shut_down().await;
    let relay = start(&scratch, &format!("{alerts}{}", smtp.toml(&["ops@example.org"], ""))).await;
    until("what waited", || smtp.received().len() >= 12).await;
    tokio::time::sleep(Duration::from_millis(1000)).await;
    relay.shut_down().await;
    assert_eq!(smtp.received().len(), 12);
    let waiting = scratch.count("SELECT pending FROM alert_groups WHERE place = 'overflow' AND pending > 0");
    assert_eq!(waiting, 90 - 12, "the rest is one message, when there is room");
}

/// Mail alone is away: the other channel goes on, and mail catches up within its limit.
#[tokio::test]
async fn each_channel_has_the_limit_for_itself_and_tells_what_it_missed() {
    let scratch = Scratch::new();
    let smtp = Smtp::start().await;
    let web = common::http::Web::start(|_, _| common::http::reply("200 OK", "", "ok")).await;
    let alerts = "[alerts]\ngroup_wait = \"0s\"\ngroup_interval = \"10ms\"\ngroup_by = [\"model\"]\nmax_per_hour = 4\n\
                  repeat_interval = \"0s\"\n";
    let both = format!(
        "[[receivers]]\nname = \"soc\"\nemail = [\"soc@example.org\"]\n[[receivers.slack]]\nurl = {:?}\n",
        web.url("/")
    );
    let mail = smtp.toml(&[], "").replace("recipients = []\n", "");
    let away = mail.replace("port = ", "port = 1 # ");
    let first = start(&scratch, &format!("{alerts}{away}{both}")).await;
    for hour in 1..=3 {
        post(first.address(), &unlike("critical", hour * 10, 5)).await;
        until("the other channel has its share", || web.posted().len() == 4 * hour).await;
        until("that is noted, and the rest is above the limit", || {
            scratch.count("SELECT COUNT(*) FROM outbox WHERE channel = 'slack' AND state = 'pending'") == 0
                && scratch.count("SELECT COUNT(*) FROM incidents WHERE due_ms IS NOT NULL") == 0
                && scratch.count(
                    "SELECT COUNT(*) FROM alert_groups WHERE due_ms IS NOT NULL AND place <> 'overflow'",
                ) == 0
        })
        .await;
        age(&scratch, 3_600_002);
    }
    // What was above the limit in the last hour.
    until("the other channel has that too", || web.posted().len() == 13).await;
    first.shut_down().await;
    assert_eq!(scratch.count("SELECT COUNT(*) FROM outbox WHERE state = 'pending'"), 4, "all of them mails");
    assert_eq!(scratch.count("SELECT messages FROM missed WHERE channel = 'email'"), 9);
    let second = start(&scratch, &format!("{alerts}{mail}{both}")).await;
    until("what waited", || smtp.received().len() == 4).await;
    let pending = "SELECT COUNT(*) FROM outbox WHERE state = 'pending'";
    until("that is noted", || scratch.count(pending) == 0).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(smtp.received().len(), 4, "an hour's mails in an hour");
    age(&scratch, 3_600_002);
    until("what it missed", || smtp.received().len() == 5).await;
    post(second.address(), &unlike("critical", 90, 1)).await;
    until("and what is new", || smtp.received().len() == 6).await;
    second.shut_down().await;
    let mail = smtp.received().remove(4);
    assert_eq!(mail.header("Subject"), Some("Modelgate relay: 9 messages were not sent by email"));
    assert!(common::smtp::plain(&mail.data).contains("/incidents"), "{}", mail.data);
    assert_eq!(web.posted().len(), 14, "the other channel has missed nothing");
    assert_eq!(scratch.count("SELECT COUNT(*) FROM missed"), 0);
    assert_eq!(fates(&scratch, "soc").iter().map(|(_, count)| count).sum::<i64>(), 16);
}

/// A storm: at most twelve mails an hour, and every event is accounted for.
async fn storm(events: usize, addresses: usize) {
    let (scratch, smtp) = (Scratch::new(), Smtp::start().await);
    // Without any wait, so that an hour of chances passes in the minute of the test.
    let quick = "[alerts]\ngroup_wait = \"0s\"\ngroup_interval = \"10ms\"\n";
    let text = format!("{quick}{}", smtp.toml(&["ops@example.org"], ""));
    let relay = start(&scratch, &text).await;
    let mut n = 0_usize;
    while n < events {
        let batch: Vec<Value> = (n..(n + 500).min(events))
            .map(|n| {
                let at = n % addresses;
                let severity = ["low", "medium", "high", "critical"][n / addresses % 4];
                let mut event = event(&format!("10.{}.{}.{}", at >> 16, at >> 8 & 255, at & 255), severity);
                // Things that have nothing to do with each other, too.
                let category = ["prompt_injection", "jailbreak", "secret", "authentication"][at % 4];
                event["findings"][0]["category"] = json!(category);
                event["findings"][0]["rule"] = json!(format!("rule.{}", at % 50));
                event["model"] = json!(format!("model-{}", at % 3));
                event
            })
            .collect();
        let answer = post(relay.address(), &batch).await;
        match answer.status {
            202 => n += batch.len(),
            429 => tokio::time::sleep(Duration::from_millis(50)).await,
            _ => panic!("{answer:?}"),
        }
    }
    settled(&scratch).await;
    relay.shut_down().await;
    let mails = smtp.received().len();
    assert!((1..=12).contains(&mails), "{mails} mails");
    let all = i64::try_from(events).unwrap();
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), all);
    let fates = fates(&scratch, "default");
    assert_eq!(fates.iter().map(|(_, count)| count).sum::<i64>(), all, "{fates:?}");
    let waiting = scratch.count("SELECT pending FROM alert_groups WHERE place = 'overflow'");
    let suppressed = fates.iter().find(|(outcome, _)| outcome == "suppressed").unwrap().1;
    assert_eq!(waiting, suppressed, "the next mail tells how many");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_makes_few_mails_and_loses_count_of_nothing() {
    storm(10_000, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes in a debug build: cargo test --release -p alert-relay --test policy -- --ignored"]
async fn long_a_storm_of_100_000_events_from_1000_addresses() {
    storm(100_000, 1000).await;
}
