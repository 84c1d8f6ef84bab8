//! What the tests share: transports by name, and a handler that says how far it got.

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rpcx::client::{ClientBuilder, Service};
use rpcx::codec::Raw;
use rpcx::error::{Delivery, Error, ErrorKind, Reason, Result};
use rpcx::server::ServerBuilder;
use rpcx::transport::{ClientTls, ServerTls, Transports};
use rpcx::{Client, Context, Server};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

pub(crate) use crate::waiting::{LIMIT, eventually, ms, run};

/// The transports that the rules of a connection must hold for alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Tcp,
    Tls,
    Memory,
}

/// One transport set up for both sides.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) transports: Transports,
    pub(crate) bind: String,
}

impl Over {
    pub(crate) const ALL: [Over; 3] = [Over::Tcp, Over::Tls, Over::Memory];

    pub(crate) fn way(self) -> Way {
        static NAMES: AtomicUsize = AtomicUsize::new(0);
        match self {
            Over::Tcp => Way { transports: Transports::default(), bind: "tcp@127.0.0.1:0".into() },
            Over::Tls => Way { transports: tls(), bind: "tcp@127.0.0.1:0".into() },
            Over::Memory => {
                let name = NAMES.fetch_add(1, Ordering::Relaxed);
                Way { transports: Transports::default(), bind: format!("memu@engine-{name}") }
            }
        }
    }
}

fn tls() -> Transports {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    let server = ServerTls::builder_from_pem(certificate.pem(), key.serialize_pem()).build().unwrap();
    let client = ClientTls::builder().ca_pem(authority.pem()).build().unwrap();
    Transports::default().with_server_tls(server).with_client_tls(client)
}

impl Way {
    /// The same with an address of its own.
    pub(crate) fn another(mut self) -> Way {
        if self.bind.starts_with("memu@") {
            self.bind = Over::Memory.way().bind;
        }
        self
    }

    pub(crate) fn server(&self) -> ServerBuilder {
        Server::builder().transports(self.transports.clone()).bind(self.bind.as_str())
    }

    /// A client for a server; its dials have time to spare, since machines that run tests are slow at times.
    pub(crate) fn client(&self, to: impl AsRef<str>) -> ClientBuilder {
        Client::builder()
            .transports(self.transports.clone())
            .discovery_url(to.as_ref())
            .option("connect_timeout", "10s")
    }
}

/// Where a server listens, for a client.
pub(crate) fn url(server: &Server) -> String {
    server.addresses()[0].to_string()
}

/// A server over TCP with [`Probe::hold`] as `T.Hold` and an echo as `T.Echo`, and a client for it.
pub(crate) async fn pair(way: &Way, probe: &Probe) -> (Server, Client) {
    let server = way.server().with_probe(probe).start().await.unwrap();
    let client = way.client(url(&server)).build().unwrap();
    (server, client)
}

pub(crate) trait WithProbe {
    fn with_probe(self, probe: &Probe) -> Self;
}

impl WithProbe for ServerBuilder {
    fn with_probe(self, probe: &Probe) -> Self {
        self.raw("T", "Echo", echo).raw("T", "Hold", probe.hold())
    }
}

pub(crate) async fn echo(_ctx: Context, payload: Bytes) -> Result<Bytes> {
    Ok(payload)
}

pub(crate) fn raw(client: &Client) -> Service<Raw> {
    client.service("T").unwrap().raw()
}

pub(crate) async fn call(service: &Service<Raw>, method: &str, payload: &[u8]) -> Result<Bytes> {
    service.call(method, payload).await
}

/// Counts what becomes of calls to a handler that waits until it is told to go on.
#[derive(Clone)]
pub(crate) struct Probe(Arc<State>);

struct State {
    gate: Semaphore,
    started: AtomicUsize,
    finished: AtomicUsize,
    cancelled: AtomicUsize,
    running: AtomicUsize,
    most: AtomicUsize,
}

/// A call inside the handler; it leaves also when it is dropped.
struct Inside<'a>(&'a State);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Bytes>> + Send>>;

impl Probe {
    pub(crate) fn new() -> Probe {
        Probe(Arc::new(State {
            gate: Semaphore::new(0),
            started: AtomicUsize::new(0),
            finished: AtomicUsize::new(0),
            cancelled: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }))
    }

    /// Answers with the payload once let go, or with an error when its call is cancelled.
    pub(crate) fn hold(&self) -> impl Fn(Context, Bytes) -> Answer + Send + Sync + 'static + use<> {
        let probe = self.clone();
        move |ctx, payload| {
            let probe = probe.clone();
            Box::pin(async move {
                let state = &*probe.0;
                state.started.fetch_add(1, Ordering::SeqCst);
                let running = 1 + state.running.fetch_add(1, Ordering::SeqCst);
                state.most.fetch_max(running, Ordering::SeqCst);
                let _inside = Inside(state);
                tokio::select! {
                    permit = state.gate.acquire() => {
                        permit.unwrap().forget();
                        state.finished.fetch_add(1, Ordering::SeqCst);
                        Ok(payload)
                    }
                    () = ctx.cancelled() => {
                        state.cancelled.fetch_add(1, Ordering::SeqCst);
                        Err(Error::new(Reason::ServiceError, "cancelled"))
                    }
                }
            })
        }
    }

    /// Lets so many calls go on.
    pub(crate) fn release(&self, calls: usize) {
        self.0.gate.add_permits(calls);
    }

    pub(crate) fn started(&self) -> usize {
        self.0.started.load(Ordering::SeqCst)
    }

    pub(crate) fn finished(&self) -> usize {
        self.0.finished.load(Ordering::SeqCst)
    }

    pub(crate) fn cancelled(&self) -> usize {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Calls inside the handler now, dropped ones left out.
    pub(crate) fn running(&self) -> usize {
        self.0.running.load(Ordering::SeqCst)
    }

    /// Most calls that were ever inside at once.
    pub(crate) fn most(&self) -> usize {
        self.0.most.load(Ordering::SeqCst)
    }
}

/// Checks all three of what an error says apart.
#[track_caller]
pub(crate) fn assert_failed<T: std::fmt::Debug>(result: Result<T>, reason: Reason, delivery: Delivery) -> Error {
    let error = result.expect_err("this call should have failed");
    assert_eq!((error.reason(), error.delivery()), (reason, delivery), "{error:?}");
    error
}

#[track_caller]
pub(crate) fn assert_kind<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) -> Error {
    let error = result.expect_err("this call should have failed");
    assert_eq!(error.kind(), kind, "{error:?}");
    error
}
