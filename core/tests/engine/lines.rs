//! A protocol of lines beside rpcx frames, and a client for it.
//!
//! A request is `>id Service.Method options payload`, its options `key=value&…` or `-`; its answer `id ok payload metadata`,
//! or `id reason text`. `>drop id` gives a request up. Answers come as they are ready.

use crate::support::{LIMIT, Way};
use rpcx::error::Result;
use rpcx::interceptor::BoxFuture;
use rpcx::protocol::SerializeType;
use rpcx::server::{Dispatch, Protocol, Request, Response, Wants};
use rpcx::transport::{ConnectionInfo, DialOptions, Io, Stream};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::task::JoinSet;

pub(crate) struct Lines;

impl Protocol for Lines {
    fn wants(&self, first_bytes: &[u8]) -> Wants {
        if first_bytes[0] == b'>' { Wants::Yes } else { Wants::No }
    }

    fn serve(&self, io: Io, dispatch: Dispatch) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let (read, mut write) = tokio::io::split(io.into_stream().0);
            let mut lines = BufReader::new(read).lines();
            let (mut calls, mut running, mut told) = (JoinSet::new(), HashMap::new(), false);
            loop {
                let answer = tokio::select! {
                    line = lines.next_line() => {
                        let Ok(Some(line)) = line else { return };
                        let (id, rest) = line[1..].split_once(' ').unwrap();
                        if id == "panic" {
                            panic!("the protocol is broken");
                        }
                        if id == "drop" {
                            let call: tokio::task::AbortHandle = running.remove(rest).unwrap();
                            call.abort();
                            continue;
                        }
                        let (id, rest, dispatch) = (id.to_owned(), rest.to_owned(), dispatch.clone());
                        let call = calls.spawn({
                            let id = id.clone();
                            async move { format!("{id} {}", answer(run(rest, dispatch).await)) }
                        });
                        running.insert(id, call);
                        continue;
                    }
                    Some(ended) = calls.join_next() => match ended {
                        Ok(answer) => answer,
                        Err(_) => continue,
                    },
                    () = dispatch.draining(), if !told => {
                        told = true;
                        "go elsewhere".into()
                    }
                };
                if write.write_all(format!("{answer}\n").as_bytes()).await.is_err() {
                    return;
                }
            }
        })
    }
}

async fn run(line: String, dispatch: Dispatch) -> Result<Response> {
    let mut words = line.splitn(3, ' ');
    let (service, method) = words.next().unwrap().split_once('.').unwrap();
    let options = words.next().unwrap();
    let payload = words.next().unwrap_or_default().to_owned();
    let (mut request, mut dispatch) = (Request::new(service, method, SerializeType::RAW, payload), dispatch);
    for (key, value) in options.split('&').filter_map(|pair| pair.split_once('=')) {
        match key {
            "auth" => request.auth = Some(value.into()),
            "timeout" => request.deadline = Some(Instant::now() + Duration::from_millis(value.parse().unwrap())),
            "oneway" => request.oneway = true,
            "type" => request.serialize_type = SerializeType::new(value.parse().unwrap()).unwrap(),
            "for" => dispatch = dispatch.for_client(ConnectionInfo { remote: value.into(), ..Default::default() }),
            key => request.metadata.insert(key, value),
        }
    }
    dispatch.call(request).await
}

fn answer(result: Result<Response>) -> String {
    match result {
        Ok(response) => {
            let metadata: Vec<_> = response.metadata.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("ok {} {}", String::from_utf8_lossy(&response.payload), metadata.join("&"))
        }
        Err(error) => format!("{} {}", error.reason(), error.message()),
    }
}

/// A client that speaks lines.
pub(crate) struct LineClient(BufReader<Stream>);

impl LineClient {
    pub(crate) async fn dial(way: &Way, to: &str) -> LineClient {
        let options = DialOptions { connect_timeout: LIMIT, ..DialOptions::default() };
        let io = way.transports.dial(&to.parse().unwrap(), &options).await.unwrap();
        LineClient(BufReader::new(io.into_stream().0))
    }

    pub(crate) async fn send(&mut self, line: &str) {
        self.0.write_all(format!(">{line}\n").as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// The next line; `None` when the connection has ended.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = tokio::time::timeout(LIMIT, self.0.read_line(&mut line)).await.expect("no line came");
        read.is_ok_and(|read| read > 0).then(|| line.trim_end().to_owned())
    }

    /// The answer to a request; no other is to be under way.
    pub(crate) async fn ask(&mut self, request: &str) -> String {
        self.send(&format!("1 {request}")).await;
        let line = self.line().await.expect("the connection has ended");
        line.strip_prefix("1 ").unwrap_or_else(|| panic!("not the answer: {line}")).to_owned()
    }
}
