//! What the turns of a conversation mean for each other.

use serde::Serialize;

use crate::{
    read::{named, object, within},
    values::Action,
};

/// What the turns of a conversation mean for each other. Chats send all earlier turns again with each new one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Conversation {
    /// What to do about earlier turns that would be refused: those before the last answer of the model, and messages of the
    /// user before the user's last one.
    pub history: History,
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

/// What to do about earlier turns of a chat that would be refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// Judge them like the new one: a chat with a refused turn in it is refused until that turn is gone.
    #[default]
    Judge,
    /// Report each once for a client and let them pass. The model reads them, and callers can make up earlier turns.
    NewOnly,
    /// Forward the request with a note in place of their texts, and report each once for a client.
    Excise,
}

named!(History: "judge" => Judge, "new_only" => NewOnly, "excise" => Excise);

impl Default for Conversation {
    fn default() -> Self {
        Self { history: History::Judge, risk: Action::Flag, risk_threshold: 2000, risk_half_life: 600 }
    }
}

object!(Conversation, needs [], takes [history, risk, risk_threshold: within(100, 60_000), risk_half_life: within(1, 86_400)]);
