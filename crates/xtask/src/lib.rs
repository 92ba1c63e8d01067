//! What builds, runs, shows, measures and tests Modelgate: `cargo xtask`.
//!
//! The end-to-end tests use it as a library: [`stack::Stack`] runs the whole set on free ports, [`http::Request`]
//! speaks with it.

pub mod bench;
pub mod build;
pub mod check;
pub mod demo;
pub mod digits;
pub mod fuzz;
pub mod http;
pub mod interrupt;
pub mod kills;
pub mod paths;
pub mod postgres;
pub mod profile;
pub mod setup;
pub mod soak;
pub mod stack;
pub mod step;
pub mod train;

pub use paths::Paths;
