//! Who is told, when, and when not: raw configuration to [`Policy`].

use std::time::Duration;

use wire::{Category, Severity};

use super::{Receiver, check::Check, duration::Written, raw, written};
use crate::{
    clock,
    route::{Conditions, Digest, Inhibition, Matcher, Policy, Route, Silence, Window, is_label},
};

/// Most routes, silences or inhibitions.
const MAX_ROUTES: usize = 100;
/// Most conditions of one of them.
const MAX_MATCHERS: usize = 16;
/// The deepest tree of routes.
const MAX_DEPTH: usize = 5;
/// The receiver that is told only when others cannot be reached.
const ALARM: &str = "alarm";
/// Messages an hour to each receiver, unless said otherwise.
const MAX_PER_HOUR: u64 = 12;

impl Check<'_> {
    /// The whole policy.
    pub(super) fn policy(&mut self, raw: &raw::Telling<'_>, receivers: &[Receiver]) -> Policy {
        let names: Vec<&str> = receivers.iter().map(|receiver| receiver.name.as_str()).collect();
        let windows = self.windows(raw.mute_windows);
        let alerts = raw.alerts;
        let escalated: Vec<&String> = raw
            .routes
            .iter()
            .filter_map(|route| route.escalate_to.as_ref())
            .chain(&alerts.escalate_to)
            .collect();
        let everybody = names
            .iter()
            .filter(|name| **name != ALARM && escalated.iter().all(|other| other != *name))
            .map(|name| (*name).to_owned())
            .collect();
        for (key, count) in [("silences", raw.silences.len()), ("inhibitions", raw.inhibitions.len())] {
            if count > MAX_ROUTES {
                self.errors.push(format!("{key}: more than {MAX_ROUTES}"));
            }
        }
        let mut root = Route {
            matchers: Vec::new(),
            receivers: alerts.receivers.clone().unwrap_or(everybody),
            group_by: alerts.group_by.clone().unwrap_or_else(|| vec!["campaign".to_owned()]),
            group_wait: written(alerts.group_wait, Duration::from_secs(5)),
            group_interval: written(alerts.group_interval, Duration::from_secs(300)),
            repeat_interval: written(alerts.repeat_interval, Duration::from_secs(4 * 3600)),
            escalation: self.escalation("alerts", alerts.escalate_after, alerts.escalate_to.as_ref(), None),
            mute: Vec::new(),
            max_per_hour: alerts.max_per_hour.unwrap_or(MAX_PER_HOUR).max(1),
            continues: false,
            routes: Vec::new(),
        };
        self.check_route("alerts", &root, &names);
        let mut left = MAX_ROUTES;
        let above = root.clone();
        root.routes = self.routes("routes", raw.routes, &above, &names, &windows, (&mut left, 1));
        Policy {
            root,
            silences: raw.silences.iter().enumerate().filter_map(|(at, raw)| self.silence(at, raw)).collect(),
            inhibitions: self.inhibitions(raw.inhibitions),
            conditions: self.conditions(raw.conditions),
            severities: self.severities(raw.severities),
            campaign_clients: alerts.campaign_clients.unwrap_or(5).max(2),
            digest: self.digest(raw.digest, &names),
        }
    }

    fn windows(&mut self, raw: &[raw::MuteWindow]) -> Vec<(String, Window)> {
        let mut windows = Vec::new();
        for (at, raw) in raw.iter().enumerate() {
            if windows.iter().any(|(known, _)| *known == raw.name) {
                self.errors.push(format!("mute_windows[{at}].name: {:?} is taken", raw.name));
            }
            match Window::new(&raw.days, &raw.from, &raw.to, raw.offset.as_deref().unwrap_or("UTC")) {
                Ok(window) => windows.push((raw.name.clone(), window)),
                Err(reason) => self.errors.push(format!("mute_windows[{at}]: {reason}")),
            }
        }
        windows
    }

    fn routes(
        &mut self,
        key: &str,
        raw: &[raw::Route],
        above: &Route,
        names: &[&str],
        windows: &[(String, Window)],
        (left, depth): (&mut usize, usize),
    ) -> Vec<Route> {
        let mut routes = Vec::new();
        for (at, raw) in raw.iter().enumerate() {
            let key = format!("{key}[{at}]");
            if *left == 0 || depth > MAX_DEPTH {
                self.errors
                    .push(format!("{key}: more than {MAX_ROUTES} routes, or more than {MAX_DEPTH} deep"));
                return routes;
            }
            *left -= 1;
            let mut route = Route {
                matchers: self.matchers(&format!("{key}.match"), &raw.matchers),
                receivers: raw.receivers.clone().unwrap_or_else(|| above.receivers.clone()),
                group_by: raw.group_by.clone().unwrap_or_else(|| above.group_by.clone()),
                group_wait: written(raw.group_wait, above.group_wait),
                group_interval: written(raw.group_interval, above.group_interval),
                repeat_interval: written(raw.repeat_interval, above.repeat_interval),
                escalation: self.escalation(
                    &key,
                    raw.escalate_after,
                    raw.escalate_to.as_ref(),
                    above.escalation.clone(),
                ),
                mute: above.mute.clone(),
                max_per_hour: raw.max_per_hour.unwrap_or(above.max_per_hour).max(1),
                continues: raw.continues,
                routes: Vec::new(),
            };
            for name in &raw.mute {
                match windows.iter().find(|(known, _)| known == name) {
                    Some((_, window)) => route.mute.push(window.clone()),
                    None => self.errors.push(format!("{key}.mute: there is no mute window {name:?}")),
                }
            }
            self.check_route(&key, &route, names);
            let below = format!("{key}.routes");
            route.routes =
                self.routes(&below, &raw.routes, &route.clone(), names, windows, (left, depth + 1));
            routes.push(route);
        }
        routes
    }

    fn check_route(&mut self, key: &str, route: &Route, names: &[&str]) {
        let escalated = route.escalation.iter().map(|(_, receiver)| receiver);
        for receiver in route.receivers.iter().chain(escalated) {
            if !names.contains(&receiver.as_str()) {
                self.errors.push(format!("{key}: there is no receiver {receiver:?}"));
            }
        }
        for label in &route.group_by {
            if !is_label(label) || label == "rule" {
                self.errors.push(format!("{key}.group_by: {label:?} is nothing to group by"));
            }
        }
    }

    fn escalation(
        &mut self,
        key: &str,
        after: Option<Written>,
        to: Option<&String>,
        above: Option<(Duration, String)>,
    ) -> Option<(Duration, String)> {
        match (after, to) {
            (Some(Written(after)), Some(to)) => Some((after, to.clone())),
            (None, None) => above,
            _ => {
                self.errors.push(format!("{key}: escalate_after and escalate_to are both needed"));
                None
            }
        }
    }

    fn matchers(&mut self, key: &str, texts: &[String]) -> Vec<Matcher> {
        if texts.len() > MAX_MATCHERS {
            self.errors.push(format!("{key}: more than {MAX_MATCHERS}"));
        }
        let mut matchers = Vec::new();
        for text in texts.iter().take(MAX_MATCHERS) {
            match Matcher::parse(text) {
                Ok(matcher) => matchers.push(matcher),
                Err(reason) => self.errors.push(format!("{key}: {reason}")),
            }
        }
        matchers
    }

    fn silence(&mut self, at: usize, raw: &raw::Silence) -> Option<Silence> {
        let key = format!("silences[{at}]");
        if raw.matchers.is_empty() || raw.by.trim().is_empty() || raw.reason.trim().is_empty() {
            self.errors.push(format!("{key}: match, by and reason are needed"));
        }
        let matchers = self.matchers(&format!("{key}.match"), &raw.matchers);
        let mut moment = |name: &str, text: &str| {
            let read = clock::parse_iso(text);
            if read.is_none() {
                self.errors.push(format!("{key}.{name}: {text:?} is no moment such as 2026-12-01T08:00:00Z"));
            }
            read
        };
        let from_ms = match &raw.from {
            Some(text) => moment("from", text)?,
            None => 0,
        };
        Some(Silence { matchers, from_ms, until_ms: moment("until", &raw.until)? })
    }

    fn inhibitions(&mut self, raw: &[raw::Inhibition]) -> Vec<Inhibition> {
        let mut inhibitions = Vec::new();
        for (at, raw) in raw.iter().enumerate() {
            let key = format!("inhibitions[{at}]");
            if raw.source.is_empty() || raw.target.is_empty() {
                self.errors.push(format!("{key}: source and target are needed"));
            }
            for label in raw.equal.iter().filter(|label| !is_label(label)) {
                self.errors.push(format!("{key}.equal: {label:?} is no label"));
            }
            inhibitions.push(Inhibition {
                source: self.matchers(&format!("{key}.source"), &raw.source),
                target: self.matchers(&format!("{key}.target"), &raw.target),
                equal: raw.equal.clone(),
            });
        }
        inhibitions
    }

    /// With the numbers of the systems before this one.
    fn conditions(&mut self, raw: &raw::Conditions) -> Conditions {
        let score = raw.anomaly_score.unwrap_or(0.8);
        if !(0.0..=1.0).contains(&score) {
            self.errors.push("conditions.anomaly_score: from 0 to 1".to_owned());
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
        let anomaly_score = (score.clamp(0.0, 1.0) * 1000.0).round() as u64;
        Conditions {
            failed_authentications_per_minute: raw.failed_authentications_per_minute.unwrap_or(10),
            anomaly_score,
            rate_limit_violations_per_hour: raw.rate_limit_violations_per_hour.unwrap_or(5),
            suspicious_inputs_per_hour: raw.suspicious_inputs_per_hour.unwrap_or(20),
        }
    }

    fn severities(
        &mut self,
        raw: &std::collections::BTreeMap<String, Severity>,
    ) -> Vec<(Category, Severity)> {
        let mut severities = Vec::new();
        for (word, severity) in raw {
            // The words of the systems before this one, and the categories.
            let categories: &[Category] = match word.as_str() {
                "authentication_failure" => &[Category::Authentication],
                "rate_limit_exceeded" => &[Category::RateLimit],
                "suspicious_input" => &[
                    Category::PromptInjection,
                    Category::WebPayload,
                    Category::Structure,
                    Category::InvalidInput,
                ],
                "privilege_escalation" => &[Category::Jailbreak, Category::PromptExtraction],
                "data_breach" => &[Category::Exfiltration],
                word => match serde_json::from_value(serde_json::Value::from(word)) {
                    Ok(category) if category != Category::Other => {
                        severities.push((category, *severity));
                        continue;
                    }
                    _ => {
                        self.errors
                            .push(format!("severities: {word:?} is neither a type of event nor a category"));
                        continue;
                    }
                },
            };
            severities.extend(categories.iter().map(|category| (*category, *severity)));
        }
        severities
    }

    fn digest(&mut self, raw: &raw::Digest, names: &[&str]) -> Digest {
        let daily = match raw.daily.as_deref().unwrap_or("07:00") {
            "off" => None,
            text => self.digest_time("daily", crate::route::minute(text)),
        };
        let weekly = match raw.weekly.as_deref().unwrap_or("off") {
            "off" => None,
            text => {
                let read = text
                    .split_once(' ')
                    .and_then(|(day, time)| Some((crate::route::day_of(day)?, crate::route::minute(time)?)));
                self.digest_time("weekly", read)
            }
        };
        let receivers = raw.receivers.clone().unwrap_or_default();
        for receiver in receivers.iter().filter(|receiver| !names.contains(&receiver.as_str())) {
            self.errors.push(format!("digest.receivers: there is no receiver {receiver:?}"));
        }
        Digest { daily, weekly, receivers }
    }

    fn digest_time<T>(&mut self, key: &str, read: Option<T>) -> Option<T> {
        if read.is_none() {
            self.errors.push(format!("digest.{key}: a time such as 07:00 (weekly: mon 07:00), or off"));
        }
        read
    }
}
