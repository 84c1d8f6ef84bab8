//! Names that are taken.
use rpcx::{Context, Result};

#[rpcx::service]
trait Wire {
    async fn mul(&self, ctx: &Context, args: ()) -> Result<()>;
    #[rpc(name = "Mul")]
    async fn multiply(&self, ctx: &Context, args: ()) -> Result<()>;
    async fn mul_(&self, ctx: &Context, args: ()) -> Result<()>;
}

#[rpcx::service]
trait OfTheClient {
    async fn new(&self, ctx: &Context, args: ()) -> Result<()>;
    async fn mul(&self, ctx: &Context, args: ()) -> Result<()>;
    async fn mul_with(&self, ctx: &Context, args: ()) -> Result<()>;
}

fn main() {}
