use alloc::{vec, vec::Vec};

use super::gradient::{Axis, axes, step};
use super::*;

fn view<'a>(values: &'a [f64], shape: &'a [usize]) -> TensorView<'a> {
    TensorView { values, shape, datatype: "FP32", float: true, has_null: false }
}

fn found(view: &TensorView<'_>, limits: &TensorLimits) -> Vec<(&'static str, Range<usize>)> {
    let mut out = Vec::new();
    check_tensor(view, limits, &mut out);
    out.into_iter().map(|finding| (finding.rule.id, finding.span)).collect()
}

fn none() -> TensorLimits {
    TensorLimits { max_magnitude: None, max_gradient: None, ..TensorLimits::default() }
}

fn slopes(values: &[f64], axis: Axis) -> Vec<f64> {
    (0..values.len()).map(|at| step(values, axis, at).unwrap().slope()).collect()
}

/// The expected values are what numpy 2.4.6 prints for
/// `[g.ravel().tolist() for g in numpy.gradient(a)]`, with `a` as `values` in that shape.
#[test]
fn gradients_are_those_of_numpy() {
    let line = [1.0, 2.5, 4.0, -7.25, 11.0];
    check(&line, &[5], &[&[1.5, 1.5, -4.875, 3.5, 18.25]]);
    check(&[3.0, -1.5], &[2], &[&[-4.5, -4.5]]);
    check(
        &[1.0, 2.0, 6.0, 3.5, 3.0, -4.0, 5.0, 0.1, 0.0, 1e3, 2.0, -9.75],
        &[3, 4],
        &[
            &[2.0, -6.0, -1.0, -3.4, -0.5, 499.0, -2.0, -6.625, -3.0, 1004.0, -3.0, -9.85],
            &[1.0, 2.5, 0.75, -2.5, -7.0, 1.0, 2.05, -4.9, 1000.0, 1.0, -504.875, -11.75],
        ],
    );
    // numpy.arange(24.0) ** 2 % 17 - 0.3 * numpy.arange(24)
    #[rustfmt::skip]
    let cube = [
        0.0, 0.7, 3.4, 8.1, 14.8, 6.5, 0.20000000000000018, 12.9, 10.6, 10.3, 12.0,
        -1.2999999999999998, 4.4, 12.1, 4.8, -0.5, -3.8, -5.1, -4.3999999999999995,
        -1.7000000000000002, 3.0, 9.7, 1.4000000000000004, -4.8999999999999995,
    ];
    #[rustfmt::skip]
    check(
        &cube,
        &[2, 3, 4],
        &[
            &[
                4.4, 11.4, 1.4, -8.6, -18.6, -11.6, -4.6, -14.600000000000001, -7.6,
                -0.6000000000000014, -10.6, -3.5999999999999996, 4.4, 11.4, 1.4, -8.6, -18.6, -11.6,
                -4.6, -14.600000000000001, -7.6, -0.6000000000000014, -10.6, -3.5999999999999996,
            ],
            &[
                14.8, 5.8, -3.1999999999999997, 4.800000000000001, 5.3, 4.800000000000001, 4.3,
                -4.699999999999999, -4.200000000000001, 3.8000000000000007, 11.8, -14.2, -8.2,
                -17.2, -9.2, -1.2000000000000002, -0.7000000000000002, -1.2000000000000002,
                -1.6999999999999997, -2.1999999999999997, 6.8, 14.799999999999999, 5.8,
                -3.1999999999999993,
            ],
            &[
                0.7, 1.7, 3.6999999999999997, 4.699999999999999, -8.3, -7.300000000000001, 3.2,
                12.7, -0.29999999999999893, 0.7000000000000002, -5.800000000000001, -13.3,
                7.699999999999999, 0.19999999999999973, -6.3, -5.3, -1.2999999999999998,
                -0.2999999999999998, 1.6999999999999997, 2.6999999999999993, 6.699999999999999,
                -0.7999999999999998, -7.299999999999999, -6.3,
            ],
        ],
    );

    fn check(values: &[f64], shape: &[usize], expected: &[&[f64]]) {
        let mut axes: Vec<Axis> = axes(&view(values, shape)).collect();
        axes.reverse();
        assert_eq!(axes.len(), expected.len(), "axes of {shape:?}");
        for (axis, expected) in axes.into_iter().zip(expected) {
            assert_eq!(slopes(values, axis), *expected, "{axis:?} of {shape:?}");
        }
    }
}

#[test]
fn an_axis_of_length_one_has_no_gradient() {
    assert_eq!(axes(&view(&[5.0], &[1, 1])).count(), 0);
    assert_eq!(axes(&view(&[5.0], &[])).count(), 0);
    let axes: Vec<Axis> = axes(&view(&[5.0, 1e9], &[1, 2, 1])).collect();
    assert_eq!(axes, [Axis { len: 2, stride: 1 }]);
}

#[test]
fn a_thousand_axes_of_length_one_cost_nothing() {
    let mut shape = vec![1; 100_000];
    shape.push(4);
    assert_eq!(axes(&view(&[1.0, 2.0, 3.0, 4.0], &shape)).count(), 1);
}

#[test]
fn a_shape_that_does_not_fit_is_read_as_one_axis() {
    for shape in [&[3, 3][..], &[usize::MAX, usize::MAX], &[0], &[2], &[]] {
        let values = [0.0, 0.0, 0.0, 5000.0];
        let limits = TensorLimits::default();
        assert_eq!(found(&view(&values, shape), &limits), [("tensor.gradient", 2..4)], "{shape:?}");
    }
}

#[test]
fn a_step_is_found_along_the_axis_it_lies_on() {
    // Along the rows all is smooth; from one row to the next it jumps by 4000.
    let values = [0.0, 0.0, 0.0, 4000.0, 4000.0, 4000.0];
    let limits = TensorLimits::default();
    assert_eq!(found(&view(&values, &[2, 3]), &limits), [("tensor.gradient", 0..6)]);
    assert_eq!(found(&view(&values, &[6]), &limits), [("tensor.gradient", 2..4)]);
    assert_eq!(found(&view(&values, &[2, 1, 3, 1]), &limits), [("tensor.gradient", 0..6)]);
}

#[test]
fn a_gradient_at_the_bound_passes() {
    let limits = TensorLimits { max_gradient: Some(500.0), ..TensorLimits::default() };
    assert_eq!(found(&view(&[0.0, 500.0], &[2]), &limits), []);
    assert_eq!(found(&view(&[0.0, 0.0, 1000.0, 1000.0, 1000.0], &[5]), &limits), []);
    assert_eq!(found(&view(&[0.0, 500.5], &[2]), &limits), [("tensor.gradient", 0..2)]);
}

#[test]
fn an_overflowing_difference_is_steep() {
    let limits = TensorLimits { max_magnitude: None, ..TensorLimits::default() };
    assert_eq!(found(&view(&[1e308, -1e308], &[2]), &limits), [("tensor.gradient", 0..2)]);
}

#[test]
fn no_values_are_empty_and_null_is_null() {
    let limits = TensorLimits::default();
    assert_eq!(found(&view(&[], &[0]), &limits), [("tensor.empty", 0..0)]);
    assert_eq!(found(&view(&[], &[]), &limits), [("tensor.empty", 0..0)]);
    let null = TensorView { has_null: true, ..view(&[], &[]) };
    assert_eq!(found(&null, &limits), [("tensor.null", 0..0)]);
    let holed = TensorView { has_null: true, ..view(&[1.0, 2.0], &[2]) };
    assert_eq!(found(&holed, &limits), [("tensor.null", 0..2)]);
}

#[test]
fn size_counts_the_values() {
    let limits = TensorLimits { max_values: Some(3), ..none() };
    assert_eq!(found(&view(&[1.0; 3], &[3]), &limits), []);
    assert_eq!(found(&view(&[1.0; 5], &[5]), &limits), [("tensor.size", 3..5)]);
}

#[test]
fn range_holds_for_integers_too() {
    let limits = TensorLimits { min_value: Some(0.0), max_value: Some(255.0), ..none() };
    let values = [0.0, 255.0, 256.0, 300.0, 7.0, -1.0];
    assert_eq!(found(&view(&values, &[6]), &limits), [("tensor.range", 2..4)]);
    let integers = TensorView { float: false, ..view(&values, &[6]) };
    assert_eq!(found(&integers, &limits), [("tensor.range", 2..4)]);
    assert_eq!(found(&view(&[-0.5], &[1]), &limits), [("tensor.range", 0..1)]);
    assert_eq!(found(&view(&[0.0, 128.0], &[2]), &limits), []);
}

#[test]
fn magnitude_and_gradient_leave_integers_alone() {
    let values = [101.0, 1_732_060_800.0, 30_522.0];
    let integers = TensorView { float: false, ..view(&values, &[3]) };
    assert_eq!(found(&integers, &TensorLimits::default()), []);
    let rules: Vec<_> = found(&view(&values, &[3]), &TensorLimits::default());
    assert_eq!(rules, [("tensor.magnitude", 1..2), ("tensor.gradient", 0..3)]);
}

#[test]
fn magnitude_counts_both_signs_beyond_the_bound() {
    let limits = TensorLimits { max_gradient: None, ..TensorLimits::default() };
    assert_eq!(found(&view(&[1e6, -1e6], &[2]), &limits), []);
    assert_eq!(found(&view(&[0.0, -1.000001e6], &[2]), &limits), [("tensor.magnitude", 1..2)]);
}

#[test]
fn nan_and_infinities_are_named() {
    let values = [1.0, f64::NAN, f64::INFINITY, 2.0];
    assert_eq!(found(&view(&values, &[4]), &none()), [("tensor.non-finite", 1..3)]);
    let integers = TensorView { float: false, ..view(&values, &[4]) };
    assert_eq!(found(&integers, &none()), [("tensor.non-finite", 1..3)]);
    assert_eq!(found(&view(&[f64::NEG_INFINITY], &[1]), &none()), [("tensor.non-finite", 0..1)]);
}

#[test]
fn nan_takes_part_in_no_other_rule_as_in_numpy() {
    let limits = TensorLimits {
        min_value: Some(0.0),
        max_value: Some(1.0),
        min_sparsity: Some(1.0),
        ..TensorLimits::default()
    };
    assert_eq!(found(&view(&[f64::NAN; 3], &[3]), &limits), [("tensor.non-finite", 0..3)]);
}

#[test]
fn allowed_infinities_are_marks_and_still_keep_a_range() {
    let values = [0.5, f64::NEG_INFINITY, 0.25, f64::NAN];
    let allowed = TensorLimits { allow_non_finite: true, ..TensorLimits::default() };
    assert_eq!(found(&view(&values, &[4]), &allowed), []);
    let ranged = TensorLimits { min_value: Some(0.0), ..allowed };
    assert_eq!(found(&view(&values, &[4]), &ranged), [("tensor.range", 1..2)]);
}

#[test]
fn sparsity_is_the_share_of_values_that_are_not_zero() {
    let limits = TensorLimits { min_sparsity: Some(0.5), ..none() };
    assert_eq!(found(&view(&[0.0, 1.0, -0.0, 2.0], &[4]), &limits), []);
    assert_eq!(found(&view(&[0.0, 1.0, -0.0, 0.0], &[4]), &limits), [("tensor.sparsity", 0..4)]);
    assert_eq!(found(&view(&[0.0; 4], &[4]), &none()), []);
}

#[test]
fn ordinary_tensors_pass_the_defaults() {
    let image: Vec<f64> = (0..3 * 32 * 32).map(|at| f64::from(at * 37 % 256)).collect();
    assert_eq!(found(&view(&image, &[1, 3, 32, 32]), &TensorLimits::default()), []);
    let embedding: Vec<f64> = (0..384).map(|at| f64::from(at % 19 - 9) / 128.0).collect();
    assert_eq!(found(&view(&embedding, &[1, 384]), &TensorLimits::default()), []);
}

#[test]
fn a_shape_is_taken_axis_by_axis() {
    let axes = |axes: &[AxisLimit]| TensorLimits { axes: Some(axes.to_vec()), ..none() };
    let image = axes(&[AxisLimit::AtMost(4), AxisLimit::Exactly(2), AxisLimit::Any]);
    for (shape, taken) in [
        (&[1, 2, 6][..], true),
        (&[3, 2, 2], true),
        (&[4, 2, 0], true),
        (&[6, 2, 1], false),
        (&[4, 3, 1], false),
        (&[2, 6], false),
        (&[1, 1, 2, 6], false),
        (&[], false),
    ] {
        let values = vec![0.5; shape.iter().product()];
        let wrong = found(&view(&values, shape), &image).iter().any(|(id, _)| *id == "tensor.shape");
        assert_eq!(wrong, !taken, "{shape:?}");
    }
    assert_eq!(found(&view(&[1.0], &[]), &axes(&[])), []);
}

#[test]
fn more_axes_than_numpy_has_are_refused() {
    assert_eq!(found(&view(&[1.0], &[1; 64]), &TensorLimits::default()), []);
    assert_eq!(found(&view(&[1.0], &[1; 65]), &TensorLimits::default()), [("tensor.shape", 0..1)]);
    let any = TensorLimits { max_rank: None, ..TensorLimits::default() };
    assert_eq!(found(&view(&[1.0], &[1; 65]), &any), []);
}

#[test]
fn datatypes_are_taken_by_name() {
    let limits = TensorLimits { datatypes: Some(vec!["fp32".into(), "INT8".into()]), ..none() };
    for (datatype, taken) in [("FP32", true), ("INT8", true), ("FP64", false), ("", false)] {
        let typed = TensorView { datatype, ..view(&[1.0], &[1]) };
        assert_eq!(found(&typed, &limits).is_empty(), taken, "{datatype}");
    }
    assert_eq!(found(&TensorView { datatype: "FP64", ..view(&[1.0], &[1]) }, &none()), []);
}

#[test]
fn long_runs_of_one_value_are_constant_regions() {
    let limits = TensorLimits { max_equal_run: Some(3), ..none() };
    assert_eq!(found(&view(&[1.0, 1.0, 1.0, 2.0, 2.0, 2.0], &[6]), &limits), []);
    assert_eq!(found(&view(&[0.0, 1.0, 1.0, 1.0, 1.0, 2.0], &[6]), &limits), [("tensor.constant", 1..5)]);
    assert_eq!(found(&view(&[0.0, 7.0, 7.0, 7.0, 7.0], &[5]), &limits), [("tensor.constant", 1..5)]);
    assert_eq!(found(&view(&[5.0; 4], &[4]), &limits), [("tensor.constant", 0..4)]);
    let nans = TensorLimits { allow_non_finite: true, ..limits };
    assert_eq!(found(&view(&[f64::NAN; 9], &[9]), &nans), []);
}

#[test]
fn values_at_the_ends_of_the_range_are_saturated() {
    let limits = TensorLimits { max_saturated: Some(0.5), ..none() };
    assert_eq!(found(&view(&[0.0, 0.3, 0.6, 1.0], &[4]), &limits), []);
    assert_eq!(
        found(&view(&[0.0, 1.0], &[2]), &limits),
        [],
        "two values are extremes however they are chosen"
    );
    assert_eq!(found(&view(&[0.5, 0.0, 1.0, 1.0, 0.2], &[5]), &limits), [("tensor.saturated", 1..4)]);
    assert_eq!(found(&view(&[0.0, 1.0, 0.5, 0.7, 0.2, 0.9], &[6]), &limits), []);
}

/// A checkerboard holds all its energy where the second difference is largest, a ramp next to none.
#[test]
fn the_share_of_high_frequencies_is_that_of_the_second_difference() {
    let share = |values: &[f64], shape: &[usize], axes: usize| {
        high_frequency_shares(&view(values, shape), axes).map(|(share, _)| share).collect::<Vec<_>>()
    };
    // 6 of 8 places have a neighbour on both sides, each with a second difference of 4 times the value.
    assert_eq!(share(&[1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0], &[8], 1), [0.75]);
    assert_eq!(share(&[1.0, 2.0, 3.0, 4.0], &[4], 1), [0.0]);
    assert_eq!(share(&[5.0; 9], &[3, 3], 2), [0.0]);
    // By hand: about the mean 1/9 the energy is 8/9; second differences of 2 once along each axis.
    let dot = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    let expected = 8.0 / (16.0 * (8.0 / 9.0) * 2.0);
    assert!((share(&dot, &[3, 3], 2)[0] - expected).abs() < 1e-15);
    let batch: Vec<f64> = dot.iter().chain(&[0.0; 9]).copied().collect();
    assert_eq!(share(&batch, &[2, 3, 3], 2).len(), 2);
    assert_eq!(share(&batch, &[2, 3, 3], 2)[1], 0.0);
    // A shape that does not fit is read as one sample.
    assert_eq!(share(&batch, &[5, 5], 2).len(), 1);
    assert_eq!(share(&[], &[0], 2), [] as [f64; 0]);
}

#[test]
fn a_rough_sample_among_smooth_ones_is_found() {
    let limit = HighFrequency { mean: 0.05, tolerance: 0.1, axes: 2 };
    let limits = TensorLimits { high_frequency: Some(limit), ..none() };
    let smooth: Vec<f64> = (0..64).map(|at| f64::from(at / 8) + f64::from(at % 8) / 2.0).collect();
    let rough: Vec<f64> = (0..64).map(|at| f64::from((at / 8 + at % 8) % 2)).collect();
    let batch: Vec<f64> = [&smooth[..], &rough, &smooth].concat();
    assert_eq!(found(&view(&batch, &[3, 8, 8]), &limits), [("tensor.high-frequency", 64..128)]);
    assert_eq!(found(&view(&smooth, &[1, 8, 8]), &limits), []);
    let integers = TensorView { float: false, ..view(&batch, &[3, 8, 8]) };
    assert_eq!(found(&integers, &limits), [("tensor.high-frequency", 64..128)]);
    let nan = TensorLimits { allow_non_finite: true, ..limits };
    assert_eq!(found(&view(&[f64::NAN; 64], &[1, 8, 8]), &nan), []);
}

#[test]
fn noise_on_even_ground_is_found() {
    let limit = Flatness { floor: 0.01, min_share: 0.5, axes: 2 };
    let limits = TensorLimits { flatness: Some(limit), ..none() };
    let mut even = [0.0; 64];
    even[27] = 9.0;
    even[28] = 16.0;
    let noisy: Vec<f64> = even.iter().enumerate().map(|(at, x)| x + [0.3, 0.0, 0.1][at % 3]).collect();
    let shares: Vec<f64> = flat_shares(&view(&even, &[8, 8]), 2, 0.01).map(|(share, _)| share).collect();
    // Of 96 second differences 4 lie along the row of the two, and 3 along each of their columns.
    assert_eq!(shares, [86.0 / 96.0]);
    let batch = [&even[..], &noisy].concat();
    assert_eq!(found(&view(&batch, &[2, 8, 8]), &limits), [("tensor.flatness", 64..128)]);
    assert_eq!(found(&view(&even, &[8, 8]), &limits), []);
    assert_eq!(found(&view(&[3.0, 7.0], &[2]), &limits), [], "two values have no second difference");
}

#[test]
fn every_rule_is_a_tensor_rule_with_an_id_of_its_own() {
    let mut ids: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), RULES.len());
    assert!(RULES.iter().all(|rule| rule.category == crate::finding::Category::Tensor));
    assert!(RULES.iter().all(|rule| rule.weight >= 850 && rule.id.starts_with("tensor.")));
}
