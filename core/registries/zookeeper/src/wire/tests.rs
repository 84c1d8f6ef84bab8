//! Sessions with servers that behave as a test wants it: slow, forgetful, or no ZooKeepers at all.

use super::jute::{Reader, Writer};
use super::messages::{Header, op, xid};
use super::packets::Packets;
use super::{Ensemble, EventKind, Server, Session};
use rpcx::transport::Transports;
use rpcx::{Error, Reason, Result};
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const TIMEOUT: Duration = Duration::from_millis(400);

/// A connection of a client, as a server has it.
struct Peer {
    packets: Packets<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { packets: Packets::new(reader), writer }
    }

    /// What the client has heard and which session it wants.
    async fn hello(&mut self) -> (i64, i64) {
        let mut reader = Reader::new(self.packets.next().await.expect("a packet"));
        let (_version, zxid, _timeout) = (reader.int(), reader.long(), reader.int());
        (zxid.expect("a number"), reader.long().expect("a number"))
    }

    async fn welcome(&mut self, timeout: i32, session: i64) {
        let mut writer = Writer::new();
        writer.int(0);
        writer.int(timeout);
        writer.long(session);
        writer.bytes(&[7; 16]);
        self.send(writer).await;
    }

    async fn send(&mut self, writer: Writer) {
        // The client may be gone.
        let _ = self.writer.write_all(&writer.finish()).await;
    }

    async fn answer(&mut self, xid: i32, zxid: i64, code: i32, body: impl FnOnce(&mut Writer)) {
        let mut writer = Writer::new();
        writer.int(xid);
        writer.long(zxid);
        writer.int(code);
        body(&mut writer);
        self.send(writer).await;
    }

    /// The next request that is no ping, these are answered; its number and kind.
    async fn request(&mut self) -> Result<(i32, i32)> {
        loop {
            let mut reader = Reader::new(self.packets.next().await?);
            let (number, kind) = (reader.int().expect("a number"), reader.int().expect("a number"));
            if kind != op::PING {
                return Ok((number, kind));
            }
            self.answer(xid::PING, 0, 0, |_| {}).await;
        }
    }
}

/// A server whose connections are all served in this way.
async fn serve<F: Future<Output = ()> + Send + 'static>(
    how: impl Fn(Peer) -> F + Send + 'static,
) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(how(Peer::new(stream)));
        }
    });
    (host, serving)
}

fn server(hosts: &[&str]) -> Server {
    Server {
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        transports: Transports::default(),
        user: None,
        timeout: TIMEOUT,
        beat: None,
    }
}

async fn lost(session: &Session) -> Error {
    tokio::time::timeout(Duration::from_secs(10), session.lost()).await.expect("it is lost")
}

/// A server whose last transaction is this, and which knows this session.
async fn with_data(zxid: i64, known: i64) -> (String, tokio::task::JoinHandle<()>) {
    let how = move |mut peer: Peer| async move {
        match peer.hello().await {
            (heard, _) if heard > zxid => {}
            (_, session) if session != 0 && session != known => peer.welcome(0, 0).await,
            _ => {
                peer.welcome(400, known).await;
                while let Ok((number, _)) = peer.request().await {
                    peer.answer(number, zxid, -101, |_| {}).await;
                }
            }
        }
    };
    serve(how).await
}

#[tokio::test]
async fn a_server_that_has_forgotten_is_used_at_once_but_never_before_one_that_has_not() {
    let ensemble = Ensemble::new();
    let (old, first) = with_data(1000, 1).await;
    let session = ensemble.open(&server(&[&old]), None).await.expect("a session");
    assert!(session.stat("/a", false).await.expect("answered").is_err());
    assert_eq!(session.zxid(), 1000);
    let (empty, _serving) = with_data(3, 2).await;
    // Whichever is asked first.
    for _ in 0..4 {
        let again = ensemble.open(&server(&[&empty, &old]), None).await.expect("a session");
        assert_eq!(again.id(), 1);
    }
    first.abort();
    let began = Instant::now();
    let new = ensemble.open(&server(&[&empty]), Some(session.ticket())).await.expect("a session");
    assert_eq!(new.id(), 2, "the one of before is not known there");
    assert!(new.stat("/a", false).await.expect("answered").is_err());
    assert_eq!(new.zxid(), 3);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_is_no_zookeeper_is_told_at_once() {
    let how = |mut peer: Peer| async move {
        peer.hello().await;
        let _ = peer.writer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    };
    let (host, _serving) = serve(how).await;
    let error = Ensemble::new().open(&server(&[&host]), None).await.expect_err("no ZooKeeper");
    assert_eq!(error.reason(), Reason::ClosedProtocol);
    assert!(error.message().contains(&host), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_any_more_is_lost_before_the_session_expires() {
    let how = |mut peer: Peer| async move {
        peer.hello().await;
        peer.welcome(400, 1).await;
        std::future::pending::<()>().await;
    };
    let (host, _serving) = serve(how).await;
    let session = Ensemble::new().open(&server(&[&host]), None).await.expect("a session");
    let began = Instant::now();
    let asked = session.stat("/a", false).await.expect_err("no answer");
    assert_eq!(asked.reason(), Reason::ConnectTimeout, "{asked}");
    assert!(began.elapsed() < TIMEOUT * 3, "{:?}", began.elapsed());
    assert_eq!(lost(&session).await.reason(), Reason::ConnectTimeout);
    assert!(session.stat("/a", false).await.is_err(), "afterwards as well");
}

#[tokio::test]
async fn answers_that_make_no_sense_end_the_session() {
    // What to answer to request number 1, and what is said then.
    type Answer = fn(&mut Writer);
    let cases: [(Answer, &str); 4] = [
        (|writer| writer.int(2), "ends too early"),
        (
            |writer| {
                writer.int(2);
                writer.long(0);
                writer.int(0);
            },
            "out of order",
        ),
        (
            |writer| {
                writer.int(xid::EVENT);
                writer.long(0);
                writer.int(0);
                writer.int(1);
            },
            "ends too early",
        ),
        (
            |writer| {
                writer.int(xid::AUTH);
                writer.long(0);
                writer.int(-115);
            },
            "not taken",
        ),
    ];
    for (answer, said) in cases {
        let how = move |mut peer: Peer| async move {
            peer.hello().await;
            peer.welcome(60_000, 1).await;
            let _ = peer.request().await;
            let mut writer = Writer::new();
            answer(&mut writer);
            peer.send(writer).await;
            let _ = peer.request().await;
        };
        let (host, _serving) = serve(how).await;
        let session = Ensemble::new().open(&server(&[&host]), None).await.expect("a session");
        let error = session.stat("/a", false).await.expect_err(said);
        assert!(error.message().contains(said), "{said}: {error}");
        assert!(lost(&session).await.message().contains(said));
    }
}

#[tokio::test]
async fn events_go_to_those_who_listen_to_the_node_or_its_parent() {
    let how = |mut peer: Peer| async move {
        peer.hello().await;
        peer.welcome(60_000, 1).await;
        for (kind, path) in [(4, "/a/b"), (3, "/a/b/c"), (2, "/x"), (77, "/a/b/d")] {
            let event = |writer: &mut Writer| {
                writer.int(kind);
                writer.int(3);
                writer.bytes(path.as_bytes());
            };
            let _ = peer.request().await.map(|_| ());
            peer.answer(xid::EVENT, -1, 0, event).await;
        }
        let _ = peer.request().await;
    };
    let (host, _serving) = serve(how).await;
    let session = Ensemble::new().open(&server(&[&host]), None).await.expect("a session");
    let (sender, mut events) = mpsc::unbounded_channel();
    session.listen("/a/b", &sender);
    let mut asked = Vec::new();
    for _ in 0..4 {
        asked.push(session.ask_data("/a", false).await.expect("asked"));
    }
    for (kind, path) in [(EventKind::Children, "/a/b"), (EventKind::Written, "/a/b/c"), (EventKind::Other, "/a/b/d")] {
        let event = events.recv().await.expect("an event");
        assert_eq!((event.kind, event.path.as_str()), (kind, path));
    }
}

#[tokio::test]
async fn a_session_that_is_ended_soon_says_so_to_the_server() {
    let (sender, mut heard) = mpsc::unbounded_channel();
    let how = move |mut peer: Peer| {
        let sender = sender.clone();
        async move {
            peer.hello().await;
            peer.welcome(60_000, 1).await;
            while let Ok((_, kind)) = peer.request().await {
                let _ = sender.send(kind);
            }
            let _ = sender.send(0);
        }
    };
    let (host, _serving) = serve(how).await;
    let ensemble = Ensemble::new();
    let session = ensemble.open(&server(&[&host]), None).await.expect("a session");
    session.end_soon();
    drop(session);
    assert_eq!((heard.recv().await, heard.recv().await), (Some(op::CLOSE), Some(0)));
    // One that is dropped just goes.
    drop(ensemble.open(&server(&[&host]), None).await.expect("a session"));
    assert_eq!(heard.recv().await, Some(0));
}

#[test]
fn a_session_ends_with_its_runtime_and_says_so_elsewhere() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (first, second) = (runtime(), runtime());
    let (host, serving) = second.block_on(with_data(1, 1));
    let (sender, opened) = std::sync::mpsc::channel();
    let opener = std::thread::spawn(move || {
        let session = first.block_on(async {
            // Whoever waits for an answer when the runtime ends hears of it too.
            Ensemble::new().open(&server(&[&host]), None).await.expect("a session")
        });
        sender.send(session).expect("somebody waits");
        drop(first);
    });
    let session = loop {
        // The second runtime serves meanwhile.
        second.block_on(async { tokio::time::sleep(Duration::from_millis(5)).await });
        if let Ok(session) = opened.try_recv() {
            break session;
        }
    };
    opener.join().expect("no panic");
    assert!(session.is_lost());
    let error = second.block_on(session.stat("/a", false)).expect_err("lost");
    assert!(error.message().contains("runtime"), "{error}");
    session.end_soon();
    drop(session);
    serving.abort();
}

#[test]
fn headers_are_read() {
    let mut reader = Reader::new(vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0x9b].into());
    let header = Header::read(&mut reader).expect("a header");
    assert_eq!((header.xid, header.zxid, header.code), (1, 2, -101));
}
