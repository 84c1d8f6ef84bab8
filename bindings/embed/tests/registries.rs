//! Registries by their URLs alone, as every language names them.
#![cfg(feature = "registries")]

use rpcx_embed::{
    Bytes, CallOptions, Client, ClientConfig, Discovery, Error, Kind, MethodFlags, Request, Server, ServerBuilder,
    ServerConfig,
};
use rpcx_registries::suite::Registry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

fn server(url: &str) -> Server {
    let config = ServerConfig {
        listen: vec!["tcp@127.0.0.1:0".into()],
        registries: vec![url.to_owned()],
        metadata: vec![(String::new(), "weight=7".to_owned())],
        threads: 1,
        ..ServerConfig::default()
    };
    let echo = |request: Request| {
        let payload = request.payload().clone();
        request.answer(Ok(payload));
    };
    ServerBuilder::new(config).method("Echo", "Raw", Arc::new(echo), MethodFlags::default()).start_blocking().unwrap()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < until, "{what}: not so after {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Threads of this process by the start of their names.
fn threads(name: &str) -> usize {
    let names = std::fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
        // A thread may end meanwhile.
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    });
    names.filter(|text| text.starts_with(name)).count()
}

fn servers_and_clients_meet_there_and_leave_no_thread<R: Registry>() {
    // One after the other: each counts the threads of the process.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut registry = R::start();
    let url = registry.url("/embed", &format!("{}&max_reconnect_interval=500ms", R::SHORT));
    let first = server(&url);
    let config = ClientConfig { discovery: Discovery::Url(url.clone()), ..ClientConfig::default() };
    let client = Client::open(config).unwrap();
    let method = client.method("Echo", "Raw").unwrap();
    let call = || {
        let options = CallOptions::new();
        method.call_blocking(Kind::Call, Bytes::from_static(b"x"), options, || Ok::<(), Error>(()))
    };
    let reply = call().unwrap();
    assert_eq!(*reply.server, *first.addresses().unwrap()[0]);
    assert!(client.stats_json().unwrap().contains(r#""state":"live""#));
    registry.daemon_mut().down();
    until("the list is stale", || client.stats_json().unwrap().contains(r#""state":"stale""#));
    call().unwrap();
    registry.daemon().wipe();
    registry.daemon_mut().up();
    let second = server(&url);
    let mut seen = std::collections::BTreeSet::new();
    until("both servers are called", || {
        seen.insert(call().unwrap().server.to_string());
        seen.len() == 2
    });
    first.shutdown_blocking(LIMIT, false, || Ok::<(), Error>(())).unwrap();
    second.shutdown_blocking(LIMIT, false, || Ok::<(), Error>(())).unwrap();
    client.close();
    drop((method, client, first, second));
    until("the threads end", || threads("rpcx-shard") == 0);
}

#[test]
fn in_consul() {
    servers_and_clients_meet_there_and_leave_no_thread::<rpcx_registries::consul::Consul>();
}

#[test]
fn in_etcd() {
    servers_and_clients_meet_there_and_leave_no_thread::<rpcx_registries::etcd::Etcd>();
}

#[test]
fn in_nacos() {
    servers_and_clients_meet_there_and_leave_no_thread::<rpcx_registries::nacos::Nacos>();
}

#[test]
fn in_redis() {
    servers_and_clients_meet_there_and_leave_no_thread::<rpcx_registries::redis::Redis>();
}

#[test]
fn in_zookeeper() {
    servers_and_clients_meet_there_and_leave_no_thread::<rpcx_registries::zookeeper::ZooKeeper>();
}
