//! Checks on the numbers a model gets: form, range, and the traces of adversarial crafting.
//!
//! Each rule reports a tensor at most once; the span is the first run of offending values, as a range
//! of flat (row-major) indices. The work is bounded by values × log2(values): an axis of length 1
//! costs nothing, and any other halves what is left.

mod form;
mod frequency;
mod gradient;
mod rules;
mod saturation;

use alloc::{string::String, sync::Arc, vec::Vec};
use core::ops::Range;

pub use frequency::{flat_shares, shares as high_frequency_shares};
pub use rules::RULES;

use crate::finding::{Finding, Rule};

/// A tensor to judge. Values that are no numbers (KServe `BYTES`) are text and do not come here.
#[derive(Clone, Copy, Debug)]
pub struct TensorView<'a> {
    /// The values, flat and row-major.
    pub values: &'a [f64],
    /// The length of each axis. One that does not fit the number of values is read as a single axis.
    pub shape: &'a [usize],
    /// The name of the datatype in the protocol, such as `FP32`.
    pub datatype: &'a str,
    /// Whether the datatype is a floating point one.
    pub float: bool,
    /// Whether the data held a `null`, or was one.
    pub has_null: bool,
}

/// What a tensor may be. `None` leaves a bound unchecked.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorLimits {
    /// Number of values.
    pub max_values: Option<usize>,
    /// Smallest value, for every numeric type.
    pub min_value: Option<f64>,
    /// Largest value, for every numeric type.
    pub max_value: Option<f64>,
    /// Largest absolute value, for floating point types.
    pub max_magnitude: Option<f64>,
    /// Whether NaN and the infinities are ordinary values of this model (masks, missing data).
    pub allow_non_finite: bool,
    /// Largest absolute gradient along any axis, for floating point types.
    pub max_gradient: Option<f64>,
    /// Smallest share of non-zero values, 0 to 1, for every numeric type.
    pub min_sparsity: Option<f64>,
    /// Number of axes.
    pub max_rank: Option<usize>,
    /// What each axis may be, outermost first: rank and lengths of the shape that the model takes.
    pub axes: Option<Vec<AxisLimit>>,
    /// Names of the datatypes that the model takes, such as `FP32`.
    pub datatypes: Option<Vec<String>>,
    /// Longest unbroken run of equal values, in row-major order.
    pub max_equal_run: Option<usize>,
    /// Largest share of values at the tensor's own least or largest value, 0 to 1.
    pub max_saturated: Option<f64>,
    /// The share of energy in high frequencies that ordinary inputs have, for every numeric type.
    pub high_frequency: Option<HighFrequency>,
    /// The share of flat places that ordinary inputs have at least, for every numeric type.
    pub flatness: Option<Flatness>,
}

/// What one axis of a tensor may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AxisLimit {
    /// Of any length.
    Any,
    /// Of this length.
    Exactly(usize),
    /// Of this length or shorter.
    AtMost(usize),
}

/// A model's baseline for the share of a sample's energy in high frequencies; see
/// [`high_frequency_shares`] for how it is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HighFrequency {
    /// The mean share of ordinary samples, 0 to 1.
    pub mean: f64,
    /// How far above the mean an ordinary sample may be: take a quantile of ordinary samples, such as
    /// that of 99 %, less the mean.
    pub tolerance: f64,
    /// The number of last axes that make up a sample: 2 for images as `[batch, channel, row, column]` or
    /// `[batch, row, column]`, 1 for signals. The axes before count samples, each judged by itself.
    pub axes: usize,
}

/// A model's baseline for the share of flat places in a sample; see [`flat_shares`] for how it is measured.
/// For inputs on even ground, which noise makes uneven.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flatness {
    /// Largest second difference of a flat place: less than the step between neighbouring values that an
    /// ordinary input has.
    pub floor: f64,
    /// Smallest share of flat places, 0 to 1: take a quantile of ordinary samples, such as that of 1 %.
    pub min_share: f64,
    /// The number of last axes that make up a sample, as in [`HighFrequency::axes`].
    pub axes: usize,
}

impl TensorLimits {
    /// Default number of axes: as many as numpy takes (`NPY_MAXDIMS`, 64 since numpy 2), far more than any
    /// model's input has.
    pub const MAX_RANK: usize = 64;

    /// Default bound of a float's magnitude. Features, pixels and embeddings are scaled to a few units or
    /// thousands; six orders beyond, a value serves to saturate or overflow the layers behind it.
    pub const MAX_MAGNITUDE: f64 = 1e6;

    /// Default bound of the step between neighbouring floats. Natural signals are smooth at that scale
    /// (8-bit pixels step by 255 at most); crafted perturbations are not.
    pub const MAX_GRADIENT: f64 = 1000.0;
}

impl Default for TensorLimits {
    /// Magnitude and gradient are on, for floats alone: integer tensors hold token ids, hashes and time
    /// stamps, which are large and jump without meaning harm. Range and sparsity depend on the model
    /// (a one-hot input is sparse by design), so they are off until a policy sets them; so do shape,
    /// datatype, and how much of an input may be constant, saturated (masks and digits on black ground
    /// are) or rough. NaN and the
    /// infinities poison whatever they are added to, so they are refused.
    fn default() -> Self {
        Self {
            max_values: None,
            min_value: None,
            max_value: None,
            max_magnitude: Some(Self::MAX_MAGNITUDE),
            allow_non_finite: false,
            max_gradient: Some(Self::MAX_GRADIENT),
            min_sparsity: None,
            max_rank: Some(Self::MAX_RANK),
            axes: None,
            datatypes: None,
            max_equal_run: None,
            max_saturated: None,
            high_frequency: None,
            flatness: None,
        }
    }
}

/// Judges a tensor and appends what it finds to `out`, at most one finding a rule.
pub fn check_tensor(view: &TensorView<'_>, limits: &TensorLimits, out: &mut Vec<Finding>) {
    let values = view.values;
    if view.has_null {
        report(rules::NULL, 0..values.len(), out);
    }
    if !form::is_taken(view, limits) {
        report(rules::DATATYPE, 0..values.len(), out);
    }
    if !form::fits(view.shape, limits) {
        report(rules::SHAPE, 0..values.len(), out);
    }
    if values.is_empty() {
        if !view.has_null {
            report(rules::EMPTY, 0..0, out);
        }
        return;
    }
    if let Some(max) = limits.max_values
        && values.len() > max
    {
        report(rules::SIZE, max..values.len(), out);
    }
    check_values(view, limits, out);
    if view.float
        && let Some(max) = limits.max_gradient
        && let Some(span) = gradient::first_steep_run(view, max, limits.allow_non_finite)
    {
        report(rules::GRADIENT, span, out);
    }
    if let Some(min) = limits.min_sparsity
        && share_of_non_zero(values) < min
    {
        report(rules::SPARSITY, 0..values.len(), out);
    }
    if let Some(span) = limits.max_equal_run.and_then(|most| saturation::long_run(values, most)) {
        report(rules::CONSTANT, span, out);
    }
    if let Some(span) = limits.max_saturated.and_then(|most| saturation::saturated_run(values, most)) {
        report(rules::SATURATED, span, out);
    }
    if let Some(limit) = &limits.high_frequency
        && let Some(span) = frequency::first_rough_sample(view, limit)
    {
        report(rules::HIGH_FREQUENCY, span, out);
    }
    if let Some(limit) = &limits.flatness
        && let Some(span) = frequency::first_uneven_sample(view, limit)
    {
        report(rules::FLATNESS, span, out);
    }
}

/// The checks that look at one value at a time.
fn check_values(view: &TensorView<'_>, limits: &TensorLimits, out: &mut Vec<Finding>) {
    let values = view.values;
    if !limits.allow_non_finite
        && let Some(span) = first_run(values.len(), values.iter().map(|value| !value.is_finite()))
    {
        report(rules::NON_FINITE, span, out);
    }
    let outside = |value: &f64| {
        limits.min_value.is_some_and(|min| *value < min) || limits.max_value.is_some_and(|max| *value > max)
    };
    if let Some(span) = first_run(values.len(), values.iter().map(outside)) {
        report(rules::RANGE, span, out);
    }
    if view.float
        && let Some(max) = limits.max_magnitude
    {
        // Where infinities are allowed, they are marks and not quantities.
        let exempt = |value: &f64| limits.allow_non_finite && value.is_infinite();
        let extreme = |value: &f64| value.abs() > max && !exempt(value);
        if let Some(span) = first_run(values.len(), values.iter().map(extreme)) {
            report(rules::MAGNITUDE, span, out);
        }
    }
}

/// Share of the values that are not zero, 0 to 1; as in numpy, NaN is not zero.
fn share_of_non_zero(values: &[f64]) -> f64 {
    let mut non_zero = 0.0;
    let mut all = 0.0;
    for value in values {
        all += 1.0;
        if *value != 0.0 {
            non_zero += 1.0;
        }
    }
    non_zero / all
}

/// The first unbroken run of offenders among `len` flags.
fn first_run(len: usize, mut offends: impl Iterator<Item = bool>) -> Option<Range<usize>> {
    let start = offends.position(|hit| hit)?;
    let more = offends.position(|hit| !hit);
    Some(start..more.map_or(len, |count| start + 1 + count))
}

fn report(rule: Rule, span: Range<usize>, out: &mut Vec<Finding>) {
    out.push(Finding { weight: rule.weight, rule: Arc::new(rule), span, transforms: Vec::new() });
}

#[cfg(test)]
mod tests;
