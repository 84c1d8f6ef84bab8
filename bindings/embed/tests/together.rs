//! Calls that begin together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rpcx_embed::{
    Bytes, CallOptions, Client, ClientConfig, Discovery, ErrorKind, Kind, Method, MethodFlags, Queue, Reply, Request,
    Result, Running, Server, ServerBuilder, ServerConfig, Together,
};

const LIMIT: Duration = Duration::from_secs(10);

type Results = Arc<Queue<(u32, Result<Reply>)>>;

/// A server with `Echo.Raw`, and clients of it on two shards.
fn world() -> (Server, Vec<Client>) {
    let config = ServerConfig { listen: vec!["tcp@127.0.0.1:0".into()], threads: 2, ..ServerConfig::default() };
    let echo = |request: Request| {
        let payload = request.payload().clone();
        request.answer(Ok(payload));
    };
    let server = ServerBuilder::new(config)
        .method("Echo", "Raw", Arc::new(echo), MethodFlags::default())
        .start_blocking()
        .unwrap();
    let open = || {
        let discovery = Discovery::Nodes(server.addresses().unwrap());
        Client::open(ClientConfig { discovery, ..ClientConfig::default() }).unwrap()
    };
    let clients = (0..4).map(|_| open()).collect();
    (server, clients)
}

fn join(calls: &mut Together, method: &Method, tag: u32, results: &Results) -> Running {
    let results = results.clone();
    let payload = Bytes::from(tag.to_be_bytes().to_vec());
    method.join(calls, Kind::Call, payload, CallOptions::new(), move |result| results.push((tag, result))).unwrap()
}

fn take(results: &Results, count: usize) -> Vec<(u32, Result<Reply>)> {
    let (mut taken, until) = (Vec::new(), Instant::now() + LIMIT);
    while taken.len() < count && Instant::now() < until {
        results.wait(Some(LIMIT));
        results.drain(&mut taken, usize::MAX);
    }
    taken.sort_by_key(|(tag, _)| *tag);
    taken
}

#[test]
fn calls_of_several_clients_each_have_their_own_answer_round_after_round() {
    let (_server, clients) = world();
    let methods: Vec<_> = clients.iter().map(|client| client.method("Echo", "Raw").unwrap()).collect();
    let results = Queue::blocking();
    let mut calls = Together::default();
    for _ in 0..3 {
        for tag in 0..200 {
            join(&mut calls, &methods[tag as usize % methods.len()], tag, &results);
        }
        calls.begin();
        let answers = take(&results, 200);
        assert_eq!(answers.iter().map(|(tag, _)| *tag).collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
        for (tag, answer) in answers {
            assert_eq!(answer.unwrap().payload[..], tag.to_be_bytes());
        }
    }
}

#[test]
fn none_begins_before_the_others_and_all_do_in_the_end() {
    let (server, clients) = world();
    let method = clients[0].method("Echo", "Raw").unwrap();
    let results: Results = Queue::blocking();
    let mut calls = Together::default();
    for tag in 0..3 {
        join(&mut calls, &method, tag, &results);
    }
    assert!(!results.wait(Some(Duration::from_millis(50))), "they have not begun");
    assert!(server.connections().unwrap().is_empty(), "so nothing was connected");
    drop(calls);
    assert!(take(&results, 3).iter().all(|(_, answer)| answer.is_ok()));
}

#[test]
fn one_can_be_cancelled_before_it_begins() {
    let (_server, clients) = world();
    let method = clients[0].method("Echo", "Raw").unwrap();
    let results = Queue::blocking();
    let mut calls = Together::default();
    join(&mut calls, &method, 0, &results);
    join(&mut calls, &method, 1, &results).cancel();
    calls.begin();
    let answers = take(&results, 2);
    assert!(answers[0].1.is_ok());
    assert_eq!(answers[1].1.as_ref().unwrap_err().kind(), ErrorKind::Cancelled);
}

#[test]
fn oneway_calls_join_too() {
    let (_server, clients) = world();
    let method = clients[0].method("Echo", "Raw").unwrap();
    let taken = Queue::blocking();
    let mut calls = Together::default();
    for tag in 0..10 {
        let taken = taken.clone();
        let done = move |result| taken.push((tag, result));
        method.join_oneway(&mut calls, Bytes::new(), CallOptions::new(), done).unwrap();
    }
    calls.begin();
    let (mut all, until) = (Vec::new(), Instant::now() + LIMIT);
    while all.len() < 10 && Instant::now() < until {
        taken.wait(Some(LIMIT));
        taken.drain(&mut all, usize::MAX);
    }
    assert!(all.len() == 10 && all.iter().all(|(_, result)| result.is_ok()));
}
