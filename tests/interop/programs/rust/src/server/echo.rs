//! `Echo`: what comes in goes out. `Echo.Raw` is registered beside it, as a function of bytes.

use super::tally::Tally;
use crate::messages::{Nothing, Types};
use rpcx::Context;
use rpcx::codec::Value;
use std::sync::Arc;

/// Each method decodes what it gets and encodes it again.
#[rpcx::service]
pub(super) trait Echo {
    async fn value(&self, ctx: &Context, value: Value) -> rpcx::Result<Value>;
    async fn types(&self, ctx: &Context, types: Types) -> rpcx::Result<Types>;
    async fn meta(&self, ctx: &Context, nothing: Nothing) -> rpcx::Result<Nothing>;
}

pub(super) struct Mirror(pub(super) Arc<Tally>);

impl Echo for Mirror {
    async fn value(&self, ctx: &Context, value: Value) -> rpcx::Result<Value> {
        self.0.run(ctx, async { Ok(value) }).await
    }

    async fn types(&self, ctx: &Context, types: Types) -> rpcx::Result<Types> {
        self.0.run(ctx, async { Ok(types) }).await
    }

    async fn meta(&self, ctx: &Context, nothing: Nothing) -> rpcx::Result<Nothing> {
        let echo = async {
            echo_metadata(ctx);
            Ok(nothing)
        };
        self.0.run(ctx, echo).await
    }
}

/// Sends the request's metadata back with `echo-` before each key.
pub(super) fn echo_metadata(ctx: &Context) {
    for (key, value) in ctx.metadata().iter().filter(|(key, _)| !key.starts_with("__")) {
        ctx.set_metadata(format!("echo-{key}"), value);
    }
}
