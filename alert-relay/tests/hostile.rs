//! What strangers send: nothing escapes, nothing is lost, and there is a clear answer.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::collections::BTreeSet;

use common::{
    KEY, Scratch,
    client::{Answer, Signed, batch, exchange, get, post, post_body, request},
    event, now_ms,
    smtp::Smtp,
    start, until,
};
use serde_json::{Value, json};

/// Every place of a text in a value.
fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| texts(item, &format!("{at}/{n}"), found));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| texts(field, &format!("{at}/{name}"), found));
        }
        _ => {}
    }
}

/// An event with every text that there can be.
fn full(address: &str) -> Value {
    let mut event = event(address, "high");
    event["node"] = json!("node");
    event["route"] = json!("route");
    event["client"]["user"] = json!("user");
    event["client"]["key"] = json!({"prefix": "sk-ab", "hash": "0123456789abcdef"});
    event["request"]["id"] = json!("request-id");
    event["findings"][0]["location"] = json!({"place": "messages/0", "start": 0, "end": 5});
    event["findings"][0]["transforms"] = json!(["base64"]);
    event["findings"][0]["evidence"] = json!("evidence");
    event
}

/// The names of a mail's headers.
fn names(data: &str) -> BTreeSet<String> {
    let head = data.split("\r\n\r\n").next().unwrap();
    let lines = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    lines.map(|line| line.split(':').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn no_text_of_an_event_adds_a_header_a_recipient_or_a_line_of_the_log() {
    let scratch = Scratch::new();
    let smtp = Smtp::start().await;
    let slow = "[alerts]\ngroup_wait = \"10ms\"\nmax_per_hour = 1000\n";
    let relay = start(&scratch, &format!("{slow}{}", smtp.toml(&["ops@example.org"], ""))).await;
    assert_eq!(post(relay.address(), &[full("203.0.113.1")]).await.json()["accepted"], 1);
    until("the first mail", || smtp.received().len() == 1).await;
    let usual = names(&smtp.received()[0].data);
    let mut places = Vec::new();
    texts(&full("203.0.113.1"), "", &mut places);
    assert!(places.len() >= 20, "{places:?}");
    let injections = [
        "x\r\nBcc: evil@evil.example\r\n\r\nbody",
        "x\nBcc: evil@evil.example",
        "x\rBcc: evil@evil.example",
        "x\u{2028}Bcc: evil@evil.example\u{85}\u{0}",
        "=?utf-8?q?=0d=0aBcc:_evil@evil.example?=",
        "x\r\n.\r\nRCPT TO:<evil@evil.example>\r\n",
    ];
    let (mut accepted, mut sent) = (1, 0);
    for place in &places {
        for injection in injections {
            sent += 1;
            let mut hostile = full(&format!("198.51.100.{}", sent % 250));
            hostile["client"]["key"]["hash"] = json!(format!("{sent:016x}"));
            *hostile.pointer_mut(place).unwrap() = json!(injection);
            let answer = post(relay.address(), &[hostile]).await;
            assert_eq!(answer.status, 202, "{place}");
            let body = answer.json();
            let (taken, refused) =
                (body["accepted"].as_u64().unwrap(), body["rejected"].as_array().unwrap().len());
            assert_eq!(taken + refused as u64, 1, "{place}: {body}");
            if refused == 1 {
                assert!(
                    !body["rejected"][0]["reason"].as_str().unwrap_or("x").contains(['\r', '\n']),
                    "{body}"
                );
            }
            accepted += i64::try_from(taken).unwrap();
        }
    }
    assert!(accepted > 40, "many texts are free: {accepted}");
    until("all mails are sent", || {
        scratch.count("SELECT COUNT(*) FROM outbox WHERE state = 'pending'") == 0
            && scratch
                .count("SELECT COUNT(*) FROM incidents WHERE due_ms IS NOT NULL AND notify_sequence = 0")
                == 0
    })
    .await;
    relay.shut_down().await;
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), accepted);
    assert_eq!(i64::try_from(scratch.log_lines().len()).unwrap(), accepted, "a line each");
    let received = smtp.received();
    assert!(received.len() > 10);
    for mail in &received {
        assert_eq!(mail.to, ["<ops@example.org>"]);
        let mut found = names(&mail.data);
        found.remove("In-Reply-To");
        found.remove("References");
        assert_eq!(found, usual, "{}", mail.data);
        assert!(mail.data.is_ascii() && !mail.data.replace("\r\n", "").contains(['\r', '\n']));
    }
}

#[tokio::test]
async fn bodies_that_are_no_text_are_refused_and_the_next_is_taken() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let good = batch(&[event("203.0.113.1", "high")]);
    let text = String::from_utf8(good.clone()).unwrap();
    let at = text.find("demo").unwrap();
    let broken: [&[u8]; 6] =
        [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x00"];
    for bytes in broken {
        let body = [&good[..at], bytes, &good[at..]].concat();
        let answer = post_body(relay.address(), &body).await;
        // Bytes that are no UTF-8 make no batch; within one, an event may be refused by itself.
        let clear = match answer.status {
            400 => answer.header("content-type") == Some("application/problem+json"),
            202 => answer.json()["accepted"] == 0 && answer.json()["rejected"][0]["index"] == 0,
            _ => false,
        };
        assert!(clear, "{bytes:?}: {answer:?}");
    }
    for escape in ["\\ud800", "\\udfff\\ud800", "\\u0000", "\\u000a"] {
        let answer = post_body(relay.address(), text.replace("demo", escape).as_bytes()).await;
        let accepted = if answer.status == 202 { answer.json()["accepted"].as_u64().unwrap() } else { 0 };
        assert_eq!(accepted, 0, "{escape}: {answer:?}");
    }
    assert_eq!(post_body(relay.address(), &good).await.json()["accepted"], 1);
    relay.shut_down().await;
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 1);
}

#[tokio::test]
async fn ten_megabytes_are_refused_without_being_kept() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let body = vec![b' '; 10 << 20];
    let signed = Signed::new(KEY, &body, now_ms() / 1000);
    let mut head = "POST /v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".to_owned();
    for (name, value) in signed.headers() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    // The answer may come before all of it is sent, and end the connection.
    let mut stream = tokio::net::TcpStream::connect(relay.address()).await.unwrap();
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");
    drop(stream);
    // Many clients send all of it before they read anything.
    let answer = exchange(relay.address(), &[head.as_bytes(), &body].concat()).await.unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (413, Some("application/problem+json")));
    assert!(answer.body.contains("a batch has at most 1048576 bytes"), "{}", answer.body);
    assert_eq!(post(relay.address(), &[event("203.0.113.1", "high")]).await.status, 202);
    relay.shut_down().await;
}

#[tokio::test]
async fn clocks_that_are_wrong_lose_no_event_and_bend_no_time() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let now = now_ms();
    for (at, skew) in
        [0, 1, now - 86_400_000, now + 299_000, now + 86_400_000, 253_402_300_799_999].iter().zip(1..)
    {
        let mut event = event(&format!("203.0.113.{skew}"), "high");
        event["time_ms"] = json!(at);
        assert_eq!(post(relay.address(), &[event]).await.json()["accepted"], 1, "{at}");
    }
    let late = now_ms();
    scratch.db.run("INSERT INTO audit (at_ms, actor, action, what) VALUES (1, 'person', 'lift', '{}')");
    relay.shut_down().await;
    // What claims to be from 1970 is not old enough to be deleted.
    let kept = start(&scratch, "").await;
    until("what is old was looked for", || scratch.count("SELECT COUNT(*) FROM audit WHERE at_ms = 1") == 0)
        .await;
    kept.shut_down().await;
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 6);
    for (table, time) in [("events", "time_ms"), ("incidents", "first_ms")] {
        let older = format!("SELECT COUNT(*) FROM {table} WHERE {time} < {}", now - 86_400_000);
        assert_eq!(scratch.count(&older), 0, "{table}");
    }
    assert!(
        scratch.count("SELECT MAX(time_ms) FROM events") <= i64::try_from(late).unwrap(),
        "none in the future"
    );
    // A sender whose clock is off cannot have its signatures taken; five minutes either way are given.
    let relay = start(&scratch, "").await;
    for (offset, status) in [(-301_i64, 401), (-290, 202), (290, 202), (310, 401)] {
        let body = batch(&[event("203.0.113.9", "low")]);
        let at = (now_ms() / 1000).saturating_add_signed(offset);
        let signed = Signed::new(KEY, &body, at);
        let answer = request(relay.address(), "POST", "/v1/events", &signed.headers(), &body).await;
        assert_eq!(answer.status, status, "{offset}");
    }
    relay.shut_down().await;
}

/// A generator of numbers; the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }

    fn one_of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

/// A value for a parameter: of its schema, at its edge, or nothing like it.
fn value(schema: &Value, numbers: &mut Numbers) -> String {
    let odd = [
        "",
        "%00",
        "%ff",
        "%0d%0a",
        "a%20b",
        "-1",
        "1e9",
        "99999999999999999999",
        "%F0%9F%98%80",
        "null",
        "..%2f",
    ];
    if numbers.below(3) == 0 {
        return numbers.one_of(&odd).to_owned();
    }
    if let Some(words) = schema["enum"].as_array() {
        return words[numbers.below(words.len())].as_str().unwrap_or("x").to_owned();
    }
    match schema["type"].as_str() {
        Some("integer") => {
            let (min, max) =
                (schema["minimum"].as_i64().unwrap_or(0), schema["maximum"].as_i64().unwrap_or(1000));
            [min, max, min.saturating_sub(1), max.saturating_add(1), min.midpoint(max)][numbers.below(5)]
                .to_string()
        }
        _ => numbers.one_of(&["demo", "prompt_injection", "203.0.113.1", "x"]).to_owned(),
    }
}

/// Requests made from the served description, right and wrong: each is answered as the description says, wrong ones with a
/// problem that names its status, and none as a failure of the relay.
#[tokio::test]
async fn requests_made_from_the_description_are_answered_as_it_says() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let address = relay.address();
    post(address, &[full("203.0.113.1")]).await;
    let incident =
        get(address, "/v1/incidents").await.json()["incidents"][0]["id"].as_str().unwrap().to_owned();
    let document = get(address, "/openapi.json").await.json();
    let mut numbers = Numbers(7);
    let (mut good, mut bad) = (0, 0);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for _ in 0..25 {
                let ids = [
                    incident.as_str(),
                    "1",
                    "0",
                    "x",
                    "%00",
                    "%ff",
                    "01a21fb8-a57e-7e5a-95d3-5fbeaaa0026c",
                    "..%2f..",
                ];
                let mut target = path.replace("{id}", numbers.one_of(&ids));
                let mut query = Vec::new();
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    if parameter["in"] == "query" && numbers.below(2) == 0 {
                        let name = parameter["name"].as_str().unwrap();
                        query.push(format!("{name}={}", value(&parameter["schema"], &mut numbers)));
                    }
                }
                match numbers.below(8) {
                    0 => query.push("unknown=1".to_owned()),
                    1 => query.extend(query.first().cloned()),
                    2 => query.push("%".to_owned()),
                    _ => {}
                }
                if !query.is_empty() {
                    target = format!("{target}?{}", query.join("&"));
                }
                let bodies = [
                    "",
                    "{}",
                    "[]",
                    "null",
                    "{",
                    "\u{feff}{}",
                    r#"{"by":"ann"}"#,
                    r#"{"text":"a\nb"}"#,
                    r#"{"by":""}"#,
                    r#"{"x":1}"#,
                ];
                let body = if method == "post" { numbers.one_of(&bodies) } else { "" };
                let kind =
                    numbers.one_of(&["application/json", "text/plain", "application/x-www-form-urlencoded"]);
                let answer = request(
                    address,
                    &method.to_ascii_uppercase(),
                    &target,
                    &[("content-type", kind)],
                    body.as_bytes(),
                )
                .await;
                let said = format!("{method} {target} {kind} {body}");
                judged(&answer, operation, &said);
                if answer.status < 400 { good += 1 } else { bad += 1 }
            }
        }
    }
    assert!(good > 60 && bad > 150, "{good} went well, {bad} were refused");
    assert_eq!(get(address, "/readyz").await.status, 200);
    relay.shut_down().await;
}

fn judged(answer: &Answer, operation: &Value, said: &str) {
    assert!(answer.status < 500, "{said}: {answer:?}");
    let described = &operation["responses"][answer.status.to_string()];
    assert!(described.is_object(), "{said}: {} is not described\n{answer:?}", answer.status);
    let media = answer.header("content-type").map(|kind| kind.split(';').next().unwrap());
    if let Some(media) = media.filter(|_| !answer.body.is_empty()) {
        assert!(
            described["content"][media].is_object(),
            "{said}: {media} for {} is not described",
            answer.status
        );
    }
    if answer.status >= 400 {
        let problem = answer.json();
        assert_eq!(problem["status"], answer.status, "{said}");
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{said}: {problem}");
    }
    for name in ["x-content-type-options", "content-security-policy", "cache-control"] {
        assert!(answer.header(name).is_some(), "{said}: no {name}");
    }
}
