//! A real registry for tests in other languages: `rpcx-registry NAME` starts it, says the beginning of its URL, and ends it when
//! the input ends.

use rpcx_registries::etcd::Etcd;
use rpcx_registries::suite::Registry;
use rpcx_registries::zookeeper::ZooKeeper;
use std::io::{Read, stdin};
use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("etcd") => run::<Etcd>(),
        Some("zookeeper") => run::<ZooKeeper>(),
        other => {
            eprintln!("{}: not one of: etcd, zookeeper", other.unwrap_or("no name"));
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
