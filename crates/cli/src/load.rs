//! Policies from files.

use std::{fs, path::Path};

use anyhow::{Context as _, anyhow};
use policy::{Document, Policy};

/// Reads a policy: YAML where the name ends in `.yaml` or `.yml`, else JSON.
///
/// # Errors
/// When the file cannot be read, or what is wrong in it, with its line and column.
pub(crate) fn policy(path: &Path) -> anyhow::Result<Policy> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let is_yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let checked = if is_yaml {
        let document: Document =
            serde_norway::from_str(&text).map_err(|error| anyhow!("{}: {error}", path.display()))?;
        Policy::from_document(document)
    } else {
        Policy::from_json(text.as_bytes())
    };
    checked.map_err(|error| anyhow!("{}: {error}", path.display()))
}

/// Reads a policy, or takes the defaults.
///
/// # Errors
/// As [`policy`].
pub(crate) fn policy_or_default(path: Option<&Path>) -> anyhow::Result<Policy> {
    match path {
        Some(path) => policy(path),
        None => Ok(Policy::from_json(br#"{"model":{"name":"default"}}"#)?),
    }
}
