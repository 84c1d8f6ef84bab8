//! gRPC by tonic and prost: a channel per connection, no delay of small writes, wide windows, no stream limit below the
//! concurrency.

use bench_harness::{BenchmarkMessage, Caller, Mode, Opts, answer, is_ok, request, run_client, runtime};
use std::process::ExitCode;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

#[expect(unreachable_pub, reason = "generated code")]
mod pb {
    tonic::include_proto!("pb");
}
use pb::hello_client::HelloClient;
use pb::hello_server::{Hello, HelloServer};

const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;

struct Service;

#[tonic::async_trait]
impl Hello for Service {
    async fn say(&self, request: Request<BenchmarkMessage>) -> Result<Response<BenchmarkMessage>, Status> {
        let mut message = request.into_inner();
        answer(&mut message);
        Ok(Response::new(message))
    }
}

#[derive(Clone)]
struct Tonic {
    client: HelloClient<Channel>,
    request: BenchmarkMessage,
}

impl Caller for Tonic {
    async fn call(&mut self) -> Result<(), String> {
        // tonic takes the request by value
        let reply = self.client.say(self.request.clone()).await.map_err(|e| e.to_string())?;
        if is_ok(reply.get_ref()) { Ok(()) } else { Err("bad reply".into()) }
    }
}

async fn connect(uri: String) -> Result<Tonic, String> {
    let channel = Endpoint::from_shared(uri)
        .map_err(|e| e.to_string())?
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .buffer_size(8192)
        .connect()
        .await
        .map_err(|e| format!("{e:?}"))?;
    Ok(Tonic { client: HelloClient::new(channel), request: request() })
}

fn main() -> ExitCode {
    let opts = Opts::either("tonic");
    if opts.mode == Mode::Client {
        let uri = format!("http://{}", opts.addr);
        return run_client(&opts, move |_| connect(uri.clone()));
    }
    let serving = Server::builder()
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(100_000)
        .add_service(HelloServer::new(Service))
        .serve(opts.addr);
    match runtime(&opts).block_on(serving) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("serve {}: {e:?}", opts.addr);
            ExitCode::FAILURE
        }
    }
}
