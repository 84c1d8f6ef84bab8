//! What our servers register, and when.

use rpcx::discovery::{Announcement, Node, Registry as _, Watch};
use rpcx::server::Shutdown;
use rpcx::{Context, Reason, Server};
use rpcx_registries::nacos::{Instance, Nacos};
use rpcx_registries::suite::Registry;
use rpcx_registries::suite::support::{
    address, addresses, client, discovery, has_node, multiply, schemes, seen, server, server_process, until_node,
    without_means,
};
use rpcx_registries::wait::{LIMIT, eventually, run};
use std::time::{Duration, Instant};

/// The one instance of a service.
fn only(nacos: &Nacos, service: &str, group: &str) -> Instance {
    let instances = nacos.instances("/test", service, group).expect("it answers");
    assert_eq!(instances.len(), 1, "{instances:?}");
    instances.into_iter().next().expect("one")
}

#[test]
fn instances_are_those_of_go_and_leave_with_the_server() {
    run(async {
        let nacos = Nacos::start();
        for (options, group, cluster) in [("", "DEFAULT_GROUP", "DEFAULT"), ("group=g&cluster=east", "g", "east")] {
            let url = nacos.url("/test", options);
            let server = server::<Nacos>(&url, &[("metadata", "weight=7&group=g1")]).await;
            for service in ["Arith", "Arith2"] {
                let expected = Instance {
                    address: address(&server),
                    metadata: "group=g1&network=tcp&weight=7".to_owned(),
                    weight: 1.0,
                    cluster: cluster.to_owned(),
                };
                assert_eq!(only(&nacos, service, group), expected, "when start has returned");
            }
            server.shutdown(LIMIT).await.unwrap();
            for service in ["Arith", "Arith2"] {
                assert!(nacos.instances("/test", service, group).expect("it answers").is_empty());
            }
        }
    });
}

#[test]
fn metadata_of_every_kind_are_registered_as_go_does() {
    run(async {
        let nacos = Nacos::start();
        for (given, registered) in [
            ("", "network=tcp"),
            ("k=a b/c~d_é*", "k=a+b%2Fc~d_%C3%A9%2A&network=tcp"),
            ("group=b&group=a", "group=b&network=tcp"),
            ("a=1;b=2&c=3", "network=tcp"),
            ("x=%zz&y=1", "network=tcp"),
            ("n=a%26b&foo", "foo=&n=a%26b&network=tcp"),
        ] {
            let server = server::<Nacos>(&nacos.url("/test", ""), &[("metadata", given)]).await;
            assert_eq!(only(&nacos, "Arith", "DEFAULT_GROUP").metadata, registered, "{given}");
            server.set_metadata("Arith", "weight=2");
            server.announced(LIMIT).await.unwrap();
            assert_eq!(only(&nacos, "Arith", "DEFAULT_GROUP").metadata, "network=tcp&weight=2");
            assert_eq!(only(&nacos, "Arith2", "DEFAULT_GROUP").metadata, registered, "{given}");
            server.shutdown(LIMIT).await.unwrap();
        }
    });
}

#[test]
fn an_operators_edit_survives_updates_and_a_lost_connection() {
    run(async {
        let mut nacos = Nacos::start();
        let url = nacos.url("/test", "update_interval=200ms");
        let server = server::<Nacos>(&url, &[("metadata", "weight=7&group=g1")]).await;
        let at = address(&server);
        for edit in ["group=g1&network=tcp&state=inactive&weight=7", "network=tcp&state=active&weight=9"] {
            nacos.put("/test", "Arith", &at, edit).await;
            tokio::time::sleep(Duration::from_millis(1000)).await;
            assert_eq!(only(&nacos, "Arith", "DEFAULT_GROUP").metadata, edit, "after some updates");
        }
        // What this server has loses them; the server registers what is its own.
        nacos.daemon_mut().down();
        nacos.daemon().wipe();
        nacos.daemon_mut().up();
        until_node(&nacos, "/test", &at, |text| text == "group=g1&weight=7").await;
        server.shutdown(LIMIT).await.unwrap();
        assert!(!has_node(&nacos, "/test", &at).await, "it leaves with its server");
    });
}

#[test]
fn means_are_registered_when_asked_for() {
    run(async {
        let nacos = Nacos::start();
        let server =
            server::<Nacos>(&nacos.url("/test", "update_interval=200ms&metrics=true"), &[("metadata", "b=1")]).await;
        let at = address(&server);
        let written = until_node(&nacos, "/test", &at, |text| text.contains("calls=")).await;
        assert_eq!(without_means(&written), "b=1&calls=*&connections=*");
        server.shutdown(LIMIT).await.unwrap();
        assert!(!has_node(&nacos, "/test", &at).await, "it leaves with its server");
    });
}

#[test]
fn a_server_that_freezes_metadata_is_not_written_to_without_end() {
    run(async {
        let nacos = Nacos::freezing();
        let url = nacos.url("/test", "update_interval=200ms");
        let first = server::<Nacos>(&url, &[("metadata", "weight=7")]).await;
        let at = address(&first);
        first.set_metadata("Arith", "weight=1");
        first.announced(LIMIT).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        // That is r-nacos' own; that the server goes on with it is ours.
        assert_eq!(until_node(&nacos, "/test", &at, |_| true).await, "weight=7");
        first.shutdown(LIMIT).await.unwrap();
        assert!(!has_node(&nacos, "/test", &at).await, "it leaves with its server");
    });
}

#[test]
fn what_others_remove_is_there_again_with_the_next_update() {
    run(async {
        let nacos = Nacos::start();
        let server = server::<Nacos>(&nacos.url("/test", "update_interval=300ms"), &[("metadata", "weight=7")]).await;
        let at = address(&server);
        nacos.delete("/test", "Arith", &at).await;
        let began = Instant::now();
        until_node(&nacos, "/test", &at, |text| text == "weight=7").await;
        println!("a removed instance was there again after {:.1?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        server.shutdown(LIMIT).await.unwrap();
        assert!(!has_node(&nacos, "/test", &at).await, "it leaves with its server");
    });
}

#[test]
fn a_registry_that_was_away_has_the_instance_again_at_once() {
    run(async {
        let mut nacos = Nacos::start();
        let server = server::<Nacos>(&nacos.url("/test", "update_interval=1h"), &[("metadata", "weight=7")]).await;
        let at = address(&server);
        for wipe in [false, true] {
            nacos.daemon_mut().down();
            if wipe {
                nacos.daemon().wipe();
            }
            nacos.daemon_mut().up();
            let began = Instant::now();
            until_node(&nacos, "/test", &at, |text| text == "weight=7").await;
            println!("wiped {wipe}: the instance was back after {:.1?}", began.elapsed());
            assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        }
        server.shutdown(LIMIT).await.unwrap();
        assert!(!has_node(&nacos, "/test", &at).await, "it leaves with its server");
    });
}

/// Of all that the follower has not looked at yet.
async fn never_absent(follower: &mut Watch) {
    while let Ok(Some(snapshot)) = tokio::time::timeout(Duration::from_millis(1), follower.changed()).await {
        assert_eq!(snapshot.len(), 1, "{snapshot:?}");
    }
}

#[test]
fn a_successor_takes_the_instance_over_and_it_is_never_absent() {
    run(async {
        let nacos = Nacos::start();
        let url = nacos.url("/test", "update_interval=200ms");
        let old = server::<Nacos>(&url, &[("metadata", "version=1")]).await;
        let at = address(&old);
        let discovery = discovery::<Nacos>(&url);
        let mut follower = discovery.watch("Arith");
        eventually("it is seen", async || addresses(&follower) == [at.clone()]).await;
        let new = server::<Nacos>(&url, &[("metadata", "version=2"), ("advertise", &at)]).await;
        let second = |text: &str| text.contains("version=2");
        until_node(&nacos, "/test", &at, second).await;
        // Many updates of both: the old one leaves the new one's instance alone.
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let text = until_node(&nacos, "/test", &at, |_| true).await;
            assert!(second(&text), "{text}");
        }
        old.shutdown(LIMIT).await.unwrap();
        assert!(second(&until_node(&nacos, "/test", &at, |_| true).await));
        // Whoever leaves without a word has its connection closed: what was registered on it goes.
        let third = server::<Nacos>(&url, &[("metadata", "version=3"), ("advertise", &at)]).await;
        until_node(&nacos, "/test", &at, |text| text.contains("version=3")).await;
        new.shutdown(Shutdown::within(LIMIT).keep_registered()).await.unwrap();
        eventually("it is seen", async || seen(&follower).contains("version=3")).await;
        // Longer than that takes to be pushed.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(until_node(&nacos, "/test", &at, |_| true).await.contains("version=3"));
        never_absent(&mut follower).await;
        third.shutdown(LIMIT).await.unwrap();
        assert!(!has_node(&nacos, "/test", &at).await, "it leaves with its server");
    });
}

/// Both processes listen on the port for a while.
#[test]
fn a_hand_over_under_load_costs_no_call_and_no_moment_of_absence() {
    run(async {
        let nacos = Nacos::start();
        let url = nacos.url("/test", "");
        let (mut old, at) =
            server_process(rpcx_registries::rust!(), &url, &["bind=reuseport@127.0.0.1:0", "metadata=version=1"]);
        let discovery = discovery::<Nacos>(&url);
        let mut follower = discovery.watch("Arith");
        eventually("it is seen", async || addresses(&follower) == [at.clone()]).await;
        let client = client::<Nacos>(&url);
        let (stop, mut stopped) = tokio::sync::watch::channel(false);
        let load = tokio::spawn(async move {
            let mut calls = 0;
            while !*stopped.borrow_and_update() {
                multiply(&client).await.expect("an answer");
                calls += 1;
            }
            calls
        });
        let bind = format!("bind=reuseport@{}", at.split_once('@').expect("a network").1);
        for version in 2..5 {
            let metadata = format!("metadata=version={version}");
            let (new, same) = server_process(rpcx_registries::rust!(), &url, &[&bind, &metadata]);
            assert_eq!(same, at);
            let mut ended = std::mem::replace(&mut old, new);
            ended.process().signal("TERM");
            assert!(ended.process().wait().success());
            eventually("the new one", async || seen(&follower).contains(&metadata["metadata=".len()..])).await;
        }
        // Longer than an end takes to be pushed.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        never_absent(&mut follower).await;
        stop.send_replace(true);
        let calls = load.await.expect("no call failed");
        println!("{calls} calls over three hand-overs");
        assert!(calls > 100, "{calls}");
    });
}

#[test]
fn a_server_may_have_two_addresses() {
    run(async {
        let nacos = Nacos::start();
        let url = nacos.url("/test", "");
        let server = Server::builder()
            .schemes(schemes::<Nacos>())
            .bind("tcp@127.0.0.1:0")
            .bind("tcp@127.0.0.1:0")
            .registry_url(&url)
            .raw("Arith", "Echo", |_: Context, payload: bytes::Bytes| async move { Ok(payload) })
            .start()
            .await
            .unwrap();
        server.announced(LIMIT).await.unwrap();
        let mut expected: Vec<String> = server.addresses().iter().map(ToString::to_string).collect();
        expected.sort();
        let discovery = discovery::<Nacos>(&url);
        let watch = discovery.watch("Arith");
        eventually("both are seen", async || addresses(&watch) == expected).await;
        server.shutdown(LIMIT).await.unwrap();
        assert!(nacos.nodes("/test", "Arith").await.expect("it answers").is_empty());
    });
}

#[test]
fn what_has_no_ip_and_port_of_its_own_is_refused() {
    run(async {
        let nacos = Nacos::start();
        let options = librpcx_nacos::NacosOptions::parse(&format!("{}/test", nacos.host())).unwrap();
        let registry = librpcx_nacos::registry(options).unwrap();
        let announce = async |service: &str, address: &str| {
            let node: Node = address.parse().unwrap();
            registry.announce(Announcement { service: service.into(), node, load: None }).await
        };
        let _first = announce("Arith", "tcp@127.0.0.1:1").await.unwrap();
        let _other = announce("Arith2", "ws@127.0.0.1:1").await.unwrap();
        for (address, part) in [("unix@/run/a.sock", "IP and a port"), ("ws@127.0.0.1:1", "one server an IP and port")]
        {
            let error = announce("Arith", address).await.map(drop).unwrap_err();
            assert_eq!(error.reason(), Reason::ConfigBadAddress, "{error}");
            assert!(error.message().contains(part), "{error}");
        }
        assert!(has_node(&nacos, "/test", "tcp@127.0.0.1:1").await, "the others stay");
        registry.close().await;
        assert!(!has_node(&nacos, "/test", "tcp@127.0.0.1:1").await);
    });
}
