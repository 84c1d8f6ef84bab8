//! Aliases: a method keeps answering under its old name, and handlers see the new one only.

use rpcx::{Client, Context, Result, Server};

async fn mul(ctx: Context, (a, b): (i64, i64)) -> Result<i64> {
    println!("  server: {}.{}", ctx.service(), ctx.method());
    Ok(a * b)
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::builder()
        .function("Arith", "Mul", mul)
        .alias("Calculator", "Times", "Arith", "Mul")
        // The same by an option, as from a configuration file: .option("aliases", "Calculator.Times=Arith.Mul")
        .bind("tcp@127.0.0.1:0")
        .start()
        .await?;
    let client = Client::new(&server.addresses()[0].to_string())?;
    for (service, method) in [("Calculator", "Times"), ("Arith", "Mul")] {
        let product: i64 = client.service(service)?.call(method, &(6, 7)).await?;
        println!("{service}.{method}: {product}");
    }
    let stats = server.stats();
    println!("counted as {}.{}: {} calls", stats.methods[0].service, stats.methods[0].method, stats.methods[0].calls);
    Ok(())
}
