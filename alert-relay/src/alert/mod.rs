//! Composes the mail of an incident. Pure: what it says depends on its arguments only.

pub(crate) mod advice;
pub(crate) mod chart;
pub(crate) mod clean;
pub(crate) mod digest;
mod html;
mod report;
mod story;
pub(crate) mod template;
mod text;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wire::{
    Category, Client, Direction, Event, EventId, EventKind, Finding, Request, Score, Severity, Surface,
    VERSION, Verdict,
};

pub(crate) use self::report::{Kind, Report};
use self::story::{Occasion, Story};
use crate::{
    acknowledge::Covers,
    config::Alerts,
    incident::{Incident, Key, State, UNKNOWN_CLIENT},
    store::StoredEvent,
};

/// A composed mail, the same for each recipient. Kept in the outbox as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Letter {
    /// The subject line.
    pub(crate) subject: String,
    /// The plain text.
    pub(crate) text: String,
    /// The HTML.
    pub(crate) html: String,
    /// `<…>`, the same however often it is sent.
    pub(crate) message_id: String,
    /// The incident's first mail, if this is a later one.
    pub(crate) in_reply_to: Option<String>,
    /// For the reader's filters.
    pub(crate) severity: Severity,
    /// The incident's id.
    pub(crate) incident: String,
    /// What all messages to a receiver about the same share; empty if there is nothing of that kind.
    #[serde(default)]
    pub(crate) thread: String,
    /// The same for machines.
    #[serde(default)]
    pub(crate) report: Report,
    /// What its link acknowledges, if that is more than the incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) covers: Option<Covers>,
}

/// The mail of an incident as it stands, told with its latest events (newest first).
pub(crate) fn compose(
    incident: &Incident,
    events: &[StoredEvent],
    extra: &Extra,
    public_url: &str,
    domain: &str,
) -> Letter {
    letter(incident, events, extra, public_url, domain, Occasion::Incident)
}

/// That an incident's state has changed, and by whom.
pub(crate) fn compose_state(
    (incident, to, by): (&Incident, State, &str),
    events: &[StoredEvent],
    extra: &Extra,
    public_url: &str,
    domain: &str,
) -> Letter {
    letter(incident, events, extra, public_url, domain, Occasion::State(to, by))
}

/// What a mail has beside the incident.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra {
    /// Sentences behind the first ones; what came from outside is harmless in them.
    pub(crate) notes: Vec<String>,
    /// The incident's events of the last 24 hours.
    pub(crate) hours: Option<chart::Hours>,
    /// Whether each recipient gets a link that acknowledges (see [`acknowledge::placeholder`]).
    pub(crate) acknowledge: bool,
    /// The operator's own form.
    pub(crate) templates: Option<Arc<template::Templates>>,
}

/// A message about the relay itself.
pub(crate) fn notice_letter(id: EventId, title: &str, lead: &str, public_url: &str, domain: &str) -> Letter {
    let (title, lead) = (clean::clean(title, 200), clean::clean(lead, 1000));
    let (link, list) = (format!("{public_url}/readyz"), format!("{public_url}/incidents"));
    let footer = "Sent by Modelgate alert-relay.";
    let mut text = format!("{title}\n\n{}\nHow the relay is: {link}\n", text::wrap(&lead, ""));
    text::footer(&mut text, footer, &list);
    let mut body = String::new();
    html::open(&mut body, Severity::High, "ABOUT THE RELAY", &title, &lead);
    html::note(&mut body, "How the relay is:", &link);
    html::close(&mut body);
    Letter {
        subject: format!("Modelgate relay: {title}"),
        text,
        html: html::document(html::Around { title: &title, lead: &lead, footer, list: &list }, &body),
        message_id: format!("<notice-{id}@{domain}>"),
        in_reply_to: None,
        severity: Severity::High,
        incident: String::new(),
        thread: String::new(),
        report: Report { title, lead, link, ..Report::default() },
        covers: None,
    }
}

fn letter(
    incident: &Incident,
    events: &[StoredEvent],
    extra: &Extra,
    public_url: &str,
    domain: &str,
    occasion: Occasion<'_>,
) -> Letter {
    let mut story = Story::of(incident, events, extra, public_url, occasion);
    for note in &extra.notes {
        story.lead.push(' ');
        story.lead.push_str(note);
    }
    let message_id = |sequence: u64| format!("<incident-{}.{sequence}@{domain}>", incident.id);
    let sequence = incident.notify.sequence;
    let own = own_form(&story, extra);
    Letter {
        report: Report::of(story.kind, (&story.title, &story.lead, &story.link), incident, events),
        text: own.text.unwrap_or_else(|| text::render(&story)),
        html: own.html.unwrap_or_else(|| html::render(&story)),
        message_id: message_id(sequence),
        in_reply_to: (sequence > 0).then(|| message_id(0)),
        severity: incident.severity,
        incident: incident.id.to_string(),
        thread: String::new(),
        subject: own.subject.unwrap_or(story.subject),
        covers: None,
    }
}

/// What the operator's templates make of it. Templates were tried, but not with this: where they fail the message goes out
/// as it is built in.
fn own_form(story: &Story, extra: &Extra) -> template::Rendered {
    let Some(templates) = &extra.templates else { return template::Rendered::default() };
    templates.render(story).unwrap_or_else(|e| {
        crate::notice::error!(
            "mail.templates: incident {} is told in the built-in form: {e}",
            story.incident
        );
        template::Rendered::default()
    })
}

/// A mail that only shows that mail arrives. `id` stands for its incident, which does not exist.
pub(crate) fn test_letter(
    id: EventId,
    now_ms: u64,
    alerts: &Alerts,
    extra: &Extra,
    public_url: &str,
    domain: &str,
) -> Letter {
    let event = test_event(id, now_ms);
    let key = Key::of(&event).unwrap_or_else(|| Key {
        model: event.model.clone(),
        category: Category::Guard,
        client: UNKNOWN_CLIENT.to_owned(),
    });
    let mut incident = Incident::open(id, key, now_ms);
    incident.add(&event, now_ms, alerts);
    let events = [StoredEvent { seq: 0, received_ms: now_ms, event }];
    letter(&incident, &events, extra, public_url, domain, Occasion::Test)
}

fn test_event(id: EventId, now_ms: u64) -> Event {
    Event {
        v: VERSION,
        id,
        time_ms: now_ms,
        kind: EventKind::Guard,
        model: "test".to_owned(),
        direction: Direction::Request,
        surface: Surface::Native,
        node: String::new(),
        route: String::new(),
        client: Client { address: Some("192.0.2.1".to_owned()), ..Client::default() },
        request: Request {
            method: "POST".to_owned(),
            path: "/v1/alerts/test".to_owned(),
            ..Request::default()
        },
        verdict: Verdict::Flag,
        score: Score::ZERO,
        severity: Severity::Low,
        shadow: None,
        findings: vec![Finding {
            rule: "guard.test-alert".to_owned(),
            category: Category::Guard,
            severity: Severity::Low,
            score: Score::ZERO,
            summary: "A test alert was asked for".to_owned(),
            owasp: Vec::new(),
            atlas: Vec::new(),
            location: None,
            transforms: Vec::new(),
            evidence: None,
        }],
    }
}

#[cfg(test)]
mod tests;
