//! Servers and clients of one process that find each other without any registry.

use super::{
    Announced, Announcement, BoxFuture, Feed, Node, NodeMetadata, Publisher, Registry, Source, SourceDiscovery, Watch,
};
use crate::config::DiscoveryOptions;
use crate::error::{Error, Reason, Result};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// A place within this process where servers announce themselves and clients find them; cheap to clone.
///
/// Nothing leaves the process, so a server may listen on `memu@name` alone and be called through memory.
///
/// ```
/// use rpcx::discovery::InProcess;
/// use rpcx::{Client, Context, Server};
/// use std::sync::Arc;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let here = InProcess::new();
/// let server = Server::builder()
///     .function("Arith", "Add", |_: Context, (a, b): (i64, i64)| async move { Ok(a + b) })
///     .bind("memu@in-process-doc")
///     .registry(Arc::new(here.registry()))
///     .start()
///     .await?;
/// let client = Client::builder().discovery(Arc::new(here.discovery())).build()?;
/// let sum: i64 = client.service("Arith")?.call("Add", &(1, 2)).await?;
/// assert_eq!(sum, 3);
/// # drop(server);
/// # Ok::<(), rpcx::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct InProcess(Arc<Services>);

#[derive(Default)]
struct Services(Mutex<State>);

#[derive(Default)]
struct State {
    services: HashMap<Arc<str>, Service>,
    /// Counts announcements.
    last: u64,
}

#[derive(Default)]
struct Service {
    publisher: Publisher,
    /// By address, each with the announcement that it comes from.
    nodes: BTreeMap<Arc<str>, (u64, Node)>,
}

impl InProcess {
    /// A place that only its clones know.
    pub fn new() -> Self {
        Self::default()
    }

    /// The place of this name, the same for the whole process. `inprocess://NAME` is its URL, for discovery and registry.
    pub fn named(name: &str) -> Self {
        static PLACES: LazyLock<Mutex<HashMap<String, Weak<Services>>>> = LazyLock::new(Mutex::default);
        let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(name).and_then(Weak::upgrade) {
            return Self(place);
        }
        places.retain(|_, place| place.strong_count() > 0);
        let place = Self::new();
        places.insert(name.to_owned(), Arc::downgrade(&place.0));
        place
    }

    /// Finds what is announced here.
    pub fn discovery(&self) -> SourceDiscovery<InProcess> {
        // What is said here is never in doubt.
        let options = DiscoveryOptions { empty_hold: Duration::ZERO, ..DiscoveryOptions::default() };
        SourceDiscovery::of_valid(self.clone(), options)
    }

    /// Announces here. Closing it withdraws what was announced through it.
    pub fn registry(&self) -> InProcessRegistry {
        InProcessRegistry { place: self.clone(), announced: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, service: &Arc<str>) -> Watch {
        let mut state = self.state();
        let entry = state.services.entry(service.clone()).or_default();
        // A service that nobody has announced yet is known to have no nodes.
        entry.publisher.publish(entry.nodes.values().map(|(_, node)| node.clone()).collect());
        entry.publisher.watch()
    }

    /// Changes the nodes of a service. What nobody announces or watches is forgotten.
    fn change(&self, service: &Arc<str>, change: impl FnOnce(&mut BTreeMap<Arc<str>, (u64, Node)>)) {
        let mut state = self.state();
        let entry = state.services.entry(service.clone()).or_default();
        change(&mut entry.nodes);
        entry.publisher.publish(entry.nodes.values().map(|(_, node)| node.clone()).collect());
        if entry.nodes.is_empty() && !entry.publisher.is_watched() {
            state.services.remove(service);
        }
    }
}

impl Source for InProcess {
    fn follow<'a>(&'a self, service: &'a str, feed: &'a Feed) -> BoxFuture<'a, Error> {
        let service: Arc<str> = service.into();
        Box::pin(async move {
            // Dropped after the watch.
            let _forget = Forget { place: self, service: service.clone() };
            let mut watch = self.watch(&service);
            loop {
                feed.answer(watch.latest().nodes().to_vec());
                if watch.changed().await.is_none() {
                    return Error::new(Reason::ClosedLocal, "the place in this process is gone");
                }
            }
        })
    }
}

/// Forgets a service that nobody announces when the last watch has gone.
struct Forget<'a> {
    place: &'a InProcess,
    service: Arc<str>,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.place.change(&self.service, |_| ());
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut services: Vec<_> = self.state().services.keys().cloned().collect();
        services.sort_unstable();
        f.debug_tuple("InProcess").field(&services).finish()
    }
}

/// The [`Registry`] of an [`InProcess`] place. Dropping it leaves what was announced.
#[derive(Debug)]
pub struct InProcessRegistry {
    place: InProcess,
    announced: Arc<Mutex<Notices>>,
}

/// What was announced and not withdrawn, by number.
type Notices = HashMap<u64, Notice>;

#[derive(Clone, Debug)]
struct Notice {
    place: InProcess,
    service: Arc<str>,
    address: Arc<str>,
    number: u64,
}

impl Notice {
    fn withdraw(&self) {
        self.place.change(&self.service, |nodes| {
            // Another server may have taken the address since.
            if nodes.get(&self.address).is_some_and(|(number, _)| *number == self.number) {
                nodes.remove(&self.address);
            }
        });
    }
}

/// What the caller of `announce` gets.
struct Handle {
    notice: Notice,
    announced: Arc<Mutex<Notices>>,
}

impl Announced for Handle {
    fn update(&self, metadata: NodeMetadata) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let notice = &self.notice;
            let node = Node::new(notice.address.clone(), metadata)?;
            notice.place.change(&notice.service, |nodes| {
                if let Some((number, known)) = nodes.get_mut(&notice.address)
                    && *number == notice.number
                {
                    *known = node;
                }
            });
            Ok(())
        })
    }

    fn withdraw(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.notice.withdraw();
            self.announced.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.notice.number);
            Ok(())
        })
    }
}

impl Registry for InProcessRegistry {
    fn announce(&self, announcement: Announcement) -> BoxFuture<'_, Result<Arc<dyn Announced>>> {
        Box::pin(async move {
            let number = {
                let mut state = self.place.state();
                state.last += 1;
                state.last
            };
            let Announcement { service, node, .. } = announcement;
            let address = node.shared_address();
            let notice = Notice { place: self.place.clone(), service, address, number };
            self.place.change(&notice.service, |nodes| drop(nodes.insert(notice.address.clone(), (number, node))));
            self.announced.lock().unwrap_or_else(PoisonError::into_inner).insert(number, notice.clone());
            Ok(Arc::new(Handle { notice, announced: self.announced.clone() }) as Arc<dyn Announced>)
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let announced = std::mem::take(&mut *self.announced.lock().unwrap_or_else(PoisonError::into_inner));
            announced.values().for_each(Notice::withdraw);
        })
    }

    fn is_local(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::Discovery;

    fn announcement(node: &str) -> Announcement {
        Announcement { service: "Arith".into(), node: node.parse().expect(node), load: None }
    }

    #[tokio::test]
    async fn what_is_announced_is_found_and_what_is_withdrawn_is_not() {
        let place = InProcess::new();
        let (registry, discovery) = (place.registry(), place.discovery());
        let mut watch = discovery.watch("Arith");
        assert_eq!(watch.known().await.map(|known| known.len()), Some(0));
        let announced = registry.announce(announcement("memu@a?weight=2")).await.expect("announced");
        assert_eq!(watch.changed().await.map(|now| now.nodes()[0].to_string()).as_deref(), Some("memu@a?weight=2"));
        announced.update(NodeMetadata::new("weight=5")).await.expect("updated");
        assert_eq!(watch.changed().await.map(|now| now.nodes()[0].metadata().weight()), Some(5));
        announced.withdraw().await.expect("withdrawn");
        announced.withdraw().await.expect("again is no error");
        announced.update(NodeMetadata::new("weight=7")).await.expect("changes nothing");
        assert_eq!(watch.changed().await.map(|now| now.len()), Some(0));
        registry.announce(announcement("memu@b")).await.expect("announced");
        assert_eq!(watch.changed().await.map(|now| now.len()), Some(1));
        registry.close().await;
        assert_eq!(watch.changed().await.map(|now| now.len()), Some(0));
    }

    #[tokio::test]
    async fn a_late_withdrawal_does_not_take_a_successor_out() {
        let place = InProcess::new();
        let (one, two) = (place.registry(), place.registry());
        let old = one.announce(announcement("memu@a")).await.expect("announced");
        two.announce(announcement("memu@a?weight=3")).await.expect("announced");
        old.update(NodeMetadata::new("weight=9")).await.expect("changes nothing");
        old.withdraw().await.expect("withdrawn");
        one.close().await;
        let discovery = place.discovery();
        let known = discovery.watch("Arith").known().await.expect("open");
        assert_eq!(known.nodes()[0].to_string(), "memu@a?weight=3");
    }

    #[tokio::test]
    async fn places_have_names_and_forget_what_nobody_wants() {
        let (one, same, other) = (InProcess::named("p"), InProcess::named("p"), InProcess::named("q"));
        one.registry().announce(announcement("memu@a")).await.expect("announced");
        assert_eq!(
            (format!("{same:?}").as_str(), format!("{other:?}").as_str()),
            ("InProcess([\"Arith\"])", "InProcess([])")
        );
        let discovery = other.discovery();
        let mut watch = discovery.watch("Nothing");
        watch.known().await.expect("open");
        assert_eq!(format!("{other:?}"), "InProcess([\"Nothing\"])");
        drop(watch);
        while format!("{other:?}") != "InProcess([])" {
            tokio::task::yield_now().await;
        }
        drop((one, same));
        assert_eq!(format!("{:?}", InProcess::named("p")), "InProcess([])");
    }
}
