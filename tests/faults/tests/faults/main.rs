//! Faults between real processes. Each shows that calls end before their deadline and a margin, with the right kind and
//! delivery state, that the client recovers without a restart, and that nothing is left behind.

mod hostile;
mod processes;
mod servers;
mod soak;
mod support;
mod ways;
