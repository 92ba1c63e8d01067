//! Every channel beside mail, against a receiver that reads strictly; and what receivers may answer.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{
    Scratch,
    client::{get, metric, post},
    event,
    forms::{attributes, cef, octet_counted, otlp, pagerduty, syslog},
    http::{Collector, Reply, Web, reply},
    now_ms,
    smtp::Smtp,
    start, until,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer},
};
use wire::signature::{ID_HEADER, Key, SIGNATURE_HEADER, TIMESTAMP_HEADER};

const WEBHOOK_KEY: &str = "whsec_dGhlIHNlY3JldCBrZXkgb2YgdGhlIHNlY3VyaXR5IHRlYW0=";
const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";

/// An event whose every text tries to break out of each form there is.
fn hostile() -> Value {
    let text = "x|y=z\\ ]\" <!channel> @all <https://evil.example|click> \u{202e}*b* `c` {\"a\":1}";
    let mut event = event("2001:db8::7", "high");
    event["model"] = json!(format!("m{text}"));
    event["client"]["user"] = json!(format!("u{text}"));
    event["request"]["path"] = json!(format!("/{text}\r\n<13>1 - - - - - - forged\n"));
    event["findings"][0]["rule"] = json!(format!("r{text}"));
    event["findings"][0]["summary"] = json!(format!("s{text}\r\nCEF:0|a|b|c|d|e|9|"));
    event
}

fn receiver(tables: &str) -> String {
    format!("[[receivers]]\nname = \"soc\"\n{tables}")
}

async fn until_sent(scratch: &Scratch, messages: i64) {
    until("everything is sent", || {
        scratch.count("SELECT COUNT(*) FROM outbox WHERE state = 'sent'") == messages
    })
    .await;
}

fn ok(_: usize, _: &common::http::Posted) -> Reply {
    reply("200 OK", "", "{}")
}

#[tokio::test]
async fn webhooks_are_signed_and_keep_their_id_when_they_come_again() {
    let scratch = Scratch::new();
    let web = Web::start(|before, _| match before {
        0 => reply("503 Service Unavailable", "retry-after: 2\r\n", "later"),
        _ => reply("202 Accepted", "", "thanks"),
    })
    .await;
    let target = format!("[[receivers.webhook]]\nurl = {:?}\nkey = {WEBHOOK_KEY:?}\n", web.url("/in?x=1"));
    let relay = start(&scratch, &receiver(&target)).await;
    post(relay.address(), &[hostile()]).await;
    until_sent(&scratch, 1).await;
    let sent =
        metric(relay.address(), "modelgate_relay_deliveries_total{channel=\"webhook\",outcome=\"sent\"}");
    assert_eq!(sent.await, 1.0);
    relay.shut_down().await;
    let posted = web.posted();
    assert_eq!(posted.len(), 2);
    assert!(posted[1].at - posted[0].at >= Duration::from_millis(1900), "Retry-After is kept");
    assert_eq!(posted[0].header(ID_HEADER), posted[1].header(ID_HEADER));
    assert_eq!(posted[0].body, posted[1].body);
    for posted in &posted {
        assert_eq!(posted.line, "POST /in?x=1 HTTP/1.1");
        assert_eq!(posted.header("content-type"), Some("application/json"));
        let (id, at) = (posted.header(ID_HEADER).unwrap(), posted.header(TIMESTAMP_HEADER).unwrap());
        let key = Key::parse(WEBHOOK_KEY).unwrap();
        assert_eq!(posted.header(SIGNATURE_HEADER), Some(&*key.sign(id, at.parse().unwrap(), &posted.body)));
        assert!(!id.contains('.'));
        let body = posted.json();
        assert_eq!(body["type"], "incident.opened");
        assert_eq!(body["data"]["severity"], "high");
        let report = &body["data"]["report"];
        assert_eq!(report["count"], 1);
        assert_eq!(report["address"], "2001:db8::7");
        assert!(report["model"].as_str().unwrap().starts_with("mx|y=z\\ ]\""));
        assert!(!posted.body.windows(3).any(|bytes| bytes == "\u{202e}".as_bytes()));
    }
    assert_eq!(scratch.text("SELECT receipt FROM outbox"), "202 Accepted thanks");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statuses_decide_whether_it_is_tried_again() {
    let again = ["408 Request Timeout", "425 Too Early", "429 Too Many Requests", "500 Error", "503 Away"];
    let for_good =
        ["301 Moved", "302 Found", "307 Temporary", "400 Bad", "401 Who", "403 No", "404 None", "410 Gone"];
    let mut cases = tokio::task::JoinSet::new();
    for (status, state) in
        again.iter().map(|status| (*status, "sent")).chain(for_good.iter().map(|status| (*status, "parked")))
    {
        cases.spawn(async move {
            let scratch = Scratch::new();
            let web = Web::start(move |before, _| match before {
                0 => reply(status, "location: http://127.0.0.1:1/elsewhere\r\n", "so it is"),
                _ => reply("200 OK", "", ""),
            })
            .await;
            let target = format!("[[receivers.slack]]\nurl = {:?}\n", web.url("/"));
            let relay = start(&scratch, &receiver(&target)).await;
            post(relay.address(), &[event("203.0.113.1", "high")]).await;
            let settled = "SELECT COUNT(*) FROM outbox WHERE state <> 'pending'";
            until(status, || scratch.count(settled) == 1).await;
            relay.shut_down().await;
            assert_eq!(scratch.text("SELECT state FROM outbox"), state, "{status}");
            assert_eq!(web.posted().len(), if state == "sent" { 2 } else { 1 }, "{status}");
            if state == "parked" {
                let error = scratch.text("SELECT error FROM outbox");
                assert!(error.contains(&status[..3]) && error.contains("so it is"), "{error}");
            }
        });
    }
    while let Some(case) = cases.join_next().await {
        case.expect("the case holds");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_broken_endless_or_absent_are_tried_again() {
    let endless = format!("HTTP/1.1 500 Error\r\n\r\n{}", "x".repeat(4 << 20));
    let answers: [(&str, Reply); 6] = [
        ("nothing", None),
        ("no HTTP", Some("220 mail.example.org ESMTP\r\n".to_owned())),
        ("closed", Some(String::new())),
        ("half a head", Some("HTTP/1.1 200 OK\r\ncontent-le".to_owned())),
        ("a head without end", Some(format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(1 << 20)))),
        ("an error of 4 MiB", Some(endless)),
    ];
    let mut cases = tokio::task::JoinSet::new();
    for (name, answer) in answers {
        cases.spawn(async move {
            let scratch = Scratch::new();
            let web = Web::start(move |before, _| match before {
                0 => answer.clone(),
                _ => reply("200 OK", "", ""),
            })
            .await;
            let target = format!("[[receivers.slack]]\nurl = {:?}\ntimeout = \"2s\"\n", web.url("/"));
            let relay = start(&scratch, &receiver(&target)).await;
            post(relay.address(), &[event("203.0.113.1", "high")]).await;
            until_sent(&scratch, 1).await;
            relay.shut_down().await;
            assert_eq!(web.posted().len(), 2, "{name}");
        });
    }
    while let Some(case) = cases.join_next().await {
        case.expect("the case holds");
    }
}

#[tokio::test]
async fn nothing_of_a_caller_is_live_in_slack() {
    let scratch = Scratch::new();
    let web = Web::start(ok).await;
    let target = format!("[[receivers.slack]]\nurl = {:?}\n", web.url("/services/T/B/x"));
    let relay = start(&scratch, &receiver(&target)).await;
    post(relay.address(), &[hostile()]).await;
    until_sent(&scratch, 1).await;
    relay.shut_down().await;
    let body = web.posted()[0].json();
    let mut texts = vec![body["text"].as_str().unwrap().to_owned()];
    for block in body["blocks"].as_array().unwrap() {
        let inner =
            block["text"].as_object().into_iter().map(|text| text["text"].as_str().unwrap().to_owned());
        texts.extend(inner);
        let fields = block["fields"].as_array().into_iter().flatten();
        texts.extend(fields.map(|field| field["text"].as_str().unwrap().to_owned()));
    }
    assert!(texts.len() >= 6, "{texts:?}");
    let mut links = 0;
    for text in &texts {
        assert!(!text.contains('@') && !text.contains("<!") && !text.contains('`'), "{text}");
        for open in text.match_indices('<') {
            links += 1;
            assert!(text[open.0..].starts_with("<https://relay.example.org/incidents/"), "{text}");
        }
    }
    assert_eq!(links, 1, "one link, to the relay");
    assert!(texts.iter().any(|text| text.contains("&lt;!channel&gt;")), "{texts:?}");
}

#[tokio::test]
async fn pagerduty_gets_events_of_its_form_under_one_key_an_incident() {
    let scratch = Scratch::new();
    let web = Web::start(|_, _| {
        let body = r#"{"status":"success","message":"Event processed","dedup_key":"x"}"#;
        reply("202 Accepted", "", body)
    })
    .await;
    fs::write(scratch.join("routing.key"), format!("{ROUTING_KEY}\n")).unwrap();
    let target = format!(
        "[[receivers.pagerduty]]\nurl = {:?}\nrouting_key_file = \"routing.key\"\n",
        web.url("/v2/enqueue")
    );
    let relay = start(&scratch, &receiver(&target)).await;
    post(relay.address(), &[hostile()]).await;
    until_sent(&scratch, 1).await;
    let mut second = hostile();
    second["severity"] = json!("critical");
    post(relay.address(), &[second]).await;
    until_sent(&scratch, 2).await;
    relay.shut_down().await;
    let events: Vec<Value> = web.posted().iter().map(common::http::Posted::json).collect();
    assert_eq!(events.len(), 2);
    events.iter().for_each(pagerduty);
    assert_eq!(events[0]["dedup_key"], events[1]["dedup_key"]);
    assert_eq!(events[0]["payload"]["severity"], "error");
    assert_eq!(events[1]["payload"]["severity"], "critical");
    assert_eq!(events[0]["routing_key"], ROUTING_KEY);
}

const ACCEPTED: &str = r#"{"status":"success","message":"Event processed","dedup_key":"x"}"#;

fn soc_with_pager(web: &Web) -> String {
    receiver(&format!(
        "[[receivers.pagerduty]]\nurl = {:?}\nrouting_key = {ROUTING_KEY:?}\n",
        web.url("/v2/enqueue")
    ))
}

/// Changes an incident.
async fn change(address: std::net::SocketAddr, id: &str, verb: &str) {
    let path = format!("/v1/incidents/{id}/{verb}");
    let headers = [("content-type", "application/json")];
    let answer = common::client::request(address, "POST", &path, &headers, b"{\"by\":\"ann\"}").await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

fn actions(web: &Web) -> Vec<String> {
    web.posted().iter().map(|posted| posted.json()["event_action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pagerduty_follows_an_incident_from_its_trigger_to_its_end_and_on_across_kills() {
    use common::process::Process;
    let scratch = Scratch::new();
    let web = Web::start(|_, _| reply("202 Accepted", "", ACCEPTED)).await;
    let config =
        format!("[alerts]\ngroup_wait = \"50ms\"\ngroup_interval = \"300ms\"\n{}", soc_with_pager(&web));
    let ready = async || {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut process = Process::spawn_at(&scratch, port, &config);
        process.until_ready(&scratch).await;
        process
    };
    let mut expected: Vec<&str> = Vec::new();
    let mut id = String::new();
    // A life of one incident, with a relay of its own for each step that is killed after it.
    for (step, told) in [
        ("event", "trigger"),
        ("acknowledge", "acknowledge"),
        ("event", "trigger"),
        ("resolve", "resolve"),
        ("event", "trigger"),
        ("acknowledge", "acknowledge"),
        ("resolve", "resolve"),
        ("reopen", "trigger"),
    ] {
        let mut process = ready().await;
        match step {
            "event" => drop(post(process.address, &[event("203.0.113.1", "high")]).await),
            verb => change(process.address, &id, verb).await,
        }
        // At once, while it is not told yet, every other time.
        if expected.len() % 2 == 1 {
            process.child.kill().unwrap();
            process.child.wait().unwrap();
            process = ready().await;
        }
        expected.push(told);
        until(step, || actions(&web).len() >= expected.len()).await;
        until_sent(&scratch, i64::try_from(expected.len()).unwrap()).await;
        if id.is_empty() {
            let list = get(process.address, "/v1/incidents").await.json();
            list["incidents"][0]["id"].as_str().unwrap().clone_into(&mut id);
        }
        process.child.kill().unwrap();
        process.child.wait().unwrap();
    }
    // Nothing more comes of it.
    let mut process = ready().await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    process.child.kill().unwrap();
    process.child.wait().unwrap();
    assert_eq!(actions(&web), expected);
    let events: Vec<Value> = web.posted().iter().map(common::http::Posted::json).collect();
    events.iter().for_each(pagerduty);
    assert!(events.iter().all(|event| event["dedup_key"] == events[0]["dedup_key"]), "{events:?}");
    assert_eq!(scratch.count("SELECT COUNT(*) FROM incidents"), 1);
}

#[tokio::test]
async fn who_was_told_is_told_once_how_it_stands_each_by_its_channels() {
    let scratch = Scratch::new();
    let (web, smtp) = (Web::start(ok).await, Smtp::start().await);
    let targets = format!(
        "[[receivers]]\nname = \"soc\"\nemail = [\"soc@example.org\"]\n\
         [[receivers.webhook]]\nurl = {:?}\nkey = {WEBHOOK_KEY:?}\n\
         [[receivers.file]]\npath = \"alerts.ocsf\"\nformat = \"ocsf\"\n\
         [[receivers]]\nname = \"all\"\nsend_resolved = true\nemail = [\"all@example.org\"]\n\
         [[receivers]]\nname = \"none\"\nsend_resolved = false\n[[receivers.file]]\npath = \"none.jsonl\"\n\
         [[receivers]]\nname = \"other\"\n[[receivers.file]]\npath = \"other.jsonl\"\n\
         [[routes]]\nmatch = [\"model=other\"]\nreceivers = [\"other\"]\n",
        web.url("/")
    );
    let alerts = "[alerts]\ngroup_wait = \"50ms\"\ngroup_interval = \"100ms\"\nreceivers = [\"soc\", \"all\", \"none\"]\n";
    let relay = start(&scratch, &format!("{alerts}{}{targets}", smtp.toml(&[], ""))).await;
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    until_sent(&scratch, 5).await;
    let list = get(relay.address(), "/v1/incidents").await.json();
    let id = list["incidents"][0]["id"].as_str().unwrap();
    let mut sent = 5;
    for verb in ["acknowledge", "resolve", "reopen"] {
        change(relay.address(), id, verb).await;
        // The webhook and the OCSF file of one receiver, the mail of another.
        sent += 3;
        until_sent(&scratch, sent).await;
    }
    // What is so already is no news.
    change(relay.address(), id, "reopen").await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    relay.shut_down().await;
    assert_eq!(scratch.count("SELECT COUNT(*) FROM outbox"), sent);
    let types: Vec<Value> = web.posted().iter().map(|posted| posted.json()["type"].clone()).collect();
    assert_eq!(types, ["incident.opened", "incident.acknowledged", "incident.resolved", "incident.reopened"]);
    let last = web.posted()[2].json();
    assert!(last["data"]["report"]["lead"].as_str().unwrap().starts_with("Resolved, by ann."), "{last}");
    assert_eq!(last["data"]["incident"], id);
    let findings: Vec<Value> = fs::read_to_string(scratch.join("alerts.ocsf"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    findings.iter().for_each(assert_ocsf);
    let stands: Vec<(u64, u64)> = findings
        .iter()
        .map(|it| (it["activity_id"].as_u64().unwrap(), it["status_id"].as_u64().unwrap()))
        .collect();
    assert_eq!(stands, [(1, 1), (2, 2), (3, 4), (2, 1)], "create, in progress, close, again");
    assert!(findings.iter().all(|it| it["finding_info"]["uid"] == findings[0]["finding_info"]["uid"]));
    let to = |who: &str| smtp.received().iter().filter(|mail| mail.to.concat().contains(who)).count();
    assert_eq!((to("soc@"), to("all@")), (1, 4));
    assert_eq!(fs::read_to_string(scratch.join("none.jsonl")).unwrap().lines().count(), 1);
    assert!(!scratch.join("other.jsonl").exists());
}

#[tokio::test]
async fn a_campaign_that_ends_is_one_resolve_and_comes_after_what_waits() {
    let scratch = Scratch::new();
    // Away for the first tries: the end must not overtake the beginning.
    let web = Web::start(|before, _| match before {
        0..=2 => reply("503 Service Unavailable", "retry-after: 1\r\n", "later"),
        _ => reply("202 Accepted", "", ACCEPTED),
    })
    .await;
    let alerts = "[alerts]\ngroup_wait = \"400ms\"\ngroup_interval = \"200ms\"\nincident_window = \"2s\"\n\
                  group_by = [\"category\"]\n";
    let relay = start(&scratch, &format!("{alerts}{}", soc_with_pager(&web))).await;
    let events: Vec<Value> =
        (0..1000).map(|n| event(&format!("198.51.{}.{}", n / 250, n % 250), "high")).collect();
    for batch in events.chunks(250) {
        assert_eq!(post(relay.address(), batch).await.status, 202);
    }
    let open = "SELECT COUNT(*) FROM incidents WHERE state <> 'resolved'";
    until("all are over", || scratch.count(open) == 0).await;
    until("the end is told", || actions(&web).iter().any(|action| action == "resolve")).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    relay.shut_down().await;
    assert_eq!(scratch.count("SELECT COUNT(*) FROM incidents"), 1000);
    let told = actions(&web);
    assert_eq!(told.iter().filter(|action| *action == "resolve").count(), 1, "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("resolve"), "{told:?}");
}

/// A certificate for localhost, as a server's acceptor and as PEM to trust.
fn certificate() -> (TlsAcceptor, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), cert.pem())
}

#[tokio::test]
async fn syslog_arrives_in_its_form_by_udp_tcp_and_tls() {
    let scratch = Scratch::new();
    let (acceptor, pem) = certificate();
    fs::write(scratch.join("ca.pem"), pem).unwrap();
    let (udp, tcp, tls) =
        (Collector::udp().await, Collector::tcp(None).await, Collector::tcp(Some(acceptor)).await);
    let targets = format!(
        "[[receivers.syslog]]\nserver = \"udp://{}\"\nhostname = \"relay one\"\n\
         [[receivers.syslog]]\nserver = \"tcp://localhost:{}\"\nformat = \"ocsf\"\nfacility = 16\n\
         [[receivers.syslog]]\nserver = \"tls://localhost:{}\"\nca_file = \"ca.pem\"\n",
        udp.address,
        tcp.address.port(),
        tls.address.port()
    );
    let relay = start(&scratch, &receiver(&targets)).await;
    post(relay.address(), &[hostile()]).await;
    until_sent(&scratch, 3).await;
    until("all came", || [&udp, &tcp, &tls].iter().all(|one| one.received().len() == 1)).await;
    relay.shut_down().await;
    let by_udp = syslog(&udp.received()[0]);
    let framed = |collector: &Collector| {
        let mut messages = octet_counted(&collector.received()[0]);
        assert_eq!(messages.len(), 1);
        messages.remove(0)
    };
    let (by_tcp, by_tls) = (syslog(&framed(&tcp)), syslog(&framed(&tls)));
    assert_eq!((by_udp.facility, by_udp.severity), (13, 3));
    assert_eq!((by_tcp.facility, by_tcp.severity), (16, 3));
    assert_eq!((by_udp.hostname.as_str(), by_udp.app.as_str()), ("relayone", "alert-relay"));
    assert_eq!(by_udp.msgid, "incident.opened");
    assert!(by_udp.data.starts_with("[origin software="));
    assert_eq!(by_udp.timestamp, by_tls.timestamp);
    assert_eq!(by_udp.message, by_tls.message);
    let line = cef(&by_udp.message);
    assert_eq!(line.header[1..3], ["Modelgate", "alert-relay"]);
    assert_eq!((line.header[4].as_str(), line.header[6].as_str()), ("prompt_injection", "8"));
    assert_eq!(line.extension["c6a2"], "2001:db8::7");
    assert!(!line.extension.contains_key("src"));
    assert!(line.extension["cs1"].starts_with("mx|y=z\\ ]\" <!channel>"), "{line:?}");
    assert!(line.extension["cs2"].starts_with("rx|y=z\\"));
    let known = [
        "rt",
        "start",
        "end",
        "externalId",
        "cat",
        "cnt",
        "c6a2",
        "c6a2Label",
        "suser",
        "cs1",
        "cs1Label",
        "cs2",
        "cs2Label",
        "cs3",
        "cs3Label",
        "msg",
        "request",
    ];
    assert!(line.extension.keys().all(|key| known.contains(&key.as_str())), "{line:?}");
    let finding: Value = serde_json::from_str(&by_tcp.message).unwrap();
    assert_ocsf(&finding);
    assert!(by_tcp.message.is_ascii());
}

#[tokio::test]
async fn a_datagram_that_nobody_takes_is_sent_again() {
    let scratch = Scratch::new();
    let address = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let target = format!("[[receivers.syslog]]\nserver = \"udp://{address}\"\n");
    let relay = start(&scratch, &receiver(&target)).await;
    post(relay.address(), &[hostile()]).await;
    until("it was tried", || scratch.count("SELECT COALESCE(MAX(attempts), 0) FROM outbox") > 0).await;
    assert_eq!(scratch.text("SELECT state FROM outbox"), "pending");
    let collector = Collector::udp_at(address).await;
    until_sent(&scratch, 1).await;
    until("it came", || collector.received().len() == 1).await;
    relay.shut_down().await;
}

/// What OCSF 1.3 requires of a Detection Finding, with the values of its enumerations.
fn assert_ocsf(finding: &Value) {
    let number = |name: &str| finding[name].as_u64().unwrap_or_else(|| panic!("{name}: {finding}"));
    assert_eq!((number("category_uid"), number("class_uid")), (2, 2004));
    assert_eq!(number("type_uid"), 2004 * 100 + number("activity_id"));
    assert_eq!(number("severity_id"), 4);
    assert_eq!(number("action_id"), 2, "all of it was refused");
    assert!(number("time") > 1_700_000_000_000 && number("time") <= now_ms());
    assert_eq!(finding["metadata"]["version"], "1.3.0");
    assert_eq!(finding["metadata"]["product"]["vendor_name"], "Modelgate");
    assert!(finding["finding_info"]["uid"].as_str().unwrap().len() == 36);
    assert!(finding["finding_info"]["title"].is_string());
    for observable in finding["observables"].as_array().unwrap() {
        assert!(observable["name"].is_string() && observable["type_id"].is_u64());
    }
}

#[tokio::test]
async fn an_opentelemetry_collector_gets_one_record_and_may_refuse_it() {
    let scratch = Scratch::new();
    let web = Web::start(|before, _| match before {
        0 => reply("200 OK", "", "{}"),
        1 => {
            reply("200 OK", "", r#"{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too many"}}"#)
        }
        _ => reply("500 Internal Server Error", "", ""),
    })
    .await;
    let target =
        format!("[[receivers.otlp]]\nurl = {:?}\nauthorization = \"Bearer of-news\"\n", web.url("/v1/logs"));
    let relay = start(&scratch, &receiver(&target)).await;
    post(relay.address(), &[hostile()]).await;
    until_sent(&scratch, 1).await;
    for address in ["203.0.113.8", "203.0.113.9"] {
        post(relay.address(), &[event(address, "high")]).await;
        let waiting = "SELECT COUNT(*) FROM outbox WHERE state = 'pending'";
        let rows = if address.ends_with('8') { 2 } else { 3 };
        until("it is settled", || {
            scratch.count("SELECT COUNT(*) FROM outbox") == rows && scratch.count(waiting) == 0
        })
        .await;
    }
    relay.shut_down().await;
    let posted = web.posted();
    assert_eq!(posted.len(), 3, "500 is not to be tried again, says the specification");
    assert_eq!(posted[0].header("authorization"), Some("Bearer of-news"));
    let record = otlp(&posted[0].json());
    assert_eq!((record["severityNumber"].as_u64(), &record["severityText"]), (Some(17), &json!("ERROR")));
    let found = attributes(&record["attributes"]);
    assert_eq!(found["client.address"], "2001:db8::7");
    assert_eq!(found["modelgate.events"], "1");
    assert_eq!(scratch.count("SELECT COUNT(*) FROM outbox WHERE state = 'parked'"), 2);
    let errors = scratch.db.texts("SELECT error FROM outbox WHERE state = 'parked' ORDER BY id");
    assert!(errors[0].contains("too many"), "{errors:?}");
}

#[tokio::test]
async fn files_get_a_line_a_message_in_each_form() {
    let scratch = Scratch::new();
    let targets = "[[receivers.file]]\npath = \"alerts.jsonl\"\n\
                   [[receivers.file]]\npath = \"alerts.cef\"\nformat = \"cef\"\n\
                   [[receivers.file]]\npath = \"alerts.ocsf\"\nformat = \"ocsf\"\n";
    let relay = start(&scratch, &receiver(targets)).await;
    post(relay.address(), &[hostile()]).await;
    until_sent(&scratch, 3).await;
    post(relay.address(), &[event("203.0.113.9", "high")]).await;
    until_sent(&scratch, 6).await;
    relay.shut_down().await;
    let lines = |name: &str| -> Vec<String> {
        let text = fs::read_to_string(scratch.join(name)).unwrap();
        assert!(text.ends_with('\n'));
        text.lines().map(str::to_owned).collect()
    };
    let own: Vec<Value> =
        lines("alerts.jsonl").iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(own.len(), 2);
    assert_eq!(own[1]["report"]["address"], "203.0.113.9");
    let lines_of_cef: Vec<_> = lines("alerts.cef").iter().map(|line| cef(line)).collect();
    assert_eq!(lines_of_cef.len(), 2);
    assert_eq!(lines_of_cef[1].extension["src"], "203.0.113.9");
    let findings = lines("alerts.ocsf");
    assert_eq!(findings.len(), 2);
    findings.iter().for_each(|line| assert_ocsf(&serde_json::from_str(line).unwrap()));
}

#[tokio::test]
async fn a_channel_that_stalls_holds_up_no_other() {
    let scratch = Scratch::new();
    let web = Web::start(|_, _| None).await;
    let smtp = Smtp::start().await;
    let target = receiver(&format!("[[receivers.slack]]\nurl = {:?}\ntimeout = \"20s\"\n", web.url("/")));
    let relay = start(&scratch, &format!("{target}{}", smtp.toml(&["ops@example.org"], ""))).await;
    let begun = Instant::now();
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    until("the stall", || web.posted().len() == 1).await;
    post(relay.address(), &[event("203.0.113.2", "high")]).await;
    until("both mails", || smtp.received().len() == 2).await;
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(web.posted().len(), 1, "one at a time");
    until("the mails are settled", || {
        scratch.count("SELECT COUNT(*) FROM outbox WHERE state <> 'pending'") == 2
    })
    .await;
    let ready = get(relay.address(), "/readyz").await.json();
    assert_eq!(ready["outbox"]["pending"], 2);
}

#[tokio::test]
async fn https_is_checked_against_the_authority_that_is_named() {
    let (acceptor, pem) = certificate();
    for trusted in [true, false] {
        let scratch = Scratch::new();
        fs::write(scratch.join("ca.pem"), &pem).unwrap();
        let web = Web::with(Some(acceptor.clone()), ok).await;
        let ca = if trusted { "ca_file = \"ca.pem\"\n" } else { "" };
        let port = web.address.port();
        let target = format!("[[receivers.slack]]\nurl = \"https://localhost:{port}/\"\n{ca}");
        let relay = start(&scratch, &receiver(&target)).await;
        post(relay.address(), &[event("203.0.113.1", "high")]).await;
        match trusted {
            true => until_sent(&scratch, 1).await,
            false => {
                let tries = "SELECT COALESCE(MAX(attempts), 0) FROM outbox";
                until("some tries", || scratch.count(tries) >= 2).await;
                assert!(scratch.text("SELECT error FROM outbox").contains("TLS"));
            }
        }
        relay.shut_down().await;
        assert_eq!(web.posted().len(), usize::from(trusted));
    }
}

#[tokio::test]
async fn a_target_that_was_removed_is_parked_and_named() {
    let scratch = Scratch::new();
    let target = "[[receivers.slack]]\nname = \"old\"\nurl = \"http://127.0.0.1:1/\"\n";
    let relay = start(&scratch, &receiver(target)).await;
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    until("a try", || scratch.count("SELECT COALESCE(MAX(attempts), 0) FROM outbox") >= 1).await;
    relay.shut_down().await;
    let relay = start(&scratch, &receiver("email = [\"ops@example.org\"]\n")).await;
    until("it is parked", || scratch.count("SELECT COUNT(*) FROM outbox WHERE state = 'parked'") == 1).await;
    relay.shut_down().await;
    assert!(scratch.text("SELECT error FROM outbox WHERE state = 'parked'").contains("no longer"));
}
