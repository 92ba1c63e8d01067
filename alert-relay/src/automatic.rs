//! Decisions that the relay makes by itself, where the configuration says so.

use std::{net::IpAddr, time::Duration};

use wire::{Category, DecisionAction, Event, Severity, Subject};

use crate::{
    incident::{self, Incident},
    store::NewDecision,
};

/// What of a caller is decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Its address.
    Address,
    /// Its API key.
    Key,
    /// Its user.
    User,
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
    /// For how long.
    pub lasts: Duration,
    /// Never about these addresses and ranges.
    pub except: Vec<Subject>,
}

impl AutomaticDecision {
    /// The decision that an event of an incident brings, if it does.
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
            by: String::new(),
        })
    }

    fn subject(&self, event: &Event) -> Option<Subject> {
        let address: Option<IpAddr> = event
            .client
            .address
            .as_deref()
            .and_then(|it| it.parse().ok())
            .map(|it: IpAddr| it.to_canonical());
        if address.is_some_and(|address| self.except.iter().any(|subject| covers(subject, address))) {
            return None;
        }
        match self.about {
            About::Address => address.map(Subject::Address),
            About::Key => Subject::parse("key_hash", &event.client.key.as_ref()?.hash),
            About::User => Subject::parse("user", event.client.user.as_deref()?),
        }
    }
}

/// Whether an address is one of these.
fn covers(subject: &Subject, address: IpAddr) -> bool {
    let shares = |differing: u128, all: u32, bits: u8| {
        differing.checked_shr(all.saturating_sub(bits.into())).unwrap_or(0) == 0
    };
    match (subject, address) {
        (Subject::Address(one), other) => *one == other,
        (Subject::Range(IpAddr::V4(first), bits), IpAddr::V4(address)) => {
            shares((first.to_bits() ^ address.to_bits()).into(), 32, *bits)
        }
        (Subject::Range(IpAddr::V6(first), bits), IpAddr::V6(address)) => {
            shares(first.to_bits() ^ address.to_bits(), 128, *bits)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_what_shares_their_first_bits() {
        for (scope, value, address, expected) in [
            ("address", "192.0.2.1", "192.0.2.1", true),
            ("address", "192.0.2.1", "192.0.2.2", false),
            ("cidr", "192.0.2.0/24", "192.0.2.200", true),
            ("cidr", "192.0.2.0/24", "192.0.3.1", false),
            ("cidr", "0.0.0.0/0", "203.0.113.1", true),
            ("cidr", "0.0.0.0/0", "2001:db8::1", false),
            ("cidr", "2001:db8::/32", "2001:db8:1::1", true),
            ("cidr", "::/0", "2001:db8::1", true),
            ("user", "192.0.2.1", "192.0.2.1", false),
        ] {
            let subject = Subject::parse(scope, value).unwrap();
            assert_eq!(covers(&subject, address.parse().unwrap()), expected, "{value} {address}");
        }
    }
}
