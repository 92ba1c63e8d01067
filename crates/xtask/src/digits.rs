//! `cargo xtask digits`: how well the tensor checks tell adversarial digits from clean ones.
//!
//! `tests/digits/report.py` trains, attacks and counts; the example `digits` of `crates/detect` runs the
//! checks themselves.

use std::process::Command;

use anyhow::Result;

use crate::{Paths, build, setup, step};

/// Sets up, builds, measures, prints the table.
///
/// # Errors
/// When Python or the packages are missing, or anything fails.
pub fn run(paths: &Paths) -> Result<()> {
    let python = setup::digits(paths)?;
    let mut build = build::cargo(paths);
    build.args(["build", "--release", "--quiet", "-p", "modelgate-detect", "--example", "digits"]);
    step::shown("building the tensor checks", &mut build)?;
    let mut report = Command::new(python);
    report.arg(paths.root.join("tests/digits/report.py")).arg(paths.target.join("release/examples/digits"));
    step::shown("training, attacking, measuring", report.current_dir(&paths.root))
}
