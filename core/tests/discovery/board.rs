//! A registry with sessions, as etcd, ZooKeeper, Consul, Nacos or Redis would be, within the test: it can be down, restart
//! empty, lag behind, and let sessions expire. Beside it the two traits as a registry's crate implements them.

use rpcx::config::DiscoveryOptions;
use rpcx::discovery::{
    Announced, Announcement, BoxFuture, Feed, Node, NodeMetadata, Registry, Source, SourceDiscovery,
};
use rpcx::{Error, Reason, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// By service and address, with the session that each belongs to.
type Nodes = BTreeMap<Key, (NodeMetadata, u64)>;
type Key = (Arc<str>, Arc<str>);

/// The registry's own process.
#[derive(Clone)]
pub(crate) struct Board(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Something has changed.
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    down: bool,
    revision: u64,
    nodes: Nodes,
    /// Grows whenever connections are cut.
    epoch: u64,
    /// What readers are told instead: a replica that lags.
    replica: Option<(u64, Nodes)>,
    sessions: u64,
    followers: usize,
}

impl Board {
    pub(crate) fn new() -> Board {
        let state = State { revision: 100, ..State::default() };
        Board(Arc::new(Shared { state: Mutex::new(state), changed: watch::Sender::new(()) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.changed.send_replace(());
    }

    /// It cannot be reached; connections break.
    pub(crate) fn stop(&self) {
        self.change(|state| (state.down, state.epoch) = (true, state.epoch + 1));
    }

    /// It can be reached again, with the data of before.
    pub(crate) fn start(&self) {
        self.change(|state| state.down = false);
    }

    /// All data are lost, the numbers of the revisions too.
    pub(crate) fn wipe(&self) {
        self.change(|state| (state.nodes, state.revision) = (Nodes::new(), 1));
    }

    /// Readers are answered from a state that is older by one revision, and empty.
    pub(crate) fn lag(&self) {
        self.change(|state| state.replica = Some((state.revision - 1, Nodes::new())));
    }

    /// Readers are answered from the newest state again.
    pub(crate) fn catch_up(&self) {
        self.change(|state| state.replica = None);
    }

    /// The nodes of a session are removed: nobody kept it alive.
    pub(crate) fn expire(&self, session: u64) {
        self.change(|state| {
            state.nodes.retain(|_, (_, owner)| *owner != session);
            state.revision += 1;
        });
    }

    /// Sets a node past every session, as an operator would.
    pub(crate) fn put(&self, service: &str, node: &str) {
        let node: Node = node.parse().unwrap();
        self.change(|state| {
            let key = (service.into(), node.shared_address());
            state.nodes.insert(key, (node.metadata().clone(), 0));
            state.revision += 1;
        });
    }

    /// How many services are being followed, by all readers.
    pub(crate) fn followers(&self) -> usize {
        self.state().followers
    }

    /// What is announced: `Who tcp@a:1?weight=2`, sorted.
    pub(crate) fn list(&self) -> Vec<String> {
        let state = self.state();
        let nodes = state.nodes.iter().map(|((service, address), (metadata, _))| {
            format!("{service} {}", Node::new(address.clone(), metadata.clone()).unwrap())
        });
        nodes.collect()
    }

    /// The client side for programs that look for servers; reconnects at once.
    pub(crate) fn discovery(&self, empty_hold: &str) -> Arc<SourceDiscovery<Reader>> {
        let mut options = DiscoveryOptions::default();
        options.set("empty_hold", empty_hold).unwrap();
        options.set("reconnect_interval", "1ms").unwrap();
        options.set("max_reconnect_interval", "5ms").unwrap();
        Arc::new(SourceDiscovery::new(Reader(self.clone()), options).unwrap())
    }

    /// The client side for servers, with a session of its own.
    pub(crate) fn registry(&self) -> Arc<Session> {
        let mut state = self.state();
        state.sessions += 1;
        Arc::new(Session { board: self.clone(), session: state.sessions, keepers: Mutex::default() })
    }
}

fn down() -> Error {
    Error::new(Reason::ConnectRefused, "the board is down")
}

/// Reads from the board.
pub(crate) struct Reader(Board);

/// Counts a follower for as long as it follows.
struct Following<'a>(&'a Board);

impl Drop for Following<'_> {
    fn drop(&mut self) {
        self.0.state().followers -= 1;
    }
}

impl Source for Reader {
    fn follow<'a>(&'a self, service: &'a str, feed: &'a Feed) -> BoxFuture<'a, Error> {
        Box::pin(async move {
            let board = &self.0;
            let mut changed = board.0.changed.subscribe();
            let epoch = board.state().epoch;
            board.state().followers += 1;
            let _following = Following(board);
            loop {
                {
                    let state = board.state();
                    if state.down || state.epoch != epoch {
                        return down();
                    }
                    let (revision, nodes) = match &state.replica {
                        Some((revision, nodes)) => (*revision, nodes),
                        None => (state.revision, &state.nodes),
                    };
                    let of_service = nodes.iter().filter(|((name, _), _)| &**name == service);
                    let nodes = of_service
                        .map(|((_, address), (metadata, _))| Node::new(address.clone(), metadata.clone()).unwrap());
                    feed.answer_at(revision, nodes.collect());
                }
                if changed.changed().await.is_err() {
                    return down();
                }
            }
        })
    }
}

/// Announces to the board, and puts back what the board has lost.
pub(crate) struct Session {
    board: Board,
    session: u64,
    keepers: Mutex<Vec<JoinHandle<()>>>,
}

impl Session {
    /// The process dies: nothing is withdrawn, and nobody keeps the session alive.
    pub(crate) fn die(&self) {
        self.keepers.lock().unwrap().drain(..).for_each(|keeper| keeper.abort());
        self.board.expire(self.session);
    }
}

struct Notice {
    board: Board,
    key: Key,
    session: u64,
    /// `None`: withdrawn.
    wanted: watch::Sender<Option<NodeMetadata>>,
}

impl Notice {
    /// Writes what is wanted, if the board can be reached.
    fn write(&self, only_if_missing: bool) -> Result<()> {
        let mut state = self.board.state();
        if state.down {
            return Err(down());
        }
        match &*self.wanted.borrow() {
            Some(_) if only_if_missing && state.nodes.contains_key(&self.key) => return Ok(()),
            Some(metadata) => drop(state.nodes.insert(self.key.clone(), (metadata.clone(), self.session))),
            None => drop(state.nodes.remove(&self.key)),
        }
        state.revision += 1;
        drop(state);
        self.board.0.changed.send_replace(());
        Ok(())
    }
}

#[derive(Clone)]
struct Handle(Arc<Notice>);

impl Announced for Handle {
    fn update(&self, metadata: NodeMetadata) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.0.wanted.send_replace(Some(metadata));
            self.0.write(false)
        })
    }

    fn withdraw(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.0.wanted.send_replace(None);
            self.0.write(false)
        })
    }
}

impl Registry for Session {
    fn announce(&self, announcement: Announcement) -> BoxFuture<'_, Result<Arc<dyn Announced>>> {
        Box::pin(async move {
            let notice = Arc::new(Notice {
                board: self.board.clone(),
                key: (announcement.service, announcement.node.shared_address()),
                session: self.session,
                wanted: watch::Sender::new(Some(announcement.node.metadata().clone())),
            });
            let mut changed = self.board.0.changed.subscribe();
            while notice.write(false).is_err() {
                changed.changed().await.map_err(|_| down())?;
            }
            let keeper = notice.clone();
            let keep = tokio::spawn(async move {
                while changed.changed().await.is_ok() {
                    // While the board is down there is nothing to be done; its start is a change too.
                    let _ = keeper.write(true);
                    if keeper.wanted.borrow().is_none() {
                        return;
                    }
                }
            });
            self.keepers.lock().unwrap().push(keep);
            Ok(Arc::new(Handle(notice)) as Arc<dyn Announced>)
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.die() })
    }
}
