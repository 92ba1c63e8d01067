//! The counters of one guarded model. Their number is fixed by the policy; nothing a caller sends becomes a name.

use guard::wire::Verdict;

use crate::port::{CounterId, Host};

/// Longest part of a metric's name that comes from the policy.
const MAX_LABEL: usize = 64;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// A request was decided.
    Verdict(Verdict),
    /// A request ended before it was decided: the caller left, or the host gave up on it.
    Abandoned,
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

impl Count {
    const ALL: [Self; 11] = [
        Self::Verdict(Verdict::Allow),
        Self::Verdict(Verdict::Flag),
        Self::Verdict(Verdict::Mask),
        Self::Verdict(Verdict::Throttle),
        Self::Verdict(Verdict::Block),
        Self::Abandoned,
        Self::EventQueued,
        Self::EventDelivered,
        Self::EventDropped,
        Self::CalloutFailed,
        Self::HostRefused,
    ];

    /// The counter's name: Prometheus' conventions, labels as `.label.value`, which the `stats_tags` of `envoy.yaml`
    /// turn into labels.
    fn name(self, model: &str) -> String {
        let name = match self {
            Self::Verdict(_) | Self::Abandoned => "requests_total",
            Self::EventQueued => "events_queued_total",
            Self::EventDelivered => "events_delivered_total",
            Self::EventDropped => "events_dropped_total",
            Self::CalloutFailed => "callouts_failed_total",
            Self::HostRefused => "host_refusals_total",
        };
        let verdict = match self {
            Self::Verdict(verdict) => Some(verdict.as_str()),
            Self::Abandoned => Some("none"),
            _ => None,
        };
        let model = label(model);
        verdict.map_or_else(
            || format!("modelgate_{name}.model.{model}"),
            |verdict| format!("modelgate_{name}.model.{model}.verdict.{verdict}"),
        )
    }
}

/// A model's name as part of a metric's name, in which a dot would start another label.
fn label(text: &str) -> String {
    text.chars()
        .take(MAX_LABEL)
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
        .collect()
}

/// The counters, defined once and then reached by number.
#[derive(Debug)]
pub(crate) struct Metrics(Vec<(Count, CounterId)>);

impl Metrics {
    /// Defines them. A host without metrics gets none, and the guard works all the same.
    pub(crate) fn define(host: &dyn Host, model: &str) -> Self {
        let define = |count: Count| Some((count, host.counter(&count.name(model)).ok()?));
        Self(Count::ALL.into_iter().filter_map(define).collect())
    }

    /// Adds to one of them.
    pub(crate) fn add(&self, host: &dyn Host, count: Count, by: u64) {
        if let Some((_, id)) = self.0.iter().find(|(known, _)| *known == count)
            && by > 0
        {
            host.count(*id, by);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_hold_no_further_label() {
        let names: HashSet<String> = Count::ALL.into_iter().map(|count| count.name("gpt-4.1/β")).collect();
        assert_eq!(names.len(), Count::ALL.len());
        assert!(names.contains("modelgate_requests_total.model.gpt-4_1__.verdict.block"));
        assert!(names.contains("modelgate_events_dropped_total.model.gpt-4_1__"));
    }

    #[test]
    fn a_long_name_is_cut() {
        assert_eq!(label(&"m".repeat(1000)).len(), MAX_LABEL);
    }
}
