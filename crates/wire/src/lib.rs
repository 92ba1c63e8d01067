//! The one contract between the filters and `alert-relay`: events, batches and their
//! signature, and decisions on the way back.
//!
//! A filter reports what it decided as an [`Event`]; events travel in a [`Batch`], a JSON body signed as
//! [Standard Webhooks](https://www.standardwebhooks.com/) describes it ([`signature`]). Decoding is bounded
//! ([`limits`]), tolerates fields it does not know, and names the event that is at fault.
#![no_std]

extern crate alloc;

mod batch;
mod check;
mod cloud_events;
mod decision;
mod event;
#[doc(hidden)]
pub mod fuzz;
mod id;
pub mod limits;
mod score;
pub mod signature;
mod tags;

pub use batch::{Batch, BatchError, DecodedBatch, EventError};
pub use cloud_events::{CLOUD_EVENT, CLOUD_EVENT_TYPE, CLOUD_EVENTS};
pub use decision::{Decision, DecisionAction, DecisionFeed, FeedError, MESSAGE_PREFIX, Subject};
pub use event::{
    Client, Direction, Event, EventKind, Finding, KeyIdentity, Location, Request, Shadow, Span, Surface,
};
pub use id::{EventId, InvalidEventId};
pub use score::Score;
pub use tags::{Category, Severity, Verdict};

/// The version of the event format that this crate writes. Readers accept any event whose version is not larger.
pub const VERSION: u16 = 1;
