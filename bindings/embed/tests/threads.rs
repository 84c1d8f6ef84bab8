//! Threads: as many as were asked for, named as was asked, gone with the last handle.

use std::time::{Duration, Instant};

use rpcx_embed::{Client, ClientConfig, Driver, ErrorKind, ServerBuilder, ServerConfig, runtime};

/// Threads of this process whose name begins so.
fn threads(prefix: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name.starts_with(prefix)).count()
}

/// A new thread names itself: until it has run, it carries its parent's name.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn the_set_grows_with_what_is_asked_and_ends_with_the_last_handle() {
    assert_eq!(runtime::configure(Some(1025), None).unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(runtime::configure(None, Some("")).unwrap_err().kind(), ErrorKind::Config);
    runtime::configure(None, Some("embedded")).unwrap();
    assert_eq!(threads("embedded"), 0, "made lazily");
    let client = Client::open(ClientConfig::default()).unwrap();
    eventually("one for a client", || threads("embedded") == 1);
    let config = ServerConfig { listen: vec!["tcp@127.0.0.1:0".into()], threads: 3, ..ServerConfig::default() };
    let server = ServerBuilder::new(config).start_blocking().unwrap();
    eventually("shared by all handles", || threads("embedded") == 3);
    let driver = Driver::new().unwrap();
    drop(client);
    server.close();
    drop(server);
    assert_eq!(threads("embedded"), 3, "it shrinks only to nothing");
    drop(driver);
    eventually("the threads end", || threads("embedded") == 0);
    let client = Client::open(ClientConfig::default()).unwrap();
    eventually("and begins anew", || threads("embedded") == 1);
    drop(client);
    eventually("they end again", || threads("embedded") == 0);
}
