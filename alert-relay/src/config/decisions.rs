//! What the configuration says about decisions: rules that make them, and whom none may be about.

use std::{sync::Arc, time::Duration};

use wire::{Category, DecisionAction, Severity, Subject};

use super::{
    check::{Check, written},
    raw,
};
use crate::automatic::{About, AutomaticDecision, Growth, Neighbours};

/// Most rules for automatic decisions; each is looked at for every event.
const MAX_AUTOMATIC_DECISIONS: usize = 16;
/// Most callers allowed here; each is held against whatever is decided.
const MAX_ALLOWED: usize = 1000;
/// Longest decision, and longest memory: a year, in seconds.
const YEAR: u64 = 366 * 86_400;
/// The longest a decision grows unless said otherwise.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

impl Check<'_> {
    pub(super) fn automatic_decisions(&mut self, raw: &[raw::AutomaticDecision]) -> Vec<AutomaticDecision> {
        let mut decisions = Vec::new();
        for (at, raw) in raw.iter().enumerate() {
            match automatic_decision(raw) {
                Ok(decision) => decisions.push(decision),
                Err(reason) => self.errors.push(format!("automatic_decisions[{at}].{reason}")),
            }
        }
        if decisions.len() > MAX_AUTOMATIC_DECISIONS {
            self.errors.push(format!("automatic_decisions: more than {MAX_AUTOMATIC_DECISIONS}"));
        }
        decisions
    }

    pub(super) fn allowed(&mut self, raw: &raw::Allow) -> Arc<[Subject]> {
        let addresses = raw.addresses.iter().map(|text| network(text).map_err(|e| format!("addresses: {e}")));
        let keys = raw.key_hashes.iter().map(|text| {
            Subject::parse("key_hash", text)
                .ok_or_else(|| format!("key_hashes: {text:?} is no hash of 32 hex digits, as events show it"))
        });
        let users = raw.users.iter().map(|text| {
            Subject::parse("user", text)
                .ok_or_else(|| format!("users: {text:?} is no user, as events show it"))
        });
        let mut allowed = Vec::new();
        for subject in addresses.chain(keys).chain(users) {
            match subject {
                Ok(subject) => allowed.push(subject),
                Err(reason) => self.errors.push(format!("allow.{reason}")),
            }
        }
        if allowed.len() > MAX_ALLOWED {
            self.errors.push(format!("allow: more than {MAX_ALLOWED} callers"));
        }
        allowed.into()
    }
}

/// An address or a range.
fn network(text: &str) -> Result<Subject, String> {
    Subject::parse("address", text)
        .or_else(|| Subject::parse("cidr", text))
        .ok_or_else(|| format!("{text:?} is neither an address nor a range that begins with its first one"))
}

fn automatic_decision(raw: &raw::AutomaticDecision) -> Result<AutomaticDecision, String> {
    if raw.category == Some(Category::Other) {
        return Err("category: no category".to_owned());
    }
    if raw.events == 0 {
        return Err("events: 1 or more".to_owned());
    }
    let action = DecisionAction::parse(&raw.action)
        .filter(|action| *action != DecisionAction::Lift)
        .ok_or_else(|| format!("action: {:?} is none of block, throttle, monitor", raw.action))?;
    let rate = raw.rate.unwrap_or(10);
    if !(1..=60_000).contains(&rate) {
        return Err("rate: from 1 to 60000 requests a minute".to_owned());
    }
    let lasts = written(raw.lasts, Duration::from_secs(3600));
    if !(1..=YEAR).contains(&lasts.as_secs()) {
        return Err("lasts: from 1s to a year".to_owned());
    }
    let except = raw.except.iter().map(|text| network(text).map_err(|e| format!("except: {e}")));
    Ok(AutomaticDecision {
        category: raw.category,
        min_severity: raw.min_severity.unwrap_or(Severity::Medium),
        events: raw.events,
        about: about(raw)?,
        action,
        rate,
        lasts,
        growth: growth(raw, lasts)?,
        except: except.collect::<Result<_, _>>()?,
    })
}

fn growth(raw: &raw::AutomaticDecision, lasts: Duration) -> Result<Growth, String> {
    let growth = Growth {
        factor: raw.factor.unwrap_or(2),
        longest: written(raw.longest, LONGEST.max(lasts)),
        remember: written(raw.remember, Duration::from_secs(86_400)),
    };
    if !(1..=100).contains(&growth.factor) {
        return Err("factor: from 1 (always the same) to 100".to_owned());
    }
    if growth.longest < lasts || growth.longest.as_secs() > YEAR {
        return Err("longest: from what it lasts the first time to a year".to_owned());
    }
    if growth.remember.as_secs() > YEAR {
        return Err("remember: at most a year".to_owned());
    }
    Ok(growth)
}

fn about(raw: &raw::AutomaticDecision) -> Result<About, String> {
    let about = match raw.about.as_deref().unwrap_or("address") {
        "address" => About::Address,
        "range" => About::Range(neighbours(raw)?),
        "key" => About::Key,
        "user" => About::User,
        other => return Err(format!("about: {other:?} is none of address, range, key, user")),
    };
    let of_ranges = [
        ("addresses", raw.addresses.is_some()),
        ("within", raw.within.is_some()),
        ("ipv4_bits", raw.ipv4_bits.is_some()),
        ("ipv6_bits", raw.ipv6_bits.is_some()),
    ];
    match of_ranges.iter().find(|(_, is_set)| *is_set) {
        Some((name, _)) if !matches!(about, About::Range(_)) => {
            Err(format!("{name}: only where it is about a range"))
        }
        _ => Ok(about),
    }
}

fn neighbours(raw: &raw::AutomaticDecision) -> Result<Neighbours, String> {
    let neighbours = Neighbours {
        addresses: raw.addresses.unwrap_or(3),
        within: written(raw.within, Duration::from_secs(3600)),
        ipv4_bits: raw.ipv4_bits.unwrap_or(24),
        ipv6_bits: raw.ipv6_bits.unwrap_or(64),
    };
    if !(2..=256).contains(&neighbours.addresses) {
        return Err("addresses: from 2 to 256".to_owned());
    }
    if !(1..=30 * 86_400).contains(&neighbours.within.as_secs()) {
        return Err("within: from 1s to 30d".to_owned());
    }
    // Shorter ones are whole providers and countries: for people to decide.
    if !(16..=31).contains(&neighbours.ipv4_bits) {
        return Err("ipv4_bits: from 16 to 31".to_owned());
    }
    if !(32..=127).contains(&neighbours.ipv6_bits) {
        return Err("ipv6_bits: from 32 to 127".to_owned());
    }
    Ok(neighbours)
}
