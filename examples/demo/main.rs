//! Placeholder until the parts below are in place.
fn main() {}
