//! Whom decisions are about: who comes again, neighbours of a range, and callers that nobody decides against.
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
    client::{Answer, get, post, request},
    event, now_ms, start,
};
use serde_json::{Value, json};

const BLOCK: &str = "[[automatic_decisions]]\nevents = 1\naction = \"block\"\nlasts = \"10m\"\n";

async fn decide(address: SocketAddr, decision: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("authorization", "Basic YW5uOg==")];
    request(address, "POST", "/v1/decisions", &headers, decision.to_string().as_bytes()).await
}

fn allow(scope: &str, value: &str) -> Value {
    json!({"scope": scope, "value": value, "action": "allow", "reason": "our own scanner", "seconds": 600})
}

fn block(scope: &str, value: &str) -> Value {
    json!({"scope": scope, "value": value, "action": "block", "reason": "attacks"})
}

/// Value and action of all that stands.
async fn standing(address: SocketAddr) -> Vec<(String, String)> {
    let list = get(address, "/v1/decisions").await.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list["entries"].as_array().unwrap().iter().map(|it| (text(&it["value"]), text(&it["action"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(value, action)| ((*value).to_owned(), (*action).to_owned())).collect()
}

/// The audit log's entries of an action, the latest first.
async fn noted(address: SocketAddr, action: &str) -> Vec<Value> {
    get(address, &format!("/v1/audit?action={action}")).await.json()["changes"].as_array().unwrap().clone()
}

#[tokio::test]
async fn who_comes_again_is_decided_about_for_longer() {
    let scratch = Scratch::new();
    let rule = format!("{BLOCK}factor = 3\nlongest = \"1h\"\nremember = \"1d\"\n");
    let relay = start(&scratch, &rule).await;
    let address = relay.address();
    let of = async || {
        post(address, &[event("203.0.113.1", "high")]).await;
        let entry = get(address, "/v1/decisions").await.json()["entries"][0].clone();
        let lasts = entry["until"].as_u64().unwrap() - now_ms() / 1000;
        (lasts.div_ceil(60), entry["reason"].as_str().unwrap().to_owned(), entry["id"].as_u64().unwrap())
    };
    let over = || scratch.db.run("UPDATE decisions SET until_s = 1000, told_until_s = 1000");
    let (minutes, reason, _) = of().await;
    assert_eq!(minutes, 10);
    assert!(!reason.contains("in a row"), "{reason}");
    assert_eq!(of().await.0, 10, "as long as it stands it does not grow");
    for (expected, word) in
        [(30, "decision 2 in a row, so for 30 min"), (60, "decision 3 in a row, so for 1 h")]
    {
        over();
        let (minutes, reason, _) = of().await;
        assert_eq!(minutes, expected);
        assert!(reason.contains(word), "{reason}");
    }
    // Another caller has a past of its own.
    post(address, &[event("203.0.113.2", "high")]).await;
    let others = get(address, "/v1/decisions").await.json();
    assert!(others["entries"][1]["until"].as_u64().unwrap() <= now_ms() / 1000 + 600, "{others}");
    // Long ago is forgotten, and so is what a person took back.
    over();
    scratch.db.run("UPDATE repeats SET forget_s = 1000");
    assert_eq!(of().await.0, 10);
    over();
    let (minutes, _, id) = of().await;
    assert_eq!(minutes, 30);
    assert_eq!(request(address, "DELETE", &format!("/v1/decisions/{id}"), &[], b"").await.status, 204);
    assert_eq!(of().await.0, 10);
    relay.shut_down().await;
}

#[tokio::test]
async fn no_rule_decides_against_who_is_allowed_by_configuration() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    decide(relay.address(), &block("address", "198.51.100.9")).await;
    decide(relay.address(), &block("user", "ann")).await;
    decide(relay.address(), &block("user", "eve")).await;
    relay.shut_down().await;
    let config = format!("[allow]\naddresses = [\"198.51.100.0/24\"]\nusers = [\"ann\"]\n{BLOCK}");
    let relay = start(&scratch, &config).await;
    let address = relay.address();
    assert_eq!(standing(address).await, pairs(&[("eve", "block")]), "what stood against them is taken back");
    let lifted = noted(address, "lift").await;
    assert_eq!((lifted.len(), &lifted[0]["actor"]), (2, &json!("relay")), "{lifted:?}");
    let mut of_ann = event("203.0.113.1", "high");
    of_ann["client"]["user"] = json!("ann");
    post(address, &[event("198.51.100.7", "high"), of_ann, event("203.0.113.2", "high")]).await;
    assert_eq!(standing(address).await, pairs(&[("eve", "block"), ("203.0.113.2", "block")]));
    for (scope, value) in [("address", "198.51.100.7"), ("cidr", "198.51.0.0/16"), ("user", "ann")] {
        let refused = decide(address, &block(scope, value)).await;
        assert_eq!(refused.status, 409, "{value}");
        let problem = refused.json();
        assert!(problem["detail"].as_str().unwrap().starts_with("the configuration allows"), "{problem}");
    }
    relay.shut_down().await;
}

#[tokio::test]
async fn an_entry_of_the_allow_list_takes_what_meets_it_back_and_keeps_it_away() {
    let scratch = Scratch::new();
    let relay = start(&scratch, BLOCK).await;
    let address = relay.address();
    for decision in [
        block("address", "198.51.100.9"),
        block("cidr", "198.51.0.0/16"),
        block("address", "203.0.113.9"),
        block("key_hash", "00112233445566778899aabbccddeeff"),
    ] {
        assert_eq!(decide(address, &decision).await.status, 201);
    }
    let before = get(address, "/v1/decisions").await.json();
    let made = decide(address, &allow("cidr", "198.51.100.0/24")).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    assert_eq!((&made["action"], &made["reason"]), (&json!("allow"), &json!("our own scanner")));
    decide(address, &allow("key_hash", "00112233445566778899aabbccddeeff")).await;
    let expected = [
        ("203.0.113.9", "block"),
        ("198.51.100.0/24", "allow"),
        ("00112233445566778899aabbccddeeff", "allow"),
    ];
    assert_eq!(standing(address).await, pairs(&expected));
    // Filters hear that nothing is decided about any of them.
    let path =
        format!("/v1/decisions?epoch={}&since={}", before["epoch"].as_str().unwrap(), before["serial"]);
    let signed = common::client::Signed::new(common::KEY, path.as_bytes(), now_ms() / 1000);
    let answer = request(address, "GET", &path, &signed.headers(), b"").await;
    let feed = wire::DecisionFeed::decode(answer.body.as_bytes()).unwrap();
    assert_eq!((feed.entries.len(), feed.rejected), (4, 0), "{}", answer.body);
    assert!(feed.entries.iter().all(|entry| entry.action == wire::DecisionAction::Lift), "{}", answer.body);

    let allowed = noted(address, "allow").await;
    assert_eq!((allowed.len(), &allowed[0]["who"]), (2, &json!("ann")), "{allowed:?}");
    assert_eq!(noted(address, "lift").await.len(), 2, "the address and the range");
    // Neither rules nor people decide against them.
    post(address, &[event("198.51.100.9", "high")]).await;
    assert_eq!(standing(address).await, pairs(&expected));
    let refused = decide(address, &block("address", "198.51.100.9")).await;
    assert_eq!(refused.status, 409);
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("198.51.100.0/24") && detail.contains("our own scanner"), "{detail}");
    // Until it ends or is taken back.
    let id = made["id"].as_u64().unwrap();
    assert_eq!(request(address, "DELETE", &format!("/v1/decisions/{id}"), &[], b"").await.status, 204);
    assert_eq!(decide(address, &block("address", "198.51.100.9")).await.status, 201);
    scratch.db.run("UPDATE decisions SET until_s = 1000 WHERE allows = 1");
    assert_eq!(decide(address, &block("key_hash", "00112233445566778899aabbccddeeff")).await.status, 201);
    relay.shut_down().await;
}

#[tokio::test]
async fn several_addresses_of_a_range_bring_a_decision_about_the_range() {
    let scratch = Scratch::new();
    let rule = "[allow]\naddresses = [\"192.0.2.200\"]\n[[automatic_decisions]]\nabout = \"range\"\nevents = 2\n\
                addresses = 3\nwithin = \"30m\"\naction = \"throttle\"\nexcept = [\"198.51.100.5\"]\n";
    let relay = start(&scratch, rule).await;
    let address = relay.address();
    let twice = async |who: &str| post(address, &[event(who, "high"), event(who, "high")]).await;
    for who in ["203.0.113.1", "203.0.113.2", "203.0.113.1", "203.0.114.3"] {
        twice(who).await;
    }
    post(address, &[event("203.0.113.3", "high")]).await;
    assert_eq!(
        standing(address).await,
        [],
        "two addresses of one range, one of another, one with too little"
    );
    // One of them was seen too long ago.
    scratch.db.run("UPDATE neighbours SET forget_s = 1000 WHERE address = '203.0.113.2'");
    twice("203.0.113.4").await;
    assert_eq!(standing(address).await, []);
    twice("203.0.113.250").await;
    assert_eq!(standing(address).await, pairs(&[("203.0.113.0/24", "throttle")]));
    let entry = get(address, "/v1/decisions").await.json()["entries"][0].clone();
    assert_eq!((&entry["scope"], &entry["automatic"]), (&json!("cidr"), &json!(true)));
    assert!(entry["reason"].as_str().unwrap().starts_with("3 addresses of the range; "), "{entry}");
    for who in ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:2::3", "2001:db8:0:1:ffff::3"] {
        twice(who).await;
    }
    let expected = pairs(&[("203.0.113.0/24", "throttle"), ("2001:db8:0:1::/64", "throttle")]);
    assert_eq!(standing(address).await, expected);
    // Not about a range with somebody in it who is allowed or excepted.
    for net in ["192.0.2", "198.51.100"] {
        for host in 1..5 {
            twice(&format!("{net}.{host}")).await;
        }
    }
    assert_eq!(standing(address).await, expected);
    relay.shut_down().await;
}
