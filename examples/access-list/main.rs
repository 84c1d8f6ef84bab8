//! Who may connect: lists of addresses and networks, looked at before a byte is read, and changed while the server runs.

use rpcx::interceptor::AccessList;
use rpcx::{Client, Context, Result, Server};

async fn greet(server: &Server) -> Result<String> {
    // A client of its own: open connections are not looked at again.
    let client = Client::new(&server.addresses()[0].to_string())?;
    client.service("Greeter")?.call("Greet", &"you").await
}

fn show(what: &str, result: Result<String>) {
    match result {
        Ok(text) => println!("{what}: {text}"),
        // The server says nothing to those it keeps out: their connection just ends.
        Err(error) => println!("{what}: refused (kind {})", error.kind()),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::builder()
        .function("Greeter", "Greet", |_ctx: Context, name: String| async move { Ok(format!("hello {name}")) })
        .option("access.allow", "127.0.0.0/8, ::1, 10.0.0.0/8")
        .option("access.deny", "10.6.6.6")
        .bind("tcp@127.0.0.1:0")
        .start()
        .await?;
    show("loopback is allowed", greet(&server).await);

    server.set_access(AccessList::new([], ["127.0.0.1".parse()?]));
    show("now it is denied", greet(&server).await);

    server.set_access(AccessList::default());
    show("now everyone may", greet(&server).await);
    println!("refused connections: {}", server.stats().refused.access_list);
    Ok(())
}
