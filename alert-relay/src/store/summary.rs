//! What happened in the last hours.

use wire::{Severity, Verdict};

use super::{
    codec::{severity_of, verdict_of},
    db::{Db, DbError},
    sums,
};

/// The longest time a summary covers: a year.
pub(crate) const MAX_HOURS: u64 = 24 * 366;
/// Rules named in a summary.
const THREATS: u64 = 10;

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
    /// Events of the stretch before, of the same length.
    pub(crate) before: u64,
    /// Those by severity.
    pub(crate) before_severities: Vec<(Severity, u64)>,
    /// Different callers.
    pub(crate) clients: u64,
    /// The most common rules, with the number of events that had them.
    pub(crate) threats: Vec<(String, u64)>,
}

/// Counts everything since `since_ms`, rounded down to a full minute: from what is counted by the minute when events are
/// stored, and summed later, so that it takes as long with many events as with few.
/// The trend is against the stretch of the same length before it.
pub(crate) fn summary(db: &Db, since_ms: u64, now_ms: u64) -> Result<Summary, DbError> {
    let minute = since_ms / 60_000;
    let mut summary = Summary { since_ms: minute * 60_000, ..Summary::default() };
    let groups = sums::EVENTS.total(db, "severity, verdict", (minute, None), "", |row| {
        Ok((severity_of(row.int(0)?), verdict_of(row.int(1)?), row.uint(2)?))
    })?;
    for (severity, verdict, count) in groups {
        summary.total += count;
        if let Some(severity) = severity {
            add(&mut summary.severities, severity, count);
        }
        if let Some(verdict) = verdict {
            add(&mut summary.verdicts, verdict, count);
        }
    }
    let length = (now_ms / 60_000).saturating_sub(minute);
    let stretch = (minute.saturating_sub(length), Some(minute));
    let earlier = sums::EVENTS
        .total(db, "severity", stretch, "", |row| Ok((severity_of(row.int(0)?), row.uint(1)?)))?;
    for (severity, count) in earlier {
        summary.before += count;
        if let Some(severity) = severity {
            add(&mut summary.before_severities, severity, count);
        }
    }
    summary.clients =
        db.query_one("SELECT COUNT(*) FROM callers WHERE minute >= ?1", &[minute.into()], |row| row.uint(0))?;
    let first = format!("ORDER BY n DESC, rule LIMIT {THREATS}");
    summary.threats =
        sums::THREATS.total(db, "rule", (minute, None), &first, |row| Ok((row.text(0)?, row.uint(1)?)))?;
    Ok(summary)
}

fn add<T: PartialEq>(counts: &mut Vec<(T, u64)>, key: T, count: u64) {
    match counts.iter_mut().find(|(known, _)| *known == key) {
        Some((_, known)) => *known += count,
        None => counts.push((key, count)),
    }
}
