//! Servers and clients in a real ZooKeeper, beside Go's.

mod clients;
mod ensemble;
mod go;
mod secured;
mod servers;
mod sessions;
mod support;
mod vectors;

rpcx_registries::tests! { every: rpcx_registries::zookeeper::ZooKeeper }
