//! A method of a service and the ways to call it: bytes in, bytes out.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rpcx::client::{AnyBytes, CallOptions, Response};
use rpcx::protocol::Metadata;
use rpcx::{Error, Result};

use crate::fork::Owned;
use crate::job::{self, Running, Together};
use crate::runtime::Lease;

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
        Ok(job::start(lease, call(method.clone(), kind, payload, options), done))
    }

    /// [`start`](Self::start) for one of many calls, which begin with [`Together::begin`].
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn join<D>(
        &self,
        calls: &mut Together,
        kind: Kind,
        payload: Bytes,
        options: CallOptions,
        done: D,
    ) -> Result<Running>
    where
        D: FnOnce(Result<Reply>) + Send + 'static,
    {
        let Parts { method, lease, .. } = self.parts.get()?;
        Ok(calls.add(lease, call(method.clone(), kind, payload, options), done))
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

    /// [`start_oneway`](Self::start_oneway) for one of many calls, which begin with [`Together::begin`].
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn join_oneway<D>(&self, calls: &mut Together, payload: Bytes, options: CallOptions, done: D) -> Result<Running>
    where
        D: FnOnce(Result<()>) + Send + 'static,
    {
        let Parts { method, lease, .. } = self.parts.get()?;
        let method = method.clone();
        Ok(calls.add(lease, async move { method.oneway(&payload, &options).await }, done))
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

async fn call(
    method: rpcx::client::Method<AnyBytes>,
    kind: Kind,
    payload: Bytes,
    options: CallOptions,
) -> Result<Reply> {
    match kind {
        Kind::Call => method.call_with(&payload, &options).await,
        Kind::Broadcast => method.broadcast(&payload, &options).await,
        Kind::Fork => method.fork(&payload, &options).await,
    }
    .map(Reply::from)
}

/// How often a thread that waits looks for signals.
const CHECK: Duration = Duration::from_millis(100);

/// Where a thread waits for one result.
pub(crate) struct Slot<T> {
    result: Mutex<Option<Result<T>>>,
    come: Condvar,
}

impl<T> Slot<T> {
    fn put(&self, result: Result<T>) {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.come.notify_one();
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
    let slot = Arc::new(Slot { result: Mutex::new(None), come: Condvar::new() });
    let told = slot.clone();
    let running = start(Box::new(move |result| told.put(result)))?;
    let mut result = slot.result.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(result) = result.take() {
            return result.map_err(E::from);
        }
        let (held, timeout) = slot.come.wait_timeout(result, CHECK).unwrap_or_else(PoisonError::into_inner);
        result = held;
        if timeout.timed_out() && result.is_none() {
            drop(result);
            if let Err(error) = check() {
                running.cancel();
                return Err(error);
            }
            result = slot.result.lock().unwrap_or_else(PoisonError::into_inner);
        }
    }
}
