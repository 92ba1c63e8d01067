//! Decisions that the relay makes by itself, where the configuration says so.

use std::{net::IpAddr, time::Duration};

use wire::{Category, DecisionAction, Event, Severity, Subject};

use crate::{
    allow::{self, address_of, meets},
    incident::{self, Incident},
    store::NewDecision,
};

/// What of a caller is decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Its address.
    Address,
    /// The range of its address, once several addresses of it have been noticed.
    Range(Neighbours),
    /// Its API key.
    Key,
    /// Its user.
    User,
}

/// When addresses stand for their range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbours {
    /// So many of them.
    pub addresses: u64,
    /// Within so long.
    pub within: Duration,
    /// First bits that IPv4 addresses of a range share.
    pub ipv4_bits: u8,
    /// And IPv6 addresses.
    pub ipv6_bits: u8,
}

/// How decisions grow for a caller who comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Each lasts so many times as long as the one before.
    pub factor: u32,
    /// But never longer.
    pub longest: Duration,
    /// So long after its end a decision counts as one before.
    pub remember: Duration,
}

/// When a decision is made, and which.
#[derive(Clone, Debug)]
pub struct AutomaticDecision {
    /// Of incidents of this category; any if absent.
    pub category: Option<Category>,
    /// Of incidents at least so severe.
    pub min_severity: Severity,
    /// With their so-many-th event.
    pub events: u64,
    /// About what.
    pub about: About,
    /// What to do.
    pub action: DecisionAction,
    /// Requests a minute, where it throttles.
    pub rate: u32,
    /// For how long the first time.
    pub lasts: Duration,
    /// For how long after that.
    pub growth: Growth,
    /// Never about these addresses and ranges.
    pub except: Vec<Subject>,
}

impl AutomaticDecision {
    /// The decision that an event of an incident brings, if it does. One about a range still waits for its neighbours.
    pub(crate) fn decide(&self, incident: &Incident, event: &Event, now_ms: u64) -> Option<NewDecision> {
        let worst = incident::worst(event)?;
        let fits = self.category.is_none_or(|category| category == incident.key.category)
            && incident.severity >= self.min_severity
            && incident.count >= self.events
            // Who is decided about already and goes on must not be decided about for ever.
            && !worst.rule.starts_with("decision.");
        let subject = self.subject(event).filter(|_| fits)?;
        Some(NewDecision {
            subject,
            action: self.action,
            rate: self.rate,
            until: now_ms / 1000 + self.lasts.as_secs(),
            reason: format!("{} events of an incident, the last one {}", incident.count, worst.rule),
            incident: Some(incident.id),
            automatic: true,
            allows: false,
            by: String::new(),
        })
    }

    fn subject(&self, event: &Event) -> Option<Subject> {
        let address: Option<IpAddr> = address_of(event);
        let subject = match self.about {
            About::Address => address.map(Subject::Address),
            About::Range(of) => address.map(|address| allow::range_of(address, of.ipv4_bits, of.ipv6_bits)),
            About::Key => Subject::parse("key_hash", &event.client.key.as_ref()?.hash),
            About::User => Subject::parse("user", event.client.user.as_deref()?),
        }?;
        let is_excepted = |about: &Subject| self.except.iter().any(|except| meets(except, about));
        let excepted =
            is_excepted(&subject) || address.map(Subject::Address).as_ref().is_some_and(is_excepted);
        (!excepted).then_some(subject)
    }

    /// Under which name the addresses that this rule fits are noted, where it is about ranges.
    pub(crate) fn noted_as(&self) -> String {
        let category = self.category.map_or("any", Category::as_str);
        format!("{category} {} {}", self.min_severity.as_str(), self.events)
    }

    /// The same decision for whom rules have decided about so many times before: it lasts longer, and says so.
    pub(crate) fn grown(&self, new: NewDecision, times: u64, now_ms: u64) -> NewDecision {
        if times == 0 || self.growth.factor <= 1 {
            return new;
        }
        // Beyond 64 doublings everything is longer than the longest.
        let times_longer =
            u64::from(self.growth.factor).saturating_pow(u32::try_from(times.min(64)).unwrap_or(64));
        let seconds = self.lasts.as_secs().saturating_mul(times_longer).min(self.growth.longest.as_secs());
        let reason = format!("{}; decision {} in a row, so for {}", new.reason, times + 1, span(seconds));
        NewDecision { until: now_ms / 1000 + seconds, reason, ..new }
    }
}

/// Seconds in the two greatest units.
fn span(seconds: u64) -> String {
    let units = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (name, size) in units {
        if rest >= size {
            parts.push(format!("{} {name}", rest / size));
            rest %= size;
        }
    }
    parts.truncate(2);
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> AutomaticDecision {
        AutomaticDecision {
            category: None,
            min_severity: Severity::Medium,
            events: 1,
            about: About::Address,
            action: DecisionAction::Block,
            rate: 10,
            lasts: Duration::from_secs(600),
            growth: Growth {
                factor: 3,
                longest: Duration::from_secs(6000),
                remember: Duration::from_secs(86_400),
            },
            except: Vec::new(),
        }
    }

    fn made() -> NewDecision {
        NewDecision {
            subject: Subject::parse("user", "u").unwrap(),
            action: DecisionAction::Block,
            rate: 10,
            until: 1600,
            reason: "r".to_owned(),
            incident: None,
            automatic: true,
            allows: false,
            by: String::new(),
        }
    }

    #[test]
    fn decisions_grow_up_to_the_longest_and_say_so() {
        for (times, until, reason) in [
            (0, 1600, "r"),
            (1, 2800, "r; decision 2 in a row, so for 30 min"),
            (2, 6400, "r; decision 3 in a row, so for 1 h 30 min"),
            (3, 7000, "r; decision 4 in a row, so for 1 h 40 min"),
            (u64::MAX - 1, 7000, "r; decision 18446744073709551615 in a row, so for 1 h 40 min"),
        ] {
            let grown = rule().grown(made(), times, 1_000_000);
            assert_eq!((grown.until, grown.reason.as_str()), (until, reason));
        }
        let mut steady = rule();
        steady.growth.factor = 1;
        assert_eq!(steady.grown(made(), 5, 1_000_000).until, 1600);
    }

    #[test]
    fn spans_are_said_in_two_units() {
        for (seconds, text) in
            [(1, "1 s"), (90, "1 min 30 s"), (3600, "1 h"), (90_061, "1 d 1 h"), (604_800, "7 d")]
        {
            assert_eq!(span(seconds), text);
        }
    }
}
