//! Made-up incidents that templates are tried with: everything there, hardly anything there, the first message and a later
//! one, one about the guard, a test.

use wire::{Category, Client, Direction, Event, EventId, KeyIdentity, Location, Severity, Verdict};

use super::super::{
    Extra,
    story::{Occasion, Story},
    test_event,
};
use crate::{
    incident::{Incident, Key, Notify, UNKNOWN_CLIENT},
    store::StoredEvent,
};

/// 2026-11-20 23:59:58 UTC.
const MOMENT: u64 = 1_795_219_198_000;
const URL: &str = "https://relay.example.org";

/// What messages about them would say.
pub(super) fn stories() -> Vec<Story> {
    let extra = Extra { hours: Some([3; 24]), acknowledge: true, ..Extra::default() };
    let mut later = incident(&full(), 40);
    later.notify = Notify { sequence: 2, count: 7, ..Notify::default() };
    vec![
        Story::of(&incident(&full(), 40), &stored(full(), 20), &extra, URL, Occasion::Incident),
        Story::of(&later, &stored(full(), 20), &extra, URL, Occasion::Incident),
        Story::of(&incident(&bare(), 1), &stored(bare(), 1), &Extra::default(), URL, Occasion::Incident),
        Story::of(&incident(&bare(), 1), &[], &Extra::default(), URL, Occasion::Incident),
        Story::of(&incident(&event(), 1), &stored(event(), 1), &extra, URL, Occasion::Incident),
        Story::of(&incident(&event(), 1), &stored(event(), 1), &Extra::default(), URL, Occasion::Test),
    ]
}

fn event() -> Event {
    test_event(EventId::new(MOMENT, [7; 10]), MOMENT)
}

/// With every field.
fn full() -> Event {
    let mut event = event();
    event.model = "demo".to_owned();
    event.node = "proxy-1".to_owned();
    event.route = "chat".to_owned();
    event.direction = Direction::Response;
    event.verdict = Verdict::Block;
    event.severity = Severity::Critical;
    event.client = Client {
        address: Some("192.0.2.1".to_owned()),
        user: Some("somebody@example.org".to_owned()),
        key: Some(KeyIdentity { hash: "5e884898".to_owned(), prefix: "sk-abc".to_owned() }),
    };
    event.request.id = Some("b7ad6b71".to_owned());
    event.request.status = Some(403);
    event.request.parts = 2;
    event.request.protocol = "openai_chat".to_owned();
    for finding in &mut event.findings {
        finding.category = Category::PromptInjection;
        finding.owasp = vec!["LLM01:2025".to_owned()];
        finding.transforms = vec!["base64".to_owned()];
        finding.evidence = Some("ignore <all> & \"everything\"".to_owned());
        finding.location = Some(Location { place: "/messages/0/content".to_owned(), span: None });
    }
    event
}

/// With no field that may be absent.
fn bare() -> Event {
    let mut event = event();
    event.client = Client::default();
    event.request = wire::Request::default();
    event.findings.clear();
    event
}

fn incident(event: &Event, count: u64) -> Incident {
    let key = Key::of(event).unwrap_or_else(|| Key {
        model: event.model.clone(),
        category: Category::Guard,
        client: UNKNOWN_CLIENT.to_owned(),
    });
    let mut incident = Incident::open(EventId::new(MOMENT, [9; 10]), key, MOMENT);
    incident.first_ms = MOMENT;
    incident.last_ms = MOMENT;
    incident.count = count;
    incident.refused = count / 2;
    incident.severity = event.severity;
    incident.threats = event
        .findings
        .iter()
        .map(|finding| crate::incident::Threat {
            rule: finding.rule.clone(),
            summary: finding.summary.clone(),
            severity: finding.severity,
            tags: finding.owasp.clone(),
            count,
        })
        .collect();
    incident
}

fn stored(event: Event, count: u64) -> Vec<StoredEvent> {
    (0..count).map(|seq| StoredEvent { seq, received_ms: MOMENT, event: event.clone() }).collect()
}
