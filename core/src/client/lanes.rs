//! The connections to one server: for each shard that calls it so many lanes, each with a place for one connection.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use tokio::sync::{oneshot, watch};

use crate::connection::caller::Caller;
use crate::error::Result;
use crate::shard::{Shard, ShardId};

/// What became of a dial; `None` while it is under way.
pub(super) type Dialled = Option<Result<Arc<Caller>>>;

/// The shard that lanes belong to, and whether it still is.
struct Home {
    shard: ShardId,
    /// The other end is held by a task of the shard, which ends with its runtime.
    ended: oneshot::Sender<Infallible>,
}

impl Home {
    fn new(shard: &Shard) -> Home {
        let (ended, lives) = oneshot::channel();
        shard.spawn(lives);
        Home { shard: shard.id(), ended }
    }

    fn has_ended(&self) -> bool {
        self.ended.is_closed()
    }
}

/// A place for one connection on one shard.
pub(super) struct Place {
    home: Arc<Home>,
    /// The last dial for it.
    pub(super) dial: Mutex<Option<watch::Receiver<Dialled>>>,
}

/// A place and the connection that is there, for calls to find with one look.
#[derive(Clone)]
pub(super) struct Lane {
    shard: ShardId,
    live: Option<Arc<Caller>>,
    pub(super) place: Arc<Place>,
}

impl Lane {
    fn new(home: Arc<Home>) -> Lane {
        Lane { shard: home.shard, live: None, place: Arc::new(Place { home, dial: Mutex::new(None) }) }
    }

    pub(super) fn usable(&self) -> Option<&Arc<Caller>> {
        self.live.as_ref().filter(|caller| caller.is_usable())
    }
}

/// All lanes to one server.
pub(super) struct Lanes {
    per_shard: usize,
    /// Those of one shard stand together.
    all: ArcSwap<Vec<Lane>>,
    changing: Mutex<()>,
    /// Connections that were replaced and have calls left.
    leaving: Mutex<Vec<Weak<Caller>>>,
    next: AtomicUsize,
}

impl Lanes {
    /// No lanes yet; each shard gets so many.
    pub(super) fn new(per_shard: usize) -> Lanes {
        Lanes {
            per_shard,
            all: ArcSwap::default(),
            changing: Mutex::new(()),
            leaving: Mutex::default(),
            next: AtomicUsize::new(0),
        }
    }

    /// A connection of this thread's shard that is ready. `rests`: those that are missing are not dialled now.
    #[inline]
    pub(super) fn ready(&self, rests: impl FnOnce() -> bool) -> Option<Arc<Caller>> {
        let lanes = self.all.load();
        let lane = match &***lanes {
            [one] => Some(one).filter(|lane| lane.shard == Shard::current_id()),
            many => self.next_of(many, rests),
        };
        lane?.usable().cloned()
    }

    /// The lanes of this thread's shard in turn; while the others are not dialled, those that have one.
    #[inline(never)]
    fn next_of<'l>(&self, lanes: &'l [Lane], rests: impl FnOnce() -> bool) -> Option<&'l Lane> {
        let shard = Shard::current_id();
        let first = lanes.iter().position(|lane| lane.shard == shard)?;
        let own = lanes[first..].iter().take_while(|lane| lane.shard == shard).count();
        let own = &lanes[first..first + own];
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % own.len();
        if own[turn].usable().is_none() && rests() {
            return (1..own.len()).map(|i| &own[(turn + i) % own.len()]).find(|lane| lane.usable().is_some());
        }
        Some(&own[turn])
    }

    /// This thread's shard has a connection that takes calls.
    pub(super) fn has_own(&self) -> bool {
        let shard = Shard::current_id();
        self.all.load().iter().any(|lane| lane.shard == shard && lane.usable().is_some())
    }

    /// Any shard has a connection that takes calls.
    pub(super) fn has_usable(&self) -> bool {
        self.all.load().iter().any(|lane| lane.usable().is_some())
    }

    /// The lane to use now, one without a connection unless the server `rests`; a shard that comes for the first time gets
    /// its own.
    pub(super) fn of(&self, shard: &Shard, rests: bool) -> Lane {
        let id = shard.id();
        let of_shard =
            |lanes: &[Lane]| -> Vec<Lane> { lanes.iter().filter(|lane| lane.shard == id).cloned().collect() };
        let mut own = of_shard(&self.all.load());
        if own.is_empty() {
            let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            let mut lanes = (**self.all.load()).clone();
            own = of_shard(&lanes);
            if own.is_empty() {
                // A program may have a runtime for every piece of its work.
                lanes.retain(|lane| !lane.place.home.has_ended());
                let home = Arc::new(Home::new(shard));
                own = (0..self.per_shard).map(|_| Lane::new(home.clone())).collect();
                lanes.extend(own.iter().cloned());
                self.all.store(Arc::new(lanes));
            }
        }
        let start = self.next.fetch_add(1, Ordering::Relaxed) % own.len();
        let found = (0..own.len()).map(|i| (start + i) % own.len()).find(|at| own[*at].usable().is_some() == rests);
        own.swap_remove(found.unwrap_or(start))
    }

    /// Puts a connection into its place. The one before it may have calls left.
    pub(super) fn replace(&self, place: &Arc<Place>, caller: &Arc<Caller>) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lanes = (**self.all.load()).clone();
        let lane = lanes.iter_mut().find(|lane| Arc::ptr_eq(&lane.place, place));
        let old = lane.and_then(|lane| lane.live.replace(caller.clone()));
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        leaving.retain(|caller| caller.upgrade().is_some_and(|caller| caller.link.is_open()));
        leaving.extend(old.filter(|old| old.link.is_open()).as_ref().map(Arc::downgrade));
        self.all.store(Arc::new(lanes));
    }

    /// Every connection that is open, with those that only finish their calls.
    pub(super) fn connections(&self) -> Vec<Arc<Caller>> {
        let leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        let lanes = self.all.load();
        let all = lanes.iter().filter_map(|lane| lane.live.clone()).chain(leaving.iter().filter_map(Weak::upgrade));
        all.filter(|caller| caller.link.is_open()).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::client::Client;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// A program may make a runtime for every piece of its work: what belonged to those that have ended goes.
    #[test]
    fn lanes_of_ended_runtimes_are_let_go() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("tcp@{}", listener.local_addr().unwrap());
        let client = Client::new(&address).unwrap();
        let service = client.service("T").unwrap();
        let endpoint = service.client.endpoint(&address.as_str().into());
        let stays = runtime();
        let kept = stays.block_on(endpoint.connect(None)).unwrap();
        for _ in 0..5 {
            runtime().block_on(endpoint.connect(None)).unwrap();
        }
        // One that lives, and the last one.
        assert_eq!(endpoint.lanes.all.load().len(), 2);
        let again = stays.block_on(endpoint.connect(None)).unwrap();
        assert!(std::sync::Arc::ptr_eq(&kept, &again), "the connection of a runtime that lives stays");
        assert_eq!(endpoint.connections().len(), 1);
    }
}
