//! Hand-written peers: they read and write frames of their own making over any transport.

use crate::support::{LIMIT, Way};
use rpcx::protocol::{
    Decoded, Decoder, Features, Frame, Head, Header, Limits, Metadata, SerializeType, Side, encode, keys,
};
use rpcx::transport::{Address, ConnectionInfo, DialOptions, Io, ListenOptions, Listener, Stream};
use std::io::Write;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A listener whose connections are served by hand.
pub(crate) struct RawServer {
    listener: Box<dyn Listener>,
}

impl RawServer {
    pub(crate) async fn bind(way: &Way) -> RawServer {
        let address: Address = way.bind.parse().unwrap();
        RawServer { listener: way.transports.bind(&address, &ListenOptions::default()).await.unwrap() }
    }

    pub(crate) fn url(&self) -> String {
        self.listener.address().to_string()
    }

    pub(crate) async fn accept(&mut self) -> Peer {
        let (stream, _) = self.listener.accept().await.unwrap().open().await.unwrap().into_stream();
        Peer::new(stream)
    }
}

/// One end of a connection.
pub(crate) struct Peer {
    stream: Stream,
    decoder: Decoder,
    unsent: Vec<u8>,
}

impl Peer {
    fn new(stream: Stream) -> Peer {
        Peer {
            stream,
            decoder: Decoder::new(Limits { max_message_size: 1 << 30, ..Limits::default() }),
            unsent: Vec::new(),
        }
    }

    /// Connects to one of our servers.
    pub(crate) async fn dial(way: &Way, to: &str) -> Peer {
        let options = DialOptions { connect_timeout: LIMIT, ..DialOptions::default() };
        let (stream, _) = way.transports.dial(&to.parse().unwrap(), &options).await.unwrap().into_stream();
        Peer::new(stream)
    }

    /// Connects to one of our servers over TCP, and sends bytes, before any other task can run.
    pub(crate) fn connected(to: &str, bytes: &[u8]) -> (Peer, std::net::TcpStream) {
        let mut stream = std::net::TcpStream::connect(to.trim_start_matches("tcp@")).unwrap();
        stream.write_all(bytes).unwrap();
        stream.set_nonblocking(true).unwrap();
        let registered = tokio::net::TcpStream::from_std(stream.try_clone().unwrap()).unwrap();
        let (whole, _) = Io::from_stream(registered, ConnectionInfo::default()).into_stream();
        (Peer::new(whole), stream)
    }

    /// The next frame; `None` when the other side has closed or reset.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        loop {
            match self.decoder.next().unwrap() {
                Some(Decoded::Frame(frame)) => return Some(frame),
                Some(Decoded::Refused(refused)) => panic!("{refused:?}"),
                None => {}
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Reads once. False at the end.
    pub(crate) async fn more(&mut self) -> bool {
        let buffer = self.decoder.buffer();
        buffer.reserve(64 * 1024);
        let read = tokio::time::timeout(LIMIT, self.stream.read_buf(buffer)).await.expect("nothing came");
        read.is_ok_and(|count| count > 0)
    }

    /// Bytes read and not yet taken as a frame.
    pub(crate) fn buffered(&mut self) -> usize {
        self.decoder.buffer().len()
    }

    /// The next request that is no heartbeat; heartbeats are echoed as Go does.
    pub(crate) async fn request(&mut self) -> Option<Frame> {
        loop {
            let frame = self.frame().await?;
            if !frame.header().is_heartbeat() {
                return Some(frame);
            }
            let mut echo = Vec::new();
            rpcx::protocol::echo_heartbeat(&mut echo, &frame, None).unwrap();
            self.send(&echo).await;
        }
    }

    /// Sends bytes; that the other side has left is not this call's business.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let sent = async {
            self.stream.write_all(&std::mem::take(&mut self.unsent)).await?;
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        let _ = tokio::time::timeout(LIMIT, sent).await.expect("nobody reads");
    }

    /// Sends bytes as far as they are taken in time; says whether all were. The rest goes first in the next `send`.
    pub(crate) async fn send_within(&mut self, bytes: &[u8], limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut rest = bytes;
        while !rest.is_empty() {
            match tokio::time::timeout_at(until.into(), self.stream.write(rest)).await {
                Ok(taken) => rest = &rest[taken.unwrap()..],
                Err(_) => {
                    self.unsent = rest.to_vec();
                    return false;
                }
            }
        }
        tokio::time::timeout_at(until.into(), self.stream.flush()).await.is_ok()
    }

    /// Answers a request.
    pub(crate) async fn answer(&mut self, request: &Frame, payload: &[u8]) {
        let mut wire = Vec::new();
        let head = Head::new(Header::response_to(request.header()), request.service(), request.method());
        encode(&mut wire, &head, payload).unwrap();
        self.send(&wire).await;
    }

    /// How long nothing comes and the connection stays open, at most `limit`.
    pub(crate) async fn quiet_for(&mut self, limit: Duration) -> Duration {
        let began = Instant::now();
        let _ = tokio::time::timeout(limit, self.frame()).await;
        began.elapsed()
    }

    /// Says what our clients say first and returns what the server answers.
    pub(crate) async fn hello(&mut self) -> Frame {
        self.send(&hello()).await;
        self.frame().await.unwrap()
    }
}

/// The frame that our clients send first.
pub(crate) fn hello() -> Vec<u8> {
    let words = Features::ALL.render(Side::Client);
    let mut wire = Vec::new();
    let header = Header::request(SerializeType::MSGPACK, 1 << 20).with_heartbeat(true);
    let head =
        Head { header, service: b"", method: b"", metadata: Metadata::empty(), extra: &[(keys::FEATURES, &words)] };
    encode(&mut wire, &head, &[0xd3, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    wire
}

/// A request with a raw payload.
pub(crate) fn request(seq: u64, method: &str, payload: &[u8], metadata: &[(&str, &str)]) -> Vec<u8> {
    frame(Header::request(SerializeType::RAW, seq), method, payload, metadata)
}

/// A frame of service `T`.
pub(crate) fn frame(header: Header, method: &str, payload: &[u8], metadata: &[(&str, &str)]) -> Vec<u8> {
    let mut wire = Vec::new();
    let head = Head { header, service: b"T", method: method.as_bytes(), metadata: Metadata::empty(), extra: metadata };
    encode(&mut wire, &head, payload).unwrap();
    wire
}

/// The text of an error response.
pub(crate) fn error_text(frame: &Frame) -> String {
    frame.error().map(|said| said.text).unwrap_or_default()
}
