//! A thread that drives a shard while it waits.

use std::sync::Arc;
use std::time::Duration;

use rpcx_embed::{
    Bytes, CallOptions, Client, ClientConfig, Discovery, Driver, Error, Kind, Method, MethodFlags, Queue, Reply,
    Request, Result, Server, ServerBuilder, ServerConfig, runtime,
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

#[test]
fn guests_of_a_server_take_requests_where_they_come_and_answer_there() {
    let config = ServerConfig { listen: vec!["tcp@127.0.0.1:0".into()], threads: 3, ..ServerConfig::default() };
    let mut server = ServerBuilder::new(config);
    let drivers = server.drivers().unwrap();
    let lanes: Vec<_> = drivers.iter().map(|driver| (driver.shard().unwrap(), Queue::<Request>::blocking())).collect();
    let to = lanes.clone();
    let handler = Arc::new(move |request: Request| {
        let here = runtime::current_shard().unwrap();
        to.iter().find(|(shard, _)| *shard == here).unwrap().1.push(request);
    });
    let server = server.method("Echo", "Raw", handler, MethodFlags::default()).start_blocking().unwrap();
    let guests: Vec<_> = drivers
        .into_iter()
        .zip(lanes.clone())
        .map(|(driver, (_, queue))| {
            std::thread::spawn(move || {
                let (mut batch, mut taken) = (Vec::<Request>::new(), 0);
                while driver.wait_after(&queue, None, || {
                    for request in batch.drain(..) {
                        let payload = request.payload().clone();
                        request.answer(Ok(payload));
                    }
                }) || !queue.is_closed()
                {
                    queue.drain(&mut batch, usize::MAX);
                    taken += batch.len();
                }
                taken
            })
        })
        .collect();

    let client = Client::open(ClientConfig {
        discovery: Discovery::Nodes(server.addresses().unwrap()),
        options: vec![("connections".into(), "8".into())],
        threads: 1,
    })
    .unwrap();
    let method = client.method("Echo", "Raw").unwrap();
    let (driver, queue) = (client.driver().unwrap(), Queue::blocking());
    for _ in 0..100 {
        for _ in 0..16 {
            start(&method, &queue);
        }
        let mut taken = 0;
        while taken < 16 {
            taken += take(&driver, &queue);
        }
    }
    lanes.iter().for_each(|(_, queue)| queue.close());
    let taken: Vec<usize> = guests.into_iter().map(|guest| guest.join().unwrap()).collect();
    assert_eq!(taken.iter().sum::<usize>(), 1600);
}

#[test]
fn what_comes_first_runs_once_wherever_the_guest_gets() {
    let (driver, queue) = (Driver::new().unwrap(), Queue::blocking());
    // Nothing to wait for, something at once, and on a thread that may not drive.
    let mut runs = 0;
    assert!(!driver.wait_after(&queue, Some(Duration::from_millis(1)), || runs += 1));
    let results = queue.clone();
    assert!(driver.wait_after(&queue, None, || {
        runs += 1;
        results.push(());
    }));
    queue.drain(&mut Vec::new(), usize::MAX);
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    other.block_on(async { assert!(!driver.wait_after(&queue, Some(Duration::from_millis(1)), || runs += 1)) });
    assert_eq!(runs, 3);
}
