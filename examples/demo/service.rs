//! What the demo's servers offer: `Arith` in three formats, and `Lab` for everything else that can happen to a call.

use rpcx::codec::{Protobuf, Serde};
use rpcx::{Context, Result};
use serde::{Deserialize, Serialize};

/// Arguments that serde and prost both know.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Args {
    #[prost(int64, tag = "1")]
    pub(crate) a: i64,
    #[prost(int64, tag = "2")]
    pub(crate) b: i64,
}

/// The reply to them.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Reply {
    #[prost(int64, tag = "1")]
    pub(crate) c: i64,
}

/// Arithmetic.
#[rpcx::service(codecs = (Serde, Protobuf))]
pub(crate) trait Arith {
    /// The product.
    async fn mul(&self, ctx: &Context, args: Args) -> Result<Reply>;
    /// The quotient, or an error of the service.
    async fn div(&self, ctx: &Context, args: Args) -> Result<Reply>;
}

/// How often things happened on a server.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Requests that `note` took.
    pub(crate) notes: u64,
    /// Calls of `wait` that have begun.
    pub(crate) begun: u64,
    /// Calls of `wait` whose callers gave up.
    pub(crate) given_up: u64,
}

/// Where `relay` sends its nested call.
#[derive(Serialize, Deserialize)]
pub(crate) struct Relay {
    /// The other server.
    pub(crate) address: String,
}

/// One server's statistics, as far as the demo prints them.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    pub(crate) panics: u64,
    pub(crate) cancelled: u64,
    pub(crate) connections: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    pub(crate) pushes: u64,
}

/// Everything else.
#[rpcx::service]
pub(crate) trait Lab {
    /// A greeting in the language of the metadata.
    async fn greet(&self, ctx: &Context, name: String) -> Result<String>;
    /// Counts; nobody needs the answer.
    async fn note(&self, ctx: &Context, text: String) -> Result<()>;
    /// What was counted so far.
    async fn counts(&self, ctx: &Context, _: ()) -> Result<Counts>;
    /// Takes so many milliseconds, or until nobody waits any more.
    async fn wait(&self, ctx: &Context, milliseconds: u64) -> Result<()>;
    /// What is left of the caller's time, in milliseconds.
    async fn left(&self, ctx: &Context, _: ()) -> Result<u64>;
    /// Asks another server what is left of the caller's time.
    async fn relay(&self, ctx: &Context, to: Relay) -> Result<u64>;
    /// Pushes so many messages to the caller.
    async fn subscribe(&self, ctx: &Context, messages: u32) -> Result<()>;
    /// Panics.
    async fn panic(&self, ctx: &Context, text: String) -> Result<()>;
    /// Works on a thread of its own, which it may block.
    #[rpc(blocking)]
    fn count_primes(&self, ctx: &Context, below: u32) -> Result<u32>;
    /// From now on the server refuses every call of `Arith`, or does so no more.
    async fn refuse(&self, ctx: &Context, all: bool) -> Result<()>;
    /// The statistics of the server.
    async fn figures(&self, ctx: &Context, _: ()) -> Result<Figures>;
}
