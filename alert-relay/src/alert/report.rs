//! What a message says, for machines: the content of every channel but mail.

use serde::{Deserialize, Serialize};
use wire::{Score, Severity};

use super::clean::clean;
use crate::{incident::Incident, store::StoredEvent};

/// Longest string kept, in characters.
const MAX_CHARS: usize = 300;
/// Rules named.
const RULES: usize = 10;
/// Events named.
const EVENTS: usize = 20;

/// What happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// Something that is about no single incident, such as a digest.
    #[default]
    #[serde(rename = "notice")]
    Notice,
    /// An incident is told of for the first time.
    #[serde(rename = "incident.opened")]
    Opened,
    /// More of it.
    #[serde(rename = "incident.continued")]
    Continued,
    /// Somebody has taken it on.
    #[serde(rename = "incident.acknowledged")]
    Acknowledged,
    /// It is over.
    #[serde(rename = "incident.resolved")]
    Resolved,
    /// It is not over, or nobody is at it any more.
    #[serde(rename = "incident.reopened")]
    Reopened,
    /// Somebody wanted to see whether messages arrive.
    #[serde(rename = "test")]
    Test,
}

impl Kind {
    /// The word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Opened => "incident.opened",
            Self::Continued => "incident.continued",
            Self::Acknowledged => "incident.acknowledged",
            Self::Resolved => "incident.resolved",
            Self::Reopened => "incident.reopened",
            Self::Test => "test",
        }
    }
}

/// The content. Strings from outside are of bounded length, with nothing hidden; they are escaped where they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// What happened.
    pub(crate) kind: Kind,
    /// In a line.
    pub(crate) title: String,
    /// In a sentence or two.
    pub(crate) lead: String,
    /// Where people read on.
    pub(crate) link: String,
    /// The guarded model.
    pub(crate) model: String,
    /// The category's word; empty if there is none.
    pub(crate) category: String,
    /// What the incident's events share of their caller.
    pub(crate) client: String,
    /// The latest event's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// The latest event's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// The first event, Unix milliseconds; 0 if there is none.
    pub(crate) first_ms: u64,
    /// The latest event, Unix milliseconds; 0 if there is none.
    pub(crate) last_ms: u64,
    /// Events.
    pub(crate) count: u64,
    /// Those refused.
    pub(crate) refused: u64,
    /// The highest score of the latest events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) score: Option<Score>,
    /// Rules seen, the worst first.
    pub(crate) rules: Vec<Rule>,
    /// The latest events' ids.
    pub(crate) events: Vec<String>,
}

/// A rule that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    /// Its id.
    pub(crate) rule: String,
    /// What it looks for.
    pub(crate) summary: String,
    /// The worst severity it was seen with.
    pub(crate) severity: Severity,
    /// How many events had it.
    pub(crate) count: u64,
    /// OWASP and ATLAS tags.
    pub(crate) tags: Vec<String>,
}

impl Report {
    /// Of an incident as it stands, with its latest events (newest first).
    pub(super) fn of(
        kind: Kind,
        (title, lead, link): (&str, &str, &str),
        incident: &Incident,
        events: &[StoredEvent],
    ) -> Self {
        let short = |text: &str| clean(text, MAX_CHARS);
        let mut threats: Vec<_> = incident.threats.iter().collect();
        threats.sort_by_key(|threat| std::cmp::Reverse((threat.severity, threat.count)));
        let rules = threats.into_iter().take(RULES).map(|threat| Rule {
            rule: short(&threat.rule),
            summary: short(&threat.summary),
            severity: threat.severity,
            count: threat.count,
            tags: threat.tags.iter().take(RULES).map(|tag| short(tag)).collect(),
        });
        let client = events.first().map(|stored| &stored.event.client);
        Self {
            kind,
            title: title.to_owned(),
            lead: lead.to_owned(),
            link: link.to_owned(),
            model: short(&incident.key.model),
            category: incident.key.category.as_str().to_owned(),
            client: short(&incident.key.client),
            address: client.and_then(|client| client.address.as_deref()).map(short),
            user: client.and_then(|client| client.user.as_deref()).map(short),
            first_ms: incident.first_ms.min(incident.last_ms),
            last_ms: incident.last_ms,
            count: incident.count,
            refused: incident.refused,
            score: events.iter().map(|stored| stored.event.score).max(),
            rules: rules.collect(),
            events: events.iter().take(EVENTS).map(|stored| stored.event.id.to_string()).collect(),
        }
    }
}
