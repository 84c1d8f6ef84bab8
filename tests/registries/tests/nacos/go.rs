//! Go's servers with our clients, and our servers with Go's clients.

use rpcx_registries::nacos::Nacos;
use rpcx_registries::suite::peers::{go_client, go_server, until_called};
use rpcx_registries::suite::support::{addresses, client, discovery, multiply, seen, server_process, until_seen};
use rpcx_registries::suite::{Ours, Registry};
use rpcx_registries::wait::{eventually, run};
use std::time::{Duration, Instant};

const OURS: Ours = rpcx_registries::rust!();

#[test]
fn our_client_follows_a_go_server_from_its_start_to_its_end() {
    run(async {
        let nacos = Nacos::start();
        for (options, group) in [("empty_hold=60s", ""), ("empty_hold=60s&group=g&cluster=east", "g")] {
            let url = nacos.url("/rpcx_test", options);
            let discovery = discovery::<Nacos>(&url);
            let (arith, second) = (discovery.watch("Arith"), discovery.watch("Arith2"));
            until_seen(&arith, "live").await;
            let cluster = if group.is_empty() { "" } else { "east" };
            let (mut go, at) = go_server(&nacos, &["-group", group, "-cluster", cluster]);
            for watch in [&arith, &second] {
                until_seen(watch, &format!("{at}?group=g1&network=tcp&weight=7 live")).await;
            }
            assert_eq!(multiply(&client::<Nacos>(&url)).await.unwrap(), 42);
            nacos.write("/rpcx_test", "Arith", &at, "network=tcp&state=inactive", &[("groupName", group)]);
            eventually("the edit", async || seen(&arith).contains("state=inactive")).await;
            assert_eq!(
                multiply(&client::<Nacos>(&url)).await.unwrap_err().reason(),
                rpcx::Reason::NoServerNoneEligible
            );
            go.finish();
            go.hear("its end", |line| line == "unregistered");
            until_seen(&arith, "live").await;
            until_seen(&second, "live").await;
            let (mut killed, at) = go_server(&nacos, &["-group", group, "-cluster", cluster]);
            eventually("the instance", async || addresses(&second) == [at.clone()]).await;
            killed.process().kill();
            let began = Instant::now();
            until_seen(&second, "live").await;
            println!("a killed Go server was gone after {:.1?}", began.elapsed());
        }
    });
}

#[test]
fn a_go_client_follows_our_server_from_its_start_to_its_end() {
    run(async {
        let nacos = Nacos::start();
        for (namespace, group) in [("/rpcx_test", ""), ("/", "g")] {
            // Not in the cluster `DEFAULT`: Go's client would get no updates from r-nacos.
            let url = nacos.url(namespace, &format!("group={group}"));
            let (mut first, at) = server_process(OURS, &url, &["metadata=weight=7&group=g1&text=a b/é%26c&empty="]);
            let mut go = go_client(&nacos, &["-base", namespace, "-group", group]);
            let metadata = "empty=&group=g1&network=tcp&text=a+b%2F%C3%A9%26c&weight=7";
            go.hear("the list", |line| {
                line == format!("initial 1 [{at} ({metadata})]") || line == format!("push 1 [{at} ({metadata})]")
            });
            until_called(&mut go, "call 42 <nil>");
            for (state, answer) in [("inactive", "can not found any server"), ("active", "call 42 <nil>")] {
                let edit = format!("network=tcp&state={state}");
                nacos.write(namespace, "Arith", &at, &edit, &[("groupName", group)]);
                go.hear("the edit", |line| line == format!("push 1 [{at} (network=tcp&state={state})]"));
                until_called(&mut go, answer);
            }
            first.finish();
            first.hear("its end", |line| line == "ended");
            go.hear("the empty list", |line| line == "push 0 []");
            let (mut second, at) = server_process(OURS, &url, &[]);
            go.hear("the next server", |line| line == format!("push 1 [{at} (network=tcp)]"));
            second.process().kill();
            go.hear("the empty list", |line| line == "push 0 []");
            until_called(&mut go, "can not found any server");
        }
    });
}

#[test]
fn go_and_we_see_each_other_come_and_go_beside_each_other() {
    run(async {
        let nacos = Nacos::start();
        let url = nacos.url("/rpcx_test", "");
        let (_go, go_at) = go_server(&nacos, &[]);
        let mut follower = go_client(&nacos, &[]);
        follower.hear("Go's server", |line| line.starts_with("initial 1 [") && line.contains(&go_at));
        let discovery = discovery::<Nacos>(&url);
        let watch = discovery.watch("Arith");
        eventually("Go's server", async || addresses(&watch) == [go_at.clone()]).await;
        let (mut ours, at) = server_process(OURS, &url, &[]);
        let mut both = vec![at.clone(), go_at.clone()];
        both.sort();
        eventually("both", async || addresses(&watch) == both).await;
        follower.hear("both", |line| line.starts_with("push 2 [") && line.contains(&at) && line.contains(&go_at));
        ours.process().signal("TERM");
        assert!(ours.process().wait().success());
        let began = Instant::now();
        eventually("Go's server alone", async || addresses(&watch) == [go_at.clone()]).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        follower.hear("Go's server alone", |line| line.starts_with("push 1 [") && line.contains(&go_at));
    });
}
