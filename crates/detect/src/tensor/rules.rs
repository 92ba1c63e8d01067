//! What is known of each tensor rule. All compare against a bound that the operator owns, so a match
//! is a fact and each of them blocks alone.

use crate::{
    finding::{Category, Rule, Severity},
    role::Roles,
};

/// MITRE ATLAS "Craft Adversarial Data".
const CRAFTED: &[&str] = &["AML.T0043"];
/// MITRE ATLAS "Denial of AI Service".
const DENIAL: &[&str] = &["AML.T0029"];
/// OWASP "Unbounded Consumption", in both numberings.
const CONSUMPTION: &[&str] = &["LLM10:2025", "LLM06:2026"];

const fn rule(
    id: &'static str,
    summary: &'static str,
    severity: Severity,
    weight: u16,
    owasp: &'static [&'static str],
    atlas: &'static [&'static str],
) -> Rule {
    Rule {
        id,
        summary,
        category: Category::Tensor,
        severity,
        weight,
        paranoia: 1,
        roles: Roles::ALL,
        owasp,
        atlas,
    }
}

/// No values at all.
pub(super) const EMPTY: Rule = rule("tensor.empty", "Tensor without values", Severity::Medium, 900, &[], &[]);
/// A null where a number belongs.
pub(super) const NULL: Rule =
    rule("tensor.null", "Tensor that is or holds null", Severity::Medium, 900, &[], &[]);
/// More values than allowed.
pub(super) const SIZE: Rule = rule(
    "tensor.size",
    "Tensor with more values than the policy allows",
    Severity::Medium,
    900,
    CONSUMPTION,
    DENIAL,
);
/// Outside the configured range.
pub(super) const RANGE: Rule =
    rule("tensor.range", "Value outside the range that the policy sets", Severity::Medium, 900, &[], CRAFTED);
/// Beyond any plausible scale.
pub(super) const MAGNITUDE: Rule =
    rule("tensor.magnitude", "Value of extreme magnitude", Severity::High, 900, &[], CRAFTED);
/// NaN or an infinity.
pub(super) const NON_FINITE: Rule =
    rule("tensor.non-finite", "NaN or infinity among the values", Severity::High, 950, &[], CRAFTED);
/// A step too steep.
pub(super) const GRADIENT: Rule = rule(
    "tensor.gradient",
    "Neighbouring values differ more than natural data does",
    Severity::High,
    900,
    &[],
    CRAFTED,
);
/// Too few values that are not zero.
pub(super) const SPARSITY: Rule = rule(
    "tensor.sparsity",
    "Smaller share of non-zero values than the policy allows",
    Severity::Medium,
    850,
    &[],
    CRAFTED,
);

/// Not of the form that the model takes.
pub(super) const SHAPE: Rule = rule(
    "tensor.shape",
    "Tensor of a shape that the model does not take",
    Severity::Medium,
    900,
    &[],
    CRAFTED,
);
/// Not of a type that the model takes.
pub(super) const DATATYPE: Rule = rule(
    "tensor.datatype",
    "Tensor of a datatype that the model does not take",
    Severity::Medium,
    900,
    &[],
    CRAFTED,
);
/// The same value too often in a row.
pub(super) const CONSTANT: Rule = rule(
    "tensor.constant",
    "Longer run of one value than the policy allows",
    Severity::Medium,
    850,
    &[],
    CRAFTED,
);
/// Too many values at the ends of the range.
pub(super) const SATURATED: Rule = rule(
    "tensor.saturated",
    "Larger share of values at the ends of their range than the policy allows",
    Severity::Medium,
    850,
    &[],
    CRAFTED,
);
/// Rougher than ordinary inputs.
pub(super) const HIGH_FREQUENCY: Rule = rule(
    "tensor.high-frequency",
    "More energy in high frequencies than ordinary inputs of the model have",
    Severity::High,
    850,
    &[],
    CRAFTED,
);

/// Noise where ordinary inputs are even.
pub(super) const FLATNESS: Rule = rule(
    "tensor.flatness",
    "Fewer flat places than ordinary inputs of the model have",
    Severity::High,
    850,
    &[],
    CRAFTED,
);

/// Every tensor rule.
pub const RULES: [Rule; 14] = [
    EMPTY,
    NULL,
    SIZE,
    RANGE,
    MAGNITUDE,
    NON_FINITE,
    GRADIENT,
    SPARSITY,
    SHAPE,
    DATATYPE,
    CONSTANT,
    SATURATED,
    HIGH_FREQUENCY,
    FLATNESS,
];
