//! The registry: what this host says of its services. There is nothing else that could keep them: the responder is the store.

use crate::answers::{Answers, Reply};
use crate::book::Book;
use crate::entry::{Entry, LONGEST as LONGEST_TEXT};
use crate::failed;
use crate::label::Birth;
use crate::links::{Arrived, Link, Links};
use crate::options::MdnsOptions;
use crate::packet::{Card, Heard, LONGEST, Names, PORT, Sender, read};
use hickory_proto::rr::Name;
use rpcx::discovery::{Found, Over, Owner, Place, Store, StoreSession, Touched};
use rpcx::{Error, Reason, Result};
use std::convert::Infallible;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// So many cards are in a packet; after so many packets those who read them get time to.
const AT_ONCE: usize = 4;
const BURST: usize = 8;
const PAUSE: Duration = Duration::from_millis(2);

/// What servers publish on the network; made by [`registry`](crate::registry).
#[derive(Debug)]
pub struct MdnsStore {
    options: MdnsOptions,
    beyond: Arc<AtomicBool>,
}

impl MdnsStore {
    pub(crate) fn new(options: MdnsOptions) -> Self {
        Self { options, beyond: Arc::default() }
    }
}

impl Store for MdnsStore {
    type Session = MdnsSession;

    async fn begin(&self) -> Result<MdnsSession> {
        let names = Names::new(&self.options.domain)?;
        let birth = Birth::now();
        let host = names.host(&birth.host())?;
        let links = Links::new(&self.options, &self.beyond);
        links.check()?;
        // As parsed, it is no more than a day.
        let ttl = u32::try_from(self.options.ttl.as_secs()).unwrap_or(u32::MAX);
        let book = Mutex::new(Book::new(birth));
        Ok(MdnsSession { names, host, ttl, links, book, speaking: Default::default(), wake: Notify::new() })
    }
}

/// Sockets, and what is said on them.
#[derive(Debug)]
pub struct MdnsSession {
    names: Names,
    host: Name,
    ttl: u32,
    links: Links,
    book: Mutex<Book>,
    /// Held while something is read in the book and sent.
    speaking: tokio::sync::Mutex<()>,
    /// The book has changed.
    wake: Notify,
}

impl MdnsSession {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sender<'a>(&'a self, link: &'a Link) -> Sender<'a> {
        Sender { names: &self.names, host: &self.host, addresses: link.addresses(), ttl: self.ttl }
    }

    /// Announces on these links; whether it could be said on any.
    async fn announce(&self, links: &[Arc<Link>], cards: &[Card]) -> bool {
        let mut told = false;
        for link in links {
            told |= self.say(link, cards, |sender, cards| sender.announcement(cards)).await;
        }
        told
    }

    /// Says something about cards to everybody on a link, each as it is by then; false if the link has failed.
    async fn say(
        &self,
        link: &Arc<Link>,
        cards: &[Card],
        packets: impl Fn(&Sender<'_>, &[Card]) -> Vec<Vec<u8>>,
    ) -> bool {
        for (number, some) in cards.chunks(AT_ONCE).enumerate() {
            if number > 0 && number % BURST == 0 {
                tokio::time::sleep(PAUSE).await;
            }
            // What is older is not sent after what is newer.
            let _turn = self.speaking.lock().await;
            let packets = {
                let mut book = self.book();
                let current = book.current(some);
                book.said(link.number, &current, Instant::now());
                packets(&self.sender(link), &current)
            };
            if !self.links.send(link, &packets).await {
                return false;
            }
        }
        true
    }

    /// Says goodbye.
    ///
    /// # Errors
    ///
    /// If nobody could be told.
    async fn goodbye(&self, cards: &[Card]) -> Result<()> {
        let _turn = self.speaking.lock().await;
        let mut told = false;
        for link in self.links.all() {
            told |= self.links.send(&link, &self.sender(&link).goodbye(cards)).await;
        }
        self.told(told)
    }

    fn told(&self, told: bool) -> Result<()> {
        if told {
            return Ok(());
        }
        self.links.check()?;
        Err(failed("nothing could be sent"))
    }

    /// Answers and repeats. A network that is gone is waited for: what is published is said when it comes back.
    async fn respond(&self) -> Infallible {
        let mut buffer = Box::new([0; LONGEST]);
        let mut answers = Answers::default();
        loop {
            let now = Instant::now();
            let again = self.book().take_repeats(now);
            if !again.is_empty() {
                self.announce(&self.links.all(), &again).await;
            }
            for link in self.links.all() {
                let due = answers.due(link.number, &self.book(), self.ttl, now);
                if let Some(reply) = due {
                    self.reply(&link, reply).await;
                }
            }
            let wake = [self.book().repeat_at(), answers.next()].into_iter().flatten();
            let wake = wake.fold(self.links.scan_at(), Instant::min);
            tokio::select! {
                arrived = self.links.receive(&mut buffer) => {
                    if let Some(arrived) = arrived {
                        for reply in self.hear(&arrived, &buffer[..arrived.length], &mut answers) {
                            self.reply(&arrived.link, reply).await;
                        }
                    }
                }
                () = self.wake.notified() => {}
                () = tokio::time::sleep_until(wake) => {
                    if self.links.scan_at() <= Instant::now() {
                        let new = self.links.scan();
                        if !new.is_empty() {
                            let all = self.book().cards();
                            self.announce(&new, &all).await;
                        }
                        answers.retain(&self.links.all());
                        self.book().retain(&self.links.all());
                    }
                }
            }
        }
    }

    /// Takes a packet; gives what is to be answered at once.
    fn hear(&self, arrived: &Arrived, packet: &[u8], answers: &mut Answers) -> Vec<Reply> {
        let now = Instant::now();
        match read(packet, &self.names) {
            Some(Heard::Asked(asked)) => answers.asked(asked, arrived, &self.names, &self.host, &self.book(), now),
            Some(Heard::Told(told)) if arrived.from.port() == PORT => {
                let mut book = self.book();
                for instance in told.iter().filter(|(_, told)| told.ttl == 0).map(|(instance, _)| instance) {
                    // Somebody has said goodbye for what is there.
                    book.repeat(instance, now);
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    async fn reply(&self, link: &Arc<Link>, reply: Reply) {
        let asker = reply.to.as_ref().map(|(_, asker)| asker);
        let mut sender = self.sender(link);
        if asker.is_some_and(|asker| asker.questions.is_some()) {
            // Others keep it without hearing when it changes.
            sender.ttl = sender.ttl.min(10);
        }
        let mut packets = Vec::new();
        if reply.types {
            packets.extend(sender.about(true, asker));
        }
        if reply.host {
            packets.extend(sender.about(false, asker));
        }
        match &reply.to {
            Some((to, _)) => {
                packets.extend(sender.answer(&reply.cards, asker));
                self.links.send_to(link, &packets, *to).await
            }
            None => {
                self.links.send(link, &packets).await
                    && self.say(link, &reply.cards, |sender, cards| sender.answer(cards, None)).await
            }
        };
    }

    /// The metadata and the TXT record with them.
    fn text(&self, place: &Place, metadata: &str, refreshed: bool) -> Result<(String, Vec<u8>)> {
        let mut entry = Entry {
            service: place.service.to_string(),
            address: place.address.to_string(),
            metadata: metadata.to_owned(),
        };
        if let Some(text) = entry.text() {
            return Ok((entry.metadata, text));
        }
        if refreshed {
            let means = |pair: &&str| pair.starts_with("calls=") || pair.starts_with("connections=");
            entry.metadata = metadata.split('&').filter(|pair| !means(pair)).collect::<Vec<_>>().join("&");
            if let Some(text) = entry.text() {
                return Ok((entry.metadata, text));
            }
        }
        Err(Error::new(
            Reason::ConfigBadValue,
            format!(
                "mDNS: {place}: service, address and metadata are longer than the {LONGEST_TEXT} bytes of a TXT record"
            ),
        ))
    }
}

impl StoreSession for MdnsSession {
    /// Counts the writes.
    type Version = u64;

    async fn keep<'a>(&'a self, _touched: &'a Touched) -> Error {
        match self.respond().await {}
    }

    async fn read(&self, place: &Place) -> Result<Option<Found<u64>>> {
        let found = self.book().find(place);
        Ok(found.map(|(text, version)| Found { text, version, owner: Owner::Own }))
    }

    async fn write(&self, place: &Place, text: &str, over: Over<u64>) -> Result<bool> {
        let refreshed = matches!(over, Over::Version(_));
        let (metadata, text) = self.text(place, text, refreshed)?;
        let card = {
            let mut book = self.book();
            let found = book.find(place).map(|(_, version)| version);
            let as_wanted = match over {
                Over::Anything => true,
                Over::Nothing => found.is_none(),
                Over::Version(version) => found == Some(version),
            };
            if !as_wanted {
                return Ok(false);
            }
            match book.write(place, &self.names, metadata, text, refreshed, Instant::now())? {
                Some(card) => card,
                None => return Ok(true),
            }
        };
        self.wake.notify_one();
        let told = self.announce(&self.links.all(), &[card]).await;
        // What is only refreshed is said when the network is back.
        if !refreshed {
            self.told(told)?;
        }
        Ok(true)
    }

    async fn remove(&self, place: &Place) -> Result<()> {
        let card = self.book().remove(place, Instant::now());
        match card {
            Some(card) => self.goodbye(&[card]).await,
            None => Ok(()),
        }
    }

    async fn end(&self) -> Result<()> {
        // Once more, for those who have not heard it.
        let leaving = self.book().just_left(Instant::now());
        match leaving.is_empty() {
            true => Ok(()),
            false => self.goodbye(&leaving).await,
        }
    }
}
