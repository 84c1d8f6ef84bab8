//! A server that announces itself, as a process of its own: `rpcx-registries-server REGISTRY-URL [name=value…]`.
//!
//! Options are those of the server, and `bind=ADDRESS`, `services=A,B`. It says its address when it is announced. SIGTERM shuts
//! it down; so does the end of its input, after the line `keep` without leaving the registry.

use bytes::Bytes;
use rpcx::discovery::Schemes;
use rpcx::server::{Context, Server, Shutdown};
use std::io::BufRead;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// What Go's peer sends.
#[derive(serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Factors {
    a: i64,
    b: i64,
}

#[derive(serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Product {
    c: i64,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> rpcx::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let registry = arguments.next().unwrap_or_default();
    let (mut bind, mut services) = ("tcp@127.0.0.1:0".to_owned(), "Arith,Arith2".to_owned());
    let schemes = Schemes::default()
        .with(librpcx_consul::scheme())
        .with(librpcx_etcd::scheme())
        .with(librpcx_mdns::scheme())
        .with(librpcx_nacos::scheme())
        .with(librpcx_redis::scheme())
        .with(librpcx_zookeeper::scheme());
    let mut builder = Server::builder().schemes(schemes);
    for argument in arguments {
        match argument.split_once('=') {
            Some(("bind", value)) => bind = value.to_owned(),
            Some(("services", value)) => services = value.to_owned(),
            Some((name, value)) => builder = builder.option(name, value),
            None => eprintln!("{argument}: not name=value"),
        }
    }
    for service in services.split(',') {
        builder = builder.raw(service, "Echo", |_: Context, payload: Bytes| async move { Ok(payload) }).function(
            service,
            "Mul",
            |_: Context, factors: Factors| async move { Ok(Product { c: factors.a * factors.b }) },
        );
    }
    // Before anybody knows of it: a signal until then would end it without a farewell.
    let mut ended = signal(SignalKind::terminate())
        .map_err(|error| rpcx::Error::new(rpcx::Reason::InternalSystem, error.to_string()))?;
    let server = builder.bind(bind).registry_url(&registry).start().await?;
    server.announced(Duration::from_secs(30)).await?;
    println!("serving {}", server.addresses()[0]);
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let mut how = Shutdown::within(Duration::from_secs(10));
    loop {
        tokio::select! {
            _ = ended.recv() => break,
            line = lines.recv() => match line.as_deref() {
                None => break,
                Some("keep") => how = how.keep_registered(),
                Some(other) => eprintln!("{other}: what is that?"),
            }
        }
    }
    server.shutdown(how).await?;
    println!("ended");
    Ok(())
}
