//! The discovery: one task asks and listens, those who follow services are told.

use crate::cache::{Cache, Passed};
use crate::failed;
use crate::links::{Arrived, Link, Links};
use crate::options::MdnsOptions;
use crate::packet::{Heard, LONGEST, Names, PORT, Text, Told, question, read, wants_unicast};
use hickory_proto::rr::{Name, RecordType};
use rpcx::balance::random_bits;
use rpcx::discovery::{BoxFuture, Feed, Node, Source};
use rpcx::{Error, Result};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::AtomicBool;
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
const AGAIN: Duration = Duration::from_secs(2);

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
    beyond: Arc<AtomicBool>,
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
    /// Why nobody is heard.
    problem: Option<Problem>,
}

#[derive(Clone, Debug)]
enum Problem {
    /// This host has no network.
    Down(Error),
    /// All servers are silent.
    Quiet,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Mdns {
    pub(crate) fn new(options: MdnsOptions) -> Self {
        Self { options, beyond: Arc::default(), session: Mutex::default() }
    }

    /// The session that there is, or a new one.
    fn session(&self) -> Result<Arc<Session>> {
        let mut current = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = current.upgrade().filter(|session| !session.task.is_finished()) {
            return Ok(session);
        }
        let names = Names::new(&self.options.domain)?;
        let links = Links::new(&self.options, &self.beyond);
        let cache = Arc::new(Mutex::new(Cache::new(self.options.ttl)));
        let (sender, state) = watch::channel(State::default());
        let browser = Browser {
            links,
            names,
            cache: cache.clone(),
            began: Instant::now(),
            answer_at: Instant::now() + FIRST_ANSWER,
            asked_at: HashMap::new(),
            named_at: Instant::now(),
            gather: None,
            state: sender,
        };
        let session = Arc::new(Session { task: tokio::spawn(browser.run()), state, cache });
        *current = Arc::downgrade(&session);
        Ok(session)
    }

    async fn follow_on(&self, service: &str, feed: &Feed) -> Result<Infallible> {
        let session = self.session()?;
        let mut state = session.state.clone();
        let mut shown = Shown::Nothing;
        loop {
            let now = state.borrow_and_update().clone();
            match now.problem {
                Some(Problem::Down(_)) if shown == Shown::Down => {}
                Some(Problem::Down(error)) => {
                    feed.interrupted(&error);
                    shown = Shown::Down;
                }
                Some(Problem::Quiet) if shown == Shown::Quiet => {}
                Some(Problem::Quiet) => {
                    feed.interrupted(&failed("no server is heard any more"));
                    // If that does not change, there is none.
                    feed.answer(Vec::new());
                    shown = Shown::Quiet;
                }
                None if now.ready => {
                    let nodes = lock(&session.cache).nodes(service);
                    if !matches!(&shown, Shown::Nodes(shown) if *shown == nodes) {
                        feed.answer(nodes.clone());
                        shown = Shown::Nodes(nodes);
                    }
                    tokio::time::sleep(PACE).await;
                }
                None => {}
            }
            if state.changed().await.is_err() {
                return Err(failed("the task of the discovery has ended"));
            }
        }
    }
}

/// What a feed was told last.
#[derive(PartialEq)]
enum Shown {
    Nothing,
    Nodes(Vec<Node>),
    Down,
    Quiet,
}

impl Source for Mdns {
    fn follow<'a>(&'a self, service: &'a str, feed: &'a Feed) -> BoxFuture<'a, Error> {
        Box::pin(async move {
            let Err(error) = self.follow_on(service, feed).await;
            error
        })
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
    began: Instant,
    /// When there is an answer, whoever was heard.
    answer_at: Instant,
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
        let mut buffer = Box::new([0; LONGEST]);
        loop {
            self.check();
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

    /// Whether there is a network, still or again.
    fn check(&mut self) {
        let was_down = matches!(self.state.borrow().problem, Some(Problem::Down(_)));
        match self.links.check() {
            Ok(()) if was_down => self.begin_again(),
            Err(error) if !was_down => self.state.send_modify(|state| state.problem = Some(Problem::Down(error))),
            _ => {}
        }
    }

    /// Nobody was heard for a while: all are asked, and what was known stays until they had time to answer.
    fn begin_again(&mut self) {
        self.began = Instant::now();
        // When those who are not heard have gone.
        self.answer_at = self.began + AGAIN + GATHER;
        self.asked_at.clear();
        self.gather = None;
        lock(&self.cache).doubt_all(self.began, AGAIN);
        self.state.send_modify(|state| *state = State::default());
    }

    /// What time brings.
    fn pass(&mut self) {
        let now = Instant::now();
        if self.links.scan_at() <= now {
            self.links.scan();
        }
        if self.links.check().is_err() {
            // What was known stays, for as long as it takes.
            return;
        }
        let passed = lock(&self.cache).expire(now);
        match passed {
            Passed::Nothing => {}
            Passed::Changed => self.state.send_modify(|_| ()),
            Passed::Quiet => self.state.send_modify(|state| state.problem = Some(Problem::Quiet)),
        }
        self.settle(now);
    }

    fn wake_at(&self) -> Instant {
        if self.links.check().is_err() {
            return self.links.scan_at();
        }
        let waiting = !self.state.borrow().ready;
        let first = waiting.then(|| self.gather.unwrap_or(self.answer_at));
        let known = lock(&self.cache).next().map(|next| next.max(self.named_at));
        let asks = self.asked_at.values().min().copied();
        [first, known, asks].into_iter().flatten().fold(self.links.scan_at(), Instant::min)
    }

    /// Whether the first answer is there.
    fn settle(&mut self, now: Instant) {
        if self.state.borrow().ready || self.links.check().is_err() {
            return;
        }
        let complete = {
            let cache = lock(&self.cache);
            !cache.is_empty() && cache.all_heard_since(self.began)
        };
        if complete {
            self.gather.get_or_insert((now + GATHER).min(self.answer_at));
        }
        if self.gather.unwrap_or(self.answer_at) <= now {
            self.state.send_modify(|state| state.ready = true);
        }
    }

    fn hear(&mut self, arrived: &Arrived, packet: &[u8]) {
        let now = Instant::now();
        match read(packet, &self.names) {
            // Answers of mDNS come from its port.
            Some(Heard::Told(told)) if arrived.from.port() == PORT => {
                let alive = |told: &Told| told.ttl > 0 && matches!(&told.text, Text::List(list) if !list.is_empty());
                if told.values().any(alive) && lock(&self.cache).is_quiet() {
                    self.begin_again();
                }
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
        // One that lives shorter than the others may have come.
        let latest = now + lock(&self.cache).life() / 3;
        self.asked_at.values_mut().for_each(|at| *at = (*at).min(latest));
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
        let interval = lock(&self.cache).life() / 3;
        interval - interval / 10 * u32::try_from(random_bits() % 100).unwrap_or_default() / 100
    }
}
