//! Things that several tests need.

use std::{sync::Arc, time::Duration};

use wire::{
    Category, Client, Direction, Event, EventId, EventKind, Finding, Request, Score, Severity, Surface,
    VERSION, Verdict,
};

use crate::{
    config::{Alerts, Config, Source},
    route::{Conditions, Digest, Policy, Route},
};

/// 2026-11-20 23:59:58 UTC.
pub(crate) const MOMENT: u64 = 1_795_219_198_000;

/// When somebody is told, without waiting long in what is not asked for.
pub(crate) fn alerts() -> Alerts {
    Alerts {
        min_severity: Severity::Medium,
        incident_window: Duration::from_secs(3600),
        reopen_window: Duration::ZERO,
        raise_events: 100,
        raise_clients: 10,
        group_wait: Duration::from_secs(5),
        group_interval: Duration::from_secs(300),
        policy: Arc::new(policy()),
        automatic_decisions: Vec::new(),
        allowed: Arc::from([]),
    }
}

/// What a file with these lines configures.
pub(crate) fn configured(toml: &str) -> Config {
    let (name, file) = (std::thread::current().name().unwrap_or_default().replace(':', "_"), "relay.toml");
    let folder = std::env::temp_dir().join(format!("modelgate-configured-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(file), format!("allow_unsigned = true\n{toml}")).unwrap();
    let read = Config::load(&Source { file: Some(&folder.join(file)), env: &|_| None });
    std::fs::remove_dir_all(&folder).unwrap();
    read.unwrap()
}

/// All is told to one receiver, each incident by itself.
pub(crate) fn policy() -> Policy {
    Policy {
        root: Route {
            matchers: Vec::new(),
            receivers: vec!["default".to_owned()],
            group_by: vec!["incident".to_owned()],
            group_wait: Duration::from_secs(5),
            group_interval: Duration::from_secs(300),
            repeat_interval: Duration::ZERO,
            escalation: None,
            mute: Vec::new(),
            max_per_hour: 12,
            continues: false,
            routes: Vec::new(),
        },
        silences: Vec::new(),
        inhibitions: Vec::new(),
        conditions: Conditions {
            failed_authentications_per_minute: 0,
            anomaly_score: 0,
            rate_limit_violations_per_hour: 0,
            suspicious_inputs_per_hour: 0,
        },
        severities: Vec::new(),
        campaign_clients: 5,
        digest: Digest { daily: None, weekly: None, receivers: Vec::new() },
    }
}

/// A blocked injection; `n` makes id and address.
pub(crate) fn event(n: u8) -> Event {
    Event {
        v: VERSION,
        id: EventId::new(MOMENT, [n; 10]),
        time_ms: MOMENT,
        kind: EventKind::Detection,
        model: "demo".to_owned(),
        direction: Direction::Request,
        surface: Surface::Envoy,
        node: String::new(),
        route: String::new(),
        client: Client { address: Some(format!("203.0.113.{n}")), ..Client::default() },
        request: Request {
            method: "POST".to_owned(),
            path: "/v1/chat/completions".to_owned(),
            protocol: "openai_chat".to_owned(),
            bytes: 512,
            parts: 2,
            status: Some(400),
            ..Request::default()
        },
        verdict: Verdict::Block,
        score: Score::from_thousandths(920),
        severity: Severity::High,
        shadow: None,
        findings: vec![Finding {
            rule: "injection.override.ignore-previous".to_owned(),
            category: Category::PromptInjection,
            severity: Severity::High,
            score: Score::from_thousandths(920),
            summary: "Asks the model to drop its instructions".to_owned(),
            owasp: vec!["LLM01:2025".to_owned()],
            atlas: vec!["AML.T0051.000".to_owned()],
            location: None,
            transforms: Vec::new(),
            evidence: None,
        }],
    }
}
