//! What our servers say, and when.

use crate::support::{LIMIT, Wire, address, apart, follow, run, server, until_seen};
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};
use rpcx::Reason;
use rpcx_registries::wait::eventually;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

fn kind() -> Name {
    Name::from_ascii("_rpcxservices.local.").expect("a name")
}

/// Whether it says that a service of this port is there, or leaves.
fn says(message: &Message, at: &str, leaves: bool) -> bool {
    let text = String::from_utf8_lossy(&message.to_vec().expect("written")).into_owned();
    let port = at.rsplit(':').next().expect("a port");
    message.metadata.message_type == MessageType::Response
        && text.contains(&format!("%3A{port}%22"))
        && message.answers.iter().all(|record| (record.ttl == 0) == leaves)
}

apart! {
    fn a_server_is_announced_twice_and_says_goodbye_twice() {
        run(async {
            let wire = Wire::new();
            let server = server("mdns://?update_interval=1h", &[]).await;
            let at = address(&server);
            let began = Instant::now();
            twice(&wire, |message| says(message, &at, false) && message.answers.len() > 2);
            assert!(began.elapsed() > Duration::from_millis(500), "{:?}", began.elapsed());
            server.shutdown(LIMIT).await.unwrap();
            twice(&wire, |message| says(message, &at, true));
        });
    }
}

/// Waits until each of two services was in two packets.
fn twice(wire: &Wire, wanted: impl Fn(&Message) -> bool) {
    let mut counts: HashMap<Name, usize> = HashMap::new();
    while counts.len() < 2 || counts.values().any(|count| *count < 2) {
        let message = wire.hear("each service twice", |message| wanted(message));
        for record in message.answers.into_iter().filter(|record| record.record_type() == RecordType::SRV) {
            *counts.entry(record.name).or_default() += 1;
        }
    }
}

apart! {
    fn a_goodbye_that_somebody_else_says_is_contradicted() {
        run(async {
            let (wire, watch) = (Wire::new(), follow("mdns://"));
            let server = server("mdns://?update_interval=1h", &[("metadata", "weight=7")]).await;
            let at = address(&server);
            until_seen(&watch, &format!("{at}?weight=7 live")).await;
            // Once more, after the second announcement.
            tokio::time::sleep(Duration::from_millis(1500)).await;
            wire.say(&hickory_query(kind(), RecordType::PTR));
            let mut forged = wire.hear("an answer", |message| says(message, &at, false) && message.answers.len() == 2);
            for record in forged.answers.iter_mut().chain(&mut forged.additionals) {
                record.ttl = 0;
            }
            wire.say(&forged.to_vec().expect("written"));
            let gone = until_seen(&watch, "live").await;
            let back = until_seen(&watch, &format!("{at}?weight=7 live")).await;
            println!("a node that somebody else said goodbye for was gone after {gone:.1?} and back after {back:.1?}");
            assert!(back < Duration::from_secs(3), "{back:?}");
            server.shutdown(LIMIT).await.unwrap();
        });
    }
}

fn hickory_query(name: Name, kind: RecordType) -> Vec<u8> {
    let mut message = Message::new(77, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(name, kind));
    message.to_vec().expect("written")
}

apart! {
    fn who_knows_dns_only_is_answered_too() {
        run(async {
            let server = server("mdns://", &[]).await;
            let plain = Wire::on(Ipv4Addr::new(10, 99, 0, 1), 0);
            plain.say(&hickory_query(kind(), RecordType::PTR));
            let answer = plain.hear("an answer", |message| message.metadata.id == 77);
            assert_eq!((answer.queries.len(), answer.answers.len()), (1, 2));
            assert!(answer.answers.iter().all(|record| record.ttl <= 10));
            let types = Name::from_ascii("_services._dns-sd._udp.local.").expect("a name");
            plain.say(&hickory_query(types, RecordType::PTR));
            let answer = plain.hear("the type", |message| message.answers.len() == 1);
            assert!(answer.answers[0].to_string().contains("_rpcxservices.local."), "{}", answer.answers[0]);
            drop(server);
        });
    }
}

apart! {
    fn what_is_too_long_is_refused_and_means_that_do_not_fit_are_left_out() {
        run(async {
            let watch = follow("mdns://");
            until_seen(&watch, "live").await;
            let options = librpcx_mdns::MdnsOptions::parse("?update_interval=1s").expect("options");
            let registry = librpcx_mdns::registry(options).expect("a registry");
            let announce = async |metadata: String| {
                let node = format!("tcp@127.0.0.1:8972?{metadata}").parse().expect("a node");
                let load = Some(rpcx::discovery::Load::new(Default::default));
                let announcement = rpcx::discovery::Announcement { service: "Arith".into(), node, load };
                rpcx::discovery::Registry::announce(&registry, announcement).await
            };
            let error = announce(format!("x={}", "x".repeat(170))).await.err().expect("too long");
            assert_eq!(error.reason(), Reason::ConfigBadValue);
            assert!(error.message().contains("Arith at tcp@127.0.0.1:8972"), "{error}");
            let fits = format!("b=1&a={}", "x".repeat(140));
            announce(fits.clone()).await.expect("it fits");
            until_seen(&watch, &format!("tcp@127.0.0.1:8972?{fits} live")).await;
            let sorted = format!("tcp@127.0.0.1:8972?a={}&b=1 live", "x".repeat(140));
            until_seen(&watch, &sorted).await;
            rpcx::discovery::Registry::close(&registry).await;
            until_seen(&watch, "live").await;
        });
    }
}

apart! {
    fn rubbish_on_the_network_is_survived() {
        run(async {
            let wire = Wire::new();
            let server = server("mdns://?update_interval=200ms", &[]).await;
            let (at, watch) = (address(&server), follow("mdns://?ttl=2s&empty_hold=0ms"));
            eventually("it is seen", async || watch.latest().len() == 1).await;
            let announcement = wire.hear("an update", |message| says(message, &at, false)).to_vec().expect("written");
            let mut number: u64 = 1;
            let mut next = |below: usize| {
                number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                usize::try_from(number >> 33).expect("small") % below
            };
            for _ in 0..20_000 {
                let mut packet = announcement.clone();
                // Names go astray, and not the texts, with which others could be.
                for _ in 0..3 {
                    let at = next(packet.len().min(60));
                    packet[at] = u8::try_from(next(256)).expect("a byte");
                }
                packet.truncate(packet.len() - next(packet.len() / 2));
                wire.say(&packet);
            }
            wire.say(&vec![0xc0; 8999]);
            wire.say(&[]);
            let late = follow("mdns://?ttl=2s&empty_hold=0ms");
            eventually("a late client sees it", async || seen_with(&late, &at)).await;
            eventually("the early one does", async || seen_with(&watch, &at)).await;
            server.shutdown(LIMIT).await.unwrap();
            // Some of it was taken for others at the same address, which are never heard again.
            eventually("it is gone", async || !seen_with(&late, &at) && !seen_with(&watch, &at)).await;
        });
    }
}

fn seen_with(watch: &rpcx::discovery::Watch, at: &str) -> bool {
    watch.latest().nodes().iter().any(|node| node.address() == at)
}
