//! Clients that find their servers by DNS, beside a real DNS server.

mod server;

use rpcx::client::CallOptions;
use rpcx::discovery::{Discovery, Node, Schemes, SnapshotState, Watch};
use rpcx::error::{Delivery, Reason};
use rpcx::{Client, Context, Result, Server};
use server::DnsServer;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longer than anything here takes: whatever lasts so long hangs.
const LIMIT: Duration = Duration::from_secs(30);

#[track_caller]
fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, test).await.expect("the test hangs") })
}

/// The URL of a look-up by this server, often enough for tests.
fn url(name: &str, dns: &DnsServer, more: &str) -> String {
    format!("dns://{name}?server={}&min_interval=5ms&reconnect_interval=5ms{more}", dns.address())
}

fn open(url: &str) -> Arc<dyn Discovery> {
    Schemes::default().with(librpcx_dns::scheme()).open(url).unwrap()
}

fn client(url: &str) -> Client {
    Client::builder().schemes(Schemes::default().with(librpcx_dns::scheme())).discovery_url(url).build().unwrap()
}

fn seen(watch: &Watch) -> String {
    let latest = watch.latest();
    let nodes: String = latest.nodes().iter().map(|node| Node::to_string(node) + " ").collect();
    let state = match latest.state() {
        SnapshotState::Unknown => "unknown",
        SnapshotState::Live => "live",
        SnapshotState::Stale(_) => "stale",
    };
    nodes + state
}

#[track_caller]
fn until_seen(watch: &Watch, expected: &str) -> impl Future<Output = ()> {
    let (mut watch, expected) = (watch.clone(), expected.to_owned());
    let caller = std::panic::Location::caller();
    async move {
        let waiting = async {
            while seen(&watch) != expected {
                watch.changed().await;
            }
        };
        if tokio::time::timeout(LIMIT / 2, waiting).await.is_err() {
            panic!("{caller}: expected {expected:?}, but the watch holds {:?}, {:?}", seen(&watch), watch.problem());
        }
    }
}

/// A server of `Who` at any port of this address, and the port.
async fn who(ip: &str, name: &'static str) -> (Server, u16) {
    let server = Server::builder()
        .function("Who", "Am", move |_: Context, (): ()| async move { Ok(name.to_owned()) })
        .bind(format!("tcp@{ip}:0"))
        .start()
        .await
        .unwrap();
    let port = server.addresses()[0].port().unwrap();
    (server, port)
}

async fn ask(client: &Client) -> Result<String> {
    client.service("Who")?.call("Am", &()).await
}

#[test]
fn addresses_of_both_kinds_are_found_and_followed() {
    run(async {
        let dns = DnsServer::start("127.0.0.1 arith.test\n::1 arith.test\n127.0.0.9 other.test\n", &[]);
        let all = open(&url("arith.test:8972", &dns, ""));
        let (v4, v6) = (
            open(&url("arith.test:8972", &dns, "&network=tcp4")),
            open(&url("arith.test:8972", &dns, "&network=tcp6")),
        );
        let (all, v4, v6) = ((all.watch("Arith"), all), (v4.watch("Arith"), v4), (v6.watch("Arith"), v6));
        until_seen(&all.0, "tcp@127.0.0.1:8972 tcp@[::1]:8972 live").await;
        until_seen(&v4.0, "tcp4@127.0.0.1:8972 live").await;
        until_seen(&v6.0, "tcp6@[::1]:8972 live").await;
        dns.set_hosts("127.0.0.3 arith.test\n127.0.0.2 arith.test\n");
        until_seen(&all.0, "tcp@127.0.0.2:8972 tcp@127.0.0.3:8972 live").await;
    });
}

#[test]
fn what_is_found_is_called_and_outlives_the_dns_server() {
    run(async {
        let mut dns = DnsServer::start("127.0.0.1 who.test\n", &[]);
        let (_server, port) = who("127.0.0.1", "one").await;
        let to = url(&format!("who.test:{port}"), &dns, "&max_reconnect_interval=20ms");
        let client = client(&to);
        assert_eq!(ask(&client).await.unwrap(), "one");
        let discovery = open(&to);
        let watch = discovery.watch("Who");
        let node = format!("tcp@127.0.0.1:{port}");
        until_seen(&watch, &format!("{node} live")).await;
        dns.stop();
        until_seen(&watch, &format!("{node} stale")).await;
        assert_eq!(ask(&client).await.unwrap(), "one");
        dns.restart();
        until_seen(&watch, &format!("{node} live")).await;
        assert_eq!(watch.problem(), None);
    });
}

#[test]
fn services_have_ports_and_weights() {
    run(async {
        let (_one, port) = who("127.0.0.1", "srv").await;
        let name = "--srv-host=_rpcx._tcp.who.test";
        let hosts = "127.0.0.1 a.who.test\n127.0.0.1 b.who.test\n::1 b.who.test\n127.0.0.1 spare.who.test\n";
        let services = [
            format!("{name},a.who.test,{port},10,60"),
            format!("{name},b.who.test,9000,10,0"),
            format!("{name},gone.who.test,9001,10,5"),
            format!("{name},spare.who.test,9002,20,5"),
        ];
        let dns = DnsServer::start(hosts, &services.each_ref().map(String::as_str));
        let to = url("_rpcx._tcp.who.test", &dns, "");
        let discovery = open(&to);
        let expected =
            format!("tcp@127.0.0.1:{port}?weight=60 tcp@127.0.0.1:9000?weight=1 tcp@[::1]:9000?weight=1 live");
        let watch = discovery.watch("Who");
        let mut sorted: Vec<_> = expected.split(' ').collect();
        sorted[..2].sort_unstable();
        until_seen(&watch, &sorted.join(" ")).await;
        let client = client(&to);
        let options = CallOptions::new().target(format!("tcp@127.0.0.1:{port}"));
        let answer = client.service("Who").unwrap().call_with::<_, String>("Am", &(), &options).await.unwrap();
        assert_eq!(answer.value, "srv");
    });
}

#[test]
fn a_name_that_vanishes_is_believed_after_the_hold() {
    run(async {
        let dns = DnsServer::start("127.0.0.1 who.test\n", &[]);
        let (soon, late) = (
            open(&url("who.test:1", &dns, "&empty_hold=50ms&interval=20ms")),
            open(&url("who.test:1", &dns, "&interval=20ms")),
        );
        let (first, second) = (soon.watch("Who"), late.watch("Who"));
        until_seen(&first, "tcp@127.0.0.1:1 live").await;
        until_seen(&second, "tcp@127.0.0.1:1 live").await;
        dns.set_hosts("");
        until_seen(&first, "live").await;
        until_seen(&second, "tcp@127.0.0.1:1 stale").await;
        dns.set_hosts("127.0.0.2 who.test\n");
        until_seen(&first, "tcp@127.0.0.2:1 live").await;
        until_seen(&second, "tcp@127.0.0.2:1 live").await;
    });
}

#[test]
fn a_name_that_never_was_has_no_servers_and_a_dead_dns_server_says_so() {
    run(async {
        let mut dns = DnsServer::start("", &[]);
        let error = ask(&client(&url("nobody.test:1", &dns, ""))).await.unwrap_err();
        assert_eq!((error.reason(), error.delivery()), (Reason::NoServerEmpty, Delivery::NotSent));
        dns.stop();
        let discovery = open(&url("who.test:1", &dns, ""));
        let watch = discovery.watch("Who");
        let until = Instant::now() + LIMIT / 2;
        while watch.problem().is_none() {
            assert!(Instant::now() < until, "nothing is wrong");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let client = Client::builder().discovery(discovery).option("discovery_timeout", "50ms").build().unwrap();
        let error = ask(&client).await.unwrap_err();
        assert_eq!((error.reason(), error.delivery()), (Reason::NoServerDiscoveryTimeout, Delivery::NotSent));
        assert!(error.message().contains("DNS: who.test"), "{error}");
    });
}
