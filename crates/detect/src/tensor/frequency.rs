//! The share of a signal's energy that lies in its high frequencies, and the share of its places that are
//! flat.
//!
//! Gradient attacks add what looks like noise: much of its energy is in the high frequencies, where
//! natural signals have little (Yin et al., A Fourier Perspective on Model Robustness in Computer Vision,
//! <https://arxiv.org/abs/1906.08988>). What "little" is depends on the model's data, so the mean and the
//! tolerance come from the policy, calibrated on ordinary inputs.
//!
//! High frequencies are told by the second difference, x(i−1) − 2x(i) + x(i+1), whose squared gain is 16 at
//! most: the share is the energy of the second differences along the axes, over 16 times that of the
//! values about their mean, over the number of axes. Where ordinary inputs are full of edges themselves but
//! lie on even ground (scans, digits, screens, spectra), energy tells little and the ground tells more: the
//! share of places whose second difference is next to nothing, which noise takes away. Only `+ − × ÷` in a fixed order, which IEEE 754 defines
//! to the last bit: each target finds the same.

use core::ops::Range;

use super::{
    Flatness, HighFrequency, TensorView,
    gradient::{Axis, axes},
};

/// The first sample whose share is above the baseline.
pub(super) fn first_rough_sample(view: &TensorView<'_>, limit: &HighFrequency) -> Option<Range<usize>> {
    let bound = limit.mean + limit.tolerance;
    shares(view, limit.axes).find(|(share, _)| *share > bound).map(|(_, span)| span)
}

/// The first sample with fewer flat places than the baseline.
pub(super) fn first_uneven_sample(view: &TensorView<'_>, limit: &Flatness) -> Option<Range<usize>> {
    flat_shares(view, limit.axes, limit.floor)
        .find(|(share, _)| *share < limit.min_share)
        .map(|(_, span)| span)
}

/// The share of each sample of a tensor, 0 to 1, with the sample's range of flat indices. The last `axes`
/// axes make up a sample; those before count samples. A sample without energy has share 0, and one that
/// holds NaN or an infinity has none that compares.
pub fn shares<'a>(view: &TensorView<'a>, axes: usize) -> impl Iterator<Item = (f64, Range<usize>)> + 'a {
    samples(view, axes).map(|(sample, shape, span)| (share(sample, shape), span))
}

/// The share of flat places of each sample of a tensor, 0 to 1, with the sample's range of flat indices:
/// those of its places whose second difference along an axis is at most `floor`, counted for each of the
/// last `axes` axes. A sample without any second difference is flat; NaN and the infinities are not.
pub fn flat_shares<'a>(
    view: &TensorView<'a>,
    axes: usize,
    floor: f64,
) -> impl Iterator<Item = (f64, Range<usize>)> + 'a {
    samples(view, axes).map(move |(sample, shape, span)| (flat_share(sample, shape, floor), span))
}

/// The samples of a tensor, with their shapes and their ranges of flat indices.
fn samples<'a>(
    view: &TensorView<'a>,
    sample_axes: usize,
) -> impl Iterator<Item = (&'a [f64], &'a [usize], Range<usize>)> + 'a {
    let values = view.values;
    let skipped = view.shape.len().saturating_sub(sample_axes);
    let inner = view.shape.get(skipped..).unwrap_or_default();
    let product = inner.iter().try_fold(1usize, |product, length| product.checked_mul(*length));
    let fits = product.filter(|size| *size > 0 && values.len().is_multiple_of(*size));
    // A shape that does not account for the values is read as one sample along one axis.
    let (size, inner) = fits.map_or((values.len().max(1), &[][..]), |size| (size, inner));
    values.chunks(size).enumerate().map(move |(at, sample)| {
        let start = at * size;
        (sample, inner, start..start + sample.len())
    })
}

fn flat_share(sample: &[f64], shape: &[usize], floor: f64) -> f64 {
    let (mut flat, mut all) = (0.0, 0.0);
    for axis in axes(&sample_view(sample, shape)) {
        for second in second_differences(sample, axis) {
            all += 1.0;
            flat += if second.abs() <= floor { 1.0 } else { 0.0 };
        }
    }
    if all > 0.0 { flat / all } else { 1.0 }
}

const fn sample_view<'a>(values: &'a [f64], shape: &'a [usize]) -> TensorView<'a> {
    TensorView { values, shape, datatype: "", float: true, has_null: false }
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
    for axis in axes(&sample_view(sample, shape)) {
        for second in second_differences(sample, axis) {
            rough += second * second;
        }
        lines += 1.0;
    }
    if energy > 0.0 && lines > 0.0 { rough / (16.0 * energy * lines) } else { 0.0 }
}

/// The second differences along an axis, of the places that have a neighbour on both sides.
fn second_differences(values: &[f64], axis: Axis) -> impl Iterator<Item = f64> + '_ {
    values.iter().enumerate().filter_map(move |(at, middle)| {
        let place = at.checked_div(axis.stride)?.checked_rem(axis.len)?;
        if place == 0 || place + 1 >= axis.len {
            return None;
        }
        let before = values.get(at.checked_sub(axis.stride)?)?;
        let after = values.get(at.checked_add(axis.stride)?)?;
        Some(before - 2.0 * middle + after)
    })
}
