//! Go's servers with our clients, and our servers with Go's clients.

use crate::support::{
    Duration, Instant, Talker, addresses, apart, client, discovery, eventually, go, multiply, run, seen,
    server_process, until_seen,
};
use rpcx_registries::suite::peers::until_called;
use rpcx_registries::suite::support::{serving, without_means};

fn go_server(options: &[&str]) -> (Talker, String) {
    serving(go::start("mdns", &[options, &["serve"]].concat()))
}

/// A Go client that browses for a second, every two seconds. It calls when it is told something.
fn go_client() -> Talker {
    go::start("mdns", &["-services", "Arith", "client"])
}

const ONE: [&str; 4] = ["-services", "Arith", "-update", "1s"];

apart! {
    fn our_client_follows_go_servers_of_one_host_from_their_start_to_their_end() {
        run(async {
            let url = "mdns://?ttl=5s&empty_hold=0ms";
            let discovery = discovery(url);
            let arith = discovery.watch("Arith");
            until_seen(&arith, "live").await;
            // Both have the same name on the network.
            let (mut first, at) = go_server(&ONE);
            let began = Instant::now();
            eventually("the first", async || addresses(&arith) == [at.clone()]).await;
            println!("a Go server was seen {:.1?} after it began", began.elapsed());
            assert_eq!(multiply(&client(url)).await.unwrap(), 42);
            eventually("its means", async || seen(&arith).contains("calls")).await;
            let metadata = seen(&arith).split(['?', ' ']).nth(1).map(without_means);
            assert_eq!(metadata.as_deref(), Some("calls=*&connections=*&group=g1&weight=7"));
            let (mut second, other) = go_server(&ONE);
            let mut both = [at, other.clone()];
            both.sort();
            eventually("both", async || addresses(&arith) == both).await;
            let until = Instant::now() + Duration::from_secs(8);
            let mut follower = arith.clone();
            while let Ok(Some(next)) = tokio::time::timeout_at(until.into(), follower.changed()).await {
                assert_eq!(next.len(), 2, "{next:?}");
            }
            first.finish();
            first.hear("its end", |line| line == "unregistered");
            let took = eventually("the second alone", async || addresses(&arith) == [other.clone()]).await;
            println!("a Go server was gone {took:.1?} after it ended");
            second.process().kill();
            let took = eventually("nobody", async || seen(&arith) == "live").await;
            println!("a Go server was gone {took:.1?} after it was killed; ttl=5s");
            assert!(took < Duration::from_secs(10), "{took:?}");
        });
    }
}

apart! {
    fn a_go_server_has_several_services_in_one_record() {
        run(async {
            let discovery = discovery("mdns://");
            let (_go, at) = go_server(&["-meta", "", "-update", "1h"]);
            for service in ["Arith", "Arith2"] {
                until_seen(&discovery.watch(service), &format!("{at} live")).await;
            }
            until_seen(&discovery.watch("Arit"), "live").await;
        });
    }
}

apart! {
    fn a_go_client_follows_our_servers_from_their_start_to_their_end() {
        run(async {
            let url = "mdns://?update_interval=1s";
            let (mut first, at) = server_process(url, &["services=Arith", "metadata=weight=7&group=g1"]);
            let mut go = go_client();
            let initial = go.hear("the first list", |line| line.starts_with("initial "));
            assert!(initial.starts_with(&format!("initial 1 [{at} (")), "{initial}");
            until_called(&mut go, "call 42 <nil>");
            go.hear("an update", |line| {
                line.contains("calls=") && line.contains("connections=") && line.contains("group=g1&weight=7")
            });
            let (mut second, other) = server_process(url, &["services=Arith"]);
            go.hear("both", |line| line.starts_with("push 2 [") && line.contains(&other));
            first.finish();
            first.hear("its end", |line| line == "ended");
            go.hear("the second", |line| line.starts_with("push 1 [") && line.contains(&other));
            second.process().kill();
            go.hear("the empty list", |line| line == "push 0 []");
            until_called(&mut go, "can not found any server");
        });
    }
}

apart! {
    fn a_go_client_reads_every_form_of_our_metadata() {
        run(async {
            // The last ones do not fit as Go writes them.
            let long = format!("n={}&{}", "x".repeat(60), "a=1&".repeat(10));
            let odd = format!("k=a%20b/c~d_é*\"\\<é>+{}&x=%25", "y".repeat(60));
            for metadata in ["", "k=a b/c~d_é*\"\\<>", "weight=7&group=g1", &long, &odd] {
                let url = "mdns://?update_interval=1h";
                let (_ours, at) = server_process(url, &["services=Arith", &format!("metadata={metadata}")]);
                let mut go = go_client();
                let initial = go.hear("the first list", |line| line.starts_with("initial "));
                assert_eq!(initial, format!("initial 1 [{at} ({metadata})]"));
                until_called(&mut go, "call 42 <nil>");
                let discovery = discovery(url);
                let watch = discovery.watch("Arith");
                eventually("ours", async || addresses(&watch) == [at.clone()]).await;
                let ours = watch.latest().nodes()[0].metadata().as_str().to_owned();
                assert_eq!(ours, metadata);
            }
        });
    }
}
