//! What `#[rpcx::service]` makes, called over loopback TCP and in memory.
#![cfg(all(feature = "macros", feature = "msgpack", feature = "json", feature = "protobuf"))]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use rpcx::client::{Batch, CallOptions, Response};
use rpcx::codec::{Protobuf, Serde};
use rpcx::protocol::SerializeType;
use rpcx::server::Service;
use rpcx::{Client, Context, ErrorKind, Server};
use serde::{Deserialize, Serialize};

/// Arguments that serde and prost both know.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Args {
    #[prost(int64, tag = "1")]
    a: i64,
    #[prost(int64, tag = "2")]
    b: i64,
}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Reply {
    #[prost(int64, tag = "1")]
    c: i64,
}

/// Every form of method that there is.
#[rpcx::service(codecs = (Serde, Protobuf))]
trait Arith {
    /// The product.
    async fn mul(&self, ctx: &Context, args: Args) -> rpcx::Result<Reply>;

    #[rpc(name = "Take-away")]
    async fn subtract(&self, ctx: &Context, args: Args) -> rpcx::Result<Reply>;

    #[rpc(blocking)]
    fn add_slowly(&self, ctx: &Context, args: Args) -> rpcx::Result<Reply>;

    #[rpc(name = "Block", blocking, to_completion)]
    fn renamed_and_blocking(&self, _ctx: &Context, args: Args) -> rpcx::Result<Reply> {
        Ok(Reply { c: self.offset() + args.a })
    }

    async fn double(&self, ctx: &Context, args: Args) -> rpcx::Result<Reply> {
        let once = self.mul(ctx, Args { a: args.a, b: 1 }).await?;
        Ok(Reply { c: once.c * 2 })
    }

    async fn r#move(&self, ctx: &Context, args: Args) -> rpcx::Result<Reply>;

    #[cfg(any())]
    async fn compiled_out(&self, ctx: &Context, args: NoSuchType) -> rpcx::Result<Reply>;

    #[rpc(skip)]
    fn offset(&self) -> i64 {
        1000
    }

    #[rpc(skip)]
    async fn secret<T: Send>(&self, value: T) -> T {
        value
    }
}

struct Calculator {
    calls: AtomicU32,
    blocking_thread: Mutex<Option<ThreadId>>,
}

impl Calculator {
    fn new() -> Calculator {
        Calculator { calls: AtomicU32::new(0), blocking_thread: Mutex::new(None) }
    }
}

impl Arith for Arc<Calculator> {
    async fn mul(&self, ctx: &Context, args: Args) -> rpcx::Result<Reply> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if let Some(user) = ctx.metadata().get("user") {
            ctx.set_metadata("greeted", format!("{user} at {}.{}", ctx.service(), ctx.method()));
        }
        tokio::task::yield_now().await;
        Ok(Reply { c: args.a * args.b })
    }

    async fn subtract(&self, _ctx: &Context, args: Args) -> rpcx::Result<Reply> {
        Ok(Reply { c: args.a - args.b })
    }

    fn add_slowly(&self, _ctx: &Context, args: Args) -> rpcx::Result<Reply> {
        *self.blocking_thread.lock().unwrap() = Some(std::thread::current().id());
        if args.b == 0 {
            panic!("nothing to add to {}", args.a);
        }
        Ok(Reply { c: args.a + args.b })
    }

    async fn r#move(&self, _ctx: &Context, args: Args) -> rpcx::Result<Reply> {
        if args.a < 0 {
            panic!("cannot move by {}", args.a);
        }
        Err("out of order".into())
    }
}

/// A server at `address` and a client for it.
async fn start(address: &str, calculator: &Arc<Calculator>) -> (Server, Client) {
    let server = Server::builder().service(ArithServer(calculator.clone())).bind(address).start().await.unwrap();
    let client = Client::new(&server.addresses()[0].to_string()).unwrap();
    (server, client)
}

/// Every way to call, in the format `serialize`.
async fn calls(client: &Client, serialize: SerializeType) {
    let arith = ArithClient::new(client).unwrap();
    let args = Args { a: 17, b: 4 };
    let options = CallOptions::new().serialize_type(serialize).metadata("user", "ada");
    let with = |response: rpcx::Result<Response<Reply>>| response.unwrap().value.c;

    let product = arith.mul_with(&args, &options).await.unwrap();
    assert_eq!(product.value.c, 68);
    assert_eq!(product.metadata.get("greeted"), Some("ada at Arith.Mul"));
    assert_eq!(with(arith.subtract_with(&args, &options).await), 13);
    assert_eq!(with(arith.add_slowly_with(&args, &options).await), 21);
    assert_eq!(with(arith.renamed_and_blocking_with(&args, &options).await), 1017);
    assert_eq!(with(arith.double_with(&args, &options).await), 34);

    let failed = arith.move_with(&args, &options).await.unwrap_err();
    assert_eq!((failed.kind(), failed.message()), (ErrorKind::Service, "out of order"));
    let panicked = arith.move_with(&Args { a: -1, b: 0 }, &options).await.unwrap_err();
    assert_eq!(panicked.kind(), ErrorKind::Service, "{panicked}");
    assert!(panicked.message().contains("cannot move by -1"), "{panicked}");
    let panicked = arith.add_slowly_with(&Args { a: 5, b: 0 }, &options).await.unwrap_err();
    assert!(panicked.message().contains("nothing to add to 5"), "{panicked}");
}

#[tokio::test]
async fn every_form_of_method_answers_in_every_format() {
    for address in ["tcp@127.0.0.1:0", "memu@service-macro"] {
        let calculator = Arc::new(Calculator::new());
        let (server, client) = start(address, &calculator).await;
        for serialize in [SerializeType::MSGPACK, SerializeType::JSON, SerializeType::PROTOBUF] {
            calls(&client, serialize).await;
        }
        client.close();
        server.close();
    }
}

#[tokio::test]
async fn only_what_the_trait_lists_can_be_called() {
    let calculator = Arc::new(Calculator::new());
    let (_server, client) = start("tcp@127.0.0.1:0", &calculator).await;
    let service = client.service("Arith").unwrap();
    for hidden in ["Offset", "offset", "Secret", "mul", "Subtract", "CompiledOut", "Clone"] {
        let error = service.call::<_, Reply>(hidden, &Args::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Service, "{hidden}: {error}");
        assert!(error.message().contains("can't find method"), "{hidden}: {error}");
    }
    let taken: Reply = service.call("Take-away", &Args { a: 3, b: 1 }).await.unwrap();
    assert_eq!(taken.c, 2);
    let names: Vec<String> = ArithServer(calculator).methods().iter().map(|method| method.name().to_owned()).collect();
    assert_eq!(names, ["Mul", "Take-away", "AddSlowly", "Block", "Double", "Move"]);
}

#[tokio::test]
async fn a_blocking_method_leaves_the_connection_s_thread() {
    let calculator = Arc::new(Calculator::new());
    let (_server, client) = start("tcp@127.0.0.1:0", &calculator).await;
    let arith = ArithClient::new(&client).unwrap();
    arith.add_slowly(&Args { a: 1, b: 1 }).await.unwrap();
    let thread = calculator.blocking_thread.lock().unwrap().unwrap();
    assert_ne!(thread, std::thread::current().id());
}

#[tokio::test]
async fn one_implementation_serves_under_two_names() {
    let calculator = Arc::new(Calculator::new());
    let server = Server::builder()
        .service(ArithServer(calculator.clone()))
        .service_as("Twin", ArithServer(calculator.clone()))
        .bind("tcp@127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let client = Client::new(&server.addresses()[0].to_string()).unwrap();
    let twin = ArithClient::with_name(&client, "Twin").unwrap();
    let args = Args { a: 2, b: 2 };
    let answer = twin.mul_with(&args, &CallOptions::new().metadata("user", "ada")).await.unwrap();
    assert_eq!(answer.metadata.get("greeted"), Some("ada at Twin.Mul"));
    assert_eq!(ArithClient::new(&client).unwrap().mul(&args).await.unwrap().c, 4);
    assert_eq!(calculator.calls.load(Ordering::Relaxed), 2);
    assert_eq!(ArithClient::with_name(&client, "").unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn handles_make_batches_and_oneway_requests() {
    let calculator = Arc::new(Calculator::new());
    let (_server, client) = start("tcp@127.0.0.1:0", &calculator).await;
    let arith = ArithClient::new(&client).unwrap();
    let mut batch = Batch::new();
    for a in 0..10 {
        batch.add(arith.mul_method(), Args { a, b: a }, CallOptions::new());
    }
    let squares: Vec<i64> =
        batch.run().await.into_iter().map(|square: rpcx::Result<Response<Reply>>| square.unwrap().value.c).collect();
    assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);

    arith.clone().mul_method().oneway(&Args { a: 1, b: 1 }, &CallOptions::new()).await.unwrap();
    let counted = async {
        while calculator.calls.load(Ordering::Relaxed) < 11 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), counted).await.expect("the oneway request arrives");
}

/// The parameters that come without a struct, a codec set of one, and a name of its own.
#[rpcx::service(name = "greeter.v1", codecs = (rpcx::codec::SerdeCompact,))]
trait Greeter {
    async fn greet(&self, ctx: &Context, name: String) -> rpcx::Result<String>;
    async fn sum(&self, ctx: &Context, numbers: Vec<u32>) -> rpcx::Result<u32>;
    async fn nothing(&self, ctx: &Context, _: ()) -> rpcx::Result<()>;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, ctx: &Context, name: String) -> rpcx::Result<String> {
        assert!(ctx.remaining().is_some(), "the client's timeout is the call's deadline");
        Ok(format!("good day, {name}"))
    }

    async fn sum(&self, _ctx: &Context, numbers: Vec<u32>) -> rpcx::Result<u32> {
        Ok(numbers.iter().sum())
    }

    async fn nothing(&self, _ctx: &Context, (): ()) -> rpcx::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn plain_values_need_no_structs() {
    assert_eq!(<GreeterServer<Polite> as Service>::NAME, "greeter.v1");
    let server = Server::builder().service(GreeterServer(Polite)).bind("memu@greeter").start().await.unwrap();
    let client = Client::new(&server.addresses()[0].to_string()).unwrap();
    let greeter = GreeterClient::new(&client).unwrap();
    assert_eq!(greeter.greet(&"ada".to_owned()).await.unwrap(), "good day, ada");
    assert_eq!(greeter.sum(&vec![1, 2, 3]).await.unwrap(), 6);
    greeter.nothing(&()).await.unwrap();
    assert_eq!(format!("{greeter:?}"), "GreeterClient { .. }");
}

/// Work that must not be left half done.
#[rpcx::service]
trait Ledger {
    #[rpc(to_completion)]
    async fn book(&self, ctx: &Context, amount: u32) -> rpcx::Result<u32>;
}

struct Books {
    go_on: Arc<tokio::sync::Semaphore>,
    booked: Arc<AtomicU32>,
}

impl Ledger for Books {
    async fn book(&self, _ctx: &Context, amount: u32) -> rpcx::Result<u32> {
        self.go_on.acquire().await.map_err(|error| error.to_string())?.forget();
        Ok(self.booked.fetch_add(amount, Ordering::SeqCst) + amount)
    }
}

#[tokio::test]
async fn a_method_that_runs_to_completion_outlives_its_deadline() {
    let (go_on, booked) = (Arc::new(tokio::sync::Semaphore::new(0)), Arc::new(AtomicU32::new(0)));
    let books = Books { go_on: go_on.clone(), booked: booked.clone() };
    let server = rpcx::Server::builder().service(LedgerServer(books)).option("cancel_grace", "0");
    let server = server.bind("tcp@127.0.0.1:0").start().await.unwrap();
    let ledger = LedgerClient::new(&rpcx::Client::new(&server.addresses()[0].to_string()).unwrap()).unwrap();
    let options = CallOptions::new().timeout(Duration::from_millis(100));
    assert!(ledger.book_with(&7, &options).await.is_err());
    go_on.add_permits(1);
    // It ends when the call has ended.
    server.shutdown(Duration::from_secs(20)).await.unwrap();
    assert_eq!(booked.load(Ordering::SeqCst), 7);
}
