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
        let _ = write!(out, "{}", chart::text(hours));
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
    footer(&mut out, &story.footer, &story.list);
    out
}

/// What stands below every mail.
pub(super) fn footer(out: &mut String, says: &str, list: &str) {
    let _ = writeln!(out, "\n-- \n{says}\nAll incidents: {list}");
}

fn heading(out: &mut String, title: &str) {
    let _ = writeln!(out, "\n{title}\n{}", "-".repeat(title.len()));
}

fn table(out: &mut String, rows: &[(&str, String)]) {
    for (name, value) in rows {
        hang(out, &format!("{:<NAMES$} ", format!("{name}:")), value);
    }
}

/// Text behind something, its further lines below its first one. What has no space to break at is broken anywhere.
pub(super) fn hang(out: &mut String, first: &str, text: &str) {
    let indent = " ".repeat(first.chars().count());
    let room = WIDTH.saturating_sub(indent.len()).max(1);
    let mut pieces: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        pieces.extend(letters.chunks(room).map(|piece| piece.iter().collect::<String>()));
    }
    let wrapped = wrap(&pieces.join(" "), &indent);
    let _ = write!(out, "{first}{}", wrapped.trim_start_matches(' '));
}

/// Breaks running text at spaces.
pub(super) fn wrap(text: &str, indent: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_table_is_longer_than_a_reader_has_room_for() {
        let long = "x".repeat(150);
        let rows = [
            (
                "Request",
                format!("POST /{long} and then some words that go on until the line is full and over"),
            ),
            ("Client", "address 203.0.113.1".to_owned()),
            ("Nothing", String::new()),
        ];
        let mut out = String::new();
        table(&mut out, &rows);
        assert!(out.lines().all(|line| line.chars().count() <= WIDTH), "{out}");
        let value: String = out
            .lines()
            .take_while(|line| !line.starts_with("Client"))
            .flat_map(|line| line.chars().skip(NAMES + 1))
            .collect();
        assert!(value.starts_with("POST") && value.contains(&long), "nothing is lost: {out}");
        assert!(out.contains("\nClient:              address 203.0.113.1\nNothing:"), "{out}");
    }
}
