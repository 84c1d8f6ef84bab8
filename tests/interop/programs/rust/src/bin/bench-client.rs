//! Calls `Hello.Say` in a closed loop, with every default on, and prints what it measured.

use bench_harness::{BenchmarkMessage, Caller, Opts, caller_loop, is_ok, request, run_client};
use rpcx::Client;
use rpcx_interop::args::{Args, refuse};
use rpcx_interop::governance;
use rpcx_interop::hello::HelloClient;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use tokio::task::JoinSet;

const USAGE: &str = "\
usage: bench-client --addr HOST:PORT --conns N --concurrency N --seconds S [--warmup S] [--server-pid PID]
                    [--rt shards|mt] [--threads N] [--governance on|off]

Runs N callers in a closed loop over N connections, checks every reply, and prints one JSON line.

  --rt shards    on shards (threads with a runtime each), the default; --threads N shards, one unless given
  --rt mt        on tokio's multi-thread runtime; --threads N workers, one per core unless given
  --governance on  with circuit breakers, outlier ejection, statistics of each server and a log of slow calls beside
                 the defaults; off unless given
";

/// One connection's method, and the message that every caller sends.
#[derive(Clone)]
struct Say {
    hello: Arc<HelloClient>,
    message: Arc<BenchmarkMessage>,
}

impl Say {
    /// A client has one connection to a server, so a client per connection. The first call opens it.
    async fn connect(opts: &Opts) -> Result<Say, String> {
        let mut builder = Client::builder().discovery_url(&format!("tcp@{}", opts.addr));
        for (name, value) in governance::options(opts.get("governance", "off"), governance::CLIENT)? {
            builder = builder.option(name, value);
        }
        let client = builder.build().map_err(|e| e.to_string())?;
        let hello = HelloClient::new(&client).map_err(|e| e.to_string())?;
        let mut say = Say { hello: Arc::new(hello), message: Arc::new(request()) };
        say.call().await?;
        Ok(say)
    }
}

impl Caller for Say {
    async fn call(&mut self) -> Result<(), String> {
        let reply = self.hello.say(&self.message).await.map_err(|e| e.to_string())?;
        if is_ok(&reply) { Ok(()) } else { Err("a reply without OK and 100".into()) }
    }
}

fn main() -> ExitCode {
    let own = ["rt", "threads", "governance", "peer"];
    let shared = ["addr", "conns", "concurrency", "seconds", "warmup", "server-pid"];
    Args::parse(USAGE, &[&shared[..], &own].concat());
    let opts = Opts::client("rpcx");
    match opts.get("rt", "shards") {
        "shards" => on_shards(&opts),
        "mt" => run_client(&opts, |_| {
            let opts = opts.clone();
            async move { Say::connect(&opts).await }
        }),
        other => refuse(&format!("--rt {other}: expected shards or mt"), USAGE),
    }
}

/// Deals the connections out to the shards; each stays, with its callers, on one of them.
fn on_shards(opts: &Opts) -> ExitCode {
    let shards = opts.num("threads", 1).max(1);
    let (connected, all) = mpsc::channel();
    std::thread::scope(|scope| {
        let running = scope.spawn(move || {
            rpcx::shard::per_core(shards, |shard| {
                let connected = connected.clone();
                async move {
                    let mut callers = JoinSet::new();
                    for connection in (shard..opts.conns).step_by(shards) {
                        let result = Say::connect(opts).await;
                        if let Ok(say) = &result {
                            for _ in 0..opts.callers_on(connection) {
                                callers.spawn(caller_loop(say.clone()));
                            }
                        }
                        // Nobody listens any more once one has failed.
                        let _ = connected.send(result.map(drop));
                    }
                    callers.join_all().await;
                }
            })
        });
        // It ends early when the shards could not be made, which `join` tells.
        if let Some(Err(why)) = all.iter().take(opts.conns).find(Result::is_err) {
            eprintln!("bench-client: {why}");
            std::process::exit(1);
        }
        let code = if running.is_finished() { ExitCode::FAILURE } else { bench_harness::finish(opts) };
        match running.join() {
            Ok(Ok(_)) => code,
            Ok(Err(error)) => {
                eprintln!("bench-client: {error}");
                ExitCode::FAILURE
            }
            Err(_) => ExitCode::FAILURE,
        }
    })
}
