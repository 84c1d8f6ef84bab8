//! Implementations that do not keep what the trait promises.
use std::cell::Cell;
use std::rc::Rc;

use rpcx::{Context, Result};

#[rpcx::service]
trait Counter {
    async fn count(&self, ctx: &Context, args: u32) -> Result<u32>;
}

struct NotShared(Cell<u32>);

impl Counter for NotShared {
    async fn count(&self, _ctx: &Context, args: u32) -> Result<u32> {
        Ok(self.0.replace(args))
    }
}

struct NotSend;

impl Counter for NotSend {
    async fn count(&self, _ctx: &Context, args: u32) -> Result<u32> {
        let value = Rc::new(args);
        tokio::task::yield_now().await;
        Ok(*value)
    }
}

fn main() {}
