//! Slack's incoming webhooks, which Mattermost, Rocket.Chat and Discord (`/slack`) take too.
//!
//! `text` and `mrkdwn` read `<!channel>`, `<@user>` and `<https://…|…>`; Slack asks for `&`, `<` and `>` to be escaped
//! (<https://api.slack.com/reference/surfaces/formatting#escaping>). Others read Markdown and a bare `@all` instead, so
//! those lose their meaning as well.

use std::time::Duration;

use serde_json::{Value, json};
use wire::Severity;

use super::{Channel, Delivering, Message, http::Poster};
use crate::{
    alert::{Letter, clean::show},
    config::Endpoint,
};

/// Longest text of a block (Slack: 3,000) and of a field (2,000), with room for escapes.
const MAX_TEXT_CHARS: usize = 500;
/// Rules named.
const RULES: usize = 5;

/// Posts blocks.
pub(super) struct Slack {
    poster: Poster,
}

impl Slack {
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, String> {
        Ok(Self { poster: Poster::new(endpoint)? })
    }
}

impl Channel for Slack {
    fn deliver<'a>(&'a self, message: Message<'a>) -> Delivering<'a> {
        Box::pin(async move { self.poster.deliver(&[], body(message.letter).to_string()).await })
    }

    fn patience(&self) -> Duration {
        self.poster.timeout()
    }
}

fn body(letter: &Letter) -> Value {
    let report = &letter.report;
    let level = letter.severity.as_str().to_uppercase();
    let title = quoted(if report.title.is_empty() { &letter.subject } else { &report.title });
    let mut blocks = vec![section(&format!("{} *{level}* {title}", mark(letter.severity)))];
    if !report.lead.is_empty() {
        blocks.push(section(&quoted(&report.lead)));
    }
    let mut fields: Vec<Value> = Vec::new();
    for (name, value) in [("Model", &report.model), ("Caller", &report.client)] {
        if !value.is_empty() {
            fields.push(mrkdwn(&format!("*{name}*\n{}", quoted(value))));
        }
    }
    if report.count > 0 {
        fields.push(mrkdwn(&format!("*Events*\n{} ({} refused)", report.count, report.refused)));
    }
    let rules: Vec<String> = report.rules.iter().take(RULES).map(|rule| quoted(&rule.rule)).collect();
    if !rules.is_empty() {
        fields.push(mrkdwn(&format!("*Rules*\n{}", rules.join("\n"))));
    }
    if !fields.is_empty() {
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    if !report.link.is_empty() {
        // Ours: configured, and checked to hold no sign of Slack's.
        blocks.push(section(&format!("<{}|Open the incident>", escaped(&report.link))));
    }
    json!({"text": format!("[{level}] {title}"), "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": mrkdwn(text)})
}

/// `verbatim`: Slack makes no links and mentions of its own.
fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

const fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => ":information_source:",
        Severity::Medium => ":warning:",
        Severity::High => ":red_circle:",
        Severity::Critical => ":rotating_light:",
    }
}

/// A string from outside: nothing hidden, no address that works, no mention, no formatting.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::new();
    for c in show(text, MAX_TEXT_CHARS).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Look-alikes: there is no way to escape these.
            '@' => out.push('\u{ff20}'),
            '*' => out.push('\u{2217}'),
            '~' => out.push('\u{223c}'),
            '`' => out.push('\''),
            '[' => out.push('('),
            ']' => out.push(')'),
            '#' => out.push('\u{ff03}'),
            c => out.push(c),
        }
    }
    // An underscore is part of most names; at the edge of a word it would begin slanted text.
    out.split(' ').map(|word| word.trim_matches('_')).collect::<Vec<_>>().join(" ")
}

fn escaped(url: &str) -> String {
    url.replace('&', "&amp;").replace('<', "%3C").replace('>', "%3E").replace('|', "%7C")
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn nothing_of_a_caller_mentions_links_or_formats() {
        let hostile = [
            "<!channel> <!here|x> <@U123> <#C1>",
            "@all @channel @here",
            "<https://evil.example|click>",
            "[click](https://evil.example)",
            "![x](//evil.example/x.png)",
            "*bold* _slanted_ ~gone~ `code` ```block```",
            "&lt;!channel&gt;",
            "a\u{202e}b\n<!everyone>",
        ];
        for text in hostile {
            let safe = quoted(text);
            assert!(!safe.contains(['<', '>', '@', '*', '~', '`', '[', ']', '#', '\n']), "{safe}");
            assert!(!safe.contains("://"), "{safe}");
            let entities = safe.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            assert!(!entities.contains('&'), "{safe}");
        }
        assert_eq!(quoted("gpt-4.1_mini"), "gpt-4.1_mini");
    }
}
