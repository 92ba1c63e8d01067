//! The plain text of a mail.

use std::fmt::Write as _;

use super::{chart, story::Story};

/// Width of the column of names.
const NAMES: usize = 20;
/// Longest line of running text.
const WIDTH: usize = 76;

/// Writes the text part.
pub(super) fn render(story: &Story) -> String {
    let mut out = String::new();
    let level = story.severity.as_str().to_uppercase();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "[{level}] {}\n", story.title);
    let _ = writeln!(out, "{}", wrap(&story.lead, ""));
    let _ = writeln!(out, "Incident: {}\n", story.link);
    if let Some(link) = &story.acknowledge {
        let _ = writeln!(out, "Acknowledge it: {link}\n");
    }
    table(&mut out, &story.facts);
    if let Some(hours) = &story.hours {
        heading(&mut out, "Last 24 hours");
        let _ = writeln!(out, "{}", chart::text(hours));
    }
    heading(&mut out, "Threats");
    for threat in &story.threats {
        let _ = writeln!(out, "* {} ({}, {}x)", threat.rule, threat.severity.as_str(), threat.count);
        if !threat.summary.is_empty() {
            let _ = write!(out, "{}", wrap(&threat.summary, "  "));
        }
        if !threat.tags.is_empty() {
            let _ = write!(out, "{}", wrap(&threat.tags, "  "));
        }
    }
    if story.threats.is_empty() {
        let _ = writeln!(out, "none named");
    }
    heading(&mut out, "What to do next");
    for (at, step) in story.steps.iter().enumerate() {
        let wrapped = wrap(step, "   ");
        let _ = write!(out, "{}. {}", at + 1, wrapped.trim_start());
    }
    for (at, request) in story.requests.iter().enumerate() {
        heading(&mut out, if at == 0 { "Latest request" } else { "Before that" });
        table(&mut out, request);
    }
    heading(&mut out, "Events");
    for id in &story.ids {
        let _ = writeln!(out, "{id}");
    }
    if story.more_ids > 0 {
        let _ = writeln!(out, "and {} more", story.more_ids);
    }
    let _ = writeln!(out, "\n-- \n{}", story.footer);
    out
}

fn heading(out: &mut String, title: &str) {
    let _ = writeln!(out, "\n{title}\n{}", "-".repeat(title.len()));
}

fn table(out: &mut String, rows: &[(&str, String)]) {
    for (name, value) in rows {
        let _ = writeln!(out, "{:<NAMES$} {value}", format!("{name}:"));
    }
}

/// Breaks running text at spaces.
fn wrap(text: &str, indent: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            out.push('\n');
            width = 0;
        }
        if width == 0 {
            out.push_str(indent);
            width = indent.len();
        } else {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += length;
    }
    out.push('\n');
    out
}
