//! The HTML of a mail: tables and inline styles for old clients, a fluid width for phones, a dark form where the
//! client offers one. No image, no script, and no link but to the relay
//! itself.

use std::fmt::Write as _;

use wire::Severity;

use super::{chart, clean::escape, story::Story};

/// What a class looks like in the dark; the light form stands inline, where every client reads it.
const STYLE: &str = "\
:root{color-scheme:light dark;supported-color-schemes:light dark}\
@media (max-width:480px){.pad{padding-left:16px!important;padding-right:16px!important}\
.name,.value{display:block!important;width:auto!important}.name{padding-bottom:0!important}\
.value{padding-top:0!important;border:0!important}}\
@media (prefers-color-scheme:dark){.page{background:#101418!important}.card{background:#1a2027!important;\
color:#e6eaee!important;border-color:#303943!important}.ink,.value,h1,h2{color:#e6eaee!important}.soft,.soft a,.name{color:#9aa7b4!important}\
.name,.value{border-color:#303943!important}a.button{color:#ffffff!important}.bar{background:#e8697f!important}}";

const FONT: &str = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const MONO: &str = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:13px";

/// Colours with enough contrast for white text (WCAG 2.2 AA).
pub(super) const fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "#3b6ea5",
        Severity::Medium => "#8a6100",
        Severity::High => "#b5420c",
        Severity::Critical => "#a3122a",
    }
}

/// Writes the HTML part.
pub(super) fn render(story: &Story) -> String {
    let mut body = String::new();
    head(&mut body, story);
    table(&mut body, &story.facts);
    if let Some(hours) = &story.hours {
        heading(&mut body, "Last 24 hours");
        body.push_str(&chart::html(hours, story.severity));
    }
    threats(&mut body, story);
    heading(&mut body, "What to do next");
    body.push_str("<ol class=\"ink\" style=\"margin:0;padding-left:22px;color:#1b2733\">");
    for step in story.steps {
        let _ = write!(body, "<li style=\"margin:0 0 8px\">{}</li>", escape(step));
    }
    body.push_str("</ol>");
    for (at, request) in story.requests.iter().enumerate() {
        heading(&mut body, if at == 0 { "Latest request" } else { "Before that" });
        table(&mut body, request);
    }
    ids(&mut body, story);
    let (title, lead, footer, list) = (&story.title, &story.lead, &story.footer, &story.list);
    document(Around { title, lead, footer, list }, &body)
}

/// What is around the content of a mail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around<'a> {
    pub(super) title: &'a str,
    /// What a list of mails shows beside the subject.
    pub(super) lead: &'a str,
    pub(super) footer: &'a str,
    /// Where all incidents are.
    pub(super) list: &'a str,
}

/// The whole of a mail; `body` is the rows of its card.
pub(super) fn document(around: Around<'_>, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <meta name=\"supported-color-schemes\" content=\"light dark\">\
         <meta name=\"format-detection\" content=\"telephone=no,date=no,address=no,email=no,url=no\">\
         <title>{title}</title><style>{STYLE}</style></head>\
         <body class=\"page\" style=\"margin:0;padding:0;background:#eef1f4\">\
         <div style=\"display:none;max-height:0;overflow:hidden\">{lead}</div>\
         <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" class=\"page\" \
         style=\"background:#eef1f4\"><tr><td align=\"center\" style=\"padding:16px 8px\">\
         <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" class=\"card\" \
         style=\"max-width:640px;background:#ffffff;color:#1b2733;border:1px solid #d7dde3;border-radius:8px;{FONT};\
         font-size:15px;line-height:1.5;overflow-wrap:anywhere;text-align:left\">{body}</table>\
         <p class=\"soft\" style=\"max-width:640px;margin:12px auto 0;{FONT};font-size:12px;color:#5b6875\">\
         {footer}<br><a href=\"{list}\" style=\"color:#5b6875\">All incidents</a></p></td></tr></table></body></html>",
        title = escape(around.title),
        lead = escape(around.lead),
        footer = escape(around.footer),
        list = escape(around.list),
    )
}

/// The top of a mail that is about no incident: what it is, in capitals, what it says, and the rest of the card until
/// [`close`].
pub(super) fn open(out: &mut String, severity: Severity, band: &str, title: &str, lead: &str) {
    top(out, colour(severity), band, title, lead);
}

/// The end of the card.
pub(super) fn close(out: &mut String) {
    out.push_str("</td></tr>");
}

fn top(out: &mut String, colour: &str, band: &str, title: &str, lead: &str) {
    let _ = write!(
        out,
        "<tr><td class=\"pad\" style=\"background:{colour};border-radius:7px 7px 0 0;padding:12px 24px;\
         color:#ffffff;font-size:13px;font-weight:700;letter-spacing:.06em\">{band}</td></tr>\
         <tr><td class=\"pad\" style=\"padding:20px 24px 24px\">\
         <h1 style=\"margin:0 0 8px;font-size:21px;line-height:1.3;color:#1b2733\">{title}</h1>\
         <p class=\"ink\" style=\"margin:0 0 16px;color:#1b2733\">{lead}</p>",
        band = escape(band),
        title = escape(title),
        lead = escape(lead),
    );
}

/// A paragraph, and something to copy below it.
pub(super) fn note(out: &mut String, says: &str, code: &str) {
    let _ = write!(
        out,
        "<p class=\"ink\" style=\"margin:12px 0 0;color:#1b2733\">{}<br><span style=\"{MONO}\">{}</span></p>",
        escape(says),
        escape(code)
    );
}

fn head(out: &mut String, story: &Story) {
    let colour = colour(story.severity);
    let band = format!("{} SEVERITY", story.severity.as_str().to_uppercase());
    top(out, colour, &band, &story.title, &story.lead);
    let _ = write!(
        out,
        "<p style=\"margin:0 0 12px\"><a class=\"button\" href=\"{link}\" style=\"display:inline-block;\
         background:{colour};color:#ffffff;text-decoration:none;font-weight:600;padding:11px 20px;\
         margin:0 8px 8px 0;border-radius:6px\">Open the incident</a>{acknowledge}</p>",
        link = escape(&story.link),
        acknowledge = match &story.acknowledge {
            None => String::new(),
            Some(link) => format!(
                " <a class=\"ink\" href=\"{}\" style=\"display:inline-block;color:#1b2733;text-decoration:none;\
                 font-weight:600;padding:10px 19px;margin:0 0 8px;border:1px solid #9aa7b4;border-radius:6px\">\
                 Acknowledge</a>",
                escape(link)
            ),
        },
    );
}

pub(super) fn heading(out: &mut String, title: &str) {
    let _ = write!(
        out,
        "<h2 style=\"margin:24px 0 8px;font-size:16px;line-height:1.3;color:#1b2733\">{}</h2>",
        escape(title)
    );
}

pub(super) fn table(out: &mut String, rows: &[(impl AsRef<str>, String)]) {
    out.push_str(
        "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" \
         style=\"border-collapse:collapse\">",
    );
    for (name, value) in rows {
        let _ = write!(
            out,
            "<tr><td class=\"name\" valign=\"top\" style=\"width:28%;padding:6px 12px 6px 0;color:#5b6875;\
             border-top:1px solid #e4e8ec\">{}</td>\
             <td class=\"value\" valign=\"top\" style=\"padding:6px 0;color:#1b2733;\
             border-top:1px solid #e4e8ec\">{}</td></tr>",
            escape(name.as_ref()),
            escape(value)
        );
    }
    out.push_str("</table>");
}

fn threats(out: &mut String, story: &Story) {
    if story.threats.is_empty() {
        return;
    }
    heading(out, "Threats");
    for threat in &story.threats {
        let _ = write!(
            out,
            "<div style=\"border-left:4px solid {colour};padding:2px 0 2px 12px;\
             margin:0 0 12px\"><div class=\"ink\" style=\"{MONO};color:#1b2733\">{rule}</div>\
             <div class=\"ink\" style=\"color:#1b2733\">{summary}</div>\
             <div class=\"soft\" style=\"font-size:13px;color:#5b6875\">{severity}, {count}×{tags}</div></div>",
            colour = colour(threat.severity),
            rule = escape(&threat.rule),
            summary = escape(&threat.summary),
            severity = threat.severity.as_str(),
            count = threat.count,
            tags =
                if threat.tags.is_empty() { String::new() } else { format!(" · {}", escape(&threat.tags)) },
        );
    }
}

fn ids(out: &mut String, story: &Story) {
    heading(out, "Events");
    let _ = write!(out, "<div class=\"soft\" style=\"{MONO};color:#5b6875\">");
    for id in &story.ids {
        let _ = write!(out, "{}<br>", escape(id));
    }
    if story.more_ids > 0 {
        let _ = write!(out, "and {} more", story.more_ids);
    }
    out.push_str("</div>");
    close(out);
}
