//! A server of Nacos for tests, which says what the test wants, with the habits of Java's.

use crate::message::Payload;
use crate::options::NacosOptions;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::{Grpc, StreamingService, UnaryService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// What it answers to a request of a kind.
type Answers = dyn Fn(&str, &Value) -> Value + Send + Sync;

/// Ends when dropped.
pub(crate) struct Fake {
    pub(crate) options: NacosOptions,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    answers: Box<Answers>,
    /// What it was told, by request or on the stream: kind and body.
    told: Mutex<Vec<(String, Value)>>,
    heard: Notify,
    pushes: Mutex<Option<mpsc::Sender<Result<Payload, Status>>>>,
}

impl Fake {
    /// One that answers as told, and well where that is null.
    pub(crate) async fn start(answers: impl Fn(&str, &Value) -> Value + Send + Sync + 'static) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let options = NacosOptions::parse(&format!("127.0.0.1/test?grpc_port={port}")).expect("options");
        let shared = Arc::new(Shared {
            answers: Box::new(answers),
            told: Mutex::default(),
            heard: Notify::new(),
            pushes: Mutex::default(),
        });
        let serving = shared.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = serving.clone();
                let serve = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let shared = shared.clone();
                    async move {
                        let request = request.map(Body::new);
                        let mut grpc = Grpc::new(ProstCodec::<Payload, Payload>::default());
                        Ok::<_, std::convert::Infallible>(match request.uri().path() {
                            "/Request/request" => grpc.unary(Unary(shared), request).await,
                            _ => grpc.streaming(Stream(shared), request).await,
                        })
                    }
                });
                connections.spawn(
                    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), serve),
                );
            }
        });
        Fake { options, shared, task }
    }

    /// Says something on the stream.
    pub(crate) async fn push(&self, kind: &str, body: &Value) {
        let pushes = self.shared.pushes.lock().expect("no panic").clone().expect("a stream");
        pushes.send(Ok(Payload::new(kind, "", None, body))).await.expect("it is read");
    }

    /// The bodies of what it was told of this kind, once there are so many.
    pub(crate) async fn told(&self, kind: &str, count: usize) -> Vec<Value> {
        loop {
            let heard = self.shared.heard.notified();
            let told = self.shared.told.lock().expect("no panic").clone();
            let of: Vec<_> = told.into_iter().filter(|(of, _)| of == kind).map(|(_, body)| body).collect();
            if of.len() >= count {
                return of;
            }
            heard.await;
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn hear(&self, payload: &Payload) -> Value {
        let body: Value = payload.read().expect("JSON");
        self.told.lock().expect("no panic").push((payload.kind().to_owned(), body.clone()));
        self.heard.notify_waiters();
        body
    }
}

struct Unary(Arc<Shared>);

impl UnaryService<Payload> for Unary {
    type Response = Payload;
    type Future = std::future::Ready<Result<Response<Payload>, Status>>;

    fn call(&mut self, request: Request<Payload>) -> Self::Future {
        let payload = request.into_inner();
        let body = self.0.hear(&payload);
        let mut answer = (self.0.answers)(payload.kind(), &body);
        if answer.is_null() {
            answer = json!({"resultCode": 200});
        }
        std::future::ready(Ok(Response::new(Payload::new("Response", "", None, &answer))))
    }
}

struct Stream(Arc<Shared>);

impl StreamingService<Payload> for Stream {
    type Response = Payload;
    type ResponseStream = ReceiverStream<Result<Payload, Status>>;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Self::ResponseStream>, Status>> + Send>>;

    fn call(&mut self, request: Request<Streaming<Payload>>) -> Self::Future {
        let shared = self.0.clone();
        let (sender, mut pushed) = mpsc::channel(16);
        *shared.pushes.lock().expect("no panic") = Some(sender);
        tokio::spawn(async move {
            let mut stream = request.into_inner();
            while let Ok(Some(payload)) = stream.message().await {
                shared.hear(&payload);
            }
        });
        Box::pin(async move {
            // As Java's: there is no head of the answer before there is something in it.
            let first = pushed.recv().await.ok_or_else(|| Status::unavailable("over"))?;
            let (sender, stream) = mpsc::channel(16);
            tokio::spawn(async move {
                let mut next = Some(first);
                while let Some(push) = next {
                    if sender.send(push).await.is_err() {
                        return;
                    }
                    next = pushed.recv().await;
                }
            });
            Ok(Response::new(ReceiverStream::new(stream)))
        })
    }
}
