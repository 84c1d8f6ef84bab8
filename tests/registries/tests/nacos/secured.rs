//! Logging in.

use rpcx::Reason;
use rpcx::discovery::{Announcement, Node, Registry as _};
use rpcx_registries::nacos::{Nacos, USER};
use rpcx_registries::suite::Registry;
use rpcx_registries::suite::support::{address, addresses, discovery, seen, server};
use rpcx_registries::wait::{LIMIT, eventually, run};

fn options(nacos: &Nacos, more: &str) -> librpcx_nacos::NacosOptions {
    librpcx_nacos::NacosOptions::parse(&format!("{}/test?{more}", nacos.host())).expect("options")
}

// Not across a restart: one in some of r-nacos refuses every login for a minute or more.
#[test]
fn whoever_logs_in_registers_and_follows() {
    run(async {
        let nacos = Nacos::secured();
        let url = format!("nacos://{}:s%40cret%20word@{}/test?max_reconnect_interval=500ms", USER.0, nacos.host());
        let server = server::<Nacos>(&url, &[("metadata", "weight=7")]).await;
        let at = address(&server);
        let discovery = discovery::<Nacos>(&url);
        let watch = discovery.watch("Arith");
        eventually("it is seen", async || addresses(&watch) == [at.clone()]).await;
        server.shutdown(LIMIT).await.unwrap();
        eventually("it has left", async || addresses(&watch).is_empty()).await;
    });
}

#[test]
fn whoever_does_not_log_in_is_told_so() {
    run(async {
        let nacos = Nacos::secured();
        for (more, part) in [
            ("", "unknown user"),
            ("user=operator&password=s%40crett", "the login of \"operator\" is refused"),
            ("user=nobody", "the login of \"nobody\" is refused"),
        ] {
            let registry = librpcx_nacos::registry(options(&nacos, more)).unwrap();
            let node: Node = "tcp@127.0.0.1:1".parse().unwrap();
            let error = registry.announce(Announcement { service: "Arith".into(), node, load: None }).await;
            let error = error.map(drop).unwrap_err();
            assert_eq!(error.reason(), Reason::AuthRefused, "{error}");
            assert!(error.message().contains(part) && !error.message().contains("s@cret"), "{error}");
            let discovery = librpcx_nacos::discovery(options(&nacos, more)).unwrap();
            let watch = rpcx::discovery::Discovery::watch(&discovery, "Arith");
            let told = async || watch.problem().is_some_and(|problem| problem.contains(part));
            eventually("the reason", told).await;
            assert_eq!(seen(&watch), "unknown");
        }
    });
}
