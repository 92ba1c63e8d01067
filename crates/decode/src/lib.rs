//! Modelgate decode.
#![no_std]
extern crate alloc;
