//! Modelgate.
