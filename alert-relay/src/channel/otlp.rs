//! OpenTelemetry logs over OTLP/HTTP in JSON (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>): a record a message.

use std::time::Duration;

use serde_json::{Value, json};
use wire::Severity;

use super::{
    Channel, Delivering, Failure, Message,
    http::{Answer, Poster},
};
use crate::{clock::now_ms, config::Endpoint};

/// Sends log records.
pub(super) struct Otlp {
    poster: Poster,
}

impl Otlp {
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, String> {
        Ok(Self { poster: Poster::new(endpoint)? })
    }
}

impl Channel for Otlp {
    fn deliver<'a>(&'a self, message: Message<'a>) -> Delivering<'a> {
        Box::pin(async move {
            let answer = self.poster.post(&[], body(&message, now_ms()).to_string()).await?;
            match answer.status.as_u16() {
                200..=299 if rejected(&answer) => Err(Failure::Permanent(answer.said())),
                200..=299 => Ok(answer.receipt()),
                // The only ones that the specification lets be tried again.
                429 | 502 | 503 | 504 => {
                    Err(Failure::Temporary { said: answer.said(), after: answer.retry_after })
                }
                _ => Err(Failure::Permanent(answer.said())),
            }
        })
    }

    fn patience(&self) -> Duration {
        self.poster.timeout()
    }
}

/// A partial success that leaves our record out. JSON of 64-bit numbers: a string or a number.
fn rejected(answer: &Answer) -> bool {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let count = body.get("partialSuccess").and_then(|partial| partial.get("rejectedLogRecords"));
    count.is_some_and(|count| count.as_u64().unwrap_or(0) > 0 || count.as_str().is_some_and(|n| n != "0"))
}

/// `SeverityNumber` of the data model, and its short name.
const fn level(severity: Severity) -> (u8, &'static str) {
    match severity {
        Severity::Low => (9, "INFO"),
        Severity::Medium => (13, "WARN"),
        Severity::High => (17, "ERROR"),
        Severity::Critical => (21, "FATAL"),
    }
}

fn body(message: &Message<'_>, now_ms: u64) -> Value {
    let (letter, report) = (message.letter, &message.letter.report);
    let (number, word) = level(letter.severity);
    let nanos = |ms: u64| format!("{}000000", ms);
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let count = |key: &str, value: u64| json!({"key": key, "value": {"intValue": value.to_string()}});
    let rules: Vec<Value> = report.rules.iter().map(|rule| json!({"stringValue": rule.rule})).collect();
    let attributes = [
        text("modelgate.incident", &letter.incident),
        text("modelgate.message", &letter.message_id),
        text("modelgate.model", &report.model),
        text("modelgate.category", &report.category),
        text("modelgate.client", &report.client),
        text("client.address", report.address.as_deref().unwrap_or_default()),
        text("url.full", &report.link),
        count("modelgate.events", report.count),
        count("modelgate.refused", report.refused),
        json!({"key": "modelgate.rules", "value": {"arrayValue": {"values": rules}}}),
    ];
    let given = |attribute: &&Value| {
        attribute.pointer("/value/stringValue").and_then(Value::as_str).is_none_or(|text| !text.is_empty())
    };
    let attributes: Vec<&Value> = attributes.iter().filter(given).collect();
    let title = if report.title.is_empty() { &letter.subject } else { &report.title };
    json!({"resourceLogs": [{
        "resource": {"attributes": [
            text("service.name", "modelgate-alert-relay"),
            text("service.version", env!("CARGO_PKG_VERSION")),
        ]},
        "scopeLogs": [{
            "scope": {"name": "modelgate.alert", "version": env!("CARGO_PKG_VERSION")},
            "logRecords": [{
                "timeUnixNano": nanos(if report.last_ms > 0 { report.last_ms } else { message.created_ms }),
                "observedTimeUnixNano": nanos(now_ms),
                "severityNumber": number,
                "severityText": word,
                "eventName": format!("modelgate.{}", report.kind.as_str()),
                "body": {"stringValue": format!("{title}: {}", report.lead)},
                "attributes": attributes,
            }],
        }],
    }]})
}
