//! Servers and clients in a real etcd, beside Go's.

mod clients;
mod go;
mod servers;
mod support;
