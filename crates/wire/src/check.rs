//! Holding an event against [`limits`]: a reader refuses what is outside, a writer cuts to fit.
//!
//! Both walk the same fields, so what [`Event::fit`] leaves, [`check`] takes; a property test holds them to it.
//! Names (of models, callers, rules …) hold no control characters; texts (a path, a place, evidence) may.

use alloc::{format, string::String, vec::Vec};

use crate::{Client, Event, Finding, Request, VERSION, limits};

/// Longest piece of a value that is sent back to its sender.
const SHOWN_CHARS: usize = 40;

/// Why an event is refused: the field, its value, and the bound it breaks.
pub(crate) fn check(event: &Event) -> Result<(), String> {
    if !event.is_known_version() {
        return Err(format!("v: {} is not known here, {VERSION} is the newest", event.v));
    }
    if event.time_ms > limits::MAX_TIME_MS {
        return Err(format!("time_ms: {} is after the year 9999", event.time_ms));
    }
    if event.model.is_empty() {
        return Err("model: is empty".into());
    }
    name("model", &event.model)?;
    name("node", &event.node)?;
    name("route", &event.route)?;
    client(&event.client)?;
    request(&event.request)?;
    at_most("findings", event.findings.len(), limits::MAX_FINDINGS)?;
    for (at, found) in event.findings.iter().enumerate() {
        finding(found).map_err(|reason| format!("findings[{at}].{reason}"))?;
    }
    Ok(())
}

fn client(client: &Client) -> Result<(), String> {
    name("client.address", client.address.as_deref().unwrap_or_default())?;
    name("client.user", client.user.as_deref().unwrap_or_default())?;
    let Some(key) = &client.key else { return Ok(()) };
    name("client.key.prefix", &key.prefix)?;
    if is_hash(&key.hash) {
        Ok(())
    } else {
        Err(format!(
            "client.key.hash: {} is not 1 to {} hex digits",
            shown(&key.hash),
            limits::MAX_HASH_BYTES
        ))
    }
}

fn request(request: &Request) -> Result<(), String> {
    name("request.id", request.id.as_deref().unwrap_or_default())?;
    name("request.traceparent", request.traceparent.as_deref().unwrap_or_default())?;
    name("request.method", &request.method)?;
    name("request.protocol", &request.protocol)?;
    text("request.path", &request.path)?;
    match request.status {
        Some(status) if !(100..=599).contains(&status) => {
            Err(format!("request.status: {status} is no HTTP status"))
        }
        _ => Ok(()),
    }
}

fn finding(finding: &Finding) -> Result<(), String> {
    if finding.rule.is_empty() {
        return Err("rule: is empty".into());
    }
    name("rule", &finding.rule)?;
    text("summary", &finding.summary)?;
    text("evidence", finding.evidence.as_deref().unwrap_or_default())?;
    for (field, tags) in
        [("owasp", &finding.owasp), ("atlas", &finding.atlas), ("transforms", &finding.transforms)]
    {
        at_most(field, tags.len(), limits::MAX_TAGS)?;
        for tag in tags {
            name(field, tag)?;
        }
    }
    let Some(location) = &finding.location else { return Ok(()) };
    text("location.place", &location.place)?;
    match location.span {
        Some(span) if span.start > span.end => {
            Err(format!("location.span: start {} is after end {}", span.start, span.end))
        }
        _ => Ok(()),
    }
}

fn name(field: &str, value: &str) -> Result<(), String> {
    at_most_bytes(field, value, limits::MAX_NAME_BYTES)?;
    if value.chars().any(char::is_control) {
        return Err(format!("{field}: {} has a control character", shown(value)));
    }
    Ok(())
}

fn text(field: &str, value: &str) -> Result<(), String> {
    at_most_bytes(field, value, limits::MAX_STRING_BYTES)
}

fn at_most_bytes(field: &str, value: &str, most: usize) -> Result<(), String> {
    if value.len() > most {
        return Err(format!("{field}: {} has {} bytes, more than {most}", shown(value), value.len()));
    }
    Ok(())
}

fn at_most(field: &str, count: usize, most: usize) -> Result<(), String> {
    if count > most {
        return Err(format!("{field}: {count} of them, more than {most}"));
    }
    Ok(())
}

fn is_hash(hash: &str) -> bool {
    (1..=limits::MAX_HASH_BYTES).contains(&hash.len()) && hash.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The beginning of a value, quoted, its control characters escaped.
pub(crate) fn shown(value: &str) -> String {
    let mut beginning: String = value.chars().take(SHOWN_CHARS).collect();
    if beginning.len() < value.len() {
        beginning.push('…');
    }
    format!("{beginning:?}")
}

impl Event {
    /// Cuts everything to what a reader accepts, so that no path, header or long name can keep an event from being
    /// reported: long strings lose their end (`…`), control characters in names become U+FFFD, findings beyond
    /// [`limits::MAX_FINDINGS`] are left out, an empty model becomes `unknown`.
    ///
    /// [`crate::Batch::new`] does this for every event.
    pub fn fit(&mut self) {
        self.v = self.v.clamp(1, VERSION);
        self.time_ms = self.time_ms.min(limits::MAX_TIME_MS);
        if self.model.is_empty() {
            self.model.push_str("unknown");
        }
        fit_name(&mut self.model);
        fit_name(&mut self.node);
        fit_name(&mut self.route);
        self.client.fit();
        self.request.fit();
        self.findings.truncate(limits::MAX_FINDINGS);
        for finding in &mut self.findings {
            finding.fit();
        }
    }
}

impl Client {
    fn fit(&mut self) {
        for value in [&mut self.address, &mut self.user].into_iter().flatten() {
            fit_name(value);
        }
        match &mut self.key {
            Some(key) if is_hash(&key.hash) => fit_name(&mut key.prefix),
            other => *other = None,
        }
    }
}

impl Request {
    fn fit(&mut self) {
        for value in [&mut self.id, &mut self.traceparent].into_iter().flatten() {
            fit_name(value);
        }
        fit_name(&mut self.method);
        fit_name(&mut self.protocol);
        fit_text(&mut self.path);
        self.status = self.status.filter(|status| (100..=599).contains(status));
    }
}

impl Finding {
    fn fit(&mut self) {
        if self.rule.is_empty() {
            self.rule.push_str("unknown");
        }
        fit_name(&mut self.rule);
        fit_text(&mut self.summary);
        if let Some(evidence) = &mut self.evidence {
            fit_text(evidence);
        }
        for tags in [&mut self.owasp, &mut self.atlas, &mut self.transforms] {
            fit_tags(tags);
        }
        if let Some(location) = &mut self.location {
            fit_text(&mut location.place);
            location.span = location.span.filter(|span| span.start <= span.end);
        }
    }
}

fn fit_tags(tags: &mut Vec<String>) {
    tags.truncate(limits::MAX_TAGS);
    for tag in tags {
        fit_name(tag);
    }
}

fn fit_name(value: &mut String) {
    if value.chars().any(char::is_control) {
        *value = value.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    }
    cut(value, limits::MAX_NAME_BYTES);
}

fn fit_text(value: &mut String) {
    cut(value, limits::MAX_STRING_BYTES);
}

/// Cuts at a character's end and says so.
fn cut(value: &mut String, most: usize) {
    const CUT: char = '…';
    if value.len() > most {
        value.truncate(value.floor_char_boundary(most - CUT.len_utf8()));
        value.push(CUT);
    }
}
