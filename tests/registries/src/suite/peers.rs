//! Go's servers with our clients, and our servers with Go's clients.

use super::support::{
    addresses, client, discovery, has_node, multiply, seen, server_process, serving, until_node, until_seen,
    without_means,
};
use super::{Ours, Registry};
use crate::go;
use crate::process::Talker;
use crate::wait::{LIMIT, eventually, run};
use std::time::{Duration, Instant};

/// A Go server of `Arith` and `Arith2`, with where it is.
///
/// # Panics
/// When it cannot be started.
pub fn go_server<R: Registry>(registry: &R, options: &[&str]) -> (Talker, String) {
    serving(go::start(R::NAME, &[&["-registry", &registry.host()], options, &["serve"]].concat()))
}

/// A Go client of `Arith`, which says what it sees, and calls when it is told something.
///
/// # Panics
/// When it cannot be started.
pub fn go_client<R: Registry>(registry: &R, options: &[&str]) -> Talker {
    go::start(R::NAME, &[&["-registry", &registry.host()], options, &["client"]].concat())
}

/// Has a Go client call until the answer is this: what it says of its list it does before it chooses by it.
///
/// # Panics
/// When the answer stays another.
pub fn until_called(go: &mut Talker, answer: &str) {
    let until = Instant::now() + LIMIT;
    loop {
        go.tell("call");
        let said = go.hear("an answer", |line| line.starts_with("call "));
        if said.contains(answer) {
            return;
        }
        assert!(Instant::now() < until, "expected {answer:?}, but heard {said:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Its updates, an operator's edit, calls.
///
/// # Panics
/// When it is not so.
pub fn our_client_follows_a_go_server_from_its_start_to_its_end<R: Registry>(_: Ours) {
    run(async {
        let registry = R::start();
        for base in ["/rpcx_test", "rpcx_test"] {
            let url = registry.url(base, "empty_hold=60s");
            let discovery = discovery::<R>(&url);
            let (arith, second) = (discovery.watch("Arith"), discovery.watch("Arith2"));
            until_seen(&arith, "live").await;
            let (mut go, at) = go_server(&registry, &["-base", base, "-update", "1s"]);
            for watch in [&arith, &second] {
                eventually("the node", async || addresses(watch) == [at.clone()]).await;
                eventually("its means", async || seen(watch).contains("calls")).await;
                let metadata = seen(watch).split(['?', ' ']).nth(1).map(without_means);
                assert_eq!(metadata.as_deref(), Some("calls=*&connections=*&group=g1&weight=7"));
            }
            assert_eq!(multiply(&client::<R>(&url)).await.unwrap(), 42);
            registry.put(base, "Arith", &at, "group=g1&state=inactive&weight=3").await;
            eventually("the edit", async || seen(&arith).contains("state=inactive&weight=3")).await;
            assert_eq!(multiply(&client::<R>(&url)).await.unwrap_err().reason(), rpcx::Reason::NoServerNoneEligible);
            go.finish();
            go.hear("its end", |line| line == "unregistered");
            until_seen(&arith, "live").await;
            until_seen(&second, "live").await;
        }
    });
}

/// Its updates, an operator's edit, calls; it is ended, and the next one is killed.
///
/// # Panics
/// When it is not so.
pub fn a_go_client_follows_our_server_from_its_start_to_its_end<R: Registry>(ours: Ours) {
    run(async {
        let registry = R::start();
        for base in ["/rpcx_test", "rpcx_test"] {
            let url = registry.url(base, &format!("update_interval=1s&{}", R::SHORT));
            let (mut first, at) = server_process(ours, &url, &["metadata=weight=7&group=g1"]);
            let mut go = go_client(&registry, &["-base", base]);
            go.hear("the first list", |line| {
                line == format!("initial 1 [{at} (weight=7&group=g1)]")
                    || line.starts_with("initial 1 [") && line.contains("group=g1&weight=7")
            });
            until_called(&mut go, "call 42 <nil>");
            until_node(&registry, base, &at, |text| text.contains("calls=")).await;
            if R::GO_SEES_EDITS {
                go.hear("an update", |line| {
                    line.contains("calls=") && line.contains("connections=") && line.contains("group=g1&weight=7")
                });
                for (state, answer) in [("inactive", "can not found any server"), ("active", "call 42 <nil>")] {
                    registry.put(base, "Arith", &at, &format!("group=g1&state={state}&weight=7")).await;
                    let state = format!("state={state}");
                    go.hear("the edit after our update", |line| line.contains("calls=") && line.contains(&state));
                    until_called(&mut go, answer);
                }
            }
            first.finish();
            first.hear("its end", |line| line == "ended");
            go.hear("the empty list", |line| line == "push 0 []");
            let (mut second, at) = server_process(ours, &url, &[]);
            go.hear("the next server", |line| line.contains(&at));
            second.process().kill();
            go.hear("the empty list", |line| line == "push 0 []");
            until_called(&mut go, "can not found any server");
        }
    });
}

/// Both come back, and are called again.
///
/// # Panics
/// When it is not so.
pub fn go_and_we_share_a_service_and_a_registry_that_loses_its_data<R: Registry>(ours: Ours) {
    run(async {
        let mut registry = R::start();
        let url = registry.url("/rpcx_test", "update_interval=1s&max_reconnect_interval=500ms");
        let (_ours, at) = server_process(ours, &url, &["metadata=weight=7"]);
        let (_go, go_at) = go_server(&registry, &["-update", "1s"]);
        let mut expected = vec![at.clone(), go_at.clone()];
        expected.sort();
        let discovery = discovery::<R>(&url);
        let arith = discovery.watch("Arith");
        eventually("both servers", async || addresses(&arith) == expected).await;
        let client = client::<R>(&url);
        for _ in 0..4 {
            assert_eq!(multiply(&client).await.unwrap(), 42);
        }
        let mut follower = go_client(&registry, &[]);
        follower.hear("both servers", |line| line.starts_with("initial 2 [") || line.starts_with("push 2 ["));
        registry.daemon_mut().down();
        registry.daemon().wipe();
        registry.daemon_mut().up();
        let began = Instant::now();
        eventually("our node", async || has_node(&registry, "/rpcx_test", &at).await).await;
        println!("our node was back after {:.1?}", began.elapsed());
        eventually("Go's node", async || has_node(&registry, "/rpcx_test", &go_at).await).await;
        println!("Go's node was back after {:.1?}", began.elapsed());
        eventually("both servers, live", async || addresses(&arith) == expected && seen(&arith).ends_with("live"))
            .await;
        assert!(began.elapsed() < LIMIT + Duration::from_secs(1));
        assert_eq!(multiply(&client).await.unwrap(), 42);
    });
}
