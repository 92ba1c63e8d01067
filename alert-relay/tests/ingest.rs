//! `POST /v1/events` against a running relay and its SQLite file.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails here fails as it should")]

mod common;

use std::{collections::BTreeSet, time::Duration};

use common::{
    KEY, Scratch,
    client::{self, Signed, batch, metric, post, post_body, request},
    event, ids_of, now_ms, start, until,
};
use serde_json::{Value, json};

const OTHER_KEY: &str = "whsec_bW9kZWxnYXRlIG1vZGVsZ2F0ZSBtb2RlbGdhdGU=";

#[tokio::test]
async fn a_signed_batch_is_stored_and_logged() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let events = [event("203.0.113.1", "high"), event("203.0.113.2", "low")];
    let answer = post(relay.address(), &events).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.json(), json!({"accepted": 2, "duplicates": 0, "rejected": []}));
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 2);
    assert_eq!(scratch.count("SELECT COUNT(*) FROM incidents"), 2);
    relay.shut_down().await;
    let ids = ids_of(&scratch.log_lines());
    assert_eq!(ids, events.map(|event| event["id"].as_str().unwrap().to_owned()));
    assert_eq!(scratch.count("SELECT value FROM meta WHERE key LIKE 'logged:%'"), 2);
}

#[tokio::test]
async fn a_repeated_batch_changes_nothing() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let body = batch(&[event("203.0.113.1", "high"), event("203.0.113.1", "high")]);
    let signed = Signed::new(KEY, &body, now_ms() / 1000);
    for expected in [(2, 0), (0, 2), (0, 2)] {
        // The same message to the byte, as a retry or a replay within the window would be.
        let answer = request(relay.address(), "POST", "/v1/events", &signed.headers(), &body).await.json();
        assert_eq!(
            (answer["accepted"].as_u64(), answer["duplicates"].as_u64()),
            (Some(expected.0), Some(expected.1))
        );
    }
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 2);
    assert_eq!(scratch.count("SELECT count FROM incidents"), 2);
    assert_eq!(scratch.count("SELECT SUM(count) FROM threats"), 2);
    relay.shut_down().await;
    assert_eq!(scratch.log_lines().len(), 2);
}

#[tokio::test]
async fn an_event_twice_in_one_batch_counts_once() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let event = event("203.0.113.1", "high");
    let answer = post(relay.address(), &[event.clone(), event.clone(), event]).await;
    assert_eq!(answer.json(), json!({"accepted": 1, "duplicates": 2, "rejected": []}));
    assert_eq!(scratch.count("SELECT count FROM incidents"), 1);
    relay.shut_down().await;
    assert_eq!(scratch.log_lines().len(), 1);
}

#[tokio::test]
async fn what_is_not_signed_rightly_is_refused() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let body = batch(&[event("203.0.113.1", "high")]);
    let now = now_ms() / 1000;
    let send = async |signed: &Signed, body: &[u8]| {
        request(relay.address(), "POST", "/v1/events", &signed.headers(), body).await.status
    };
    assert_eq!(send(&Signed::new(OTHER_KEY, &body, now), &body).await, 401, "another key");
    assert_eq!(send(&Signed::new(KEY, &body, now - 301), &body).await, 401, "too old: a late replay");
    assert_eq!(send(&Signed::new(KEY, &body, now + 301), &body).await, 401, "from the future");
    let other = batch(&[event("203.0.113.9", "high")]);
    assert_eq!(send(&Signed::new(KEY, &body, now), &other).await, 401, "another body");
    let mut moved = Signed::new(KEY, &body, now - 200);
    moved.timestamp = now.to_string();
    assert_eq!(send(&moved, &body).await, 401, "another timestamp");
    let mut renamed = Signed::new(KEY, &body, now);
    renamed.id = "msg_other".to_owned();
    assert_eq!(send(&renamed, &body).await, 401, "another id");
    assert_eq!(request(relay.address(), "POST", "/v1/events", &[], &body).await.status, 401, "no signature");
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 0);
    assert_eq!(send(&Signed::new(KEY, &body, now - 290), &body).await, 202, "just in time");
    assert_eq!(metric(relay.address(), "modelgate_relay_batches_total{status=\"401\"}").await, 7.0);
    relay.shut_down().await;
}

#[tokio::test]
async fn two_keys_are_good_during_a_rotation() {
    let scratch = Scratch::new();
    let relay = start(&scratch, &format!("webhook_keys = [\"{OTHER_KEY}\", \"{KEY}\"]\n")).await;
    for key in [KEY, OTHER_KEY] {
        let body = batch(&[event("203.0.113.1", "high")]);
        let signed = Signed::new(key, &body, now_ms() / 1000);
        let answer = request(relay.address(), "POST", "/v1/events", &signed.headers(), &body).await;
        assert_eq!(answer.status, 202);
    }
    relay.shut_down().await;
}

#[tokio::test]
async fn good_events_are_kept_and_bad_ones_named() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let mut bad = event("203.0.113.1", "high");
    bad["findings"][0]["location"] = json!({"place": "/a", "span": {"start": 9, "end": 3}});
    let mut worse = event("203.0.113.1", "high");
    worse["severity"] = json!("fatal");
    let answer = post(relay.address(), &[bad.clone(), event("203.0.113.1", "high"), worse]).await;
    assert_eq!(answer.status, 202);
    let answer = answer.json();
    assert_eq!(answer["accepted"], 1);
    assert_eq!(answer["rejected"][0]["index"], 0);
    assert_eq!(answer["rejected"][0]["id"], bad["id"]);
    assert_eq!(answer["rejected"][0]["reason"], "findings[0].location.span: start 9 is after end 3");
    assert_eq!(answer["rejected"][1]["index"], 2);
    assert!(answer["rejected"][1]["reason"].as_str().unwrap().contains("fatal"));
    relay.shut_down().await;
}

#[tokio::test]
async fn a_sender_over_its_quota_is_told_to_wait() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "[ingest]\nmax_events_per_minute = 30\n").await;
    let some = |n: usize| (0..n).map(|_| event("203.0.113.1", "low")).collect::<Vec<_>>();
    assert_eq!(post(relay.address(), &some(25)).await.status, 202);
    let refused = post(relay.address(), &some(20)).await;
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((20..=30).contains(&wait), "fifteen are missing, one comes back in two seconds: {wait}");
    assert_eq!(post(relay.address(), &some(2)).await.status, 202, "fewer have room");
    // Strangers take nothing of it.
    let body = batch(&some(3));
    let unsigned = request(relay.address(), "POST", "/v1/events", &[], &body).await;
    assert_eq!(unsigned.status, 401);
    assert_eq!(post(relay.address(), &some(3)).await.status, 202);
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 30);
    assert_eq!(metric(relay.address(), "modelgate_relay_over_quota_total").await, 1.0);
    relay.shut_down().await;
}

#[tokio::test]
async fn cloud_events_are_taken_one_or_many() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let envelope = |event: Value| json!({"specversion": "1.0", "id": "1", "source": "/mesh", "type": "modelgate.event", "data": event});
    let send = async |kind: &str, body: &Value| {
        let body = body.to_string().into_bytes();
        let signed = Signed::new(KEY, &body, now_ms() / 1000);
        let mut headers = signed.headers().to_vec();
        headers.push(("content-type", kind));
        request(relay.address(), "POST", "/v1/events", &headers, &body).await
    };
    let one = envelope(event("203.0.113.1", "high"));
    let answer = send("application/cloudevents+json", &one).await;
    assert_eq!(
        (answer.status, answer.json()),
        (202, json!({"accepted": 1, "duplicates": 0, "rejected": []}))
    );
    let many =
        json!([one, envelope(event("203.0.113.1", "high")), envelope(json!({"v": 1})), {"no": "envelope"}]);
    let answer = send("application/cloudevents-batch+json; charset=utf-8", &many).await;
    let said = answer.json();
    assert_eq!((answer.status, &said["accepted"], &said["duplicates"]), (202, &json!(1), &json!(1)));
    assert_eq!((&said["rejected"][0]["index"], &said["rejected"][1]["index"]), (&json!(2), &json!(3)));
    assert_eq!(send("application/json", &many).await.status, 400, "by its media type alone");
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 2);
    relay.shut_down().await;
}

#[tokio::test]
async fn bodies_that_are_no_batch_are_refused() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    for body in ["", "{", "[]", "{\"v\":2,\"events\":[]}", "{\"v\":1,\"events\":[]} x"] {
        let answer = post_body(relay.address(), body.as_bytes()).await;
        assert_eq!(answer.status, 400, "{body:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(!answer.json()["detail"].as_str().unwrap().is_empty());
    }
    assert_eq!(post_body(relay.address(), b"{\"v\":1,\"events\":[]}").await.status, 202);
    relay.shut_down().await;
}

#[tokio::test]
async fn a_body_over_a_mebibyte_is_refused_announced_or_not() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let padding = " ".repeat(1 << 20);
    let body = format!("{{\"v\":1,\"events\":[]{padding}}}");
    assert_eq!(post_body(relay.address(), body.as_bytes()).await.status, 413);
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let chunked = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
        chunk.repeat(17)
    );
    let answer = client::exchange(relay.address(), chunked.as_bytes()).await.unwrap();
    assert_eq!(answer.status, 413);
    // Exactly a mebibyte is still a batch.
    let exact = format!("{{\"v\":1,\"events\":[]{}}}", &padding[..(1 << 20) - 19]);
    assert_eq!(exact.len(), 1 << 20);
    assert_eq!(post_body(relay.address(), exact.as_bytes()).await.status, 202);
    relay.shut_down().await;
}

#[tokio::test]
async fn dropped_events_are_counted_logged_and_make_an_incident() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let body = json!({"v": 1, "dropped": 42, "events": [event("203.0.113.1", "high")]}).to_string();
    let answer = post_body(relay.address(), body.as_bytes()).await;
    assert_eq!(answer.json(), json!({"accepted": 1, "duplicates": 0, "rejected": []}));
    assert_eq!(metric(relay.address(), "modelgate_relay_dropped_total").await, 42.0);
    let guard = "SELECT COUNT(*) FROM incidents WHERE category = 'guard' AND client = 'unknown'";
    assert_eq!(scratch.count(guard), 1);

    let body = json!({"v": 1, "dropped": 7, "events": [event("203.0.113.1", "high")]}).to_string();
    let signed = Signed::new(KEY, body.as_bytes(), now_ms() / 1000);
    let headers = signed.headers();
    let send = || client::request(relay.address(), "POST", "/v1/events", &headers, body.as_bytes());
    assert_eq!(send().await.json(), json!({"accepted": 1, "duplicates": 0, "rejected": []}));
    assert_eq!(send().await.json(), json!({"accepted": 0, "duplicates": 1, "rejected": []}), "replayed");
    assert_eq!(metric(relay.address(), "modelgate_relay_dropped_total").await, 49.0);
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 4);
    relay.shut_down().await;
    let lines = scratch.log_lines();
    let told = lines
        .iter()
        .filter(|line| line.contains(" - WARNING - guard event=") && line.contains("drop 42 events"));
    assert_eq!(told.count(), 1, "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_gathers_while_a_commit_runs_is_committed_together() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let address = relay.address();
    post(address, &[event("203.0.113.1", "high")]).await;
    let before = metric(address, "modelgate_relay_commits_total").await;
    // Another writer holds the database, so that everything has to wait for one commit.
    let hold = scratch.db.hold();
    let posts: Vec<_> = (0..60)
        .map(|_| tokio::spawn(async move { post(address, &[event("203.0.113.1", "high")]).await }))
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(posts.iter().all(|post| !post.is_finished()), "nobody is answered before the commit");
    drop(hold);
    for post in posts {
        assert_eq!(post.await.unwrap().status, 202);
    }
    let commits = metric(address, "modelgate_relay_commits_total").await - before;
    assert!(commits <= 8.0, "{commits} commits for 60 batches");
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 61);
    relay.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_cannot_be_stored_spoils_no_other() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let address = relay.address();
    scratch.db.refuse_address("192.0.2.66");
    // All of them wait for one commit.
    let hold = scratch.db.hold();
    let posts: Vec<_> = (0..20)
        .map(|n| if n == 7 { "192.0.2.66".to_owned() } else { format!("203.0.113.{n}") })
        .map(|client| tokio::spawn(async move { post(address, &[event(&client, "high")]).await.status }))
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(hold);
    let mut refused = Vec::new();
    for (n, post) in posts.into_iter().enumerate() {
        match post.await.unwrap() {
            202 => {}
            503 => refused.push(n),
            status => panic!("{status}"),
        }
    }
    assert_eq!(refused, [7]);
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 19);
    relay.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_turns_senders_away_and_keeps_what_it_took() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let address = relay.address();
    let hold = scratch.db.hold();
    // Batches of about 900 kB, until more than the queue's 8 MiB have come.
    let posts: Vec<_> = (0..24)
        .map(|_| {
            let mut events = Vec::new();
            for _ in 0..400 {
                let mut event = event("203.0.113.1", "high");
                event["request"]["path"] = Value::from("/".repeat(1500));
                events.push(event);
            }
            tokio::spawn(async move { (post(address, &events).await, events) })
        })
        .collect();
    until("somebody is turned away", || posts.iter().filter(|post| post.is_finished()).count() >= 4).await;
    assert_eq!(client::get(address, "/healthz").await.status, 200, "it still answers others");
    drop(hold);
    let mut acknowledged = BTreeSet::new();
    let mut refused = 0;
    for post in posts {
        let (answer, events) = post.await.unwrap();
        match answer.status {
            202 => acknowledged.extend(events.iter().map(|event| event["id"].as_str().unwrap().to_owned())),
            429 => {
                assert_eq!(answer.header("retry-after"), Some("1"));
                refused += 1;
            }
            // Held for longer than a lock is waited for, on a slow machine.
            503 => {}
            other => panic!("{other}: {answer:?}"),
        }
    }
    assert!(refused >= 4);
    let stored = scratch.count("SELECT COUNT(*) FROM events");
    assert_eq!(usize::try_from(stored).unwrap(), acknowledged.len());
    assert_eq!(post(address, &[event("203.0.113.1", "high")]).await.status, 202, "and takes again");
    relay.shut_down().await;
}

#[tokio::test]
async fn slow_and_broken_requests_do_no_harm() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    let address = relay.address();
    // Connections that send half a head and stay; they are cut off in time, and nobody waits for them.
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"POST /v1/events HTTP/1.1\r\nhost:").await.unwrap();
        slow.push(stream);
    }
    for broken in [
        &b"\xff\xfe\xfd\r\n\r\n"[..],
        b"POST /v1/events HTTP/1.1\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        b"GET /v1/summary\r\n\r\n",
    ] {
        let status = client::exchange(address, broken).await.map(|answer| answer.status);
        assert!(matches!(status, None | Some(400)), "{status:?}");
    }
    assert_eq!(post(address, &[event("203.0.113.1", "high")]).await.status, 202);
    drop(slow);
    relay.shut_down().await;
}

/// A connection from another address of this machine.
async fn connect_from(source: &str, to: std::net::SocketAddr) -> tokio::net::TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_holds_all_the_connections_they_can_get_keeps_nobody_else_away() {
    const HEALTH: &[u8] = b"GET /readyz HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n";
    let half_a_head = &b"POST /v1/events HTTP/1.1\r\nhost:"[..];
    let half_a_body = b"POST /v1/events HTTP/1.1\r\nhost: relay\r\ncontent-length: 100\r\n\r\n{";
    for (held, own) in [(half_a_head, 200), (half_a_body, 503)] {
        let scratch = Scratch::new();
        let relay = start(&scratch, "").await;
        let address = relay.address();
        let mut slow = Vec::new();
        for _ in 0..270 {
            let mut stream = connect_from("127.0.0.2", address).await;
            // Those above the number are refused, some before they have written.
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, held).await;
            slow.push(stream);
        }
        let asking = async {
            let ready = client::exchange(address, HEALTH).await.unwrap();
            assert_eq!(ready.status, 200, "{ready:?}");
            assert_eq!(post(address, &[event("203.0.113.1", "high")]).await.status, 202);
            // They themselves, where nothing of theirs is being answered: their oldest connection makes room.
            let theirs = client::exchange_on(connect_from("127.0.0.2", address).await, HEALTH).await;
            assert_eq!(theirs.map_or(503, |answer| answer.status), own);
        };
        tokio::time::timeout(Duration::from_secs(8), asking).await.expect("others are served meanwhile");
        let refused = client::metric(address, "modelgate_relay_refused_connections_total").await;
        assert_eq!(refused > 100.0, own == 503, "{refused}");
        drop(slow);
        relay.shut_down().await;
    }
}
