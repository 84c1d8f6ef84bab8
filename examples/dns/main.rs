//! Servers found by DNS: every address of a name, with a port that is given.

use rpcx::discovery::Schemes;
use rpcx::{Client, Context, Result, Server};

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::builder()
        .function("Arith", "Add", |_ctx: Context, (a, b): (i64, i64)| async move { Ok(a + b) })
        .bind("tcp4@127.0.0.1:0")
        .start()
        .await?;
    let port = server.addresses()[0].port().unwrap_or_default();

    // A crate's scheme is added to those that the library knows. SRV records have ports and weights of their own:
    // dns://_rpcx._tcp.arith.example.org
    let schemes = Schemes::default().with(librpcx_dns::scheme());
    let client = Client::builder()
        .schemes(schemes)
        .discovery_url(&format!("dns://localhost:{port}?network=tcp4&interval=10s"))
        .build()?;
    let sum: i64 = client.service("Arith")?.call("Add", &(1, 2)).await?;
    println!("1 + 2 = {sum}, at an address of localhost");
    Ok(())
}
