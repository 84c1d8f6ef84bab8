//! The registry: nodes on sessions, and a look at them every second.

use crate::api::{Api, MAX_OPERATIONS, Operation, Problem};
use crate::endpoints::Endpoints;
use crate::options::ConsulOptions;
use crate::sessions::Sessions;
use rpcx::discovery::{BasePath, Found, Over, Owner, Place, Store, StoreSession, Touched};
use rpcx::{Error, ErrorKind, Reason, Result};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How often it is asked whether everything is there. One request, which any of Consul's servers answers; a blocking query
/// for each node would hold a connection each, of which an agent gives a machine 200.
const LOOK: Duration = Duration::from_secs(1);

/// How often a node is written again that somebody else writes at the same time.
const TRIES: usize = 16;

/// How long a key may not be held again whose session was lost: 1 ms of Go's sessions and of ours.
const LOCK_DELAY: Duration = Duration::from_millis(5);

/// The services of servers, below a base path; made by [`registry`](crate::registry).
#[derive(Debug)]
pub struct ConsulStore {
    options: ConsulOptions,
    endpoints: Endpoints,
    sessions: Arc<Sessions>,
}

impl ConsulStore {
    pub(crate) fn new(options: ConsulOptions) -> Self {
        Self { options, endpoints: Endpoints::new(), sessions: Arc::default() }
    }
}

impl Store for ConsulStore {
    type Session = ConsulSession;

    async fn begin(&self) -> Result<ConsulSession> {
        let (host, mut api) = self.endpoints.connect(&self.options).await?;
        for (place, session) in self.sessions.all() {
            if !api.renew_session(&session).await? {
                self.sessions.lost(&place, &session);
            }
        }
        let second = crate::endpoints::connect_to(host, &self.options).await?;
        Ok(ConsulSession {
            base: self.options.base.clone(),
            life: self.options.ttl,
            limit: self.options.registry.request_timeout,
            sessions: self.sessions.clone(),
            requests: tokio::sync::Mutex::new((api, BTreeSet::new())),
            keeping: tokio::sync::Mutex::new(second),
        })
    }
}

/// A connection to Consul, and the sessions that are renewed over it.
#[derive(Debug)]
pub struct ConsulSession {
    base: BasePath,
    /// How long a node lives without being renewed.
    life: Duration,
    limit: Duration,
    sessions: Arc<Sessions>,
    /// With the services whose keys were found or written.
    requests: tokio::sync::Mutex<(Api, BTreeSet<Arc<str>>)>,
    /// Of `keep`, which goes on beside the requests.
    keeping: tokio::sync::Mutex<Api>,
}

/// What a node was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    index: u64,
    session: Option<String>,
}

/// What is looked at.
enum Kept {
    /// With its session.
    Node(Place, String),
    /// With what it holds.
    Marker(String),
}

impl ConsulSession {
    fn key(&self, place: &Place) -> String {
        self.base.node(&place.service, &place.address)
    }

    /// Writes the keys that stay, unless they are there.
    async fn mark(&self, api: &mut Api, place: &Place) -> Result<()> {
        match api.put_new(self.base.as_str(), BasePath::MARKER).await {
            Ok(()) => self.sessions.mark(self.base.as_str(), BasePath::MARKER),
            // A token for what is below the base path does; nobody looks for this key.
            Err(error) if error.kind() == ErrorKind::Auth => {
                tracing::debug!(target: "rpcx::discovery", %error, "consul refuses the key of the base path");
            }
            Err(error) => return Err(error),
        }
        // Without it rpcx-ui does not show the service.
        let service = self.base.service(&place.service);
        api.put_new(&service, &place.service).await?;
        self.sessions.mark(&service, &place.service);
        Ok(())
    }

    /// The session of a node; a new one if it has none.
    async fn session(&self, api: &mut Api, place: &Place) -> Result<String> {
        if let Some(session) = self.sessions.of(place) {
            return Ok(session);
        }
        let session = api.create_session(&format!("rpcx {place}"), self.life).await?;
        self.sessions.set(place.clone(), session.clone());
        Ok(session)
    }

    /// Renews every session.
    async fn renew(&self, touched: &Touched) -> Result<()> {
        let mut api = self.keeping.lock().await;
        for (place, session) in self.sessions.all() {
            if !self.within(api.renew_session(&session)).await? {
                self.sessions.lost(&place, &session);
                touched.touch(place);
            }
        }
        Ok(())
    }

    /// Looks whether every node is there and lives by its session, and whether the keys are there that stay.
    async fn look(&self, touched: &Touched) -> Result<()> {
        let mut api = self.keeping.lock().await;
        let nodes =
            self.sessions.all().into_iter().map(|(place, session)| (self.key(&place), Kept::Node(place, session)));
        let markers = self.sessions.markers().into_iter().map(|(key, value)| (key, Kept::Marker(value)));
        let all: Vec<(String, Kept)> = nodes.chain(markers).collect();
        for some in all.chunks(MAX_OPERATIONS) {
            let wanted: Vec<_> = some
                .iter()
                .map(|(key, kept)| match kept {
                    Kept::Node(_, session) => Operation::is_held(key, session),
                    Kept::Marker(_) => Operation::is_there(key),
                })
                .collect();
            for problem in self.within(api.check(&wanted)).await? {
                match &some[problem.op_index] {
                    (_, Kept::Node(place, _)) => touched.touch(place.clone()),
                    (key, Kept::Marker(value)) => self.within(api.put_new(key, value)).await?,
                }
            }
        }
        Ok(())
    }

    async fn keep_all(&self, touched: &Touched) -> Result<std::convert::Infallible> {
        // Four times as often as needed.
        let beat = self.life / 4;
        let mut beat = interval_at(Instant::now() + beat, beat);
        let mut look = interval_at(Instant::now() + LOOK, LOOK);
        for ticks in [&mut beat, &mut look] {
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                _ = beat.tick() => self.renew(touched).await?,
                _ = look.tick() => self.look(touched).await?,
            }
        }
    }

    async fn within<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = self.limit;
        let late = |_| {
            let text = format!("consul: no answer within request_timeout ({limit:?})");
            Err(Error::new(Reason::ConnectTimeout, text))
        };
        tokio::time::timeout(limit, request).await.unwrap_or_else(late)
    }
}

impl StoreSession for ConsulSession {
    type Version = Held;

    async fn keep<'a>(&'a self, touched: &'a Touched) -> Error {
        match self.keep_all(touched).await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn read(&self, place: &Place) -> Result<Option<Found<Held>>> {
        let found = self.requests.lock().await.0.get(&self.key(place)).await?;
        let own = self.sessions.of(place);
        Ok(found.map(|entry| Found {
            owner: match &entry.session {
                None => Owner::Nobody,
                session if *session == own => Owner::Own,
                _ => Owner::Successor,
            },
            text: entry.value,
            version: Held { index: entry.index, session: entry.session },
        }))
    }

    async fn write(&self, place: &Place, text: &str, over: Over<Held>) -> Result<bool> {
        let (api, marked) = &mut *self.requests.lock().await;
        if !marked.contains(&place.service) {
            self.mark(api, place).await?;
            marked.insert(place.service.clone());
        }
        let key = self.key(place);
        for _ in 0..TRIES {
            let session = self.session(api, place).await?;
            let held = match &over {
                Over::Nothing => None,
                Over::Version(held) => Some(held.clone()),
                Over::Anything => api.get(&key).await?.map(|entry| Held { index: entry.index, session: entry.session }),
            };
            let problems = api.transact(&steps(&key, text, &session, held.as_ref())).await?;
            let is = |part: &str| problems.iter().any(|problem: &Problem| problem.what.contains(part));
            if problems.is_empty() {
                return Ok(true);
            } else if is("invalid session") {
                self.sessions.lost(place, &session);
            } else if is("lock delay") {
                tokio::time::sleep(LOCK_DELAY).await;
            } else if over != Over::Anything {
                return Ok(false);
            }
        }
        Err(Error::new(Reason::ClosedRemote, format!("consul: {key} cannot be taken")))
    }

    async fn remove(&self, place: &Place) -> Result<()> {
        let Some(session) = self.sessions.of(place) else { return Ok(()) };
        // What another session holds stays.
        self.requests.lock().await.0.destroy_session(&session).await?;
        self.sessions.lost(place, &session);
        Ok(())
    }

    async fn end(&self) -> Result<()> {
        let (api, _) = &mut *self.requests.lock().await;
        // Of nodes that were never written.
        for (place, session) in self.sessions.all() {
            api.destroy_session(&session).await?;
            self.sessions.lost(&place, &session);
        }
        Ok(())
    }
}

/// What writes a node that was found so: in one step, so that nobody ever sees it absent or empty.
fn steps<'a>(key: &'a str, text: &str, session: &'a str, held: Option<&'a Held>) -> Vec<Operation<'a>> {
    let Some(Held { index, session: holder }) = held else {
        return vec![Operation::is_absent(key), Operation::lock(key, text, session)];
    };
    match holder.as_deref() {
        Some(holder) if holder == session => vec![Operation::rewrite(key, text, *index)],
        None => vec![Operation::is_unchanged(key, *index), Operation::lock(key, text, session)],
        Some(other) => vec![
            Operation::is_unchanged(key, *index),
            Operation::unlock(key, text, other),
            Operation::lock(key, text, session),
        ],
    }
}
