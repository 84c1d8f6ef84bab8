//! The interop driver.

#[tokio::main]
async fn main() -> std::io::Result<()> {
    rpcx_interop::driver::run().await?;
    std::process::exit(0)
}
