//! The policy document, and what it makes of findings.
//!
//! One JSON document serves every surface. [`Document`] is its raw form, as serde reads it; [`Policy`] is the checked
//! one, which is all the rest of the program ever sees. [`Policy::judge`] turns findings into a [`Judgement`].
#![no_std]

extern crate alloc;

mod conversation;
mod decisions;
mod detection;
mod document;
mod engine;
mod exception;
mod identity;
mod judge;
mod limits;
mod own_rule;
mod policy;
mod read;
mod response;
mod time;
mod values;

pub use conversation::{Conversation, History};
pub use decisions::DecisionFeed;
pub use detection::{Detect, Packs};
pub use document::{
    AbsentTokens, Axis, Document, Field, Flatness, HighFrequency, Input, Model, Relay, Report, Shadow,
    Tensor, Unscannable,
};
pub use exception::{Circumstances, ClientName, Exception};
pub use identity::{ClientOrder, Identity};
pub use judge::{Judgement, Reason};
pub use limits::{LimitHeaders, Limits};
pub use own_rule::OwnRule;
pub use policy::{ConfigError, Policy, Warning};
pub use response::{Headers, Response};
pub use time::UnixMs;
pub use values::{
    Action, Category, ClientBy, Mode, ModelName, Paranoia, Protocol, Role, RuleName, Severity, Share,
};
