//! Finding events: by caller and time through indexes, by words, category and severity through the full-text index.
//!
//! The index is filled after the commit, in small steps, so that nobody who waits for an acknowledgement waits for it.
//! Either database gets the same plain words, cut here, so that both find the same.

use wire::{Category, Event, Severity};

use super::{
    StoredEvent,
    apply::save_number,
    db::{Db, DbError, Dialect, Value},
    read::event_row,
};
use crate::incident::category_of;

/// Most bytes of an event's words.
const MAX_TEXT: usize = 4096;
/// Longest word in bytes; of longer ones the beginning counts.
const MAX_WORD: usize = 64;
/// Most words of a question.
const MAX_ASKED: usize = 16;
/// Transactions of relays take no longer. Others on the same server may; they are not waited for.
const LONGEST_TRANSACTION_MS: u64 = 120_000;
/// Most events of an address that are looked at one by one, for a category or a severity.
const FEW: usize = 1000;
/// So many of them at a time.
const LOOK: usize = 100;

/// Lower-case words of letters and digits.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(|word| {
        let word = word.to_lowercase();
        word.get(..word.floor_char_boundary(MAX_WORD)).unwrap_or_default().to_owned()
    })
}

/// A word that stands for a category or a severity; no text has it by chance.
fn mark(kind: &str, word: &str) -> String {
    format!("{kind}zz{}", word.replace('_', "zz"))
}

/// All that can be found of an event, as words with spaces between.
fn text_of(event: &Event) -> String {
    let mut text = mark("severity", event.severity.as_str());
    let mut add = |value: &str| {
        for word in words(value) {
            if text.len() + word.len() < MAX_TEXT {
                text.push(' ');
                text.push_str(&word);
            }
        }
    };
    add(&mark("category", category_of(event).as_str()));
    add(category_of(event).as_str());
    add(&event.model);
    add(event.verdict.as_str());
    add(&event.request.method);
    add(&event.request.path);
    for value in [&event.client.address, &event.client.user, &event.request.id].into_iter().flatten() {
        add(value);
    }
    if let Some(key) = &event.client.key {
        add(&key.hash);
        add(&key.prefix);
    }
    for value in [&event.node, &event.route] {
        add(value);
    }
    for finding in &event.findings {
        add(&finding.rule);
        add(&finding.summary);
        finding.owasp.iter().chain(&finding.atlas).for_each(|tag| add(tag));
        add(finding.evidence.as_deref().unwrap_or_default());
    }
    text
}

/// Adds the words of further events; of how many.
pub(super) fn index(db: &Db, limit: usize, now_ms: u64) -> Result<u64, DbError> {
    let (last, insert) = match db.dialect() {
        Dialect::Sqlite => (Some(u64::MAX), "INSERT INTO events_text (rowid, words) VALUES (?1, ?2)"),
        Dialect::Postgres => (
            settled(db, now_ms)?,
            "INSERT INTO events_text (seq, words) VALUES (?1, to_tsvector('simple', ?2)) ON CONFLICT (seq) DO NOTHING",
        ),
    };
    let Some(last) = last else { return Ok(0) };
    let events = db.query(
        "SELECT seq, received_ms, body FROM events WHERE seq > (SELECT value FROM meta WHERE key = 'searchable') \
         AND seq <= ?2 ORDER BY seq LIMIT ?1",
        &[limit.into(), last.into()],
        event_row,
    )?;
    let texts: Vec<(u64, String)> =
        events.iter().map(|stored| (stored.seq, text_of(&stored.event))).collect();
    let rows: Vec<_> = texts.iter().map(|(seq, text)| vec![(*seq).into(), text.into()]).collect();
    db.execute_each(insert, &rows)?;
    if let Some((last, _)) = texts.last() {
        save_number(db, "searchable", *last)?;
    }
    Ok(texts.len() as u64)
}

/// The number up to which no further event appears; none while somebody may be about to store one below. A server gives
/// numbers before the commit, so a smaller one may come later than a greater one. All who could bring one had begun when
/// the greatest number there was (`search_bound`) was looked up: the transactions below `search_horizon`.
fn settled(db: &Db, now_ms: u64) -> Result<Option<u64>, DbError> {
    let (oldest, next, last) = db.query_one(
        "SELECT pg_snapshot_xmin(now)::text::bigint, pg_snapshot_xmax(now)::text::bigint, \
         (SELECT COALESCE(MAX(seq), 0) FROM events) FROM pg_current_snapshot() AS now",
        &[],
        |row| Ok((row.uint(0)?, row.uint(1)?, row.uint(2)?)),
    )?;
    let known = db.query(
        "SELECT key, value FROM meta WHERE key IN ('searchable', 'search_bound', 'search_horizon', 'search_ms')",
        &[],
        |row| Ok((row.text(0)?, row.uint(1)?)),
    )?;
    let of = |key: &str| known.iter().find(|(known, _)| known == key).map_or(0, |(_, value)| *value);
    let (mut bound, mut horizon, mut since_ms) = (of("search_bound"), of("search_horizon"), of("search_ms"));
    if of("searchable") >= bound {
        (bound, horizon, since_ms) = (last, next, now_ms);
        for (key, value) in [("search_bound", bound), ("search_horizon", horizon), ("search_ms", since_ms)] {
            save_number(db, key, value)?;
        }
    }
    let is_over = oldest >= horizon || now_ms.abs_diff(since_ms) > LONGEST_TRANSACTION_MS;
    Ok(is_over.then_some(bound))
}

/// How many events are stored and cannot be searched yet, at most.
pub(crate) fn search_lag(db: &Db) -> Result<u64, DbError> {
    db.query_one(
        "SELECT COALESCE(MAX(seq), 0), (SELECT value FROM meta WHERE key = 'searchable') FROM events",
        &[],
        // Once all events were old enough to be deleted there is nothing behind.
        |row| Ok(row.uint(0)?.saturating_sub(row.uint(1)?)),
    )
}

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventFilter {
    /// From this address.
    pub(crate) address: Option<String>,
    /// Decided at this moment or later, Unix milliseconds.
    pub(crate) since_ms: Option<u64>,
    /// Decided before this moment.
    pub(crate) until_ms: Option<u64>,
    /// At least so severe.
    pub(crate) min_severity: Option<Severity>,
    /// Of this category.
    pub(crate) category: Option<Category>,
    /// With all these words.
    pub(crate) text: Option<String>,
    /// After this one in the list.
    pub(crate) before: Option<u64>,
}

impl EventFilter {
    /// Whether an event has the category and the severity that are asked for.
    fn fits(&self, event: &Event) -> bool {
        self.category.is_none_or(|category| category_of(event) == category)
            && self.min_severity.is_none_or(|least| event.severity >= least)
    }

    /// The question to the full-text index, in the database's own form; none if nothing is asked of it.
    pub(super) fn question(&self, dialect: Dialect) -> Option<String> {
        let mut all: Vec<String> = Vec::new();
        if let Some(category) = self.category {
            all.push(quoted(&mark("category", category.as_str()), dialect));
        }
        if let Some(least) = self.min_severity.filter(|least| *least > Severity::Low) {
            let severities = [Severity::Medium, Severity::High, Severity::Critical];
            let any: Vec<String> = severities
                .into_iter()
                .filter(|severity| *severity >= least)
                .map(|severity| quoted(&mark("severity", severity.as_str()), dialect))
                .collect();
            let or = if dialect == Dialect::Sqlite { " OR " } else { " | " };
            all.push(format!("({})", any.join(or)));
        }
        all.extend(
            self.text.iter().flat_map(|text| words(text)).take(MAX_ASKED).map(|word| quoted(&word, dialect)),
        );
        // The address is held against the column, too; its words leave few of a common category.
        if let Some(address) = self.address.as_ref().filter(|_| !all.is_empty()) {
            all.extend(words(address).take(MAX_ASKED).map(|word| quoted(&word, dialect)));
        }
        let and = if dialect == Dialect::Sqlite { " AND " } else { " & " };
        (!all.is_empty()).then(|| all.join(and))
    }
}

/// A word as a term; it has letters and digits only.
fn quoted(word: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Sqlite => format!("\"{word}\""),
        Dialect::Postgres => format!("'{word}'"),
    }
}

/// In which order events are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The latest stored first.
    Stored,
    /// The latest decided first: where the time alone says which, so that it finds them however long ago that was.
    /// Before this moment and [`EventFilter::before`], if the page is not the first.
    Decided(Option<u64>),
}

/// A page of events, the latest first; one more than `limit` if there are more.
pub(crate) fn event_page(db: &Db, filter: &EventFilter, limit: usize) -> Result<Vec<StoredEvent>, DbError> {
    let question = filter.question(db.dialect());
    if let Some(address) = filter.address.as_ref().filter(|_| question.is_some() && filter.text.is_none())
        && are_few(db, address)?
    {
        return one_by_one(db, filter, limit);
    }
    let by_time = question.is_none()
        && filter.address.is_none()
        && (filter.since_ms.is_some() || filter.until_ms.is_some());
    let order = match filter.before.filter(|_| by_time) {
        None if by_time => Order::Decided(None),
        None => Order::Stored,
        Some(before) => {
            let sql = "SELECT time_ms FROM events WHERE seq = ?1";
            match db.query_opt(sql, &[before.into()], |row| row.uint(0))? {
                Some(moment) => Order::Decided(Some(moment)),
                // It was so old that it was deleted meanwhile, and so was all that is older.
                None => return Ok(Vec::new()),
            }
        }
    };
    let (sql, values) = page_of(db.dialect(), filter, question.as_ref(), order, limit);
    db.query(&sql, &values, event_row)
}

/// Whether an address has so few events that looking at each is sooner done than asking the full-text index, which
/// does not know how few they are.
fn are_few(db: &Db, address: &str) -> Result<bool, DbError> {
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM events WHERE address = ?1 LIMIT ?2) AS found";
    let count = db.query_one(sql, &[address.into(), (FEW + 1).into()], |row| row.uint(0))?;
    Ok(count <= FEW as u64)
}

/// Events of an address, of a category and a severity.
fn one_by_one(db: &Db, filter: &EventFilter, limit: usize) -> Result<Vec<StoredEvent>, DbError> {
    let mut found = Vec::new();
    let mut rest = filter.clone();
    loop {
        let (sql, values) = page_of(db.dialect(), &rest, None, Order::Stored, LOOK - 1);
        let events = db.query(&sql, &values, event_row)?;
        let next = (events.len() == LOOK).then(|| events.last().map(|last| last.seq)).flatten();
        found.extend(events.into_iter().filter(|stored| filter.fits(&stored.event)));
        if found.len() > limit || next.is_none() {
            found.truncate(limit + 1);
            return Ok(found);
        }
        rest.before = next;
    }
}

/// The statement for a page and one more.
pub(super) fn page_of<'f>(
    dialect: Dialect,
    filter: &'f EventFilter,
    question: Option<&'f String>,
    order: Order,
    limit: usize,
) -> (String, Vec<Value<'f>>) {
    let mut values: Vec<Value<'f>> = Vec::new();
    let mut conditions: Vec<String> = Vec::new();
    let mut hold = |condition: &str, value| {
        values.push(value);
        conditions.push(condition.replace('?', &format!("?{}", values.len())));
    };
    let (mut from, mut seq) = ("events", "events.seq");
    if let Some(question) = question {
        (from, seq) = match dialect {
            Dialect::Sqlite => {
                hold("events_text MATCH ?", question.into());
                ("events_text JOIN events ON events.seq = events_text.rowid", "events_text.rowid")
            }
            Dialect::Postgres => {
                hold("events_text.words @@ to_tsquery('simple', ?)", question.into());
                ("events_text JOIN events ON events.seq = events_text.seq", "events_text.seq")
            }
        };
    }
    if let Some(address) = &filter.address {
        hold("events.address = ?", address.into());
    }
    if let Some(since) = filter.since_ms {
        hold("events.time_ms >= ?", since.into());
    }
    if let Some(until) = filter.until_ms {
        hold("events.time_ms < ?", until.into());
    }
    if let Some(before) = filter.before {
        match order {
            Order::Decided(Some(moment)) => {
                values.extend([Value::from(moment), before.into()]);
                let last = values.len();
                conditions.push(format!("(events.time_ms, events.seq) < (?{}, ?{last})", last - 1));
            }
            _ => {
                values.push(before.into());
                conditions.push(format!("{seq} < ?{}", values.len()));
            }
        }
    }
    let condition =
        if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    values.push((limit + 1).into());
    let most = values.len();
    let order = match order {
        Order::Stored => format!("{seq} DESC"),
        Order::Decided(_) => {
            if dialect == Dialect::Sqlite {
                from = "events INDEXED BY events_time";
            }
            "events.time_ms DESC, events.seq DESC".to_owned()
        }
    };
    let sql = format!(
        "SELECT events.seq, events.received_ms, events.body FROM {from} {condition} ORDER BY {order} LIMIT ?{most}"
    );
    (sql, values)
}
