//! Constant and saturated regions: what patches, occlusion and clipped perturbations leave, and what no
//! sensor gives.

use core::ops::Range;

use super::first_run;

/// The first unbroken run of more than `most` equal values.
pub(super) fn long_run(values: &[f64], most: usize) -> Option<Range<usize>> {
    let mut start = 0;
    for (at, pair) in values.windows(2).enumerate() {
        if pair.first() != pair.last() {
            if at + 1 - start > most {
                return Some(start..at + 1);
            }
            start = at + 1;
        }
    }
    (values.len() - start > most).then_some(start..values.len())
}

/// The first run of values at the least or the largest value of the tensor, if more than this share of
/// all values are at either.
pub(super) fn saturated_run(values: &[f64], most: f64) -> Option<Range<usize>> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values {
        low = if *value < low { *value } else { low };
        high = if *value > high { *value } else { high };
    }
    let extreme = |value: &f64| *value == low || *value == high;
    let (mut at_end, mut all) = (0.0, 0.0);
    for value in values {
        all += 1.0;
        at_end += if extreme(value) { 1.0 } else { 0.0 };
    }
    // Two values are extremes however they are chosen.
    if at_end > 2.0 && at_end > most * all {
        first_run(values.len(), values.iter().map(extreme))
    } else {
        None
    }
}
