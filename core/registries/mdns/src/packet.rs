//! Packets: what is asked and said, and what of it is understood.

use crate::entry::{self, Entry};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, PTR, SRV, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use rpcx::{Error, Reason, Result};
use std::collections::HashMap;
use std::net::IpAddr;

/// The port of mDNS.
pub(crate) const PORT: u16 = 5353;

/// Longest packet that is read: the most that RFC 6762 allows.
pub(crate) const LONGEST: usize = 9000;

/// What is written is divided above this, so that it fits into an Ethernet frame.
const FULL: usize = 1400;

/// The class IN with the bit that means `forget what you had` in an answer, and `answer me alone` in a question.
const MARKED: u16 = 0x8000;

/// A single label, without the `_tcp` of other types, as Go's rpcx has it.
const TYPE: &[u8] = b"_rpcxservices";

/// The names of one domain.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    domain: Name,
    /// The type of services.
    pub(crate) kind: Name,
    /// Where types are listed.
    pub(crate) types: Name,
}

impl Names {
    pub(crate) fn new(domain: &str) -> Result<Self> {
        let domain = named(Name::from_labels(domain.split('.').map(str::as_bytes)))?;
        let kind = named(domain.prepend_label(TYPE))?;
        let types = [&b"_udp"[..], b"_dns-sd", b"_services"]
            .iter()
            .try_fold(domain.clone(), |name, label| named(name.prepend_label(*label)))?;
        Ok(Self { domain, kind, types })
    }

    /// The name of a host.
    pub(crate) fn host(&self, label: &str) -> Result<Name> {
        named(self.domain.prepend_label(label.as_bytes()))
    }

    /// The name of an instance of the type.
    pub(crate) fn instance(&self, label: &str) -> Result<Name> {
        named(self.kind.prepend_label(label.as_bytes()))
    }

    fn is_instance(&self, name: &Name) -> bool {
        name.num_labels() == self.kind.num_labels() + 1 && self.kind.zone_of(name)
    }
}

fn named<E: std::fmt::Display>(name: std::result::Result<Name, E>) -> Result<Name> {
    name.map_err(|error| Error::new(Reason::ConfigBadAddress, format!("mDNS: {error}")))
}

/// A service as it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) instance: Name,
    pub(crate) port: u16,
    /// The character string of its TXT record.
    pub(crate) text: Vec<u8>,
}

/// What goes with the cards of a packet.
pub(crate) struct Sender<'a> {
    pub(crate) names: &'a Names,
    pub(crate) host: &'a Name,
    /// Of the interface that the packet leaves by.
    pub(crate) addresses: &'a [IpAddr],
    /// In seconds.
    pub(crate) ttl: u32,
}

/// To whom an answer goes that is not for everybody.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    pub(crate) id: u16,
    /// Repeated for one who knows DNS only and not mDNS.
    pub(crate) questions: Option<Vec<Query>>,
}

impl Sender<'_> {
    /// What is said unasked: everything is an answer, and replaces what was known.
    pub(crate) fn announcement(&self, cards: &[Card]) -> Vec<Vec<u8>> {
        self.divided(cards, |cards| {
            let mut message = self.message(None);
            for card in cards {
                message.add_answers([self.service(card, true), self.text(card, true), self.pointer(card)]);
            }
            message.add_answer(self.type_pointer());
            message.add_answers(self.hosts(true));
            message
        })
    }

    /// What is said of the type when somebody asks.
    pub(crate) fn answer(&self, cards: &[Card], asker: Option<&Asker>) -> Vec<Vec<u8>> {
        let flush = asker.is_none_or(|asker| asker.questions.is_none());
        self.divided(cards, |cards| {
            let mut message = self.message(asker);
            message.add_answers(cards.iter().map(|card| self.pointer(card)));
            for card in cards {
                message.add_additionals([self.service(card, flush), self.text(card, flush)]);
            }
            message.add_additionals(self.hosts(flush));
            message
        })
    }

    /// Which types there are, and where the host is: what tools ask for.
    pub(crate) fn about(&self, types: bool, asker: Option<&Asker>) -> Vec<Vec<u8>> {
        let flush = asker.is_none_or(|asker| asker.questions.is_none());
        let mut message = self.message(asker);
        match types {
            true => drop(message.add_answer(self.type_pointer())),
            false => drop(message.add_answers(self.hosts(flush))),
        }
        written(&message).into_iter().collect()
    }

    /// That these leave: what is left to live is nothing.
    pub(crate) fn goodbye(&self, cards: &[Card]) -> Vec<Vec<u8>> {
        let leaving = Sender { ttl: 0, ..*self };
        leaving.divided(cards, |cards| {
            let mut message = leaving.message(None);
            for card in cards {
                message.add_answers([leaving.pointer(card), leaving.service(card, true), leaving.text(card, true)]);
            }
            message
        })
    }

    /// A packet for as many cards as it holds, then the next.
    fn divided(&self, cards: &[Card], message: impl Fn(&[Card]) -> Message) -> Vec<Vec<u8>> {
        // Names are written once and pointed to afterwards; a bit more than what is written.
        let length = |card: &Card| 2 * card.instance.len() + self.host.len() + card.text.len() + 60;
        let common = 100 + self.addresses.len() * 28;
        let mut packets = Vec::new();
        let mut rest = cards;
        while !rest.is_empty() {
            let mut full = common;
            let fitting = rest.iter().take_while(|card| {
                full += length(card);
                full <= FULL
            });
            let (now, later) = rest.split_at(fitting.count().max(1));
            packets.extend(written(&message(now)));
            rest = later;
        }
        packets
    }

    fn message(&self, asker: Option<&Asker>) -> Message {
        let mut message = Message::response(asker.map_or(0, |asker| asker.id), OpCode::Query);
        message.metadata.authoritative = true;
        if let Some(questions) = asker.and_then(|asker| asker.questions.as_ref()) {
            message.add_queries(questions.iter().cloned());
        }
        message
    }

    fn pointer(&self, card: &Card) -> Record {
        Record::from_rdata(self.names.kind.clone(), self.ttl, RData::PTR(PTR(card.instance.clone())))
    }

    fn type_pointer(&self) -> Record {
        Record::from_rdata(self.names.types.clone(), self.ttl, RData::PTR(PTR(self.names.kind.clone())))
    }

    fn service(&self, card: &Card, flush: bool) -> Record {
        let data = RData::SRV(SRV::new(0, 0, card.port, self.host.clone()));
        marked(Record::from_rdata(card.instance.clone(), self.ttl, data), flush)
    }

    fn text(&self, card: &Card, flush: bool) -> Record {
        let data = RData::TXT(TXT::from_bytes(vec![&card.text]));
        marked(Record::from_rdata(card.instance.clone(), self.ttl, data), flush)
    }

    fn hosts(&self, flush: bool) -> Vec<Record> {
        let record = |address: &IpAddr| {
            let data = match address {
                IpAddr::V4(address) => RData::A(A(*address)),
                IpAddr::V6(address) => RData::AAAA(AAAA(*address)),
            };
            marked(Record::from_rdata(self.host.clone(), self.ttl, data), flush)
        };
        self.addresses.iter().map(record).collect()
    }
}

fn marked(mut record: Record, flush: bool) -> Record {
    if flush {
        record.dns_class = DNSClass::from(u16::from(DNSClass::IN) | MARKED);
    }
    record
}

/// A question for everybody.
pub(crate) fn question(names: &[(Name, RecordType)]) -> Option<Vec<u8>> {
    let mut message = Message::new(0, MessageType::Query, OpCode::Query);
    message.add_queries(names.iter().map(|(name, kind)| Query::query(name.clone(), *kind)));
    written(&message)
}

fn written(message: &Message) -> Option<Vec<u8>> {
    message
        .to_vec()
        .inspect_err(|error| tracing::error!(target: "rpcx::discovery", %error, "a packet cannot be written"))
        .ok()
}

/// A packet, as far as it matters here.
#[derive(Debug)]
pub(crate) enum Heard {
    Asked(Asked),
    /// By instance.
    Told(HashMap<Name, Told>),
}

/// What somebody wants to know.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) id: u16,
    pub(crate) questions: Vec<Query>,
    /// Instances that he knows, and for how many seconds more.
    pub(crate) known: HashMap<Name, u32>,
}

/// What somebody says of an instance.
#[derive(Debug)]
pub(crate) struct Told {
    /// In seconds.
    pub(crate) ttl: u32,
    pub(crate) text: Text,
}

/// What was in the TXT record of an instance.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Text {
    /// There was none in the packet.
    Absent,
    /// Something that is no list of services.
    Foreign,
    /// These services.
    List(Vec<Entry>),
}

/// Whether a question wants an answer for whoever asks alone.
pub(crate) fn wants_unicast(question: &Query) -> bool {
    u16::from(question.query_class()) & MARKED != 0
}

/// Reads a packet. None if it has nothing to do with what is done here, or cannot be read.
pub(crate) fn read(packet: &[u8], names: &Names) -> Option<Heard> {
    if packet.len() > LONGEST {
        return None;
    }
    let message = Message::from_vec(packet).ok()?;
    let plain = message.metadata.op_code == OpCode::Query && message.metadata.response_code == ResponseCode::NoError;
    if !plain {
        return None;
    }
    match message.metadata.message_type {
        MessageType::Query => Some(Heard::Asked(asked(message, names))).filter(|heard| match heard {
            Heard::Asked(asked) => !asked.questions.is_empty(),
            Heard::Told(_) => false,
        }),
        MessageType::Response => {
            let told = told(message, names);
            (!told.is_empty()).then_some(Heard::Told(told))
        }
    }
}

fn asked(message: Message, names: &Names) -> Asked {
    let ours = |question: &Query| {
        let class = u16::from(question.query_class()) & !MARKED;
        (class == u16::from(DNSClass::IN) || class == u16::from(DNSClass::ANY)) && names.domain.zone_of(question.name())
    };
    let known = message.answers.into_iter().filter_map(|record| match record.data {
        RData::PTR(PTR(instance)) if record.name == names.kind => Some((instance, record.ttl)),
        _ => None,
    });
    Asked {
        id: message.metadata.id,
        known: known.collect(),
        questions: message.queries.into_iter().filter(ours).collect(),
    }
}

fn told(message: Message, names: &Names) -> HashMap<Name, Told> {
    let mut all: HashMap<Name, Told> = HashMap::new();
    let internet = |record: &Record| u16::from(record.dns_class) & !MARKED == u16::from(DNSClass::IN);
    for record in message.answers.into_iter().chain(message.additionals).filter(internet) {
        let (instance, text) = match record.data {
            RData::PTR(PTR(instance)) if record.name == names.kind => (instance, Text::Absent),
            RData::SRV(_) => (record.name, Text::Absent),
            RData::TXT(text) => {
                let list = entry::read(text.txt_data.iter().map(AsRef::as_ref));
                (record.name, list.map_or(Text::Foreign, Text::List))
            }
            _ => continue,
        };
        if !names.is_instance(&instance) {
            continue;
        }
        let told = all.entry(instance).or_insert(Told { ttl: record.ttl, text: Text::Absent });
        told.ttl = told.ttl.min(record.ttl);
        if text != Text::Absent {
            told.text = text;
        }
    }
    all
}

#[cfg(test)]
mod tests;
