//! The share of a signal's energy that lies in its high frequencies.
//!
//! Gradient attacks add what looks like noise: much of its energy is in the high frequencies, where
//! natural signals have little (Yin et al., A Fourier Perspective on Model Robustness in Computer Vision,
//! <https://arxiv.org/abs/1906.08988>). What "little" is depends on the model's data, so the mean and the
//! tolerance come from the policy, calibrated on ordinary inputs.
//!
//! High frequencies are told by the second difference, x(i−1) − 2x(i) + x(i+1), whose squared gain is 16 at
//! most: the share is the energy of the second differences along the axes, over 16 times that of the
//! values about their mean, over the number of axes. Only `+ − × ÷` in a fixed order, which IEEE 754 defines
//! to the last bit: each target finds the same.

use core::ops::Range;

use super::{
    HighFrequency, TensorView,
    gradient::{Axis, axes},
};

/// The first sample whose share is above the baseline.
pub(super) fn first_rough_sample(view: &TensorView<'_>, limit: &HighFrequency) -> Option<Range<usize>> {
    let bound = limit.mean + limit.tolerance;
    shares(view, limit.axes).find(|(share, _)| *share > bound).map(|(_, span)| span)
}

/// The share of each sample of a tensor, 0 to 1, with the sample's range of flat indices. The last `axes`
/// axes make up a sample; those before count samples. A sample without energy has share 0, and one that
/// holds NaN or an infinity has none that compares.
pub fn shares<'a>(
    view: &TensorView<'a>,
    sample_axes: usize,
) -> impl Iterator<Item = (f64, Range<usize>)> + 'a {
    let values = view.values;
    let skipped = view.shape.len().saturating_sub(sample_axes);
    let inner = view.shape.get(skipped..).unwrap_or_default();
    let product = inner.iter().try_fold(1usize, |product, length| product.checked_mul(*length));
    let fits = product.filter(|size| *size > 0 && values.len().is_multiple_of(*size));
    // A shape that does not account for the values is read as one sample along one axis.
    let (size, inner) = fits.map_or((values.len().max(1), &[][..]), |size| (size, inner));
    values.chunks(size).enumerate().map(move |(at, sample)| {
        let start = at * size;
        (share(sample, inner), start..start + sample.len())
    })
}

fn share(sample: &[f64], shape: &[usize]) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in sample {
        sum += value;
        count += 1.0;
    }
    let mean = sum / count;
    let mut energy = 0.0;
    for value in sample {
        let apart = value - mean;
        energy += apart * apart;
    }
    let (mut rough, mut lines) = (0.0, 0.0);
    let view = TensorView { values: sample, shape, datatype: "", float: true, has_null: false };
    for axis in axes(&view) {
        rough += second_differences(sample, axis);
        lines += 1.0;
    }
    if energy > 0.0 && lines > 0.0 { rough / (16.0 * energy * lines) } else { 0.0 }
}

/// The energy of the second differences along an axis.
fn second_differences(values: &[f64], axis: Axis) -> f64 {
    let mut energy = 0.0;
    for (at, middle) in values.iter().enumerate() {
        let place = at.checked_div(axis.stride).and_then(|line| line.checked_rem(axis.len)).unwrap_or(0);
        if place == 0 || place + 1 >= axis.len {
            continue;
        }
        let before = at.checked_sub(axis.stride).and_then(|before| values.get(before));
        if let (Some(before), Some(after)) = (before, values.get(at.saturating_add(axis.stride))) {
            let second = before - 2.0 * middle + after;
            energy += second * second;
        }
    }
    energy
}
