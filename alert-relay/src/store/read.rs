//! Short queries.

use wire::{Category, Event, EventId, Severity};

use super::{
    codec::severity_code,
    db::{Db, DbError, Dialect, Row, Value},
    incidents,
};
use crate::{
    config::Channel,
    incident::{Incident, State},
};

/// An event as stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredEvent {
    /// Its place in the order of storing.
    pub(crate) seq: u64,
    /// When it was stored, Unix milliseconds.
    pub(crate) received_ms: u64,
    /// The event.
    pub(crate) event: Event,
}

/// A row of `seq, received_ms, body`.
pub(super) fn event_row(row: &Row<'_>) -> Result<StoredEvent, DbError> {
    Ok(StoredEvent { seq: row.uint(0)?, received_ms: row.uint(1)?, event: row.json(2)? })
}

/// Events that one relay took, in the order of storing, after a sequence number.
pub(crate) fn events_after(
    db: &Db,
    relay: &str,
    seq: u64,
    limit: usize,
) -> Result<Vec<StoredEvent>, DbError> {
    db.query(
        "SELECT seq, received_ms, body FROM events WHERE seq > ?1 AND relay = ?3 ORDER BY seq LIMIT ?2",
        &[seq.into(), limit.into(), relay.into()],
        event_row,
    )
}

/// Which incidents to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct IncidentFilter {
    /// Of this model.
    pub(crate) model: Option<String>,
    /// At least so severe.
    pub(crate) min_severity: Option<Severity>,
    /// Of this category.
    pub(crate) category: Option<Category>,
    /// In this state.
    pub(crate) state: Option<State>,
    /// Of this caller, such as `address:192.0.2.1`.
    pub(crate) client: Option<String>,
    /// Of this campaign.
    pub(crate) campaign: Option<EventId>,
    /// With at least this score at their last change, in thousandths.
    pub(crate) min_score: Option<u64>,
    /// With an event at this moment or later, Unix milliseconds.
    pub(crate) since_ms: Option<u64>,
    /// Older than this one: its latest event and its id.
    pub(crate) before: Option<(u64, EventId)>,
}

/// A page of incidents, the latest first.
#[derive(Clone, Debug)]
pub(crate) struct IncidentPage {
    /// The incidents.
    pub(crate) incidents: Vec<Incident>,
    /// Whether there are more.
    pub(crate) more: bool,
}

/// So many incidents are looked at one by one, all that a filter leaves, in place of the list of all.
const FEW: usize = 500;
/// Most incidents whose places in the list are read ahead.
const READ_AHEAD: u64 = 1_000_000;

/// Reads the list's index, so that the system has it in memory when somebody asks for what few or none of its incidents
/// are: after a start each of its pages would be a read of the disk by itself.
pub(crate) fn read_ahead(db: &Db) -> Result<(), DbError> {
    if db.dialect() == Dialect::Sqlite {
        db.query_one(
            "SELECT COUNT(*) FROM (SELECT last_ms FROM incidents INDEXED BY incidents_list ORDER BY last_ms DESC LIMIT ?1)",
            &[READ_AHEAD.into()],
            |row| row.uint(0),
        )?;
    }
    Ok(())
}

/// A page of incidents by keyset: as fast at the end as at the beginning.
pub(crate) fn incident_page(db: &Db, filter: &IncidentFilter, limit: usize) -> Result<IncidentPage, DbError> {
    let (sql, values) = page_of(filter, index_for(db, filter)?, limit);
    let mut found = db.query(&sql, &values, incidents::row)?;
    let more = found.len() > limit;
    found.truncate(limit);
    Ok(IncidentPage { incidents: found, more })
}

/// The index that answers a filter. SQLite does not weigh by how many rows a model or a state leaves: if they are few, or
/// none, an index that leads to them is right, else the list, which has most of what is asked for in it.
pub(super) fn index_for(db: &Db, filter: &IncidentFilter) -> Result<&'static str, DbError> {
    if db.dialect() == Dialect::Postgres {
        return Ok("");
    }
    let category = filter.category.map(|category| category.as_str());
    let state = filter.state.map(State::as_str);
    let ways: [(&str, &str, Option<Value<'_>>); 5] = [
        ("incidents_key", "client", filter.client.as_ref().map(Value::from)),
        ("incidents_campaign", "campaign", filter.campaign.map(Value::from)),
        ("incidents_model", "model", filter.model.as_ref().map(Value::from)),
        ("incidents_category", "category", category.map(Value::from)),
        ("incidents_state", "state", state.map(Value::from)),
    ];
    for (index, column, value) in ways {
        let Some(value) = value else { continue };
        let sql = format!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM incidents INDEXED BY {index} WHERE {column} = ?1 LIMIT ?2)"
        );
        if db.query_one(&sql, &[value, (FEW + 1).into()], |row| row.uint(0))? <= FEW as u64 {
            return Ok(index);
        }
    }
    Ok("incidents_list")
}

/// The question for a page, and one more; by an index, or by whichever the database finds best.
pub(super) fn page_of<'f>(filter: &'f IncidentFilter, index: &str, limit: usize) -> (String, Vec<Value<'f>>) {
    let mut conditions: Vec<String> = Vec::new();
    let mut values: Vec<Value<'f>> = Vec::new();
    let mut hold = |condition: &str, value: Value<'static>| {
        values.push(value);
        conditions.push(format!("{condition} ?{}", values.len()));
    };
    if let Some(severity) = filter.min_severity {
        hold("severity >=", severity_code(severity).into());
    }
    if let Some(category) = filter.category {
        hold("category =", category.as_str().into());
    }
    if let Some(since) = filter.since_ms {
        hold("last_ms >=", since.into());
    }
    if let Some(state) = filter.state {
        hold("state =", state.as_str().into());
    }
    if let Some(campaign) = filter.campaign {
        hold("campaign =", campaign.into());
    }
    if let Some(score) = filter.min_score {
        hold("score >=", score.into());
    }
    for (name, value) in [("model", &filter.model), ("client", &filter.client)] {
        if let Some(value) = value {
            values.push(value.into());
            conditions.push(format!("{name} = ?{}", values.len()));
        }
    }
    if let Some((last_ms, id)) = filter.before {
        values.extend([Value::from(last_ms), id.into()]);
        conditions.push(format!("(last_ms, id) < (?{}, ?{})", values.len() - 1, values.len()));
    }
    let condition =
        if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    values.push((limit + 1).into());
    let index = if index.is_empty() { String::new() } else { format!("INDEXED BY {index}") };
    let sql = format!(
        "SELECT {} FROM incidents {index} {condition} ORDER BY last_ms DESC, id DESC LIMIT ?{}",
        incidents::columns(),
        values.len()
    );
    (sql, values)
}

/// A mail of an incident and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// The mail's number among the incident's mails, from 0.
    pub(crate) sequence: u64,
    /// To whom.
    pub(crate) recipient: String,
    /// `pending`, `sent` or `parked`.
    pub(crate) state: String,
    /// How often it was tried.
    pub(crate) attempts: u64,
    /// When it was put into the outbox, Unix milliseconds.
    pub(crate) created_ms: u64,
    /// What was said last, if it failed.
    pub(crate) error: Option<String>,
    /// How: the channel's word.
    pub(crate) channel: String,
    /// The receiver of the configuration.
    pub(crate) receiver: String,
    /// What was said when it was taken.
    pub(crate) receipt: Option<String>,
}

/// What was mailed of an incident.
pub(crate) fn notifications_of(db: &Db, incident: EventId) -> Result<Vec<Delivery>, DbError> {
    db.query(
        "SELECT sequence, recipient, state, attempts, outbox.created_ms, error, channel, outbox.receiver, receipt \
         FROM notifications JOIN outbox ON outbox.notification = notifications.id \
         WHERE incident = ?1 OR incident IN (SELECT alert_group FROM group_members WHERE group_members.incident = ?1) \
         ORDER BY outbox.created_ms, sequence, outbox.id LIMIT 500",
        &[incident.into()],
        |row| {
            Ok(Delivery {
                sequence: row.uint(0)?,
                recipient: row.text(1)?,
                state: row.text(2)?,
                attempts: row.uint(3)?,
                created_ms: row.uint(4)?,
                error: row.opt_text(5)?,
                channel: row.text(6)?,
                receiver: row.text(7)?,
                receipt: row.opt_text(8)?,
            })
        },
    )
}

/// The content of a group's message, as JSON.
pub(crate) fn message_of(db: &Db, group: EventId, sequence: u64) -> Result<Option<String>, DbError> {
    let sql = "SELECT message FROM notifications WHERE incident = ?1 AND sequence = ?2";
    db.query_opt(sql, &[group.into(), sequence.into()], |row| row.text(0))
}

/// How the outbox stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutboxState {
    /// Mails not yet taken by a server.
    pub(crate) pending: u64,
    /// Since when the oldest of them waits, Unix milliseconds.
    pub(crate) oldest_ms: Option<u64>,
    /// Mails refused for good.
    pub(crate) parked: u64,
}

/// Counts the outbox; both parts are partial indexes.
pub(crate) fn outbox_state(db: &Db) -> Result<OutboxState, DbError> {
    let (pending, oldest_ms) =
        db.query_one("SELECT COUNT(*), MIN(created_ms) FROM outbox WHERE state = 'pending'", &[], |row| {
            Ok((row.uint(0)?, row.opt_uint(1)?))
        })?;
    let parked =
        db.query_one("SELECT COUNT(*) FROM outbox WHERE state = 'parked'", &[], |row| row.uint(0))?;
    Ok(OutboxState { pending, oldest_ms, parked })
}

/// The channels that have a message which may be sent now.
pub(crate) fn due_channels(db: &Db, now_ms: u64) -> Result<Vec<Channel>, DbError> {
    let sql = format!(
        "SELECT DISTINCT channel FROM outbox WHERE state = 'pending' AND due_ms <= ?1 AND {}",
        super::outbox::FREE
    );
    let words = db.query(&sql, &[now_ms.into()], |row| row.text(0))?;
    Ok(words.iter().filter_map(|word| Channel::parse(word)).collect())
}
