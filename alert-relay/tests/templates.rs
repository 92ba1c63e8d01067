//! Mails in the operator's own form, as they arrive.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::{fs, process::Command};

use common::{
    KEY, Scratch,
    client::{get, post, request},
    event,
    process::{Process, said},
    smtp::Smtp,
    start, toml, until,
};

const ONE: &[&str] = &["ops@example.org"];
const SUBJECT: &str = "{{ severity|upper }} at ours:\n{{ model }}\n";
const TEXT: &str = "{{ lead }}\nTake it: {{ acknowledge }}\n";
const HTML: &str = "<p>{{ title }}</p><a href=\"{{ acknowledge }}\">take it</a>";

/// Writes templates, and what the configuration says of them.
fn templates(scratch: &Scratch, files: &[(&str, &str)]) -> String {
    fs::create_dir_all(scratch.join("own")).unwrap();
    for (name, text) in files {
        fs::write(scratch.join("own").join(name), text).unwrap();
    }
    "templates = \"own\"\n".to_owned()
}

/// The mail section has one place.
fn with(smtp: &Smtp, templates: &str) -> String {
    let toml = smtp.toml(ONE, "");
    assert!(toml.contains("[mail]\n"), "{toml}");
    toml.replace("[mail]\n", &format!("[mail]\n{templates}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_in_ones_own_form_keeps_its_headers_and_its_link_acknowledges() {
    let scratch = Scratch::new();
    let smtp = Smtp::start().await;
    let own = templates(&scratch, &[("subject.txt", SUBJECT), ("mail.txt", TEXT), ("mail.html", HTML)]);
    let relay = start(&scratch, &with(&smtp, &own)).await;
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    until("the mail", || smtp.received().len() == 1).await;
    let mail = smtp.received().remove(0);
    assert_eq!(mail.header("Subject"), Some("HIGH at ours: demo"));
    assert!(mail.header("Message-ID").unwrap().ends_with(".0@example.org>"));
    assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
    let body = mail.data.replace("=\r\n", "").replace("=3D", "=");
    assert!(body.contains("The guard refused, the model has seen none of it."), "{body}");
    assert!(!body.contains("What to do next"), "nothing of the built-in form is left");
    let link = body.split("Take it: https://relay.example.org").nth(1).unwrap();
    let link = link.split("\r\n").next().unwrap();
    let html = body.split("href=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(html.replace("&amp;", "&"), format!("https://relay.example.org{link}"));
    let page = get(relay.address(), link).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let state = "SELECT state FROM incidents";
    assert_eq!(scratch.text(state), "open", "looking changes nothing");
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let answer = request(relay.address(), "POST", link, &kind, b"").await;
    assert!(matches!(answer.status, 200 | 303), "{} {}", answer.status, answer.body);
    assert_eq!(scratch.text(state), "acknowledged");
    relay.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_template_leaves_the_last_good_configuration_in_place() {
    let scratch = Scratch::new();
    let smtp = Smtp::start().await;
    let own = templates(&scratch, &[("subject.txt", SUBJECT)]);
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut process = Process::spawn_at(&scratch, address, &with(&smtp, &own));
    process.until_ready(&scratch).await;
    templates(&scratch, &[("subject.txt", "one\ntwo {{ sevrity }}")]);
    let hang_up = || {
        let pid = process.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    };
    hang_up();
    until("it is told of", || said(&scratch).contains("the last good one stays")).await;
    let told = said(&scratch);
    assert!(told.contains("own/subject.txt:2: undefined value"), "{told}");
    post(address, &[event("203.0.113.1", "high")]).await;
    until("the first mail", || smtp.received().len() == 1).await;
    templates(&scratch, &[("subject.txt", "mended: {{ severity }}")]);
    hang_up();
    until("it is read", || said(&scratch).contains("configuration: read anew")).await;
    post(address, &[event("203.0.113.2", "high")]).await;
    until("the second mail", || smtp.received().len() == 2).await;
    assert_eq!(process.terminate(), Some(0));
    let subjects: Vec<_> =
        smtp.received().iter().map(|mail| mail.header("Subject").unwrap().to_owned()).collect();
    assert_eq!(subjects, ["HIGH at ours: demo", "mended: high"]);
}

#[test]
fn a_start_with_a_broken_template_says_what_is_wrong_and_where() {
    let scratch = Scratch::new();
    let own = templates(&scratch, &[("mail.html", "<p>\n{{ title }\n"), ("notes.md", "x")]);
    fs::write(scratch.join("relay.toml"), toml(&scratch, &format!("[mail]\n{own}"))).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_alert-relay"))
        .args(["--check", "--config"])
        .arg(scratch.join("relay.toml"))
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("mail.templates: ") && told.contains("own/mail.html:2: syntax error"), "{told}");
    assert!(told.contains("own/notes.md is none of"), "{told}");
    assert!(!told.contains(KEY));
}
