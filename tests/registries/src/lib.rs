//! Real registries for tests: each server on loopback, with ports and a data folder of its own, stopped by its process id; and
//! what is expected of all of them, as a [`suite`].

pub mod certificates;
pub mod consul;
pub mod daemon;
pub mod etcd;
pub mod go;
pub mod mdns;
pub mod nacos;
pub mod network;
mod ports;
pub mod process;
pub mod redis;
pub mod suite;
pub mod vectors;
pub mod wait;
pub mod zookeeper;

pub use certificates::Pem;
pub use daemon::Daemon;
pub use ports::Port;
pub use process::{Process, Talker};
