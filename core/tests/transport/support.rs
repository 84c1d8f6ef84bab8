//! What the tests share: a deadline, a connected pair, and bytes both ways.

use rpcx::error::{Error, Result};
use rpcx::transport::{Address, DialOptions, Io, ListenOptions, Listener, Transports};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Runs a test on a runtime of its own. It fails, instead of hanging, when it takes ten seconds.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), test).await.expect("the test hangs") })
}

pub(crate) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

pub(crate) async fn bind(transports: &Transports, at: &str) -> Box<dyn Listener> {
    transports.bind(&address(at), &ListenOptions::default()).await.unwrap()
}

/// As a client with time to spare: machines that run tests are slow at times.
pub(crate) async fn dial(transports: &Transports, to: &Address) -> Result<Io> {
    let options = DialOptions { connect_timeout: Duration::from_secs(9), ..DialOptions::default() };
    transports.dial(to, &options).await
}

/// Takes one connection and opens it.
pub(crate) async fn accept(listener: &mut dyn Listener) -> Result<Io> {
    listener.accept().await.unwrap().open().await
}

/// Both ends of a connection to the listener.
pub(crate) async fn pair(transports: &Transports, listener: &mut dyn Listener) -> (Io, Io) {
    let to = listener.address();
    let (client, server) = tokio::join!(dial(transports, &to), accept(listener));
    (client.unwrap(), server.unwrap())
}

/// Sends more than any buffer holds in both directions at once, then ends one side and sees it on the other.
pub(crate) async fn exchange(client: Io, server: Io) {
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|i| (i * 31 + 7) as u8).collect();
    let ((client, _), (server, _)) = (client.into_stream(), server.into_stream());
    let (mut client_reader, mut client_writer) = tokio::io::split(client);
    let (mut server_reader, mut server_writer) = tokio::io::split(server);
    let (mut at_server, mut at_client) = (vec![0; bytes.len()], vec![0; bytes.len()]);
    let send = async |writer: &mut (dyn tokio::io::AsyncWrite + Unpin)| {
        writer.write_all(&bytes).await?;
        writer.flush().await
    };
    tokio::try_join!(
        send(&mut client_writer),
        send(&mut server_writer),
        async { server_reader.read_exact(&mut at_server).await.map(drop) },
        async { client_reader.read_exact(&mut at_client).await.map(drop) },
    )
    .unwrap();
    assert!(at_server == bytes && at_client == bytes, "the bytes changed on the way");
    client_writer.shutdown().await.unwrap();
    assert_eq!(server_reader.read(&mut at_server).await.unwrap(), 0);
}

/// Checks that an error has this reason, names this, and says that nothing was sent.
#[track_caller]
pub(crate) fn assert_error(error: &Error, reason: rpcx::error::Reason, named: &str) {
    assert_eq!(error.reason(), reason, "{error}");
    assert_eq!(error.delivery(), rpcx::error::Delivery::NotSent);
    assert!(error.message().contains(named), "{named:?} is not in: {error}");
}
