//! The Envoy shell of Modelgate: a proxy-wasm filter round the guard.
//!
//! It holds no detection logic. `stream` says which callback of a stream asks the guard what, `plugin` holds
//! what the streams of one configuration share, `outlet` carries events to the relay, `ledger` keeps the guard's
//! counts in Envoy's shared data. All of them speak to the host through the trait in `port`, so the flow runs natively
//! against a mock; `host` and `abi`, which exist on wasm alone, tie it to Envoy.

#![cfg_attr(
    not(target_family = "wasm"),
    expect(dead_code, reason = "without a host nothing calls the flow but its tests")
)]

#[cfg(target_family = "wasm")]
mod abi;
mod address;
mod estate;
mod feed;
mod filter;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod headers;
#[cfg(target_family = "wasm")]
mod host;
mod ledger;
mod metrics;
#[cfg(test)]
mod mock;
mod outlet;
mod plugin;
mod port;
mod random;
mod shared;
mod stream;
mod vms;
