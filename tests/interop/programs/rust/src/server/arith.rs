//! `Arith`: arithmetic in four formats.

use super::tally::Tally;
use crate::arith::{ArithArgs, ArithReply, Codecs};
use rpcx::Context;
use std::sync::Arc;

/// What can be calculated. Numbers wrap around as Go's do.
#[rpcx::service(codecs = Codecs)]
pub(super) trait Arith {
    async fn mul(&self, ctx: &Context, args: ArithArgs) -> rpcx::Result<ArithReply>;
    async fn add(&self, ctx: &Context, args: ArithArgs) -> rpcx::Result<ArithReply>;
    async fn div(&self, ctx: &Context, args: ArithArgs) -> rpcx::Result<ArithReply>;
}

pub(super) struct Calculator(pub(super) Arc<Tally>);

impl Arith for Calculator {
    async fn mul(&self, ctx: &Context, args: ArithArgs) -> rpcx::Result<ArithReply> {
        self.0.run(ctx, async { Ok(ArithReply { c: args.a.wrapping_mul(args.b) }) }).await
    }

    async fn add(&self, ctx: &Context, args: ArithArgs) -> rpcx::Result<ArithReply> {
        self.0.run(ctx, async { Ok(ArithReply { c: args.a.wrapping_add(args.b) }) }).await
    }

    async fn div(&self, ctx: &Context, args: ArithArgs) -> rpcx::Result<ArithReply> {
        let divide = async {
            match args.b {
                0 => Err("divide by zero".into()),
                b => Ok(ArithReply { c: args.a.wrapping_div(b) }),
            }
        };
        self.0.run(ctx, divide).await
    }
}
