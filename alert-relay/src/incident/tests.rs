use wire::{Client, KeyIdentity};

use super::*;
use crate::testing::{MOMENT, alerts, event};

fn opened() -> Incident {
    let event = event(1);
    Incident::open(event.id, Key::of(&event).unwrap(), MOMENT)
}

/// An event of this severity.
fn of(severity: Severity) -> Event {
    let mut event = event(1);
    event.severity = severity;
    event.findings[0].severity = severity;
    event
}

#[test]
fn the_caller_is_the_key_then_the_user_then_the_address() {
    let mut event = event(1);
    let key = KeyIdentity { hash: "ab".to_owned(), prefix: "sk".to_owned() };
    event.client = Client { key: Some(key), user: Some("u".to_owned()), address: Some("a".to_owned()) };
    assert_eq!(client_of(&event), "key:ab");
    event.client.key = None;
    assert_eq!(client_of(&event), "user:u");
    event.client.user = None;
    assert_eq!(client_of(&event), "address:a");
    event.client.address = None;
    assert_eq!(client_of(&event), UNKNOWN_CLIENT);
}

#[test]
fn the_category_is_that_of_the_worst_finding() {
    let mut event = event(1);
    let mut other = event.findings[0].clone();
    other.category = Category::Secret;
    event.findings.push(other);
    assert_eq!(category_of(&event), Category::PromptInjection, "the first among equals");
    event.findings[1].severity = Severity::Critical;
    assert_eq!(category_of(&event), Category::Secret);
    event.findings.clear();
    assert_eq!(category_of(&event), Category::Other);
    event.kind = EventKind::RateLimit;
    assert_eq!(category_of(&event), Category::RateLimit);
    event.kind = EventKind::Guard;
    assert_eq!(category_of(&event), Category::Guard);
}

#[test]
fn an_allowed_request_without_findings_makes_no_incident() {
    let mut event = event(1);
    event.verdict = Verdict::Allow;
    assert!(Key::of(&event).is_some());
    event.findings.clear();
    assert!(Key::of(&event).is_none());
    event.verdict = Verdict::Throttle;
    assert!(Key::of(&event).is_some());
}

#[test]
fn counts_and_times_follow_the_events() {
    let alerts = alerts();
    let mut incident = opened();
    let mut early = of(Severity::Low);
    early.time_ms = MOMENT - 60_000;
    early.verdict = Verdict::Flag;
    let mut late = of(Severity::High);
    // A sender's clock that is ahead places nothing in the future.
    late.time_ms = MOMENT + 999_999;
    incident.add(&of(Severity::Medium), MOMENT, &alerts);
    incident.add(&early, MOMENT + 1, &alerts);
    incident.add(&late, MOMENT + 2, &alerts);
    assert_eq!((incident.count, incident.refused), (3, 2));
    assert_eq!((incident.first_ms, incident.last_ms), (MOMENT - 60_000, MOMENT + 2));
    assert_eq!(incident.severity, Severity::High);
    assert_eq!(incident.threats.len(), 1);
    assert_eq!((incident.threats[0].count, incident.threats[0].severity), (3, Severity::High));
}

#[test]
fn a_rule_counts_once_an_event_and_rules_are_bounded() {
    let alerts = alerts();
    let mut incident = opened();
    let mut event = event(1);
    event.findings = vec![event.findings[0].clone(); 5];
    incident.add(&event, MOMENT, &alerts);
    assert_eq!(incident.threats[0].count, 1);
    for n in 0..100 {
        event.findings[0].rule = format!("rule.{n}");
        incident.add(&event, MOMENT, &alerts);
    }
    assert_eq!(incident.threats.len(), MAX_THREATS);
    assert_eq!(incident.count, 101);
}

#[test]
fn the_window_runs_from_the_last_event() {
    let alerts = alerts();
    let mut incident = opened();
    incident.add(&event(1), MOMENT, &alerts);
    assert!(incident.is_live(MOMENT + 3_600_000, &alerts));
    assert!(!incident.is_live(MOMENT + 3_600_001, &alerts));
    incident.add(&event(1), MOMENT + 3_000_000, &alerts);
    assert!(incident.is_live(MOMENT + 6_600_000, &alerts));
}

#[test]
fn events_are_handed_on_at_once_then_when_somebody_can_be_told_and_a_critical_one_at_once() {
    let alerts = alerts();
    let mut incident = opened();
    incident.add(&of(Severity::High), MOMENT, &alerts);
    assert_eq!(incident.notify.due_ms, Some(MOMENT));
    incident.handed_on(MOMENT + 5000);
    assert_eq!((incident.notify.due_ms, incident.notify.count), (None, 1));
    incident.add(&of(Severity::High), MOMENT + 10, &alerts);
    assert_eq!(incident.notify.due_ms, Some(MOMENT + 5000));
    incident.add(&of(Severity::Critical), MOMENT + 20, &alerts);
    assert_eq!(incident.notify.due_ms, Some(MOMENT + 20));
    incident.handed_on(MOMENT + 300_000);
    incident.add(&of(Severity::Critical), MOMENT + 30, &alerts);
    assert_eq!(incident.notify.due_ms, Some(MOMENT + 300_000), "it is known to be critical");
    incident.handed_on(MOMENT + 40);
    incident.add(&of(Severity::High), MOMENT + 90, &alerts);
    assert_eq!(incident.notify.due_ms, Some(MOMENT + 90));
}
