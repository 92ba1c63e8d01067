//! Why a body could not be read.

use core::fmt;

/// What kind of fault a body has. Each has its own name in metrics and may have its own action in a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemKind {
    /// Nothing in it: no bytes, only white space, or an input of no elements.
    Empty,
    /// The input is `null`.
    Null,
    /// More bytes than [`Limits::max_bytes`](crate::Limits::max_bytes).
    TooLarge,
    /// Not UTF-8.
    Encoding,
    /// Not JSON.
    Syntax,
    /// An escape `\uD800`–`\uDFFF` without its other half.
    Surrogate,
    /// Two members of one object share a name: readers differ in which of them counts.
    DuplicateKey,
    /// Something follows the JSON document.
    TrailingData,
    /// Nested deeper than [`Limits::max_depth`](crate::Limits::max_depth).
    TooDeep,
    /// More values, parts or tensors than a limit allows.
    TooMany,
    /// A number that its type cannot hold.
    NumberRange,
    /// A content type or character set that is not read.
    UnsupportedType,
    /// A compressed body that is cut or broken.
    Compression,
    /// A tensor whose shape does not fit its data.
    Shape,
    /// Right JSON, but not of the form that the protocol asks for.
    Form,
}

impl ProblemKind {
    /// Its name in metrics, events and policies.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Null => "null",
            Self::TooLarge => "too_large",
            Self::Encoding => "encoding",
            Self::Syntax => "syntax",
            Self::Surrogate => "surrogate",
            Self::DuplicateKey => "duplicate_key",
            Self::TrailingData => "trailing_data",
            Self::TooDeep => "too_deep",
            Self::TooMany => "too_many",
            Self::NumberRange => "number_range",
            Self::UnsupportedType => "unsupported_type",
            Self::Compression => "compression",
            Self::Shape => "shape",
            Self::Form => "form",
        }
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with a body, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The kind of fault.
    pub kind: ProblemKind,
    /// Byte offset into the body. For a body cut short it is the body's length; for a type that is not read, 0.
    pub at: usize,
    /// What was met, for people. Never text from the body.
    pub detail: &'static str,
}

impl Problem {
    pub(crate) fn new(kind: ProblemKind, at: usize, detail: &'static str) -> Self {
        Self { kind, at, detail }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, at byte {} ({})", self.detail, self.at, self.kind)
    }
}

impl core::error::Error for Problem {}
