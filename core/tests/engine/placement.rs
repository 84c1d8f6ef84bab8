//! Servers on threads of their own, on several listeners, and clients that come from anywhere.

use crate::support::{LIMIT, Over, Probe, WithProbe, call, echo, eventually, raw, run, url};
use bytes::Bytes;
use rpcx::{Client, Context, Server};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

#[test]
fn a_server_per_core_spreads_its_connections_and_ends_with_its_threads() {
    let threads = Arc::new(Mutex::new(HashSet::new()));
    let noted = threads.clone();
    let server = Server::builder()
        .raw("T", "Echo", echo)
        .raw("T", "Thread", move |_: Context, payload: Bytes| {
            noted.lock().unwrap().insert(std::thread::current().id());
            async { Ok(payload) }
        })
        .bind("tcp@127.0.0.1:0")
        .serve_per_core(3)
        .unwrap();
    let at = url(&server);
    run(async {
        for _ in 0..9 {
            let client = Client::new(&at).unwrap();
            call(&raw(&client), "Thread", b"").await.unwrap();
            eventually("the connection is known", || !server.connections().is_empty()).await;
        }
        assert_eq!(threads.lock().unwrap().len(), 3);
        server.shutdown(LIMIT).await.unwrap();
        server.wait().await;
        let client = Client::builder().discovery_url(&at).option("retries", "0").build().unwrap();
        assert!(call(&raw(&client), "Echo", b"").await.is_err());
    });
}

#[test]
fn one_server_listens_on_several_addresses() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let unix = format!("unix@{}", folder.path().join("socket").display());
        let memory = Over::Memory.way().bind;
        let server = Server::builder()
            .with_probe(&Probe::new())
            .bind("tcp@127.0.0.1:0")
            .bind("tcp@127.0.0.1:0")
            .bind(unix.as_str())
            .bind(memory.as_str())
            .start()
            .await
            .unwrap();
        assert_eq!(server.addresses().len(), 4);
        for address in server.addresses() {
            let client = Client::new(&address.to_string()).unwrap();
            assert_eq!(call(&raw(&client), "Echo", b"x").await.unwrap(), &b"x"[..], "{address}");
        }
        server.shutdown(LIMIT).await.unwrap();
        let taken = Server::builder().with_probe(&Probe::new()).bind("tcp@127.0.0.1:notaport").start().await;
        let error = taken.unwrap_err();
        assert!(error.message().contains("notaport"), "{error}");
    });
}

#[test]
fn a_client_is_used_from_many_threads_and_runtimes() {
    let server = Server::builder().raw("T", "Echo", echo).bind("tcp@127.0.0.1:0").serve_per_core(2).unwrap();
    let client = Client::new(&url(&server)).unwrap();
    let threads: Vec<_> = (0..4_u32)
        .map(|thread| {
            let client = client.clone();
            std::thread::spawn(move || {
                run(async {
                    for i in 0..200_u32 {
                        let payload = (thread << 16 | i).to_be_bytes();
                        assert_eq!(call(&raw(&client), "Echo", &payload).await.unwrap(), &payload[..]);
                    }
                });
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..50_u32)
            .map(|task| {
                let service = raw(&client);
                tokio::spawn(async move {
                    for i in 0..50_u32 {
                        let payload = (task << 16 | i).to_be_bytes();
                        assert_eq!(call(&service, "Echo", &payload).await.unwrap(), &payload[..]);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    server.close();
    assert!(run(async { call(&raw(&client), "Echo", b"").await }).is_err());
}

#[test]
fn a_runtime_that_ends_takes_its_calls_with_it() {
    let probe = Probe::new();
    let holding = probe.clone();
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let server = runtime.block_on(Server::builder().with_probe(&holding).bind("tcp@127.0.0.1:0").start()).unwrap();
        sender.send(url(&server)).unwrap();
        runtime.block_on(eventually("the handler runs", || holding.started() == 1));
        // Dropped with the server inside.
    });
    let at = receiver.recv().unwrap();
    run(async {
        let client = Client::builder().discovery_url(&at).option("retries", "0").build().unwrap();
        let error = call(&raw(&client), "Hold", b"").await.unwrap_err();
        assert_eq!(error.kind(), rpcx::ErrorKind::Closed, "{error:?}");
    });
    thread.join().unwrap();
    assert_eq!(probe.running(), 0);
}
