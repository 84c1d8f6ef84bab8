//! The attribute `#[rpcx::service]`: both sides of a service from one trait. Use it as `rpcx::service`.

mod expand_client;
mod expand_server;
mod expand_trait;
mod names;
mod options;
mod parse;
mod spans;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{ItemTrait, Result};

/// Makes a service of a trait: a server side for its implementations and a typed client.
///
/// ```
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// #[serde(rename_all = "PascalCase")]
/// pub struct Args { a: i64, b: i64 }
///
/// #[derive(Serialize, Deserialize)]
/// #[serde(rename_all = "PascalCase")]
/// pub struct Reply { c: i64 }
///
/// #[rpcx::service]
/// pub trait Arith {
///     /// The product.
///     async fn mul(&self, ctx: &rpcx::Context, args: Args) -> rpcx::Result<Reply>;
/// }
///
/// struct Calculator;
///
/// impl Arith for Calculator {
///     async fn mul(&self, _ctx: &rpcx::Context, args: Args) -> rpcx::Result<Reply> {
///         Ok(Reply { c: args.a * args.b })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> rpcx::Result<()> {
/// let server = rpcx::Server::builder().service(ArithServer(Calculator)).bind("tcp@127.0.0.1:0").start().await?;
/// let client = rpcx::Client::new(&server.addresses()[0].to_string())?;
/// let arith = ArithClient::new(&client)?;
/// assert_eq!(arith.mul(&Args { a: 6, b: 7 }).await?.c, 42);
/// # Ok(())
/// # }
/// ```
///
/// # What it makes
///
/// For `trait Arith`, with the visibility of the trait:
///
/// * The trait itself. Its `async fn`s return futures that are `Send`, and `Arith` implies `Send + Sync + 'static`, since a
///   server may use several threads. Implementations write `async fn`.
/// * `ArithServer<T>(pub T)`, a `rpcx::server::Service` for every `T: Arith`. Only the methods of the trait can be called.
/// * `ArithClient`, made by `ArithClient::new(&client)`, or `with_name(&client, name)` for another service path. For each
///   method `mul` it has `mul(&args)`, `mul_with(&args, &options)`, which also gives response metadata and server, and
///   `mul_method()`, the handle for oneway requests, batches and calls to all servers. Documentation, `cfg` and
///   `deprecated` of the trait's methods hold for them too.
///
/// # Methods
///
/// `async fn name(&self, ctx: &rpcx::Context, args: Args) -> rpcx::Result<Reply>`, with or without a default body. The name
/// on the wire is the Rust name in UpperCamelCase: `say_hello` is `SayHello`, as Go names its methods.
///
/// | on a method | meaning |
/// |---|---|
/// | `#[rpc(name = "Say")]` | another name on the wire |
/// | `#[rpc(blocking)]` | a plain `fn`, which may block: it runs on the server's bounded pool of worker threads |
/// | `#[rpc(to_completion)]` | a call that has begun runs to its end: neither cancellation, nor its deadline, nor the end of its connection stops it |
/// | `#[rpc(skip)]` | not on the wire and not in the client: a helper of any form |
///
/// # Options
///
/// | on the trait | default | meaning |
/// |---|---|---|
/// | `name = "Arith"` | the trait's name | the service path |
/// | `codecs = rpcx::codec::Protobuf` | `rpcx::codec::Serde` | the formats of arguments and replies: a codec set, or a tuple of up to three |
#[proc_macro_attribute]
pub fn service(attribute: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand(attribute.into(), item.into()).unwrap_or_else(|error| error.into_compile_error()).into()
}

fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut item: ItemTrait = syn::parse2(item)?;
    let service = options::ServiceOptions::parse(attribute).and_then(|options| parse::Service::new(options, &mut item));
    let sides = match service {
        Ok(service) => {
            let (server, client) = (expand_server::expand(&service), expand_client::expand(&service));
            quote!(#server #client)
        }
        // The trait stays, so that its mistakes are all that is complained about.
        Err(mistakes) => {
            options::forget(&mut item);
            mistakes.into_compile_error()
        }
    };
    let declared = expand_trait::expand(item);
    Ok(quote!(#declared #sides))
}
