//! Server push: messages that a server sends on its own, over the connection that a client has opened.

use std::time::Duration;

use rpcx::protocol::metadata::Metadata;
use rpcx::{Client, Context, Result, Server};

/// Subscribes the caller: a task pushes it three messages after the answer.
async fn subscribe(ctx: Context, topic: String) -> Result<String> {
    let connection = ctx.connection();
    let subscribed = format!("{} is told about {topic}", connection.peer());
    tokio::spawn(async move {
        for number in 1..=3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let mut metadata = Metadata::new();
            metadata.insert("number", number.to_string());
            let text = format!("news about {topic}");
            if let Err(error) = connection.push("News", &topic, &metadata, text.as_bytes()) {
                println!("server: {error}");
                return;
            }
        }
    });
    Ok(subscribed)
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::builder().function("News", "Subscribe", subscribe).bind("tcp@127.0.0.1:0").start().await?;
    let client = Client::new(&server.addresses()[0].to_string())?;
    let mut pushes = client.pushes();

    let subscribed: String = client.service("News")?.call("Subscribe", "rust").await?;
    println!("{subscribed}");
    for _ in 0..3 {
        match tokio::time::timeout(Duration::from_secs(5), pushes.next()).await {
            Ok(Some(push)) => println!(
                "{}.{} number {}: {}",
                push.service(),
                push.method(),
                push.metadata().get("number").unwrap_or("?"),
                String::from_utf8_lossy(&push.payload())
            ),
            Ok(None) => return Err("the client was closed".into()),
            Err(_) => return Err("a push did not arrive".into()),
        }
    }
    // For every client: server.connections() lists them.
    println!("{} client is connected", server.connections().len());
    Ok(())
}
