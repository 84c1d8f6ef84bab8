//! What a method on the wire cannot be.
use rpcx::{Context, Result};

#[rpcx::service]
trait Arith {
    fn plain(&self, ctx: &Context, args: ()) -> Result<()>;

    #[rpc(blocking)]
    async fn both(&self, ctx: &Context, args: ()) -> Result<()>;

    async fn generic<T>(&self, ctx: &Context, args: T) -> Result<T>;

    async fn borrowing<'a>(&'a self, ctx: &Context, args: ()) -> Result<()>;

    async fn bounded(&self, ctx: &Context, args: ()) -> Result<()>
    where
        Self: Sized;

    async unsafe fn dangerous(&self, ctx: &Context, args: ()) -> Result<()>;

    async fn __(&self, ctx: &Context, args: ()) -> Result<()>;
}

fn main() {}
