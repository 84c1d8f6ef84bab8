//! Tracing: one trace goes through a call and the call that its handler makes, by W3C trace context in the metadata.

use rpcx::client::CallOptions;
use rpcx::interceptor::{TRACEPARENT, Trace};
use rpcx::{Client, Context, Result, Server};

/// `traceparent` is `00-<trace>-<span>-<flags>`; Go's OpenTelemetry plugins read and write the same.
fn show(who: &str, ctx: &Context) {
    println!("{who}: {}", ctx.metadata().get(TRACEPARENT).unwrap_or("no trace"));
}

async fn price(ctx: Context, item: String) -> Result<u64> {
    show("Prices.Of  ", &ctx);
    Ok(item.len() as u64)
}

#[tokio::main]
async fn main() -> Result<()> {
    // Each interceptor makes a span of the `tracing` crate for each call, for whichever subscriber the program has.
    // `.option("trace", "true")` does the same by name.
    let prices = Server::builder()
        .function("Prices", "Of", price)
        .interceptor(Trace::server())
        .bind("tcp@127.0.0.1:0")
        .start()
        .await?;
    let nested = Client::builder()
        .discovery_url(&prices.addresses()[0].to_string())
        .interceptor(Trace::client())
        .build()?
        .service("Prices")?;
    let orders = Server::builder()
        .function("Orders", "Place", move |ctx: Context, items: Vec<String>| {
            let nested = nested.clone();
            async move {
                show("Orders.Place", &ctx);
                let mut sum = 0;
                for item in &items {
                    // The parent hands on its trace, its baggage and what is left of its deadline.
                    let options = CallOptions::new().parent(&ctx);
                    sum += nested.call_with::<_, u64>("Of", item, &options).await?.value;
                }
                Ok(sum)
            }
        })
        .interceptor(Trace::server())
        .bind("tcp@127.0.0.1:0")
        .start()
        .await?;

    let client =
        Client::builder().discovery_url(&orders.addresses()[0].to_string()).interceptor(Trace::client()).build()?;
    let sum: u64 = client.service("Orders")?.call("Place", &["tea", "honey"]).await?;
    println!("to pay: {sum}");
    Ok(())
}
