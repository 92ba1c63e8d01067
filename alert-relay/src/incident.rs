//! Incidents: events of one model, category and caller, close together in time, as one thing a person can work on.
//!
//! Events of one caller that look alike (see [`template`]) are one incident, others another, up to [`MAX_TEMPLATES`] at a
//! time. It is open until somebody acknowledges or resolves it, or until it has been quiet for the window; what comes
//! soon after that opens it again. Pure: time comes in, nothing is stored or sent here.

pub(crate) mod score;
mod state;
pub(crate) mod template;

use serde::{Deserialize, Serialize};
use wire::{Category, Event, EventId, EventKind, Finding, Severity, Verdict};

use crate::{clock::millis, config::Alerts};

pub(crate) use state::{Change, News, RELAY, State};

/// Most different rules an incident remembers; the count goes on.
const MAX_THREATS: usize = 32;

/// Most incidents of one model, category and caller that take events at a time. A caller who never sends the same twice
/// must not make an incident of each.
pub(crate) const MAX_TEMPLATES: usize = 4;

/// Further events of an incident wait at most so long before they are handed on, whatever was said before.
const LONGEST_WAIT_MS: u64 = 3_600_000;

/// The caller of events without one.
pub(crate) const UNKNOWN_CLIENT: &str = "unknown";

/// What events must share to belong together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// The guarded model.
    pub(crate) model: String,
    /// The category of the worst finding.
    pub(crate) category: Category,
    /// Who called, see [`client_of`].
    pub(crate) client: String,
}

impl Key {
    /// The group an event belongs to; none if it holds nothing to follow up.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        if event.verdict == Verdict::Allow && event.findings.is_empty() {
            return None;
        }
        Some(Self { model: event.model.clone(), category: category_of(event), client: client_of(event) })
    }
}

/// The worst finding: by severity, then by score; the first among equals.
pub(crate) fn worst(event: &Event) -> Option<&Finding> {
    event.findings.iter().rev().max_by_key(|finding| (finding.severity, finding.score))
}

/// The category of the worst finding, or what the kind of event says.
pub(crate) fn category_of(event: &Event) -> Category {
    match (worst(event), event.kind) {
        (Some(finding), _) => finding.category,
        (None, EventKind::RateLimit) => Category::RateLimit,
        (None, EventKind::Guard) => Category::Guard,
        (None, EventKind::Detection | EventKind::Other) => Category::Other,
    }
}

/// Who called, as one word: the key's hash, else the user, else the address.
pub(crate) fn client_of(event: &Event) -> String {
    let client = &event.client;
    match (&client.key, &client.user, &client.address) {
        (Some(key), _, _) => format!("key:{}", key.hash),
        (None, Some(user), _) => format!("user:{user}"),
        (None, None, Some(address)) => format!("address:{address}"),
        (None, None, None) => UNKNOWN_CLIENT.to_owned(),
    }
}

/// A rule seen in an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Threat {
    /// The rule's id.
    pub(crate) rule: String,
    /// What the rule looks for.
    pub(crate) summary: String,
    /// The worst severity it was seen with.
    pub(crate) severity: Severity,
    /// OWASP and ATLAS tags.
    pub(crate) tags: Vec<String>,
    /// How many events had it.
    pub(crate) count: u64,
}

/// How far the rest of the relay knows of an incident: its events are handed on to those who are told (see
/// `store::groups`), and counted by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notify {
    /// When further events are to be handed on, Unix milliseconds; none if there are none.
    pub(crate) due_ms: Option<u64>,
    /// Messages that were about it.
    pub(crate) sequence: u64,
    /// Not before this moment: those who would be told wait until then anyway.
    pub(crate) last_ms: u64,
    /// Events handed on.
    pub(crate) count: u64,
    /// The severity then.
    pub(crate) severity: Option<Severity>,
}

/// One incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incident {
    /// Its id, a UUIDv7.
    pub(crate) id: EventId,
    /// What its events share.
    pub(crate) key: Key,
    /// How bad it is: the worst severity so far, raised by count and spread.
    pub(crate) severity: Severity,
    /// The worst severity that an event had.
    pub(crate) base: Severity,
    /// What has become of it.
    pub(crate) state: State,
    /// Since when, Unix milliseconds.
    pub(crate) state_ms: u64,
    /// Who brought it there: a person's name, or `relay`.
    pub(crate) state_by: String,
    /// The state that was handed on to those who are told; none since it last changed, also where it changed back.
    pub(crate) told_state: Option<State>,
    /// What its events look like, see [`template`].
    pub(crate) template: u64,
    /// The same for people.
    pub(crate) label: String,
    /// The highest score of an event, in thousandths.
    pub(crate) confidence: u16,
    /// Callers of the campaign it belongs to, this one included.
    pub(crate) spread: u64,
    /// The campaign, once it belongs to one.
    pub(crate) campaign: Option<EventId>,
    /// Where its latest event was seen.
    pub(crate) surface: String,
    /// Entries of its timeline.
    pub(crate) entries: u64,
    /// Entries that are not stored yet.
    pub(crate) news: Vec<News>,
    /// The earliest event, Unix milliseconds.
    pub(crate) first_ms: u64,
    /// The latest event.
    pub(crate) last_ms: u64,
    /// When the last event was stored; the window runs from here, whatever the senders' clocks say.
    pub(crate) updated_ms: u64,
    /// Number of events.
    pub(crate) count: u64,
    /// Number of events that were refused.
    pub(crate) refused: u64,
    /// The rules seen, in the order of their first sight.
    pub(crate) threats: Vec<Threat>,
    /// What was told of it.
    pub(crate) notify: Notify,
}

impl Incident {
    /// A new incident without events.
    pub(crate) fn open(id: EventId, key: Key, now_ms: u64) -> Self {
        Self {
            id,
            key,
            severity: Severity::Low,
            base: Severity::Low,
            state: State::Open,
            state_ms: now_ms,
            state_by: state::RELAY.to_owned(),
            told_state: Some(State::Open),
            template: 0,
            label: String::new(),
            confidence: 0,
            spread: 1,
            campaign: None,
            surface: String::new(),
            entries: 0,
            news: Vec::new(),
            first_ms: u64::MAX,
            last_ms: 0,
            updated_ms: now_ms,
            count: 0,
            refused: 0,
            threats: Vec::new(),
            notify: Notify::default(),
        }
    }

    /// Whether it has not been quiet for the whole window.
    pub(crate) fn is_live(&self, now_ms: u64, alerts: &Alerts) -> bool {
        now_ms.saturating_sub(self.updated_ms) <= millis(alerts.incident_window)
    }

    /// Whether an event stored at `now_ms` belongs to it: it is not resolved, or so shortly that it is opened again.
    pub(crate) fn takes_events(&self, now_ms: u64, alerts: &Alerts) -> bool {
        let ended = match self.state {
            State::Resolved => self.state_ms,
            _ if self.is_live(now_ms, alerts) => return true,
            _ => self.updated_ms.saturating_add(millis(alerts.incident_window)),
        };
        now_ms.saturating_sub(ended) < millis(alerts.reopen_window)
    }

    /// Takes in one event of the moment that it names.
    pub(crate) fn add(&mut self, event: &Event, now_ms: u64, alerts: &Alerts) {
        self.add_at(event, event.time_ms.min(now_ms), now_ms, alerts);
    }

    /// Takes in one event of the moment `at`, and sets when the next mail is due.
    pub(crate) fn add_at(&mut self, event: &Event, at: u64, now_ms: u64, alerts: &Alerts) {
        if self.count == 0 {
            self.template = template::sketch(event);
            self.label = template::label(event);
        } else {
            self.wake(now_ms, alerts);
        }
        self.first_ms = self.first_ms.min(at);
        self.last_ms = self.last_ms.max(at);
        self.updated_ms = now_ms;
        self.count += 1;
        self.refused += u64::from(matches!(event.verdict, Verdict::Block | Verdict::Throttle));
        let least = alerts.policy.least(self.key.category);
        self.base = self.base.max(event.severity).max(least);
        self.confidence = self.confidence.max(event.score.thousandths());
        event.surface.as_str().clone_into(&mut self.surface);
        let mut seen: Vec<&str> = Vec::new();
        for finding in &event.findings {
            self.base = self.base.max(finding.severity);
            if !seen.contains(&finding.rule.as_str()) {
                seen.push(&finding.rule);
                self.add_threat(finding);
            }
        }
        self.judge(now_ms, alerts);
        self.notify.due_ms = Some(self.due(now_ms));
    }

    fn add_threat(&mut self, finding: &Finding) {
        if let Some(known) = self.threats.iter_mut().find(|threat| threat.rule == finding.rule) {
            known.count += 1;
            known.severity = known.severity.max(finding.severity);
        } else if self.threats.len() < MAX_THREATS {
            self.threats.push(Threat {
                rule: finding.rule.clone(),
                summary: finding.summary.clone(),
                severity: finding.severity,
                tags: finding.owasp.iter().chain(&finding.atlas).cloned().collect(),
                count: 1,
            });
        }
    }

    /// When its events are to be handed on after one at `now_ms`; never later than already set.
    fn due(&self, now_ms: u64) -> u64 {
        let urgent = self.severity == Severity::Critical && self.notify.severity != Some(Severity::Critical);
        // A clock that was put back does not keep it for as long.
        let not_before = self.notify.last_ms.min(now_ms.saturating_add(LONGEST_WAIT_MS));
        let due = if urgent { now_ms } else { now_ms.max(not_before) };
        self.notify.due_ms.map_or(due, |set| set.min(due))
    }

    /// Notes that all its events were handed on; further ones are not before `next_ms`.
    pub(crate) fn handed_on(&mut self, next_ms: u64) {
        self.notify.due_ms = None;
        self.notify.last_ms = next_ms;
        self.notify.count = self.count;
        self.notify.severity = Some(self.severity);
    }
}

#[cfg(test)]
mod tests;
