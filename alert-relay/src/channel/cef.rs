//! ArcSight's Common Event Format, version 0 (Implementing ArcSight CEF, revision 26): a header of seven fields with `|`
//! between them and `\|`, `\\` within; then `key=value` pairs with `\=`, `\\` within values.

use std::fmt::Write as _;

use wire::Severity;

use super::Message;
use crate::alert::clean::clean;

/// Longest value, in characters before escaping.
const MAX_VALUE_CHARS: usize = 250;
/// Longest text.
const MAX_TEXT_CHARS: usize = 500;
/// Rules named.
const RULES: usize = 5;

/// 0 to 10: low is 0-3, medium 4-6, high 7-8, very high 9-10.
const fn level(severity: Severity) -> u8 {
    match severity {
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    }
}

/// The line of a message, without a line end.
pub(super) fn line(message: &Message<'_>) -> String {
    let (letter, report) = (message.letter, &message.letter.report);
    let title = if report.title.is_empty() { &letter.subject } else { &report.title };
    let class = if report.category.is_empty() { report.kind.as_str() } else { &report.category };
    let mut out = format!(
        "CEF:0|Modelgate|alert-relay|{}|{}|{}|{}|",
        env!("CARGO_PKG_VERSION"),
        header(class),
        header(title),
        level(letter.severity)
    );
    let rules: Vec<&str> = report.rules.iter().take(RULES).map(|rule| rule.rule.as_str()).collect();
    let (first, last) = match report.last_ms {
        0 => (message.created_ms, message.created_ms),
        last => (report.first_ms, last),
    };
    let address = report.address.as_deref().and_then(|text| text.parse::<std::net::IpAddr>().ok());
    let pairs = [
        ("rt", last.to_string()),
        ("start", first.to_string()),
        ("end", last.to_string()),
        ("externalId", letter.incident.clone()),
        ("cat", report.kind.as_str().to_owned()),
        ("cnt", if report.count > 0 { report.count.to_string() } else { String::new() }),
        ("src", address.filter(std::net::IpAddr::is_ipv4).map(|ip| ip.to_string()).unwrap_or_default()),
        ("c6a2", address.filter(std::net::IpAddr::is_ipv6).map(|ip| ip.to_string()).unwrap_or_default()),
        ("suser", report.user.clone().unwrap_or_default()),
        ("cs1", report.model.clone()),
        ("cs2", rules.join(", ")),
        ("cs3", report.client.clone()),
        ("msg", report.lead.clone()),
        ("request", report.link.clone()),
    ];
    let labels = [("c6a2", "Source IPv6 Address"), ("cs1", "model"), ("cs2", "rules"), ("cs3", "caller")];
    let mut space = "";
    for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        let max = if *key == "msg" { MAX_TEXT_CHARS } else { MAX_VALUE_CHARS };
        // Writing to a string cannot fail.
        let _ = write!(out, "{space}{key}={}", extension(value, max));
        space = " ";
        if let Some((_, label)) = labels.iter().find(|(labelled, _)| labelled == key) {
            let _ = write!(out, " {key}Label={label}");
        }
    }
    out
}

fn header(text: &str) -> String {
    clean(text, MAX_VALUE_CHARS).replace('\\', "\\\\").replace('|', "\\|")
}

fn extension(text: &str, max: usize) -> String {
    clean(text, max).replace('\\', "\\\\").replace('=', "\\=")
}
