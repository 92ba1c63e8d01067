//! The rules that come with the crate, as `build.rs` compiled them.

use crate::{compile::Tables, finding::Rule};

mod generated {
    include!(concat!(env!("OUT_DIR"), "/rules.rs"));
}

/// The compiled patterns.
pub(crate) const fn tables() -> &'static Tables {
    &generated::TABLES
}

/// What is known of each rule, in the order of its number in the tables.
pub(crate) fn rules() -> impl Iterator<Item = Rule> {
    generated::RULES.iter().copied()
}
