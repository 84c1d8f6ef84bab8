//! The discovery: the children of a service, the data of each, and watches of both.

use crate::connect::{open, within};
use crate::options::ZookeeperOptions;
use crate::wire::{Code, Ensemble, Event, EventKind, Session};
use rpcx::discovery::{BoxFuture, Feed, Node, NodeChange, NodeMetadata, Source};
use rpcx::{Error, Reason, Result};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};

/// How often a server is asked whether it is alive; it counts as lost when nothing came for two of these. A ZooKeeper that
/// stood still ends the sessions that could not be kept alive meanwhile, and must not empty the list of those who follow.
const BEAT: Duration = Duration::from_secs(2);

/// So many data are asked for at once.
const WINDOW: usize = 128;

/// What changes within this time is asked for together.
const SETTLE: Duration = Duration::from_millis(20);

/// The services below a base path; made by [`discovery`](crate::discovery). All that are followed share one session.
#[derive(Debug)]
pub struct Zookeeper {
    options: ZookeeperOptions,
    ensemble: Ensemble,
    /// Locked while somebody connects, for whom the others wait.
    session: Mutex<Option<Arc<Session>>>,
}

impl Zookeeper {
    pub(crate) fn new(options: ZookeeperOptions) -> Self {
        Self { options, ensemble: Ensemble::new(), session: Mutex::default() }
    }

    async fn session(&self) -> Result<Arc<Session>> {
        let mut shared = self.session.lock().await;
        if let Some(session) = shared.as_ref().filter(|session| !session.is_lost()) {
            return Ok(session.clone());
        }
        let session = Arc::new(open(&self.ensemble, &self.options, None, Some(BEAT)).await?);
        *shared = Some(session.clone());
        Ok(session)
    }

    /// Nobody begins to use this session any more.
    async fn forget(&self, session: &Arc<Session>) {
        let mut shared = self.session.lock().await;
        if shared.as_ref().is_some_and(|other| Arc::ptr_eq(other, session)) {
            *shared = None;
        }
    }

    async fn follow_on(&self, session: &Session, service: &str, feed: &Feed) -> Error {
        let (sender, events) = mpsc::unbounded_channel();
        let path = self.options.base.service(service);
        session.listen(&path, &sender);
        let limit = self.options.registry.request_timeout;
        let mut follower = Follower { session, path, feed, limit, listed: BTreeSet::new(), answered: false };
        tokio::select! {
            // What was heard before the end counts.
            biased;
            error = follower.follow(events) => error,
            error = session.lost() => error,
        }
    }
}

impl Source for Zookeeper {
    fn follow<'a>(&'a self, service: &'a str, feed: &'a Feed) -> BoxFuture<'a, Error> {
        Box::pin(async move {
            match self.session().await {
                Err(error) => error,
                Ok(session) => {
                    let error = self.follow_on(&session, service, feed).await;
                    // What concerns one service alone leaves the session to the others.
                    if session.is_lost() || error.reason() == Reason::ConnectTimeout {
                        self.forget(&session).await;
                    }
                    error
                }
            }
        })
    }

    fn close(&self) {
        // Nobody follows any more, so nobody holds it.
        if let Ok(mut shared) = self.session.try_lock()
            && let Some(session) = shared.take()
        {
            session.end_soon();
        }
    }
}

/// Follows one service in one session.
struct Follower<'a> {
    session: &'a Session,
    path: String,
    feed: &'a Feed,
    limit: Duration,
    /// The children whose data the feed has, or is about to have.
    listed: BTreeSet<String>,
    answered: bool,
}

/// What is to be asked.
#[derive(Default)]
struct Questions {
    list: bool,
    data: BTreeSet<String>,
}

impl Questions {
    fn add(&mut self, event: &Event, path: &str) {
        match event.path.strip_prefix(path) {
            Some("") => self.list = true,
            // One that is gone may be there again already, in the same transaction; whether it is not, the list tells.
            Some(rest) if event.kind != EventKind::Children => {
                if let Some(name) = rest.strip_prefix('/') {
                    self.data.insert(name.to_owned());
                }
            }
            _ => {}
        }
    }
}

impl Follower<'_> {
    async fn follow(&mut self, mut events: mpsc::UnboundedReceiver<Event>) -> Error {
        let mut questions = Questions { list: true, ..Questions::default() };
        loop {
            if let Err(error) = self.ask(std::mem::take(&mut questions)).await {
                return error;
            }
            match events.recv().await {
                Some(event) => questions.add(&event, &self.path),
                // The session is lost, or another one follows this service.
                None => return self.session.lost().await,
            }
            tokio::time::sleep(SETTLE).await;
            while let Ok(event) = events.try_recv() {
                questions.add(&event, &self.path);
            }
        }
    }

    /// Asks, sets the watches by that, and tells the feed.
    async fn ask(&mut self, mut questions: Questions) -> Result<()> {
        let mut changes = Vec::new();
        if questions.list {
            let listed = within(self.limit, self.list()).await?;
            let removed = self.listed.difference(&listed).map(|name| NodeChange::Remove(name.as_str().into()));
            changes.extend(removed);
            questions.data.extend(listed.difference(&self.listed).cloned());
            self.listed = listed;
        }
        questions.data.retain(|name| self.listed.contains(name));
        let names: Vec<String> = questions.data.into_iter().collect();
        for window in names.chunks(WINDOW) {
            within(self.limit, self.read(window, &mut changes)).await?;
        }
        let revision = u64::try_from(self.session.zxid()).unwrap_or_default();
        if !self.answered {
            self.answered = true;
            let nodes = changes.into_iter().filter_map(|change| match change {
                NodeChange::Set(node) => Some(node),
                NodeChange::Remove(_) => None,
            });
            self.feed.answer_at(revision, nodes.collect());
        } else if !changes.is_empty() {
            self.feed.change(Some(revision), changes);
        }
        Ok(())
    }

    /// The children, which are none where the service is not there.
    async fn list(&self) -> Result<BTreeSet<String>> {
        loop {
            match self.session.children(&self.path, true).await? {
                Ok((names, _)) => return Ok(names.into_iter().collect()),
                Err(Code::NO_NODE) => {}
                Err(code) => return Err(code.error(&self.path)),
            }
            match self.session.stat(&self.path, true).await? {
                // It has come meanwhile.
                Ok(_) => {}
                Err(Code::NO_NODE) => return Ok(BTreeSet::new()),
                Err(code) => return Err(code.error(&self.path)),
            }
        }
    }

    async fn read(&mut self, names: &[String], changes: &mut Vec<NodeChange>) -> Result<()> {
        let mut answers = Vec::with_capacity(names.len());
        for name in names {
            answers.push(self.session.ask_data(&format!("{}/{name}", self.path), true).await?);
        }
        for (name, answer) in names.iter().zip(answers) {
            match answer.data().await? {
                Ok((data, _)) => {
                    let metadata = NodeMetadata::new(&String::from_utf8_lossy(&data));
                    changes.extend(Node::new(name.as_str(), metadata).map(NodeChange::Set));
                }
                // If it comes again, that is a child which was not there.
                Err(Code::NO_NODE) => {
                    self.listed.remove(name);
                    changes.push(NodeChange::Remove(name.as_str().into()));
                }
                Err(code) => return Err(code.error(&format!("{}/{name}", self.path))),
            }
        }
        Ok(())
    }
}
