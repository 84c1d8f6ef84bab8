//! A real registry for tests in other languages: `rpcx-registry NAME` starts it, says the beginning of its URL, and ends it when
//! the input ends.

use rpcx_registries::consul::Consul;
use rpcx_registries::etcd::Etcd;
use rpcx_registries::nacos::Nacos;
use rpcx_registries::redis::Redis;
use rpcx_registries::suite::Registry;
use rpcx_registries::zookeeper::ZooKeeper;
use std::io::{Read, stdin};
use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("consul") => run::<Consul>(),
        Some("etcd") => run::<Etcd>(),
        Some("nacos") => run::<Nacos>(),
        Some("redis") => run::<Redis>(),
        Some("zookeeper") => run::<ZooKeeper>(),
        other => {
            let name = other.unwrap_or("no name");
            eprintln!("{name}: not one of: consul, etcd, nacos, redis, zookeeper");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn run<R: Registry>() {
    let registry = R::start();
    println!("{}://{}", R::NAME, registry.host());
    // What comes does not matter, and neither does how it ends.
    let _ = stdin().read_to_end(&mut Vec::new());
}
