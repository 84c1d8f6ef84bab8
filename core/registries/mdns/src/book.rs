//! What is published, and when each part of it was said. Nothing here reads a clock or a socket.

use crate::label::Birth;
use crate::links::Link;
use crate::packet::{Card, Names};
use hickory_proto::rr::Name;
use rpcx::Result;
use rpcx::discovery::Place;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What is new is said twice, and nothing is said to everybody more often than so.
pub(crate) const AGAIN: Duration = Duration::from_secs(1);

/// The services of this server.
#[derive(Debug)]
pub(crate) struct Book {
    birth: Birth,
    published: BTreeMap<Place, Published>,
    by_name: HashMap<Name, Place>,
    /// Counts names and writes.
    last: u64,
    /// What was taken out, and when.
    left: Vec<(Instant, Card)>,
}

#[derive(Debug)]
struct Published {
    card: Card,
    metadata: String,
    version: u64,
    repeat: Option<Instant>,
    /// By link: when it was said to everybody.
    said: HashMap<u64, Instant>,
}

impl Book {
    pub(crate) fn new(birth: Birth) -> Self {
        Self { birth, published: BTreeMap::new(), by_name: HashMap::new(), last: 0, left: Vec::new() }
    }

    /// Metadata and version of a service.
    pub(crate) fn find(&self, place: &Place) -> Option<(String, u64)> {
        self.published.get(place).map(|found| (found.metadata.clone(), found.version))
    }

    /// Writes a service; gives what is to be said now and a second time later, which for one that is only refreshed may be
    /// nothing.
    ///
    /// # Errors
    ///
    /// Kind `config` if its name is none.
    pub(crate) fn write(
        &mut self,
        place: &Place,
        names: &Names,
        metadata: String,
        text: Vec<u8>,
        refreshed: bool,
        now: Instant,
    ) -> Result<Option<Card>> {
        self.last += 1;
        if let Some(found) = self.published.get_mut(place) {
            found.metadata = metadata;
            found.version = self.last;
            if refreshed && found.card.text == text {
                return Ok(None);
            }
            found.card.text = text;
            found.repeat = Some(now + AGAIN);
            return Ok(Some(found.card.clone()));
        }
        let port = port(&place.address);
        let instance = names.instance(&self.birth.instance(&place.service, port, self.last))?;
        let card = Card { instance: instance.clone(), port, text };
        let published = Published {
            card: card.clone(),
            metadata,
            version: self.last,
            repeat: Some(now + AGAIN),
            said: HashMap::new(),
        };
        self.published.insert(place.clone(), published);
        self.by_name.insert(instance, place.clone());
        Ok(Some(card))
    }

    /// Takes a service out.
    pub(crate) fn remove(&mut self, place: &Place, now: Instant) -> Option<Card> {
        let card = self.published.remove(place)?.card;
        self.by_name.remove(&card.instance);
        self.left.retain(|(at, _)| now < *at + AGAIN);
        self.left.push((now, card.clone()));
        Some(card)
    }

    /// What was taken out within the last second.
    pub(crate) fn just_left(&mut self, now: Instant) -> Vec<Card> {
        self.left.drain(..).filter(|(at, _)| now < *at + AGAIN).map(|(_, card)| card).collect()
    }

    /// Everything.
    pub(crate) fn cards(&self) -> Vec<Card> {
        self.published.values().map(|published| published.card.clone()).collect()
    }

    /// What of these is still published, as it is now.
    pub(crate) fn current(&self, cards: &[Card]) -> Vec<Card> {
        cards.iter().filter_map(|card| self.by_name(&card.instance)).cloned().collect()
    }

    /// An instance that is published.
    pub(crate) fn by_name(&self, instance: &Name) -> Option<&Card> {
        self.of_name(instance).map(|published| &published.card)
    }

    /// Whether an instance was said on this link within the last second.
    pub(crate) fn is_fresh(&self, instance: &Name, link: u64, now: Instant) -> bool {
        let said = self.of_name(instance).and_then(|published| published.said.get(&link));
        said.is_some_and(|at| now < *at + AGAIN)
    }

    fn of_name(&self, instance: &Name) -> Option<&Published> {
        self.published.get(self.by_name.get(instance)?)
    }

    /// These were said to everybody on a link.
    pub(crate) fn said(&mut self, link: u64, cards: &[Card], now: Instant) {
        for card in cards {
            let published = self.by_name.get(&card.instance).and_then(|place| self.published.get_mut(place));
            if let Some(published) = published {
                published.said.insert(link, now);
            }
        }
    }

    /// An instance is to be said again, a second after it was said last.
    pub(crate) fn repeat(&mut self, instance: &Name, now: Instant) {
        let published = self.by_name.get(instance).and_then(|place| self.published.get_mut(place));
        if let Some(published) = published {
            let at = published.said.values().max().map_or(now, |at| now.max(*at + AGAIN));
            published.repeat = Some(published.repeat.map_or(at, |repeat| repeat.min(at)));
        }
    }

    /// When [`take_repeats`](Self::take_repeats) has something next.
    pub(crate) fn repeat_at(&self) -> Option<Instant> {
        self.published.values().filter_map(|published| published.repeat).min()
    }

    /// What is to be said again now.
    pub(crate) fn take_repeats(&mut self, now: Instant) -> Vec<Card> {
        let due = self.published.values_mut().filter(|published| published.repeat.is_some_and(|at| at <= now));
        due.map(|published| {
            published.repeat = None;
            published.card.clone()
        })
        .collect()
    }

    /// Forgets other links.
    pub(crate) fn retain(&mut self, links: &[Arc<Link>]) {
        for published in self.published.values_mut() {
            published.said.retain(|number, _| links.iter().any(|link| link.number == *number));
        }
    }
}

/// The port of an address, for those who look at SRV records; clients take the address from the TXT record.
fn port(address: &str) -> u16 {
    address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(service: &str) -> Place {
        Place { service: service.into(), address: "tcp@[::1]:8972".into() }
    }

    #[test]
    fn what_is_new_is_said_twice_and_what_is_the_same_not_again() {
        let names = Names::new("local").expect("names");
        let mut book = Book::new(Birth::now());
        let now = Instant::now();
        let write = |book: &mut Book, service: &str, text: &str, refreshed| {
            book.write(&place(service), &names, text.into(), text.into(), refreshed, now).expect("a name")
        };
        let card = write(&mut book, "Arith", "1", false).expect("new");
        assert_eq!((card.port, book.repeat_at()), (8972, Some(now + AGAIN)));
        assert!(book.take_repeats(now).is_empty());
        assert_eq!(book.take_repeats(now + AGAIN), std::slice::from_ref(&card));
        assert_eq!(write(&mut book, "Arith", "1", true), None);
        assert!(write(&mut book, "Arith", "1", false).is_some(), "announced anew");
        let changed = write(&mut book, "Arith", "2", true).expect("changed");
        assert_eq!(changed.instance, card.instance);
        assert_eq!(book.find(&place("Arith")).map(|(text, _)| text).as_deref(), Some("2"));
        let other = write(&mut book, "Arith2", "1", false).expect("new");
        assert_ne!(other.instance, card.instance);
        assert_eq!(book.cards().len(), 2);
        assert_eq!(book.current(&[card.clone(), other.clone()]), [changed.clone(), other.clone()]);
        assert_eq!(book.remove(&place("Arith"), now), Some(changed.clone()));
        assert_eq!(book.current(&[card.clone(), other.clone()]), [other]);
        assert_eq!(book.remove(&place("Arith"), now), None);
        assert_eq!(book.by_name(&card.instance), None);
        assert_eq!(book.just_left(now), [changed]);
        assert!(book.just_left(now).is_empty());
        let again = write(&mut book, "Arith", "3", false).expect("new");
        assert_ne!(again.instance, card.instance, "its goodbye may still be under way");
    }

    #[test]
    fn a_goodbye_by_another_is_contradicted_once_a_second() {
        let names = Names::new("local").expect("names");
        let mut book = Book::new(Birth::now());
        let now = Instant::now();
        let card =
            book.write(&place("Arith"), &names, String::new(), vec![1], false, now).expect("a name").expect("new");
        book.take_repeats(now + AGAIN);
        book.said(1, std::slice::from_ref(&card), now + AGAIN);
        assert!(book.is_fresh(&card.instance, 1, now + AGAIN) && !book.is_fresh(&card.instance, 2, now + AGAIN));
        let later = now + AGAIN + Duration::from_millis(300);
        book.repeat(&card.instance, later);
        book.repeat(&names.instance("other").expect("a name"), later);
        assert_eq!(book.repeat_at(), Some(now + 2 * AGAIN));
        book.take_repeats(now + 2 * AGAIN);
        book.repeat(&card.instance, now + 5 * AGAIN);
        assert_eq!(book.repeat_at(), Some(now + 5 * AGAIN));
    }
}
