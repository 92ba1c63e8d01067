//! What the turns of a conversation mean for each other.

use serde::Serialize;

use crate::{
    read::{object, within},
    values::Action,
};

/// What the turns of a conversation mean for each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Conversation {
    /// What to do when a request is suspicious by itself, though not enough to be refused, and the client's suspicion of the
    /// last turns adds up to `risk_threshold`: an attack may be led up to, or cut into turns.
    pub risk: Action,
    /// How much suspicion is too much, in thousandths, 100 to 60,000. A turn that scores 0.4 adds 400.
    #[cfg_attr(feature = "schema", schemars(range(min = 100, max = 60_000)))]
    pub risk_threshold: u32,
    /// After so many seconds half of the suspicion is forgotten, 1 to 86,400.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 86_400)))]
    pub risk_half_life: u32,
}

impl Default for Conversation {
    fn default() -> Self {
        Self { risk: Action::Flag, risk_threshold: 2000, risk_half_life: 600 }
    }
}

object!(Conversation, needs [], takes [risk, risk_threshold: within(100, 60_000), risk_half_life: within(1, 86_400)]);
