//! What becomes of an incident, and what its timeline tells of that.

use wire::Severity;

use super::Incident;
use crate::config::Alerts;

/// Most entries that the relay writes into a timeline by itself; people's go on to twice as many.
const MAX_ENTRIES: u64 = 200;
/// Who acts where no person does.
pub(crate) const RELAY: &str = "relay";

/// What has become of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nobody has taken it up.
    Open,
    /// Somebody has.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl State {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Open, Self::Acknowledged, Self::Resolved];

    /// The word used in the interface and the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }

    /// Back from [`Self::as_str`].
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// An entry of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    /// When, Unix milliseconds.
    pub(crate) at_ms: u64,
    /// What kind of thing happened: `opened`, `raised`, `mailed`, `acknowledged` and so on.
    pub(crate) what: String,
    /// Who did it.
    pub(crate) by: String,
    /// More about it.
    pub(crate) text: String,
}

/// What somebody does to an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Takes it up.
    Acknowledge,
    /// Says that it is over.
    Resolve,
    /// Says that it is not.
    Reopen,
    /// Says something.
    Comment(String),
    /// Nobody: it is over if it has been quiet for the window.
    Settle,
}

impl Change {
    /// The word of the audit log.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Resolve | Self::Settle => "resolve",
            Self::Reopen => "reopen",
            Self::Comment(_) => "comment",
        }
    }
}

impl Incident {
    /// Adds to the timeline, as long as there is room.
    pub(crate) fn tell(&mut self, at_ms: u64, what: &str, by: &str, text: String) {
        let most = if by == RELAY { MAX_ENTRIES } else { 2 * MAX_ENTRIES };
        if self.entries < most {
            self.entries += 1;
            self.news.push(News { at_ms, what: what.to_owned(), by: by.to_owned(), text });
        }
    }

    /// Does what somebody wants. False if it is so already; then nothing changes.
    pub(crate) fn change(
        &mut self,
        change: &Change,
        by: &str,
        text: &str,
        now_ms: u64,
        alerts: &Alerts,
    ) -> bool {
        let to = match change {
            Change::Acknowledge if self.state == State::Open => State::Acknowledged,
            Change::Resolve if self.state != State::Resolved => State::Resolved,
            Change::Settle if self.state != State::Resolved && !self.is_live(now_ms, alerts) => {
                State::Resolved
            }
            Change::Reopen if self.state == State::Resolved => State::Open,
            Change::Comment(comment) => {
                self.tell(now_ms, "commented", by, comment.clone());
                return true;
            }
            _ => return false,
        };
        let what = match to {
            State::Open => "reopened",
            State::Acknowledged => "acknowledged",
            State::Resolved => "resolved",
        };
        self.turn(to, by, now_ms);
        self.tell(now_ms, what, by, text.to_owned());
        true
    }

    fn turn(&mut self, to: State, by: &str, now_ms: u64) {
        self.state = to;
        self.told_state = None;
        self.state_ms = now_ms;
        by.clone_into(&mut self.state_by);
    }

    /// An event came: what was over is not.
    pub(super) fn wake(&mut self, now_ms: u64, alerts: &Alerts) {
        if self.state == State::Resolved {
            self.turn(State::Open, RELAY, now_ms);
            self.tell(now_ms, "reopened", RELAY, "further events came".to_owned());
        } else if !self.is_live(now_ms, alerts) {
            self.tell(now_ms, "resumed", RELAY, "further events came after a quiet time".to_owned());
        }
    }

    /// Makes it at least so severe, and says why.
    pub(crate) fn lift(&mut self, to: Severity, why: &str, now_ms: u64) {
        if self.severity < to {
            let text = format!("{} to {}: {why}", self.severity.as_str(), to.as_str());
            self.severity = to;
            self.tell(now_ms, "raised", RELAY, text);
        }
    }

    /// How bad it is now: the worst event, a step worse for many events, another for many callers. Only what is high by
    /// itself turns critical so, and only by both.
    pub(crate) fn judge(&mut self, now_ms: u64, alerts: &Alerts) {
        let (many, wide) = (self.count >= alerts.raise_events, self.spread >= alerts.raise_clients);
        let raised = match self.base {
            Severity::Low if many && wide => Severity::High,
            Severity::Low if many || wide => Severity::Medium,
            Severity::Medium if many || wide => Severity::High,
            Severity::High if many && wide => Severity::Critical,
            base => base,
        };
        let before = self.severity;
        // What was said to be bad does not become harmless because a number was changed.
        self.severity = before.max(raised);
        if self.news.is_empty() && self.entries == 0 {
            self.tell(now_ms, "opened", RELAY, format!("{}, {}", self.severity.as_str(), self.label));
        } else if self.severity > before {
            let why = format!(
                "{} to {}: {} events, {} callers",
                before.as_str(),
                self.severity.as_str(),
                self.count,
                self.spread
            );
            self.tell(now_ms, "raised", RELAY, why);
            if self.state == State::Acknowledged {
                self.turn(State::Open, RELAY, now_ms);
                self.tell(now_ms, "reopened", RELAY, "it is worse than when it was acknowledged".to_owned());
            }
        }
    }
}
