//! A transport from outside, registered under a scheme of its own: a handshake over TCP, as HTTP CONNECT has one.

use crate::support::{address, assert_error, bind, dial, exchange, pair, run};
use bytes::Bytes;
use rpcx::error::{Error, Reason, Result};
use rpcx::transport::{
    Address, BoxFuture, Dial, DialOptions, Incoming, Io, Listen, ListenOptions, Listener, Stream, Transports, Writer,
};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The client says `hello` and a newline, the server `welcome` and a newline, then perhaps the connection's first words in
/// the same segment; then the lower connection goes on.
#[derive(Clone, Copy)]
pub(crate) struct Greeting {
    pub(crate) first: &'static str,
}

fn transports() -> Transports {
    let greeting = Greeting { first: "first" };
    Transports::default().with("greeting", greeting, greeting)
}

/// Sends a line and reads one. Bytes behind it are put back in front of the connection.
async fn greet(io: Io, say: Option<&str>) -> io::Result<(String, Stream, Bytes)> {
    let (mut stream, _) = io.into_stream();
    if let Some(line) = say {
        stream.write_all(line.as_bytes()).await?;
    }
    let mut heard = Vec::new();
    while !heard.contains(&b'\n') {
        if heard.len() > 100 || stream.read_buf(&mut heard).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let end = heard.iter().position(|byte| *byte == b'\n').unwrap_or_default() + 1;
    let behind = Bytes::from(heard.split_off(end));
    Ok((String::from_utf8_lossy(&heard).trim_end().to_owned(), stream, behind))
}

fn failed(peer: &str, error: io::Error) -> Error {
    Error::new(Reason::ConnectHandshake, format!("no greeting from {peer}: {error}"))
}

impl Dial for Greeting {
    fn dial<'a>(&'a self, to: &'a Address, options: &'a DialOptions) -> BoxFuture<'a, Result<Io>> {
        Box::pin(async move {
            let io = Transports::default().dial(&Address::new("tcp", to.rest())?, options).await?;
            let info = io.info.clone();
            let (heard, stream, behind) =
                greet(io, Some("hello\n")).await.map_err(|error| failed(to.as_str(), error))?;
            match heard.as_str() {
                "welcome" => Ok(Io::from_stream(stream, info).with_prefix(behind)),
                _ => Err(failed(to.as_str(), io::ErrorKind::PermissionDenied.into())),
            }
        })
    }
}

impl Listen for Greeting {
    fn bind<'a>(&'a self, at: &'a Address, options: &'a ListenOptions) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let lower = Transports::default().bind(&Address::new("tcp", at.rest())?, options).await?;
            Ok(Box::new(GreetingListener { lower, greeting: *self }) as Box<dyn Listener>)
        })
    }
}

struct GreetingListener {
    lower: Box<dyn Listener>,
    greeting: Greeting,
}

impl Listener for GreetingListener {
    fn address(&self) -> Address {
        Address::new("greeting", self.lower.address().rest()).unwrap()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async move {
            let lower = self.lower.accept().await?;
            Ok(Box::new(GreetingIncoming { lower, greeting: self.greeting }) as Box<dyn Incoming>)
        })
    }
}

struct GreetingIncoming {
    lower: Box<dyn Incoming>,
    greeting: Greeting,
}

impl Incoming for GreetingIncoming {
    fn remote(&self) -> &str {
        self.lower.remote()
    }

    fn open(self: Box<Self>) -> BoxFuture<'static, Result<Io>> {
        Box::pin(async move {
            let io = self.lower.open().await?;
            let info = io.info.clone();
            let (_, mut stream, behind) = greet(io, None).await.map_err(|error| failed(&info.remote, error))?;
            let answer = format!("welcome\n{}", self.greeting.first);
            stream.write_all(answer.as_bytes()).await.map_err(|error| failed(&info.remote, error))?;
            Ok(Io::from_stream(stream, info).with_prefix(behind))
        })
    }
}

#[test]
fn serves_a_scheme_of_its_own() {
    run(async {
        let transports = transports();
        let mut listener = bind(&transports, "greeting@127.0.0.1:0").await;
        assert_eq!(listener.address().scheme(), "greeting");
        let (mut client, server) = pair(&transports, &mut *listener).await;
        assert!(matches!(client.writer, Writer::Driven(_)));
        let mut first = [0; 5];
        client.reader.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"first");
        exchange(client, server).await;
        assert!(listener.try_clone_fd().is_err_and(|error| error.kind() == io::ErrorKind::Unsupported));
    });
}

#[test]
fn belongs_to_the_value_it_was_registered_with() {
    run(async {
        let to = address("greeting@127.0.0.1:1");
        assert_error(
            &dial(&Transports::default(), &to).await.unwrap_err(),
            Reason::ConfigUnknownScheme,
            "greeting@127.0.0.1:1",
        );
        assert_error(&dial(&transports(), &to).await.unwrap_err(), Reason::ConnectRefused, "127.0.0.1:1");
        // A scheme of ours can be replaced as well.
        let replaced = Transports::default().with_dial("tcp", Greeting { first: "" });
        let mut silent = bind(&Transports::default(), "tcp@127.0.0.1:0").await;
        let to = silent.address();
        let (failed, ()) = tokio::join!(dial(&replaced, &to), async {
            drop(silent.accept().await.unwrap());
        });
        assert_error(&failed.unwrap_err(), Reason::ConnectHandshake, to.as_str());
    });
}
