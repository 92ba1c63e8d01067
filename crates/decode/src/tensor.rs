//! Numeric inputs.

use alloc::{borrow::Cow, string::String, sync::Arc, vec::Vec};
use core::ops::Range;

use crate::json::{Document, NodeId};

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Datatype {
    /// True and false, as 1 and 0.
    Bool,
    /// Signed integers of so many bits.
    Int(u8),
    /// Unsigned integers of so many bits.
    Uint(u8),
    /// IEEE 754 numbers of so many bits.
    Float(u8),
    /// bfloat16: the upper half of a single.
    Bfloat16,
    /// Strings of bytes. Their texts are parts; they are in no tensor.
    Bytes,
}

impl Datatype {
    const NAMED: [(&'static str, Self); 14] = [
        ("BOOL", Self::Bool),
        ("UINT8", Self::Uint(8)),
        ("UINT16", Self::Uint(16)),
        ("UINT32", Self::Uint(32)),
        ("UINT64", Self::Uint(64)),
        ("INT8", Self::Int(8)),
        ("INT16", Self::Int(16)),
        ("INT32", Self::Int(32)),
        ("INT64", Self::Int(64)),
        ("FP16", Self::Float(16)),
        ("FP32", Self::Float(32)),
        ("FP64", Self::Float(64)),
        ("BF16", Self::Bfloat16),
        ("BYTES", Self::Bytes),
    ];

    /// The type of that name in the Open Inference Protocol.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|(known, _)| *known == name).map(|(_, datatype)| datatype)
    }

    /// Its name in the Open Inference Protocol.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::NAMED.into_iter().find(|(_, datatype)| *datatype == self).map_or("UNKNOWN", |(name, _)| name)
    }

    /// Whether its values are measured rather than counted.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::Float(_) | Self::Bfloat16)
    }

    /// The value as the model gets it: floats beyond their type become infinite. `None` when the type cannot hold it.
    ///
    /// The ends of the 64-bit types are rounded to doubles: a value one past them may pass.
    pub(crate) fn hold(self, value: f64) -> Option<f64> {
        match self {
            Self::Bool => (value == 0.0 || value == 1.0).then_some(value),
            Self::Int(bits) => {
                let end = power_of_two(bits.saturating_sub(1));
                let top = if bits < 64 { end - 1.0 } else { end };
                (is_whole(value) && value >= -end && value <= top).then_some(value)
            }
            Self::Uint(bits) => {
                let end = power_of_two(bits);
                let top = if bits < 64 { end - 1.0 } else { end };
                (is_whole(value) && value >= 0.0 && value <= top).then_some(value)
            }
            Self::Float(16) => Some(or_infinite(value, HALF_END)),
            Self::Float(32) => Some(or_infinite(value, SINGLE_END)),
            Self::Bfloat16 => Some(or_infinite(value, BFLOAT16_END)),
            Self::Float(_) | Self::Bytes => Some(value),
        }
    }
}

/// From here on a number rounds to infinity in IEEE 754 binary16: half a step past its largest, 65,504.
const HALF_END: f64 = 65_520.0;
/// The same for binary32: `(2 - 2^-24) * 2^127`.
const SINGLE_END: f64 = 3.402_823_567_797_336_6e38;
/// The same for bfloat16: `(2 - 2^-8) * 2^127`.
const BFLOAT16_END: f64 = 3.396_177_510_266_318_3e38;

fn or_infinite(value: f64, end: f64) -> f64 {
    if value >= end {
        f64::INFINITY
    } else if value <= -end {
        f64::NEG_INFINITY
    } else {
        value
    }
}

fn is_whole(value: f64) -> bool {
    // From 2^53 on a double has no fraction.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "smaller than 2^53 in size")]
    let cut = value as i64;
    #[expect(clippy::cast_precision_loss, reason = "smaller than 2^53 in size")]
    let back = cut as f64;
    value.is_finite() && (value >= WHOLE || value <= -WHOLE || back == value)
}

fn power_of_two(exponent: u8) -> f64 {
    (0..exponent).fold(1.0, |power, _| power * 2.0)
}

/// One numeric input.
#[derive(Clone, Debug)]
pub struct Tensor<'a> {
    /// Its name: KServe's, else the member it stands in; empty for an array without one.
    pub name: Cow<'a, str>,
    /// The type of its elements; in other JSON than KServe's, 64-bit floats if any is written with a fraction or an
    /// exponent or is not finite, else 64-bit integers.
    pub datatype: Datatype,
    /// Its dimensions, outermost first; a single number has none.
    pub shape: Vec<usize>,
    /// Its elements in row-major order, as many as the dimensions' product; none if the whole input is `null`. A `null`
    /// element stands as 0.
    pub values: Vec<f64>,
    /// Where its data stand in the body.
    pub span: Range<usize>,
    /// Whether the input, or an element, is `null`.
    pub has_null: bool,
    pub(crate) document: Arc<Document<'a>>,
    pub(crate) node: NodeId,
}

impl Tensor<'_> {
    /// The JSON pointer (RFC 6901) to its data, such as `/inputs/0/data`.
    #[must_use]
    pub fn place(&self) -> String {
        self.document.pointer(self.node)
    }
}
