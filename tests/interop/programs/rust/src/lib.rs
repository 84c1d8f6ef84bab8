//! What the programs in `src/bin` are made of: the interop server with its services, the driver with its commands, and what
//! both share.

pub mod args;
pub mod arith;
pub mod driver;
pub mod governance;
pub mod hello;
pub mod messages;
pub mod server;
pub mod signal;

/// The discoveries and registries that a URL may name: all that there are.
fn schemes() -> rpcx::discovery::Schemes {
    rpcx::discovery::Schemes::default()
        .with(librpcx_consul::scheme())
        .with(librpcx_dns::scheme())
        .with(librpcx_etcd::scheme())
        .with(librpcx_nacos::scheme())
        .with(librpcx_redis::scheme())
        .with(librpcx_zookeeper::scheme())
}
