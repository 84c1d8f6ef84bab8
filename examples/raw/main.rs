//! Raw payloads: bytes in, bytes out, in whatever format they are. What proxies, gateways and formats of one's own need.

use bytes::Bytes;
use rpcx::{Client, Context, Result, Server};

#[tokio::main]
async fn main() -> Result<()> {
    // A raw handler takes every serialize type: the payload is neither decoded nor encoded.
    let reverse = |ctx: Context, payload: Bytes| async move {
        println!("  server: {} bytes, serialize type {}", payload.len(), ctx.serialize_type());
        Ok(payload.iter().rev().copied().collect::<Bytes>())
    };
    // What no other method takes comes here.
    let unknown = |ctx: Context, payload: Bytes| async move {
        println!("  server: {}.{} is not registered", ctx.service(), ctx.method());
        Ok(payload)
    };
    let server =
        Server::builder().raw("Bytes", "Reverse", reverse).fallback(unknown).bind("tcp@127.0.0.1:0").start().await?;
    let client = Client::new(&server.addresses()[0].to_string())?;

    let bytes = client.service("Bytes")?.raw();
    let reversed: Bytes = bytes.call("Reverse", &b"desserts"[..]).await?;
    println!("desserts reversed: {}", String::from_utf8_lossy(&reversed));
    let echoed: Bytes = bytes.call("NoSuchMethod", &b"echo"[..]).await?;
    println!("from the fallback: {}", String::from_utf8_lossy(&echoed));

    // The same handler called with MessagePack: the text "ab" is the bytes A2 61 62.
    let result: Result<String> = client.service("Bytes")?.call("Reverse", "ab").await;
    match result {
        Ok(text) => println!("a reversed text: {text:?}"),
        Err(error) => println!("a reversed MessagePack text is none: {error}"),
    }
    Ok(())
}
