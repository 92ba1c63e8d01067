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

const SEVERITIES: [Severity; 4] = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
const VERDICTS: [Verdict; 5] =
    [Verdict::Allow, Verdict::Flag, Verdict::Mask, Verdict::Throttle, Verdict::Block];

/// What is read at the moment of asking.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gauges {
    /// Mails waiting.
    pub(crate) outbox_pending: u64,
    /// Mails refused for good and not looked at.
    pub(crate) outbox_parked: u64,
    /// Age of the oldest waiting mail in milliseconds.
    pub(crate) outbox_age_ms: u64,
    /// Events that cannot be searched yet.
    pub(crate) search_lag: u64,
    /// Bytes of events waiting for the writer.
    pub(crate) queue_bytes: u64,
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

    /// The text that Prometheus reads.
    #[must_use]
    pub(crate) fn text(&self, gauges: &Gauges) -> String {
        let mut out = String::new();
        head(&mut out, "events_total", "counter", "Events stored");
        for (row, severity) in self.events.iter().zip(SEVERITIES) {
            for (counter, verdict) in row.iter().zip(VERDICTS) {
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
        let values = [
            ("outbox_pending", "Mails waiting", gauges.outbox_pending),
            ("outbox_parked", "Mails refused for good", gauges.outbox_parked),
            ("search_lag_events", "Events stored that cannot be searched yet", gauges.search_lag),
            ("queue_bytes", "Bytes of events waiting for the store", gauges.queue_bytes),
        ];
        for (name, help, value) in values {
            head(&mut out, name, "gauge", help);
            line(&mut out, name, "", value);
        }
        head(&mut out, "outbox_age_seconds", "gauge", "Age of the oldest waiting mail");
        let (seconds, millis) = (gauges.outbox_age_ms / 1000, gauges.outbox_age_ms % 1000);
        let _ = writeln!(out, "modelgate_relay_outbox_age_seconds {seconds}.{millis:03}");
        out
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

fn line(out: &mut String, name: &str, labels: &str, value: u64) {
    let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let _ = writeln!(out, "modelgate_relay_{name}{labels} {value}");
}
