//! Aliases: requests under a second name, and what everybody sees of them.

use crate::peer::{Peer, request};
use crate::support::{Over, assert_failed, call, run, url};
use bytes::Bytes;
use rpcx::error::{Delivery, Reason};
use rpcx::interceptor::{BoxFuture, Call, Interceptor, Next, Reply};
use rpcx::{Context, ErrorKind, Result};
use std::sync::{Arc, Mutex};

/// Answers with its name as the handler sees it.
async fn name(ctx: Context, _payload: Bytes) -> Result<Bytes> {
    Ok(Bytes::from(format!("{}.{}", ctx.service(), ctx.method())))
}

/// Writes down which methods are called.
struct Names(Arc<Mutex<Vec<String>>>);

impl Interceptor for Names {
    fn intercept<'a>(&'a self, call: &'a mut Call, next: Next<'a>) -> BoxFuture<'a, Result<Reply>> {
        self.0.lock().unwrap().push(format!("{}.{}", call.service, call.method));
        next.run(call)
    }
}

#[test]
fn the_server_knows_a_renamed_request_by_its_real_name_only() {
    for intercepted in [false, true] {
        run(async {
            let (way, seen) = (Over::Tcp.way(), Arc::new(Mutex::new(Vec::new())));
            let mut builder = way.server().alias("Old", "Times", "Arith", "Mul").raw("Arith", "Mul", name);
            if intercepted {
                builder = builder.interceptor(Names(seen.clone()));
            }
            let server = builder.option("aliases", "Old.Times=Arith.Mul, a.b.T=Arith.Mul").start().await.unwrap();
            let client = way.client(url(&server)).build().unwrap();
            for (service, method) in [("Old", "Times"), ("Arith", "Mul"), ("a.b", "T"), ("Old", "Times")] {
                let service = client.service(service).unwrap().raw();
                assert_eq!(call(&service, method, b"").await.unwrap(), "Arith.Mul");
            }
            let old = client.service("Old").unwrap().raw();
            assert_failed(call(&old, "Mul", b"").await, Reason::ServiceUnknownService, Delivery::Answered);
            let stats = server.stats();
            assert_eq!((stats.methods.len(), stats.methods[0].calls), (1, 4), "counted as the real one");
            assert_eq!(seen.lock().unwrap().len(), if intercepted { 4 } else { 0 });
            assert!(seen.lock().unwrap().iter().all(|name| name == "Arith.Mul"));
            let mut services = server.services();
            services.sort();
            assert_eq!(services, ["Arith", "Old", "a.b"], "all of them can be found");
        });
    }
}

#[test]
fn the_answer_bears_the_name_that_was_asked_for() {
    run(async {
        let way = Over::Tcp.way();
        let server = way.server().raw("Arith", "Mul", name).alias("T", "Times", "Arith", "Mul").start().await.unwrap();
        let mut peer = Peer::dial(&way, &url(&server)).await;
        peer.send(&request(1, "Times", b"", &[])).await;
        let answer = peer.frame().await.unwrap();
        assert_eq!(
            (answer.service(), answer.method(), answer.payload()),
            (&b"T"[..], &b"Times"[..], &b"Arith.Mul"[..])
        );
    });
}

/// Two methods that swap their names: what an alias stands for is no alias again, in whatever order they are called.
#[test]
fn an_alias_wins_over_a_method_of_that_name_and_is_not_followed_further() {
    run(async {
        let way = Over::Tcp.way();
        let server = way
            .server()
            .raw("T", "A", name)
            .raw("T", "B", name)
            .alias("T", "A", "T", "B")
            .alias("T", "B", "T", "A")
            .start()
            .await
            .unwrap();
        let client = way.client(url(&server)).build().unwrap();
        let service = client.service("T").unwrap().raw();
        for (method, real) in [("A", "T.B"), ("B", "T.A"), ("B", "T.A"), ("A", "T.B")] {
            assert_eq!(call(&service, method, b"").await.unwrap(), real);
        }
    });
}

#[test]
fn an_alias_of_nothing_and_one_name_for_two_are_mistakes() {
    run(async {
        let way = Over::Tcp.way();
        for (builder, part) in [
            (way.server().alias("Old", "Times", "Arith", "Mul"), "Arith.Mul is not registered"),
            (way.server().raw("Arith", "Mul", name).option("aliases", "Old.Times"), "Old.Times=Arith.Mul"),
            (
                way.server()
                    .raw("Arith", "Mul", name)
                    .raw("Arith", "Add", name)
                    .alias("Old", "Op", "Arith", "Mul")
                    .alias("Old", "Op", "Arith", "Add"),
                "each second name once",
            ),
        ] {
            let error = builder.start().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().contains(part), "{error}");
        }
        let open = way.server().fallback(name).alias("Old", "Times", "Any", "Thing").start().await.unwrap();
        let client = way.client(url(&open)).build().unwrap();
        let answer = call(&client.service("Old").unwrap().raw(), "Times", b"").await.unwrap();
        assert_eq!(answer, "Any.Thing", "a fallback sees what was asked for in the end");
    });
}
