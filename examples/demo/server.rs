//! One server of the demo, in a process of its own: it ends when its standard input does.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use rpcx::client::CallOptions;
use rpcx::interceptor::{BoxFuture, Call, Interceptor, Next, Reply as Answer};
use rpcx::protocol::metadata::Metadata;
use rpcx::{Client, Context, Error, Reason, Result, Server};
use tokio::io::AsyncReadExt;

use crate::service::{Args, Arith, ArithServer, Counts, Figures, Lab, LabClient, LabServer, Relay, Reply};

/// Serves at `address` and says where on the first line. `moody`: it can be told to refuse calls.
pub(crate) async fn run(address: &str, moody: bool) -> Result<()> {
    // The panic of the demo is on purpose; its caller prints the text.
    std::panic::set_hook(Box::new(|_| {}));
    let state = Arc::new(State::default());
    let mut server = Server::builder()
        .service(ArithServer(Calculator))
        .service(LabServer(Laboratory(state.clone())))
        .raw("Bytes", "Echo", |_ctx: Context, payload: Bytes| async move { Ok(payload) });
    if moody {
        server = server.interceptor(Moods(state.clone()));
    }
    let server = server.bind(address).start().await?;
    println!("listening on {}", server.addresses()[0]);
    let server = Arc::new(server);
    state.server.get_or_init(|| Arc::downgrade(&server));
    let mut input = tokio::io::stdin();
    let mut byte = [0];
    while input.read(&mut byte).await.is_ok_and(|read| read > 0) {}
    server.shutdown(Duration::from_secs(2)).await
}

struct Calculator;

impl Arith for Calculator {
    async fn mul(&self, _ctx: &Context, args: Args) -> Result<Reply> {
        Ok(Reply { c: args.a.wrapping_mul(args.b) })
    }

    async fn div(&self, _ctx: &Context, args: Args) -> Result<Reply> {
        let c = args.a.checked_div(args.b).ok_or("divide by zero")?;
        Ok(Reply { c })
    }
}

#[derive(Default)]
struct State {
    /// Weak, since the server owns its services: each would keep the other for ever.
    server: OnceLock<Weak<Server>>,
    notes: AtomicU64,
    begun: AtomicU64,
    given_up: AtomicU64,
    refuses: AtomicBool,
}

/// Refuses `Arith` while it is told to, as an overloaded server does: before any handler has begun.
struct Moods(Arc<State>);

impl Interceptor for Moods {
    fn intercept<'a>(&'a self, call: &'a mut Call, next: Next<'a>) -> BoxFuture<'a, Result<Answer>> {
        if call.service == "Arith" && self.0.refuses.load(Ordering::Relaxed) {
            return Box::pin(async { Err(Error::new(Reason::OverloadServer, "too much to do")) });
        }
        next.run(call)
    }
}

struct Laboratory(Arc<State>);

impl Lab for Laboratory {
    async fn greet(&self, ctx: &Context, name: String) -> Result<String> {
        let metadata = ctx.metadata();
        let language = metadata.get("language").unwrap_or("en");
        ctx.set_metadata("language", language);
        Ok(if language == "de" { format!("Guten Tag, {name}") } else { format!("Good day, {name}") })
    }

    async fn note(&self, _ctx: &Context, _text: String) -> Result<()> {
        self.0.notes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn counts(&self, _ctx: &Context, (): ()) -> Result<Counts> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Ok(Counts { notes: read(&self.0.notes), begun: read(&self.0.begun), given_up: read(&self.0.given_up) })
    }

    async fn wait(&self, ctx: &Context, milliseconds: u64) -> Result<()> {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(milliseconds)) => {}
            () = ctx.cancelled() => {
                self.0.given_up.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    async fn left(&self, ctx: &Context, (): ()) -> Result<u64> {
        let left = ctx.remaining().ok_or("the caller waits for ever")?;
        Ok(left.as_millis().try_into().unwrap_or(u64::MAX))
    }

    async fn relay(&self, ctx: &Context, to: Relay) -> Result<u64> {
        let other = LabClient::new(&Client::new(&to.address)?)?;
        let options = CallOptions::new().timeout(Duration::from_secs(3600)).parent(ctx);
        Ok(other.left_with(&(), &options).await?.value)
    }

    async fn subscribe(&self, ctx: &Context, messages: u32) -> Result<()> {
        for number in 1..=messages {
            ctx.push("News", "Number", &Metadata::new(), number.to_string().as_bytes())?;
        }
        Ok(())
    }

    async fn panic(&self, _ctx: &Context, text: String) -> Result<()> {
        panic!("{text}");
    }

    fn count_primes(&self, _ctx: &Context, below: u32) -> Result<u32> {
        let is_prime = |n: &u32| (2..*n).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
        let count = (2..below.min(1_000_000)).filter(is_prime).count();
        Ok(count.try_into().unwrap_or(u32::MAX))
    }

    async fn refuse(&self, _ctx: &Context, all: bool) -> Result<()> {
        self.0.refuses.store(all, Ordering::Relaxed);
        Ok(())
    }

    async fn figures(&self, _ctx: &Context, (): ()) -> Result<Figures> {
        let server = self.0.server.get().and_then(Weak::upgrade).ok_or("the server is starting or ending")?;
        let stats = server.stats();
        Ok(Figures {
            calls: stats.calls,
            errors: stats.errors.total(),
            panics: stats.panics,
            cancelled: stats.cancelled,
            connections: stats.connections.opened,
            bytes_in: stats.traffic.bytes_in,
            bytes_out: stats.traffic.bytes_out,
            reads: stats.traffic.reads,
            writes: stats.traffic.writes,
            pushes: stats.pushes.count,
        })
    }
}
