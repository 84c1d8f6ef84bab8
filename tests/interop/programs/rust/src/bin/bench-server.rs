//! Serves `Hello.Say` for benchmarks, with every default on.

use bench_harness::Opts;
use rpcx::Server;
use rpcx_interop::args::Args;
use rpcx_interop::governance;
use rpcx_interop::hello::{HelloServer, Plain};
use rpcx_interop::signal;
use std::io;
use std::process::ExitCode;

const USAGE: &str = "\
usage: bench-server --addr HOST:PORT [--rt shards|mt] [--threads N] [--governance on|off]

Serves Hello.Say until SIGTERM.

  --rt shards    one shard (a thread with its own runtime) per core, the default
  --rt mt        tokio's multi-thread runtime
  --threads N    so many shards or worker threads instead of one per core
  --governance on  with an access list, rate limits of every kind that nothing reaches, and a log of slow calls beside the
                 defaults; off unless given
";

fn main() -> ExitCode {
    Args::parse(USAGE, &["addr", "rt", "threads", "governance"]);
    match serve(&Opts::server("rpcx")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-server: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve(opts: &Opts) -> Result<(), Box<dyn std::error::Error>> {
    let mut server = Server::builder().service(HelloServer(Plain)).bind(format!("tcp@{}", opts.addr));
    for (name, value) in governance::options(opts.get("governance", "off"), governance::SERVER)? {
        server = server.option(name, value);
    }
    match opts.get("rt", "shards") {
        "shards" => {
            let running = server.serve_per_core(opts.num("threads", 0))?;
            wait_for_the_end()?;
            running.close();
        }
        "mt" => bench_harness::runtime(opts).block_on(async {
            let end = signal::end()?;
            let running = server.start().await?;
            end.await;
            running.close();
            Ok::<(), Box<dyn std::error::Error>>(())
        })?,
        other => return Err(format!("--rt {other}: expected shards or mt").into()),
    }
    Ok(())
}

fn wait_for_the_end() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        signal::end()?.await;
        Ok(())
    })
}
