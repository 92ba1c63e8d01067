//! `cargo xtask train`: trains the models in `crates/detect/models`.

mod grammar;
mod random;

use anyhow::{Result, bail};

use crate::{Paths, step};

/// Checks the grammars, and shows what they hold.
///
/// # Errors
/// Names the first mistake.
pub fn check(paths: &Paths) -> Result<()> {
    let drawn = grammar::read(&paths.root.join("crates/xtask/train"))?;
    if drawn.is_empty() {
        bail!("crates/xtask/train holds no grammars");
    }
    step::print(&grammar::report(&drawn));
    Ok(())
}
