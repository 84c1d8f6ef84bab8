//! Servers and clients in a real etcd, beside Go's.

mod clients;
mod faults;
mod go;
mod scale;
mod secured;
mod servers;
mod support;
mod vectors;
