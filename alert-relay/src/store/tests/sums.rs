//! Summaries from sums are exactly what the counts by minute say.

use wire::{EventId, Score, Severity, Verdict};

use super::{super::summary::Summary, *};
use crate::store::codec::{severity_of, verdict_of};

const MINUTE: u64 = 60_000;
const DAY: u64 = 1440;

impl Random {
    /// An event of the last seconds, hours or weeks.
    fn event(&mut self, now_ms: u64) -> Event {
        let back = match self.below(4) {
            0 => 1,
            1 => 90,
            2 => 2 * DAY,
            _ => 40 * DAY,
        };
        let mut event = event(1);
        let mut entropy = [0; 10];
        entropy[..8].copy_from_slice(&self.below(u64::MAX).to_be_bytes());
        event.id = EventId::new(now_ms, entropy);
        event.time_ms = now_ms - self.below(back * MINUTE);
        event.severity = severity_of(self.below(4) as i64).unwrap_or(Severity::Low);
        event.verdict = if self.below(2) == 0 { Verdict::Block } else { Verdict::Flag };
        event.client.address = Some(format!("192.0.2.{}", self.below(5)));
        event.score = Score::ZERO;
        for finding in &mut event.findings {
            finding.rule = format!("rule.{}", self.below(14));
        }
        event
    }
}

/// The same counts from the minutes alone.
fn naive(db: &Db, since_ms: u64, now_ms: u64) -> Summary {
    let minute = since_ms / MINUTE;
    let before = minute.saturating_sub(now_ms / MINUTE - minute);
    let one = |sql: &str, values: &[db::Value<'_>]| db.query_one(sql, values, |row| row.uint(0)).unwrap();
    let by_severity = |from: u64, to: u64| {
        db.query(
            "SELECT severity, CAST(SUM(count) AS BIGINT) FROM counts WHERE minute >= ?1 AND minute < ?2 \
             GROUP BY severity ORDER BY severity",
            &[from.into(), to.into()],
            |row| Ok((severity_of(row.int(0)?).unwrap(), row.uint(1)?)),
        )
        .unwrap()
    };
    let sum = "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM counts WHERE minute >= ?1 AND minute < ?2";
    Summary {
        since_ms: minute * MINUTE,
        total: one(sum, &[minute.into(), u64::MAX.into()]),
        severities: by_severity(minute, u64::MAX),
        verdicts: db
            .query(
                "SELECT verdict, CAST(SUM(count) AS BIGINT) FROM counts WHERE minute >= ?1 GROUP BY verdict ORDER BY verdict",
                &[minute.into()],
                |row| Ok((verdict_of(row.int(0)?).unwrap(), row.uint(1)?)),
            )
            .unwrap(),
        before: one(sum, &[before.into(), minute.into()]),
        before_severities: by_severity(before, minute),
        clients: one("SELECT COUNT(*) FROM callers WHERE minute >= ?1", &[minute.into()]),
        threats: db
            .query(
                "SELECT rule, CAST(SUM(count) AS BIGINT) AS n FROM threats WHERE minute >= ?1 GROUP BY rule \
                 ORDER BY n DESC, rule LIMIT 10",
                &[minute.into()],
                |row| Ok((row.text(0)?, row.uint(1)?)),
            )
            .unwrap(),
    }
}

/// In the order of the codes, which no summary promises.
fn sorted(mut summary: Summary) -> Summary {
    summary.severities.sort_by_key(|(severity, _)| codec::severity_code(*severity));
    summary.before_severities.sort_by_key(|(severity, _)| codec::severity_code(*severity));
    summary.verdicts.sort_by_key(|(verdict, _)| codec::verdict_code(*verdict));
    summary
}

fn number(db: &Db, sql: &str) -> u64 {
    db.query_one(sql, &[], |row| row.uint(0)).unwrap()
}

#[test]
fn a_summary_from_sums_is_exactly_that_of_the_minutes() {
    let reply = || oneshot::channel().0;
    for seed in 0..4 {
        let (db, mut random) = (database(), Random(seed));
        let mut now = MOMENT;
        let (mut sums_read, mut stored) = (0, 0);
        for _ in 0..60 {
            now += random.below(400) * MINUTE;
            let events: Vec<Event> = (0..random.below(30)).map(|_| random.event(now)).collect();
            stored += events.len() as u64;
            let mut group = vec![ingest(events).0];
            // What is counted and what is summed may meet in one commit.
            for _ in 0..random.below(3) {
                group.push(Command::Sum {
                    limit: usize::try_from(1 + random.below(60)).unwrap(),
                    reply: reply(),
                });
            }
            if random.below(12) == 0 {
                let class = if random.below(2) == 0 { Class::Metrics } else { Class::Events };
                let before_ms = now - (20 * DAY + random.below(15 * DAY)) * MINUTE;
                group.push(Command::Prune { class, before_ms, limit: 20, reply: reply() });
            }
            commit(&db, group, now);
            for hours in [1, 24, 25 + random.below(100), 720, 1500] {
                let since = now - hours * 60 * MINUTE;
                let found = sorted(summary(&db, since, now).unwrap());
                assert_eq!(found, naive(&db, since, now), "seed {seed}, {hours} hours");
            }
            sums_read += number(&db, "SELECT COUNT(*) FROM threat_sums");
        }
        assert!(stored > 400 && sums_read > 1000, "{stored} events, {sums_read} sums");
        // All that is over is summed in the end, and sums then have what the minutes have.
        now += DAY * MINUTE;
        while sums_are_due(&db, now).unwrap() {
            commit(&db, vec![Command::Sum { limit: 50, reply: reply() }], now);
        }
        for (minutes, sums) in [("threats", "threat_sums"), ("counts", "count_sums")] {
            let from = number(
                &db,
                &format!("SELECT COALESCE(MAX(value), 0) FROM meta WHERE key = '{minutes}_summed_from'"),
            );
            let from = from.div_ceil(DAY);
            for period in [60, DAY] {
                let first = from * DAY / period;
                assert_eq!(
                    number(
                        &db,
                        &format!(
                            "SELECT CAST(SUM(count) AS BIGINT) FROM {minutes} WHERE minute >= {}",
                            from * DAY
                        )
                    ),
                    number(
                        &db,
                        &format!(
                            "SELECT CAST(SUM(count) AS BIGINT) FROM {sums} WHERE minutes = {period} AND period >= {first}"
                        )
                    ),
                    "{sums} of {period}"
                );
            }
        }
    }
}

#[test]
fn a_month_is_read_from_days() {
    let db = database();
    let now = MOMENT;
    let events = (0..29_u8)
        .map(|day| Event {
            id: EventId::new(now, [day; 10]),
            time_ms: now - u64::from(day) * DAY * MINUTE,
            ..event(1)
        })
        .collect();
    commit(&db, vec![ingest(events).0], now);
    while sums_are_due(&db, now).unwrap() {
        commit(&db, vec![Command::Sum { limit: 10, reply: oneshot::channel().0 }], now);
    }
    // What is read where is seen by what is missed without it.
    db.batch("DELETE FROM counts; DELETE FROM count_sums WHERE minutes = 60").unwrap();
    let days = summary(&db, now - 30 * DAY * MINUTE, now).unwrap().total;
    assert!((27..=29).contains(&days), "{days}");
}
