//! PagerDuty's Events API v2 (<https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>): what happened to an
//! incident here happens to the alert there, by its `dedup_key`.

use std::time::Duration;

use serde_json::{Value, json};
use wire::Severity;

use super::{Channel, Delivering, Message, http::Poster};
use crate::{
    alert::{Kind, Letter},
    clock::iso,
    config::{Endpoint, Secret},
};

/// Longest summary that the API takes, in characters.
const MAX_SUMMARY_CHARS: usize = 1024;

/// Sends events.
pub(super) struct PagerDuty {
    poster: Poster,
    routing_key: Secret,
}

impl PagerDuty {
    pub(super) fn new(endpoint: &Endpoint, routing_key: Secret) -> Result<Self, String> {
        Ok(Self { poster: Poster::new(endpoint)?.hiding(&routing_key), routing_key })
    }
}

impl Channel for PagerDuty {
    fn deliver<'a>(&'a self, message: Message<'a>) -> Delivering<'a> {
        Box::pin(async move {
            let body = body(message.letter, self.routing_key.expose(), message.created_ms);
            self.poster.deliver(&[], body.to_string()).await
        })
    }

    fn patience(&self) -> Duration {
        self.poster.timeout()
    }
}

fn body(letter: &Letter, routing_key: &str, created_ms: u64) -> Value {
    let report = &letter.report;
    // At most 255 characters; ours are ids. Messages of one thread may name one incident after the other.
    let dedup_key = match (letter.thread.as_str(), letter.incident.as_str()) {
        ("", "") => letter.message_id.chars().take(255).collect(),
        ("", id) | (id, _) => format!("modelgate-{id}"),
    };
    let action = match report.kind {
        Kind::Acknowledged => "acknowledge",
        Kind::Resolved => "resolve",
        _ => "trigger",
    };
    let mut event = json!({"routing_key": routing_key, "event_action": action, "dedup_key": dedup_key});
    let Some(fields) = event.as_object_mut().filter(|_| action == "trigger") else { return event };
    let title = if report.title.is_empty() { &letter.subject } else { &report.title };
    let summary = format!("[{}] {title}: {}", letter.severity.as_str().to_uppercase(), report.lead);
    fields.insert(
        "payload".to_owned(),
        json!({
            "summary": summary.chars().take(MAX_SUMMARY_CHARS).collect::<String>(),
            "source": if report.model.is_empty() { "modelgate" } else { &report.model },
            "severity": level(letter.severity),
            "timestamp": iso(if report.last_ms > 0 { report.last_ms } else { created_ms }),
            "component": "modelgate",
            "group": report.model,
            "class": report.category,
            "custom_details": report,
        }),
    );
    fields.insert("client".to_owned(), json!("Modelgate alert-relay"));
    if !report.link.is_empty() {
        fields.insert("client_url".to_owned(), json!(report.link));
        fields.insert("links".to_owned(), json!([{"href": report.link, "text": "Open the incident"}]));
    }
    event
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "info",
        Severity::Medium => "warning",
        Severity::High => "error",
        Severity::Critical => "critical",
    }
}
