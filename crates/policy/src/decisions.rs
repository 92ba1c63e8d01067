//! What the security team decided about callers.

use alloc::string::String;

use serde::Serialize;

use crate::read::{object, within};

/// Decisions about callers, pulled from the relay.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct DecisionFeed {
    /// Whether they are pulled and applied.
    pub enabled: bool,
    /// The path of the relay's feed.
    pub path: String,
    /// Seconds between two pulls, 1 to 3600.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 3600)))]
    pub interval: u32,
    /// Most decisions that are kept, 1 to 1,000,000, 32 bytes each; those that end first are left out.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub max_entries: u32,
}

impl Default for DecisionFeed {
    fn default() -> Self {
        Self { enabled: true, path: "/v1/decisions".into(), interval: 10, max_entries: 200_000 }
    }
}

object!(DecisionFeed, needs [], takes [enabled, path, interval: within(1, 3600), max_entries: within(1, 1_000_000)]);
