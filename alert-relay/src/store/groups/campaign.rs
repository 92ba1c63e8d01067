//! Who else sends the same, and what is told because there is much of it.

use std::collections::hash_map::Entry;

use wire::{Category, EventId, Severity};

use super::{
    super::{apply::Group, codec::category_of, db::DbError},
    handing::Round,
};
use crate::{
    clock::millis,
    entropy,
    incident::{Incident, template},
    route::Policy,
};

/// Campaigns of a category that are looked through.
const CAMPAIGNS: u64 = 256;
/// A campaign under way.
pub(super) struct Campaign {
    id: EventId,
    template: u64,
    clients: u64,
}

impl Group<'_> {
    /// Callers who send the same in the same time are one campaign.
    pub(super) fn join_campaign(&self, incident: &mut Incident, round: &mut Round) -> Result<(), DbError> {
        let (db, now_ms, category) = (self.db, self.storing.now_ms, incident.key.category);
        if let Entry::Vacant(place) = round.campaigns.entry(category) {
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
    pub(super) fn lift_by_condition(&self, incident: &mut Incident, policy: &Policy) -> Result<(), DbError> {
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
}
