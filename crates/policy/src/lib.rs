//! Modelgate policy.
#![no_std]
extern crate alloc;
