//! Modelgate.
fn main() {}
