//! The host's logging, which may change its mind. One process has one sink: one test.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rpcx_embed::logs::{self, Level};
use rpcx_embed::{
    Bytes, CallOptions, Client, ClientConfig, Discovery, Error, Kind, MethodFlags, Request, ServerBuilder, ServerConfig,
};

#[test]
fn a_sink_may_be_replaced_by_one_that_takes_more_or_less() {
    let handler = Arc::new(|request: Request| request.answer(Ok(Bytes::new())));
    let config = ServerConfig { listen: vec!["tcp@127.0.0.1:0".into()], threads: 1, ..ServerConfig::default() };
    let server = ServerBuilder::new(config).method("S", "Slow", handler, MethodFlags::default());
    let server = server.start_blocking().unwrap();
    let client = Client::open(ClientConfig {
        discovery: Discovery::Nodes(server.addresses().unwrap()),
        options: vec![("slow_call".into(), "1us".into())],
        threads: 1,
    })
    .unwrap();
    let method = client.method("S", "Slow").unwrap();
    let heard = Arc::new(Mutex::new(0));
    let listen = |level| {
        let count = heard.clone();
        logs::set(level, move |record| *count.lock().unwrap() += usize::from(record.target == "rpcx::slow"));
    };
    let call = || {
        let none = || Ok::<(), Error>(());
        method.call_blocking(Kind::Call, Bytes::new(), CallOptions::new(), none).unwrap();
    };
    let told = || *heard.lock().unwrap();
    let tells = || {
        let (before, end) = (told(), Instant::now() + Duration::from_secs(10));
        call();
        while told() == before && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        told() > before
    };

    listen(Level::Warn);
    assert!(tells());
    listen(Level::Error);
    let before = told();
    call();
    listen(Level::Warn);
    assert!(tells());
    assert_eq!(told(), before + 1, "one that was not asked for");
    listen(Level::Info);
    assert!(tells());
    logs::clear();
    let before = told();
    call();
    listen(Level::Warn);
    assert!(tells());
    assert_eq!(told(), before + 1);
}
