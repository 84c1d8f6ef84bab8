//! An event loop that drives a shard between its own events, and threads that wait for their calls alone.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rpcx_embed::{
    Bytes, CallOptions, Client, ClientConfig, Discovery, Error, EventFd, Kind, LoopGuest, Method, MethodFlags, Queue,
    Reply, Request, Result, Server, ServerBuilder, ServerConfig, Watch,
};

const LIMIT: Duration = Duration::from_secs(60);

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

/// An event loop as small as can be.
struct Loop {
    event: Arc<EventFd>,
    guest: Arc<LoopGuest>,
    queue: Arc<Queue<Result<Reply>>>,
    watched: BTreeSet<RawFd>,
    begun: usize,
    ended: usize,
}

impl Loop {
    fn new() -> Loop {
        let event = Arc::new(EventFd::new().unwrap());
        let guest = Arc::new(LoopGuest::new(event.clone()));
        let announcing = guest.clone();
        let queue = Queue::new(move || announcing.announce());
        Loop { event, guest, queue, watched: BTreeSet::new(), begun: 0, ended: 0 }
    }

    fn follow(&mut self, change: Option<Watch>) {
        match change {
            None => {}
            Some(Watch::Begin(fd)) => {
                assert!(self.watched.insert(fd), "it is watched already");
                self.begun += 1;
            }
            Some(Watch::End(fd)) => {
                assert!(self.watched.remove(&fd.as_raw_fd()), "it was not watched");
                self.ended += 1;
            }
        }
    }

    /// Waits for one of the descriptors and does what it is for.
    fn once(&mut self, limit: Duration) -> Vec<Result<Reply>> {
        let fds = std::iter::once(self.event.fd()).chain(self.watched.iter().copied());
        let mut fds: Vec<libc::pollfd> = fds.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
        // SAFETY: the list is valid for its length.
        unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, limit.as_millis() as i32) };
        let mut results = Vec::new();
        for (index, fd) in fds.iter().enumerate() {
            if fd.revents == 0 {
                continue;
            }
            let change = if index == 0 {
                self.event.clear();
                self.guest.heard()
            } else {
                self.guest.turn()
            };
            self.follow(change);
            let mut batch = Vec::new();
            assert!(!self.queue.drain(&mut batch, usize::MAX));
            results.append(&mut batch);
        }
        results
    }

    fn start(&self, method: &Method) {
        let results = self.queue.clone();
        let payload = Bytes::from_static(b"x");
        method.start(Kind::Call, payload, CallOptions::new(), move |result| results.push(result)).unwrap();
    }

    /// Calls, so many at a time.
    fn calls(&mut self, method: &Method, count: usize, at_once: usize) {
        let (mut started, mut ended) = (0, 0);
        let until = Instant::now() + LIMIT;
        while ended < count {
            while started < count && started - ended < at_once {
                self.start(method);
                started += 1;
            }
            for result in self.once(LIMIT) {
                assert_eq!(result.unwrap().payload, "x");
                ended += 1;
            }
            assert!(Instant::now() < until, "{ended} of {count} calls have ended");
        }
    }
}

#[test]
fn a_loop_that_calls_often_drives() {
    let (_server, method, _client) = echo();
    let mut this = Loop::new();
    for at_once in [1, 7, 100] {
        this.calls(&method, 3000, at_once);
    }
    assert!(this.begun > 0, "it never drove");
}

#[test]
fn a_loop_that_stays_away_stops_nothing() {
    let (_server, method, _client) = echo();
    let mut this = Loop::new();
    for _ in 0..3 {
        let (begun, until) = (this.begun, Instant::now() + LIMIT);
        while this.begun == begun {
            this.calls(&method, 50, 1);
            assert!(Instant::now() < until, "it never drove");
        }
        // It is busy with something else, and others go on.
        for _ in 0..3 {
            let payload = Bytes::from_static(b"y");
            let reply = method.call_blocking(Kind::Call, payload, CallOptions::new(), || Ok::<(), Error>(()));
            assert_eq!(reply.unwrap().payload, "y");
        }
        this.start(&method);
        let mut answered = false;
        while this.ended < this.begun || !answered {
            answered |= this.once(Duration::from_millis(50)).pop().is_some_and(|result| result.is_ok());
            assert!(Instant::now() < until, "our own thread never drove again");
        }
    }
}

#[test]
fn a_loop_outlives_the_clients_whose_shard_it_drove() {
    let mut this = Loop::new();
    for _ in 0..3 {
        let (server, method, client) = echo();
        let (begun, until) = (this.begun, Instant::now() + LIMIT);
        while this.begun == begun {
            this.calls(&method, 50, 3);
            assert!(Instant::now() < until, "it never drove");
        }
        client.close();
        this.start(&method);
        let result = loop {
            if let Some(result) = this.once(LIMIT).pop() {
                break result;
            }
        };
        assert_eq!(result.unwrap_err().kind(), rpcx_embed::ErrorKind::Closed);
        drop((server, method, client));
    }
}

#[test]
fn threads_that_wait_alone_drive_and_others_do_not_wait_for_them() {
    let (_server, method, _client) = echo();
    let call = |method: &Method| {
        let payload = Bytes::from_static(b"y");
        method.call_blocking(Kind::Call, payload, CallOptions::new(), || Ok::<(), Error>(())).unwrap()
    };
    for _ in 0..5 {
        (0..200).for_each(|_| assert_eq!(call(&method).payload, "y"));
        let begun = Instant::now();
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let method = method.clone();
                std::thread::spawn(move || (0..100).for_each(|_| assert_eq!(call(&method).payload, "y")))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(begun.elapsed() < LIMIT);
    }
}

#[test]
fn a_call_that_waits_for_long_is_cancelled_by_its_check_while_it_drives() {
    let kept = Arc::new(std::sync::Mutex::new(Vec::new()));
    let keeps = kept.clone();
    let handler = Arc::new(move |request: Request| {
        if request.payload().as_ref() == b"wait" {
            keeps.lock().unwrap().push(request);
        } else {
            request.answer(Ok(Bytes::new()));
        }
    });
    let config = ServerConfig { listen: vec!["tcp@127.0.0.1:0".into()], threads: 1, ..ServerConfig::default() };
    let server = ServerBuilder::new(config).method("Echo", "Raw", handler, MethodFlags::default());
    let server = server.start_blocking().unwrap();
    let discovery = Discovery::Nodes(server.addresses().unwrap());
    let client = Client::open(ClientConfig { discovery, ..ClientConfig::default() }).unwrap();
    let method = client.method("Echo", "Raw").unwrap();
    for _ in 0..50 {
        method.call_blocking(Kind::Call, Bytes::new(), CallOptions::new(), || Ok::<(), Error>(())).unwrap();
    }
    let stop = || Err(Error::new(rpcx_embed::Reason::CancelledCaller, "a signal"));
    let error = method.call_blocking(Kind::Call, Bytes::from_static(b"wait"), CallOptions::new(), stop).unwrap_err();
    assert_eq!(error.message(), "a signal");
    let until = Instant::now() + LIMIT;
    while !kept.lock().unwrap().iter().any(Request::is_cancelled) {
        assert!(Instant::now() < until, "the handler was never told");
        std::thread::sleep(Duration::from_millis(2));
    }
    // A request that its handler keeps keeps the handler.
    kept.lock().unwrap().clear();
    drop(server);
}
