//! The discovery: one task asks and listens, those who follow services are told.

use crate::cache::Cache;
use crate::failed;
use crate::label::random;
use crate::links::{Arrived, Link, Links};
use crate::options::MdnsOptions;
use crate::packet::{Heard, LONGEST, Names, PORT, question, read, wants_unicast};
use hickory_proto::rr::{Name, RecordType};
use rpcx::discovery::{BoxFuture, Feed, Source};
use rpcx::{Error, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// When the network is asked for the second time, and when there is an answer even if nobody has said anything.
const SECOND: Duration = Duration::from_secs(1);
const FIRST_ANSWER: Duration = Duration::from_millis(1500);

/// How long the others are waited for after the first has answered; servers spread their answers over 100 ms.
const GATHER: Duration = Duration::from_millis(150);

/// How long what was known stays without being heard, once one listens again.
const AGAIN: Duration = Duration::from_secs(3);

/// Lists are made at most so often.
const PACE: Duration = Duration::from_millis(20);

/// Single servers are asked for at most so often, whatever is said on the network.
const NAMED: Duration = Duration::from_millis(100);

/// Questions by name in one packet; for more the question for all is shorter.
const BY_NAME: usize = 16;

/// Services on the network; made by [`discovery`](crate::discovery). All that are followed share the sockets and what was heard.
#[derive(Debug)]
pub struct Mdns {
    options: MdnsOptions,
    cache: Arc<Mutex<Cache>>,
    session: Mutex<Weak<Session>>,
}

/// The task, as long as somebody follows anything.
#[derive(Debug)]
struct Session {
    task: JoinHandle<()>,
    state: watch::Receiver<State>,
    cache: Arc<Mutex<Cache>>,
}

/// What those who follow wait for.
#[derive(Clone, Debug, Default)]
struct State {
    /// The first answers are there, or would be.
    ready: bool,
    /// Why nothing more comes.
    failed: Option<Error>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
        if self.state.borrow().failed.is_none() {
            // Nobody wanted to know; what is heard when somebody does again is newer.
            lock(&self.cache).clear();
        }
    }
}

impl Mdns {
    pub(crate) fn new(options: MdnsOptions) -> Self {
        let cache = Arc::new(Mutex::new(Cache::new(options.ttl)));
        Self { options, cache, session: Mutex::default() }
    }

    /// The session that there is, or a new one.
    fn session(&self) -> Result<Arc<Session>> {
        let mut current = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = current.upgrade().filter(|session| !session.task.is_finished()) {
            return Ok(session);
        }
        let names = Names::new(&self.options.domain)?;
        let links = Links::open(&self.options)?;
        let (sender, state) = watch::channel(State::default());
        let browser = Browser {
            links,
            names,
            cache: self.cache.clone(),
            interval: self.options.ttl / 3,
            began: Instant::now(),
            asked_at: HashMap::new(),
            named_at: Instant::now(),
            gather: None,
            state: sender,
        };
        let session = Arc::new(Session { task: tokio::spawn(browser.run()), state, cache: self.cache.clone() });
        *current = Arc::downgrade(&session);
        Ok(session)
    }

    async fn follow_on(&self, service: &str, feed: &Feed) -> Result<()> {
        let session = self.session()?;
        let _following = Following::new(&self.cache, service);
        let mut state = session.state.clone();
        let mut told = None;
        loop {
            let now = state.borrow_and_update().clone();
            if let Some(error) = now.failed {
                return Err(error);
            }
            if now.ready {
                let (nodes, silent) = lock(&self.cache).nodes(service);
                if told.as_ref() != Some(&nodes) {
                    if nodes.is_empty() && silent {
                        // Perhaps it is this host that hears nothing any more.
                        feed.begin();
                    }
                    feed.answer(nodes.clone());
                    told = Some(nodes);
                }
                tokio::time::sleep(PACE).await;
            }
            if state.changed().await.is_err() && state.borrow().failed.is_none() {
                return Err(failed("the task of the discovery has ended"));
            }
        }
    }
}

impl Source for Mdns {
    fn follow<'a>(&'a self, service: &'a str, feed: &'a Feed) -> BoxFuture<'a, Error> {
        Box::pin(async move {
            match self.follow_on(service, feed).await {
                Ok(()) => failed("the discovery has ended"),
                Err(error) => error,
            }
        })
    }
}

/// Somebody follows a service.
struct Following<'a> {
    cache: &'a Mutex<Cache>,
    service: &'a str,
}

impl<'a> Following<'a> {
    fn new(cache: &'a Mutex<Cache>, service: &'a str) -> Self {
        lock(cache).follow(service);
        Self { cache, service }
    }
}

impl Drop for Following<'_> {
    fn drop(&mut self) {
        lock(self.cache).unfollow(self.service);
    }
}

fn lock(cache: &Mutex<Cache>) -> MutexGuard<'_, Cache> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks and listens.
struct Browser {
    links: Links,
    names: Names,
    cache: Arc<Mutex<Cache>>,
    /// How often everybody is asked.
    interval: Duration,
    began: Instant,
    /// By link: when to ask next.
    asked_at: HashMap<u64, Instant>,
    /// When single servers may be asked for again.
    named_at: Instant,
    /// When the first answer is complete.
    gather: Option<Instant>,
    state: watch::Sender<State>,
}

impl Browser {
    async fn run(mut self) {
        lock(&self.cache).doubt_all(self.began, AGAIN);
        let mut buffer = Box::new([0; LONGEST]);
        loop {
            if let Err(error) = self.links.check() {
                self.state.send_modify(|state| state.failed = Some(error));
                return;
            }
            self.ask().await;
            let wake = self.wake_at();
            tokio::select! {
                arrived = self.links.receive(&mut buffer) => {
                    if let Some(arrived) = arrived {
                        self.hear(&arrived, &buffer[..arrived.length]);
                    }
                }
                () = tokio::time::sleep_until(wake) => self.pass(),
            }
        }
    }

    /// What time brings.
    fn pass(&mut self) {
        let now = Instant::now();
        if self.links.scan_at() <= now {
            self.links.scan();
        }
        if lock(&self.cache).expire(now) {
            self.state.send_modify(|_| ());
        }
        self.settle(now);
    }

    fn wake_at(&self) -> Instant {
        let ready = self.state.borrow().ready;
        let first = (!ready).then(|| self.gather.unwrap_or(self.began + FIRST_ANSWER));
        let known = lock(&self.cache).next().map(|next| next.max(self.named_at));
        let asks = self.asked_at.values().min().copied();
        [first, known, asks].into_iter().flatten().fold(self.links.scan_at(), Instant::min)
    }

    /// Whether the first answer is there.
    fn settle(&mut self, now: Instant) {
        if self.state.borrow().ready {
            return;
        }
        let complete = {
            let cache = lock(&self.cache);
            !cache.is_empty() && cache.all_heard_since(self.began)
        };
        if complete {
            self.gather.get_or_insert((now + GATHER).min(self.began + FIRST_ANSWER));
        }
        if self.gather.unwrap_or(self.began + FIRST_ANSWER) <= now {
            self.state.send_modify(|state| state.ready = true);
        }
    }

    fn hear(&mut self, arrived: &Arrived, packet: &[u8]) {
        let now = Instant::now();
        match read(packet, &self.names) {
            // Answers of mDNS come from its port.
            Some(Heard::Told(told)) if arrived.from.port() == PORT => {
                let mut changed = false;
                {
                    let mut cache = lock(&self.cache);
                    for (instance, told) in told {
                        changed |= cache.hear(&instance, told, now);
                    }
                }
                if changed {
                    self.state.send_modify(|_| ());
                }
                self.settle(now);
            }
            // Somebody else asks the same: everybody hears the answers.
            Some(Heard::Asked(asked)) if arrived.from.port() == PORT && asked.known.is_empty() => {
                let same = asked.questions.iter().any(|question| {
                    *question.name() == self.names.kind
                        && question.query_type() == RecordType::PTR
                        && !wants_unicast(question)
                });
                if same && now >= self.began + SECOND {
                    self.asked_at.insert(arrived.link.number, now + self.pause());
                }
            }
            _ => {}
        }
    }

    /// Asks where it is time to.
    async fn ask(&mut self) {
        let now = Instant::now();
        let links = self.links.all();
        self.asked_at.retain(|number, _| links.iter().any(|link| link.number == *number));
        let asked = if self.named_at <= now { lock(&self.cache).take_asked(now) } else { Vec::new() };
        if !asked.is_empty() {
            self.named_at = now + NAMED;
        }
        for link in &links {
            if self.asked_at.get(&link.number).is_none_or(|at| *at <= now) || asked.len() > BY_NAME {
                let second = !self.asked_at.contains_key(&link.number);
                let next = if second { SECOND } else { self.pause() };
                self.asked_at.insert(link.number, now + next);
                self.send(link, &[(self.names.kind.clone(), RecordType::PTR)]).await;
            } else if !asked.is_empty() {
                let questions: Vec<(Name, RecordType)> =
                    asked.iter().map(|name| (name.clone(), RecordType::TXT)).collect();
                self.send(link, &questions).await;
            }
        }
    }

    async fn send(&self, link: &Arc<Link>, questions: &[(Name, RecordType)]) {
        if let Some(packet) = question(questions) {
            self.links.send(link, &[packet]).await;
        }
    }

    /// Up to a tenth shorter than the interval, so that of many clients one asks for all.
    fn pause(&self) -> Duration {
        self.interval - self.interval / 10 * u32::try_from(random() % 100).unwrap_or_default() / 100
    }
}
