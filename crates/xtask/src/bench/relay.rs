//! `cargo xtask bench-relay`: what alert-relay takes, how soon it starts, and how soon it answers with much stored.
//!
//! The measuring is `alert-relay/tests/figures`, which `cargo xtask test` runs too, with few events and no clock.

use std::process::Command;

use anyhow::Result;

use crate::{
    Paths, build,
    postgres::{self, Sync},
    step,
};

/// Events stored at the end, unless asked otherwise.
pub const EVENTS: u64 = 10_000_000;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Events stored at the end.
    pub events: u64,
    /// Parts of it, by their names; none for all.
    pub parts: Option<String>,
    /// Where the store stays, to be measured again.
    pub store: Option<String>,
    /// On PostgreSQL instead of SQLite.
    pub postgres: bool,
}

/// Prints goals and what was measured.
///
/// # Errors
/// When something acknowledged was not stored, or the tools are missing.
pub fn run(paths: &Paths, wanted: &Wanted) -> Result<()> {
    let mut test = build::cargo(paths);
    test.args(["test", "--locked", "--quiet", "--release", "-p", "alert-relay", "--test", "figures", "--"]);
    test.args(["--ignored", "--nocapture"]);
    wanted.tell(&mut test);
    if wanted.postgres {
        return postgres::with(paths, Sync::On, &mut [test]);
    }
    step::shown("the figures of alert-relay", &mut test)
}

impl Wanted {
    fn tell(&self, test: &mut Command) {
        test.env("RELAY_FIGURES", self.events.to_string());
        if let Some(parts) = &self.parts {
            test.env("RELAY_FIGURES_PARTS", parts);
        }
        if let Some(store) = &self.store {
            test.env("RELAY_FIGURES_STORE", store);
        }
    }
}
