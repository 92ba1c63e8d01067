//! Handing on: which groups the further events of an incident go to.

use std::collections::{BTreeMap, HashMap};

use wire::{Category, EventId};

use super::{
    super::{apply::Group, db::DbError, incidents, silences},
    AlertGroup,
    accounts::Fate,
    campaign::Campaign,
    find, retire,
};
use crate::{
    clock::millis,
    incident::{Incident, Key, State},
    route::{Labels, Policy, Route, all_match},
};

/// What nobody is told of is counted so often.
const UNTOLD_EVERY_MS: u64 = 5000;
/// The labels of an incident.
pub(super) fn labels(incident: &Incident) -> Labels {
    let mut labels = Labels::default();
    labels.add("category", incident.key.category.as_str());
    labels.add("severity", incident.severity.as_str());
    labels.add("model", &incident.key.model);
    labels.add("client", &incident.key.client);
    labels.add("surface", &incident.surface);
    labels.add("incident", &incident.id.to_string());
    if let Some(campaign) = incident.campaign {
        labels.add("campaign", &campaign.to_string());
    }
    for threat in &incident.threats {
        labels.add("rule", &threat.rule);
    }
    labels
}

/// What an incident shares with those it is told with. A campaign of few callers is none: each is told by itself.
fn group_key(route: &Route, incident: &Incident, labels: &Labels, policy: &Policy) -> String {
    let value = |name: &String| -> String {
        if name == "campaign" {
            return match incident.campaign {
                Some(campaign) if incident.spread >= policy.campaign_clients => campaign.to_string(),
                _ => incident.id.to_string(),
            };
        }
        labels.of(name).next().unwrap_or_default().to_owned()
    };
    route.group_by.iter().map(value).collect::<Vec<_>>().join("\u{1f}")
}
/// What a round of handing on needs again and again.
#[derive(Default)]
pub(super) struct Round {
    pub(super) campaigns: HashMap<Category, Vec<Campaign>>,
    accounts: BTreeMap<(String, Fate, Category), u64>,
    silences: Vec<silences::Active>,
    inhibiting: Vec<(EventId, Labels)>,
}

impl Group<'_> {
    /// Hands the further events of incidents on. How many incidents had some.
    pub(in crate::store) fn hand_on(&mut self, incidents: &[(EventId, Key)]) -> Result<u64, DbError> {
        let policy = std::sync::Arc::clone(&self.alerts.policy);
        let mut round =
            Round { silences: silences::active(self.db, self.storing.now_ms)?, ..Round::default() };
        if !policy.inhibitions.is_empty() {
            round.inhibiting = self.inhibiting(&policy)?;
        }
        let mut handed = 0;
        for (id, _) in incidents {
            self.load(*id)?;
            let Some(mut incident) = self.incidents.remove(id) else { continue };
            let turned = incident.told_state != Some(incident.state);
            let is_due = incident.notify.due_ms.is_some_and(|due| due <= self.storing.now_ms);
            let result = match is_due || !turned {
                true => self.hand_on_one(&mut incident, &policy, &mut round),
                false => Ok(1),
            };
            incident.told_state = Some(incident.state);
            if turned {
                self.turn_groups_of(&incident)?;
            }
            self.incidents.insert(*id, incident);
            handed += result?;
        }
        self.account(round.accounts)?;
        Ok(handed)
    }

    fn hand_on_one(
        &self,
        incident: &mut Incident,
        policy: &Policy,
        round: &mut Round,
    ) -> Result<u64, DbError> {
        let now_ms = self.storing.now_ms;
        let events = incident.count.saturating_sub(incident.notify.count);
        if events == 0 {
            incident.notify.due_ms = None;
            return Ok(0);
        }
        self.join_campaign(incident, round)?;
        incident.judge(now_ms, self.alerts);
        self.lift_by_condition(incident, policy)?;
        let labels = labels(incident);
        let mut next_ms = now_ms + UNTOLD_EVERY_MS;
        let routes = policy.root.of(&labels);
        let category = incident.key.category;
        let mut count = |receiver: &str, fate: Fate| {
            *round.accounts.entry((receiver.to_owned(), fate, category)).or_default() += events;
        };
        let nobody = routes.iter().all(|(_, route)| route.receivers.is_empty());
        let fate = if nobody {
            Some(Fate::Unrouted)
        } else if incident.severity < self.alerts.min_severity {
            Some(Fate::Below)
        } else if policy.is_silenced(&labels, now_ms) || silences::any(&round.silences, &labels) {
            Some(Fate::Silenced)
        } else if is_inhibited(policy, incident, &labels, &round.inhibiting) {
            Some(Fate::Inhibited)
        } else {
            None
        };
        let mut receivers: Vec<&str> = Vec::new();
        for (place, route) in &routes {
            for receiver in &route.receivers {
                // Whoever two routes name is told by the first.
                if receivers.contains(&receiver.as_str()) {
                    continue;
                }
                receivers.push(receiver);
                if let Some(fate) = fate {
                    count(receiver, fate);
                    continue;
                }
                let key = group_key(route, incident, &labels, policy);
                let due = self.add_to_group(receiver, place, &key, (incident, events), route)?;
                next_ms = if receivers.len() == 1 { due } else { next_ms.min(due) };
            }
        }
        if receivers.is_empty() {
            count("", Fate::Unrouted);
        }
        incident.handed_on(next_ms);
        Ok(1)
    }

    /// When the group's next message is due.
    fn add_to_group(
        &self,
        receiver: &str,
        place: &str,
        key: &str,
        (incident, events): (&Incident, u64),
        route: &Route,
    ) -> Result<u64, DbError> {
        let (db, now_ms) = (self.db, self.storing.now_ms);
        let mut known = find(db, receiver, place, key)?;
        let window = millis(self.alerts.incident_window).max(2 * millis(route.group_interval));
        let is_over = |group: &AlertGroup| {
            group.pending == 0 && now_ms.saturating_sub(group.updated_ms.max(group.last_ms)) > window
        };
        if let Some(old) = known.as_ref().filter(|group| is_over(group)) {
            // What comes after so long is told as something new.
            retire(db, old)?;
            known = None;
        }
        let mut group = known.unwrap_or_else(|| AlertGroup::new(receiver, place, key, incident, now_ms));
        group.take(incident, events, route, now_ms);
        group.save(db)?;
        self.add_member(incident.id, &group, events)?;
        Ok(group.due_ms.unwrap_or(now_ms))
    }

    fn add_member(&self, incident: EventId, group: &AlertGroup, events: u64) -> Result<(), DbError> {
        let sql = "INSERT INTO group_members (incident, alert_group, pending, since) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT (incident, alert_group) DO UPDATE SET pending = group_members.pending + ?3";
        let values = [incident.into(), group.id.into(), events.into(), group.sequence.into()];
        self.db.execute(sql, &values).map(drop)
    }

    /// Incidents that may keep others from being told.
    fn inhibiting(&self, policy: &Policy) -> Result<Vec<(EventId, Labels)>, DbError> {
        let since = self.storing.now_ms.saturating_sub(millis(self.alerts.incident_window));
        let sql = format!(
            "SELECT {} FROM incidents WHERE state <> 'resolved' AND updated_ms >= ?1 ORDER BY updated_ms DESC LIMIT 1000",
            incidents::columns()
        );
        let live = self.db.query(&sql, &[since.into()], incidents::row)?;
        let all = live.iter().chain(self.incidents.values()).filter(|it| it.state != State::Resolved);
        Ok(all
            .map(|incident| (incident.id, labels(incident)))
            .filter(|(_, labels)| policy.inhibitions.iter().any(|rule| all_match(&rule.source, labels)))
            .collect())
    }
}

/// Whether something worse is known that keeps an incident from being told.
fn is_inhibited(
    policy: &Policy,
    incident: &Incident,
    labels: &Labels,
    inhibiting: &[(EventId, Labels)],
) -> bool {
    policy.inhibitions.iter().filter(|rule| all_match(&rule.target, labels)).any(|rule| {
        inhibiting.iter().any(|(id, source)| {
            *id != incident.id
                && all_match(&rule.source, source)
                && rule.equal.iter().all(|label| source.of(label).eq(labels.of(label)))
        })
    })
}
