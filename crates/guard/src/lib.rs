//! The guard: decode, normalise, detect and policy put together, without I/O.
//!
//! A shell (the Envoy filter, the edge worker, the command line) gives bytes, a clock reading and entropy, and gets
//! values back: whether to let a request go, what to answer instead, what to report. Nothing here reads a clock,
//! entropy or the environment, and nothing blocks.
//!
//! ```text
//! Guard::open(head) ─▶ Exchange ─▶ outcome()?   decided without a body
//!                         └─ judge(body) ─▶ Outcome { verdict, reply, headers }
//!                         └─ take_event() ─▶ Reporter ─▶ Callout ─▶ (shell sends it) ─▶ settle()
//! ```
#![no_std]

extern crate alloc;

mod answer;
mod conversation;
mod counting;
mod decisions;
mod exchange;
mod forward;
mod head;
mod identity;
mod input;
mod inspect;
mod joined;
mod ledger;
mod mask;
mod notice;
mod reason;
mod reply;
mod reporter;
mod settle;
mod sip;
mod sketch;

pub use answer::{AnswerHead, AnswerOutcome, AnswerPlan, Passed, Usage};
pub use decisions::{Decisions, Pull, PullError, Pulled, Update};
pub use exchange::{Exchange, Guard, Outcome};
pub use forward::Forward;
pub use head::{Head, HeadFacts, is_own_header, route_name};
pub use input::pins;
pub use inspect::{Inspection, Inspector, KnownRule};
pub use ledger::{Answer, Ask, Conflict, NoStore, SLOTS, Store, Version, give_back, operate};
pub use notice::Notice;
pub use reason::Judged;
pub use reply::Reply;
pub use reporter::{Callout, CalloutId, Reporter, Sealed, signed};

pub use detect::Role;
pub use policy;
pub use wire;

/// What only the host knows: the time, and some bytes nobody can foresee.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Unix time in milliseconds.
    pub unix_ms: u64,
    /// Fresh random bytes, used for ids.
    pub entropy: [u8; 10],
}
