//! Rows of `incidents`.

use std::collections::HashMap;

use wire::EventId;

use super::{
    StoredEvent,
    codec::{category_of, int, severity_code, severity_of},
    db::{Db, DbError, Row, Value, broken},
    read::event_row,
};
use crate::incident::{Incident, Key, MAX_TEMPLATES, News, Notify, State, UNKNOWN_CLIENT, score};

/// How a column changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Changes {
    /// What makes the incident: its id and its key.
    Never,
    /// What stands in [`Steady`].
    Seldom,
    /// With each event.
    Often,
}
use Changes::{Never, Often, Seldom};

/// The columns, in the order of [`row`] and of [`save`].
const COLUMNS: [(&str, Changes); 29] = [
    ("id", Never),
    ("model", Never),
    ("category", Never),
    ("client", Never),
    ("severity", Often),
    ("first_ms", Often),
    ("last_ms", Often),
    ("updated_ms", Often),
    ("count", Often),
    ("refused", Often),
    ("threats", Often),
    ("due_ms", Seldom),
    ("notify_sequence", Seldom),
    ("notify_last_ms", Seldom),
    ("notify_count", Seldom),
    ("notify_severity", Seldom),
    ("state", Seldom),
    ("state_ms", Seldom),
    ("state_by", Seldom),
    ("base", Often),
    ("template", Seldom),
    ("label", Seldom),
    ("confidence", Often),
    ("spread", Often),
    ("campaign", Seldom),
    ("surface", Often),
    ("entries", Often),
    ("score", Often),
    ("told_state", Seldom),
];

/// The columns, for a query.
pub(super) fn columns() -> String {
    COLUMNS.map(|(name, _)| name).join(", ")
}

/// One row.
pub(super) fn row(row: &Row<'_>) -> Result<Incident, DbError> {
    Ok(Incident {
        id: row.id(0)?,
        key: Key { model: row.text(1)?, category: category_of(&row.text(2)?), client: row.text(3)? },
        severity: row.severity(4)?,
        first_ms: row.uint(5)?,
        last_ms: row.uint(6)?,
        updated_ms: row.uint(7)?,
        count: row.uint(8)?,
        refused: row.uint(9)?,
        threats: row.json(10)?,
        notify: Notify {
            due_ms: row.opt_uint(11)?,
            sequence: row.uint(12)?,
            last_ms: row.uint(13)?,
            count: row.uint(14)?,
            severity: row.opt_uint(15)?.and_then(|code| severity_of(int(code))),
        },
        state: State::parse(&row.text(16)?).ok_or_else(|| broken(16, "no state"))?,
        state_ms: row.uint(17)?,
        state_by: row.text(18)?,
        base: row.severity(19)?,
        template: row.int(20)?.cast_unsigned(),
        label: row.text(21)?,
        confidence: u16::try_from(row.int(22)?).unwrap_or(1000),
        spread: row.uint(23)?,
        campaign: row.opt_id(24)?,
        surface: row.text(25)?,
        entries: row.uint(26)?,
        // 27 is the score, which is worked out anew.
        told_state: State::parse(&row.text(28)?),
        news: Vec::new(),
    })
}

/// What seldom changes of an incident: most events leave it as it is, and the indexes on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Steady {
    notify: Notify,
    state: State,
    state_ms: u64,
    state_by: String,
    template: u64,
    label: String,
    campaign: Option<EventId>,
    told_state: Option<State>,
}

impl Steady {
    /// Of an incident.
    pub(super) fn of(incident: &Incident) -> Self {
        Self {
            notify: incident.notify.clone(),
            state: incident.state,
            state_ms: incident.state_ms,
            state_by: incident.state_by.clone(),
            template: incident.template,
            label: incident.label.clone(),
            campaign: incident.campaign,
            told_state: incident.told_state,
        }
    }
}

/// The incident with this id.
pub(crate) fn get(db: &Db, id: EventId) -> Result<Option<Incident>, DbError> {
    db.query_opt(&format!("SELECT {} FROM incidents WHERE id = ?1", columns()), &[id.into()], row)
}

/// The latest incidents of each key, over or not: of those begun last, so that a caller with a long history costs no more.
pub(super) fn latest(db: &Db, keys: &[&Key]) -> Result<Vec<Incident>, DbError> {
    // Some of those that take events may be older than some that were resolved.
    const BEGUN: usize = 4 * MAX_TEMPLATES;
    let sql = format!(
        "SELECT {names} FROM (SELECT {names} FROM incidents WHERE model = ?1 AND category = ?2 AND client = ?3 \
         ORDER BY id DESC LIMIT {BEGUN}) AS begun ORDER BY updated_ms DESC LIMIT {MAX_TEMPLATES}",
        names = columns()
    );
    let keys: Vec<_> = keys
        .iter()
        .map(|key| vec![(&key.model).into(), key.category.as_str().into(), (&key.client).into()])
        .collect();
    db.query_each(&sql, &keys, row)
}

/// Incidents whose next mail is due.
pub(crate) fn due(db: &Db, now_ms: u64, limit: usize) -> Result<Vec<Incident>, DbError> {
    let sql = format!(
        "SELECT {} FROM incidents WHERE due_ms <= ?1 ORDER BY severity DESC, due_ms LIMIT ?2",
        columns()
    );
    db.query(&sql, &[now_ms.into(), limit.into()], row)
}

/// Incidents that stand otherwise than those who are told know.
pub(crate) fn turned(db: &Db, limit: usize) -> Result<Vec<(EventId, Key)>, DbError> {
    db.query(
        "SELECT id, model, category, client FROM incidents WHERE state <> told_state ORDER BY state_ms LIMIT ?1",
        &[limit.into()],
        key_row,
    )
}

fn key_row(row: &Row<'_>) -> Result<(EventId, Key), DbError> {
    let key = Key { model: row.text(1)?, category: category_of(&row.text(2)?), client: row.text(3)? };
    Ok((row.id(0)?, key))
}

/// Events of an incident by hour, the last of 24 ending at `now_ms`; of its latest ones, so that a flood costs no more.
pub(crate) fn hours_of(db: &Db, id: EventId, now_ms: u64) -> Result<[u64; 24], DbError> {
    const LATEST: u64 = 20_000;
    let mut hours = [0; 24];
    let found = db.query(
        "SELECT (?2 - time_ms) / 3600000 AS ago, COUNT(*) FROM \
         (SELECT time_ms FROM events WHERE incident = ?1 ORDER BY seq DESC LIMIT ?3) AS latest \
         WHERE time_ms > ?2 - 86400000 AND time_ms <= ?2 GROUP BY ago",
        &[id.into(), now_ms.into(), LATEST.into()],
        |row| Ok((row.uint(0)?, row.uint(1)?)),
    )?;
    for (ago, count) in found {
        if let Some(hour) = usize::try_from(ago).ok().and_then(|ago| hours.iter_mut().rev().nth(ago)) {
            *hour += count;
        }
    }
    Ok(hours)
}

/// The latest events of an incident, newest first.
pub(crate) fn events_of(db: &Db, id: EventId, limit: usize) -> Result<Vec<StoredEvent>, DbError> {
    db.query(
        "SELECT seq, received_ms, body FROM events WHERE incident = ?1 ORDER BY seq DESC LIMIT ?2",
        &[id.into(), limit.into()],
        event_row,
    )
}

/// Incidents that nobody has resolved and that have been quiet since a moment.
pub(crate) fn quiet(db: &Db, before_ms: u64, limit: usize) -> Result<Vec<(EventId, Key)>, DbError> {
    db.query(
        "SELECT id, model, category, client FROM incidents WHERE state <> 'resolved' AND updated_ms < ?1 \
         AND due_ms IS NULL ORDER BY updated_ms LIMIT ?2",
        &[before_ms.into(), limit.into()],
        key_row,
    )
}

/// The timeline of an incident, oldest first.
pub(crate) fn timeline_of(db: &Db, id: EventId) -> Result<Vec<News>, DbError> {
    db.query(
        "SELECT at_ms, what, who, text FROM timeline WHERE incident = ?1 ORDER BY id LIMIT 1000",
        &[id.into()],
        |row| Ok(News { at_ms: row.uint(0)?, what: row.text(1)?, by: row.text(2)?, text: row.text(3)? }),
    )
}

/// Why an incident is named beside another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// The same caller.
    Client,
    /// Its events look the same.
    Template,
    /// One campaign.
    Campaign,
}

/// Other incidents that have something in common with one, those begun last of each kind; each once.
pub(crate) fn related(db: &Db, to: &Incident, limit: usize) -> Result<Vec<(Relation, Incident)>, DbError> {
    let mut found: Vec<(Relation, Incident)> = Vec::new();
    let template = (to.template != 0).then_some(to.template.cast_signed());
    let client = (to.key.client != UNKNOWN_CLIENT).then_some(to.key.client.as_str());
    let kinds = [
        (Relation::Campaign, "campaign", to.campaign.map(Value::from)),
        (Relation::Client, "client", client.map(Value::from)),
        (Relation::Template, "template", template.map(Value::from)),
    ];
    for (relation, column, value) in kinds {
        let Some(value) = value else { continue };
        let also = if relation == Relation::Template { "AND template <> 0 " } else { "" };
        let sql = format!(
            "SELECT {} FROM incidents WHERE {column} = ?1 {also}AND id <> ?2 ORDER BY id DESC LIMIT ?3",
            columns()
        );
        for incident in db.query(&sql, &[value, to.id.into(), limit.into()], row)? {
            if found.iter().all(|(_, known)| known.id != incident.id) {
                found.push((relation, incident));
            }
        }
    }
    Ok(found)
}

/// Writes incidents, new or not, and what is new in their timelines. Of those that are known as they stand in the table
/// only what has changed is written.
pub(super) fn save<'a>(
    db: &Db,
    incidents: impl Iterator<Item = &'a Incident>,
    known: &HashMap<EventId, Steady>,
    now_ms: u64,
) -> Result<(), DbError> {
    let incidents: Vec<(&Incident, String)> = incidents
        // A list of plain structs: serialising it cannot fail.
        .map(|incident| {
            (incident, serde_json::to_string(&incident.threats).unwrap_or_else(|_| "[]".to_owned()))
        })
        .collect();
    let is_steady = |incident: &Incident| known.get(&incident.id) == Some(&Steady::of(incident));
    let (steady, others): (Vec<_>, Vec<_>) = incidents.iter().partition(|(incident, _)| is_steady(incident));
    let rows: Vec<_> = steady
        .iter()
        .map(|(incident, threats)| {
            let all = COLUMNS.iter().zip(values(incident, threats, now_ms));
            let often = all.filter(|((_, changes), _)| *changes == Often).map(|(_, value)| value);
            often.chain([incident.id.into()]).collect()
        })
        .collect();
    let often = COLUMNS.iter().filter(|(_, changes)| *changes == Often).zip(1..);
    let changes: Vec<String> = often.map(|((name, _), at)| format!("{name} = ?{at}")).collect();
    let sql = format!("UPDATE incidents SET {} WHERE id = ?{}", changes.join(", "), changes.len() + 1);
    db.execute_each(&sql, &rows)?;
    let rows: Vec<_> = others.iter().map(|(incident, threats)| values(incident, threats, now_ms)).collect();
    let places: Vec<String> = (1..=COLUMNS.len()).map(|at| format!("?{at}")).collect();
    let others = COLUMNS.iter().zip(&places).filter(|((_, changes), _)| *changes != Never);
    let changes: Vec<String> = others.map(|((name, _), at)| format!("{name} = {at}")).collect();
    db.execute_each(
        &format!(
            "INSERT INTO incidents ({}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {}",
            columns(),
            places.join(", "),
            changes.join(", ")
        ),
        &rows,
    )?;
    let news =
        incidents.iter().flat_map(|(incident, _)| incident.news.iter().map(|news| (incident.id, news)));
    let rows: Vec<_> = news
        .map(|(id, news)| {
            vec![id.into(), news.at_ms.into(), (&news.what).into(), (&news.by).into(), (&news.text).into()]
        })
        .collect();
    db.execute_each(
        "INSERT INTO timeline (incident, at_ms, what, who, text) VALUES (?1, ?2, ?3, ?4, ?5)",
        &rows,
    )
}

/// The values of a row, in the order of [`COLUMNS`].
fn values<'a>(incident: &'a Incident, threats: &'a String, now_ms: u64) -> Vec<Value<'a>> {
    let Incident { key, notify, .. } = incident;
    let score = score::thousandths(&score::factors(incident, now_ms));
    vec![
        incident.id.into(),
        (&key.model).into(),
        key.category.as_str().into(),
        (&key.client).into(),
        severity_code(incident.severity).into(),
        incident.first_ms.into(),
        incident.last_ms.into(),
        incident.updated_ms.into(),
        incident.count.into(),
        incident.refused.into(),
        threats.into(),
        notify.due_ms.into(),
        notify.sequence.into(),
        notify.last_ms.into(),
        notify.count.into(),
        notify.severity.map(severity_code).into(),
        incident.state.as_str().into(),
        incident.state_ms.into(),
        (&incident.state_by).into(),
        severity_code(incident.base).into(),
        incident.template.cast_signed().into(),
        (&incident.label).into(),
        u64::from(incident.confidence).into(),
        incident.spread.into(),
        incident.campaign.into(),
        (&incident.surface).into(),
        incident.entries.into(),
        score.into(),
        incident.told_state.map_or("", State::as_str).into(),
    ]
}
