//! Keeps a server's services announced: in every registry it was given there is what it offers now.
//!
//! One task a registry compares what should be announced with what is, and closes the gap; a registry that cannot be reached
//! is tried again for as long as the server runs, and holds up nobody else.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::discovery::{Announced, Announcement, Load, Node, NodeMetadata, Registry};
use crate::error::{Error, ErrorKind, Reason, Result};
use crate::shard::Shard;
use crate::transport::Address;

/// First and longest step of the wait before a registry that failed is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A registry, with whether it was opened for this server alone and ends with it.
pub(super) type OwnedRegistry = (Arc<dyn Registry>, bool);

/// Service and address.
type Place = (Arc<str>, Arc<str>);

/// What should be announced, numbered so that a task can say how far it is.
#[derive(Clone, Default)]
struct Goal {
    number: u64,
    nodes: Arc<BTreeMap<Place, NodeMetadata>>,
    end: Option<End>,
}

/// How the tasks end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Everything is withdrawn, within a limit.
    Withdraw(Duration),
    /// What is announced stays: another process has taken the addresses over.
    Keep,
}

/// How far the task of a registry is.
#[derive(Clone, Default)]
struct Progress {
    reached: u64,
    problem: Option<Error>,
}

/// What a server says about its services.
#[derive(Clone, Default)]
pub(super) struct ServiceMetadata {
    /// The option's.
    pub(super) common: NodeMetadata,
    /// By service; the empty name stands for those that have none of their own.
    pub(super) own: HashMap<Arc<str>, NodeMetadata>,
}

impl ServiceMetadata {
    fn of(&self, service: &str) -> NodeMetadata {
        self.own.get(service).or_else(|| self.own.get("")).unwrap_or(&self.common).clone()
    }
}

pub(super) struct Announcer {
    addresses: Vec<Arc<str>>,
    metadata: Mutex<ServiceMetadata>,
    goal: watch::Sender<Goal>,
    tasks: Vec<watch::Receiver<Progress>>,
}

impl Announcer {
    /// Begins a task for each registry, on `shard`.
    pub(super) fn start(
        registries: Vec<OwnedRegistry>,
        addresses: Vec<Arc<str>>,
        metadata: ServiceMetadata,
        load: &Load,
        shard: &Shard,
        tracker: &TaskTracker,
    ) -> Announcer {
        let goal = watch::Sender::new(Goal::default());
        let begin = |(registry, owned)| {
            let (sender, progress) = watch::channel(Progress::default());
            let load = load.clone();
            let keeper = Keeper { registry, owned, load, held: BTreeMap::new(), progress: sender };
            shard.spawn(tracker.track_future(keeper.run(goal.subscribe())));
            progress
        };
        let tasks = registries.into_iter().map(begin).collect();
        Announcer { addresses, metadata: Mutex::new(metadata), goal, tasks }
    }

    /// These services should be announced from now on. `services` is asked under a lock, so that of two changes at once the
    /// later one is what stays.
    pub(super) fn set_services(&self, services: impl FnOnce() -> Vec<String>) {
        self.change(|_| (), services);
    }

    /// A service says this about itself from now on.
    pub(super) fn set_metadata(&self, service: &str, metadata: NodeMetadata, services: impl FnOnce() -> Vec<String>) {
        let change = |all: &mut ServiceMetadata| {
            if service.is_empty() {
                all.own.clear();
            }
            all.own.insert(service.into(), metadata);
        };
        self.change(change, services);
    }

    fn change(&self, change: impl FnOnce(&mut ServiceMetadata), services: impl FnOnce() -> Vec<String>) {
        let mut metadata = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut metadata);
        let nodes = services().into_iter().flat_map(|service| {
            let (service, metadata): (Arc<str>, _) = (service.as_str().into(), metadata.of(&service));
            self.addresses.iter().map(move |address| ((service.clone(), address.clone()), metadata.clone()))
        });
        let nodes = Arc::new(nodes.collect());
        self.goal.send_if_modified(|goal| {
            if goal.end.is_none() {
                *goal = Goal { number: goal.number + 1, nodes, end: None };
            }
            goal.end.is_none()
        });
    }

    /// Withdraws everything, in the background and for at most `limit`; or leaves everything as it is.
    pub(super) fn end(&self, withdraw_within: Option<Duration>) {
        self.goal.send_if_modified(|goal| {
            if goal.end.is_some() {
                return false;
            }
            let end = withdraw_within.map_or(End::Keep, End::Withdraw);
            *goal = Goal { number: goal.number + 1, nodes: Arc::default(), end: Some(end) };
            true
        });
    }

    /// Waits until every registry has what it should have.
    ///
    /// # Errors
    /// The error of a registry that has not at `until`; at once when its kind is `config`, since waiting does not help.
    pub(super) async fn settled(&self, until: Instant) -> Result<()> {
        let number = self.goal.borrow().number;
        for task in &self.tasks {
            let mut task = task.clone();
            let enough = |progress: &Progress| {
                let hopeless = progress.problem.as_ref().is_some_and(|problem| problem.kind() == ErrorKind::Config);
                progress.reached >= number || hopeless
            };
            // An error of the channel says that the task is gone, with its last word left behind.
            let _ = tokio::time::timeout_at(until.into(), task.wait_for(enough)).await;
            let progress = task.borrow().clone();
            if progress.reached < number {
                let late = || Error::new(Reason::ConnectTimeout, "a registry has not answered in time");
                return Err(progress.problem.unwrap_or_else(late));
            }
        }
        Ok(())
    }
}

/// The task of one registry.
struct Keeper {
    registry: Arc<dyn Registry>,
    owned: bool,
    /// What the server has done.
    load: Load,
    /// What the registry was told and has taken.
    held: BTreeMap<Place, (NodeMetadata, Arc<dyn Announced>)>,
    progress: watch::Sender<Progress>,
}

impl Keeper {
    async fn run(mut self, mut goals: watch::Receiver<Goal>) {
        let mut failures = 0;
        loop {
            let goal = goals.borrow_and_update().clone();
            if let Some(end) = goal.end {
                self.end(end, &goal).await;
                return;
            }
            // A goal that changes meanwhile gives up what is being done for the old one.
            let reached = tokio::select! {
                biased;
                changed = goals.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                reached = self.reach(&goal.nodes) => reached,
            };
            let pause = match &reached {
                Ok(()) => {
                    failures = 0;
                    None
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(target: "rpcx::server", %error, failures, "a registry did not take what was announced");
                    Some(pause(failures))
                }
            };
            self.tell(&goal, reached);
            tokio::select! {
                changed = goals.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
    }

    /// Makes the registry have exactly these nodes. One that fails does not keep the others from being tried.
    async fn reach(&mut self, nodes: &BTreeMap<Place, NodeMetadata>) -> Result<()> {
        let mut first_error = Ok(());
        let superfluous: Vec<Place> = self.held.keys().filter(|place| !nodes.contains_key(*place)).cloned().collect();
        for place in superfluous {
            match self.held[&place].1.withdraw().await {
                Ok(()) => drop(self.held.remove(&place)),
                Err(error) => first_error = first_error.and(Err(error)),
            }
        }
        for (place, metadata) in nodes {
            if let Err(error) = self.announce(place, metadata).await {
                first_error = first_error.and(Err(error));
            }
        }
        first_error
    }

    async fn announce(&mut self, place: &Place, metadata: &NodeMetadata) -> Result<()> {
        match self.held.get_mut(place) {
            Some((old, _)) if old == metadata => {}
            Some((old, announced)) => {
                announced.update(metadata.clone()).await?;
                *old = metadata.clone();
            }
            None => {
                let (service, address) = place.clone();
                let node = Node::new(address, metadata.clone())?;
                let announced =
                    self.registry.announce(Announcement { service, node, load: Some(self.load.clone()) }).await?;
                self.held.insert(place.clone(), (metadata.clone(), announced));
            }
        }
        Ok(())
    }

    async fn end(&mut self, end: End, goal: &Goal) {
        let End::Withdraw(limit) = end else { return self.tell(goal, Ok(())) };
        let registry = self.registry.clone();
        let owned = self.owned;
        let withdraw = async {
            let reached = self.reach(&goal.nodes).await;
            if owned {
                registry.close().await;
            }
            reached
        };
        let late = |_| {
            Err(Error::new(
                Reason::ConnectTimeout,
                format!("no answer from a registry within registry_timeout ({limit:?})"),
            ))
        };
        let reached = tokio::time::timeout(limit, withdraw).await.unwrap_or_else(late);
        if let Err(error) = &reached {
            tracing::warn!(target: "rpcx::server", %error, "a registry may still list this server");
        }
        self.tell(goal, reached);
    }

    fn tell(&self, goal: &Goal, reached: Result<()>) {
        self.progress.send_modify(|progress| match reached {
            Ok(()) => *progress = Progress { reached: goal.number, problem: None },
            Err(problem) => progress.problem = Some(problem),
        });
    }
}

/// The wait after so many failures in a row: between half a step and a whole one, by chance, so that servers which lost a
/// registry together do not come back together.
fn pause(failures: u32) -> Duration {
    let step = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    crate::random::jittered(step)
}

/// The addresses that clients are told: those of the option `advertise`, else those that the server listens on.
///
/// # Errors
/// `config.bad_address` for one that cannot be read, `config.bad_argument` for one that means nothing on another machine, or
/// in another process where the registries reach further than this one.
pub(super) fn addresses(
    advertise: &[String],
    listening: &[Address],
    registries: &[OwnedRegistry],
) -> Result<Vec<Arc<str>>> {
    let wrong = |address: &Address, why: &str| {
        Err(Error::new(
            Reason::ConfigBadArgument,
            format!("{address} cannot be announced: {why}; name the address for clients by the option `advertise`"),
        ))
    };
    let local = registries.iter().all(|(registry, _)| registry.is_local());
    let parsed = advertise.iter().map(|text| text.parse::<Address>()).collect::<Result<Vec<_>>>()?;
    let addresses = if parsed.is_empty() { listening } else { &parsed };
    for address in addresses {
        let everywhere = ["", "0.0.0.0", "::"].contains(&address.host()) && address.port().is_some();
        if everywhere && !local {
            return wrong(address, "it stands for every address of this machine");
        }
        if address.scheme() == "memu" && !local {
            return wrong(address, "it exists within this process only");
        }
        if address.port() == Some(0) {
            return wrong(address, "it has no port");
        }
    }
    Ok(addresses.iter().map(|address| address.as_str().into()).collect())
}
