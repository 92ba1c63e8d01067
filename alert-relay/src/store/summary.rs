//! What happened in the last hours.

use rusqlite::{Connection, params};
use wire::{Severity, Verdict};

use super::codec::{int, severity_of, uint, uint_at, verdict_of};

/// The longest time a summary covers: a year.
pub(crate) const MAX_HOURS: u64 = 24 * 366;
/// Rules named in a summary.
const THREATS: u32 = 10;

/// Counts over a stretch of time, by the moment the guard decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// The first moment counted, Unix milliseconds; a full minute.
    pub(crate) since_ms: u64,
    /// All events.
    pub(crate) total: u64,
    /// Events by severity.
    pub(crate) severities: Vec<(Severity, u64)>,
    /// Events by verdict.
    pub(crate) verdicts: Vec<(Verdict, u64)>,
    /// Different callers.
    pub(crate) clients: u64,
    /// The most common rules, with the number of events that had them.
    pub(crate) threats: Vec<(String, u64)>,
}

/// Counts everything since `since_ms`, rounded down to a full minute (rules are counted by the minute).
pub(crate) fn summary(db: &Connection, since_ms: u64) -> rusqlite::Result<Summary> {
    let minute = since_ms / 60_000;
    let since = int(minute * 60_000);
    let mut summary = Summary { since_ms: minute * 60_000, ..Summary::default() };
    let mut statement = db.prepare_cached(
        "SELECT severity, verdict, COUNT(*) FROM events WHERE time_ms >= ?1 GROUP BY severity, verdict",
    )?;
    let mut rows = statement.query(params![since])?;
    while let Some(row) = rows.next()? {
        let count = uint_at(row, 2)?;
        summary.total += count;
        if let Some(severity) = severity_of(row.get(0)?) {
            add(&mut summary.severities, severity, count);
        }
        if let Some(verdict) = verdict_of(row.get(1)?) {
            add(&mut summary.verdicts, verdict, count);
        }
    }
    summary.clients = db
        .prepare_cached(
            "SELECT COUNT(DISTINCT client) FROM events WHERE time_ms >= ?1 AND client <> 'unknown'",
        )?
        .query_row(params![since], |row| row.get(0))
        .map(uint)?;
    summary.threats = db
        .prepare_cached(
            "SELECT rule, SUM(count) AS n FROM threats WHERE minute >= ?1 GROUP BY rule \
             ORDER BY n DESC, rule LIMIT ?2",
        )?
        .query_map(params![int(minute), THREATS], |row| Ok((row.get(0)?, uint_at(row, 1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(summary)
}

fn add<T: PartialEq>(counts: &mut Vec<(T, u64)>, key: T, count: u64) {
    match counts.iter_mut().find(|(known, _)| *known == key) {
        Some((_, known)) => *known += count,
        None => counts.push((key, count)),
    }
}
