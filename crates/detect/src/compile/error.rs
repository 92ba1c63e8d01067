//! What is wrong with a pattern.

use alloc::string::String;
use core::fmt;

/// A pattern that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The pattern as written.
    pub pattern: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Nothing in it.
    Empty,
    /// `<`, `[`, `="` or `{` without its end.
    Unclosed,
    /// A word, or an alternative, without a letter or digit. Punctuation is written as a raw literal.
    NoWord,
    /// `x*` with a single letter.
    ShortStem,
    /// Raw literals and words in one pattern.
    Mixed,
    /// A gap at an end of the pattern, or that is no number from 0 to 60 (400 between raw literals).
    Gap,
    /// More steps, alternatives, words or repetitions than the tables hold.
    TooLong,
    /// Nothing a search could begin with: every item is optional, or a prefix of fewer than four bytes.
    NoAnchor,
    /// Raw literals in which no search can begin: ASCII letters and digits alone. Write them as words.
    BareRaw,
    /// An operator where a literal character was expected; put a backslash before it.
    Operator,
    /// A class that is empty, or a range in it that runs backwards.
    Class,
    /// A repetition that is not `{m}`, `{m,}`, `{m,n}`, `+`, `?` or `*`.
    Repetition,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::Empty => "is empty",
            Problem::Unclosed => "has a bracket or quotation mark that is not closed",
            Problem::NoWord => "has a word without a letter or digit (write punctuation as =\"…\")",
            Problem::ShortStem => "has a prefix of a single letter",
            Problem::Mixed => "mixes raw literals with words",
            Problem::Gap => "has a gap at an end, or one that is no small number",
            Problem::TooLong => "is too long",
            Problem::NoAnchor => "has nothing to search for: all is optional or a very short prefix",
            Problem::BareRaw => {
                "has raw literals without anything but ASCII letters and digits (write words)"
            }
            Problem::Operator => "has an operator where a character is expected (put \\ before it)",
            Problem::Class => "has an empty or backward class",
            Problem::Repetition => "has a repetition that is not understood",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the pattern `{}` {}", self.pattern, self.problem)
    }
}

impl core::error::Error for Error {}
