//! Detectors: what in a text or a tensor is an attack, a leak or out of bounds.
//!
//! [`Engine`] judges texts by rules (`rules/*.toml`, compiled into static tables by `build.rs`), and
//! [`check_tensor`] judges numbers. Both report [`Finding`]s and decide nothing: the verdict is policy's.
//!
//! A text is normalised once; then one pass over its words asks a small filter whether a rule hangs on
//! the word, and only where one does is the rule verified on the words around. So the cost hardly grows
//! with the number of rules, and each step is bounded: no backtracking, no clock, no I/O.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

/// Bytes of the weights and tables that the crate holds, those of `normalise` among them: the learnt models and the rules
/// as `build.rs` compressed them. Lists of a few words that stand in the code are not counted.
pub const TABLES: usize = builtin::TABLES + classifier::TABLES + normalise::TABLES;

mod base64;
mod builtin;
mod canary;
mod checksum;
#[doc(hidden)] // for `cargo xtask train`
pub mod classifier;
mod code;
pub mod compile;
mod detector;
mod echo;
mod engine;
mod entropy;
mod exfiltration;
mod finding;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod lzma;
mod masks;
#[doc(hidden)] // for `cargo xtask train`
pub mod mention;
mod options;
mod own;
#[cfg(feature = "regex")]
mod own_regex;
mod passing;
mod pii;
mod role;
mod room;
mod scratch;
mod search;
mod secret;
#[cfg(test)]
mod speed;
mod stream;
mod structure;
mod tensor;
#[cfg(test)]
mod tests;
mod verify;
mod windows;
mod words;

pub use echo::{PromptPrint, RULE as ECHO_RULE};
pub use engine::Engine;
pub use finding::{Category, Finding, Rule, Severity};
pub use options::{Options, Packs};
pub use own::{OwnPattern, OwnProblem, OwnRule, OwnRuleError};
#[cfg(feature = "regex")]
pub use own_regex::Expression;
pub use role::{Role, Roles};
pub use scratch::{Scratch, Work};
pub use stream::Stream;
pub use tensor::{
    AxisLimit, Flatness, HighFrequency, RULES as TENSOR_RULES, TensorLimits, TensorView, check_tensor,
    flat_shares, high_frequency_shares,
};
pub use windows::Windows;
