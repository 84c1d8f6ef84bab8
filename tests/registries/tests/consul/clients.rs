//! What our clients see, and when.

use crate::support::{Duration, Registry, discovery, eventually, run, until_seen};
use rpcx_registries::consul::Consul;
use rpcx_registries::suite::support::seen;

#[test]
fn one_leading_slash_does_not_count() {
    run(async {
        let consul = Consul::start();
        consul.put("/slash/deep", "Arith", "tcp@127.0.0.1:1", "").await;
        for url in [
            format!("consul://{}/slash/deep", consul.host()),
            consul.url("slash/deep", ""),
            consul.url("/slash/deep", ""),
        ] {
            until_seen(&discovery(&url).watch("Arith"), "tcp@127.0.0.1:1 live").await;
        }
    });
}

#[test]
fn keys_of_every_kind_are_found() {
    run(async {
        let consul = Consul::start();
        // A slash in the address, a service that must be escaped, the marker, neighbours.
        for (service, address) in [("Arith", "unix@/run/a.sock"), ("Größe & Co?", "tcp@[::1]:1"), ("Arit", "tcp@a:1")]
        {
            consul.put("/kinds", service, address, "weight=2").await;
        }
        consul.write("kinds/Arith", "Arith").await;
        consul.write("kinds/Arith/", "nobody").await;
        let discovery = discovery(&consul.url("/kinds", ""));
        until_seen(&discovery.watch("Arith"), "unix@/run/a.sock?weight=2 live").await;
        until_seen(&discovery.watch("Größe & Co?"), "tcp@[::1]:1?weight=2 live").await;
        until_seen(&discovery.watch("Ari"), "live").await;
    });
}

#[test]
fn a_datacenter_that_is_not_there_empties_nobody() {
    run(async {
        let consul = Consul::start();
        consul.put("/dc", "Arith", "tcp@127.0.0.1:1", "").await;
        until_seen(&discovery(&consul.url("/dc", "dc=dc1")).watch("Arith"), "tcp@127.0.0.1:1 live").await;
        let nowhere = discovery(&consul.url("/dc", "dc=nowhere"));
        let watch = nowhere.watch("Arith");
        eventually("a problem", async || watch.problem().is_some_and(|text| text.contains("No path to datacenter")))
            .await;
        assert_eq!(seen(&watch), "unknown");
    });
}

#[test]
fn whoever_follows_many_services_goes_on_at_the_next_agent() {
    run(async {
        // Two Consuls of their own, as two that have the same data.
        let mut consuls = [Consul::start(), Consul::start()];
        for consul in &consuls {
            for service in 0..20 {
                consul.put("/both", &format!("S{service}"), "tcp@127.0.0.1:1", "").await;
            }
        }
        let url = format!("consul://{},{}/both?reconnect_interval=10ms", consuls[0].host(), consuls[1].host());
        let discovery = discovery(&url);
        let watches: Vec<_> = (0..20).map(|service| discovery.watch(&format!("S{service}"))).collect();
        for watch in &watches {
            until_seen(watch, "tcp@127.0.0.1:1 live").await;
        }
        for down in [0, 1] {
            consuls[down].daemon_mut().down();
            consuls[1 - down].put("/both", "S7", "tcp@127.0.0.1:2", "").await;
            let expected = "tcp@127.0.0.1:1 tcp@127.0.0.1:2 live";
            let took = until_seen(&watches[7], expected).await;
            for watch in &watches {
                eventually("live", async || seen(watch).ends_with("live")).await;
            }
            println!("all are followed at the other one after {took:.1?}");
            assert!(took < Duration::from_secs(10), "{took:?}");
            consuls[down].daemon_mut().up();
            consuls[1 - down].delete("/both", "S7", "tcp@127.0.0.1:2").await;
            until_seen(&watches[7], "tcp@127.0.0.1:1 live").await;
        }
    });
}
