//! Return types that are no `rpcx::Result`.
use rpcx::Context;

#[rpcx::service]
trait Arith {
    async fn nothing(&self, ctx: &Context, args: ());
    async fn plain(&self, ctx: &Context, args: ()) -> i64;
    async fn option(&self, ctx: &Context, args: ()) -> Option<i64>;
    async fn bare(&self, ctx: &Context, args: ()) -> Result;
    async fn tuple(&self, ctx: &Context, args: ()) -> (i64, i64);
}

#[rpcx::service]
trait Foreign {
    async fn other_error(&self, ctx: &Context, args: ()) -> Result<i64, String>;
}

fn main() {}
