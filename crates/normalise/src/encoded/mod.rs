//! Finds stretches of a text that decode to a text of their own.
//!
//! One transform a file. Each finder walks the source once, sniffs before it decodes, and takes what
//! it decodes from the [`Budget`].

mod base32;
mod base58;
mod base64;
mod braille;
mod escapes;
mod hex;
mod joined;
mod joined_words;
mod percent;
pub(crate) mod regrouped;
mod run;
mod tags;
pub(crate) mod text;

use alloc::{string::String, vec::Vec};
use core::ops::Range;

use crate::{budget::Budget, marks::Marks, transform::Transform};

/// A text that was encoded within another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// How it was encoded.
    pub transform: Transform,
    /// The bytes of the source that hold it.
    pub source: Range<usize>,
    /// What it says.
    pub text: String,
}

/// Appends the decoded views of `source` to `out`.
pub fn views(source: &str, budget: &mut Budget, out: &mut Vec<View>) {
    let mut marks = Marks::default();
    marks.set(source.as_bytes());
    views_marked(source, &marks, budget, out);
}

/// The same for a text whose marks are known, as [`crate::Normalised::marks`] knows those of its source.
pub fn views_marked(source: &str, marks: &Marks, budget: &mut Budget, out: &mut Vec<View>) {
    budget.grant(source.len());
    run::views(source, marks, budget, out);
    if marks.has_any(b"%") {
        percent::views(source, budget, out);
    }
    escapes::views(source, marks, budget, out);
    crate::reading::views(source, marks, budget, out);
    if !marks.is_ascii() {
        tags::views(source, budget, out);
        joined::views(source, budget, out);
        braille::views(source, budget, out);
        crate::lookalike::views(source, budget, out);
    }
}

/// Appends a view if it says something and the budget allows it.
pub(crate) fn put(
    transform: Transform,
    source: Range<usize>,
    text: String,
    budget: &mut Budget,
    out: &mut Vec<View>,
) {
    if budget.take(text.len()) {
        out.push(View { transform, source, text });
    }
}
