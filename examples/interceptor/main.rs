//! Interceptors: code around every call, on the client outside retries, on the server around the handler.

use std::time::Instant;

use rpcx::interceptor::{BoxFuture, Call, Interceptor, Next, Reply};
use rpcx::{Client, Context, Error, Reason, Result, Server};

/// Prints each call with the time it took.
struct Timing(&'static str);

impl Interceptor for Timing {
    fn intercept<'a>(&'a self, call: &'a mut Call, next: Next<'a>) -> BoxFuture<'a, Result<Reply>> {
        Box::pin(async move {
            let name = format!("{}.{}", call.service, call.method);
            let begin = Instant::now();
            let result = next.run(call).await;
            let end = result.as_ref().map_or_else(|error| error.kind().as_str(), |_| "ok");
            println!("  {}: {name} {end} in {} us", self.0, begin.elapsed().as_micros());
            result
        })
    }
}

/// Marks every request of a client.
struct Mark;

impl Interceptor for Mark {
    fn intercept<'a>(&'a self, call: &'a mut Call, next: Next<'a>) -> BoxFuture<'a, Result<Reply>> {
        call.metadata.insert("tenant", "blue");
        next.run(call)
    }
}

/// Lets only one tenant in; the others never reach a handler.
struct OnlyBlue;

impl Interceptor for OnlyBlue {
    fn intercept<'a>(&'a self, call: &'a mut Call, next: Next<'a>) -> BoxFuture<'a, Result<Reply>> {
        Box::pin(async move {
            if call.metadata.get("tenant") != Some("blue") {
                return Err(Error::new(Reason::ServiceError, "this server is for the tenant blue"));
            }
            let mut reply = next.run(call).await?;
            reply.metadata.insert("served-by", "blue");
            Ok(reply)
        })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::builder()
        .function("Arith", "Add", |_ctx: Context, (a, b): (i64, i64)| async move { Ok(a + b) })
        .interceptor(Timing("server"))
        .interceptor(OnlyBlue)
        .bind("tcp@127.0.0.1:0")
        .start()
        .await?;
    let address = server.addresses()[0].to_string();

    let marked = Client::builder().discovery_url(&address).interceptor(Timing("client")).interceptor(Mark).build()?;
    let sum: i64 = marked.service("Arith")?.call("Add", &(1, 2)).await?;
    println!("1 + 2 = {sum}");

    let plain = Client::new(&address)?;
    let refused: Result<i64> = plain.service("Arith")?.call("Add", &(1, 2)).await;
    match refused {
        Ok(sum) => println!("1 + 2 = {sum}, though nobody should have answered"),
        Err(error) => println!("without the mark: {error}"),
    }
    Ok(())
}
