//! Modelgate normalise.
#![no_std]
extern crate alloc;
