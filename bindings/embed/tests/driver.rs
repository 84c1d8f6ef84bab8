//! A thread that drives a shard while it waits.

use std::sync::Arc;
use std::time::Duration;

use rpcx_embed::{
    Bytes, CallOptions, Client, ClientConfig, Discovery, Driver, Error, Kind, Method, MethodFlags, Queue, Reply,
    Request, Result, Server, ServerBuilder, ServerConfig,
};

const LIMIT: Duration = Duration::from_secs(10);

fn echo() -> (Server, Method, Client) {
    let handler = Arc::new(|request: Request| {
        let payload = request.payload().clone();
        request.answer(Ok(payload));
    });
    let config = ServerConfig { listen: vec!["tcp@127.0.0.1:0".into()], threads: 1, ..ServerConfig::default() };
    let server = ServerBuilder::new(config).method("Echo", "Raw", handler, MethodFlags::default());
    let server = server.start_blocking().unwrap();
    let discovery = Discovery::Nodes(server.addresses().unwrap());
    let client = Client::open(ClientConfig { discovery, ..ClientConfig::default() }).unwrap();
    (server, client.method("Echo", "Raw").unwrap(), client)
}

fn start(method: &Method, queue: &Arc<Queue<Result<Reply>>>) {
    let results = queue.clone();
    method.start(Kind::Call, Bytes::from_static(b"x"), CallOptions::new(), move |result| results.push(result)).unwrap();
}

fn take(driver: &Driver, queue: &Arc<Queue<Result<Reply>>>) -> usize {
    assert!(driver.wait(queue, Some(LIMIT)));
    let mut batch = Vec::new();
    queue.drain(&mut batch, usize::MAX);
    batch.iter().for_each(|result| assert_eq!(result.as_ref().unwrap().payload, "x"));
    batch.len()
}

#[test]
fn a_guest_takes_its_own_results() {
    let (_server, method, _client) = echo();
    let (driver, queue) = (Driver::new().unwrap(), Queue::blocking());
    for _ in 0..200 {
        start(&method, &queue);
        assert_eq!(take(&driver, &queue), 1);
    }
}

#[test]
fn a_guest_that_stays_away_stops_nothing() {
    let (_server, method, _client) = echo();
    let (driver, queue) = (Driver::new().unwrap(), Queue::blocking());
    for _ in 0..5 {
        start(&method, &queue);
        take(&driver, &queue);
        // Nobody drives now; this thread waits without driving.
        let reply =
            method.call_blocking(Kind::Call, Bytes::from_static(b"y"), CallOptions::new(), || Ok::<(), Error>(()));
        assert_eq!(reply.unwrap().payload, "y");
    }
}

#[test]
fn two_guests_and_other_callers_get_what_is_theirs() {
    let (_server, method, _client) = echo();
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let method = method.clone();
            std::thread::spawn(move || {
                let (driver, queue) = (Driver::new().unwrap(), Queue::blocking());
                for _ in 0..200 {
                    start(&method, &queue);
                    if number % 2 == 0 {
                        assert_eq!(take(&driver, &queue), 1);
                    } else {
                        assert!(queue.wait(Some(LIMIT)));
                        queue.drain(&mut Vec::new(), usize::MAX);
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_guest_that_waits_for_nothing_is_ended_by_the_queue() {
    let (driver, queue) = (Driver::new().unwrap(), Queue::<()>::blocking());
    let ending = queue.clone();
    let waits = std::thread::spawn(move || driver.wait(&queue, None));
    // Long enough that the shard's own thread goes to sleep behind the guest, most of the time.
    assert!(!Queue::<()>::blocking().wait(Some(Duration::from_millis(100))));
    ending.close();
    assert!(!waits.join().unwrap());
}
