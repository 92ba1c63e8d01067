//! The policy document, and what it makes of findings.
//!
//! One JSON document serves every surface. [`Document`] is its raw form, as serde reads it; [`Policy`] is the checked
//! one, which is all the rest of the program ever sees. [`Policy::judge`] turns findings into a [`Judgement`].
#![no_std]

extern crate alloc;

mod document;
mod judge;
mod policy;
mod values;

pub use document::{Detect, Document, Identity, Input, Limits, Model, Relay, Report, Tensor, Unscannable};
pub use judge::{Judgement, Reason};
pub use policy::{ConfigError, Policy, Warning};
pub use values::{Action, ClientBy, Mode, ModelName, Paranoia, Protocol, Share};
