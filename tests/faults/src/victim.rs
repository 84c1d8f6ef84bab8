//! The server process that the tests kill, stop and flood. It prints its address and runs until its standard input ends.
//!
//! Arguments: `bind=ADDRESS`, `notes=FILE` for `T.Note`, and options of the server as `NAME=VALUE`.

use bytes::Bytes;
use rpcx::{Context, Server};
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> rpcx::Result<()> {
    let mut server = Server::builder()
        .raw("T", "Echo", |_: Context, payload: Bytes| async move { Ok(payload) })
        .raw("T", "Hold", |ctx: Context, _: Bytes| async move {
            ctx.cancelled().await;
            Ok(Bytes::new())
        })
        .raw("T", "Sleep", |_: Context, millis: Bytes| async move {
            let millis = millis.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            tokio::time::sleep(Duration::from_millis(millis)).await;
            Ok(millis.to_be_bytes().to_vec().into())
        })
        .raw("T", "Many", |_: Context, size: Bytes| async move {
            let size = size.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            Ok(vec![7; size].into())
        });
    let mut bind = "tcp@127.0.0.1:0".to_owned();
    let mut notes = None;
    for argument in std::env::args().skip(1) {
        match argument.split_once('=') {
            Some(("bind", address)) => bind = address.to_owned(),
            Some(("notes", path)) => notes = Some(path.to_owned()),
            Some((name, value)) => server = server.option(name, value),
            None => server = server.option(&argument, ""),
        }
    }
    if let Some(path) = notes {
        let file = Arc::new(OpenOptions::new().create(true).append(true).open(path).map_err(text)?);
        server = server.raw("T", "Note", move |_: Context, line: Bytes| {
            let file = file.clone();
            async move {
                // The system has it before the work begins: what is noted here survives the process.
                (&*file).write_all(&[&line, &b"\n"[..]].concat()).map_err(text)?;
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(Bytes::new())
            }
        });
    }
    let server = server.bind(bind).start().await?;
    println!("{}", server.addresses()[0]);
    // The end of the process that began this one is the end of this one.
    let input = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    // However reading fails, nobody is there any more.
    let _ = input.await;
    server.close();
    Ok(())
}

fn text(error: std::io::Error) -> rpcx::Error {
    error.to_string().into()
}
