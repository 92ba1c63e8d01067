//! The values that a template sees. README.md lists them; a test holds it to this.

use minijinja::Value;
use serde::Serialize;

use super::{
    super::{chart, clean::show, html::colour, story::Story},
    MAX_SUBJECT_CHARS,
};

/// Schemes that do something when they are followed.
const SCHEMES: [&str; 10] =
    ["javascript", "data", "vbscript", "mailto", "tel", "sms", "http", "https", "ftp", "file"];

#[derive(Serialize)]
struct Context<'a> {
    kind: &'static str,
    subject: String,
    severity: &'static str,
    colour: &'static str,
    title: String,
    lead: String,
    model: String,
    category: &'static str,
    incident: &'a str,
    link: &'a str,
    list: &'a str,
    acknowledge: Option<&'a str>,
    facts: Vec<Fact>,
    threats: Vec<Threat>,
    requests: Vec<Vec<Fact>>,
    steps: &'static [&'static str],
    hours: Option<Vec<u64>>,
    chart_text: Option<String>,
    chart_html: Option<Value>,
    events: &'a [String],
    more_events: u64,
    footer: String,
}

#[derive(Serialize)]
struct Fact {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
struct Threat {
    rule: String,
    summary: String,
    severity: &'static str,
    tags: String,
    count: u64,
}

/// Of one message.
pub(super) fn of(story: &Story) -> Value {
    let threats = story.threats.iter().map(|threat| Threat {
        rule: inert(&threat.rule),
        summary: inert(&threat.summary),
        severity: threat.severity.as_str(),
        tags: inert(&threat.tags),
        count: threat.count,
    });
    Value::from_serialize(Context {
        kind: story.kind.as_str(),
        // In a subject an address is not live, but a template may show it elsewhere.
        subject: inert(&show(&story.subject, MAX_SUBJECT_CHARS)),
        severity: story.severity.as_str(),
        colour: colour(story.severity),
        title: inert(&story.title),
        lead: inert(&story.lead),
        model: inert(&story.model),
        category: story.category,
        incident: &story.incident,
        link: &story.link,
        list: &story.list,
        acknowledge: story.acknowledge.as_deref(),
        facts: facts(&story.facts),
        threats: threats.collect(),
        requests: story.requests.iter().map(|request| facts(request)).collect(),
        steps: story.steps,
        hours: story.hours.map(|hours| hours.to_vec()),
        chart_text: story.hours.map(|hours| chart::text(&hours)),
        // Of numbers and our own words only.
        chart_html: story.hours.map(|hours| Value::from_safe_string(chart::html(&hours, story.severity))),
        events: &story.ids,
        more_events: story.more_ids,
        footer: inert(&story.footer),
    })
}

fn facts(facts: &[(&'static str, String)]) -> Vec<Fact> {
    facts.iter().map(|(name, value)| Fact { name, value: inert(value) }).collect()
}

/// With nothing that could be markup, the end of a quoted attribute, or a scheme, whatever a template does with it: one may
/// turn escaping off.
fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        out.push(match c {
            '<' => '‹',
            '>' => '›',
            '&' => '＆',
            '"' => '”',
            '\'' | '`' => '’',
            c => c,
        });
    }
    let head = out.trim_start();
    if let Some((scheme, rest)) = head.split_once(':')
        && SCHEMES.iter().any(|known| scheme.trim_end().eq_ignore_ascii_case(known))
    {
        return format!("{scheme}[:]{rest}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_live_is_written_otherwise() {
        let table = [
            ("<b onclick=\"x\">&#46;'`", "‹b onclick=”x”›＆#46;’’"),
            (" JavaScript:alert(1)", "JavaScript[:]alert(1)"),
            ("data :x", "data [:]x"),
            ("fe80::1", "fe80::1"),
            ("POST /v1/chat/completions", "POST /v1/chat/completions"),
        ];
        for (text, written) in table {
            assert_eq!(inert(text), written);
        }
    }
}
