use super::*;
use proptest::prelude::*;

fn names() -> Names {
    Names::new("local").expect("names")
}

fn card(number: usize, metadata: &str) -> Card {
    let entry = Entry {
        service: "Arith".into(),
        address: format!("tcp@10.0.0.1:{}", 8000 + number),
        metadata: metadata.into(),
    };
    Card {
        instance: names().instance(&format!("Arith-{number}")).expect("a name"),
        port: 8000,
        text: entry.text().expect("it fits"),
    }
}

struct Scene {
    names: Names,
    host: Name,
    addresses: Vec<IpAddr>,
}

impl Scene {
    fn new() -> Self {
        let names = names();
        let host = names.host("host").expect("a name");
        Self {
            names,
            host,
            addresses: vec!["10.0.0.1".parse().expect("an address"), "fe80::1".parse().expect("an address")],
        }
    }

    fn sender(&self) -> Sender<'_> {
        Sender { names: &self.names, host: &self.host, addresses: &self.addresses, ttl: 30 }
    }
}

fn told(packet: &[u8]) -> HashMap<Name, Told> {
    match read(packet, &names()) {
        Some(Heard::Told(told)) => told,
        other => panic!("{other:?}"),
    }
}

fn asked(packet: &[u8]) -> Asked {
    match read(packet, &names()) {
        Some(Heard::Asked(asked)) => asked,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_packet_has_what_go_wants_and_no_more_than_a_frame_holds() {
    let scene = Scene::new();
    let cards: Vec<_> = (0..100).map(|number| card(number, "weight=7&group=g1")).collect();
    for packets in [scene.sender().announcement(&cards), scene.sender().answer(&cards, None)] {
        assert!(packets.len() > 10 && packets.len() < 40, "{}", packets.len());
        let mut seen = 0;
        for packet in &packets {
            assert!(packet.len() <= FULL, "{}", packet.len());
            let message = Message::from_vec(packet).expect("read");
            assert!(message.metadata.authoritative && message.metadata.id == 0);
            let all: Vec<_> = message.answers.iter().chain(&message.additionals).collect();
            let of = |kind| all.iter().filter(|record| record.record_type() == kind).count();
            let cards = of(RecordType::SRV);
            assert_eq!((of(RecordType::TXT), of(RecordType::A), of(RecordType::AAAA)), (cards, 1, 1));
            for record in all {
                let unique = record.record_type() != RecordType::PTR;
                assert_eq!(u16::from(record.dns_class), if unique { 0x8001 } else { 1 }, "{record}");
                assert_eq!(record.ttl, 30);
            }
            for (_, told) in told(packet) {
                assert!(matches!(&told.text, Text::List(list) if list.len() == 1), "{told:?}");
                seen += 1;
            }
        }
        assert_eq!(seen, 100);
    }
    let goodbyes = scene.sender().goodbye(&cards[..3]);
    let gone = told(&goodbyes[0]);
    assert_eq!((goodbyes.len(), gone.len()), (1, 3));
    assert!(gone.values().all(|told| told.ttl == 0 && matches!(told.text, Text::List(_))));
}

#[test]
fn one_who_knows_dns_only_gets_his_question_back() {
    let scene = Scene::new();
    let query = Query::query(scene.names.kind.clone(), RecordType::PTR);
    let asker = Asker { id: 7, questions: Some(vec![query.clone()]) };
    let packets = scene.sender().answer(&[card(1, "")], Some(&asker));
    let message = Message::from_vec(&packets[0]).expect("read");
    assert_eq!((message.metadata.id, message.queries), (7, vec![query]));
    assert!(message.answers.iter().chain(&message.additionals).all(|record| record.dns_class == DNSClass::IN));
}

#[test]
fn questions_are_read() {
    let names = names();
    let packet = question(&[(names.kind.clone(), RecordType::PTR), (names.types.clone(), RecordType::PTR)]);
    let read_back = asked(&packet.expect("written"));
    assert_eq!((read_back.id, read_back.questions.len(), read_back.known.len()), (0, 2, 0));
    assert!(!wants_unicast(&read_back.questions[0]));
    let mut message = Message::new(0, MessageType::Query, OpCode::Query);
    let mut alone = Query::query(names.kind.clone(), RecordType::PTR);
    alone.set_query_class(DNSClass::from(0x8001));
    let instance = names.instance("Arith-1").expect("a name");
    message.add_queries([alone, Query::query(Name::from_ascii("example.org.").expect("a name"), RecordType::A)]);
    message.add_answer(Record::from_rdata(names.kind.clone(), 20, RData::PTR(PTR(instance.clone()))));
    let read_back = asked(&message.to_vec().expect("written"));
    assert_eq!(read_back.questions.len(), 1);
    assert!(wants_unicast(&read_back.questions[0]));
    assert_eq!(read_back.known.get(&instance), Some(&20));
}

#[test]
fn what_is_none_of_ours_is_passed_over() {
    let names = names();
    let other = Name::from_ascii("_http._tcp.local.").expect("a name");
    let mut message = Message::response(0, OpCode::Query);
    let instance = |label: &str| other.prepend_label(label.as_bytes()).expect("a name");
    message.add_answer(Record::from_rdata(other.clone(), 9, RData::PTR(PTR(instance("x")))));
    message.add_answer(Record::from_rdata(instance("x"), 9, RData::TXT(TXT::new(vec!["[]".into()]))));
    // A pointer to something that is no instance of the type, and a record of another class.
    message.add_answer(Record::from_rdata(names.kind.clone(), 9, RData::PTR(PTR(instance("y")))));
    let deep = names.instance("a").and_then(|name| named(name.prepend_label(b"b".as_slice()))).expect("a name");
    message.add_answer(Record::from_rdata(deep, 9, RData::TXT(TXT::new(vec!["[]".into()]))));
    let mut chaos =
        Record::from_rdata(names.instance("c").expect("a name"), 9, RData::TXT(TXT::new(vec!["[]".into()])));
    chaos.dns_class = DNSClass::CH;
    message.add_answer(chaos);
    assert!(read(&message.to_vec().expect("written"), &names).is_none());
    let foreign = names.instance("f").expect("a name");
    message.add_answer(Record::from_rdata(foreign.clone(), 9, RData::TXT(TXT::new(vec!["txtvers=1".into()]))));
    assert_eq!(told(&message.to_vec().expect("written"))[&foreign].text, Text::Foreign);
    message.metadata.response_code = ResponseCode::NXDomain;
    assert!(read(&message.to_vec().expect("written"), &names).is_none());
}

#[test]
fn what_is_malformed_is_refused() {
    let names = names();
    // A name that points to itself; counts of what is not there; too long a packet.
    let looped = [&[0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xc0, 12][..], &[0; 10]].concat();
    let counted = [0, 0, 0x84, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    for packet in [&[][..], &[0; 11], &looped, &counted, &[0; LONGEST + 1]] {
        assert!(read(packet, &names).is_none());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&bytes, &names());
    }

    /// Packets that are nearly right go deeper into whatever reads them.
    #[test]
    fn packets_with_wrong_bytes_are_read_or_refused(
        number in 0..9usize,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<proptest::sample::Index>(),
    ) {
        let scene = Scene::new();
        let cards = [card(number, "weight=7"), card(number + 1, "")];
        let mut packet = scene.sender().announcement(&cards).remove(0);
        for (at, byte) in changes {
            let at = at.index(packet.len());
            packet[at] = byte;
        }
        packet.truncate(cut.index(packet.len()) + 1);
        if let Some(Heard::Told(told)) = read(&packet, &scene.names) {
            prop_assert!(told.len() <= packet.len() / 10);
        }
    }
}
