//! `cargo xtask kills`: alert-relay killed at random moments under load; nothing acknowledged may be lost.
//!
//! The test is `alert-relay/tests/kills.rs`, which `cargo xtask test` runs too, with fewer kills.

use std::process::Command;

use anyhow::Result;

use crate::{
    Paths, build,
    postgres::{self, Sync},
    step,
};

/// Kills on each database, unless asked otherwise.
pub const COUNT: u32 = 100;

/// On SQLite, then on PostgreSQL.
///
/// # Errors
/// When something was lost or told too often, or the tools are missing.
pub fn run(paths: &Paths, count: u32) -> Result<()> {
    step::shown(&format!("{count} kills on SQLite"), &mut test(paths, count))?;
    postgres::with(paths, Sync::On, &mut [test(paths, count)])
}

fn test(paths: &Paths, count: u32) -> Command {
    let mut test = build::cargo(paths);
    test.args(["test", "--locked", "--quiet", "-p", "alert-relay", "--test", "kills", "--", "--nocapture"]);
    test.env("RELAY_KILLS", count.to_string());
    test
}
