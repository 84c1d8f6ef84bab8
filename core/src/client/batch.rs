//! Many calls handed over at once, so that they leave in one write.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use super::method::{Method, Response};
use super::options::CallOptions;
use crate::codec::{Decode, Encode};
use crate::error::Result;

type Call<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Calls that are made together. They are all begun before the connection writes, so that those for one connection share
/// its system calls; each has its own result.
///
/// ```no_run
/// # async fn example(arith: rpcx::client::Service) -> rpcx::Result<()> {
/// let add = arith.method("Add")?;
/// let mut batch = rpcx::client::Batch::new();
/// for pair in [(1i64, 2i64), (3, 4)] {
///     batch.add(&add, pair, Default::default());
/// }
/// let sums: Vec<rpcx::Result<rpcx::client::Response<i64>>> = batch.run().await;
/// # Ok(())
/// # }
/// ```
pub struct Batch<'a, R> {
    calls: Vec<Call<'a, Result<Response<R>>>>,
}

impl<R> Default for Batch<'_, R> {
    fn default() -> Self {
        Batch { calls: Vec::new() }
    }
}

impl<'a, R: Send + 'a> Batch<'a, R> {
    /// An empty batch.
    pub fn new() -> Self {
        Batch::default()
    }

    /// Adds a call. Nothing is sent before [`run`](Self::run).
    pub fn add<C, A>(&mut self, method: &Method<C>, args: A, options: CallOptions)
    where
        A: Send + Sync + 'a,
        C: Encode<A> + Decode<R>,
    {
        let method = method.clone();
        self.calls.push(Box::pin(async move { method.call_with(&args, &options).await }));
    }

    /// Calls in the batch.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// No call was added.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Makes the calls and waits for all; results are in the order of [`add`](Self::add). Dropping the future cancels
    /// those that still run.
    pub async fn run(self) -> Vec<Result<Response<R>>> {
        let mut running: Vec<Option<Call<'a, _>>> = self.calls.into_iter().map(Some).collect();
        let mut results: Vec<Option<Result<Response<R>>>> = running.iter().map(|_| None).collect();
        poll_fn(|cx| {
            let mut waits = false;
            for (call, result) in running.iter_mut().zip(&mut results) {
                if let Some(polled) = call.as_mut().map(|call| call.as_mut().poll(cx)) {
                    match polled {
                        Poll::Ready(done) => (*call, *result) = (None, Some(done)),
                        Poll::Pending => waits = true,
                    }
                }
            }
            if waits { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        results.into_iter().flatten().collect()
    }
}
