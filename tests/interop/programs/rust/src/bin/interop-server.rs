//! The interop server.

#[tokio::main]
async fn main() -> std::io::Result<()> {
    rpcx_interop::server::run().await?;
    // Without waiting for blocking handlers that outlast the shutdown.
    std::process::exit(0)
}
