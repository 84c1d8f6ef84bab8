//! A process that forks: the parent goes on, the child's old handles say so and new ones work.

use std::sync::Arc;
use std::time::Duration;

use rpcx_embed::{
    Bytes, CallOptions, Client, ClientConfig, Discovery, Error, ErrorKind, Kind, MethodFlags, Request, Result, Server,
    ServerBuilder, ServerConfig,
};

fn serve() -> Server {
    let handler = Arc::new(|request: Request| {
        let payload = request.payload().clone();
        request.answer(Ok(payload));
    });
    let config = ServerConfig { listen: vec!["tcp@127.0.0.1:0".into()], threads: 2, ..ServerConfig::default() };
    ServerBuilder::new(config).method("Echo", "Raw", handler, MethodFlags::default()).start_blocking().unwrap()
}

fn connect(server: &Server) -> Client {
    let discovery = Discovery::Nodes(server.addresses().unwrap());
    Client::open(ClientConfig { discovery, ..ClientConfig::default() }).unwrap()
}

fn call(client: &Client) -> Result<Bytes> {
    let options = CallOptions::new().timeout(Duration::from_secs(10));
    let method = client.method("Echo", "Raw")?;
    let reply = method.call_blocking(Kind::Call, Bytes::from_static(b"x"), options, || Ok::<(), Error>(()))?;
    Ok(reply.payload)
}

/// What the child sees, as the status it exits with.
fn in_the_child(server: &Server, client: &Client) -> i32 {
    let closed = |error: Error| error.kind() == ErrorKind::Closed && error.message().contains("before fork");
    if !call(client).is_err_and(closed) {
        return 1;
    }
    if !server.stats_json().is_err_and(closed) {
        return 2;
    }
    client.close();
    drop((client.clone(), server.clone()));
    let address = server.addresses();
    if !address.is_err_and(closed) {
        return 3;
    }
    let server = serve();
    let client = connect(&server);
    // A deadline needs the thread that keeps the time, which a fork does not copy.
    if !call(&client).is_ok_and(|reply| reply == "x") {
        return 4;
    }
    let options = CallOptions::new().timeout(Duration::from_millis(50));
    let none = client.method("Echo", "Raw").and_then(|method| {
        client.set_nodes(&["tcp@192.0.2.1:1".to_owned()])?;
        method.call_blocking(Kind::Call, Bytes::new(), options, || Ok::<(), Error>(()))
    });
    if none.is_ok() {
        return 5;
    }
    0
}

#[test]
fn the_parent_goes_on_and_the_child_begins_anew() {
    let server = serve();
    let client = connect(&server);
    assert_eq!(call(&client).unwrap(), "x");
    // SAFETY: the child runs no destructor of the parent's and ends with `_exit`; the C library makes its allocator ready for
    // the child of a process with threads.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork");
    if child == 0 {
        let status = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| in_the_child(&server, &client)));
        // SAFETY: nothing is to be cleaned up here.
        unsafe { libc::_exit(status.unwrap_or(100)) };
    }
    let mut status = 0;
    // SAFETY: the child is this process's own, and the status outlives the call.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "the child ended with {status:#x}");
    assert_eq!(call(&client).unwrap(), "x");
}
