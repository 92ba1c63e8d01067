//! From rules as people write them to tables that a scan reads.
//!
//! Shared by `build.rs`, which packs `rules/*.toml` into a few bytes, and by the engine, which unpacks them and
//! adds an operator's own when it is made. So it knows nothing of the rest of the crate.

mod anchor;
pub mod error;
mod frequency;
pub mod keys;
pub mod pack;
pub mod phrase;
mod plan;
mod plan_token;
pub mod signs;
pub mod sort;
pub mod squeeze;
pub mod tables;
pub mod token;
pub mod unpack;
pub mod words;

pub use error::Error;
pub use plan::Builder;
pub use tables::Tables;

use alloc::{string::String, vec::Vec};

/// The patterns of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns {
    /// Phrase patterns over the comparable text: see [`phrase`].
    pub phrases: Vec<String>,
    /// Token patterns over the text as it came: see [`token`].
    pub tokens: Vec<String>,
    /// What a token must show beyond its form.
    pub proof: Proof,
}

/// What a token must show beyond its form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Thousandths of a bit of Shannon entropy a character, over what the classes matched; 0 asks nothing.
    pub min_entropy: u16,
    /// What a match proves by itself.
    pub checksum: Option<tables::Checksum>,
    /// Words, in lower case, that make the match a placeholder.
    pub stopwords: Vec<String>,
}
