//! One incident as a page for a person: rendered here, no script, nothing loaded from anywhere. The list is in [`list`].

pub(super) mod list;

use std::fmt::Write as _;

use axum::{
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use wire::Event;

use super::{
    Problem, Shared,
    incidents::{Found, load, word},
};
use crate::{
    alert::{
        advice,
        clean::{clean, escape},
    },
    clock::{Civil, now_ms},
    entropy,
    incident::{Incident, score},
};

/// Longest value shown.
const MAX_CHARS: usize = 300;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b2733;--soft:#5b6875;--line:#e4e8ec;--card:#fff;--page:#eef1f4;--link:#1d5aa6}\
@media (prefers-color-scheme:dark){:root{--ink:#e6eaee;--soft:#9aa7b4;--line:#303943;--card:#1a2027;\
--page:#101418;--link:#8ab8f0}}\
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\
main{max-width:60rem;margin:0 auto;padding:1rem}\
section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:1rem 1.25rem;\
margin:0 0 1rem}\
h1{font-size:1.4rem;margin:.5rem 0 1rem}h2{font-size:1.05rem;margin:0 0 .5rem}\
dl{display:grid;grid-template-columns:minmax(7rem,10rem) 1fr;gap:.35rem 1rem;margin:0}\
dt{color:var(--soft)}dd{margin:0}code{font-family:ui-monospace,monospace;font-size:.87em}\
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.4rem .8rem .4rem 0;border-top:1px solid var(--line)}\
th{color:var(--soft);font-weight:500;white-space:nowrap}td{min-width:3.5rem}\
.badge{display:inline-block;border-radius:4px;padding:.1rem .5rem;color:#fff;font-size:.8rem;font-weight:700;white-space:nowrap}\
.low{background:#3b6ea5}.medium{background:#8a6100}.high{background:#b5420c}.critical{background:#a3122a}\
li{margin:0 0 .4rem}.soft{color:var(--soft)}\
a{color:var(--link)}form{display:grid;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr));gap:.75rem;\
align-items:end}label{display:grid;gap:.2rem;color:var(--soft);font-size:.85rem}\
input,select,button{font:inherit;color:var(--ink);background:var(--page);border:1px solid var(--line);\
border-radius:4px;padding:.4rem;min-width:0;min-height:2.4rem;width:100%;box-sizing:border-box}\
ol.list{list-style:none;margin:0;padding:0}ol.list li{border-top:1px solid var(--line);padding:.7rem 0;margin:0}\
ol.list li:first-child{border:0;padding-top:0}.pages{display:flex;gap:1.5rem;margin:1rem 0 0}";

/// `GET /incidents/{id}`
pub(super) async fn incident(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let found = load(&shared, &id).await?;
    serve("'none'", |nonce| render(&found, now_ms(), nonce))
}

/// A page and its policy: nothing is loaded, no script runs, and a form, if any, goes where is said.
fn serve(form: &str, render: impl FnOnce(&str) -> String) -> Result<Response, Problem> {
    let nonce = URL_SAFE_NO_PAD.encode(entropy::bytes::<18>());
    let body = render(&nonce);
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action {form}; \
         frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy).map_err(|e| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the page's policy is no header: {e}"))
    })?;
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// What every page begins with.
fn begin(out: &mut String, title: &str, nonce: &str) {
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
         <style nonce=\"{nonce}\">{STYLE}</style></head><body><main>"
    );
}

fn render(found: &Found, now_ms: u64, nonce: &str) -> String {
    let incident = &found.incident;
    let title = format!("{}: {}", advice::title(incident.key.category), text(&incident.key.model));
    let mut out = String::new();
    begin(&mut out, &title, nonce);
    let _ = write!(
        out,
        "<p><a href=\"/incidents\">All incidents</a></p><h1>{} {title}</h1><section><dl>",
        badge(incident.severity.as_str()),
    );
    let facts = [
        ("State", state(incident)),
        ("Score", score_of(incident, now_ms)),
        ("First seen", Civil::of(incident.first_ms).human()),
        ("Last seen", Civil::of(incident.last_ms).human()),
        ("Events", format!("{} ({} refused)", incident.count, incident.refused)),
        ("Caller", text(&incident.key.client)),
        ("Looks like", text(&incident.label)),
        ("Spread", spread(incident)),
        ("Incident", incident.id.to_string()),
    ];
    for (name, value) in facts {
        let _ = write!(out, "<dt>{name}</dt><dd>{value}</dd>");
    }
    out.push_str("</dl></section>");
    threats(&mut out, found);
    let _ = write!(out, "<section><h2>What to do next</h2><ol>");
    for step in advice::steps(incident.key.category) {
        let _ = write!(out, "<li>{}</li>", escape(step));
    }
    out.push_str("</ol></section>");
    timeline(&mut out, found);
    related(&mut out, found);
    events(&mut out, found);
    mails(&mut out, found);
    out.push_str("</main></body></html>");
    out
}

fn state(incident: &Incident) -> String {
    format!(
        "{}, since {} by {}",
        incident.state.as_str(),
        Civil::of(incident.state_ms).human(),
        text(&incident.state_by)
    )
}

/// The score, and what each factor adds to it.
fn score_of(incident: &Incident, now_ms: u64) -> String {
    let factors = score::factors(incident, now_ms);
    let parts: Vec<String> = factors
        .iter()
        .map(|factor| format!("{} {:.2} of {:.2}", factor.name, factor.value * factor.weight, factor.weight))
        .collect();
    let thousandths = score::thousandths(&factors);
    format!("{}.{:03} ({})", thousandths / 1000, thousandths % 1000, parts.join(", "))
}

fn spread(incident: &Incident) -> String {
    match incident.campaign {
        Some(campaign) if incident.spread > 1 => {
            format!("{} callers send the same (campaign {campaign})", incident.spread)
        }
        _ => "this caller alone".to_owned(),
    }
}

fn timeline(out: &mut String, found: &Found) {
    out.push_str(
        "<section><h2>Timeline</h2><div class=\"scroll\"><table><tr><th>Time</th><th>What</th><th>Who</th>\
         <th></th></tr>",
    );
    for news in &found.timeline {
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            Civil::of(news.at_ms).human(),
            text(&news.what),
            text(&news.by),
            text(&news.text),
        );
    }
    out.push_str("</table></div></section>");
}

fn related(out: &mut String, found: &Found) {
    if found.related.is_empty() {
        return;
    }
    out.push_str(
        "<section><h2>Related incidents</h2><div class=\"scroll\"><table><tr><th>Same</th><th>Severity</th>\
         <th>State</th><th>Last seen</th><th>Events</th><th>Caller</th><th>Incident</th></tr>",
    );
    for (relation, other) in &found.related {
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td><a href=\"/incidents/{}\"><code>{}</code></a></td></tr>",
            word(*relation),
            badge(other.severity.as_str()),
            other.state.as_str(),
            Civil::of(other.last_ms).human(),
            other.count,
            text(&other.key.client),
            other.id,
            other.id,
        );
    }
    out.push_str("</table></div></section>");
}

fn threats(out: &mut String, found: &Found) {
    out.push_str(
        "<section><h2>Threats</h2><div class=\"scroll\"><table><tr><th>Rule</th><th>Severity</th>\
         <th>Events</th><th>What it looks for</th><th>Tags</th></tr>",
    );
    for threat in &found.incident.threats {
        let _ = write!(
            out,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            text(&threat.rule),
            badge(threat.severity.as_str()),
            threat.count,
            text(&threat.summary),
            text(&threat.tags.join(", ")),
        );
    }
    out.push_str("</table></div></section>");
}

fn events(out: &mut String, found: &Found) {
    let _ = write!(
        out,
        "<section><h2>Latest events</h2><p class=\"soft\">{} of {}, newest first.</p>\
         <div class=\"scroll\"><table><tr><th>Time</th><th>Verdict</th><th>Score</th><th>Request</th>\
         <th>Client</th><th>Rules</th><th>Event</th></tr>",
        found.events.len(),
        found.incident.count,
    );
    for stored in &found.events {
        let event = &stored.event;
        let rules: Vec<String> = event
            .findings
            .iter()
            .take(5)
            .map(|finding| format!("<code>{}</code>", text(&finding.rule)))
            .collect();
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td><code>{}</code></td></tr>",
            Civil::of(event.time_ms).human(),
            event.verdict.as_str(),
            event.score,
            text(&asked(event)),
            text(event.client.address.as_deref().unwrap_or("unknown")),
            rules.join("<br>"),
            event.id,
        );
    }
    out.push_str("</table></div></section>");
}

fn asked(event: &Event) -> String {
    let request = &event.request;
    let mut asked = format!("{} {}, {} bytes", request.method, request.path, request.bytes);
    if let Some(status) = request.status {
        asked.push_str(&format!(", answered {status}"));
    }
    asked
}

fn mails(out: &mut String, found: &Found) {
    out.push_str("<section><h2>Mails</h2>");
    if found.mails.is_empty() {
        out.push_str("<p class=\"soft\">None yet.</p></section>");
        return;
    }
    out.push_str(
        "<div class=\"scroll\"><table><tr><th>No.</th><th>Composed</th><th>To</th><th>State</th>\
         <th>Attempts</th><th>Last answer</th></tr>",
    );
    for mail in &found.mails {
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            mail.sequence + 1,
            Civil::of(mail.created_ms).human(),
            text(&mail.recipient),
            escape(&mail.state),
            mail.attempts,
            text(mail.error.as_deref().unwrap_or("")),
        );
    }
    out.push_str("</table></div></section>");
}

fn badge(severity: &str) -> String {
    format!("<span class=\"badge {severity}\">{}</span>", severity.to_uppercase())
}

/// A value from outside, visible and escaped. Browsers make no links of text by themselves.
fn text(value: &str) -> String {
    escape(&clean(value, MAX_CHARS))
}
