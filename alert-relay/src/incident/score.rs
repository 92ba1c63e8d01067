//! How much an incident asks for attention, from 0 to 1, and what that comes from.

use wire::Severity;

use super::Incident;

/// Events at which the count says all it can say.
const MANY_EVENTS: f64 = 1024.0;
/// Callers at which the spread does.
const MANY_CLIENTS: f64 = 64.0;
/// After so long without an event half of the recency is gone.
const HALF_LIFE_MS: f64 = 6.0 * 3_600_000.0;
/// An attack that goes on for so long is persistent.
const LONG_MS: f64 = 24.0 * 3_600_000.0;

/// One reason for a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Factor {
    /// Its name.
    pub(crate) name: &'static str,
    /// How strong it is, from 0 to 1.
    pub(crate) value: f64,
    /// Its part in the score; the weights of all are 1 together.
    pub(crate) weight: f64,
}

/// The factors of an incident as it stands at a moment.
pub(crate) fn factors(incident: &Incident, now_ms: u64) -> [Factor; 6] {
    let severity = match incident.severity {
        Severity::Low => 0.1,
        Severity::Medium => 0.4,
        Severity::High => 0.75,
        Severity::Critical => 1.0,
    };
    let quiet = now_ms.saturating_sub(incident.updated_ms) as f64;
    let lasted = incident.last_ms.saturating_sub(incident.first_ms) as f64;
    let factor = |name, weight, value: f64| Factor { name, value: value.clamp(0.0, 1.0), weight };
    [
        factor("severity", 0.35, severity),
        factor("confidence", 0.2, f64::from(incident.confidence) / 1000.0),
        factor("count", 0.15, share(incident.count, MANY_EVENTS)),
        factor("spread", 0.15, share(incident.spread, MANY_CLIENTS)),
        factor("recency", 0.1, (-quiet / HALF_LIFE_MS).exp2()),
        factor("persistence", 0.05, lasted / LONG_MS),
    ]
}

/// The score that factors make, in thousandths.
pub(crate) fn thousandths(factors: &[Factor]) -> u64 {
    let sum: f64 = factors.iter().map(|factor| factor.value * factor.weight).sum();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    let thousandths = (sum.clamp(0.0, 1.0) * 1000.0).round() as u64;
    thousandths
}

/// One of a kind says nothing, `many` say all; each doubling says as much as the one before.
fn share(count: u64, many: f64) -> f64 {
    (count.max(1) as f64).log2() / many.log2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        incident::Key,
        testing::{MOMENT, event},
    };

    fn incident() -> Incident {
        let event = event(1);
        let mut incident = Incident::open(event.id, Key::of(&event).unwrap(), MOMENT);
        (incident.first_ms, incident.last_ms, incident.updated_ms) = (MOMENT, MOMENT, MOMENT);
        (incident.count, incident.spread, incident.confidence) = (1, 1, 500);
        incident
    }

    fn score(incident: &Incident, now_ms: u64) -> u64 {
        thousandths(&factors(incident, now_ms))
    }

    #[test]
    fn each_factor_raises_the_score_and_time_lowers_it() {
        let base = incident();
        let at = score(&base, MOMENT);
        let changes: [fn(&mut Incident); 5] = [
            |it| it.severity = Severity::Critical,
            |it| it.confidence = 1000,
            |it| it.count = 500,
            |it| it.spread = 20,
            |it| it.first_ms -= 12 * 3_600_000,
        ];
        for change in changes {
            let mut changed = base.clone();
            change(&mut changed);
            assert!(score(&changed, MOMENT) > at, "{changed:?}");
        }
        assert!(score(&base, MOMENT + 6 * 3_600_000) < at);
    }

    #[test]
    fn the_score_stays_between_0_and_1_and_its_weights_make_1() {
        let mut worst = incident();
        (worst.severity, worst.confidence) = (Severity::Critical, 1000);
        (worst.count, worst.spread, worst.first_ms) = (u64::MAX, u64::MAX, 0);
        assert_eq!(score(&worst, MOMENT), 1000);
        let weights: f64 = factors(&worst, MOMENT).iter().map(|factor| factor.weight).sum();
        assert!((weights - 1.0).abs() < 1e-9);
        let mut least = incident();
        (least.severity, least.confidence) = (Severity::Low, 0);
        assert!(score(&least, u64::MAX) < 50);
    }
}
