//! What a mail has to say, in the order of saying it; shared by its text and its HTML form.
//!
//! Every string that came from outside has gone through [`show`] here: nothing live, nothing hidden.

use wire::{Category, Direction, Event, Severity, Verdict};

use super::{
    Extra, Kind, advice,
    chart::Hours,
    clean::{clean, show},
};
use crate::{
    acknowledge::placeholder,
    clock::Civil,
    incident::{Incident, RELAY, State, UNKNOWN_CLIENT, score, worst},
    store::StoredEvent,
};

/// Longest model name shown.
const MAX_MODEL_CHARS: usize = 100;
/// Longest other value shown.
const MAX_VALUE_CHARS: usize = 200;
/// Requests described.
const REQUESTS: usize = 3;
/// Event ids named.
const IDS: usize = 20;
/// Rules named.
const THREATS: usize = 10;

/// The content of a mail.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) kind: Kind,
    pub(super) incident: String,
    pub(super) model: String,
    pub(super) category: &'static str,
    pub(super) subject: String,
    pub(super) severity: Severity,
    pub(super) title: String,
    pub(super) lead: String,
    /// Name and value.
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) threats: Vec<ThreatLine>,
    pub(super) requests: Vec<Vec<(&'static str, String)>>,
    pub(super) steps: &'static [&'static str],
    pub(super) link: String,
    /// What stands for a link that acknowledges.
    pub(super) acknowledge: Option<String>,
    /// Events by hour.
    pub(super) hours: Option<Hours>,
    pub(super) ids: Vec<String>,
    pub(super) more_ids: u64,
    /// The list of all incidents.
    pub(super) list: String,
    pub(super) footer: String,
}

/// A rule that was seen.
#[derive(Clone, Debug)]
pub(super) struct ThreatLine {
    pub(super) rule: String,
    pub(super) summary: String,
    pub(super) severity: Severity,
    pub(super) tags: String,
    pub(super) count: u64,
}

/// What the mail is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion<'a> {
    Incident,
    /// Its state has changed: to what, and by whom.
    State(State, &'a str),
    Test,
}

impl Story {
    pub(super) fn of(
        incident: &Incident,
        events: &[StoredEvent],
        extra: &Extra,
        public_url: &str,
        occasion: Occasion<'_>,
    ) -> Self {
        let model = show(&incident.key.model, MAX_MODEL_CHARS);
        let category = advice::title(incident.key.category);
        let level = incident.severity.as_str().to_uppercase();
        let latest = events.first().map(|stored| &stored.event);
        Self {
            kind: match (occasion, incident.notify.sequence) {
                (Occasion::Test, _) => Kind::Test,
                (Occasion::State(State::Open, _), _) => Kind::Reopened,
                (Occasion::State(State::Acknowledged, _), _) => Kind::Acknowledged,
                (Occasion::State(State::Resolved, _), _) => Kind::Resolved,
                (Occasion::Incident, 0) => Kind::Opened,
                (Occasion::Incident, _) => Kind::Continued,
            },
            incident: incident.id.to_string(),
            category: incident.key.category.as_str(),
            subject: format!(
                "Security Alert: {} - {level} Severity",
                clean(&incident.key.model, MAX_MODEL_CHARS)
            ),
            severity: incident.severity,
            title: format!("{category}: {model}"),
            lead: lead(incident, latest, occasion),
            facts: facts(incident, events, &model, &level),
            model,
            threats: threats(incident),
            requests: events.iter().take(REQUESTS).map(|stored| request(&stored.event)).collect(),
            steps: advice::steps(incident.key.category),
            link: match occasion {
                Occasion::Incident | Occasion::State(..) => format!("{public_url}/incidents/{}", incident.id),
                Occasion::Test => format!("{public_url}/readyz"),
            },
            acknowledge: extra.acknowledge.then(|| placeholder(&incident.id.to_string())),
            hours: extra.hours,
            ids: events.iter().take(IDS).map(|stored| stored.event.id.to_string()).collect(),
            more_ids: incident.count.saturating_sub(events.len().min(IDS) as u64),
            list: format!("{public_url}/incidents"),
            footer: match occasion {
                Occasion::Incident | Occasion::State(..) => {
                    format!("Sent by Modelgate alert-relay. Incident {}", incident.id)
                }
                Occasion::Test => "Sent by Modelgate alert-relay as a test.".to_owned(),
            },
        }
    }
}

fn lead(incident: &Incident, latest: Option<&Event>, occasion: Occasion<'_>) -> String {
    if occasion == Occasion::Test {
        return "This is a test. Nothing happened; the alert was asked for, to see that mail arrives."
            .to_owned();
    }
    if let Occasion::State(to, by) = occasion {
        let what = match to {
            State::Open => "Open again",
            State::Acknowledged => "Acknowledged",
            State::Resolved => "Resolved",
        };
        let by = if by == RELAY { "the relay".to_owned() } else { show(by, MAX_VALUE_CHARS) };
        return format!("{what}, by {by}. {} events in all.", incident.count);
    }
    let new = incident.count.saturating_sub(incident.notify.count);
    let begin = match incident.notify.sequence {
        0 if incident.count == 1 => "One event.".to_owned(),
        0 if incident.key.client == UNKNOWN_CLIENT => format!("{} events.", incident.count),
        0 => format!("{} events of one caller.", incident.count),
        _ if new == 1 => format!("One more event in this incident, {} in all.", incident.count),
        _ => format!("{new} more events in this incident, {} in all.", incident.count),
    };
    if incident.key.category == Category::Guard {
        return format!("{begin} This is about the guard, not about what a caller sent.");
    }
    let passed = incident.count.saturating_sub(incident.refused);
    let done = match (incident.refused, passed) {
        (0, _) => match latest.map(|event| event.verdict) {
            Some(Verdict::Mask) => "The guard masked parts and passed the rest on.".to_owned(),
            _ => "The guard reported and did not refuse: the model has seen it.".to_owned(),
        },
        (_, 0) => "The guard refused, the model has seen none of it.".to_owned(),
        (refused, passed) => {
            format!("The guard refused {refused} and passed {passed} on to the model.")
        }
    };
    format!("{begin} {done}")
}

fn facts(
    incident: &Incident,
    events: &[StoredEvent],
    model: &str,
    level: &str,
) -> Vec<(&'static str, String)> {
    // Who, how much, how bad and why; then the rest.
    let mut facts = Vec::new();
    if let Some(event) = events.first().map(|stored| &stored.event) {
        facts.push(("Client", client(event)));
    }
    facts.push(("Model", model.to_owned()));
    facts.push(("Events", format!("{} ({} refused)", incident.count, incident.refused)));
    facts.push(("Severity", level.to_owned()));
    facts.push(("Incident score", why(incident)));
    let score = events.iter().map(|stored| stored.event.score).max();
    if let Some(score) = score {
        facts.push(("Highest score", score.to_string()));
    }
    facts.push(("First seen", Civil::of(incident.first_ms).human()));
    facts.push(("Last seen", Civil::of(incident.last_ms).human()));
    facts
}

/// The score as of the latest event, and its factors that count, the strongest first.
fn why(incident: &Incident) -> String {
    let mut factors = score::factors(incident, incident.updated_ms);
    let total = score::thousandths(&factors);
    factors.sort_by(|a, b| (b.value * b.weight).total_cmp(&(a.value * a.weight)));
    let named: Vec<String> = factors
        .iter()
        .filter(|factor| factor.value * factor.weight >= 0.01)
        .map(|factor| format!("{} {:.2}", factor.name, factor.value * factor.weight))
        .collect();
    format!("{}.{:03} of 1: {}", total / 1000, total % 1000, named.join(", "))
}

fn client(event: &Event) -> String {
    let client = &event.client;
    let mut parts = Vec::new();
    if let Some(address) = &client.address {
        parts.push(format!("address {}", show(address, MAX_VALUE_CHARS)));
    }
    if let Some(user) = &client.user {
        parts.push(format!("user {}", show(user, MAX_VALUE_CHARS)));
    }
    if let Some(key) = &client.key {
        let hash = show(&key.hash, MAX_VALUE_CHARS);
        parts.push(format!("API key {}… (hash {hash})", show(&key.prefix, 16)));
    }
    if parts.is_empty() { "unknown".to_owned() } else { parts.join(", ") }
}

fn threats(incident: &Incident) -> Vec<ThreatLine> {
    let mut threats: Vec<_> = incident.threats.iter().collect();
    threats.sort_by_key(|threat| std::cmp::Reverse((threat.severity, threat.count)));
    threats
        .into_iter()
        .take(THREATS)
        .map(|threat| ThreatLine {
            rule: name(&threat.rule),
            summary: show(&threat.summary, MAX_VALUE_CHARS),
            severity: threat.severity,
            tags: name(&threat.tags.join(", ")),
            count: threat.count,
        })
        .collect()
}

/// Names of rules and tags as they stand, dots too, so that they can be looked up; what is none is made harmless.
fn name(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-: ,".contains(c);
    match text.chars().all(is_plain) && !text.starts_with("www.") {
        true => clean(text, MAX_VALUE_CHARS),
        false => show(text, MAX_VALUE_CHARS),
    }
}

/// Facts of one request; none of its text.
fn request(event: &Event) -> Vec<(&'static str, String)> {
    let request = &event.request;
    let asked = format!("{} {}", request.method, request.path);
    let mut facts = vec![("Time", Civil::of(event.time_ms).human())];
    if !asked.trim().is_empty() {
        facts.push(("Request", show(asked.trim(), MAX_VALUE_CHARS)));
        facts.push(("What the guard did", action(event)));
        facts.push(("Size", size(event)));
    }
    if let Some(finding) = worst(event) {
        let mut place = name(&finding.rule);
        if let Some(location) = &finding.location
            && !location.place.is_empty()
        {
            place.push_str(&format!(" at {}", show(&location.place, MAX_VALUE_CHARS)));
        }
        if !finding.transforms.is_empty() {
            place
                .push_str(&format!(" (hidden by {})", show(&finding.transforms.join(", "), MAX_VALUE_CHARS)));
        }
        facts.push(("Worst finding", place));
        if let Some(evidence) = &finding.evidence {
            facts.push(("Evidence (redacted)", show(evidence, MAX_VALUE_CHARS)));
        }
    }
    if event.direction == Direction::Response {
        facts.push(("Found in", "the answer of the model".to_owned()));
    }
    let mut seen_by = event.surface.as_str().to_owned();
    if !event.node.is_empty() {
        seen_by.push_str(&format!(", node {}", show(&event.node, MAX_VALUE_CHARS)));
    }
    if !event.route.is_empty() {
        seen_by.push_str(&format!(", route {}", show(&event.route, MAX_VALUE_CHARS)));
    }
    facts.push(("Seen by", seen_by));
    if let Some(id) = &request.id {
        facts.push(("Request id", show(id, MAX_VALUE_CHARS)));
    }
    facts.push(("Event", event.id.to_string()));
    facts
}

fn size(event: &Event) -> String {
    let request = &event.request;
    let mut size = format!("{} bytes", request.bytes);
    match request.parts {
        0 => {}
        1 => size.push_str(", 1 part"),
        parts => size.push_str(&format!(", {parts} parts")),
    }
    if !request.protocol.is_empty() {
        size.push_str(&format!(", {}", show(&request.protocol, MAX_VALUE_CHARS)));
    }
    size
}

fn action(event: &Event) -> String {
    let done = match event.verdict {
        Verdict::Allow => "allowed",
        Verdict::Flag => "passed on and reported",
        Verdict::Mask => "masked and passed on",
        Verdict::Throttle => "refused (limit)",
        Verdict::Block => "refused",
    };
    match event.request.status {
        Some(status) => format!("{done}, answered {status}"),
        None => done.to_owned(),
    }
}
