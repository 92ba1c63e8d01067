//! Modelgate detect.
#![no_std]
extern crate alloc;
