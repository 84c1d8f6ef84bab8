//! Servers and clients that find each other by mDNS, as every language names it.
#![cfg(feature = "mdns")]

use rpcx_embed::{
    Bytes, CallOptions, Client, ClientConfig, Discovery, Error, Kind, MethodFlags, Request, Server, ServerBuilder,
    ServerConfig,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

fn server() -> Server {
    let config = ServerConfig {
        listen: vec!["tcp@127.0.0.1:0".into()],
        registries: vec!["mdns://".to_owned()],
        threads: 1,
        ..ServerConfig::default()
    };
    let echo = |request: Request| {
        let payload = request.payload().clone();
        request.answer(Ok(payload));
    };
    ServerBuilder::new(config).method("Echo", "Raw", Arc::new(echo), MethodFlags::default()).start_blocking().unwrap()
}

#[test]
fn servers_and_clients_meet_and_leave_no_thread() {
    rpcx_registries::network::apart(concat!(module_path!(), "::servers_and_clients_meet_and_leave_no_thread"), || {
        let servers = [server(), server()];
        let config = ClientConfig { discovery: Discovery::Url("mdns://".to_owned()), ..ClientConfig::default() };
        let client = Client::open(config).unwrap();
        let method = client.method("Echo", "Raw").unwrap();
        let (until, mut seen) = (Instant::now() + LIMIT, BTreeSet::new());
        while seen.len() < 2 {
            let reply = method.call_blocking(Kind::Call, Bytes::new(), CallOptions::new(), || Ok::<(), Error>(()));
            seen.insert(reply.unwrap().server.to_string());
            assert!(Instant::now() < until, "{seen:?}");
        }
        for server in &servers {
            server.shutdown_blocking(LIMIT, false, || Ok::<(), Error>(())).unwrap();
        }
        client.close();
        drop((method, client, servers));
        let names = || {
            let tasks = std::fs::read_dir("/proc/self/task").unwrap();
            // A thread may end meanwhile.
            let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
            names.filter(|name| name.starts_with("rpcx-")).collect::<Vec<_>>()
        };
        while !names().is_empty() {
            assert!(Instant::now() < until, "threads are left: {:?}", names());
            std::thread::sleep(Duration::from_millis(10));
        }
    });
}
