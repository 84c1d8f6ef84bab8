//! A method of a service and the ways to call it: bytes in, bytes out.

use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use rpcx::client::{AnyBytes, CallOptions, Response};
use rpcx::protocol::Metadata;
use rpcx::{Error, Result};

use crate::callers::Waiting;
use crate::fork::Owned;
use crate::job::{self, Running};
use crate::runtime::Lease;
use crate::shard::Shard;

/// Who gets the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One server, retried as the fail mode says.
    Call,
    /// Every server; all must succeed, the first reply is returned.
    Broadcast,
    /// Every server; the first success wins and cancels the others.
    Fork,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The reply in the call's serialize type, decompressed.
    pub payload: Bytes,
    /// The response metadata.
    pub metadata: Metadata,
    /// The server that answered, as in the discovery.
    pub server: Arc<str>,
    /// Attempts that were made, failed dials included.
    pub attempts: u32,
}

impl From<Response<Bytes>> for Reply {
    fn from(response: Response<Bytes>) -> Reply {
        let Response { value, metadata, server, attempts } = response;
        Reply { payload: value, metadata, server, attempts }
    }
}

/// A server's address and what it answered.
pub type InformReply = (Arc<str>, Result<Reply>);

#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) method: rpcx::client::Method<AnyBytes>,
    pub(crate) service: rpcx::client::Service<AnyBytes>,
    pub(crate) lease: Arc<Lease>,
}

/// A method to call, looked up once: keep it. Cheap to clone. It outlives its client: then calls fail with `closed`.
#[derive(Clone)]
pub struct Method {
    parts: Owned<Parts>,
}

impl Method {
    pub(crate) fn new(parts: Parts) -> Method {
        Method { parts: Owned::new(parts) }
    }

    /// Starts a call and returns; the request leaves from this thread if the connection is ready and idle.
    ///
    /// `done` runs exactly once, on a shard's thread, never inside this function. It must neither block nor panic.
    ///
    /// ```
    /// # fn main() -> rpcx_embed::Result<()> {
    /// use rpcx_embed::{Bytes, CallOptions, Client, ClientConfig, Discovery, Kind, Queue};
    ///
    /// let client = Client::open(ClientConfig { discovery: Discovery::Nodes(Vec::new()), ..ClientConfig::default() })?;
    /// let queue = Queue::blocking();
    /// let results = queue.clone();
    /// let method = client.method("Arith", "Mul")?;
    /// method.start(Kind::Call, Bytes::from_static(b"{}"), CallOptions::new(), move |result| results.push((1, result)));
    /// queue.wait(None);
    /// let mut batch = Vec::new();
    /// queue.drain(&mut batch, usize::MAX);
    /// assert_eq!(batch[0].1.as_ref().unwrap_err().kind(), rpcx_embed::ErrorKind::NoServer);
    /// # Ok(())
    /// # }
    /// ```
    pub fn start<D>(&self, kind: Kind, payload: Bytes, options: CallOptions, done: D) -> Result<Running>
    where
        D: FnOnce(Result<Reply>) + Send + 'static,
    {
        let Parts { method, lease, .. } = self.parts.get()?;
        let method = method.clone();
        let call = async move {
            match kind {
                Kind::Call => method.call_with(&payload, &options).await,
                Kind::Broadcast => method.broadcast(&payload, &options).await,
                Kind::Fork => method.fork(&payload, &options).await,
            }
            .map(Reply::from)
        };
        Ok(job::start(lease, call, done))
    }

    /// [`start`](Self::start) for a call to every server; `done` gets what each answered, sorted by address.
    pub fn start_inform<D>(&self, payload: Bytes, options: CallOptions, done: D) -> Result<Running>
    where
        D: FnOnce(Result<Vec<InformReply>>) + Send + 'static,
    {
        let Parts { method, lease, .. } = self.parts.get()?;
        let method = method.clone();
        let call = async move {
            let answers = method.inform::<Bytes, Bytes>(&payload, &options).await?;
            Ok(answers.into_iter().map(|(at, answer)| (at, answer.map(Reply::from))).collect())
        };
        Ok(job::start(lease, call, done))
    }

    /// Sends a request that is never answered; `done` says that the connection has taken it.
    pub fn start_oneway<D>(&self, payload: Bytes, options: CallOptions, done: D) -> Result<Running>
    where
        D: FnOnce(Result<()>) + Send + 'static,
    {
        let Parts { method, lease, .. } = self.parts.get()?;
        let method = method.clone();
        Ok(job::start(lease, async move { method.oneway(&payload, &options).await }, done))
    }

    /// Sends a request that is never answered and does not wait for a connection; what fails later is logged only.
    ///
    /// # Errors
    /// `closed`, `config`.
    pub fn oneshot(&self, payload: Bytes, options: &CallOptions) -> Result<()> {
        let Parts { method, service, lease } = self.parts.get()?;
        let _entered = lease.shard().handle().enter();
        service.oneshot(method.name(), &payload, options)
    }

    /// Makes a call and waits for it on this thread.
    ///
    /// `check` runs now and then while it waits, ten times a second, so that a language can look for signals; its error
    /// cancels the call and is returned.
    ///
    /// # Errors
    /// The call's, or that of `check`.
    pub fn call_blocking<E, C>(&self, kind: Kind, payload: Bytes, options: CallOptions, check: C) -> Result<Reply, E>
    where
        E: From<Error>,
        C: FnMut() -> Result<(), E>,
    {
        wait(check, |done| self.start(kind, payload, options, done))
    }

    /// [`call_blocking`](Self::call_blocking), but a thread that calls alone, call after call, drives the shard itself
    /// while it waits, so that no other thread has to be woken for it.
    ///
    /// What runs on a shard's thread then runs on this one: every `done`, sink and handler of the process. For languages
    /// whose user has no code in them; such code could want a lock that this thread holds.
    ///
    /// # Errors
    /// The call's, or that of `check`.
    pub fn call_driving<E, C>(&self, kind: Kind, payload: Bytes, options: CallOptions, check: C) -> Result<Reply, E>
    where
        E: From<Error>,
        C: FnMut() -> Result<(), E>,
    {
        let lease = self.parts.get()?.lease.clone();
        wait_driving(&lease, check, |done| self.start(kind, payload, options, done))
    }

    /// [`start_inform`](Self::start_inform) as [`call_blocking`](Self::call_blocking).
    ///
    /// # Errors
    /// The call's, or that of `check`.
    pub fn inform_blocking<E, C>(&self, payload: Bytes, options: CallOptions, check: C) -> Result<Vec<InformReply>, E>
    where
        E: From<Error>,
        C: FnMut() -> Result<(), E>,
    {
        wait(check, |done| self.start_inform(payload, options, done))
    }

    /// [`start_oneway`](Self::start_oneway) as [`call_blocking`](Self::call_blocking).
    ///
    /// # Errors
    /// The call's, or that of `check`.
    pub fn oneway_blocking<E, C>(&self, payload: Bytes, options: CallOptions, check: C) -> Result<(), E>
    where
        E: From<Error>,
        C: FnMut() -> Result<(), E>,
    {
        wait(check, |done| self.start_oneway(payload, options, done))
    }
}

impl std::fmt::Debug for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.parts.get().map(|parts| parts.method.name().to_owned()).unwrap_or_default();
        f.debug_struct("Method").field("name", &name).finish_non_exhaustive()
    }
}

/// How often a thread that waits looks for signals.
const CHECK: Duration = Duration::from_millis(100);

struct Landing<T> {
    result: Option<Result<T>>,
    /// The thread drives a shard while it waits.
    driver: Option<Waker>,
}

/// Where a thread waits for one result.
pub(crate) struct Slot<T> {
    landing: Mutex<Landing<T>>,
    come: Condvar,
}

impl<T> Slot<T> {
    fn new() -> Arc<Slot<T>> {
        Arc::new(Slot { landing: Mutex::new(Landing { result: None, driver: None }), come: Condvar::new() })
    }

    fn landing(&self) -> MutexGuard<'_, Landing<T>> {
        self.landing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, result: Result<T>) {
        let driver = {
            let mut landing = self.landing();
            landing.result = Some(result);
            landing.driver.take()
        };
        match driver {
            Some(driver) => driver.wake(),
            None => self.come.notify_one(),
        }
    }

    /// Waits, at most for `limit`, driving the shard; says whether it could.
    fn drive(&self, shard: &Shard, limit: Duration) -> bool {
        let filled = poll_fn(|cx| {
            let mut landing = self.landing();
            if landing.result.is_some() {
                return Poll::Ready(());
            }
            landing.driver = Some(cx.waker().clone());
            Poll::Pending
        });
        // Without a result it is all the same.
        let drove = shard.visit(async { drop(tokio::time::timeout(limit, filled).await) }).is_some();
        self.landing().driver = None;
        drove
    }

    /// Waits, at most for `limit`.
    fn wait(&self, limit: Duration) -> Option<Result<T>> {
        let landing = self.landing();
        let mut landing = self
            .come
            .wait_timeout_while(landing, limit, |landing| landing.result.is_none())
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        landing.result.take()
    }
}

/// Starts something with a `done` and waits until that was called.
pub(crate) fn wait<T, E>(
    mut check: impl FnMut() -> Result<(), E>,
    start: impl FnOnce(Box<dyn FnOnce(Result<T>) + Send>) -> Result<Running>,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Error>,
{
    crate::runtime::may_block()?;
    let slot = Slot::new();
    let told = slot.clone();
    let running = start(Box::new(move |result| told.put(result)))?;
    loop {
        if let Some(result) = slot.wait(CHECK) {
            return result.map_err(E::from);
        }
        if let Err(error) = check() {
            running.cancel();
            return Err(error);
        }
    }
}

/// [`wait`] for a call: a thread that is alone with it drives the shard itself.
fn wait_driving<T, E>(
    lease: &Lease,
    mut check: impl FnMut() -> Result<(), E>,
    start: impl FnOnce(Box<dyn FnOnce(Result<T>) + Send>) -> Result<Running>,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Error>,
{
    let Some(shard) = lease.only() else { return wait(check, start) };
    crate::runtime::may_block()?;
    let waiting = Waiting::begin(shard);
    let mut drives = waiting.drives();
    let slot = Slot::new();
    let told = slot.clone();
    let running = start(Box::new(move |result| told.put(result)))?;
    loop {
        drives = drives && slot.drive(shard, CHECK);
        let limit = if drives { Duration::ZERO } else { CHECK };
        if let Some(result) = slot.wait(limit) {
            return result.map_err(E::from);
        }
        if let Err(error) = check() {
            running.cancel();
            return Err(error);
        }
    }
}
