//! The cell between a discovery and its readers: it holds the newest snapshot and nothing older.

use super::{Node, NodeChange, Snapshot, SnapshotState};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::watch;

#[derive(Clone)]
struct Cell {
    snapshot: Arc<Snapshot>,
    /// Why the source cannot be reached, if it cannot.
    problem: Option<Arc<str>>,
    closed: bool,
}

/// Follows the nodes of one service. Holds the newest [`Snapshot`] only: a slow reader skips what lies between. Dropping
/// it unsubscribes; a clone is a reader of its own. Works on any runtime.
#[derive(Clone)]
pub struct Watch {
    cell: watch::Receiver<Cell>,
    /// The revision of the newest snapshot, readable without the cell's lock.
    revision: Arc<AtomicU64>,
    seen: u64,
}

impl Watch {
    /// The newest snapshot; before the first answer an empty one in state [`Unknown`](SnapshotState::Unknown). Cheap.
    pub fn latest(&self) -> Arc<Snapshot> {
        self.cell.borrow().snapshot.clone()
    }

    /// The revision of the newest snapshot, or shortly of the one before it: one atomic load, for looking before every call
    /// whether [`latest`](Self::latest) has something new.
    #[inline]
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Why the discovery cannot reach its source, where it cannot: for the text of an error. `None` once it has answered.
    pub fn problem(&self) -> Option<Arc<str>> {
        self.cell.borrow().problem.clone()
    }

    /// Waits for a snapshot newer than the last one that this method or [`known`](Self::known) gave (at first: than the
    /// one at subscription) and gives the newest; `None` when none can follow because the discovery was closed.
    ///
    /// Cancel safe: a snapshot that was not handed out is given by the next call.
    pub async fn changed(&mut self) -> Option<Arc<Snapshot>> {
        loop {
            let cell = self.cell.borrow_and_update().clone();
            if cell.snapshot.revision() > self.seen {
                self.seen = cell.snapshot.revision();
                return Some(cell.snapshot);
            }
            if cell.closed || (self.cell.changed().await.is_err() && self.latest().revision() <= self.seen) {
                return None;
            }
        }
    }

    /// Waits until the discovery has answered for the first time and gives the newest snapshot; `None` if it was closed
    /// before. At once when it has answered already. Cancel safe.
    pub async fn known(&mut self) -> Option<Arc<Snapshot>> {
        loop {
            let latest = self.latest();
            if latest.state() != SnapshotState::Unknown {
                self.seen = latest.revision();
                return Some(latest);
            }
            self.changed().await?;
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("latest", &self.latest()).field("seen", &self.seen).finish()
    }
}

/// The writing side of [`Watch`], for those who implement a discovery: one for each service. Dropping it closes it.
///
/// All methods take `&self`, may be called from any thread, and never wait for a reader.
pub struct Publisher {
    cell: watch::Sender<Cell>,
    revision: Arc<AtomicU64>,
}

impl Publisher {
    /// A publisher that knows nothing yet.
    pub fn new() -> Self {
        let unknown = Snapshot::unknown();
        let revision = Arc::new(AtomicU64::new(unknown.revision()));
        Self { cell: watch::Sender::new(Cell { snapshot: Arc::new(unknown), problem: None, closed: false }), revision }
    }

    /// A new reader, which starts with what is known now.
    pub fn watch(&self) -> Watch {
        let cell = self.cell.subscribe();
        let seen = cell.borrow().snapshot.revision();
        Watch { cell, revision: self.revision.clone(), seen }
    }

    /// What the readers see now.
    pub fn latest(&self) -> Arc<Snapshot> {
        self.cell.borrow().snapshot.clone()
    }

    /// Publishes the nodes, in any order, as the live ones. Readers wake only if something changed, so that a source may
    /// be listed as often as it likes. Does nothing once closed.
    pub fn publish(&self, nodes: Vec<Node>) {
        let old = self.latest();
        self.publish_after(&old, Snapshot::new(0, SnapshotState::Live, nodes));
    }

    /// Publishes the nodes of now after these steps, as the live ones: for a source that tells what changed, and much
    /// cheaper than the whole list where nodes are many. For one thread at a time.
    pub fn change(&self, changes: impl IntoIterator<Item = NodeChange>) {
        let old = self.latest();
        self.publish_after(&old, old.after(changes).restated(0, SnapshotState::Live));
    }

    fn publish_after(&self, old: &Snapshot, new: Snapshot) {
        // The same nodes stay the same in memory: whoever kept indices into them can go on using them.
        let diff = new.diff(old);
        let new = if diff.is_empty() { old.restated(0, SnapshotState::Live) } else { new.reusing(old, &diff) };
        self.report(None);
        self.replace(new);
    }

    /// Publishes nodes that were known once, as stale since then. Only before the first answer: what the source itself has
    /// said is never replaced by a memory.
    pub fn remember(&self, nodes: Vec<Node>, since: Instant) {
        if self.latest().state() == SnapshotState::Unknown {
            self.replace(Snapshot::new(0, SnapshotState::Stale(since), nodes));
        }
    }

    /// Says why the source cannot be reached, for [`Watch::problem`]. The next [`publish`](Self::publish) clears it. Wakes
    /// nobody.
    pub fn report(&self, problem: Option<&str>) {
        self.cell.send_if_modified(|cell| {
            if cell.problem.as_deref() != problem {
                cell.problem = problem.map(Arc::from);
            }
            false
        });
    }

    /// Keeps the nodes, but tells the readers that since then they are not confirmed. Before the first answer there is
    /// nothing that could be stale, and once stale the first moment stays; both change nothing.
    pub fn mark_stale(&self, since: Instant) {
        let old = self.latest();
        if old.state() == SnapshotState::Live {
            self.replace(old.restated(0, SnapshotState::Stale(since)));
        }
    }

    /// Whether anybody follows the service.
    pub fn is_watched(&self) -> bool {
        self.cell.receiver_count() > 0
    }

    /// Waits until nobody follows the service any more: the moment to leave the registry's own watch.
    pub async fn unwatched(&self) {
        self.cell.closed().await;
    }

    /// Ends the watches: they keep their snapshot, and no other follows. Idempotent.
    pub fn close(&self) {
        self.cell.send_if_modified(|cell| !std::mem::replace(&mut cell.closed, true));
    }

    fn replace(&self, new: Snapshot) {
        let mut new = Arc::new(new);
        // What is replaced is dropped after the cell's lock is released.
        self.cell.send_if_modified(|cell| {
            let same = new.shares_nodes(&cell.snapshot) && new.state() == cell.snapshot.state();
            if cell.closed || same {
                return false;
            }
            new = Arc::new(new.restated(cell.snapshot.revision() + 1, new.state()));
            std::mem::swap(&mut cell.snapshot, &mut new);
            // Under the cell's lock, so that revisions are stored in order.
            self.revision.store(cell.snapshot.revision(), Ordering::Release);
            true
        });
    }
}

impl Default for Publisher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("latest", &self.latest()).field("watched", &self.is_watched()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    fn nodes(text: &str) -> Vec<Node> {
        text.split_terminator(',').map(|node| node.parse().expect(node)).collect()
    }

    fn names(snapshot: &Snapshot) -> String {
        snapshot.nodes().iter().map(Node::address).collect::<Vec<_>>().join(",")
    }

    /// One poll: what `future` has without waiting.
    fn now<T>(future: impl Future<Output = T>) -> Poll<T> {
        std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_reader_gets_the_newest_and_skips_the_rest() {
        let publisher = Publisher::new();
        let mut watch = publisher.watch();
        assert_eq!(watch.latest().state(), SnapshotState::Unknown);
        assert!(now(watch.changed()).is_pending());
        publisher.publish(nodes("a"));
        publisher.publish(nodes("a,b"));
        let Poll::Ready(Some(newest)) = now(watch.changed()) else { panic!("nothing new") };
        assert_eq!((names(&newest), newest.revision(), newest.state()), ("a,b".into(), 2, SnapshotState::Live));
        assert!(now(watch.changed()).is_pending());
        assert_eq!(watch.latest().revision(), 2);
    }

    #[test]
    fn the_same_nodes_wake_nobody_and_stay_in_memory() {
        let publisher = Publisher::new();
        publisher.publish(nodes("b,a?weight=2"));
        let mut watch = publisher.watch();
        let before = watch.latest();
        publisher.publish(nodes("a?weight=2,b"));
        assert!(now(watch.changed()).is_pending());
        publisher.publish(nodes("a?weight=3,b"));
        assert!(now(watch.changed()).is_ready());
        assert!(!watch.latest().shares_nodes(&before));
    }

    #[test]
    fn stale_keeps_the_nodes_and_live_comes_back() {
        let publisher = Publisher::new();
        let (first, second) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        publisher.mark_stale(first);
        assert_eq!(publisher.latest().state(), SnapshotState::Unknown);
        publisher.publish(nodes("a"));
        let mut watch = publisher.watch();
        publisher.mark_stale(first);
        publisher.mark_stale(second);
        let Poll::Ready(Some(stale)) = now(watch.changed()) else { panic!("nothing new") };
        assert_eq!((names(&stale), stale.state()), ("a".into(), SnapshotState::Stale(first)));
        publisher.publish(nodes("a"));
        let Poll::Ready(Some(live)) = now(watch.changed()) else { panic!("nothing new") };
        assert_eq!((live.state(), live.revision()), (SnapshotState::Live, 3));
        assert!(live.shares_nodes(&stale));
    }

    #[test]
    fn an_empty_answer_is_an_answer() {
        let publisher = Publisher::new();
        let mut watch = publisher.watch();
        assert!(now(watch.known()).is_pending());
        publisher.publish(Vec::new());
        let Poll::Ready(Some(known)) = now(watch.known()) else { panic!("not known") };
        assert_eq!((known.len(), known.state()), (0, SnapshotState::Live));
    }

    #[test]
    fn what_was_published_before_the_end_is_still_read() {
        for drop_it in [false, true] {
            let publisher = Publisher::new();
            let (mut watch, mut unknown) = (publisher.watch(), Publisher::new().watch());
            publisher.publish(nodes("a"));
            if drop_it {
                drop(publisher);
            } else {
                publisher.close();
                publisher.close();
                publisher.publish(nodes("b"));
            }
            assert!(matches!(now(watch.changed()), Poll::Ready(Some(last)) if names(&last) == "a"));
            assert!(matches!(now(watch.changed()), Poll::Ready(None)));
            assert_eq!(names(&watch.latest()), "a");
            assert!(matches!(now(watch.known()), Poll::Ready(Some(_))));
            assert!(matches!(now(unknown.known()), Poll::Ready(None)));
        }
    }

    #[test]
    fn dropping_the_watches_unsubscribes() {
        let publisher = Publisher::new();
        assert!(!publisher.is_watched());
        let watch = publisher.watch();
        let clone = watch.clone();
        drop(watch);
        assert!(publisher.is_watched() && now(publisher.unwatched()).is_pending());
        drop(clone);
        assert!(!publisher.is_watched() && now(publisher.unwatched()).is_ready());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn readers_of_a_fast_writer_see_revisions_grow_and_end_with_the_last() {
        let publisher = Publisher::new();
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let mut watch = publisher.watch();
                tokio::spawn(async move {
                    let mut last = Arc::new(Snapshot::unknown());
                    while let Some(next) = watch.changed().await {
                        assert!(next.revision() > last.revision());
                        last = next;
                    }
                    names(&last)
                })
            })
            .collect();
        for round in 0..2_000 {
            publisher.publish(nodes(&format!("n{round}")));
            if round % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
        publisher.close();
        for reader in readers {
            assert_eq!(reader.await.expect("reader"), "n1999");
        }
    }
}
