//! Incidents that are told together, and what becomes of every event on its way to somebody.
//!
//! **Handing on.** An incident with further events is due; its events go to the groups that the routes name, or are
//! counted as silenced, inhibited, below what is told, or named to nobody. **Telling.** A group that is due makes one
//! message, number n of the group, in one transaction that n admits once. Above the hourly limit its events go to the
//! receiver's overflow group, which is told, as a number, when there is room again. `accounts` counts each event once for
//! each receiver, so a digest can account for all of them.
//!
//! Of several relays one at a time does any of this: all of it holds the lock [`LOCK`] behind those of the incidents.

use std::collections::{BTreeMap, HashMap};

use wire::{Category, EventId, Severity};

use super::{
    Told,
    apply::Group,
    codec::{category_of, int, severity_code, severity_of},
    db::{Db, DbError, Row},
    silences,
};
use crate::{
    clock::millis,
    entropy,
    incident::{Incident, Key, State, template},
    route::{Labels, Policy, Route, all_match},
};

/// The lock of all groups, beside those of the incidents.
pub(super) const LOCK: i64 = 64;
/// The place of the groups that hold what is above the hourly limit.
pub(crate) const OVERFLOW: &str = "overflow";
/// How the keys of groups begin that exist because nobody acknowledged another.
pub(crate) const ESCALATION: &str = "escalation:";
/// What nobody is told of is counted so often.
const UNTOLD_EVERY_MS: u64 = 5000;
const HOUR_MS: u64 = 3_600_000;
/// Campaigns of a category that are looked through.
const CAMPAIGNS: u64 = 256;
/// Groups that are reminded or escalated in one go.
const TIMERS: u64 = 50;

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// In a message.
    Told,
    /// Above the hourly limit; counted in a later message.
    Suppressed,
    /// A silence held.
    Silenced,
    /// Something worse kept it.
    Inhibited,
    /// Not severe enough.
    Below,
    /// No route names anybody.
    Unrouted,
}

impl Fate {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Suppressed => "suppressed",
            Self::Silenced => "silenced",
            Self::Inhibited => "inhibited",
            Self::Below => "below",
            Self::Unrouted => "unrouted",
        }
    }
}

/// A row of `alert_groups`.
#[derive(Clone, Debug)]
pub(crate) struct AlertGroup {
    pub(crate) id: EventId,
    pub(crate) receiver: String,
    pub(crate) place: String,
    pub(crate) key: String,
    /// The incident that the next message is about.
    pub(crate) lead: EventId,
    pub(crate) severity: Severity,
    /// Events that the next message tells of.
    pub(crate) pending: u64,
    pub(crate) told: u64,
    pub(crate) told_severity: Option<Severity>,
    /// Messages made.
    pub(crate) sequence: u64,
    pub(crate) last_ms: u64,
    pub(crate) updated_ms: u64,
    pub(crate) due_ms: Option<u64>,
    pub(crate) repeat_ms: Option<u64>,
    pub(crate) escalate_ms: Option<u64>,
}

const COLUMNS: &str = "id, receiver, place, key, lead, severity, pending, told, told_severity, sequence, last_ms, \
     updated_ms, due_ms, repeat_ms, escalate_ms";

fn row(row: &Row<'_>) -> Result<AlertGroup, DbError> {
    Ok(AlertGroup {
        id: row.id(0)?,
        receiver: row.text(1)?,
        place: row.text(2)?,
        key: row.text(3)?,
        lead: row.id(4)?,
        severity: row.severity(5)?,
        pending: row.uint(6)?,
        told: row.uint(7)?,
        told_severity: row.opt_uint(8)?.and_then(|code| severity_of(int(code))),
        sequence: row.uint(9)?,
        last_ms: row.uint(10)?,
        updated_ms: row.uint(11)?,
        due_ms: row.opt_uint(12)?,
        repeat_ms: row.opt_uint(13)?,
        escalate_ms: row.opt_uint(14)?,
    })
}

impl AlertGroup {
    fn new(receiver: &str, place: &str, key: &str, incident: &Incident, now_ms: u64) -> Self {
        Self {
            id: entropy::uuid(now_ms),
            receiver: receiver.to_owned(),
            place: place.to_owned(),
            key: key.to_owned(),
            lead: incident.id,
            severity: incident.severity,
            pending: 0,
            told: 0,
            told_severity: None,
            sequence: 0,
            last_ms: 0,
            updated_ms: now_ms,
            due_ms: None,
            repeat_ms: None,
            escalate_ms: None,
        }
    }

    /// Takes further events of an incident.
    fn take(&mut self, incident: &Incident, events: u64, route: &Route, now_ms: u64) {
        if self.pending == 0 || incident.severity > self.severity {
            (self.lead, self.severity) = (incident.id, incident.severity);
        }
        self.pending += events;
        self.updated_ms = now_ms;
        let urgent =
            incident.severity == Severity::Critical && self.told_severity != Some(Severity::Critical);
        let due = if urgent {
            now_ms
        } else if self.sequence == 0 {
            now_ms.saturating_add(millis(route.group_wait))
        } else {
            now_ms.max(self.last_ms.saturating_add(millis(route.group_interval)))
        };
        self.due_ms = Some(self.due_ms.map_or(due, |set| set.min(due)));
    }

    fn save(&self, db: &Db) -> Result<(), DbError> {
        db.execute(
            &format!(
                "INSERT INTO alert_groups ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
                 ?13, ?14, ?15) ON CONFLICT (id) DO UPDATE SET lead = ?5, severity = ?6, pending = ?7, told = ?8, \
                 told_severity = ?9, sequence = ?10, last_ms = ?11, updated_ms = ?12, due_ms = ?13, \
                 repeat_ms = ?14, escalate_ms = ?15"
            ),
            &[
                self.id.into(),
                (&self.receiver).into(),
                (&self.place).into(),
                (&self.key).into(),
                self.lead.into(),
                severity_code(self.severity).into(),
                self.pending.into(),
                self.told.into(),
                self.told_severity.map(severity_code).into(),
                self.sequence.into(),
                self.last_ms.into(),
                self.updated_ms.into(),
                self.due_ms.into(),
                self.repeat_ms.into(),
                self.escalate_ms.into(),
            ],
        )
        .map(drop)
    }
}

fn get(db: &Db, id: EventId) -> Result<Option<AlertGroup>, DbError> {
    db.query_opt(&format!("SELECT {COLUMNS} FROM alert_groups WHERE id = ?1"), &[id.into()], row)
}

fn find(db: &Db, receiver: &str, place: &str, key: &str) -> Result<Option<AlertGroup>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM alert_groups WHERE receiver = ?1 AND place = ?2 AND key = ?3");
    db.query_opt(&sql, &[receiver.into(), place.into(), key.into()], row)
}

/// Groups whose next message is due; what was held back first, then the worst.
pub(crate) fn due(db: &Db, now_ms: u64, limit: usize) -> Result<Vec<AlertGroup>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM alert_groups WHERE due_ms <= ?1 \
         ORDER BY CASE WHEN place = '{OVERFLOW}' THEN 0 ELSE 1 END, severity DESC, due_ms LIMIT ?2"
    );
    db.query(&sql, &[now_ms.into(), limit.into()], row)
}

/// How many incidents and callers a group has, and the worst of the others beside its lead.
pub(crate) fn members(db: &Db, group: &AlertGroup) -> Result<(u64, u64, Vec<Incident>), DbError> {
    let (incidents, clients) = db.query_one(
        "SELECT COUNT(*), COUNT(DISTINCT client) FROM group_members JOIN incidents ON id = incident \
         WHERE alert_group = ?1",
        &[group.id.into()],
        |row| Ok((row.uint(0)?, row.uint(1)?)),
    )?;
    let sql = format!(
        "SELECT {} FROM group_members JOIN incidents ON id = incident WHERE alert_group = ?1 AND id <> ?2 \
         ORDER BY severity DESC, last_ms DESC LIMIT 5",
        super::incidents::columns()
    );
    let others = db.query(&sql, &[group.id.into(), group.lead.into()], super::incidents::row)?;
    Ok((incidents, clients, others))
}

/// Whether somebody is to be reminded, or somebody else told.
pub(crate) fn timers_are_due(db: &Db, now_ms: u64) -> Result<bool, DbError> {
    let sql = "SELECT 1 WHERE EXISTS (SELECT 1 FROM alert_groups WHERE repeat_ms <= ?1) \
         OR EXISTS (SELECT 1 FROM alert_groups WHERE escalate_ms <= ?1)";
    Ok(db.query_opt(sql, &[now_ms.into()], |_| Ok(()))?.is_some())
}

/// The labels of an incident.
fn labels(incident: &Incident) -> Labels {
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

/// A campaign under way.
struct Campaign {
    id: EventId,
    template: u64,
    clients: u64,
}

/// What a round of handing on needs again and again.
#[derive(Default)]
struct Round {
    campaigns: HashMap<Category, Vec<Campaign>>,
    accounts: BTreeMap<(String, Fate, Category), u64>,
    silences: Vec<silences::Active>,
    inhibiting: Vec<(EventId, Labels)>,
}

impl Group<'_> {
    /// Hands the further events of incidents on. How many incidents had some.
    pub(super) fn hand_on(&mut self, incidents: &[(EventId, Key)]) -> Result<u64, DbError> {
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
            let result = self.hand_on_one(&mut incident, &policy, &mut round);
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
            db.execute("DELETE FROM alert_groups WHERE id = ?1", &[old.id.into()])?;
            known = None;
        }
        let mut group = known.unwrap_or_else(|| AlertGroup::new(receiver, place, key, incident, now_ms));
        group.take(incident, events, route, now_ms);
        group.save(db)?;
        self.add_member(incident.id, group.id)?;
        Ok(group.due_ms.unwrap_or(now_ms))
    }

    fn add_member(&self, incident: EventId, group: EventId) -> Result<(), DbError> {
        let sql = "INSERT INTO group_members (incident, alert_group) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.db.execute(sql, &[incident.into(), group.into()]).map(drop)
    }

    /// Callers who send the same in the same time are one campaign.
    fn join_campaign(&self, incident: &mut Incident, round: &mut Round) -> Result<(), DbError> {
        let (db, now_ms, category) = (self.db, self.storing.now_ms, incident.key.category);
        if let std::collections::hash_map::Entry::Vacant(place) = round.campaigns.entry(category) {
            let since = now_ms.saturating_sub(millis(self.alerts.incident_window));
            place.insert(db.query(
                "SELECT id, template, clients FROM campaigns WHERE category = ?1 AND last_ms >= ?2 \
                 ORDER BY last_ms DESC LIMIT ?3",
                &[category.as_str().into(), since.into(), CAMPAIGNS.into()],
                |row| {
                    let template = row.int(1)?.cast_unsigned();
                    Ok(Campaign { id: row.id(0)?, template, clients: row.uint(2)? })
                },
            )?);
        }
        let campaigns = round.campaigns.entry(category).or_default();
        let alike = |known: u64| {
            known == incident.template
                || (known != 0 && incident.template != 0 && template::near(known, incident.template))
        };
        let known = match incident.campaign {
            Some(id) => campaigns.iter_mut().find(|campaign| campaign.id == id),
            None => None,
        };
        let found = match known {
            Some(campaign) => Some(campaign),
            None => campaigns.iter_mut().find(|campaign| alike(campaign.template)),
        };
        let Some(campaign) = found else {
            let new = Campaign { id: entropy::uuid(now_ms), template: incident.template, clients: 1 };
            db.execute(
                "INSERT INTO campaigns (id, category, template, clients, first_ms, last_ms) \
                 VALUES (?1, ?2, ?3, 1, ?4, ?4)",
                &[new.id.into(), category.as_str().into(), new.template.cast_signed().into(), now_ms.into()],
            )?;
            (incident.campaign, incident.spread) = (Some(new.id), 1);
            campaigns.push(new);
            return Ok(());
        };
        if incident.campaign != Some(campaign.id) {
            let sql = "SELECT 1 FROM incidents WHERE campaign = ?1 AND client = ?2 LIMIT 1";
            let is_known =
                db.query_opt(sql, &[campaign.id.into(), (&incident.key.client).into()], |_| Ok(()))?;
            campaign.clients += u64::from(is_known.is_none());
            incident.campaign = Some(campaign.id);
            // Those after it in this round have to see it.
            let sql = "UPDATE incidents SET campaign = ?2 WHERE id = ?1";
            db.execute(sql, &[incident.id.into(), campaign.id.into()])?;
        }
        let policy = &self.alerts.policy;
        if incident.spread < policy.campaign_clients && campaign.clients >= policy.campaign_clients {
            let text = format!("{} callers send the same", campaign.clients);
            incident.tell(now_ms, "campaign", "relay", text);
        }
        incident.spread = campaign.clients;
        db.execute(
            "UPDATE campaigns SET clients = ?2, last_ms = ?3 WHERE id = ?1",
            &[campaign.id.into(), campaign.clients.into(), now_ms.into()],
        )
        .map(drop)
    }

    /// What is not severe by itself is told when there is much of it.
    fn lift_by_condition(&self, incident: &mut Incident, policy: &Policy) -> Result<(), DbError> {
        let (now_ms, least) = (self.storing.now_ms, self.alerts.min_severity.max(Severity::Medium));
        if incident.severity >= least {
            return Ok(());
        }
        let category = incident.key.category;
        if policy.conditions.is_anomaly(category, incident.confidence.into()) {
            incident.lift(least, "the score of the anomaly", now_ms);
        }
        let Some((what, most, minutes)) = policy.conditions.of(category) else { return Ok(()) };
        let suspicious = minutes == 60 && category != Category::RateLimit;
        let minute = now_ms / 60_000;
        // In a minute: the current one or the one before, whichever has more.
        let counts = self.db.query(
            "SELECT category, count, minute FROM categories WHERE minute > ?1",
            &[minute.saturating_sub(minutes.max(2)).into()],
            |row| Ok((category_of(&row.text(0)?), row.uint(1)?)),
        )?;
        let fits = |other: Category| match suspicious {
            true => policy.conditions.of(other).is_some_and(|(known, ..)| known == what),
            false => other == category,
        };
        let counts = counts.iter().filter(|(other, _)| fits(*other)).map(|(_, count)| *count);
        let count = if minutes == 1 { counts.max().unwrap_or(0) } else { counts.sum() };
        if count > most {
            incident.lift(least, &format!("{count} {what}"), now_ms);
        }
        Ok(())
    }

    /// Incidents that may keep others from being told.
    fn inhibiting(&self, policy: &Policy) -> Result<Vec<(EventId, Labels)>, DbError> {
        let since = self.storing.now_ms.saturating_sub(millis(self.alerts.incident_window));
        let sql = format!(
            "SELECT {} FROM incidents WHERE state <> 'resolved' AND updated_ms >= ?1 ORDER BY updated_ms DESC LIMIT 1000",
            super::incidents::columns()
        );
        let live = self.db.query(&sql, &[since.into()], super::incidents::row)?;
        let all = live.iter().chain(self.incidents.values()).filter(|it| it.state != State::Resolved);
        Ok(all
            .map(|incident| (incident.id, labels(incident)))
            .filter(|(_, labels)| policy.inhibitions.iter().any(|rule| all_match(&rule.source, labels)))
            .collect())
    }

    /// Counts events by what became of them.
    fn account(&self, accounts: BTreeMap<(String, Fate, Category), u64>) -> Result<(), DbError> {
        let hour = self.storing.now_ms / HOUR_MS;
        let rows: Vec<_> = accounts
            .iter()
            .map(|((receiver, fate, category), count)| {
                vec![
                    hour.into(),
                    receiver.into(),
                    fate.as_str().into(),
                    category.as_str().into(),
                    (*count).into(),
                ]
            })
            .collect();
        self.db.execute_each(
            "INSERT INTO accounts (hour, receiver, outcome, category, count) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (hour, receiver, outcome, category) DO UPDATE SET count = accounts.count + ?5",
            &rows,
        )
    }

    /// Whether a group's message may go out now. If not, it is put off, or its events go to the overflow.
    pub(super) fn admit(&mut self, told: &Told) -> Result<Option<AlertGroup>, DbError> {
        let (db, now_ms) = (self.db, self.storing.now_ms);
        let wanted = get(db, told.group)?
            .filter(|group| group.sequence == told.sequence && group.due_ms.is_some_and(|due| due <= now_ms));
        let Some(mut group) = wanted else { return Ok(None) };
        let policy = std::sync::Arc::clone(&self.alerts.policy);
        let route = policy.root.at(&group.place);
        if let Some(end) = route.muted_until(now_ms) {
            group.due_ms = Some(end);
            group.save(db)?;
            return Ok(None);
        }
        let since = now_ms.saturating_sub(HOUR_MS);
        let (sent, oldest) = db.query_one(
            "SELECT COUNT(*), MIN(created_ms) FROM notifications WHERE receiver = ?1 AND created_ms > ?2",
            &[(&group.receiver).into(), since.into()],
            |row| Ok((row.uint(0)?, row.opt_uint(1)?)),
        )?;
        if sent < route.max_per_hour {
            return Ok(Some(group));
        }
        let room_ms = oldest.unwrap_or(now_ms).saturating_add(HOUR_MS + 1);
        if group.place == OVERFLOW || group.pending == 0 {
            group.due_ms = Some(room_ms);
            group.save(db)?;
        } else {
            self.overflow(group, told.key.category, room_ms)?;
        }
        Ok(None)
    }

    /// Gives a group's events to the receiver's overflow.
    fn overflow(&mut self, mut group: AlertGroup, category: Category, room_ms: u64) -> Result<(), DbError> {
        let (db, now_ms) = (self.db, self.storing.now_ms);
        // Only read: whoever holds this incident's lock may be changing it.
        let Some(lead) = super::incidents::get(db, group.lead)? else { return Ok(()) };
        let known = find(db, &group.receiver, OVERFLOW, OVERFLOW)?;
        let mut over =
            known.unwrap_or_else(|| AlertGroup::new(&group.receiver, OVERFLOW, OVERFLOW, &lead, now_ms));
        if over.pending == 0 {
            // A message about what was held back this time only.
            db.execute("DELETE FROM alert_groups WHERE id = ?1", &[over.id.into()])?;
            over = AlertGroup::new(&group.receiver, OVERFLOW, OVERFLOW, &lead, now_ms);
        }
        if lead.severity > over.severity {
            (over.lead, over.severity) = (lead.id, lead.severity);
        }
        over.pending += group.pending;
        over.updated_ms = now_ms;
        over.due_ms = Some(over.due_ms.unwrap_or(room_ms));
        over.save(db)?;
        db.execute(
            "INSERT INTO group_members (incident, alert_group) \
             SELECT incident, alert_groups.id FROM group_members JOIN alert_groups ON alert_groups.id = ?2 \
             WHERE alert_group = ?1 ON CONFLICT DO NOTHING",
            &[group.id.into(), over.id.into()],
        )?;
        let key = (group.receiver.clone(), Fate::Suppressed, category);
        self.account(BTreeMap::from([(key, group.pending)]))?;
        (group.pending, group.due_ms) = (0, None);
        group.save(db)
    }

    /// Notes that a group's message was made.
    pub(super) fn told(&mut self, mut group: AlertGroup, told: &Told, targets: usize) -> Result<(), DbError> {
        let (db, now_ms) = (self.db, self.storing.now_ms);
        let policy = std::sync::Arc::clone(&self.alerts.policy);
        let route = policy.root.at(&group.place);
        let events = told.pending.min(group.pending);
        if group.place != OVERFLOW && events > 0 {
            let key = (group.receiver.clone(), Fate::Told, told.key.category);
            self.account(BTreeMap::from([(key, events)]))?;
        }
        group.pending -= events;
        group.told += events;
        group.told_severity = group.told_severity.max(Some(told.severity));
        group.sequence += 1;
        group.last_ms = now_ms;
        group.due_ms = (group.pending > 0).then(|| now_ms.saturating_add(millis(route.group_interval)));
        let waits = |duration: std::time::Duration| now_ms.saturating_add(millis(duration));
        let is_first = group.sequence == 1;
        if group.place != OVERFLOW && !group.key.starts_with(ESCALATION) {
            let repeats = !route.repeat_interval.is_zero();
            group.repeat_ms = repeats.then(|| waits(route.repeat_interval));
            if let Some((after, _)) = route.escalation.as_ref().filter(|_| is_first) {
                group.escalate_ms = Some(waits(*after));
            }
        }
        group.save(db)?;
        if let Some(lead) = self.load(told.lead)? {
            lead.notify.sequence += 1;
            let text = format!("message {} to {} ({targets} targets)", group.sequence, group.receiver);
            lead.tell(now_ms, "mailed", "relay", text);
        }
        Ok(())
    }

    /// Reminds of what is still open, and tells somebody else what nobody acknowledged. How many groups.
    pub(super) fn timers(&mut self) -> Result<u64, DbError> {
        let (db, now_ms) = (self.db, self.storing.now_ms);
        let policy = std::sync::Arc::clone(&self.alerts.policy);
        let sql = format!(
            "SELECT {COLUMNS} FROM alert_groups WHERE repeat_ms <= ?1 OR escalate_ms <= ?1 ORDER BY updated_ms LIMIT ?2"
        );
        let groups = db.query(&sql, &[now_ms.into(), TIMERS.into()], row)?;
        let count = groups.len() as u64;
        for mut group in groups {
            let open = db.query_opt(
                "SELECT id FROM group_members JOIN incidents ON id = incident WHERE alert_group = ?1 \
                 AND state = 'open' ORDER BY severity DESC, last_ms DESC LIMIT 1",
                &[group.id.into()],
                |row| row.id(0),
            )?;
            if group.repeat_ms.is_some_and(|at| at <= now_ms) {
                group.repeat_ms = None;
                if let Some(open) = open {
                    (group.lead, group.due_ms) = (open, Some(group.due_ms.unwrap_or(now_ms)));
                }
            }
            if group.escalate_ms.is_some_and(|at| at <= now_ms) {
                group.escalate_ms = None;
                let to = policy.root.at(&group.place).escalation.as_ref().map(|(_, to)| to.clone());
                if let (Some(open), Some(to)) = (open, to) {
                    self.escalate(&group, open, &to)?;
                }
            }
            group.save(db)?;
        }
        Ok(count)
    }

    fn escalate(&mut self, group: &AlertGroup, open: EventId, to: &str) -> Result<(), DbError> {
        let (db, now_ms) = (self.db, self.storing.now_ms);
        let Some(incident) = super::incidents::get(db, open)? else { return Ok(()) };
        let key = format!("{ESCALATION}{}", group.id);
        let mut further = match find(db, to, &group.place, &key)? {
            Some(known) => known,
            None => AlertGroup::new(to, &group.place, &key, &incident, now_ms),
        };
        further.due_ms = Some(now_ms);
        further.save(db)?;
        db.execute(
            "INSERT INTO group_members (incident, alert_group) \
             SELECT incident, alert_groups.id FROM group_members JOIN alert_groups ON alert_groups.id = ?2 \
             WHERE alert_group = ?1 ON CONFLICT DO NOTHING",
            &[group.id.into(), further.id.into()],
        )?;
        let news = "INSERT INTO timeline (incident, at_ms, what, who, text) VALUES (?1, ?2, 'escalated', 'relay', ?3)";
        db.execute(news, &[open.into(), now_ms.into(), to.into()]).map(drop)
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

/// Events of some hours by what became of them: receiver, outcome, category, count.
pub(crate) fn accounts(
    db: &Db,
    receiver: &str,
    from_ms: u64,
    until_ms: u64,
) -> Result<Vec<(String, String, u64)>, DbError> {
    db.query(
        "SELECT outcome, category, CAST(SUM(count) AS BIGINT) AS n FROM accounts \
         WHERE receiver IN (?1, '') AND hour >= ?2 AND hour < ?3 GROUP BY outcome, category ORDER BY outcome, n DESC",
        &[receiver.into(), (from_ms / HOUR_MS).into(), until_ms.div_ceil(HOUR_MS).into()],
        |row| Ok((row.text(0)?, row.text(1)?, row.uint(2)?)),
    )
}

/// Whether nobody has made this digest.
pub(crate) fn digest_is_due(db: &Db, name: &str, period: u64) -> Result<bool, DbError> {
    let key = format!("digest:{name}");
    let last = db.query_opt("SELECT value FROM meta WHERE key = ?1", &[(&key).into()], |row| row.uint(0))?;
    Ok(last.is_none_or(|last| last < period))
}

/// Whether no digest of this name was ever made: then the time before the relay was there is none to tell of.
pub(crate) fn digest_is_first(db: &Db, name: &str) -> Result<bool, DbError> {
    let key = format!("digest:{name}");
    let last = db.query_opt("SELECT value FROM meta WHERE key = ?1", &[(&key).into()], |row| row.uint(0))?;
    Ok(last.is_none())
}

/// Events that wait to be told to somebody.
pub(crate) fn waiting(db: &Db, receiver: &str) -> Result<u64, DbError> {
    db.query_one(
        "SELECT CAST(COALESCE(SUM(pending), 0) AS BIGINT) FROM alert_groups WHERE receiver = ?1 AND place <> ?2",
        &[receiver.into(), OVERFLOW.into()],
        |row| row.uint(0),
    )
}
