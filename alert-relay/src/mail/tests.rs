use lettre::message::Mailbox;
use wire::Severity;

use super::*;

fn letter() -> Letter {
    Letter {
        subject: "Security Alert: demo - HIGH Severity".to_owned(),
        text: "one\n.\ntwo\r.\rthree ä\n".to_owned(),
        html: format!("<p>{}</p>", "x".repeat(5000)),
        message_id: "<incident-1.1@d>".to_owned(),
        in_reply_to: Some("<incident-1.0@d>".to_owned()),
        severity: Severity::High,
        incident: "1".to_owned(),
        thread: String::new(),
        report: crate::alert::Report::default(),
        covers: None,
    }
}

fn formatted(letter: &Letter) -> String {
    let from: Mailbox = "Modelgate <modelgate@example.org>".parse().unwrap();
    let to: Mailbox = "\"Ops, Team\" <ops@example.org>".parse().unwrap();
    let message = build(&from, to, letter, 1_795_219_198_000).unwrap();
    String::from_utf8(message.formatted()).unwrap()
}

fn headers(message: &str) -> Vec<&str> {
    let head = message.split("\r\n\r\n").next().unwrap();
    head.split("\r\n").filter(|line| !line.starts_with(' ')).collect()
}

#[test]
fn each_header_is_there_once() {
    let message = formatted(&letter());
    let expected = [
        "From: Modelgate <modelgate@example.org>",
        // "Ops, Team" as an encoded word (RFC 2047).
        "To: =?utf-8?b?T3BzLCBUZWFt?= <ops@example.org>",
        "Subject: Security Alert: demo - HIGH Severity",
        "Date: Fri, 20 Nov 2026 23:59:58 +0000",
        "Message-ID: <incident-1.1@d>",
        "In-Reply-To: <incident-1.0@d>",
        "References: <incident-1.0@d>",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        "X-Modelgate-Severity: high",
        "X-Modelgate-Incident: 1",
        "MIME-Version: 1.0",
    ];
    let found = headers(&message);
    for header in expected {
        assert_eq!(found.iter().filter(|line| **line == header).count(), 1, "{header}\n{found:#?}");
    }
    assert_eq!(found.len(), expected.len() + 1, "and Content-Type: {found:#?}");
}

#[test]
fn the_wire_form_has_neither_bare_line_ends_nor_long_or_foreign_lines() {
    let message = formatted(&letter());
    assert!(message.is_ascii());
    assert!(!message.replace("\r\n", "").contains(['\r', '\n']), "bare CR or LF");
    assert!(message.split("\r\n").all(|line| line.len() <= 998));
    assert_eq!(message.matches("Content-Transfer-Encoding: quoted-printable").count(), 2);
}

#[test]
fn a_hostile_subject_adds_no_header() {
    let mut hostile = letter();
    hostile.subject = "Security Alert: x\r\nBcc: victim@example.org\r\n\r\nbody - HIGH Severity".to_owned();
    hostile.incident = "1\r\nX-Evil: 1".to_owned();
    let message = formatted(&hostile);
    let found = headers(&message);
    assert!(!found.iter().any(|line| line.starts_with("Bcc") || line.starts_with("X-Evil")), "{found:#?}");
    assert_eq!(found.iter().filter(|line| line.starts_with("Subject: ")).count(), 1);
}

#[test]
fn what_looks_like_an_encoded_word_is_shown_and_not_decoded() {
    let mut hostile = letter();
    hostile.subject = "x =?utf-8?q?=0AX-Evil:1?= ä".to_owned();
    let message = formatted(&hostile);
    let found = headers(&message);
    let subject = found.iter().find(|line| line.starts_with("Subject: ")).unwrap();
    assert!(!subject.contains("=?utf-8?q?"), "{subject}");
    assert!(subject.starts_with("Subject: x = ?utf-8?q?=0AX-Evil:1"), "{subject}");
}

#[test]
fn file_names_are_one_component_and_repeat_for_the_same_mail() {
    let name = file_name(&letter(), "../../etc/\u{0}x@example.org");
    assert_eq!(name, "incident-1.1..._.._etc__x_example.org.eml");
    assert_eq!(file_name(&letter(), "a@b"), file_name(&letter(), "a@b"));
    assert_ne!(file_name(&letter(), "a@b"), file_name(&letter(), "c@b"));
}

#[tokio::test]
async fn a_recipient_that_is_no_address_is_never_tried_again() {
    let mail = config::Mail {
        sender: "a@example.org".parse().unwrap(),
        recipients: Vec::new(),
        message_id_domain: "d".to_owned(),
        templates: None,
        dkim: Arc::from([]),
    };
    let directory = std::env::temp_dir().join(format!("modelgate-mail-{}", std::process::id()));
    let mailer = Mailer::new(&mail, &Transport::Files(directory.clone())).unwrap();
    assert!(matches!(mailer.send(&letter(), "nobody", 0).await, Err(Failure::Permanent(_))));
    std::fs::remove_dir_all(directory).unwrap();
}
