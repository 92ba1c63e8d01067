//! The digest: what became of every event of a day or a week.

use std::fmt::Write as _;

use wire::Severity;

use super::{
    Kind, Letter, Report,
    clean::clean,
    html,
    text::{self, hang, wrap},
};
use crate::{clock::Civil, store::LogHead};

/// What stands in a digest.
#[derive(Clone, Debug)]
pub(crate) struct Digest<'a> {
    /// `daily` or `weekly`.
    pub(crate) name: &'a str,
    /// To whom.
    pub(crate) receiver: &'a str,
    /// From when, Unix milliseconds.
    pub(crate) from_ms: u64,
    /// Until when.
    pub(crate) until_ms: u64,
    /// Outcome, category, events.
    pub(crate) accounts: &'a [(String, String, u64)],
    /// Events that wait to be told now.
    pub(crate) waiting: u64,
    /// Where the relays' logs stood.
    pub(crate) heads: &'a [LogHead],
    /// Whether there may be several relays.
    pub(crate) several: bool,
}

/// What an outcome means.
fn meaning(outcome: &str) -> &str {
    match outcome {
        "told" => "told in messages",
        "suppressed" => "held back by the hourly limit, told as a number",
        "silenced" => "silenced",
        "inhibited" => "kept back because something worse was told",
        "below" => "not severe enough to be told",
        "unrouted" => "for nobody, as no route names a receiver",
        other => other,
    }
}

impl Digest<'_> {
    /// The letter. Nothing in it comes from a caller.
    pub(crate) fn letter(&self, public_url: &str, domain: &str) -> Letter {
        let (from, until) = (Civil::of(self.from_ms).human(), Civil::of(self.until_ms).human());
        let total: u64 = self.accounts.iter().map(|(.., count)| count).sum();
        let title = format!("Security digest ({})", self.name);
        let lead = format!("{total} events of incidents from {from} to {until}.");
        let (mut text, mut body) = (format!("{title}\n\n{}\n", wrap(&lead, "")), String::new());
        let band = format!("{} DIGEST", self.name.to_uppercase());
        html::open(&mut body, Severity::Low, &band, &title, &lead);
        let waiting = ("waiting to be told".to_owned(), String::new(), self.waiting);
        let rows = self.accounts.iter().chain((self.waiting > 0).then_some(&waiting));
        let mut cells: Vec<(String, String)> = Vec::new();
        for (outcome, category, count) in rows {
            let (meaning, category) = (meaning(outcome), category.replace('_', " "));
            let says =
                if category.is_empty() { meaning.to_owned() } else { format!("{category}: {meaning}") };
            hang(&mut text, &format!("{count:>10}  "), &says);
            cells.push((count.to_string(), says));
        }
        html::table(&mut body, &cells);
        let link = format!("{public_url}/v1/summary");
        // Writing to a string cannot fail.
        let _ = write!(text, "\nThe numbers of now: {link}\n");
        html::note(&mut body, "The numbers of now:", &link);
        if !self.heads.is_empty() {
            let _ = write!(text, "\nFor `alert-relay verify KEYFILE --head`:\n");
            html::heading(&mut body, "For alert-relay verify KEYFILE --head");
        }
        for LogHead { relay, head, at_ms } in self.heads {
            let whose = if self.several { format!(" of {}", clean(relay, 100)) } else { String::new() };
            let says = format!("The log{whose} stood here on {}:", Civil::of(*at_ms).human());
            let _ = writeln!(text, "{}{head}", wrap(&says, ""));
            html::note(&mut body, &says, head);
        }
        html::close(&mut body);
        let (footer, list) = ("Sent by Modelgate alert-relay.", format!("{public_url}/incidents"));
        text::footer(&mut text, footer, &list);
        let html = html::document(html::Around { title: &title, lead: &lead, footer, list: &list }, &body);
        let id = format!("digest-{}-{}-{}", self.name, self.receiver, self.until_ms);
        Letter {
            subject: format!("Security digest: {total} events ({})", self.name),
            report: Report { kind: Kind::Notice, title, lead, link, ..Report::default() },
            text,
            html,
            message_id: format!("<{id}@{domain}>"),
            in_reply_to: None,
            severity: Severity::Low,
            covers: None,
            incident: id,
            thread: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_carries_where_the_log_stood_and_whose_it_is() {
        let head = |relay: &str| LogHead {
            relay: relay.to_owned(),
            head: "31:00ff".to_owned(),
            at_ms: crate::testing::MOMENT,
        };
        let digest = |heads: &[LogHead], several| {
            let accounts = [("told".to_owned(), "jailbreak".to_owned(), 3)];
            Digest {
                name: "daily",
                receiver: "a",
                from_ms: 0,
                until_ms: 1,
                accounts: &accounts,
                waiting: 0,
                heads,
                several,
            }
            .letter("https://x", "d")
        };
        let one = digest(&[head("relay")], false);
        assert!(
            one.text.contains("The log stood here on ") && one.text.contains("\n31:00ff\n"),
            "{}",
            one.text
        );
        assert!(one.html.contains(">31:00ff</span>") && one.html.ends_with("</body></html>"), "{}", one.html);
        let many = digest(&[head("relay <2>"), head("three")], true);
        assert!(
            many.text.contains("The log of relay <2> stood here") && many.html.contains("relay &lt;2&gt;")
        );
        assert!(
            many.text.contains("The log of three stood here") && many.text.matches("31:00ff").count() == 2
        );
        let none = digest(&[], true);
        assert!(!none.text.contains("verify") && none.html.ends_with("</body></html>"), "{}", none.text);
    }
}
