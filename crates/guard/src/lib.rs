//! Modelgate guard.
#![no_std]
extern crate alloc;
