//! A Detection Finding of the Open Cybersecurity Schema Framework 1.3 (class 2004, category 2,
//! <https://schema.ocsf.io/1.3.0/classes/detection_finding>).

use serde_json::{Value, json};
use wire::Severity;

use super::Message;
use crate::alert::Kind;

/// The version of the schema.
const VERSION: &str = "1.3.0";
/// Category "Findings".
const CATEGORY: u64 = 2;
/// Class "Detection Finding".
const CLASS: u64 = 2004;

const fn severity_id(severity: Severity) -> (u8, &'static str) {
    match severity {
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

/// What was done, and where the finding stands.
const fn activity(kind: Kind) -> (u64, &'static str, u64, &'static str) {
    match kind {
        Kind::Continued | Kind::Reopened => (2, "Update", 1, "New"),
        Kind::Acknowledged => (2, "Update", 2, "In Progress"),
        Kind::Resolved => (3, "Close", 4, "Resolved"),
        _ => (1, "Create", 1, "New"),
    }
}

/// The finding of a message.
pub(super) fn finding(message: &Message<'_>) -> Value {
    let (letter, report) = (message.letter, &message.letter.report);
    let (severity_id, severity) = severity_id(letter.severity);
    let (activity_id, activity_name, status_id, status) = activity(report.kind);
    let time = if report.last_ms > 0 { report.last_ms } else { message.created_ms };
    let first = if report.last_ms > 0 { report.first_ms } else { time };
    let title = if report.title.is_empty() { &letter.subject } else { &report.title };
    // What is created, updated and closed is one finding, whichever incident its messages name.
    let uid = [&letter.thread, &letter.incident, &letter.message_id].into_iter().find(|id| !id.is_empty());
    // 2 is "Denied": all of it was; 1 "Allowed": the model has seen some of it.
    let (action_id, action) =
        if report.count > 0 && report.refused == report.count { (2, "Denied") } else { (1, "Allowed") };
    let rules: Vec<&str> = report.rules.iter().map(|rule| rule.rule.as_str()).collect();
    let mut observables = Vec::new();
    let mut actor = serde_json::Map::new();
    if let Some(address) = &report.address {
        observables.push(json!({"name": "client", "type_id": 2, "type": "IP Address", "value": address}));
    }
    if let Some(user) = &report.user {
        observables.push(json!({"name": "client", "type_id": 4, "type": "User Name", "value": user}));
        actor.insert("user".to_owned(), json!({"name": user}));
    }
    let mut finding = json!({
        "activity_id": activity_id,
        "activity_name": activity_name,
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "type_uid": CLASS * 100 + activity_id,
        "type_name": format!("Detection Finding: {activity_name}"),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "action_id": action_id,
        "action": action,
        "time": time,
        "start_time": first,
        "end_time": time,
        "count": report.count.max(1),
        "message": report.lead,
        "metadata": {
            "version": VERSION,
            "uid": letter.message_id,
            "profiles": ["security_control"],
            "product": {
                "name": "Modelgate",
                "vendor_name": "Modelgate",
                "version": env!("CARGO_PKG_VERSION"),
            },
        },
        "finding_info": {
            "uid": uid,
            "title": title,
            "desc": report.lead,
            "types": [report.category],
            "created_time": message.created_ms,
            "first_seen_time": first,
            "last_seen_time": time,
            "src_url": report.link,
            "analytic": {"type_id": 1, "type": "Rule", "name": rules.first().unwrap_or(&"")},
        },
        "observables": observables,
        "unmapped": {"model": report.model, "client": report.client, "rules": rules, "incident": letter.incident},
    });
    if let Some(fields) = finding.as_object_mut().filter(|_| !actor.is_empty()) {
        fields.insert("actor".to_owned(), Value::Object(actor));
    }
    finding
}
