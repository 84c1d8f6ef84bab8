//! Servers and clients in a real Consul, beside Go's.

mod clients;
mod go;
mod secured;
mod servers;
mod support;
mod vectors;

rpcx_registries::tests! { every: rpcx_registries::consul::Consul }
rpcx_registries::tests! { rpcx_registries::consul::Consul: peers::go_and_we_share_a_service_and_a_registry_that_loses_its_data }
