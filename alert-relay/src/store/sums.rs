//! What is counted by the minute, summed by the hour and by the day: a summary of a month reads some days, some hours
//! and some minutes, not all of its minutes.
//!
//! **Form.** The counts by minute are what is true. `meta` says from which minute (before it some may be deleted already)
//! up to which one they are in the sums too; only periods that lie between the two are read from there. Sums are made
//! after the commit, in small steps; an event that comes later for a minute that is summed already is added to both.
//!
//! **Several relays.** Whoever counts holds a shared lock until its commit, whoever sums the same lock alone: so nobody
//! counts for a minute that is just being summed.

use std::collections::BTreeMap;

use super::{
    apply::save_number,
    db::{Db, DbError, Row, Value},
};

/// Minutes of the periods that are summed, the longest first.
const PERIODS: [u64; 2] = [1440, 60];
/// So many minutes after an hour it is summed: most of what was delayed on its way has come by then.
const DELAY: u64 = 10;
/// Beyond all minutes.
const NEVER: u64 = i64::MAX.cast_unsigned();

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// The table of counts by minute.
    minutes: &'static str,
    /// The table of sums.
    sums: &'static str,
    /// What is counted apart.
    by: &'static [&'static str],
    /// Where it says in `meta` from which minute on the sums have all.
    from: &'static str,
    /// And up to which one.
    until: &'static str,
}

/// Events by rule.
pub(super) const THREATS: Counted = Counted {
    minutes: "threats",
    sums: "threat_sums",
    by: &["rule"],
    from: "threats_summed_from",
    until: "threats_summed_until",
};

/// Events by severity and verdict.
pub(super) const EVENTS: Counted = Counted {
    minutes: "counts",
    sums: "count_sums",
    by: &["severity", "verdict"],
    from: "counts_summed_from",
    until: "counts_summed_until",
};

/// A part of a stretch of time: minutes for a period, the first period and the one after the last.
type Part = (u64, u64, u64);

/// The parts that make up the minutes from `start` to before `end`, of which those of `summed` are in the sums.
fn parts(start: u64, end: u64, summed: (u64, u64)) -> Vec<Part> {
    fn cover(start: u64, end: u64, summed: (u64, u64), periods: &[u64], found: &mut Vec<Part>) {
        if start >= end {
            return;
        }
        let Some((period, shorter)) = periods.split_first() else { return found.push((1, start, end)) };
        let (first, last) = (start.max(summed.0).div_ceil(*period), end.min(summed.1) / period);
        if first < last {
            cover(start, first * period, summed, shorter, found);
            found.push((*period, first, last));
            cover(last * period, end, summed, shorter, found);
        } else {
            cover(start, end, summed, shorter, found);
        }
    }
    let mut found = Vec::new();
    cover(start, end, summed, &PERIODS, &mut found);
    found
}

impl Counted {
    fn columns(self) -> String {
        self.by.join(", ")
    }

    /// Which minutes are in the sums.
    fn summed(self, db: &Db) -> Result<(u64, u64), DbError> {
        let number = |key: &str| {
            let sql = "SELECT value FROM meta WHERE key = ?1";
            db.query_opt(sql, &[key.into()], |row| row.uint(0)).map(Option::unwrap_or_default)
        };
        Ok((number(self.from)?, number(self.until)?))
    }

    /// Adds up the minutes from `start` to before `end`, or to the last; by `by`, which is among what is counted apart.
    /// `rest` comes after the grouping.
    pub(super) fn total<T>(
        self,
        db: &Db,
        by: &str,
        (start, end): (u64, Option<u64>),
        rest: &str,
        map: impl FnMut(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        let parts = parts(start, end.unwrap_or(NEVER), self.summed(db)?);
        let mut values: Vec<Value<'_>> = Vec::new();
        let mut selects: Vec<String> = Vec::new();
        for (period, first, last) in parts {
            values.extend([Value::from(first), last.into()]);
            let (from, to) = (values.len() - 1, values.len());
            selects.push(if period == 1 {
                let table = self.minutes;
                format!("SELECT {by}, count FROM {table} WHERE minute >= ?{from} AND minute < ?{to}")
            } else {
                let table = self.sums;
                format!(
                    "SELECT {by}, count FROM {table} WHERE minutes = {period} AND period >= ?{from} AND period < ?{to}"
                )
            });
        }
        if selects.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {by}, CAST(SUM(count) AS BIGINT) AS n FROM ({}) AS parts GROUP BY {by} {rest}",
            selects.join(" UNION ALL ")
        );
        db.query(&sql, &values, map)
    }

    /// Counts events by minute and what is counted apart.
    pub(super) fn add<K: Ord>(
        self,
        db: &Db,
        counts: &BTreeMap<(u64, K), u64>,
        apart: impl for<'k> Fn(&'k K) -> Vec<Value<'k>>,
    ) -> Result<(), DbError> {
        if counts.is_empty() {
            return Ok(());
        }
        let (columns, minutes, sums) = (self.columns(), self.minutes, self.sums);
        let places: Vec<String> = (1..=self.by.len() + 2).map(|at| format!("?{at}")).collect();
        let (count, places) = (places.len(), places.join(", "));
        let row = |first: u64, key, count: u64| {
            let mut row = vec![first.into()];
            row.extend(apart(key));
            row.push(count.into());
            row
        };
        let rows: Vec<_> = counts.iter().map(|((minute, key), count)| row(*minute, key, *count)).collect();
        db.execute_each(
            &format!(
                "INSERT INTO {minutes} (minute, {columns}, count) VALUES ({places}) \
                 ON CONFLICT (minute, {columns}) DO UPDATE SET count = {minutes}.count + ?{count}"
            ),
            &rows,
        )?;
        let (_, until) = self.summed(db)?;
        for period in PERIODS {
            let mut late: BTreeMap<(u64, &K), u64> = BTreeMap::new();
            for ((minute, key), count) in counts.iter().filter(|((minute, _), _)| *minute < until) {
                *late.entry((minute / period, key)).or_default() += count;
            }
            let rows: Vec<_> = late.iter().map(|((first, key), count)| row(*first, *key, *count)).collect();
            db.execute_each(
                &format!(
                    "INSERT INTO {sums} (minutes, period, {columns}, count) VALUES ({period}, {places}) \
                     ON CONFLICT (minutes, period, {columns}) DO UPDATE SET count = {sums}.count + ?{count}"
                ),
                &rows,
            )?;
        }
        Ok(())
    }

    /// The next minutes to be summed: the first and the one after the last. None: all hours that are over are summed.
    /// With about `limit` rows of counts.
    fn due(self, db: &Db, now_ms: u64, limit: usize) -> Result<Option<(u64, u64)>, DbError> {
        let (_, until) = self.summed(db)?;
        let over = (now_ms / 60_000).saturating_sub(DELAY) / 60 * 60;
        let table = self.minutes;
        let rows = db.query(
            &format!(
                "SELECT minute FROM {table} WHERE minute >= ?1 AND minute < ?2 ORDER BY minute LIMIT ?3"
            ),
            &[until.into(), over.into(), limit.into()],
            |row| row.uint(0),
        )?;
        let (Some(first), Some(last)) = (rows.first().copied(), rows.last().copied()) else {
            return Ok(None);
        };
        // All counts of a minute are summed at once, also if they alone are more than a step.
        let whole = rows.len() < limit;
        Ok(Some((first, if whole || last == first { last + 1 } else { last })))
    }

    /// One step; how many minutes it went on.
    fn sum(self, db: &Db, now_ms: u64, limit: usize) -> Result<u64, DbError> {
        let Some((first, end)) = self.due(db, now_ms, limit)? else { return Ok(0) };
        let (columns, minutes, sums) = (self.columns(), self.minutes, self.sums);
        for period in PERIODS {
            db.execute(
                &format!(
                    "INSERT INTO {sums} (minutes, period, {columns}, count) \
                     SELECT {period}, minute / {period}, {columns}, CAST(SUM(count) AS BIGINT) FROM {minutes} \
                     WHERE minute >= ?1 AND minute < ?2 GROUP BY minute / {period}, {columns} \
                     ON CONFLICT (minutes, period, {columns}) DO UPDATE SET count = {sums}.count + excluded.count"
                ),
                &[first.into(), end.into()],
            )?;
        }
        save_number(db, self.until, end)?;
        Ok(end - first)
    }

    /// Minutes before this one are about to be deleted: sums that have some of them are not read again.
    pub(super) fn forget(self, db: &Db, minute: u64) -> Result<(), DbError> {
        let (from, _) = self.summed(db)?;
        save_number(db, self.from, from.max(minute))?;
        let table = self.sums;
        for period in PERIODS {
            db.execute(
                &format!("DELETE FROM {table} WHERE minutes = {period} AND period < ?1"),
                &[(minute / period).into()],
            )?;
        }
        Ok(())
    }
}

/// Whether there is something to sum. A question costs no commit.
pub(crate) fn are_due(db: &Db, now_ms: u64) -> Result<bool, DbError> {
    Ok(THREATS.due(db, now_ms, 1)?.is_some() || EVENTS.due(db, now_ms, 1)?.is_some())
}

/// Sums some further minutes, about `limit` counts of each kind; how many.
pub(super) fn sum(db: &Db, limit: usize, now_ms: u64) -> Result<u64, DbError> {
    Ok(THREATS.sum(db, now_ms, limit)? + EVENTS.sum(db, now_ms, limit)?)
}
