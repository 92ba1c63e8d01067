//! Reminders and escalation.

use wire::EventId;

use super::{
    super::{apply::Group, db::DbError, incidents},
    AlertGroup, COLUMNS, ESCALATION, find, row,
};

/// Groups that are reminded or escalated in one go.
const TIMERS: u64 = 50;
impl Group<'_> {
    /// Reminds of what is still open, and tells somebody else what nobody acknowledged. How many groups.
    pub(in crate::store) fn timers(&mut self) -> Result<u64, DbError> {
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
        let Some(incident) = incidents::get(db, open)? else { return Ok(()) };
        let key = format!("{ESCALATION}{}", group.id);
        let mut further = match find(db, to, &group.place, &key)? {
            Some(known) => known,
            None => AlertGroup::new(to, &group.place, &key, &incident, now_ms),
        };
        further.due_ms = Some(now_ms);
        further.save(db)?;
        db.execute(
            "INSERT INTO group_members (incident, alert_group, since) \
             SELECT incident, alert_groups.id, alert_groups.sequence \
             FROM group_members JOIN alert_groups ON alert_groups.id = ?2 \
             WHERE alert_group = ?1 ON CONFLICT DO NOTHING",
            &[group.id.into(), further.id.into()],
        )?;
        let news = "INSERT INTO timeline (incident, at_ms, what, who, text) VALUES (?1, ?2, 'escalated', 'relay', ?3)";
        db.execute(news, &[open.into(), now_ms.into(), to.into()]).map(drop)
    }
}
