use guard::wire::{Direction, EventId, EventKind, Score, Severity, Surface, Verdict};

use super::*;
use crate::{mock::Mock, plugin::Plugin};

const POLICY: &[u8] = br#"{"model":{"name":"demo"},"relay":{"batch_interval_ms":1000,"queue":5}}"#;

fn event(number: u8, severity: Severity) -> Event {
    Event {
        v: guard::wire::VERSION,
        id: EventId::new(1_750_000_000_000, [number; 10]),
        time_ms: 1_750_000_000_000,
        kind: EventKind::Detection,
        model: "demo".into(),
        direction: Direction::Request,
        surface: Surface::Envoy,
        node: String::new(),
        route: String::new(),
        client: Default::default(),
        request: Default::default(),
        verdict: Verdict::Block,
        score: Score::ONE,
        severity,
        shadow: None,
        findings: Vec::new(),
    }
}

fn sent(mock: &Mock) -> Vec<(usize, u64)> {
    let decoded = mock.calls.borrow().iter().map(|body| Batch::decode(body).unwrap()).collect::<Vec<_>>();
    decoded.iter().map(|batch| (batch.events.len(), batch.dropped)).collect()
}

fn answer(mock: &Mock, plugin: &Plugin, token: u32, status: Option<u16>) {
    mock.call_status.set(status);
    plugin.answered(mock, CallToken(token));
}

#[test]
fn ordinary_events_wait_for_the_tick_and_travel_together() {
    let mock = Mock::new();
    let plugin = Plugin::configure(&mock, POLICY).unwrap();
    assert_eq!(mock.tick_ms.get(), 1000);
    plugin.report(&mock, event(1, Severity::Low));
    plugin.report(&mock, event(2, Severity::High));
    assert_eq!((mock.tick_ms.get(), sent(&mock)), (1000, vec![]));
    plugin.tick(&mock);
    plugin.tick(&mock);
    assert_eq!(sent(&mock), [(2, 0)]);
    answer(&mock, &plugin, 1, Some(202));
    assert_eq!((mock.counted("events_queued"), mock.counted("events_delivered")), (2, 2));
}

#[test]
fn a_tick_that_is_for_the_vms_sign_of_life_alone_sends_nothing() {
    let mock = Mock::new();
    let policy = br#"{"model":{"name":"demo"},"relay":{"batch_interval_ms":60000}}"#;
    let plugin = Plugin::configure(&mock, policy).unwrap();
    assert_eq!(mock.tick_ms.get(), BEAT_MS);
    plugin.tick(&mock);
    plugin.report(&mock, event(1, Severity::Low));
    for _ in 0..59 {
        mock.now_ms.set(mock.now_ms.get() + 1000);
        plugin.tick(&mock);
    }
    assert_eq!(sent(&mock), []);
    mock.now_ms.set(mock.now_ms.get() + 1000);
    plugin.tick(&mock);
    assert_eq!(sent(&mock), [(1, 0)]);
    // What is urgent leaves with the next tick, whatever it is for.
    plugin.report(&mock, event(2, Severity::Critical));
    plugin.tick(&mock);
    assert_eq!(sent(&mock), [(1, 0), (1, 0)]);
}

#[test]
fn an_urgent_event_brings_the_tick_forward_and_the_tick_sets_it_back() {
    let mock = Mock::new();
    let plugin = Plugin::configure(&mock, POLICY).unwrap();
    plugin.report(&mock, event(1, Severity::Critical));
    assert_eq!(mock.tick_ms.get(), URGENT_MS);
    plugin.tick(&mock);
    assert_eq!((mock.tick_ms.get(), sent(&mock)), (1000, vec![(1, 0)]));
}

#[test]
fn events_outlast_a_relay_that_is_away_for_whatever_reason() {
    let mock = Mock::new();
    let plugin = Plugin::configure(&mock, POLICY).unwrap();
    plugin.report(&mock, event(1, Severity::Low));
    // No such cluster, or its circuit breaker is open.
    mock.broken.borrow_mut().push("call");
    plugin.tick(&mock);
    mock.broken.borrow_mut().clear();
    // Left in peace for a while, then tried again: no host, no answer in time.
    plugin.tick(&mock);
    assert_eq!(sent(&mock), []);
    for (token, status) in [(1, Some(503)), (2, None)] {
        mock.now_ms.set(mock.now_ms.get() + 60_000);
        plugin.tick(&mock);
        answer(&mock, &plugin, token, status);
    }
    mock.now_ms.set(mock.now_ms.get() + 60_000);
    plugin.tick(&mock);
    answer(&mock, &plugin, 3, Some(202));
    assert_eq!(sent(&mock), [(1, 0), (1, 0), (1, 0)]);
    assert_eq!((mock.counted("callouts_failed"), mock.counted("events_delivered")), (3, 1));
    assert_eq!(mock.counted("events_dropped"), 0);
}

#[test]
fn what_the_queue_cannot_hold_is_counted_and_told_to_the_relay() {
    let mock = Mock::new();
    let plugin = Plugin::configure(&mock, POLICY).unwrap();
    for number in 0..8 {
        plugin.report(&mock, event(number, Severity::Low));
    }
    assert_eq!(mock.counted("events_dropped"), 3);
    plugin.tick(&mock);
    assert_eq!(sent(&mock), [(5, 3)]);
}

#[test]
fn an_answer_that_belongs_to_nothing_is_no_matter() {
    let mock = Mock::new();
    let plugin = Plugin::configure(&mock, POLICY).unwrap();
    answer(&mock, &plugin, 99, Some(202));
    plugin.report(&mock, event(1, Severity::Low));
    plugin.tick(&mock);
    answer(&mock, &plugin, 1, Some(202));
    answer(&mock, &plugin, 1, Some(202));
    assert_eq!(mock.counted("events_delivered"), 1);
}

#[test]
fn without_a_key_events_go_to_the_log() {
    let mut mock = Mock::new();
    mock.variables.clear();
    let plugin = Plugin::configure(&mock, POLICY).unwrap();
    plugin.report(&mock, event(1, Severity::Critical));
    plugin.tick(&mock);
    assert!(mock.calls.borrow().is_empty());
    let lines = mock.lines.borrow();
    assert!(lines.iter().any(|line| line.contains("MODELGATE_WEBHOOK_KEY is not set")));
    assert!(lines.iter().any(|line| line.starts_with("Warn event: {") && line.contains("critical")));
}

#[test]
fn a_plugin_that_is_replaced_within_its_vm_leaves_when_its_events_have_arrived() {
    let mock = Mock::new();
    let _goes_on = Plugin::configure(&mock, POLICY).unwrap();
    let plugin = Plugin::configure(&mock, POLICY).unwrap();
    plugin.report(&mock, event(1, Severity::Low));
    assert!(!plugin.retire(&mock));
    assert_eq!((sent(&mock), mock.dones.get()), (vec![(1, 0)], 0));
    answer(&mock, &plugin, 1, Some(202));
    plugin.tick(&mock);
    assert_eq!(mock.dones.get(), 1);
}

#[test]
fn a_replaced_plugin_does_not_wait_for_ever() {
    let mock = Mock::new();
    let _goes_on = Plugin::configure(&mock, POLICY).unwrap();
    let plugin = Plugin::configure(&mock, POLICY).unwrap();
    plugin.report(&mock, event(1, Severity::Low));
    assert!(!plugin.retire(&mock));
    answer(&mock, &plugin, 1, Some(503));
    mock.now_ms.set(mock.now_ms.get() + 600_000);
    mock.broken.borrow_mut().push("call");
    plugin.tick(&mock);
    assert_eq!((mock.dones.get(), mock.counted("events_dropped")), (1, 1));
}

/// A VM of its own, with a configuration that has had a tick.
fn in_another_vm(mock: &Mock) -> Plugin {
    vms::forget();
    let plugin = Plugin::configure(mock, POLICY).unwrap();
    plugin.tick(mock);
    plugin
}

#[test]
fn what_a_vm_that_ends_still_holds_another_delivers() {
    let mock = Mock::new();
    let (old, new) = (in_another_vm(&mock), in_another_vm(&mock));
    old.report(&mock, event(1, Severity::Low));
    mock.now_ms.set(mock.now_ms.get() + 1000);
    old.tick(&mock);
    old.report(&mock, event(2, Severity::Low));
    assert_eq!(sent(&mock), [(1, 0)]);
    assert!(old.retire(&mock));
    assert_eq!(sent(&mock), [(1, 0)], "Envoy would cancel it");
    for (token, ticks) in [(2, 1), (3, 1)] {
        (0..ticks).for_each(|_| new.tick(&mock));
        answer(&mock, &new, token, Some(202));
    }
    new.tick(&mock);
    assert_eq!(sent(&mock), [(1, 0); 3]);
    assert_eq!((mock.counted("events_delivered"), mock.counted("events_dropped")), (2, 0));
    assert!(new.retire(&mock));
    assert_eq!(mock.counted("events_dropped"), 0);
}

#[test]
fn the_last_vm_writes_to_the_log_what_nobody_will_send() {
    let mock = Mock::new();
    let (one, last) = (in_another_vm(&mock), in_another_vm(&mock));
    one.report(&mock, event(1, Severity::Low));
    last.report(&mock, event(2, Severity::Low));
    assert!(one.retire(&mock));
    assert_eq!(mock.counted("events_dropped"), 0);
    assert!(last.retire(&mock));
    assert_eq!(mock.counted("events_dropped"), 2);
    let lines = mock.lines.borrow();
    assert!(lines.iter().any(|line| line.starts_with("Error 2 events are in this log alone")));
    for number in [1, 2] {
        let id = event(number, Severity::Low).id.to_string();
        assert!(lines.iter().any(|line| line.starts_with("Warn event: {") && line.contains(&id)));
    }
}

#[test]
fn a_batch_under_another_key_is_not_sent() {
    let mut mock = Mock::new();
    let (old, new) = (in_another_vm(&mock), in_another_vm(&mock));
    old.report(&mock, event(1, Severity::Low));
    assert!(old.retire(&mock));
    mock.variables.insert("MODELGATE_WEBHOOK_KEY", "whsec_YW5vdGhlciBrZXkgdGhhdCBpcyBub3Qgb3Vycw==".into());
    let other = in_another_vm(&mock);
    other.tick(&mock);
    new.tick(&mock);
    assert_eq!(sent(&mock), []);
    assert!(mock.lines.borrow().iter().any(|line| line.contains("another key's seal")));
}
