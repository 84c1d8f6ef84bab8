//! A thread that makes one blocking call after the other drives its shard itself, and nobody else notices.
//!
//! One test, since what others do in this process would need the shard; the server is another process's.

use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use rpcx_embed::{
    Bytes, CallOptions, Client, ClientConfig, Discovery, Error, ErrorKind, Kind, Method, MethodFlags, Reason, Request,
    Result, ServerBuilder, ServerConfig,
};

const LIMIT: Duration = Duration::from_secs(20);

struct Elsewhere {
    server: Child,
    address: String,
    /// Kept open, since the server's test writes its result there.
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Elsewhere {
    fn start() -> Elsewhere {
        let mut server = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_server_of_the_other_process", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| Some(line.unwrap().split_once("listens on ")?.1.to_owned())).unwrap();
        Elsewhere { server, address, _lines: lines }
    }

    fn client(&self) -> Client {
        let discovery = Discovery::Nodes(vec![self.address.clone()]);
        Client::open(ClientConfig { discovery, ..ClientConfig::default() }).unwrap()
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        self.server.wait().unwrap();
    }
}

#[test]
#[ignore = "a part of the other test"]
fn the_server_of_the_other_process() {
    let echo = Arc::new(|request: Request| {
        let payload = request.payload().clone();
        request.answer(Ok(payload));
    });
    let held = Mutex::new(Vec::new());
    let hold = Arc::new(move |request: Request| held.lock().unwrap().push(request));
    let config = ServerConfig { listen: vec!["tcp@127.0.0.1:0".into()], ..ServerConfig::default() };
    let server = ServerBuilder::new(config)
        .method("Test", "Echo", echo, MethodFlags::default())
        .method("Test", "Hold", hold, MethodFlags::default())
        .start_blocking()
        .unwrap();
    println!("\nlistens on {}", server.addresses().unwrap()[0]);
    // Until the test lets go of it.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

fn call(method: &Method) -> Result<()> {
    let text = Bytes::from_static(b"x");
    let reply = method.call_blocking(Kind::Call, text, CallOptions::new(), || Ok::<(), Error>(()))?;
    assert_eq!(reply.payload, "x");
    Ok(())
}

/// How often the threads of the shards went to sleep.
fn sleeps_of_shards() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let sleeps = |task: std::path::PathBuf| {
        let status = std::fs::read_to_string(task.join("status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()));
        field("Name:")?.starts_with("rpcx-shard").then(|| field("voluntary_ctxt_switches:")?.parse::<u64>().ok())?
    };
    tasks.filter_map(sleeps).sum()
}

/// Calls until the calling thread drives: then the shard's thread sleeps for most of them.
fn drive(method: &Method) {
    const CALLS: u64 = 400;
    let until = Instant::now() + LIMIT;
    loop {
        let before = sleeps_of_shards();
        (0..CALLS).for_each(|_| call(method).unwrap());
        let sleeps = sleeps_of_shards() - before;
        if sleeps < CALLS / 4 {
            return;
        }
        assert!(Instant::now() < until, "the shard's thread slept {sleeps} times in {CALLS} calls");
    }
}

#[test]
fn a_thread_that_waits_drives_and_nobody_else_notices() {
    let elsewhere = Elsewhere::start();
    let client = elsewhere.client();
    let (echo, hold) = (client.method("Test", "Echo").unwrap(), client.method("Test", "Hold").unwrap());
    drive(&echo);
    callbacks_run_on_the_shard(&echo);
    threads_side_by_side(&echo);
    drive(&echo);
    whoever_waits_for_long_is_asked(&hold);
    drive(&echo);
    a_call_ends_with_its_client(client, hold);
}

/// A call with a callback, started while another thread drives or has just driven.
fn callbacks_run_on_the_shard(echo: &Method) {
    let done = Arc::new(AtomicBool::new(false));
    let (busy, ends) = (echo.clone(), done.clone());
    let waits = std::thread::spawn(move || {
        while !ends.load(Ordering::Relaxed) {
            call(&busy).unwrap();
        }
    });
    let (tell, told) = mpsc::channel();
    for turn in 0..20 {
        // Long enough now and then that the other thread drives again.
        let _ = told.recv_timeout(Duration::from_millis(if turn % 4 == 0 { 60 } else { 0 }));
        let tell = tell.clone();
        echo.start(Kind::Call, Bytes::from_static(b"x"), CallOptions::new(), move |result| {
            result.unwrap();
            tell.send(std::thread::current().name().map(str::to_owned)).unwrap();
        })
        .unwrap();
        let name = told.recv_timeout(LIMIT).unwrap().unwrap();
        assert!(name.starts_with("rpcx-shard"), "the callback ran on {name}");
    }
    done.store(true, Ordering::Relaxed);
    waits.join().unwrap();
    // Alone again, and away.
    drive(echo);
    let tell = tell.clone();
    echo.start(Kind::Call, Bytes::from_static(b"x"), CallOptions::new(), move |result| {
        result.unwrap();
        tell.send(None).unwrap();
    })
    .unwrap();
    told.recv_timeout(LIMIT).unwrap();
}

fn threads_side_by_side(echo: &Method) {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let echo = echo.clone();
            std::thread::spawn(move || (0..300).for_each(|_| call(&echo).unwrap()))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// What looks for signals does so on the thread that waits, also if that drove.
fn whoever_waits_for_long_is_asked(hold: &Method) {
    let mut asked = 0;
    let check = || {
        asked += 1;
        if asked < 3 { Ok(()) } else { Err(Error::new(Reason::CancelledCaller, "a signal")) }
    };
    let ended = hold.call_blocking(Kind::Call, Bytes::new(), CallOptions::new(), check);
    assert_eq!(ended.unwrap_err().message(), "a signal");
}

fn a_call_ends_with_its_client(client: Client, hold: Method) {
    let closing = client.clone();
    let (tell, told) = mpsc::channel::<()>();
    let closes = std::thread::spawn(move || {
        let _ = told.recv();
        closing.close();
    });
    drop(tell);
    let check = || Ok::<(), Error>(());
    let ended = hold.call_blocking(Kind::Call, Bytes::new(), CallOptions::new(), check);
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::Closed);
    closes.join().unwrap();
}
