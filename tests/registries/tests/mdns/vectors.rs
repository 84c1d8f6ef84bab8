//! What Go's programs said, from `tests/vectors/registries.json`: our clients read it, our servers say the same.

use crate::support::{Wire, address, apart, follow, run, server, until_seen};
use hickory_proto::op::{Message, OpCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// The character strings of the TXT records in the packets of a kind.
fn texts(kind: &str) -> Vec<String> {
    let vectors = rpcx_registries::vectors::of("mdns");
    let packets = vectors["packets"][kind].as_array().expect("packets").iter();
    let lines = packets.flat_map(|packet| packet.as_str().expect("text").lines()).filter(|line| line.contains(" TXT "));
    lines.map(|line| line.split('\'').nth(1).expect("a string").to_owned()).collect()
}

fn text(message: &Message) -> Option<String> {
    message.answers.iter().chain(&message.additionals).find_map(|record| match &record.data {
        RData::TXT(text) => {
            assert_eq!(text.txt_data.len(), 1, "one string");
            Some(String::from_utf8_lossy(&text.txt_data[0]).into_owned())
        }
        _ => None,
    })
}

apart! {
    fn whatever_go_said_is_read() {
        run(async {
            let (wire, watch) = (Wire::new(), follow("mdns://"));
            until_seen(&watch, "live").await;
            let node = "tcp@127.0.0.1:18971?";
            let expected = [
                ("announcement", vec![format!("{node}weight=7&group=g1 live")]),
                ("answer", vec![format!("{node}weight=7&group=g1 live")]),
                (
                    "text_update_or_unregister",
                    vec!["live".to_owned(), format!("{node}calls=0.00&connections=0.00&group=g1&weight=7 live")],
                ),
            ];
            for (kind, expected) in expected {
                let texts = texts(kind);
                assert_eq!(texts.len(), expected.len(), "{kind}");
                for (text, expected) in texts.into_iter().zip(expected) {
                    let mut message = Message::response(0, OpCode::Query);
                    let name = Name::from_ascii("vm._rpcxservices.local.").expect("a name");
                    message.add_answer(Record::from_rdata(name, 3200, RData::TXT(TXT::new(vec![text]))));
                    wire.say(&message.to_vec().expect("written"));
                    until_seen(&watch, &expected).await;
                }
            }
        });
    }
}

apart! {
    fn our_server_says_the_same_as_gos() {
        run(async {
            let wire = Wire::new();
            let server = server("mdns://?update_interval=300ms", &[("metadata", "weight=7&group=g1")]).await;
            let port = address(&server).rsplit(':').next().expect("a port").to_owned();
            let expected = texts("announcement").remove(0).replace("18971", &port);
            let first = wire.hear("the announcement", |message| text(message).as_ref() == Some(&expected));
            let mut kinds: Vec<_> = first.answers.iter().map(Record::record_type).collect();
            kinds.sort_by_key(|kind| u16::from(*kind));
            use RecordType::{A, PTR, SRV, TXT};
            assert_eq!(kinds, [A, PTR, PTR, TXT, SRV]);
            for record in &first.answers {
                match &record.data {
                    RData::PTR(to) => assert!(
                        ["_rpcxservices.local.", "_services._dns-sd._udp.local."].contains(&record.name.to_ascii().as_str()),
                        "{record}: {to}"
                    ),
                    RData::SRV(service) => assert_eq!((service.priority, service.weight), (0, 0)),
                    _ => {}
                }
            }
            // The means grow; those of Go's were both 0.
            let expected = texts("text_update_or_unregister").remove(1).replace("18971", &port);
            wire.hear("the update", |message| text(message).as_ref() == Some(&expected));
            drop(server);
        });
    }
}
