//! A discovery from a source that must be asked: what every registry's discovery has in common, in one place.

use super::{BoxFuture, Discovery, Feed, Publisher, Watch};
use crate::config::DiscoveryOptions;
use crate::error::{Error, Reason, Result};
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// Where the nodes of services are known: a registry, DNS, a file. [`SourceDiscovery`] makes a [`Discovery`] of it.
pub trait Source: Send + Sync + 'static {
    /// Follows one service: connects if need be, hands every answer to the feed, and goes on with each change. Ends only
    /// when the source cannot be reached any more, with the reason; it is called again after a pause. Services that are
    /// followed at the same time share the source's session.
    ///
    /// Dropping the future unsubscribes. It runs on a runtime with timers and I/O, and must not block its thread.
    fn follow<'a>(&'a self, service: &'a str, feed: &'a Feed) -> BoxFuture<'a, Error>;

    /// Ends the session. No `follow` runs any more, or will.
    fn close(&self) {}
}

/// A [`Discovery`] that follows a [`Source`]: each service that somebody watches is followed once, by a task on the runtime
/// where the discovery was made (else where its first watch was). The task reconnects with a jittered exponential wait,
/// applies the rules of [`Feed`], and ends with the last watch of the service.
///
/// Dropping the discovery closes it.
///
/// ```
/// use rpcx::config::DiscoveryOptions;
/// use rpcx::discovery::{BoxFuture, Discovery, Feed, Node, Source, SourceDiscovery};
/// use rpcx::{Error, Result};
/// use std::time::Duration;
///
/// /// Asks an inventory once a second.
/// struct Inventory;
///
/// impl Inventory {
///     async fn servers_of(&self, service: &str) -> Result<Vec<Node>> {
///         Ok(vec![format!("tcp@{}.example.org:8972", service.to_lowercase()).parse()?])
///     }
/// }
///
/// impl Source for Inventory {
///     fn follow<'a>(&'a self, service: &'a str, feed: &'a Feed) -> BoxFuture<'a, Error> {
///         Box::pin(async move {
///             loop {
///                 match self.servers_of(service).await {
///                     Ok(nodes) => feed.answer(nodes),
///                     Err(error) => return error,
///                 }
///                 tokio::time::sleep(Duration::from_secs(1)).await;
///             }
///         })
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let discovery = SourceDiscovery::new(Inventory, DiscoveryOptions::default())?;
/// let known = discovery.watch("Arith").known().await.expect("open");
/// assert_eq!(known.nodes()[0].address(), "tcp@arith.example.org:8972");
/// # Ok::<(), Error>(())
/// # }).unwrap();
/// ```
pub struct SourceDiscovery<S: Source> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    source: S,
    options: DiscoveryOptions,
    runtime: Option<Handle>,
    /// The services that somebody watches.
    feeds: Mutex<HashMap<Arc<str>, Arc<Feed>>>,
    closed: CancellationToken,
}

impl<S: Source> SourceDiscovery<S> {
    /// A discovery of what `source` knows. Nothing is asked before the first watch.
    ///
    /// # Errors
    ///
    /// `config.bad_value` for options out of their range.
    pub fn new(source: S, options: DiscoveryOptions) -> Result<Self> {
        options.validate()?;
        Ok(Self::of_valid(source, options))
    }

    pub(super) fn of_valid(source: S, options: DiscoveryOptions) -> Self {
        let shared = Shared {
            source,
            options,
            runtime: Handle::try_current().ok(),
            feeds: Mutex::default(),
            closed: CancellationToken::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// What it asks.
    pub fn source(&self) -> &S {
        &self.shared.source
    }
}

impl<S: Source> Discovery for SourceDiscovery<S> {
    fn watch(&self, service: &str) -> Watch {
        let mut feeds = self.shared.feeds();
        if let Some(feed) = feeds.get(service) {
            return feed.watch();
        }
        let ended = |problem: &str| {
            let publisher = Publisher::new();
            publisher.report(Some(problem));
            publisher.watch()
        };
        if self.shared.closed.is_cancelled() {
            return ended("the discovery is closed");
        }
        let Some(runtime) = self.shared.runtime.clone().or_else(|| Handle::try_current().ok()) else {
            return ended("the discovery was neither made nor used in a tokio runtime");
        };
        let feed = Arc::new(Feed::new(self.shared.options.empty_hold));
        let service: Arc<str> = service.into();
        feeds.insert(service.clone(), feed.clone());
        let watch = feed.watch();
        runtime.spawn(self.shared.clone().run(service, feed));
        watch
    }

    fn close(&self) {
        let mut feeds = self.shared.feeds();
        if self.shared.closed.is_cancelled() {
            return;
        }
        // Under the lock, so that no service is added afterwards.
        self.shared.closed.cancel();
        let ended = std::mem::take(&mut *feeds);
        drop(feeds);
        for feed in ended.values() {
            feed.publisher().close();
        }
        self.shared.source.close();
    }
}

impl<S: Source> Drop for SourceDiscovery<S> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<S: Source> fmt::Debug for SourceDiscovery<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut services: Vec<_> = self.shared.feeds().keys().cloned().collect();
        services.sort_unstable();
        f.debug_struct("SourceDiscovery").field("services", &services).finish_non_exhaustive()
    }
}

/// A source that panics has failed like any other: its clients keep their servers, and it is asked again.
pub(super) async fn catch_panic(mut follow: BoxFuture<'_, Error>) -> Error {
    std::future::poll_fn(move |context| {
        // The future is not polled again after a panic.
        let polled = catch_unwind(AssertUnwindSafe(|| follow.as_mut().poll(context)));
        polled.unwrap_or_else(|_| Poll::Ready(Error::new(Reason::InternalBug, "the source of a discovery panicked")))
    })
    .await
}

impl<S: Source> Shared<S> {
    fn feeds(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Feed>>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows one service until nobody watches it or the discovery is closed.
    async fn run(self: Arc<Self>, service: Arc<str>, feed: Arc<Feed>) {
        loop {
            tokio::select! {
                biased;
                () = self.closed.cancelled() => return,
                () = feed.publisher().unwatched() => {
                    let mut feeds = self.feeds();
                    if !feed.publisher().is_watched() {
                        feeds.remove(&service);
                        return;
                    }
                }
                () = feed.end_holds() => {}
                () = self.follow(&service, &feed) => {}
            }
        }
    }

    /// Follows and follows again. Never returns.
    async fn follow(&self, service: &str, feed: &Feed) {
        let mut failures = 0;
        loop {
            feed.begin();
            let error = catch_panic(self.source.follow(service, feed)).await;
            failures = if feed.has_answered() { 1 } else { failures + 1 };
            feed.interrupted(&error);
            let (first, longest) = (self.options.reconnect_interval, self.options.max_reconnect_interval);
            let pause = jittered(first, longest, failures);
            tracing::warn!(target: "rpcx::discovery", service, error = error.message(), failures, ?pause, "the source of a discovery was lost");
            tokio::time::sleep(pause).await;
        }
    }
}

/// The wait after so many failures in a row: a random time between half a step and a whole one, so that programs which lost a
/// registry together do not come back together. The first step doubles up to the longest.
pub(super) fn jittered(first: Duration, longest: Duration, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let step = first.saturating_mul(1 << doublings).min(longest);
    crate::random::jittered(step)
}
