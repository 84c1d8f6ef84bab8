//! The service of Go's own examples, as both programs know it. On the wire: `Arith` with `Mul`, `Add`, `Div` and `Say`.

use rpcx::{Context, Result};
use serde::{Deserialize, Serialize};

/// Go's `type Args struct { A, B int }`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Args {
    pub(crate) a: i64,
    pub(crate) b: i64,
}

/// Go's `type Reply struct { C int }`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Reply {
    pub(crate) c: i64,
}

/// Arithmetic, and a greeting.
#[rpcx::service]
pub(crate) trait Arith {
    /// The product.
    async fn mul(&self, ctx: &Context, args: Args) -> Result<Reply>;
    /// The sum.
    async fn add(&self, ctx: &Context, args: Args) -> Result<Reply>;
    /// The quotient; dividing by zero is an error of the service.
    async fn div(&self, ctx: &Context, args: Args) -> Result<Reply>;
    /// A greeting for a name.
    async fn say(&self, ctx: &Context, name: String) -> Result<String>;
}
