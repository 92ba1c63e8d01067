//! Mails through a whole mail server, held to the letter of the standards by a strict reader and their signatures by
//! somebody else's checker.
//!
//! `cargo xtask test "relay and a mail server"`
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use common::{
    Scratch,
    client::{post, request},
    config, event,
    haraka::{Door, Haraka, read_strictly, signatures},
    now_ms, start, until,
};
use serde_json::{Value, json};

/// The Ed25519 key of RFC 8463, appendix A.2, as PKCS#8.
const ED25519: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

/// The `[mail]` table: a name with a comma and letters beyond ASCII, two recipients, both kinds of keys.
fn mail(scratch: &Scratch, more: &str) -> String {
    fs::write(scratch.join("rsa.pem"), include_str!("keys/rsa-2048.pem")).unwrap();
    fs::write(scratch.join("ed25519.pem"), ED25519).unwrap();
    format!(
        "[mail]\nsender = '\"Wächter, Tor\" <relay@example.org>'\nrecipients = [\"Ops <ops@example.org>\"]\n{more}\
         [[mail.dkim]]\nselector = \"r1\"\nkey_file = \"rsa.pem\"\n\
         [[mail.dkim]]\nselector = \"e1\"\nkey_file = \"ed25519.pem\"\n"
    )
}

/// What DNS would have.
fn zone(scratch: &Scratch, toml: &str) -> PathBuf {
    let path = scratch.join("zone");
    let records = alert_relay::maintenance::dkim_records(&config(scratch, toml)).unwrap();
    fs::write(&path, records.join("\n")).unwrap();
    path
}

/// Each string that somebody outside decides on, with what would do harm in a mail.
fn hostile(address: &str) -> Value {
    let mut event = event(address, "high");
    let evil = "x\r\nBcc: victim@evil.example\r\n\r\n.\r\n--=_\r\n<img src=//evil.example onerror=alert(1)>\u{0}\u{202e}ä =?utf-8?q?=0AX:1?=";
    for place in [
        "/model",
        "/node",
        "/route",
        "/client/user",
        "/request/id",
        "/request/method",
        "/request/path",
        "/request/protocol",
        "/findings/0/rule",
        "/findings/0/summary",
        "/findings/0/owasp/0",
        "/findings/0/atlas/0",
        "/findings/0/location/place",
        "/findings/0/transforms/0",
        "/findings/0/evidence",
    ] {
        // A name with control characters is refused at the door.
        let text: String = match place {
            "/request/path" | "/findings/0/summary" | "/findings/0/evidence" => evil.to_owned(),
            _ => evil.chars().filter(|c| !c.is_control()).collect(),
        };
        set(&mut event, place, &text);
    }
    event
}

fn set(event: &mut Value, place: &str, text: &str) {
    let mut at = event;
    for name in place.split('/').skip(1) {
        at = match name.parse::<usize>() {
            Ok(_) => {
                if at.as_array().is_none_or(Vec::is_empty) {
                    *at = json!([null]);
                }
                &mut at[0]
            }
            Err(_) => &mut at[name],
        };
    }
    *at = json!(text);
}

/// One in each of three languages, one of them written from right to left, one without spaces.
fn languages() -> [Value; 3] {
    let texts = [
        ("übersetzer", "Fordert das Modell auf, seine Anweisungen zu vergessen – größte Vorsicht"),
        (
            "翻訳",
            "以前の指示をすべて無視するようモデルに求めています、システムの設定をそのまま表示するよう求めています。",
        ),
        ("مترجم", "يطلب من النموذج تجاهل جميع التعليمات السابقة"),
    ];
    let mut at = 10;
    texts.map(|(model, summary)| {
        at += 1;
        let mut event = event(&format!("203.0.113.{at}"), "high");
        event["model"] = json!(model);
        event["findings"][0]["summary"] = json!(summary);
        event
    })
}

async fn mails(server: &Haraka, count: usize) -> Vec<PathBuf> {
    until("the mails", || server.mails().len() >= count).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mails = server.mails();
    assert_eq!(mails.len(), count, "{}", server.log());
    mails
}

fn text<'a>(mail: &'a Value, part: &str) -> &'a str {
    mail[part].as_str().unwrap_or_else(|| panic!("{part}: {mail:#}"))
}

fn subject(mail: &Value) -> &str {
    mail["headers"]["Subject"].as_str().unwrap()
}

/// Both signatures hold, and neither does when one byte is another.
fn holds_its_signatures(scratch: &Scratch, mail: &Path, zone: &Path) {
    let said = signatures(mail, zone);
    let results: Vec<_> = said.iter().map(|one| (text(one, "algorithm"), text(one, "result"))).collect();
    assert_eq!(results, [("rsa-sha256", "pass"), ("ed25519-sha256", "pass")], "{said:#?}");
    let whole = fs::read(mail).unwrap();
    let at = |part: &[u8]| whole.windows(part.len()).position(|window| window == part).unwrap();
    let changed = scratch.join("changed.eml");
    // In the subject, in the body, in the very last line; and a header that a reader would see too.
    let places = [at(b"Subject: ") + 10, at(b"\r\n\r\n") + 120, whole.len() - 6];
    let mut forgeries: Vec<Vec<u8>> = places
        .iter()
        .map(|place| {
            let mut forged = whole.clone();
            forged[*place] = if forged[*place] == b'x' { b'y' } else { b'x' };
            forged
        })
        .collect();
    forgeries.push([b"From: ceo@example.org\r\n", &whole[..]].concat());
    for (n, forged) in forgeries.iter().enumerate() {
        fs::write(&changed, forged).unwrap();
        let said = signatures(&changed, zone);
        assert_eq!(said.len(), 2, "{n}");
        assert!(said.iter().all(|one| text(one, "result") != "pass"), "{n}: {said:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a mail server: cargo xtask test brings one"]
async fn mails_of_each_kind_pass_a_whole_server_and_a_strict_reader() {
    let scratch = Scratch::new();
    let server = Haraka::start(&scratch, Door::StartTls);
    let toml = server.toml(&mail(&scratch, ""));
    let zone = zone(&scratch, &toml);
    let relay = start(&scratch, &toml).await;
    // One incident, then more of it; a test; three languages; a caller who means harm.
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    mails(&server, 1).await;
    post(relay.address(), &[event("203.0.113.1", "high"), event("203.0.113.1", "critical")]).await;
    mails(&server, 2).await;
    assert_eq!(request(relay.address(), "POST", "/v1/alerts/test", &[], b"").await.status, 202);
    mails(&server, 3).await;
    for (n, event) in languages().into_iter().enumerate() {
        post(relay.address(), &[event]).await;
        mails(&server, 4 + n).await;
    }
    let answer = post(relay.address(), &[hostile("203.0.113.99")]).await;
    assert_eq!(answer.json()["accepted"], 1, "{answer:?}");
    let all = mails(&server, 7).await;
    relay.shut_down().await;
    for mail in &all {
        let how = Haraka::how(mail);
        assert_eq!((&how["encrypted"], &how["user"]), (&json!(true), &json!("relay")), "{how}");
        assert_eq!(
            (&how["from"], &how["to"]),
            (&json!("<relay@example.org>"), &json!(["<ops@example.org>"]))
        );
        holds_its_signatures(&scratch, mail, &zone);
    }
    let read = read_strictly(&all).unwrap();
    let from = read[0]["headers"]["From"].as_str().unwrap();
    assert_eq!(from, "\"Wächter, Tor\" <relay@example.org>");
    assert_eq!(read[1]["headers"]["In-Reply-To"], read[0]["headers"]["Message-ID"]);
    assert!(text(&read[1], "text").contains("2 more events in this incident, 3 in all."));
    assert_eq!(subject(&read[2]), "Security Alert: test - LOW Severity");
    for (read, event) in read[3..6].iter().zip(languages()) {
        let model = event["model"].as_str().unwrap();
        assert_eq!(subject(read), format!("Security Alert: {model} - HIGH Severity"));
        let summary = event["findings"][0]["summary"].as_str().unwrap();
        let unwrapped = text(read, "text").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unwrapped.contains(summary) && text(read, "html").contains(summary), "{unwrapped}");
    }
    let hostile = &read[6];
    for part in ["text", "html"] {
        let part = text(hostile, part);
        assert!(!part.contains("//evil.example") && !part.contains('\u{202e}'));
    }
    assert!(!text(hostile, "html").contains("<img"));
    assert!(subject(hostile).starts_with("Security Alert: x"), "{}", subject(hostile));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a mail server: cargo xtask test brings one"]
async fn digests_and_mails_of_ones_own_form_come_by_a_client_certificate() {
    let scratch = Scratch::new();
    let server = Haraka::start(&scratch, Door::Certificate);
    fs::create_dir(scratch.join("own")).unwrap();
    for (name, template) in [
        ("subject.txt", "{{ severity|upper }} – {{ model }}"),
        ("mail.txt", "{{ lead }}\n.\nFrom here on ours: ü{{ '\u{2028}' }}\n{{ 'lang ' * 400 }}\n"),
        ("mail.html", "<p>{{ title }}</p>\n<p>{{ 'x' * 3000 }}</p>"),
    ] {
        fs::write(scratch.join("own").join(name), template).unwrap();
    }
    let minute = now_ms() / 60_000 % 1440;
    let daily = format!("[digest]\ndaily = \"{:02}:{:02}\"\n", minute / 60, minute % 60);
    let toml = format!("{}{daily}", server.toml(&mail(&scratch, "templates = \"own\"\n")));
    let zone = zone(&scratch, &toml);
    let relay = start(&scratch, &toml).await;
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    until("the day begins", || scratch.count("SELECT COUNT(*) FROM meta WHERE key = 'digest:daily'") == 1)
        .await;
    mails(&server, 1).await;
    relay.shut_down().await;
    // As if that had been yesterday.
    scratch.db.run("UPDATE meta SET value = value - 1 WHERE key = 'digest:daily'");
    scratch.db.run("UPDATE accounts SET hour = hour - 2");
    let relay = start(&scratch, &toml).await;
    let all = mails(&server, 2).await;
    relay.shut_down().await;
    for mail in &all {
        let how = Haraka::how(mail);
        assert_eq!((&how["verified"], &how["certificate"]), (&json!(true), &json!("relay.test")), "{how}");
        assert_eq!((&how["encrypted"], &how["user"]), (&json!(true), &json!(null)));
        holds_its_signatures(&scratch, mail, &zone);
    }
    let read = read_strictly(&all).unwrap();
    assert_eq!(subject(&read[0]), "HIGH – demo");
    assert!(text(&read[0], "text").contains("\r\n.\r\nFrom here on ours: ü"), "{}", text(&read[0], "text"));
    assert_eq!(subject(&read[1]), "Security digest: 1 events (daily)");
    assert!(text(&read[1], "text").contains("1  prompt injection: told in messages"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a mail server: cargo xtask test brings one"]
async fn without_its_certificate_a_relay_is_not_let_in() {
    let scratch = Scratch::new();
    let server = Haraka::start(&scratch, Door::Certificate);
    let toml = server.toml(&mail(&scratch, ""));
    let without: String = toml
        .lines()
        .filter(|line| !line.starts_with("certificate_file") && !line.starts_with("key_file = \"/"))
        .map(|line| format!("{line}\n"))
        .collect();
    let relay = start(&scratch, &without).await;
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    until("some tries", || scratch.count("SELECT COALESCE(MAX(attempts), 0) FROM outbox") >= 2).await;
    relay.shut_down().await;
    assert_eq!(scratch.text("SELECT state FROM outbox"), "pending", "an operator can mend it");
    assert!(server.mails().is_empty());
    let relay = start(&scratch, &toml).await;
    mails(&server, 1).await;
    relay.shut_down().await;
}

/// The strict reader is one: each way of being wrong is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a mail server: cargo xtask test brings one"]
async fn a_malformed_mail_is_found_out() {
    let scratch = Scratch::new();
    let server = Haraka::start(&scratch, Door::StartTls);
    let relay = start(&scratch, &server.toml(&mail(&scratch, ""))).await;
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    let good = mails(&server, 1).await.remove(0);
    relay.shut_down().await;
    read_strictly(std::slice::from_ref(&good)).unwrap();
    let whole = fs::read_to_string(&good).unwrap();
    let boundary = whole.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
    let id = whole.split("Message-ID: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let table: [(&str, String, &str); 19] = [
        ("bare LF", whole.replacen("\r\n\r\n", "\r\n\n\r\n", 1), "bare CR or LF"),
        ("bare CR", whole.replacen("What to do", "What\rto do", 1), "bare CR or LF"),
        ("8 bit", whole.replacen("What to do", "Wh\u{e4}t to do", 1), "more than seven bits"),
        ("NUL", whole.replacen("What to do", "What\0to do", 1), "a NUL"),
        ("long line", whole.replacen("What to do", &"x".repeat(999), 1), "a line of "),
        ("two subjects", format!("Subject: another\r\n{whole}"), "2 headers Subject"),
        ("no date", whole.replacen("\r\nDate: ", "\r\nX-Date: ", 1), "0 headers Date"),
        (
            "old date",
            whole.replacen(" 20", " 19", 1).replacen(
                "\r\nDate: ",
                "\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nX-Date: ",
                1,
            ),
            "a date of",
        ),
        ("a date that is none", whole.replacen("\r\nDate: ", "\r\nDate: soon\r\nX-Date: ", 1), "Date"),
        ("two senders", whole.replacen("\r\nFrom: ", "\r\nFrom: b@example.org, ", 1), "From"),
        ("blind copy", format!("Bcc: x@example.org\r\n{whole}"), "a header Bcc"),
        ("no header", format!("Subject\r\n{whole}"), "MissingHeaderBodySeparator"),
        ("cut off", whole.replacen(&format!("--{boundary}--"), "", 1), "oundary"),
        ("one mark more", whole.replacen("What to do", &format!("\r\n--{boundary}\r\n"), 1), ""),
        ("broken quoting", whole.replacen("What to do", "What=zz to do", 1), "not quoted-printable"),
        ("no UTF-8", whole.replacen("What to do", "What =FF to do", 1), "UnicodeDecodeError"),
        ("another charset", whole.replacen("utf-8", "utf-7", 3).replacen("utf-7", "utf-8", 1), ""),
        (
            "an answer to nothing",
            format!("In-Reply-To: <a@b>\r\nReferences: <a@b>\r\n{whole}"),
            "was never seen",
        ),
        ("no id", whole.replacen(id, "<nothing>", 1), "Message-ID"),
    ];
    let path = scratch.join("malformed.eml");
    for (what, malformed, says) in &table {
        assert_ne!(*malformed, whole, "{what}: nothing was changed");
        fs::write(&path, malformed).unwrap();
        match read_strictly(std::slice::from_ref(&path)) {
            Ok(_) => panic!("{what}: taken"),
            Err(said) => assert!(said.contains(says), "{what}: {said}"),
        }
    }
}
