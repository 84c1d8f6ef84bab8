//! Metrics: the statistics of a server and a client on one HTTP address, as Prometheus asks for them.

use std::sync::Arc;

use rpcx::stats::{Exposition, MetricsListener};
use rpcx::{Client, Context, Result, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::builder()
        .function("Arith", "Add", |_ctx: Context, (a, b): (i64, i64)| async move { Ok(a + b) })
        .bind("tcp@127.0.0.1:0")
        .start()
        .await?;
    let client = Client::new(&server.addresses()[0].to_string())?;
    let server = Arc::new(server);

    // A bare port is on loopback; a real program names one, such as "9464". It serves until it is dropped. For one client or
    // server alone `.option("metrics_address", "9464")` is enough.
    let (of_server, of_client) = (server.clone(), client.clone());
    let listener = MetricsListener::bind("0", move || {
        Exposition::new().server("", &of_server.stats()).client("orders", &of_client.stats()).render()
    })
    .await?;

    for n in 0..5 {
        let _: i64 = client.service("Arith")?.call("Add", &(n, n)).await?;
    }
    let scrape = async {
        let mut stream = TcpStream::connect(listener.address()).await?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    };
    let answer = scrape.await.map_err(|error: std::io::Error| error.to_string())?;
    for line in answer.lines().filter(|line| line.contains("calls_total") || line.contains("duration_seconds_count")) {
        println!("{line}");
    }
    Ok(())
}
