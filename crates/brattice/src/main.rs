//! Brattice.
fn main() {}
