//! What the core knows by heart takes room in every VM of a proxy, so it has a limit.

use anyhow::{Result, bail};

use crate::{Paths, step::say};

/// Bytes that weights and tables may have together in the wasm.
const LIMIT: usize = 512 * 1024;

/// Counts the weights and tables as they lie in the wasm: the models and the rules as they are compressed there, the lists
/// of words and what finds them, what Unicode says of characters, and what looks alike. The constants of the crates sum up
/// the very statics; messages, Brotli's dictionary and the code's own short lists are not of them.
///
/// # Errors
/// When there are more.
pub(super) fn check(_: &Paths) -> Result<()> {
    let (all, normalise) = (detect::TABLES, normalise::TABLES);
    say(&format!(
        "weights and tables: {} KiB of {}, of which {} for rules and models, {} for characters and words",
        all / 1024,
        LIMIT / 1024,
        (all - normalise) / 1024,
        normalise / 1024
    ));
    if all > LIMIT {
        bail!("weights and tables have {all} bytes, more than {LIMIT}");
    }
    Ok(())
}
