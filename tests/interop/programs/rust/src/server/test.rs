//! `Test`: time, failures, metadata, pushes, and what the server knows of its callers.

use super::echo::echo_metadata;
use super::tally::Tally;
use crate::messages::{
    CountArgs, CountReply, MsReply, NestedArgs, Nothing, PeerReply, PushArgs, SleepArgs, SleepReply, TextArgs,
};
use rpcx::client::{CallOptions, Client};
use rpcx::protocol::metadata::Metadata;
use rpcx::{Context, Error, ErrorKind};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a cancelled handler holds its error back, so that the caller's own clock speaks first.
const HOLD: Duration = Duration::from_millis(100);

#[rpcx::service]
pub(super) trait Test {
    async fn sleep(&self, ctx: &Context, args: SleepArgs) -> rpcx::Result<SleepReply>;
    #[rpc(blocking)]
    fn block(&self, ctx: &Context, args: SleepArgs) -> rpcx::Result<SleepReply>;
    async fn fail(&self, ctx: &Context, args: TextArgs) -> rpcx::Result<()>;
    async fn panic(&self, ctx: &Context, args: TextArgs) -> rpcx::Result<()>;
    async fn count(&self, ctx: &Context, args: CountArgs) -> rpcx::Result<CountReply>;
    async fn deadline(&self, ctx: &Context, args: Nothing) -> rpcx::Result<MsReply>;
    async fn peer(&self, ctx: &Context, args: Nothing) -> rpcx::Result<PeerReply>;
    async fn nested(&self, ctx: &Context, args: NestedArgs) -> rpcx::Result<MsReply>;
    async fn push(&self, ctx: &Context, args: PushArgs) -> rpcx::Result<Nothing>;
    async fn close(&self, ctx: &Context, args: Nothing) -> rpcx::Result<()>;
}

pub(super) struct TestService {
    tally: Arc<Tally>,
    /// For nested calls, by address.
    clients: Mutex<HashMap<String, Client>>,
}

impl TestService {
    pub(super) fn new(tally: Arc<Tally>) -> TestService {
        TestService { tally, clients: Mutex::default() }
    }

    fn client(&self, address: &str) -> rpcx::Result<Client> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(address) {
            return Ok(client.clone());
        }
        // No deadline but the one that a call inherits.
        let client = Client::builder().option("timeout", "0").discovery_url(address).build()?;
        clients.insert(address.to_owned(), client.clone());
        Ok(client)
    }

    /// Sleeps, unless the call is cancelled meanwhile: then it counts as such, and the error comes later.
    async fn sleep<T>(
        &self,
        ctx: &Context,
        duration: Duration,
        slept: impl FnOnce() -> rpcx::Result<T>,
    ) -> rpcx::Result<T> {
        let running = self.tally.begin(ctx);
        tokio::select! {
            () = tokio::time::sleep(duration) => running.end(slept()),
            () = ctx.cancelled() => {
                drop(running);
                tokio::time::sleep(HOLD).await;
                Err(cancelled())
            }
        }
    }
}

impl Test for TestService {
    async fn sleep(&self, ctx: &Context, args: SleepArgs) -> rpcx::Result<SleepReply> {
        self.sleep(ctx, millis(args.ms), || Ok(SleepReply { slept: args.ms })).await
    }

    fn block(&self, ctx: &Context, args: SleepArgs) -> rpcx::Result<SleepReply> {
        let running = self.tally.begin(ctx);
        let until = Instant::now() + millis(args.ms);
        while Instant::now() < until {
            if ctx.is_cancelled() {
                drop(running);
                std::thread::sleep(HOLD);
                return Err(cancelled());
            }
            std::thread::sleep(Duration::from_millis(10).min(until.saturating_duration_since(Instant::now())));
        }
        running.end(Ok(SleepReply { slept: args.ms }))
    }

    async fn fail(&self, ctx: &Context, args: TextArgs) -> rpcx::Result<()> {
        self.tally.run(ctx, async { Err(args.text.into()) }).await
    }

    async fn panic(&self, ctx: &Context, args: TextArgs) -> rpcx::Result<()> {
        self.tally.run(ctx, async { panic!("{}", args.text) }).await
    }

    async fn count(&self, ctx: &Context, args: CountArgs) -> rpcx::Result<CountReply> {
        self.tally.run(ctx, async { Ok(self.tally.of(&args.method)) }).await
    }

    async fn deadline(&self, ctx: &Context, _args: Nothing) -> rpcx::Result<MsReply> {
        self.tally.run(ctx, async { Ok(left(ctx)) }).await
    }

    async fn peer(&self, ctx: &Context, _args: Nothing) -> rpcx::Result<PeerReply> {
        let subject = || ctx.tls()?.subject.clone();
        let peer = async { Ok(PeerReply { address: ctx.peer().to_owned(), tls: subject().unwrap_or_default() }) };
        self.tally.run(ctx, peer).await
    }

    async fn nested(&self, ctx: &Context, args: NestedArgs) -> rpcx::Result<MsReply> {
        if args.depth <= 0 {
            let woken = || {
                echo_metadata(ctx);
                Ok(left(ctx))
            };
            return self.sleep(ctx, millis(args.ms), woken).await;
        }
        let call = async {
            let test = self.client(&args.address)?.service("Test")?;
            let inner = NestedArgs { depth: args.depth - 1, ..args };
            let response = test.call_with("Nested", &inner, &CallOptions::new().parent(ctx)).await?;
            for (key, value) in response.metadata.iter().filter(|(key, _)| !key.starts_with("__")) {
                ctx.set_metadata(key, value);
            }
            Ok(response.value)
        };
        self.tally.run(ctx, call).await
    }

    async fn push(&self, ctx: &Context, args: PushArgs) -> rpcx::Result<Nothing> {
        let push = async {
            for n in 0..args.count {
                let metadata = Metadata::from_iter([("n", n.to_string())]);
                let text = format!("{}-{n}", args.text);
                while let Err(error) = ctx.push("Test", "Pushed", &metadata, text.as_bytes()) {
                    if error.kind() != ErrorKind::Limit {
                        return Err(error);
                    }
                    // So many wait that the connection takes no more for now.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            Ok(Nothing {})
        };
        self.tally.run(ctx, push).await
    }

    async fn close(&self, ctx: &Context, _args: Nothing) -> rpcx::Result<()> {
        let close = async {
            ctx.connection().close();
            Ok(())
        };
        self.tally.run(ctx, close).await
    }
}

fn cancelled() -> Error {
    "the call was cancelled while its handler slept".into()
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(ms.try_into().unwrap_or(0))
}

fn left(ctx: &Context) -> MsReply {
    MsReply { ms: ctx.remaining().map_or(-1, |left| left.as_millis().try_into().unwrap_or(i64::MAX)) }
}
