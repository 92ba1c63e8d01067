//! The form a model takes: datatype, rank, the length of each axis.

use super::{AxisLimit, TensorLimits, TensorView};

/// Whether the shape is one the model takes.
pub(super) fn fits(shape: &[usize], limits: &TensorLimits) -> bool {
    let ranked = limits.max_rank.is_none_or(|most| shape.len() <= most);
    ranked
        && limits.axes.as_ref().is_none_or(|axes| {
            axes.len() == shape.len() && axes.iter().zip(shape).all(|(limit, length)| limit.holds(*length))
        })
}

/// Whether the datatype is one the model takes. Names are compared without regard to case.
pub(super) fn is_taken(view: &TensorView<'_>, limits: &TensorLimits) -> bool {
    limits
        .datatypes
        .as_ref()
        .is_none_or(|taken| taken.iter().any(|name| name.eq_ignore_ascii_case(view.datatype)))
}

impl AxisLimit {
    const fn holds(self, length: usize) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(expected) => length == expected,
            Self::AtMost(most) => length <= most,
        }
    }
}
