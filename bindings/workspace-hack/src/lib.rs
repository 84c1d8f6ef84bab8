//! Nothing but dependencies: cargo compiles a crate anew for every set of its features, and what is built package by package
//! (a library for each language, the interop programs) would ask for a set each. Whoever depends on this asks for the union.
