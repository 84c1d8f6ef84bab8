//! A method of a service and the ways to call it: bytes in, bytes out.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use rpcx::client::{AnyBytes, CallOptions, Response};
use rpcx::protocol::Metadata;
use rpcx::{Error, Result};

use crate::fork::Owned;
use crate::job::{self, Running, Together};
use crate::runtime::Lease;
use crate::wait::wait_here;

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
        Ok(job::start(lease, call(method, kind, payload, options), done))
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
        Ok(calls.add(lease, call(method, kind, payload, options), done))
    }

    /// [`start`](Self::start) for a call to every server; `done` gets what each answered, sorted by address.
    pub fn start_inform<D>(&self, payload: Bytes, options: CallOptions, done: D) -> Result<Running>
    where
        D: FnOnce(Result<Vec<InformReply>>) + Send + 'static,
    {
        let Parts { method, lease, .. } = self.parts.get()?;
        Ok(job::start(lease, inform(method, payload, options), done))
    }

    /// Sends a request that is never answered; `done` says that the connection has taken it.
    pub fn start_oneway<D>(&self, payload: Bytes, options: CallOptions, done: D) -> Result<Running>
    where
        D: FnOnce(Result<()>) + Send + 'static,
    {
        let Parts { method, lease, .. } = self.parts.get()?;
        Ok(job::start(lease, oneway(method, payload, options), done))
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
        Ok(calls.add(lease, oneway(method, payload, options), done))
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
        let Parts { method, lease, .. } = self.parts.get()?;
        wait_here(lease, check, call(method, kind, payload, options))
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
        let Parts { method, lease, .. } = self.parts.get()?;
        wait_here(lease, check, inform(method, payload, options))
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
        let Parts { method, lease, .. } = self.parts.get()?;
        wait_here(lease, check, oneway(method, payload, options))
    }
}

type Calling = rpcx::client::Method<AnyBytes>;

fn call(
    method: &Calling,
    kind: Kind,
    payload: Bytes,
    options: CallOptions,
) -> Pin<Box<impl Future<Output = Result<Reply>> + Send + use<>>> {
    let method = method.clone();
    Box::pin(async move {
        match kind {
            Kind::Call => method.call_with(&payload, &options).await,
            // In boxes of their own: the rare ones are the larger ones, and would make every call as large as they are.
            Kind::Broadcast => Box::pin(method.broadcast(&payload, &options)).await,
            Kind::Fork => Box::pin(method.fork(&payload, &options)).await,
        }
        .map(Reply::from)
    })
}

fn inform(
    method: &Calling,
    payload: Bytes,
    options: CallOptions,
) -> Pin<Box<impl Future<Output = Result<Vec<InformReply>>> + Send + use<>>> {
    let method = method.clone();
    Box::pin(async move {
        let answers = method.inform::<Bytes, Bytes>(&payload, &options).await?;
        Ok(answers.into_iter().map(|(at, answer)| (at, answer.map(Reply::from))).collect())
    })
}

fn oneway(
    method: &Calling,
    payload: Bytes,
    options: CallOptions,
) -> Pin<Box<impl Future<Output = Result<()>> + Send + use<>>> {
    let method = method.clone();
    Box::pin(async move { method.oneway(&payload, &options).await })
}

impl std::fmt::Debug for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.parts.get().map(|parts| parts.method.name().to_owned()).unwrap_or_default();
        f.debug_struct("Method").field("name", &name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, call};
    use crate::{Bytes, CallOptions, Client, ClientConfig, Result};

    /// What glibc's allocator keeps at hand for each thread ends at 1,032 bytes; what is larger costs three times as much.
    #[test]
    fn a_call_is_a_small_allocation() -> Result<()> {
        let client = Client::open(ClientConfig::default())?;
        let method = client.method("Arith", "Mul")?;
        let future = call(&method.parts.get()?.method, Kind::Call, Bytes::new(), CallOptions::new());
        assert!(size_of_val(&*future) <= 1_024, "{} bytes", size_of_val(&*future));
        Ok(())
    }
}
