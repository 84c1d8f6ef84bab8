//! Calls from a thread of no runtime to a server whose handlers answer from anywhere.

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rpcx_embed::{
    Bytes, CallOptions, Client, ClientConfig, Delivery, Discovery, Error, ErrorKind, Kind, MethodFlags, Queue, Reason,
    Request, Result, Server, ServerBuilder, ServerConfig,
};

const LIMIT: Duration = Duration::from_secs(10);

/// A server with `Echo.Raw` (answers in place), and `Test.Keep`, whose requests come out of the receiver.
fn server() -> (Server, Receiver<Request>) {
    let (sender, kept) = mpsc::channel();
    let sender = Mutex::new(sender);
    let config = ServerConfig { listen: vec!["tcp@127.0.0.1:0".into()], threads: 1, ..ServerConfig::default() };
    let server = ServerBuilder::new(config)
        .method("Echo", "Raw", Arc::new(echo), MethodFlags::default())
        .method(
            "Test",
            "Keep",
            Arc::new(move |request| sender.lock().unwrap().send(request).unwrap()),
            MethodFlags::default(),
        )
        .alias("Other", "Name", "Echo", "Raw")
        .start_blocking()
        .unwrap();
    (server, kept)
}

fn echo(request: Request) {
    for (key, value) in request.metadata().iter().filter(|(key, _)| !key.starts_with("__")) {
        request.set_metadata(&format!("echo-{key}"), value);
    }
    let payload = request.payload().clone();
    request.answer(Ok(payload));
}

fn client(server: &Server) -> Client {
    let discovery = Discovery::Nodes(server.addresses().unwrap());
    Client::open(ClientConfig { discovery, ..ClientConfig::default() }).unwrap()
}

fn call(client: &Client, service: &str, method: &str, payload: &'static [u8], options: CallOptions) -> Result<Bytes> {
    let method = client.method(service, method)?;
    let reply = method.call_blocking(Kind::Call, Bytes::from_static(payload), options, || Ok::<(), Error>(()))?;
    Ok(reply.payload)
}

#[test]
fn a_thread_without_a_runtime_calls_and_waits() {
    let (server, _kept) = server();
    let client = client(&server);
    assert_eq!(call(&client, "Echo", "Raw", b"payload", CallOptions::new()).unwrap(), "payload");
    assert_eq!(call(&client, "Other", "Name", b"by alias", CallOptions::new()).unwrap(), "by alias");
    let error = call(&client, "Echo", "Missing", b"", CallOptions::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Service);
    let method = client.method("Echo", "Raw").unwrap();
    let options = CallOptions::new().metadata("user", "ada");
    let reply = method.call_blocking(Kind::Call, Bytes::new(), options, || Ok::<(), Error>(())).unwrap();
    assert_eq!(reply.metadata.get("echo-user"), Some("ada"));
    assert_eq!(*reply.server, *server.addresses().unwrap()[0]);
    assert_eq!(reply.attempts, 1);
}

#[test]
fn a_thousand_calls_come_back_in_batches_each_with_its_own_answer() {
    let (server, _kept) = server();
    let client = client(&server);
    let method = client.method("Echo", "Raw").unwrap();
    let queue = Queue::blocking();
    for tag in 0..1000u32 {
        let results = queue.clone();
        let payload = Bytes::from(tag.to_be_bytes().to_vec());
        method.start(Kind::Call, payload, CallOptions::new(), move |result| results.push((tag, result))).unwrap();
    }
    let mut answers = Vec::new();
    let until = Instant::now() + LIMIT;
    while answers.len() < 1000 && Instant::now() < until {
        queue.wait(Some(LIMIT));
        queue.drain(&mut answers, 100);
    }
    answers.sort_by_key(|(tag, _)| *tag);
    let tags: Vec<_> = answers.iter().map(|(tag, _)| *tag).collect();
    assert_eq!(tags, (0..1000).collect::<Vec<_>>());
    for (tag, answer) in answers {
        assert_eq!(answer.unwrap().payload[..], tag.to_be_bytes());
    }
}

#[test]
fn a_request_is_answered_later_from_another_thread() {
    let (server, kept) = server();
    let client = client(&server);
    let waiting = std::thread::spawn(move || call(&client, "Test", "Keep", b"question", CallOptions::new()));
    let request = kept.recv_timeout(LIMIT).unwrap();
    assert_eq!((&*request.service(), &*request.method()), ("Test", "Keep"));
    assert_eq!(request.payload(), "question");
    assert!(!request.is_cancelled());
    request.answer(Ok(Bytes::from_static(b"answer")));
    assert_eq!(waiting.join().unwrap().unwrap(), "answer");
}

#[test]
fn a_request_that_is_dropped_is_answered_as_a_panic_is() {
    let (server, kept) = server();
    let client = client(&server);
    let waiting = std::thread::spawn(move || call(&client, "Test", "Keep", b"", CallOptions::new()));
    drop(kept.recv_timeout(LIMIT).unwrap());
    let error = waiting.join().unwrap().unwrap_err();
    assert_eq!(error.delivery(), Delivery::Answered);
    assert!(error.message().contains("without an answer"), "{error}");
}

#[test]
fn a_cancelled_call_ends_and_its_handler_is_told() {
    let (server, kept) = server();
    let client = client(&server);
    let (sender, ended) = mpsc::channel();
    let method = client.method("Test", "Keep").unwrap();
    let running =
        method.start(Kind::Call, Bytes::new(), CallOptions::new(), move |result| sender.send(result).unwrap()).unwrap();
    let request = kept.recv_timeout(LIMIT).unwrap();
    let (sender, told) = mpsc::channel();
    request.on_cancel(move || sender.send(()).unwrap());
    running.cancel();
    assert_eq!(ended.recv_timeout(LIMIT).unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    told.recv_timeout(LIMIT).unwrap();
    assert!(request.is_cancelled());
    // Too late, and nobody minds.
    request.answer(Ok(Bytes::new()));
    running.cancel();
}

#[test]
fn a_deadline_ends_the_call() {
    let (server, kept) = server();
    let client = client(&server);
    let options = CallOptions::new().timeout(Duration::from_millis(50));
    let error = call(&client, "Test", "Keep", b"", options).unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Timeout, Delivery::MaybeRun));
    drop(kept);
}

#[test]
fn handles_survive_the_close() {
    let (server, kept) = server();
    let client = client(&server);
    let method = client.method("Test", "Keep").unwrap();
    let (sender, ended) = mpsc::channel();
    method.start(Kind::Call, Bytes::new(), CallOptions::new(), move |result| sender.send(result).unwrap()).unwrap();
    let request = kept.recv_timeout(LIMIT).unwrap();
    client.close();
    client.close();
    assert_eq!(ended.recv_timeout(LIMIT).unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(client.method("Test", "Keep").unwrap_err().kind(), ErrorKind::Closed);
    let (sender, ended) = mpsc::channel();
    method.start(Kind::Call, Bytes::new(), CallOptions::new(), move |result| sender.send(result).unwrap()).unwrap();
    assert_eq!(ended.recv_timeout(LIMIT).unwrap().unwrap_err().kind(), ErrorKind::Closed);
    server.close();
    server.close();
    drop((client, server));
    request.answer(Ok(Bytes::new()));
}

#[test]
fn the_last_handle_ends_its_calls() {
    let (server, kept) = server();
    let client = client(&server);
    let (sender, ended) = mpsc::channel();
    let method = client.method("Test", "Keep").unwrap();
    method.start(Kind::Call, Bytes::new(), CallOptions::new(), move |result| sender.send(result).unwrap()).unwrap();
    let _request = kept.recv_timeout(LIMIT).unwrap();
    drop((client, method));
    assert_eq!(ended.recv_timeout(LIMIT).unwrap().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_shutdown_waits_for_the_answer() {
    let (server, kept) = server();
    let client = client(&server);
    let waiting = std::thread::spawn(move || call(&client, "Test", "Keep", b"", CallOptions::new()));
    let request = kept.recv_timeout(LIMIT).unwrap();
    let (sender, ended) = mpsc::channel();
    server.shutdown(LIMIT, false, move |result| sender.send(result).unwrap()).unwrap();
    request.answer(Ok(Bytes::from_static(b"last")));
    assert_eq!(waiting.join().unwrap().unwrap(), "last");
    ended.recv_timeout(LIMIT).unwrap().unwrap();
}

#[test]
fn a_handler_that_cannot_decode_says_so() {
    let (server, kept) = server();
    let client = client(&server);
    let waiting = std::thread::spawn(move || call(&client, "Test", "Keep", b"{", CallOptions::new()));
    let request = kept.recv_timeout(LIMIT).unwrap();
    request.answer(Err(Error::new(Reason::CodecServer, "no object")));
    let error = waiting.join().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Codec, "no object"));
}

#[test]
fn tokens_are_judged_from_another_thread() {
    let (sender, asked) = mpsc::channel::<rpcx_embed::AuthRequest>();
    let sender = Mutex::new(sender);
    let config = ServerConfig { listen: vec!["tcp@127.0.0.1:0".into()], threads: 1, ..ServerConfig::default() };
    let server = ServerBuilder::new(config)
        .method("Echo", "Raw", Arc::new(echo), MethodFlags::default())
        .authenticator(move |request| sender.lock().unwrap().send(request).unwrap())
        .start_blocking()
        .unwrap();
    let judge = std::thread::spawn(move || {
        for request in asked {
            let verdict = if request.token() == "good" { Ok(()) } else { Err("invalid token".into()) };
            request.answer(verdict);
        }
    });
    let with = |token: &str| {
        let discovery = Discovery::Nodes(server.addresses().unwrap());
        let options = vec![("auth".to_owned(), token.to_owned())];
        let client = Client::open(ClientConfig { discovery, options, threads: 1 }).unwrap();
        call(&client, "Echo", "Raw", b"in", CallOptions::new())
    };
    assert_eq!(with("good").unwrap(), "in");
    assert_eq!(with("bad").unwrap_err().message(), "invalid token");
    server.close();
    drop(server);
    judge.join().unwrap();
}

#[test]
fn mistakes_are_told_before_anything_is_made() {
    let open = |discovery, options: &[(&str, &str)]| {
        let options = options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Client::open(ClientConfig { discovery, options, threads: 1 }).unwrap_err()
    };
    let error = open(Discovery::Nodes(Vec::new()), &[("timeot", "1s")]);
    assert_eq!(error.reason(), Reason::ConfigUnknownOption);
    assert!(error.message().contains("`timeout`"), "{error}");
    assert_eq!(open(Discovery::Url("nonsense://x".into()), &[]).kind(), ErrorKind::Config);
    assert_eq!(open(Discovery::Nodes(vec!["tcp@".into()]), &[]).kind(), ErrorKind::Config);
    let config = ServerConfig { listen: vec!["tcp@256.0.0.1:x".into()], ..ServerConfig::default() };
    assert_eq!(ServerBuilder::new(config).start_blocking().unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn pushes_that_are_kept_hold_later_ones_back() {
    let (server, kept) = server();
    let client = client(&server);
    let (sender, pushes) = mpsc::channel();
    let sender = Mutex::new(sender);
    client.take_held(2, move |push| sender.lock().unwrap().send(push).is_ok()).unwrap();
    let caller = client.clone();
    let waiting = std::thread::spawn(move || call(&caller, "Test", "Keep", b"", CallOptions::new()));
    let request = kept.recv_timeout(LIMIT).unwrap();
    for payload in ["1", "2", "3", "4"] {
        request.push("News", "Flash", &Default::default(), payload.as_bytes()).unwrap();
    }
    request.answer(Ok(Bytes::new()));
    waiting.join().unwrap().unwrap();
    let next = || pushes.recv_timeout(LIMIT).unwrap().unwrap();
    let (first, second) = (next(), next());
    assert_eq!((first.push.payload(), second.push.payload()), (Bytes::from("1"), Bytes::from("2")));
    // All four came before the answer, on the same connection.
    assert!(pushes.recv_timeout(Duration::from_millis(50)).is_err(), "two are kept");
    drop(first);
    assert_eq!(next().push.payload(), Bytes::from("3"));
    drop(second);
    assert_eq!(next().push.payload(), Bytes::from("4"));
    client.close();
    assert!(pushes.recv_timeout(LIMIT).unwrap().is_none());
}
