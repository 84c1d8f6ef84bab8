//! Options of a method's attribute.
use rpcx::{Context, Result};

#[rpcx::service]
trait Arith {
    #[rpc(rename = "Mul")]
    async fn mul(&self, ctx: &Context, args: ()) -> Result<()>;

    #[rpc]
    async fn add(&self, ctx: &Context, args: ()) -> Result<()>;

    #[rpc(name = "")]
    async fn sub(&self, ctx: &Context, args: ()) -> Result<()>;

    #[rpc(skip, name = "Div")]
    async fn div(&self, ctx: &Context, args: ()) -> Result<()>;

    #[rpc(blocking, blocking)]
    fn pow(&self, ctx: &Context, args: ()) -> Result<()>;
}

fn main() {}
