//! Alert mails through a real SMTP conversation, with servers that fail in every way they can.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
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
    client::{get, post},
    event, files,
    smtp::{Encryption, Fault, Smtp, Stage, plain},
    start, until,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer},
};

const ONE: &[&str] = &["ops@example.org"];

/// A relay that mails through `smtp`, and one event of this severity.
async fn one_event(scratch: &Scratch, smtp: &Smtp, recipients: &[&str], more: &str) -> alert_relay::Relay {
    let relay = start(scratch, &smtp.toml(recipients, more)).await;
    assert_eq!(post(relay.address(), &[event("203.0.113.1", "high")]).await.status, 202);
    relay
}

fn state(scratch: &Scratch, recipient: &str) -> String {
    let states = scratch.db.texts(&format!("SELECT state FROM outbox WHERE recipient = '{recipient}'"));
    states.into_iter().next().unwrap_or_default()
}

async fn settled(scratch: &Scratch) {
    until("the outbox is settled", || {
        scratch.count("SELECT COUNT(*) FROM outbox") > 0
            && scratch.count("SELECT COUNT(*) FROM outbox WHERE state = 'pending'") == 0
    })
    .await;
}

#[tokio::test]
async fn an_incident_is_mailed_once_to_each_recipient() {
    let scratch = Scratch::new();
    let smtp = Smtp::start().await;
    let relay = one_event(&scratch, &smtp, &["ops@example.org", "Sec Team <sec@example.org>"], "").await;
    settled(&scratch).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    relay.shut_down().await;
    let mut received = smtp.received();
    received.sort_by(|a, b| a.to.cmp(&b.to));
    assert_eq!(received.len(), 2, "one envelope each, and no second mail without new events");
    assert_eq!(received[0].to, ["<ops@example.org>"]);
    assert_eq!(received[1].to, ["<sec@example.org>"]);
    for mail in &received {
        assert_eq!(mail.from, "MAIL FROM:<relay@example.org>");
        assert_eq!(mail.header("Subject"), Some("Security Alert: demo - HIGH Severity"));
        assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
        assert_eq!(mail.header("X-Auto-Response-Suppress"), Some("All"));
        assert!(mail.header("Message-ID").unwrap().ends_with(".0@example.org>"));
        assert!(mail.header("Date").is_some());
        assert!(mail.data.contains("https://relay.example.org/incidents/"));
    }
    assert_eq!(received[0].header("Message-ID"), received[1].header("Message-ID"));
}

#[tokio::test]
async fn further_events_are_told_after_the_interval_in_the_same_thread() {
    let scratch = Scratch::new();
    let smtp = Smtp::start().await;
    let relay = one_event(&scratch, &smtp, ONE, "").await;
    until("the first mail", || smtp.received().len() == 1).await;
    for _ in 0..3 {
        post(relay.address(), &[event("203.0.113.1", "high")]).await;
    }
    until("the second mail", || smtp.received().len() == 2).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    relay.shut_down().await;
    let received = smtp.received();
    assert_eq!(received.len(), 2, "three events, one further mail");
    let first = received[0].header("Message-ID").unwrap();
    assert_eq!(received[1].header("In-Reply-To"), Some(first));
    assert_eq!(received[1].header("References"), Some(first));
    assert_ne!(received[1].header("Message-ID"), Some(first));
    assert!(received[1].data.contains("3 more events in this incident, 4 in all."));
    assert_eq!(received[0].header("In-Reply-To"), None);
}

#[tokio::test]
async fn a_critical_event_does_not_wait_and_a_low_one_is_not_mailed() {
    let scratch = Scratch::new();
    let smtp = Smtp::start().await;
    let slow = "[alerts]\ngroup_wait = \"1h\"\n";
    let relay = start(&scratch, &format!("{slow}{}", smtp.toml(ONE, ""))).await;
    let events =
        [event("203.0.113.1", "low"), event("203.0.113.2", "high"), event("203.0.113.3", "critical")];
    post(relay.address(), &events).await;
    until("the critical mail", || smtp.received().len() == 1).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    relay.shut_down().await;
    let received = smtp.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].header("Subject"), Some("Security Alert: demo - CRITICAL Severity"));
    assert_eq!(scratch.count("SELECT count FROM accounts WHERE outcome = 'below'"), 1);
    assert_eq!(
        scratch.count("SELECT COUNT(*) FROM alert_groups WHERE due_ms IS NOT NULL AND severity = 2"),
        1
    );
}

/// Each stage, each temporary failure: tried again, and delivered once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn temporary_failures_at_every_stage_end_in_one_mail() {
    let faults: Vec<(Stage, Fault)> = vec![
        (Stage::Connect, Fault::Reply("421 4.3.2 closing")),
        (Stage::Connect, Fault::Reply("554 5.3.2 not now")),
        (Stage::Connect, Fault::Drop),
        (Stage::Connect, Fault::Stall),
        (Stage::Ehlo, Fault::Reply("421 4.3.2 closing")),
        (Stage::Ehlo, Fault::Stall),
        (Stage::Ehlo, Fault::Drop),
        (Stage::Ehlo, Fault::Reply("502 5.5.1 no such command")),
        (Stage::Mail, Fault::Reply("451 4.3.0 try again")),
        (Stage::Mail, Fault::Drop),
        (Stage::Mail, Fault::Stall),
        (Stage::Rcpt, Fault::Reply("450 4.2.1 greylisted")),
        (Stage::Rcpt, Fault::Reply("530 5.7.0 authentication required")),
        (Stage::Rcpt, Fault::Stall),
        (Stage::Rcpt, Fault::Drop),
        (Stage::Rcpt, Fault::Reply("421 4.3.2 closing")),
        (Stage::Data, Fault::Reply("451 4.3.0 try again")),
        (Stage::Data, Fault::Drop),
        (Stage::Data, Fault::Stall),
        (Stage::Message, Fault::Reply("452 4.3.1 full")),
        (Stage::Message, Fault::Reply("not a reply")),
        (Stage::Message, Fault::Drop),
        (Stage::Message, Fault::Stall),
    ];
    assert!(faults.len() >= 23);
    let mut cases = tokio::task::JoinSet::new();
    for (stage, fault) in faults {
        cases.spawn(async move {
            let scratch = Scratch::new();
            let smtp =
                Smtp::scripted(move |at, _, before| (at == stage && before == 0).then_some(fault)).await;
            // Long enough for a machine on which all of these take place at once.
            let relay = one_event(&scratch, &smtp, ONE, "timeout = \"8s\"\n").await;
            settled(&scratch).await;
            relay.shut_down().await;
            assert_eq!(smtp.received().len(), 1, "{stage:?} {fault:?}");
            assert_eq!(state(&scratch, "ops@example.org"), "sent", "{stage:?} {fault:?}");
            assert_eq!(scratch.count("SELECT attempts FROM outbox"), 2, "{stage:?} {fault:?}");
        });
    }
    while let Some(case) = cases.join_next().await {
        case.expect("the case holds");
    }
}

#[tokio::test]
async fn a_server_that_takes_the_mail_and_says_nothing_gets_it_again_under_the_same_id() {
    let scratch = Scratch::new();
    let smtp =
        Smtp::scripted(|at, _, before| (at == Stage::Message && before == 0).then_some(Fault::TakeAndDrop))
            .await;
    let relay = one_event(&scratch, &smtp, ONE, "").await;
    settled(&scratch).await;
    relay.shut_down().await;
    let received = smtp.received();
    assert_eq!(received.len(), 2, "whether it was taken cannot be known");
    assert_eq!(received[0].header("Message-ID"), received[1].header("Message-ID"));
    assert_eq!(received[0].header("Date"), received[1].header("Date"));
}

#[tokio::test]
async fn a_stall_after_the_mail_was_taken_is_no_failure() {
    let scratch = Scratch::new();
    let smtp = Smtp::scripted(|at, _, _| (at == Stage::Quit).then_some(Fault::Stall)).await;
    let relay = one_event(&scratch, &smtp, ONE, "timeout = \"10s\"\n").await;
    settled(&scratch).await;
    relay.shut_down().await;
    assert_eq!(smtp.received().len(), 1);
    assert_eq!(scratch.count("SELECT attempts FROM outbox"), 1);
}

#[tokio::test]
async fn a_server_that_stalls_holds_up_no_end_and_gets_the_mail_from_the_next_life() {
    let scratch = Scratch::new();
    let smtp =
        Smtp::scripted(|at, _, before| (at == Stage::Data && before == 0).then_some(Fault::Stall)).await;
    let relay = one_event(&scratch, &smtp, &["ops@example.org"], "timeout = \"90s\"").await;
    until("the mail is on its way", || smtp.reached(Stage::Data) == 1).await;
    let begun = Instant::now();
    relay.shut_down().await;
    assert!(begun.elapsed() < Duration::from_secs(20), "nobody is served meanwhile: {:?}", begun.elapsed());
    assert_eq!(scratch.text("SELECT state FROM outbox"), "pending");
    let relay = start(&scratch, &smtp.toml(&["ops@example.org"], "")).await;
    until("it arrives", || smtp.received().len() == 1).await;
    relay.shut_down().await;
}

#[tokio::test]
async fn a_refused_recipient_does_not_keep_the_mail_from_the_other() {
    let scratch = Scratch::new();
    let smtp = Smtp::scripted(|at, line, _| {
        (at == Stage::Rcpt && line.contains("gone@")).then_some(Fault::Reply("550 5.1.1 no such user"))
    })
    .await;
    let relay = one_event(&scratch, &smtp, &["gone@example.org", "ops@example.org"], "").await;
    settled(&scratch).await;
    let ready = get(relay.address(), "/readyz").await;
    assert_eq!(ready.status, 200, "mail that fails keeps no event away");
    assert_eq!(ready.json()["status"], "degraded");
    assert_eq!(ready.json()["outbox"], json!({"pending": 0, "oldest_seconds": 0, "parked": 1}));
    tokio::time::sleep(Duration::from_millis(500)).await;
    relay.shut_down().await;
    assert_eq!(smtp.received().len(), 1);
    assert_eq!(smtp.received()[0].to, ["<ops@example.org>"]);
    assert_eq!(state(&scratch, "gone@example.org"), "parked");
    assert_eq!(state(&scratch, "ops@example.org"), "sent");
    let error = scratch.text("SELECT error FROM outbox WHERE state = 'parked'");
    assert!(error.contains("550") && error.contains("no such user"), "{error}");
    assert_eq!(smtp.reached(Stage::Rcpt), 2, "a refusal is not tried again");
}

#[tokio::test]
async fn one_refused_and_one_greylisted_of_three_recipients_are_each_their_own_affair() {
    let scratch = Scratch::new();
    let smtp = Smtp::scripted(|at, line, before| match at {
        Stage::Rcpt if line.contains("gone@") => Some(Fault::Reply("550 5.1.1 no such user")),
        Stage::Rcpt if line.contains("later@") && before < 3 => Some(Fault::Reply("450 4.2.1 greylisted")),
        _ => None,
    })
    .await;
    let three = ["later@example.org", "gone@example.org", "ops@example.org"];
    let relay = one_event(&scratch, &smtp, &three, "").await;
    settled(&scratch).await;
    relay.shut_down().await;
    let states: Vec<String> = three.iter().map(|recipient| state(&scratch, recipient)).collect();
    assert_eq!(states, ["sent", "parked", "sent"]);
    let mut to: Vec<String> = smtp.received().iter().flat_map(|mail| mail.to.clone()).collect();
    to.sort();
    assert_eq!(to, ["<later@example.org>", "<ops@example.org>"], "each once");
}

#[tokio::test]
async fn a_failed_log_in_or_starttls_of_the_server_is_tried_again() {
    let (acceptor, pem) = certificate();
    let login = "username = \"relay\"\npassword = \"x\"\n";
    let cases = [
        (
            Stage::StartTls,
            Fault::Reply("454 4.7.0 TLS not available"),
            "tls = \"starttls\"\nca_file = \"ca.pem\"\n",
        ),
        (Stage::StartTls, Fault::Stall, "tls = \"starttls\"\nca_file = \"ca.pem\"\ntimeout = \"2s\"\n"),
        (Stage::Auth, Fault::Reply("454 4.7.0 busy"), login),
        (Stage::Auth, Fault::Drop, login),
    ];
    for (stage, fault, more) in cases {
        let scratch = Scratch::new();
        fs::write(scratch.join("ca.pem"), &pem).unwrap();
        let encryption = match stage {
            Stage::StartTls => Encryption::StartTls(acceptor.clone()),
            _ => Encryption::None,
        };
        let script = move |at, _: &str, before| (at == stage && before == 0).then_some(fault);
        let smtp = Smtp::with(encryption, script).await;
        let relay = one_event(&scratch, &smtp, ONE, more).await;
        settled(&scratch).await;
        relay.shut_down().await;
        assert_eq!(smtp.received().len(), 1, "{stage:?} {fault:?}");
        assert_eq!(scratch.count("SELECT attempts FROM outbox"), 2, "{stage:?} {fault:?}");
    }
}

#[tokio::test]
async fn the_outbox_survives_a_restart_and_a_server_that_was_away() {
    let scratch = Scratch::new();
    // A port nobody listens on, kept for the server to come.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let more = format!(
        "[smtp]\nserver = \"127.0.0.1\"\nport = {port}\n[mail]\nsender = \"relay@example.org\"\n\
         recipients = [\"ops@example.org\"]\n"
    );
    let relay = start(&scratch, &more).await;
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    until("some tries", || scratch.count("SELECT COALESCE(MAX(attempts), 0) FROM outbox") >= 3).await;
    assert_eq!(get(relay.address(), "/readyz").await.json()["outbox"]["pending"], 1);
    relay.shut_down().await;
    assert_eq!(scratch.count("SELECT COUNT(*) FROM outbox WHERE state = 'pending'"), 1);
    let smtp =
        Smtp::on(TcpListener::bind(("127.0.0.1", port)).await.unwrap(), Encryption::None, |_, _, _| None);
    for _ in 0..2 {
        let relay = start(&scratch, &more).await;
        settled(&scratch).await;
        relay.shut_down().await;
    }
    assert_eq!(smtp.received().len(), 1, "once, over two further starts");
}

#[tokio::test]
async fn a_lease_of_an_earlier_life_is_void() {
    let scratch = Scratch::new();
    let smtp = Smtp::start().await;
    let unreachable = smtp.toml(ONE, "").replace(&smtp.address.port().to_string(), "1");
    let relay = start(&scratch, &unreachable).await;
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    until("a try", || scratch.count("SELECT COUNT(*) FROM outbox WHERE attempts > 0") == 1).await;
    relay.shut_down().await;
    // As if it had been killed while sending.
    scratch.db.run("UPDATE outbox SET lease_ms = 9000000000000, due_ms = 0");
    let relay = start(&scratch, &smtp.toml(ONE, "")).await;
    settled(&scratch).await;
    relay.shut_down().await;
    assert_eq!(smtp.received().len(), 1);
}

#[tokio::test]
async fn mail_that_is_too_old_is_parked() {
    let scratch = Scratch::new();
    let smtp =
        Smtp::scripted(|at, _, _| (at == Stage::Mail).then_some(Fault::Reply("451 4.3.0 never"))).await;
    let outbox = "[outbox]\nretry_min = \"20ms\"\nretry_max = \"50ms\"\ngive_up_after = \"300ms\"\n";
    let relay = start(&scratch, &format!("{}{outbox}", smtp.toml(ONE, ""))).await;
    let asked = Instant::now();
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    settled(&scratch).await;
    // How often it was tried in that time is the machine's affair.
    assert!(asked.elapsed() >= Duration::from_millis(300), "parked early");
    relay.shut_down().await;
    assert_eq!(state(&scratch, "ops@example.org"), "parked");
    assert!(scratch.count("SELECT attempts FROM outbox") >= 1);
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
async fn starttls_and_implicit_tls_carry_mail_and_login() {
    let (acceptor, pem) = certificate();
    for (word, encryption) in
        [("starttls", Encryption::StartTls(acceptor.clone())), ("implicit", Encryption::Implicit(acceptor))]
    {
        let scratch = Scratch::new();
        fs::write(scratch.join("ca.pem"), &pem).unwrap();
        fs::write(scratch.join("password"), "s3cret\n").unwrap();
        let smtp = Smtp::with(encryption, |_, _, _| None).await;
        let more = format!(
            "tls = \"{word}\"\nca_file = \"ca.pem\"\nusername = \"relay\"\npassword_file = \"password\"\n"
        );
        let relay = one_event(&scratch, &smtp, ONE, &more).await;
        settled(&scratch).await;
        relay.shut_down().await;
        let received = smtp.received();
        assert_eq!(received.len(), 1, "{word}");
        assert!(received[0].encrypted, "{word}");
        // RFC 4616: "\0relay\0s3cret" in base64.
        assert_eq!(received[0].login.as_deref(), Some("AUTH PLAIN AHJlbGF5AHMzY3JldA=="), "{word}");
    }
}

#[tokio::test]
async fn mail_never_goes_where_encryption_cannot_be_had() {
    let (acceptor, _) = certificate();
    // No STARTTLS on offer; a certificate that nobody vouches for, both ways.
    let servers = [
        ("starttls", Encryption::None, "no STARTTLS"),
        ("starttls", Encryption::StartTls(acceptor.clone()), "STARTTLS"),
        ("implicit", Encryption::Implicit(acceptor), "connect"),
    ];
    for (word, encryption, expected) in servers {
        let scratch = Scratch::new();
        let smtp = Smtp::with(encryption, |_, _, _| None).await;
        let relay = one_event(&scratch, &smtp, ONE, &format!("tls = \"{word}\"\n")).await;
        until("some tries", || scratch.count("SELECT COALESCE(MAX(attempts), 0) FROM outbox") >= 2).await;
        relay.shut_down().await;
        assert_eq!(smtp.reached(Stage::Mail), 0, "{word}");
        let error = scratch.text("SELECT error FROM outbox");
        assert!(error.contains(expected), "{word}: {error}");
        assert_eq!(
            state(&scratch, "ops@example.org"),
            "pending",
            "an operator can mend it, so the mail waits"
        );
    }
}

#[tokio::test]
async fn a_wrong_password_waits_for_the_operator() {
    let scratch = Scratch::new();
    let smtp = Smtp::scripted(|at, _, before| {
        (at == Stage::Auth && before < 2).then_some(Fault::Reply("535 5.7.8 bad credentials"))
    })
    .await;
    let relay = one_event(&scratch, &smtp, ONE, "username = \"relay\"\npassword = \"x\"\n").await;
    settled(&scratch).await;
    relay.shut_down().await;
    assert_eq!(smtp.received().len(), 1);
    assert_eq!(state(&scratch, "ops@example.org"), "sent");
}

#[tokio::test]
async fn without_a_server_mails_become_files() {
    let scratch = Scratch::new();
    let relay = start(&scratch, "").await;
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    settled(&scratch).await;
    relay.shut_down().await;
    let mails = files(&scratch.join("mail-out"));
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0].extension().is_some_and(|ending| ending == "eml"));
    let mail = fs::read_to_string(&mails[0]).unwrap();
    assert!(mail.contains("\r\nSubject: Security Alert: demo - HIGH Severity\r\n"));
    assert!(mail.contains("To: security@localhost\r\n"));
    // Each has a link that acknowledges.
    let mode = |path: &std::path::Path| {
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
    };
    assert_eq!((mode(&mails[0]), mode(&scratch.join("mail-out"))), (0o600, 0o700));
}

#[tokio::test]
async fn a_test_alert_is_mailed_and_changes_nothing() {
    let scratch = Scratch::new();
    let smtp = Smtp::start().await;
    let relay = start(&scratch, &smtp.toml(ONE, "")).await;
    let answer = common::client::request(relay.address(), "POST", "/v1/alerts/test", &[], b"").await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.json()["recipients"], json!(["ops@example.org"]));
    settled(&scratch).await;
    relay.shut_down().await;
    let received = smtp.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].header("Message-ID"), answer.json()["message_id"].as_str());
    assert_eq!(received[0].header("Subject"), Some("Security Alert: test - LOW Severity"));
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 0);
    assert_eq!(scratch.count("SELECT COUNT(*) FROM incidents"), 0);
}

#[tokio::test]
async fn hostile_events_make_harmless_mail() {
    let scratch = Scratch::new();
    let smtp = Smtp::start().await;
    let relay = start(&scratch, &smtp.toml(ONE, "")).await;
    let mut hostile = event("203.0.113.1", "high");
    hostile["model"] = json!("x \u{202e}\u{2028} https://evil.example ä");
    hostile["request"]["path"] = json!("/\r\n.\r\nMAIL FROM:<evil@evil.example>\r\n\u{0}\n.\n");
    hostile["findings"][0]["summary"] = json!("\r\n.\r\n<img src=x onerror=alert(1)>");
    assert_eq!(post(relay.address(), &[hostile]).await.json()["accepted"], 1);
    settled(&scratch).await;
    relay.shut_down().await;
    let received = smtp.received();
    assert_eq!(received.len(), 1);
    let data = &received[0].data;
    assert!(data.is_ascii() && !data.replace("\r\n", "").contains(['\r', '\n', '\0']));
    let html = data.split("Content-Type: text/html").nth(1).unwrap();
    assert!(html.contains("<table") && !html.contains("<img"));
    assert!(!data.contains("\r\nMAIL FROM"));
    assert_eq!(smtp.reached(Stage::Mail), 1);
}

#[tokio::test]
async fn logins_of_each_kind_and_a_token_that_changes() {
    for (auth, expected) in [
        // "relay" and "s3cret", each by itself; then both after zero bytes.
        ("auth = \"login\"\n", "AUTH LOGIN cmVsYXk= czNjcmV0"),
        ("auth = \"plain\"\n", "AUTH PLAIN AHJlbGF5AHMzY3JldA=="),
    ] {
        let scratch = Scratch::new();
        let smtp = Smtp::start().await;
        let more = format!("{auth}username = \"relay\"\npassword = \"s3cret\"\n");
        let relay = one_event(&scratch, &smtp, ONE, &more).await;
        settled(&scratch).await;
        relay.shut_down().await;
        assert_eq!(smtp.received()[0].login.as_deref(), Some(expected));
    }
    let scratch = Scratch::new();
    let smtp = Smtp::start().await;
    fs::write(scratch.join("token"), "first\n").unwrap();
    let relay = one_event(&scratch, &smtp, ONE, "username = \"relay\"\ntoken_file = \"token\"\n").await;
    until("the first mail", || smtp.received().len() == 1).await;
    fs::write(scratch.join("token"), "second\n").unwrap();
    post(relay.address(), &[event("203.0.113.2", "high")]).await;
    until("the second mail", || smtp.received().len() == 2).await;
    relay.shut_down().await;
    let logins: Vec<String> = smtp.received().into_iter().map(|mail| mail.login.unwrap()).collect();
    // "user=relay^Aauth=Bearer first^A^A"
    assert_eq!(logins[0], "AUTH XOAUTH2 dXNlcj1yZWxheQFhdXRoPUJlYXJlciBmaXJzdAEB");
    assert_eq!(logins[1], "AUTH XOAUTH2 dXNlcj1yZWxheQFhdXRoPUJlYXJlciBzZWNvbmQBAQ==");
}

#[tokio::test]
async fn the_link_in_a_mail_acknowledges_only_by_its_button() {
    let scratch = Scratch::new();
    let smtp = Smtp::start().await;
    let token = "api_token = \"secret\"\n";
    let relay =
        start(&scratch, &format!("{token}{}", smtp.toml(&["ops@example.org", "two@example.org"], ""))).await;
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    settled(&scratch).await;
    let (address, incident) = (
        relay.address(),
        scratch.text("SELECT incident FROM (SELECT state AS incident FROM incidents) AS x"),
    );
    assert_eq!(incident, "open");
    let links: Vec<String> = smtp
        .received()
        .iter()
        .map(|mail| {
            let text = plain(&mail.data);
            assert!(text.contains("1 event in the last 24 hours, in the last hour."), "{text}");
            assert!(!mail.data.contains("modelgate-acknowledge-"));
            let line = text
                .lines()
                .find_map(|line| line.trim_end().strip_prefix("Acknowledge it: ").map(str::to_owned));
            line.unwrap().strip_prefix("https://relay.example.org").unwrap().to_owned()
        })
        .collect();
    assert_ne!(links[0], links[1], "each recipient has one of their own");
    let state = || scratch.text("SELECT state FROM incidents");
    // What looks through mail follows links, and asks for heads.
    for method in ["GET", "HEAD", "GET"] {
        let page = common::client::request(address, method, &links[0], &[], b"").await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-security-policy").unwrap().contains("form-action 'self'"));
    }
    let page = get(address, &links[0]).await;
    assert!(page.body.contains("<form method=\"post\">") && !page.body.contains("<script"), "{}", page.body);
    assert_eq!(state(), "open");
    let last = links[0].split("seal=").nth(1).unwrap().chars().next().unwrap();
    let other = if last == '0' { "seal=1" } else { "seal=0" };
    let forged = [
        links[0].replacen(&format!("seal={last}"), other, 1),
        links[0].replace("ops%40", "two%40"),
        links[0].replace("until=1", "until=2"),
        links[0].split('?').next().unwrap().to_owned(),
    ];
    for link in &forged {
        assert_eq!(common::client::request(address, "POST", link, &[], b"").await.status, 403, "{link}");
    }
    assert_eq!(state(), "open");
    let done = common::client::request(address, "POST", &links[0], &[], b"").await;
    assert_eq!((done.status, state().as_str()), (200, "acknowledged"), "{done:?}");
    let again = common::client::request(address, "POST", &links[1], &[], b"").await;
    assert_eq!(again.status, 200);
    relay.shut_down().await;
}

/// Runs the program by hand on the configuration that a relay was started with.
fn by_hand(scratch: &Scratch, args: &[&str]) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_alert-relay"));
    let output =
        command.args(args).arg("--config").arg(scratch.join("relay.toml")).env_clear().output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_refused_is_told_by_another_channel_and_sent_again_when_asked() {
    let scratch = Scratch::new();
    let smtp = Smtp::scripted(|at, _, before| {
        (at == Stage::Rcpt && before == 0).then_some(Fault::Reply("550 5.7.1 relaying denied"))
    })
    .await;
    let alarm = "[[receivers]]\nname = \"alarm\"\nemail = [\"boss@example.org\"]\n\
                 [[receivers.file]]\npath = \"alarm.jsonl\"\n";
    let relay = start(&scratch, &format!("{alarm}{}", smtp.toml(ONE, ""))).await;
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    until("the alarm", || scratch.join("alarm.jsonl").exists()).await;
    settled(&scratch).await;
    let told = fs::read_to_string(scratch.join("alarm.jsonl")).unwrap();
    assert!(told.contains("relaying denied") && told.contains("email does not arrive"), "{told}");
    assert_eq!(told.lines().count(), 1, "the alarm is told of nothing else");
    assert!(smtp.received().is_empty(), "and not by mail");
    let (code, list) = by_hand(&scratch, &["resend"]);
    assert!(
        code == Some(0) && list.contains("1 messages are parked") && list.contains("relaying denied"),
        "{list}"
    );
    assert_eq!(by_hand(&scratch, &["resend", "123456"]).0, Some(1));
    let (code, says) = by_hand(&scratch, &["resend", "all"]);
    assert!(code == Some(0) && says.contains("1 messages will be sent"), "{says}");
    until("it is sent", || smtp.received().len() == 1).await;
    settled(&scratch).await;
    relay.shut_down().await;
    assert_eq!(state(&scratch, "ops@example.org"), "sent");
    assert_eq!(scratch.text("SELECT receipt FROM outbox WHERE channel = 'email'"), "250 taken");
    assert_eq!(get_status(&scratch), "0");
}

fn get_status(scratch: &Scratch) -> String {
    scratch.text("SELECT COUNT(*) FROM outbox WHERE state = 'parked'")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_alert_says_which_step_failed_and_what_to_do() {
    let cases: [(Stage, Fault, &str, &str); 11] = [
        (Stage::Connect, Fault::Reply("554 5.7.1 go away"), "connect", "does not want to talk"),
        (Stage::Ehlo, Fault::Drop, "connect", "No conversation"),
        (Stage::Auth, Fault::Reply("535 5.7.8 bad credentials"), "log in", "smtp.username"),
        (Stage::Mail, Fault::Reply("550 5.7.1 not you"), "MAIL FROM", "mail.sender"),
        (Stage::Rcpt, Fault::Reply("550 5.1.1 no such user"), "RCPT TO", "Look at the address"),
        (Stage::Rcpt, Fault::Reply("450 4.2.0 greylisted"), "RCPT TO", "greylisting"),
        (Stage::Data, Fault::Reply("451 4.3.0 not now"), "DATA", "not now"),
        (Stage::Data, Fault::Reply("554 5.5.1 no valid recipients"), "DATA", "took sender and recipient"),
        (Stage::Message, Fault::Reply("552 5.3.4 too big"), "hand over", "larger than the server takes"),
        (Stage::Message, Fault::Reply("554 5.7.1 spam"), "hand over", "had the whole mail"),
        (Stage::Message, Fault::Stall, "after DATA", "no answer within"),
    ];
    let mut runs = tokio::task::JoinSet::new();
    for (stage, fault, step, advice) in cases {
        runs.spawn(async move {
            let scratch = Scratch::new();
            let smtp = Smtp::scripted(move |at, _, _| (at == stage).then_some(fault)).await;
            let more = "username = \"relay\"\npassword = \"s3cret-word\"\ntimeout = \"2s\"\n";
            fs::write(scratch.join("relay.toml"), common::toml(&scratch, &smtp.toml(ONE, more))).unwrap();
            let (code, says) =
                tokio::task::spawn_blocking(move || by_hand(&scratch, &["test-alert"])).await.unwrap();
            assert_eq!(code, Some(1), "{says}");
            assert!(says.contains("ok      name       localhost is 127.0.0.1"), "{says}");
            assert!(
                says.contains("FAILED") && says.contains(step) && says.contains(advice),
                "{stage:?}: {says}"
            );
            assert!(!says.contains("s3cret-word"));
        });
    }
    while let Some(run) = runs.join_next().await {
        run.expect("the case holds");
    }
    let scratch = Scratch::new();
    let smtp = Smtp::start().await;
    let file = "[[receivers]]\nname = \"f\"\n[[receivers.file]]\npath = \"alerts.jsonl\"\n";
    fs::write(scratch.join("relay.toml"), common::toml(&scratch, &format!("{file}{}", smtp.toml(ONE, ""))))
        .unwrap();
    let (scratch, (code, says)) = tokio::task::spawn_blocking(move || {
        let said = by_hand(&scratch, &["test-alert"]);
        (scratch, said)
    })
    .await
    .unwrap();
    assert_eq!(code, Some(0), "{says}");
    for step in ["name", "connect", "MAIL FROM", "RCPT TO", "DATA", "hand over"] {
        assert!(says.contains(&format!("ok      {step}")), "{says}");
    }
    assert_eq!(smtp.received().len(), 1);
    assert!(fs::read_to_string(scratch.join("alerts.jsonl")).unwrap().contains("\"kind\":\"test\""));
    // A name that is none (RFC 6761), and a port where nobody listens.
    for (server, port, step, advice) in
        [("no.such.invalid", 25, "name", "machine's DNS"), ("127.0.0.1", 1, "connect", "Nothing listens")]
    {
        let scratch = Scratch::new();
        let tables = format!(
            "[smtp]\nserver = {server:?}\nport = {port}\nallow_plaintext = true\ntls = \"none\"\n\
             [mail]\nsender = \"a@x.org\"\nrecipients = [\"b@x.org\"]\n"
        );
        fs::write(scratch.join("relay.toml"), common::toml(&scratch, &tables)).unwrap();
        let (code, says) =
            tokio::task::spawn_blocking(move || by_hand(&scratch, &["test-alert"])).await.unwrap();
        assert_eq!(code, Some(1), "{says}");
        assert!(says.contains(&format!("FAILED  {step}")) && says.contains(advice), "{says}");
    }
}

/// A server's acceptor whose certificate is for this name and until this year, and the certificate.
fn acceptor(name: &str, until: i32) -> (TlsAcceptor, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.not_before, params.not_after) =
        (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(until, 1, 1));
    let cert = params.self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), cert.pem())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_alert_says_what_is_wrong_with_a_certificate() {
    let (expired, of_other) = (acceptor("localhost", 2021), acceptor("mail.example.org", 2999));
    let unknown = acceptor("localhost", 2999);
    let none = (Encryption::None, String::new());
    for (encryption, pem, advice) in [
        (Encryption::StartTls(expired.0.clone()), &expired.1, "out of date"),
        (Encryption::Implicit(expired.0), &expired.1, "out of date"),
        (Encryption::StartTls(of_other.0.clone()), &of_other.1, "for another name"),
        (Encryption::Implicit(of_other.0), &of_other.1, "for another name"),
        (Encryption::StartTls(unknown.0.clone()), &none.1, "Nobody that this machine trusts"),
        (Encryption::Implicit(unknown.0), &none.1, "Nobody that this machine trusts"),
        (none.0, &unknown.1, "offers no encryption"),
    ] {
        let scratch = Scratch::new();
        let word = if matches!(encryption, Encryption::Implicit(_)) { "implicit" } else { "starttls" };
        let smtp = Smtp::with(encryption, |_, _, _| None).await;
        let mut more = format!("tls = \"{word}\"\n");
        if !pem.is_empty() {
            fs::write(scratch.join("ca.pem"), pem).unwrap();
            more.push_str("ca_file = \"ca.pem\"\n");
        }
        fs::write(scratch.join("relay.toml"), common::toml(&scratch, &smtp.toml(ONE, &more))).unwrap();
        let (code, says) =
            tokio::task::spawn_blocking(move || by_hand(&scratch, &["test-alert"])).await.unwrap();
        assert_eq!(code, Some(1), "{says}");
        assert!(says.contains("FAILED") && says.contains(advice), "{word}, {advice}: {says}");
        assert_eq!(smtp.reached(Stage::Mail), 0);
    }
}
