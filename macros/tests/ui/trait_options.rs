//! Options of the trait's attribute.
use rpcx::{Context, Result};

#[rpcx::service(nmae = "Arith")]
trait Misspelt {
    async fn get(&self, ctx: &Context, args: ()) -> Result<()>;
}

#[rpcx::service(name = "")]
trait Nameless {
    async fn get(&self, ctx: &Context, args: ()) -> Result<()>;
}

#[rpcx::service(name = Arith)]
trait Unquoted {
    async fn get(&self, ctx: &Context, args: ()) -> Result<()>;
}

#[rpcx::service(name = "A", name = "B")]
trait Twice {
    async fn get(&self, ctx: &Context, args: ()) -> Result<()>;
}

#[rpcx::service(codecs = ())]
trait NoCodec {
    async fn get(&self, ctx: &Context, args: ()) -> Result<()>;
}

#[rpcx::service(codecs = (A, B, C, D))]
trait ManyCodecs {
    async fn get(&self, ctx: &Context, args: ()) -> Result<()>;
}

fn main() {}
