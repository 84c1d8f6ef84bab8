//! Real registries for tests: each server on loopback, with ports and a data folder of its own, stopped by its process id.

pub mod etcd;
pub mod go;
mod ports;
mod process;
pub mod wait;

pub use ports::Port;
pub use process::{Process, Talker};
