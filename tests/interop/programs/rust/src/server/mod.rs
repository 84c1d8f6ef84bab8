//! The interop server: every test service, on the addresses that the command line names.

mod arith;
mod echo;
mod tally;
mod test;
mod test_size;

use crate::args::{Args, refuse};
use crate::hello::{Hello, HelloServer};
use crate::signal;
use bench_harness::BenchmarkMessage;
use bytes::Bytes;
use rpcx::interceptor::BoxFuture;
use rpcx::server::{Authenticator, Context, Server, ServerBuilder};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tally::Tally;

const USAGE: &str = "\
usage: server --listen ADDRESS… [--meta QUERY] [--auth TOKEN] [--option NAME=VALUE…]
              [--tls-cert FILE --tls-key FILE [--tls-client-ca FILE]]

Serves the interop test services until SIGTERM. What ends in … takes several values or is repeated.

  --listen ADDRESS         tcp@127.0.0.1:0, unix@/run/x.sock, …; port 0 is chosen by the system
  --registry URL           where it announces itself; repeated for several
  --meta QUERY             metadata for the registry
  --auth TOKEN             every other token is refused
  --option NAME=VALUE      a server option by its name
  --tls-cert, --tls-key    PEM files; --tls-client-ca asks clients for a certificate
";

/// How long a stop waits for calls in progress.
const PATIENCE: Duration = Duration::from_secs(10);

/// The files of the command line, and the options they are.
const FILES: [(&str, &str); 3] = [("tls-cert", "tls.cert"), ("tls-key", "tls.key"), ("tls-client-ca", "tls.client_ca")];

/// Serves until SIGTERM, as the command line says.
///
/// # Errors
/// When the system refuses what a process needs. Mistakes of the command line end the process with status 2.
pub async fn run() -> std::io::Result<()> {
    let args =
        Args::parse(USAGE, &["listen", "registry", "meta", "auth", "option", "tls-cert", "tls-key", "tls-client-ca"]);
    let end = signal::end()?;
    let tally = Arc::new(Tally::default());
    let builder = builder(&args, &tally).unwrap_or_else(|misuse| refuse(&misuse, USAGE));
    let server = builder.start().await.unwrap_or_else(|error| refuse(&error.to_string(), USAGE));
    let addresses: Vec<String> = server.addresses().iter().map(|address| address.to_string()).collect();
    let version = env!("CARGO_PKG_VERSION");
    println!("{}", json!({"ready": true, "language": "rust", "version": version, "addresses": addresses}));
    end.await;
    if let Err(error) = server.shutdown(PATIENCE).await {
        eprintln!("{error}");
    }
    println!("{}", tally.stopped());
    Ok(())
}

fn builder(args: &Args, tally: &Arc<Tally>) -> Result<ServerBuilder, String> {
    if args.all("listen").is_empty() {
        return Err("--listen ADDRESS is missing".into());
    }
    let mut builder = services(Server::builder(), tally).schemes(crate::schemes());
    for url in args.all("registry") {
        builder = builder.registry_url(url);
    }
    if let Some(metadata) = args.one("meta")? {
        builder = builder.option("metadata", metadata);
    }
    for address in args.all("listen") {
        builder = builder.bind(address);
    }
    if let Some(token) = args.one("auth")? {
        builder = builder.authenticator(Token(token.to_owned()));
    }
    for option in args.all("option") {
        let (name, value) =
            option.split_once('=').ok_or_else(|| format!("--option {option}: write it as NAME=VALUE"))?;
        builder = builder.option(name, value);
    }
    for (argument, option) in FILES {
        if let Some(path) = args.one(argument)? {
            builder = builder.option(option, path);
        }
    }
    Ok(builder)
}

/// All services of the table.
fn services(builder: ServerBuilder, tally: &Arc<Tally>) -> ServerBuilder {
    let (say, greet, raw) = (tally.clone(), tally.clone(), tally.clone());
    builder
        .service(arith::ArithServer(arith::Calculator(tally.clone())))
        .function("Arith", "Say", move |ctx: Context, name: String| {
            let say = say.clone();
            async move { say.run(&ctx, async { Ok(format!("hello {name}")) }).await }
        })
        .alias("Alias", "Times", "Arith", "Mul")
        .service(echo::EchoServer(echo::Mirror(tally.clone())))
        .raw("Echo", "Raw", move |ctx: Context, payload: Bytes| {
            let raw = raw.clone();
            async move { raw.run(&ctx, async { Ok(payload) }).await }
        })
        .service(test::TestServer(test::TestService::new(tally.clone())))
        .method("Test", test_size::method(tally.clone()))
        .function("Fn", "Greet", move |ctx: Context, name: String| {
            let greet = greet.clone();
            async move { greet.run(&ctx, async { Ok(format!("hi {name}")) }).await }
        })
        .service(HelloServer(Counted(tally.clone())))
}

/// `Hello`, counted.
struct Counted(Arc<Tally>);

impl Hello for Counted {
    async fn say(&self, ctx: &Context, mut message: BenchmarkMessage) -> rpcx::Result<BenchmarkMessage> {
        let answer = async {
            bench_harness::answer(&mut message);
            Ok(message)
        };
        self.0.run(ctx, answer).await
    }
}

/// Lets one token pass.
struct Token(String);

impl Authenticator for Token {
    fn authenticate<'a>(&'a self, _ctx: &'a Context, token: &'a str) -> BoxFuture<'a, rpcx::Result<()>> {
        Box::pin(async move { if token == self.0 { Ok(()) } else { Err("invalid token".into()) } })
    }
}
