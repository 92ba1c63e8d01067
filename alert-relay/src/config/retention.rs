//! How long what is kept.

use std::time::Duration;

use super::{Retention, check::Check, duration::Written, raw};

const DAY: Duration = Duration::from_secs(86_400);

impl Check<'_> {
    /// With the defaults that the seed systems had: events 90 days, incidents a year, counts 30 days, changes 7 years.
    pub(super) fn retention(&mut self, raw: &raw::Retention) -> Retention {
        let mut days = |name: &str, value: Option<Written>, default: u32| {
            let lasts = value.map_or(DAY * default, |Written(lasts)| lasts);
            if lasts < DAY {
                self.errors.push(format!("retention.{name}: at least 1d"));
            }
            lasts
        };
        Retention {
            events: days("events", raw.events, 90),
            incidents: days("incidents", raw.incidents, 365),
            metrics: days("metrics", raw.metrics, 30),
            audit: days("audit", raw.audit, 2555),
        }
    }
}
