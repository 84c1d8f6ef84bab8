//! The client of Go's own examples: calls the service `Arith` of a Go server or of `arith-server`.
//!
//! ```text
//! arith-client [--addr tcp@127.0.0.1:8972]
//! ```

mod addr;
mod service;

use rpcx::{Client, Result};
use service::{Args, ArithClient};

#[tokio::main]
async fn main() -> Result<()> {
    let client = Client::new(&addr::from_arguments())?;
    let arith = ArithClient::new(&client)?;
    let args = Args { a: 10, b: 20 };
    println!("10 x 20 = {}", arith.mul(&args).await?.c);
    // A server of Go's examples may have only `Mul`: what it lacks it says, and the program goes on.
    match arith.add(&args).await {
        Ok(reply) => println!("10 + 20 = {}", reply.c),
        Err(error) => println!("10 + 20: {error}"),
    }
    for args in [Args { a: 20, b: 10 }, Args { a: 20, b: 0 }] {
        match arith.div(&args).await {
            Ok(reply) => println!("{} / {} = {}", args.a, args.b, reply.c),
            Err(error) => println!("{} / {}: {error}", args.a, args.b),
        }
    }
    match arith.say(&"ada".to_owned()).await {
        Ok(greeting) => println!("{greeting}"),
        Err(error) => println!("say: {error}"),
    }
    Ok(())
}
