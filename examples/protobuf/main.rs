//! Protocol Buffers: messages of the `prost` crate as arguments and replies, beside MessagePack and JSON in one service.
//!
//! The messages are derived by hand here; `prost-build` makes the same from a `.proto` file.

use rpcx::client::CallOptions;
use rpcx::codec::{Protobuf, Serde};
use rpcx::protocol::SerializeType;
use rpcx::{Client, Context, Result, Server};
use serde::{Deserialize, Serialize};

/// `message Args { int32 a = 1; int32 b = 2; }`
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Args {
    #[prost(int32, tag = "1")]
    a: i32,
    #[prost(int32, tag = "2")]
    b: i32,
}

/// `message Reply { int32 c = 1; }`
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reply {
    #[prost(int32, tag = "1")]
    c: i32,
}

/// The first codec set gives the format of calls that ask for none.
#[rpcx::service(codecs = (Protobuf, Serde))]
trait Arith {
    /// The product.
    async fn mul(&self, ctx: &Context, args: Args) -> Result<Reply>;
}

struct Calculator;

impl Arith for Calculator {
    async fn mul(&self, ctx: &Context, args: Args) -> Result<Reply> {
        println!("  server: {} bytes of {}", ctx.payload().len(), ctx.serialize_type());
        Ok(Reply { c: args.a * args.b })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::builder().service(ArithServer(Calculator)).bind("tcp@127.0.0.1:0").start().await?;
    let client = Client::new(&server.addresses()[0].to_string())?;
    let arith = ArithClient::new(&client)?;
    let args = Args { a: 6, b: 7 };
    for format in [SerializeType::PROTOBUF, SerializeType::MSGPACK, SerializeType::JSON] {
        let reply = arith.mul_with(&args, &CallOptions::new().serialize_type(format)).await?;
        println!("6 x 7 = {} by {format}", reply.value.c);
    }
    Ok(())
}
