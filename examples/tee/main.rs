//! A tee: what clients send is recorded, and sent again to another server.

use rpcx::interceptor::Tee;
use rpcx::protocol::{Decoder, Limits};
use rpcx::{Client, Context, Result, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn server(name: &'static str, tee: Option<Tee>) -> Result<Server> {
    let mut builder = Server::builder().bind("tcp@127.0.0.1:0").function(
        "Arith",
        "Add",
        move |_ctx: Context, (a, b): (i64, i64)| async move {
            println!("  {name}: {a} + {b}");
            Ok(a + b)
        },
    );
    if let Some(tee) = tee {
        builder = builder.tee(tee);
    }
    builder.start().await
}

#[tokio::main]
async fn main() -> Result<()> {
    // At most 1 MiB waits to be taken; what comes beyond is dropped and counted, and no connection waits for it.
    let (tee, mut copies) = Tee::new(1 << 20);
    let recorded = server("recorded", Some(tee.clone())).await?;
    let client = Client::new(&recorded.addresses()[0].to_string())?;
    for pair in [(1, 2), (3, 4)] {
        let _: i64 = client.service("Arith")?.call("Add", &pair).await?;
    }
    client.close();

    let mut recording = Vec::new();
    while let Some(chunk) = copies.next().await {
        if chunk.bytes.is_empty() {
            println!("connection {} of {} has ended", chunk.connection, chunk.peer);
            break;
        }
        recording.extend_from_slice(&chunk.bytes);
    }
    println!("{} bytes recorded, {} lost", recording.len(), tee.lost_bytes());

    let replayed = server("replayed", None).await?;
    let address = replayed.addresses()[0].to_string();
    let again = async {
        let mut stream = TcpStream::connect(address.trim_start_matches("tcp@")).await?;
        stream.write_all(&recording).await?;
        // Three answers: to what a connection says first, and to the calls.
        let mut decoder = Decoder::new(Limits::default());
        let mut answers = 0;
        while answers < 3 {
            match decoder.next() {
                Ok(Some(_)) => answers += 1,
                Ok(None) if stream.read_buf(decoder.buffer()).await? > 0 => {}
                _ => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            }
        }
        Ok(())
    };
    again.await.map_err(|error: std::io::Error| error.to_string())?;
    println!("sent again, and answered");
    Ok(())
}
