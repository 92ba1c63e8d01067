//! The edge worker's shell: the guard as JavaScript sees it.
//!
//! `guard.mjs` moves bytes and makes the calls, this crate translates, the `guard` crate decides. Time and entropy come
//! in as arguments; the module imports nothing from its host but wasm-bindgen's own helpers.

mod answer;
mod courier;
mod failure;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod headers;
mod leases;
mod memory;
mod objects;
mod shell;
#[cfg(feature = "trap")]
mod trap;

pub use objects::{Desk, Ledger};
pub use shell::{Exchange, Guard};
