//! The metrics of one guarded model. Their number is fixed by the code and the policy; nothing a caller sends becomes a
//! name.

use guard::{
    Outcome,
    wire::{Category, Verdict},
};

use crate::port::{Host, MetricId, MetricKind};

/// Longest part of a metric's name that comes from the policy.
const MAX_LABEL: usize = 64;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// A request was decided.
    Verdict(Verdict),
    /// Something was found in an answer.
    Answer(Verdict),
    /// A request ended before it was decided: the caller left, or the host gave up on it.
    Abandoned,
    /// A request had findings of this category.
    Category(Category),
    /// A request could not be inspected, for the reason of this number in [`KINDS`].
    Unscannable(usize),
    /// A request reached the model without a verdict.
    Bypassed,
    /// A VM ended without a word and was replaced.
    Reloaded,
    /// An event was taken for the relay.
    EventQueued,
    /// The relay acknowledged events.
    EventDelivered,
    /// Events were lost: the queue was full, or the relay refused them.
    EventDropped,
    /// A callout found no relay, or one that did not take the batch.
    CalloutFailed,
    /// A host call failed on which a verdict depended.
    HostRefused,
}

/// What cannot be inspected: the guard's rule and the word for it.
const KINDS: [(&str, &str); 11] = [
    ("unscannable.syntax", "syntax"),
    ("unscannable.form", "form"),
    ("unscannable.duplicate-key", "duplicate_key"),
    ("unscannable.charset", "charset"),
    ("unscannable.too-complex", "too_complex"),
    ("unscannable.decode-budget", "decode_budget"),
    ("unscannable.content-type", "content_type"),
    ("unscannable.content-encoding", "content_encoding"),
    ("unscannable.websocket", "websocket"),
    ("unscannable.grpc", "grpc"),
    ("input.size", "oversize"),
];

/// How much memory a VM has, and how many there are; of the host as a whole, so without a model.
const VMS: &str = "modelgate_vms";
const MEMORY: &str = "modelgate_vm_memory_bytes";

impl Count {
    /// All of them, the most frequent first.
    fn all() -> impl Iterator<Item = Self> {
        [
            Self::Verdict(Verdict::Allow),
            Self::Verdict(Verdict::Block),
            Self::Verdict(Verdict::Flag),
            Self::Verdict(Verdict::Mask),
            Self::Verdict(Verdict::Throttle),
            Self::Answer(Verdict::Flag),
            Self::Answer(Verdict::Mask),
            Self::Answer(Verdict::Block),
            Self::Abandoned,
            Self::EventQueued,
            Self::EventDelivered,
            Self::EventDropped,
            Self::CalloutFailed,
            Self::HostRefused,
            Self::Bypassed,
            Self::Reloaded,
        ]
        .into_iter()
        .chain(Category::ALL.map(Self::Category))
        .chain((0..KINDS.len()).map(Self::Unscannable))
    }

    /// The counter's name: Prometheus' conventions, labels as `.label.value`, which the `stats_tags` of `envoy.yaml`
    /// turn into labels.
    fn name(self, model: &str) -> String {
        let (name, label) = match self {
            Self::Verdict(verdict) => ("requests_total", Some(("verdict", verdict.as_str()))),
            Self::Answer(verdict) => ("answers_total", Some(("verdict", verdict.as_str()))),
            Self::Abandoned => ("requests_total", Some(("verdict", "none"))),
            Self::Category(category) => ("findings_total", Some(("category", category.as_str()))),
            Self::Unscannable(kind) => {
                ("unscannable_total", KINDS.get(kind).map(|(_, word)| ("kind", *word)))
            }
            Self::Bypassed => ("bypassed_total", None),
            Self::Reloaded => ("vm_reloads_total", None),
            Self::EventQueued => ("events_queued_total", None),
            Self::EventDelivered => ("events_delivered_total", None),
            Self::EventDropped => ("events_dropped_total", None),
            Self::CalloutFailed => ("callouts_failed_total", None),
            Self::HostRefused => ("host_refusals_total", None),
        };
        let name = named(name, model);
        label.map_or_else(|| name.clone(), |(label, value)| format!("{name}.{label}.{value}"))
    }
}

fn named(name: &str, model: &str) -> String {
    format!("modelgate_{name}.model.{}", label(model))
}

/// A model's name as part of a metric's name, in which a dot would start another label.
fn label(text: &str) -> String {
    text.chars()
        .take(MAX_LABEL)
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
        .collect()
}

/// The metrics, defined once and then reached by number.
#[derive(Debug)]
pub(crate) struct Metrics {
    counters: Vec<(Count, MetricId)>,
    /// The guard's own time for a request, both ways, in microseconds.
    latency: Option<MetricId>,
    vms: Option<MetricId>,
    memory: Option<MetricId>,
}

impl Metrics {
    /// Defines them. A host without metrics gets none, and the guard works all the same.
    pub(crate) fn define(host: &dyn Host, model: &str) -> Self {
        let counter =
            |count: Count| Some((count, host.metric(MetricKind::Counter, &count.name(model)).ok()?));
        let other = |kind, name: &str| host.metric(kind, name).ok();
        Self {
            counters: Count::all().filter_map(counter).collect(),
            latency: other(MetricKind::Histogram, &named("guard_microseconds", model)),
            vms: other(MetricKind::Gauge, VMS),
            memory: other(MetricKind::Gauge, MEMORY),
        }
    }

    /// Adds to a counter.
    pub(crate) fn add(&self, host: &dyn Host, count: Count, by: u64) {
        if by > 0
            && let Some((_, id)) = self.counters.iter().find(|(known, _)| *known == count)
        {
            host.count(*id, by);
        }
    }

    /// Counts a decided request, each category among its findings once.
    pub(crate) fn decided(&self, host: &dyn Host, outcome: &Outcome) {
        self.add(host, Count::Verdict(outcome.verdict), 1);
        let mut seen: Vec<Category> = Vec::new();
        for finding in &outcome.findings {
            if !seen.contains(&finding.category) {
                seen.push(finding.category);
                self.add(host, Count::Category(finding.category), 1);
            }
            if let Some(kind) = KINDS.iter().position(|(rule, _)| *rule == finding.rule) {
                self.add(host, Count::Unscannable(kind), 1);
            }
        }
    }

    /// Records how long the guard itself worked on a request.
    pub(crate) fn took(&self, host: &dyn Host, nanoseconds: u64) {
        if let Some(id) = self.latency {
            host.record(id, nanoseconds.div_ceil(1000));
        }
    }

    /// Shows the host's VMs.
    pub(crate) fn show_vms(&self, host: &dyn Host, number: u64, memory: u64) {
        for (metric, value) in [(self.vms, number), (self.memory, memory)] {
            if let Some(id) = metric {
                host.record(id, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_hold_no_further_label() {
        let names: HashSet<String> = Count::all().map(|count| count.name("gpt-4.1/β")).collect();
        assert_eq!(names.len(), Count::all().count());
        assert!(names.contains("modelgate_requests_total.model.gpt-4_1__.verdict.block"));
        assert!(names.contains("modelgate_events_dropped_total.model.gpt-4_1__"));
        assert!(names.contains("modelgate_unscannable_total.model.gpt-4_1__.kind.oversize"));
        assert!(names.contains("modelgate_findings_total.model.gpt-4_1__.category.pii"));
    }

    #[test]
    fn a_long_name_is_cut() {
        assert_eq!(label(&"m".repeat(1000)).len(), MAX_LABEL);
    }
}
