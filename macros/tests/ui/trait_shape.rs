//! What a trait cannot be.
use rpcx::{Context, Result};

#[rpcx::service]
trait Generic<T> {
    async fn get(&self, ctx: &Context, args: T) -> Result<T>;
}

#[rpcx::service]
unsafe trait Unsafe {
    async fn get(&self, ctx: &Context, args: ()) -> Result<()>;
}

#[rpcx::service]
trait Others {
    type Item;
    const SIZE: usize;
    async fn get(&self, ctx: &Context, args: ()) -> Result<()>;
}

#[rpcx::service]
trait Empty {
    #[rpc(skip)]
    fn helper(&self);
}

#[rpcx::service]
struct NoTrait;

fn main() {}
