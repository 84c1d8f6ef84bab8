//! Who is answered what, and when: the rules of RFC 6762 for not saying too much. Nothing here reads a clock or a socket.

use crate::book::Book;
use crate::links::{Arrived, Link};
use crate::packet::{Asked, Asker, Card, Names, PORT, wants_unicast};
use hickory_proto::op::Query;
use hickory_proto::rr::{Name, RecordType};
use rpcx::balance::random_bits;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How far answers for everybody are apart. RFC 6762 has a second, in which Go's clients may have given up.
const APART: Duration = Duration::from_millis(500);

/// Those who ask for an answer of their own get so many in a second, all of them together.
const ALONE: u32 = 20;

/// And so many services in each; who wants more may ask for everybody.
const MOST_ALONE: usize = 64;

/// Answers that are due, by the number of their link.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    links: HashMap<u64, OfLink>,
    /// The second that counts, and the answers in it.
    alone: Option<(Instant, u32)>,
}

#[derive(Debug, Default)]
struct OfLink {
    pending: Option<Pending>,
    /// When everybody was told last.
    told: Option<Instant>,
}

/// Somebody has asked for all services.
#[derive(Debug)]
struct Pending {
    at: Instant,
    /// What everybody who asked knows, and for how many seconds more.
    known: HashMap<Name, u32>,
    services: bool,
    types: bool,
}

/// What is to be sent.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Everybody if it is none.
    pub(crate) to: Option<(SocketAddr, Asker)>,
    pub(crate) cards: Vec<Card>,
    pub(crate) types: bool,
    pub(crate) host: bool,
}

/// What a packet asks for.
#[derive(Default)]
struct Wanted {
    services: bool,
    types: bool,
    host: bool,
    instances: HashSet<Name>,
    questions: Vec<Query>,
}

impl Wanted {
    fn add(&mut self, question: Query, names: &Names, host: &Name) {
        let (name, kind) = (question.name(), question.query_type());
        let pointer = matches!(kind, RecordType::PTR | RecordType::ANY);
        if *name == names.kind && pointer {
            self.services = true;
        } else if *name == names.types && pointer {
            self.types = true;
        } else if name == host {
            self.host |= matches!(kind, RecordType::A | RecordType::AAAA | RecordType::ANY);
        } else if matches!(kind, RecordType::SRV | RecordType::TXT | RecordType::ANY) {
            self.instances.insert(name.clone());
        }
        self.questions.push(question);
    }
}

impl Answers {
    /// Takes what somebody asks; gives what is answered at once.
    pub(crate) fn asked(
        &mut self,
        asked: Asked,
        arrived: &Arrived,
        names: &Names,
        host: &Name,
        book: &Book,
        now: Instant,
    ) -> Vec<Reply> {
        self.take(asked, arrived.link.number, arrived.from, (names, host), book, now)
    }

    fn take(
        &mut self,
        asked: Asked,
        link: u64,
        from: SocketAddr,
        (names, host): (&Names, &Name),
        book: &Book,
        now: Instant,
    ) -> Vec<Reply> {
        // Whoever does not ask from the port of mDNS knows DNS only, and hears nothing that is said to everybody.
        let plain = from.port() != PORT;
        let (mut alone, mut all) = (Wanted::default(), Wanted::default());
        for question in asked.questions {
            let wanted = if plain || wants_unicast(&question) { &mut alone } else { &mut all };
            wanted.add(question, names, host);
        }
        let mut replies = Vec::new();
        let known = |card: &Card| asked.known.contains_key(&card.instance);
        let named = |wanted: &Wanted| -> Vec<Card> {
            wanted.instances.iter().filter_map(|name| book.by_name(name)).cloned().collect()
        };
        let mut cards = named(&alone);
        if alone.services {
            let others =
                book.cards().into_iter().filter(|card| !known(card) && !alone.instances.contains(&card.instance));
            cards.extend(others);
        }
        if (!cards.is_empty() || alone.types || alone.host) && self.may_answer_alone(now) {
            cards.truncate(MOST_ALONE);
            let questions = plain.then_some(alone.questions);
            let to = Some((from, Asker { id: asked.id, questions }));
            replies.push(Reply { to, cards, types: alone.types, host: alone.host });
        }
        let mut cards = named(&all);
        cards.retain(|card| !book.is_fresh(&card.instance, link, now));
        if !cards.is_empty() || all.host {
            replies.push(Reply { to: None, cards, types: false, host: all.host });
        }
        if all.services || all.types {
            self.later(link, asked.known, &all, now);
        }
        replies
    }

    /// Everybody is answered a moment later, together with others who ask, and not again at once.
    fn later(&mut self, link: u64, known: HashMap<Name, u32>, wanted: &Wanted, now: Instant) {
        let of_link = self.links.entry(link).or_default();
        match &mut of_link.pending {
            Some(pending) => {
                if wanted.services && pending.services {
                    pending.known.retain(|instance, ttl| {
                        known.get(instance).is_some_and(|other| {
                            *ttl = (*ttl).min(*other);
                            true
                        })
                    });
                } else if wanted.services {
                    pending.known = known;
                }
                pending.services |= wanted.services;
                pending.types |= wanted.types;
            }
            pending => {
                let moment = now + Duration::from_millis(20 + random_bits() % 100);
                let at = of_link.told.map_or(moment, |told| moment.max(told + APART));
                *pending = Some(Pending { at, known, services: wanted.services, types: wanted.types });
            }
        }
    }

    fn may_answer_alone(&mut self, now: Instant) -> bool {
        let (second, count) = self.alone.get_or_insert((now, 0));
        if now >= *second + Duration::from_secs(1) {
            (*second, *count) = (now, 0);
        }
        *count += 1;
        *count <= ALONE
    }

    /// When [`due`](Self::due) has something next.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.links.values().filter_map(|link| Some(link.pending.as_ref()?.at)).min()
    }

    /// What everybody on a link is to be told now. `ttl` is that of what is published, in seconds.
    pub(crate) fn due(&mut self, link: u64, book: &Book, ttl: u32, now: Instant) -> Option<Reply> {
        let of_link = self.links.get_mut(&link)?;
        let pending = of_link.pending.take_if(|pending| pending.at <= now)?;
        of_link.told = Some(now);
        let mut cards = if pending.services { book.cards() } else { Vec::new() };
        // Who will know it for half of its time need not be told.
        cards.retain(|card| pending.known.get(&card.instance).is_none_or(|left| *left < ttl.div_ceil(2)));
        Some(Reply { to: None, cards, types: pending.types, host: false })
    }

    /// Forgets other links.
    pub(crate) fn retain(&mut self, links: &[Arc<Link>]) {
        self.links.retain(|number, _| links.iter().any(|link| link.number == *number));
    }
}

#[cfg(test)]
mod tests;
