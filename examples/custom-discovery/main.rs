//! A registry of your own: here a folder, in which each server has a file. Reconnecting, stale lists, and the servers that
//! one answer forgot are the library's business; yours are the two traits.

mod folder;

use std::time::Duration;

use folder::FolderScheme;
use rpcx::discovery::Schemes;
use rpcx::{Client, Context, Result, Server};

async fn start(name: &'static str, registry: &str) -> Result<Server> {
    Server::builder()
        .function("Who", "Am", move |_ctx: Context, (): ()| async move { Ok(name.to_owned()) })
        .bind("tcp@127.0.0.1:0")
        .option("metadata", "weight=2")
        .schemes(Schemes::default().with(FolderScheme))
        .registry_url(registry)
        .start()
        .await
}

#[tokio::main]
async fn main() -> Result<()> {
    let path = std::env::temp_dir().join(format!("rpcx-example-folder-{}", std::process::id()));
    let url = format!("folder://{}", path.display());
    let one = start("one", &url).await?;
    let two = start("two", &url).await?;

    let schemes = Schemes::default().with(FolderScheme);
    let client = Client::builder().schemes(schemes).discovery_url(&url).build()?;
    let who = client.service("Who")?;
    for _ in 0..4 {
        let name: String = who.call("Am", &()).await?;
        println!("{name} answers");
    }

    println!("one shuts down, and is out of the registry before it is gone");
    one.shutdown(Duration::from_secs(5)).await?;
    for _ in 0..4 {
        let name: String = who.call("Am", &()).await?;
        println!("{name} answers");
    }
    client.close();
    two.shutdown(Duration::from_secs(5)).await?;
    // What cannot be removed is left to the system, which clears its folder.
    let _ = std::fs::remove_dir_all(&path);
    Ok(())
}
