//! What becomes of incidents: states, timelines, scores, who changed what, and finding events again.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::net::SocketAddr;

use common::{
    Scratch,
    client::{get, metric, post, request},
    event, now_ms, start, until,
};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");

/// Changes an incident; the answer.
async fn change(address: SocketAddr, id: &str, verb: &str, note: Value) -> common::client::Answer {
    let path = format!("/v1/incidents/{id}/{verb}");
    request(address, "POST", &path, &[JSON], note.to_string().as_bytes()).await
}

async fn only(address: SocketAddr) -> String {
    let list = get(address, "/v1/incidents").await.json()["incidents"].clone();
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    list[0]["id"].as_str().unwrap().to_owned()
}

fn told(incident: &Value) -> Vec<String> {
    let timeline = incident["timeline"].as_array().unwrap();
    timeline.iter().map(|news| format!("{} {}", news["what"], news["by"]).replace('"', "")).collect()
}

const QUIET: &str = "[alerts]\ngroup_wait = \"1h\"\n";

#[tokio::test]
async fn an_incident_is_acknowledged_resolved_and_opened_again_by_an_event() {
    let scratch = Scratch::new();
    let relay = start(&scratch, QUIET).await;
    let address = relay.address();
    post(address, &[event("203.0.113.1", "high")]).await;
    let id = only(address).await;
    let first = change(address, &id, "acknowledge", json!({"by": "ann", "text": "on it"})).await;
    assert_eq!((first.status, first.json()["state"].as_str()), (200, Some("acknowledged")));
    assert_eq!((&first.json()["changed"], &first.json()["state_by"]), (&json!(true), &json!("ann")));
    let again = change(address, &id, "acknowledge", json!({"by": "bob"})).await.json();
    assert_eq!((&again["changed"], &again["state_by"]), (&json!(false), &json!("ann")), "once is enough");
    assert_eq!(
        change(address, &id, "comment", json!({"by": "bob", "text": "seen before"})).await.status,
        200
    );
    post(address, &[event("203.0.113.1", "high")]).await;
    let still = get(address, &format!("/v1/incidents/{id}")).await.json();
    assert_eq!(still["state"], "acknowledged", "more of the same needs nobody else");
    assert_eq!(change(address, &id, "resolve", json!({"by": "ann"})).await.json()["open"], json!(false));
    assert_eq!(get(address, "/v1/incidents?state=resolved").await.json()["incidents"][0]["id"], id.as_str());
    post(address, &[event("203.0.113.1", "high")]).await;
    assert_eq!(only(address).await, id, "it is the same one");
    let open = get(address, &format!("/v1/incidents/{id}")).await.json();
    assert_eq!(
        (&open["state"], &open["state_by"], &open["count"]),
        (&json!("open"), &json!("relay"), &json!(3))
    );
    assert_eq!(
        told(&open),
        ["opened relay", "acknowledged ann", "commented bob", "resolved ann", "reopened relay"]
    );
    assert_eq!(open["timeline"][2]["text"], "seen before");
    let audit = get(address, "/v1/audit").await.json();
    let noted: Vec<String> = audit["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| format!("{} {} {}", change["action"], change["actor"], change["who"]).replace('"', ""))
        .collect();
    assert_eq!(
        noted,
        ["reopen relay ", "resolve person ann", "comment person bob", "acknowledge person ann"]
    );
    assert_eq!(audit["changes"][1]["what"]["incident"], id.as_str());
    relay.shut_down().await;
}

#[tokio::test]
async fn an_acknowledged_incident_that_gets_worse_is_open_again() {
    let scratch = Scratch::new();
    let more = QUIET.replace("group_wait", "raise_events = 5\ngroup_wait");
    let relay = start(&scratch, &more).await;
    let address = relay.address();
    post(address, &[event("203.0.113.1", "medium")]).await;
    let id = only(address).await;
    change(address, &id, "acknowledge", json!({})).await;
    let events: Vec<Value> = (0..4).map(|_| event("203.0.113.1", "medium")).collect();
    post(address, &events).await;
    let worse = get(address, &format!("/v1/incidents/{id}")).await.json();
    assert_eq!((&worse["severity"], &worse["state"]), (&json!("high"), &json!("open")));
    assert_eq!(told(&worse), ["opened relay", "acknowledged token", "raised relay", "reopened relay"]);
    assert!(worse["timeline"][2]["text"].as_str().unwrap().contains("medium to high: 5 events"));
    relay.shut_down().await;
}

#[tokio::test]
async fn what_is_quiet_for_the_window_is_resolved_by_itself() {
    let scratch = Scratch::new();
    let relay = start(&scratch, &QUIET.replace("group_wait", "incident_window = \"1s\"\ngroup_wait")).await;
    post(relay.address(), &[event("203.0.113.1", "low")]).await;
    until("it is resolved", || scratch.text("SELECT state FROM incidents") == "resolved").await;
    assert_eq!(scratch.text("SELECT actor FROM audit WHERE action = 'resolve'"), "relay");
    relay.shut_down().await;
}

#[tokio::test]
async fn a_score_comes_with_its_factors_and_with_what_is_related() {
    let scratch = Scratch::new();
    let relay = start(&scratch, QUIET).await;
    let address = relay.address();
    let mut other = event("203.0.113.1", "low");
    other["findings"][0]["category"] = json!("secret");
    other["findings"][0]["rule"] = json!("secret.token");
    other["score"] = json!(0.3);
    post(address, &[event("203.0.113.1", "critical"), event("203.0.113.2", "critical"), other]).await;
    let list = get(address, "/v1/incidents?min_score=0.5").await.json()["incidents"].clone();
    assert_eq!(list.as_array().unwrap().len(), 2, "{list}");
    let found = get(address, "/v1/incidents?client=address:203.0.113.1&severity=critical").await.json();
    let id = found["incidents"][0]["id"].as_str().unwrap();
    let one = get(address, &format!("/v1/incidents/{id}")).await.json();
    let factors = one["factors"].as_array().unwrap();
    let names: Vec<&str> = factors.iter().map(|factor| factor["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["severity", "confidence", "count", "spread", "recency", "persistence"]);
    let sum: f64 =
        factors.iter().map(|it| it["value"].as_f64().unwrap() * it["weight"].as_f64().unwrap()).sum();
    assert!((sum - one["score"].as_f64().unwrap()).abs() < 0.005, "{one}");
    let related: Vec<(&str, &str)> = one["related"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["relation"].as_str().unwrap(), it["incident"]["client"].as_str().unwrap()))
        .collect();
    let template = related.iter().filter(|it| it.0 != "client").count();
    assert_eq!((related.len(), template), (2, 1), "{related:?}");
    assert!(related.contains(&("client", "address:203.0.113.1")));
    let page = get(address, &format!("/incidents/{id}")).await.body;
    for shown in ["Timeline", "Related incidents", "open, since", "severity 0.35 of 0.35", "opened"] {
        assert!(page.contains(shown), "{shown}");
    }
    relay.shut_down().await;
}

#[tokio::test]
async fn a_note_is_checked_and_changing_needs_the_token() {
    let scratch = Scratch::new();
    let relay = start(&scratch, &format!("api_token = \"s3cret\"\n{QUIET}")).await;
    let address = relay.address();
    post(address, &[event("203.0.113.1", "high")]).await;
    let id = scratch.count("SELECT COUNT(*) FROM incidents");
    assert_eq!(id, 1);
    // "ann:s3cret"
    let ann = ("authorization", "Basic YW5uOnMzY3JldA==");
    let list = request(address, "GET", "/v1/incidents", &[ann], b"").await.json();
    let id = list["incidents"][0]["id"].as_str().unwrap();
    let path = format!("/v1/incidents/{id}/comment");
    let long = json!({"text": "x".repeat(2001)}).to_string();
    for (body, headers, status) in [
        ("{\"text\":\"hello\"}", &[JSON][..], 401),
        ("{\"text\":\"hello\"}", &[ann][..], 415),
        ("{\"text\":\"hello\"}", &[ann, JSON, ("sec-fetch-site", "cross-site")][..], 403),
        ("", &[ann, JSON][..], 400),
        ("{\"text\":\"\"}", &[ann, JSON][..], 400),
        ("{\"text\":\"a\\u0000b\"}", &[ann, JSON][..], 400),
        ("{\"text\":\"a\",\"by\":\"\\u202e\\n\"}", &[ann, JSON][..], 400),
        ("{\"text\":\"a\",\"more\":1}", &[ann, JSON][..], 400),
        (&long, &[ann, JSON][..], 400),
        ("{\"text\":\"<b>hello</b>\"}", &[ann, JSON][..], 200),
    ] {
        let answer = request(address, "POST", &path, headers, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{body} {headers:?}: {answer:?}");
    }
    let one = request(address, "GET", &format!("/v1/incidents/{id}"), &[ann], b"").await.json();
    assert_eq!(told(&one), ["opened relay", "commented ann"], "the name of who logs in");
    let page = request(address, "GET", &format!("/incidents/{id}"), &[ann], b"").await.body;
    assert!(page.contains("&lt;b&gt;hello") && !page.contains("<b>hello"));
    let absent = "/v1/incidents/017f22e2-79b0-7cc3-98c4-dc0c0c07398f/resolve";
    assert_eq!(request(address, "POST", absent, &[ann], b"").await.status, 404);
    assert_eq!(request(address, "POST", "/v1/incidents/x/resolve", &[ann], b"").await.status, 400);
    relay.shut_down().await;
}

#[tokio::test]
async fn events_are_found_by_caller_time_words_category_and_severity() {
    let scratch = Scratch::new();
    let relay = start(&scratch, QUIET).await;
    let address = relay.address();
    let mut events: Vec<Value> = (0..5).map(|_| event("203.0.113.1", "high")).collect();
    events.push(event("203.0.113.2", "low"));
    events[5]["findings"][0]["category"] = json!("jailbreak");
    events[5]["request"]["path"] = json!("/v1/Größe/'; DROP \"x\" -- OR NEAR(a,b)*");
    let mut old = event("203.0.113.1", "critical");
    old["time_ms"] = json!(now_ms() - 30 * 3_600_000);
    events.push(old);
    post(address, &events).await;
    until("all can be searched", || scratch.count("SELECT value FROM meta WHERE key = 'searchable'") >= 7)
        .await;
    assert_eq!(metric(address, "modelgate_relay_search_lag_events").await, 0.0);
    for (query, count) in [
        ("", 7),
        ("?address=203.0.113.1", 6),
        ("?address=::ffff:203.0.113.1", 6),
        ("?address=203.0.113.1&hours=24", 5),
        ("?severity=high", 6),
        ("?severity=critical", 1),
        ("?category=jailbreak", 1),
        ("?category=prompt_injection&severity=medium", 6),
        ("?category=secret", 0),
        ("?text=gr%C3%B6%C3%9Fe", 1),
        ("?text=drop%20NEAR", 1),
        ("?text=%22%27*%28", 7),
        ("?text=ignore-previous%20203.0.113.2", 1),
        ("?text=nothing", 0),
        ("?text=categoryzzjailbreak", 1),
        (&format!("?until_ms={}", now_ms() - 3_600_000), 1),
    ] {
        let found = get(address, &format!("/v1/events{query}")).await;
        assert_eq!(found.status, 200, "{query}: {found:?}");
        assert_eq!(found.json()["events"].as_array().unwrap().len(), count, "{query}");
    }
    for base in ["?limit=2", "?limit=2&text=injection", "?limit=2&address=203.0.113.1"] {
        let (mut seen, mut query) = (Vec::new(), base.to_owned());
        loop {
            let page = get(address, &format!("/v1/events{query}")).await.json();
            seen.extend(page["events"].as_array().unwrap().iter().map(|it| it["seq"].as_u64().unwrap()));
            let Some(next) = page["next"].as_str() else { break };
            query = format!("{base}&before={next}");
        }
        assert!(seen.len() >= 6 && seen.is_sorted_by(|a, b| a > b), "{base}: {seen:?}");
    }
    for bad in
        ["?before=x", "?severity=bad", "?since_ms=-1", "?order=up", &format!("?text={}", "a".repeat(501))]
    {
        assert_eq!(get(address, &format!("/v1/events{bad}")).await.status, 400, "{bad}");
    }
    relay.shut_down().await;
}

#[tokio::test]
async fn a_summary_says_how_the_hours_compare_with_those_before() {
    let scratch = Scratch::new();
    let relay = start(&scratch, QUIET).await;
    let address = relay.address();
    let mut events: Vec<Value> = (0..6).map(|_| event("203.0.113.1", "high")).collect();
    for old in &mut events[..4] {
        old["time_ms"] = json!(now_ms() - 30 * 3_600_000);
    }
    post(address, &events).await;
    let summary = get(address, "/v1/summary?hours=24").await.json();
    assert_eq!((&summary["total"], &summary["trend"]["before"]), (&json!(2), &json!(4)));
    assert_eq!(summary["trend"]["percent"], json!(-50));
    assert_eq!(summary["trend"]["before_by_severity"]["high"], 4);
    assert_eq!(get(address, "/v1/summary?hours=48").await.json()["trend"]["percent"], Value::Null);
    relay.shut_down().await;
}
