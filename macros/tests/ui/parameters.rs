//! Parameters that a method on the wire must have.
use rpcx::{Context, Result};

#[rpcx::service]
trait Arith {
    async fn nothing() -> Result<()>;
    async fn no_self(ctx: &Context, args: ()) -> Result<()>;
    async fn by_value(self, ctx: &Context, args: ()) -> Result<()>;
    async fn exclusive(&mut self, ctx: &Context, args: ()) -> Result<()>;
    async fn only_self(&self) -> Result<()>;
    async fn no_context(&self, args: String) -> Result<()>;
    async fn owned_context(&self, ctx: Context, args: ()) -> Result<()>;
    async fn no_args(&self, ctx: &Context) -> Result<()>;
    async fn many(&self, ctx: &Context, a: i64, b: i64) -> Result<i64>;
    async fn borrowed(&self, ctx: &Context, name: &str) -> Result<()>;
    async fn any(&self, ctx: &Context, name: impl Into<String>) -> Result<()>;
}

fn main() {}
