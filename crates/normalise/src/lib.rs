//! Turns a text into a comparable one, and finds what is encoded in it.
//!
//! [`Normalised`] holds the comparable text: NFKC, lower case, invisible characters gone, runs of
//! white space folded, typographic punctuation in its ASCII form, and a map back to the byte ranges
//! of the source. [`views`] finds stretches that decode to a text of their own.
//!
//! The comparable text has one property that matchers rely on: **each byte of 0x80 and above belongs
//! to a letter, a digit or a mark**. Whatever else is not ASCII became an ASCII character, so words
//! can be told apart by looking at single bytes.
//!
//! This crate reads no clock, no environment and does no I/O; every loop is bounded by its input.
#![no_std]

extern crate alloc;

/// Bytes of the tables that the crate holds: lists of words and what finds them again, what Unicode says of characters, and
/// what looks alike.
pub const TABLES: usize = unicode::TABLES + language::TABLES + lookalike::TABLES;

mod budget;
mod comparable;
mod encoded;
mod fold;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod invisible;
pub mod lanes;
mod language;
mod lookalike;
mod map;
mod marks;
mod reading;
pub mod swar;
mod trace;
mod transform;
mod unicode;

pub use budget::Budget;
pub use comparable::{Normalised, PADDING, SYMBOL};
pub use encoded::{View, views, views_marked};
pub use fold::is_word;
pub use language::{fluency, naturalness};
pub use marks::Marks;
pub use trace::undone_in;
pub use transform::{Transform, Transforms};
