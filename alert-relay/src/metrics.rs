//! Counters in Prometheus' text form. Labels are closed vocabularies, never a caller's or a prompt's.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use wire::{Severity, Verdict};

use crate::{config::Channel, store::Counts};

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub(crate) fn add(&self, n: usize) {
        self.add_u64(n as u64);
    }

    fn add_u64(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The sum so far.
    #[must_use]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Upper bounds of the histogram's buckets, in microseconds.
const BUCKETS: [u64; 9] = [500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 1_000_000];

/// Durations by size.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [Counter; BUCKETS.len()],
    micros: Counter,
    count: Counter,
}

impl Histogram {
    /// Adds a duration.
    pub(crate) fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        for (bucket, bound) in self.buckets.iter().zip(BUCKETS) {
            if micros <= bound {
                bucket.add(1);
            }
        }
        self.micros.add_u64(micros);
        self.count.add(1);
    }
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    events: [[Counter; 5]; 4],
    duplicates: Counter,
    opened: Counter,
    /// Events refused one by one because they were malformed.
    pub(crate) rejected: Counter,
    /// Events that senders said they had to drop.
    pub(crate) dropped: Counter,
    /// Batches answered, by result.
    pub(crate) batches: Batches,
    /// Commits of the store.
    pub(crate) commits: Counter,
    /// Events in those commits.
    pub(crate) group_events: Counter,
    /// Transactions that failed.
    pub(crate) commit_errors: Counter,
    /// Time a commit takes.
    pub(crate) commit_seconds: Histogram,
    /// Times the relay's own commands waited for room in the queue.
    pub(crate) store_waits: Counter,
    /// Lines written to the incident log.
    pub(crate) log_lines: Counter,
    /// Failures to write the incident log.
    pub(crate) log_errors: Counter,
    /// Batches of senders that bring more than they may.
    pub(crate) over_quota: Counter,
    /// Connections of addresses that have all that one may have.
    pub(crate) refused_connections: Counter,
    /// Since when lines of the incident log cannot be written, Unix milliseconds; 0 while they can.
    log_failing_since: AtomicU64,
    /// Attempts to deliver, by channel and outcome.
    deliveries: [[Counter; OUTCOMES.len()]; Channel::ALL.len()],
}

/// How an attempt to deliver went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// It was taken.
    Sent,
    /// It will be repeated.
    Retried,
    /// It was refused for good.
    Parked,
}

const OUTCOMES: [Delivered; 3] = [Delivered::Sent, Delivered::Retried, Delivered::Parked];

impl Delivered {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Retried => "retried",
            Self::Parked => "parked",
        }
    }
}

/// Batches by result.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    /// 202
    pub(crate) accepted: Counter,
    /// 400
    pub(crate) malformed: Counter,
    /// 401
    pub(crate) unauthorised: Counter,
    /// 413
    pub(crate) too_large: Counter,
    /// 429
    pub(crate) busy: Counter,
    /// 503
    pub(crate) failed: Counter,
}

/// What is read at the moment of asking.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gauges {
    /// What the store says; none while it does not answer, when counters are wanted most.
    pub(crate) stored: Option<Stored>,
    /// Bytes of events waiting for the writer.
    pub(crate) queue_bytes: u64,
    /// For how long lines of the incident log could not be written, in milliseconds.
    pub(crate) log_failing_ms: u64,
}

/// What the store says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stored {
    /// Mails waiting.
    pub(crate) outbox_pending: u64,
    /// Mails refused for good and not looked at.
    pub(crate) outbox_parked: u64,
    /// Age of the oldest waiting mail in milliseconds.
    pub(crate) outbox_age_ms: u64,
    /// Events that cannot be searched yet.
    pub(crate) search_lag: u64,
}

impl Metrics {
    /// Takes in what a group brought.
    pub(crate) fn accepted(&self, counts: &Counts) {
        for (&(severity, verdict), &n) in &counts.accepted {
            let by_verdict = usize::try_from(severity).ok().and_then(|at| self.events.get(at));
            let counter = by_verdict.zip(usize::try_from(verdict).ok()).and_then(|(row, at)| row.get(at));
            if let Some(counter) = counter {
                counter.add_u64(n);
            }
        }
        self.duplicates.add_u64(counts.duplicates);
        self.opened.add_u64(counts.opened);
    }

    /// Counts an attempt to deliver.
    pub(crate) fn delivered(&self, channel: Channel, outcome: Delivered) {
        let row = Channel::ALL.iter().zip(&self.deliveries).find(|(known, _)| **known == channel);
        let counter = row.and_then(|(_, row)| OUTCOMES.iter().zip(row).find(|(known, _)| **known == outcome));
        if let Some((_, counter)) = counter {
            counter.add(1);
        }
    }

    /// Notes that lines of the incident log cannot be written, if that is news, or can again.
    pub(crate) fn log_fails(&self, since: Option<u64>) {
        match since {
            None => self.log_failing_since.store(0, Relaxed),
            Some(now_ms) => drop(self.log_failing_since.compare_exchange(0, now_ms, Relaxed, Relaxed)),
        }
    }

    /// For how long lines of the incident log could not be written, in milliseconds; none while they can.
    pub(crate) fn log_failing(&self, now_ms: u64) -> Option<u64> {
        match self.log_failing_since.load(Relaxed) {
            0 => None,
            since => Some(now_ms.saturating_sub(since)),
        }
    }

    /// The text that Prometheus reads.
    #[must_use]
    pub(crate) fn text(&self, gauges: &Gauges) -> String {
        let mut out = String::new();
        head(&mut out, "events_total", "counter", "Events stored");
        for (row, severity) in self.events.iter().zip(Severity::ALL) {
            for (counter, verdict) in row.iter().zip(Verdict::ALL) {
                let labels = format!("severity=\"{}\",verdict=\"{}\"", severity.as_str(), verdict.as_str());
                line(&mut out, "events_total", &labels, counter.get());
            }
        }
        let batches = [
            ("202", &self.batches.accepted),
            ("400", &self.batches.malformed),
            ("401", &self.batches.unauthorised),
            ("413", &self.batches.too_large),
            ("429", &self.batches.busy),
            ("503", &self.batches.failed),
        ];
        head(&mut out, "batches_total", "counter", "Batches answered, by status");
        for (status, counter) in batches {
            line(&mut out, "batches_total", &format!("status=\"{status}\""), counter.get());
        }
        let counters = [
            ("duplicates_total", "Events that were stored already", &self.duplicates),
            ("rejected_total", "Malformed events", &self.rejected),
            ("dropped_total", "Events that senders had to drop", &self.dropped),
            ("over_quota_total", "Batches of senders over their quota", &self.over_quota),
            (
                "refused_connections_total",
                "Connections refused to addresses that had all they may have",
                &self.refused_connections,
            ),
            ("incidents_total", "Incidents opened", &self.opened),
            ("commits_total", "Transactions committed", &self.commits),
            ("commit_events_total", "Events in batches that were committed", &self.group_events),
            ("commit_errors_total", "Transactions failed", &self.commit_errors),
            ("store_waits_total", "Waits for room in the store's queue", &self.store_waits),
            ("log_lines_total", "Lines written to the incident log", &self.log_lines),
            ("log_errors_total", "Failures to write the incident log", &self.log_errors),
        ];
        for (name, help, counter) in counters {
            head(&mut out, name, "counter", help);
            line(&mut out, name, "", counter.get());
        }
        head(&mut out, "deliveries_total", "counter", "Messages handed over, by channel and outcome");
        for (row, channel) in self.deliveries.iter().zip(Channel::ALL) {
            for (counter, outcome) in row.iter().zip(OUTCOMES) {
                let labels = format!("channel=\"{}\",outcome=\"{}\"", channel.as_str(), outcome.as_str());
                line(&mut out, "deliveries_total", &labels, counter.get());
            }
        }
        self.commit_seconds.text(&mut out, "commit_seconds", "Time a transaction takes");
        gauges.text(&mut out);
        out
    }
}

impl Gauges {
    fn text(&self, out: &mut String) {
        gauge(out, "store_up", "Whether the store answers", u64::from(self.stored.is_some()));
        gauge(out, "queue_bytes", "Bytes of events waiting for the store", self.queue_bytes);
        let help = "How long lines of the incident log could not be written";
        seconds(out, "log_failing_seconds", help, self.log_failing_ms);
        if let Some(stored) = &self.stored {
            gauge(out, "outbox_pending", "Mails waiting", stored.outbox_pending);
            gauge(out, "outbox_parked", "Mails refused for good", stored.outbox_parked);
            gauge(out, "search_lag_events", "Events stored that cannot be searched yet", stored.search_lag);
            seconds(out, "outbox_age_seconds", "Age of the oldest waiting mail", stored.outbox_age_ms);
        }
    }
}

impl Histogram {
    fn text(&self, out: &mut String, name: &str, help: &str) {
        head(out, name, "histogram", help);
        for (bucket, bound) in self.buckets.iter().zip(BUCKETS) {
            let seconds = format!("{}.{:06}", bound / 1_000_000, bound % 1_000_000);
            let labels = format!("le=\"{}\"", seconds.trim_end_matches('0').trim_end_matches('.'));
            line(out, &format!("{name}_bucket"), &labels, bucket.get());
        }
        line(out, &format!("{name}_bucket"), "le=\"+Inf\"", self.count.get());
        let micros = self.micros.get();
        let _ = writeln!(out, "modelgate_relay_{name}_sum {}.{:06}", micros / 1_000_000, micros % 1_000_000);
        line(out, &format!("{name}_count"), "", self.count.get());
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP modelgate_relay_{name} {help}\n# TYPE modelgate_relay_{name} {kind}");
}

fn gauge(out: &mut String, name: &str, help: &str, value: u64) {
    head(out, name, "gauge", help);
    line(out, name, "", value);
}

fn seconds(out: &mut String, name: &str, help: &str, ms: u64) {
    head(out, name, "gauge", help);
    let _ = writeln!(out, "modelgate_relay_{name} {}.{:03}", ms / 1000, ms % 1000);
}

fn line(out: &mut String, name: &str, labels: &str, value: u64) {
    let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let _ = writeln!(out, "modelgate_relay_{name}{labels} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_told_also_while_the_store_is_away() {
        let metrics = Metrics::default();
        metrics.commit_errors.add(7);
        let away = metrics.text(&Gauges { log_failing_ms: 1500, ..Gauges::default() });
        assert!(away.contains("\nmodelgate_relay_commit_errors_total 7\n"), "{away}");
        assert!(away.contains("\nmodelgate_relay_store_up 0\n"), "{away}");
        assert!(away.contains("\nmodelgate_relay_log_failing_seconds 1.500\n"), "{away}");
        assert!(!away.contains("outbox"), "what is not known is not said to be nothing: {away}");
        let here = metrics.text(&Gauges { stored: Some(Stored::default()), ..Gauges::default() });
        assert!(
            here.contains("\nmodelgate_relay_store_up 1\n") && here.contains("outbox_pending 0"),
            "{here}"
        );
    }

    #[test]
    fn the_log_fails_since_its_first_failure() {
        let metrics = Metrics::default();
        assert_eq!(metrics.log_failing(50), None);
        metrics.log_fails(Some(100));
        metrics.log_fails(Some(200));
        assert_eq!(metrics.log_failing(350), Some(250));
        metrics.log_fails(None);
        assert_eq!(metrics.log_failing(400), None);
    }
}
