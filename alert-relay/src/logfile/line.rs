//! One line of the incident log: `timestamp - level - message`, as Python's `logging` writes it.

use std::fmt::Write as _;

use wire::{Direction, Event, Severity};

use crate::{
    clock::{self, Civil},
    incident,
};

/// Longest quoted value in characters before escaping.
const MAX_VALUE_CHARS: usize = 160;
/// Rules named in a line.
const MAX_RULES: usize = 5;
/// No line is longer, in bytes: seven quoted values of ten bytes a character, and what is fixed.
pub(super) const MAX_LINE_BYTES: u64 = 16 * 1024;

/// Python's level for a severity.
const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "INFO",
        Severity::Medium => "WARNING",
        Severity::High => "ERROR",
        Severity::Critical => "CRITICAL",
    }
}

/// The line of an event, with its line end.
pub(super) fn line(event: &Event, received_ms: u64) -> String {
    let mut out = String::with_capacity(400);
    // Writing to a string cannot fail. The category is a closed vocabulary, so that the first " event=" of a line is
    // always this one (see `event_id`).
    let _ = write!(
        out,
        "{} - {} - {} event={} severity={} verdict={} score={} model={} client={}",
        Civil::of(received_ms).log(),
        level(event.severity),
        incident::category_of(event).as_str(),
        event.id,
        event.severity.as_str(),
        event.verdict.as_str(),
        event.score,
        quoted(&event.model),
        quoted(&incident::client_of(event)),
    );
    if let Some(address) = &event.client.address {
        let _ = write!(out, " address={}", quoted(address));
    }
    let request = &event.request;
    let asked = format!("{} {}", request.method, request.path);
    let _ = write!(out, " request={} bytes={}", quoted(asked.trim()), request.bytes);
    if let Some(status) = request.status {
        let _ = write!(out, " status={status}");
    }
    if event.direction == Direction::Response {
        out.push_str(" direction=response");
    }
    let _ = write!(out, " surface={} time={}", event.surface.as_str(), clock::iso(event.time_ms));
    if !event.findings.is_empty() {
        let rules: Vec<&str> = event.findings.iter().take(MAX_RULES).map(|f| f.rule.as_str()).collect();
        let _ = write!(out, " rules={}", quoted(&rules.join(",")));
    }
    if let Some(worst) = incident::worst(event)
        && !worst.summary.is_empty()
    {
        let _ = write!(out, " summary={}", quoted(&worst.summary));
    }
    out.push('\n');
    out
}

/// The same facts as an object of JSON on one line. The event's id comes first (see [`event_id`]).
pub(super) fn json(event: &Event, received_ms: u64) -> String {
    let short = |text: &str| crate::alert::clean::clean(text, MAX_VALUE_CHARS);
    let request = &event.request;
    let rules: Vec<String> = event.findings.iter().take(MAX_RULES).map(|f| short(&f.rule)).collect();
    let mut fields = serde_json::json!({
        "time": clock::iso(received_ms),
        "level": level(event.severity),
        "category": incident::category_of(event).as_str(),
        "severity": event.severity.as_str(),
        "verdict": event.verdict.as_str(),
        "score": event.score,
        "model": short(&event.model),
        "client": short(&incident::client_of(event)),
        "address": event.client.address.as_deref().map(short),
        "method": short(&request.method),
        "path": short(&request.path),
        "bytes": request.bytes,
        "status": request.status,
        "direction": if event.direction == Direction::Response { "response" } else { "request" },
        "surface": event.surface.as_str(),
        "event_time": clock::iso(event.time_ms),
        "rules": rules,
        "summary": incident::worst(event).map(|worst| short(&worst.summary)),
    });
    if let Some(fields) = fields.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    let text = fields.to_string();
    format!("{{\"event\":\"{}\",{}\n", event.id, text.strip_prefix('{').unwrap_or(&text))
}

/// A value that cannot end its quotes, its line, or turn the terminal's direction.
fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars().take(MAX_VALUE_CHARS) {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if crate::alert::clean::is_hidden(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    if value.chars().nth(MAX_VALUE_CHARS).is_some() {
        out.push('…');
    }
    out.push('"');
    out
}

/// The id in a line that [`line`] or [`json`] wrote.
pub(super) fn event_id(line: &[u8]) -> Option<wire::EventId> {
    const MARK: &[u8] = b" event=";
    if let Some(rest) = line.strip_prefix(b"{\"event\":\"") {
        return std::str::from_utf8(rest.get(..36)?).ok()?.parse().ok();
    }
    let at = line.windows(MARK.len()).position(|window| window == MARK)?;
    let id = line.get(at + MARK.len()..)?.get(..36)?;
    std::str::from_utf8(id).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn has_the_form_of_pythons_logging() {
        let event = testing::event(1);
        let line = line(&event, 1_795_219_199_123);
        assert_eq!(
            line,
            format!(
                "2026-11-20 23:59:59,123 - ERROR - prompt_injection event={} severity=high verdict=block \
                 score=0.920 model=\"demo\" client=\"address:203.0.113.1\" address=\"203.0.113.1\" \
                 request=\"POST /v1/chat/completions\" bytes=512 status=400 surface=envoy \
                 time=2026-11-20T23:59:58.000Z rules=\"injection.override.ignore-previous\" \
                 summary=\"Asks the model to drop its instructions\"\n",
                event.id
            )
        );
        assert_eq!(event_id(line.as_bytes()), Some(event.id));
    }

    #[test]
    fn hostile_values_stay_inside_one_line() {
        let mut event = testing::event(2);
        let hostile =
            "x\r\n2026-01-01 00:00:00,000 - INFO - other event=\u{202e}\"\\\u{85}\u{2028}\0\u{1b}[2J";
        event.model = hostile.to_owned();
        event.client.address = Some(hostile.to_owned());
        event.request.method = hostile.to_owned();
        event.request.path = hostile.repeat(100);
        event.findings[0].rule = hostile.to_owned();
        event.findings[0].summary = "\u{10ffff}".repeat(3000);
        let written = json(&event, 0);
        assert!(written.ends_with("}\n") && written.len() as u64 <= MAX_LINE_BYTES);
        assert!(!written.trim_end().chars().any(crate::alert::clean::is_hidden), "{written}");
        assert_eq!(event_id(written.as_bytes()), Some(event.id));
        let read: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(read["event"], event.id.to_string());
        let line = line(&event, 0);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.ends_with('\n') && line.len() as u64 <= MAX_LINE_BYTES);
        assert!(!line.trim_end().chars().any(crate::alert::clean::is_hidden), "{line}");
        assert_eq!(event_id(line.as_bytes()), Some(event.id));
    }

    #[test]
    fn levels_follow_severities() {
        let levels = Severity::ALL.map(level);
        assert_eq!(levels, ["INFO", "WARNING", "ERROR", "CRITICAL"]);
    }
}
