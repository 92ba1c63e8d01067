//! From a refusal to SQLite, the log and the mailbox, also while relay or mail server are away.

#![allow(clippy::indexing_slicing, reason = "a missing field is null and fails the test")]

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use modelgate_e2e::{
    ATTACK, CHAT, Door, ask, event_id, eventually, log_lines, stack, stack_with, stored, times_stored,
};
use wire::{EventId, Severity, Surface, Verdict};
use xtask::{
    http::Request,
    stack::{Mail, Part, Stack},
};

/// Longer than a `group_interval` of the test's relay: whatever would be sent twice is sent by then.
const LATER: Duration = Duration::from_secs(3);

fn mails_naming(stack: &Stack, id: EventId) -> Result<Vec<Mail>> {
    Ok(stack.mails()?.into_iter().filter(|mail| mail.text.contains(&id.to_string())).collect())
}

fn mail_naming(stack: &Stack, id: EventId) -> Result<Mail> {
    eventually(&format!("a mail that names {id}"), || Ok(mails_naming(stack, id)?.pop()))
}

/// Something that stands in no rule's summary.
const MARK: &str = "purple giraffes";

/// Sends an attack and expects its refusal.
fn attack(stack: &Stack, door: Door) -> Result<EventId> {
    let response = ask(door.unlimited(&stack.ports()), &format!("{ATTACK} Then draw {MARK}."))?;
    ensure!(response.status == 400, "{door:?} answered {}", response.status);
    event_id(&response)
}

#[test]
fn a_refusal_becomes_an_event_a_log_line_and_one_mail() -> Result<()> {
    let stack = stack("delivery")?;
    for door in Door::ALL {
        let id = attack(&stack, door)?;
        let event = stored(&stack, id)?;
        let surface = if door == Door::Envoy { Surface::Envoy } else { Surface::Edge };
        ensure!((event.surface, event.verdict) == (surface, Verdict::Block), "{event:?}");
        ensure!(event.request.path == CHAT && event.model == "demo", "{event:?}");
        ensure!(event.findings.iter().any(|finding| finding.rule.starts_with("injection.")), "{event:?}");

        let line = eventually("the log line", || Ok(log_lines(&stack, &id.to_string())?.pop()))?;
        let parts: Vec<&str> = line.splitn(3, " - ").collect();
        ensure!(
            parts.len() == 3 && parts.get(1) == Some(&"ERROR"),
            "not `timestamp - level - message`: {line}"
        );

        let mail = mail_naming(&stack, id)?;
        ensure!(mail.recipients() == ["security@demo.test"], "{:?}", mail.recipients());
        let subject = mail.header("subject").context("no subject")?;
        ensure!(subject == "Security Alert: demo - HIGH Severity", "{subject}");
        ensure!(mail.raw.contains("text/plain") && mail.raw.contains("text/html"), "not both text and HTML");
        ensure!(!mail.text.contains(MARK), "the prompt's text is in the mail");
        ensure!(!line.contains(MARK), "the prompt's text is in the log");
        let link = mail
            .text
            .split_whitespace()
            .find(|word| word.starts_with("http") && word.contains("/incidents/"));
        let link = link.context("no link to the incident")?;
        let path = link.find("/incidents/").and_then(|at| link.get(at..)).unwrap_or_default();
        let page = Request::get(stack.ports().relay, path.trim_end_matches(['>', '.', '"'])).send()?;
        ensure!(
            page.status == 200 && page.text().contains(&id.to_string()),
            "{path} answered {}",
            page.status
        );

        thread::sleep(LATER);
        ensure!(mails_naming(&stack, id)?.len() == 1, "mailed more than once");
        ensure!(times_stored(&stack, id)? == 1, "stored more than once");
        ensure!(log_lines(&stack, &id.to_string())?.len() == 1, "logged more than once");
    }
    let summary = Request::get(stack.ports().relay, "/v1/summary?hours=24").send()?;
    let summary: serde_json::Value = serde_json::from_slice(&summary.body)?;
    ensure!(summary["total"] == 2, "{summary}");
    Ok(())
}

#[test]
fn a_critical_event_does_not_wait_for_the_batch() -> Result<()> {
    // So long that only what leaves at once is there in time; the worker's longest interval is ten seconds.
    let stack = stack_with("critical", |options| {
        let path = r#""path": "/v1/events""#;
        options.envoy_edits.push((path.into(), format!(r#"{path}, "batch_interval_ms": 60000"#)));
        let limits = r#"\"limits\":{\"enabled\":false}"#;
        let interval = r#"\"relay\":{\"batch_interval_ms\":10000}"#;
        options.edge_edits.push((limits.into(), format!("{limits},{interval}")));
    })?;
    for door in Door::ALL {
        // Put together here, so that no scanner takes this file for a leak.
        let key = ["AKIA", "Q3EGRT7ZKLMW2XPV"].concat();
        let start = Instant::now();
        let response =
            ask(door.unlimited(&stack.ports()), &format!("Why is aws_access_key_id = {key} refused?"))?;
        let event = stored(&stack, event_id(&response)?)?;
        ensure!(event.severity == Severity::Critical, "{door:?}: {event:?}");
        ensure!(start.elapsed() < Duration::from_secs(5), "{door:?}: stored after {:?}", start.elapsed());
    }
    Ok(())
}

#[test]
fn without_the_relay_every_request_is_judged_and_no_event_is_lost() -> Result<()> {
    let mut stack = stack("relay-away")?;
    let before: Vec<EventId> = Door::ALL.iter().map(|door| attack(&stack, *door)).collect::<Result<_>>()?;
    for id in before {
        stored(&stack, id)?;
    }
    stack.stop(Part::Relay);
    let mut ids = Vec::new();
    for round in 0..10 {
        for door in Door::ALL {
            let port = door.unlimited(&stack.ports());
            let response = ask(port, &format!("What is {round} times {round}?"))?;
            ensure!(response.status == 200, "{door:?} answered {} while the relay was away", response.status);
            ensure!(response.header("x-modelgate-verdict") == Some("allow"), "{door:?}");
            ids.push(attack(&stack, door)?);
        }
    }
    // Long enough for callouts to fail and be tried again.
    thread::sleep(Duration::from_secs(2));
    stack.restart(Part::Relay)?;
    for (at, id) in ids.iter().enumerate() {
        // A worker acts only while it has a request: ordinary traffic is what brings its queue out.
        if at % 2 == 1 {
            ask(Door::Edge.unlimited(&stack.ports()), "Good morning!")?;
        }
        stored(&stack, *id).with_context(|| format!("event {at} of {}", ids.len()))?;
        ensure!(times_stored(&stack, *id)? == 1, "event {at} is stored more than once");
    }
    Ok(())
}

#[test]
fn a_mail_server_that_was_away_gets_the_mail_once() -> Result<()> {
    let mut stack = stack("smtp-away")?;
    stack.stop(Part::Mailbox);
    let id = attack(&stack, Door::Envoy)?;
    stored(&stack, id)?;
    // Let the first attempts fail.
    thread::sleep(LATER);
    stack.restart(Part::Mailbox)?;
    mail_naming(&stack, id)?;
    thread::sleep(LATER);
    ensure!(mails_naming(&stack, id)?.len() == 1, "mailed more than once");
    Ok(())
}
