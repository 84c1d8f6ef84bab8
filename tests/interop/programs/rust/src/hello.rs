//! `Hello.Say`, the service of the rpcx benchmark.

use bench_harness::BenchmarkMessage;

/// Protocol Buffers in and out.
#[rpcx::service(codecs = rpcx::codec::Protobuf)]
pub trait Hello {
    /// Sends the message back with field 1 set to `OK` and field 2 to 100.
    async fn say(&self, ctx: &rpcx::Context, message: BenchmarkMessage) -> rpcx::Result<BenchmarkMessage>;
}

/// Nothing but the service.
#[derive(Debug)]
pub struct Plain;

impl Hello for Plain {
    async fn say(&self, _ctx: &rpcx::Context, mut message: BenchmarkMessage) -> rpcx::Result<BenchmarkMessage> {
        bench_harness::answer(&mut message);
        Ok(message)
    }
}
