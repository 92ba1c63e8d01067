//! The gradient of a tensor along each of its axes, as `numpy.gradient` computes it with unit spacing
//! and `edge_order=1`: central differences inside, one-sided ones at both edges
//! (<https://numpy.org/doc/stable/reference/generated/numpy.gradient.html>). Always in double
//! precision, whatever the datatype on the wire. numpy refuses an axis of length 1; here it has no
//! gradient and is passed over.

use core::ops::Range;

use super::{TensorView, first_run};

/// One axis of a row-major tensor: its length and the flat distance between neighbours along it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) len: usize,
    pub(super) stride: usize,
}

/// The first run of positions whose gradient along some axis is steeper than `max`. With
/// `skip_non_finite`, a step from or to NaN or an infinity does not count.
pub(super) fn first_steep_run(
    view: &TensorView<'_>,
    max: f64,
    skip_non_finite: bool,
) -> Option<Range<usize>> {
    let values = view.values;
    let steep = |at: usize, axis: Axis| {
        step(values, axis, at)
            .is_some_and(|step| step.slope().abs() > max && (!skip_non_finite || step.between_finite()))
    };
    axes(view)
        .filter_map(|axis| first_run(values.len(), (0..values.len()).map(|at| steep(at, axis))))
        .min_by_key(|span| span.start)
}

/// The axes that have a gradient, innermost first. A shape that does not account for every value is
/// read as one axis over all of them.
pub(super) fn axes(view: &TensorView<'_>) -> impl Iterator<Item = Axis> {
    let count = view.values.len();
    let product = view.shape.iter().try_fold(1usize, |product, len| product.checked_mul(*len));
    let (shape, flat) = match product {
        Some(product) if product == count => (view.shape, None),
        _ => (&[][..], Some(Axis { len: count, stride: 1 })),
    };
    let strided = shape.iter().rev().scan(1usize, |stride, len| {
        let axis = Axis { len: *len, stride: *stride };
        *stride = stride.saturating_mul(*len);
        Some(axis)
    });
    strided.chain(flat).filter(|axis| axis.len > 1)
}

/// The two values whose difference is the gradient at one position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    before: f64,
    after: f64,
    /// Distance between the two: 2 inside, 1 at an edge.
    width: f64,
}

impl Step {
    pub(super) fn slope(self) -> f64 {
        (self.after - self.before) / self.width
    }

    fn between_finite(self) -> bool {
        self.before.is_finite() && self.after.is_finite()
    }
}

/// The step at flat index `at` along `axis`.
pub(super) fn step(values: &[f64], axis: Axis, at: usize) -> Option<Step> {
    let place = at.checked_div(axis.stride)?.checked_rem(axis.len)?;
    let next = at.saturating_add(axis.stride);
    let (low, high, width) = if place == 0 {
        (at, next, 1.0)
    } else if place == axis.len - 1 {
        (at.checked_sub(axis.stride)?, at, 1.0)
    } else {
        (at.checked_sub(axis.stride)?, next, 2.0)
    };
    Some(Step { before: *values.get(low)?, after: *values.get(high)?, width })
}
