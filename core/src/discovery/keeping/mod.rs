//! A registry from a store: what every registry has in common in keeping servers announced, in one place.

mod roster;
mod store;
mod task;

pub use store::{Found, Over, Owner, Place, Store, StoreSession, Touched};

use super::{Announced, Announcement, BoxFuture, NodeMetadata, Registry};
use crate::config::RegistryOptions;
use crate::error::{Error, Reason, Result};
use roster::{Outcome, Roster};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A [`Registry`] that keeps servers in a [`Store`]. One task does everything, one thing after the other, on the runtime where
/// the first service was announced:
///
/// - What is announced is written at once, exactly as given, whatever was there. A registry that cannot be reached is tried
///   again with a jittered exponential wait.
/// - Every `update_interval` each node is read back and written again with [`refreshed`](super::refreshed) metadata, so that an
///   operator's edits survive; it is written only over what was read.
/// - A node that others removed, or that was lost with the session or with the registry's data, is there again at once, as it
///   was announced. A node that a successor at the same address wrote is left alone.
/// - [`close`](Registry::close) removes the nodes that still live by the session, and ends it.
///
/// Dropping it ends the task and leaves the nodes to expire with the session.
pub struct StoreRegistry<S: Store> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    store: S,
    options: RegistryOptions,
    roster: Mutex<Roster>,
    task: Mutex<Option<JoinHandle<()>>>,
    touched: Touched,
    /// The roster has changed.
    work: Notify,
    /// The task has got on.
    progress: watch::Sender<()>,
    dropped: CancellationToken,
}

impl<S: Store> StoreRegistry<S> {
    /// A registry that keeps servers in `store`. Nothing is connected before the first announcement.
    ///
    /// # Errors
    ///
    /// `config.bad_value` for options out of their range.
    pub fn new(store: S, options: RegistryOptions) -> Result<Self> {
        options.validate()?;
        let shared = Shared {
            store,
            options,
            roster: Mutex::default(),
            task: Mutex::default(),
            touched: Touched::default(),
            work: Notify::new(),
            progress: watch::Sender::new(()),
            dropped: CancellationToken::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }
}

impl<S> Shared<S> {
    fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn task(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the registry has this change.
    async fn settled(&self, place: &Place, holder: u64, change: u64) -> Result<()> {
        let mut progress = self.progress.subscribe();
        loop {
            progress.borrow_and_update();
            match self.roster().outcome(place, holder, change) {
                Outcome::Done => return Ok(()),
                Outcome::Failed(error) => return Err(error),
                Outcome::Pending => {}
            }
            // The sender is in `self`.
            let _ = progress.changed().await;
        }
    }
}

impl<S: Store> Shared<S> {
    /// Has the task look at the roster; begins it where it has ended, with its runtime for instance.
    fn wake(self: &Arc<Self>) -> Result<()> {
        let mut task = self.task();
        // Under the lock, with which the task ends too.
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            let runtime = Handle::try_current()
                .map_err(|_| Error::new(Reason::ConfigBadArgument, "a registry is used outside of a tokio runtime"))?;
            *task = Some(runtime.spawn(task::run(self.clone())));
        }
        drop(task);
        self.work.notify_one();
        Ok(())
    }
}

impl<S: Store> Registry for StoreRegistry<S> {
    fn announce(&self, announcement: Announcement) -> BoxFuture<'_, Result<Arc<dyn Announced>>> {
        Box::pin(async move {
            let Announcement { service, node, load } = announcement;
            let (place, text) =
                (Place { service, address: node.shared_address() }, node.metadata().as_str().to_owned());
            let closed = || Error::new(Reason::ClosedLocal, "the registry is closed");
            let holder = self.shared.roster().announce(place.clone(), text, load).ok_or_else(closed)?;
            let mut handle = Handed { shared: self.shared.clone(), place, holder, kept: false };
            self.shared.wake()?;
            self.shared.settled(&handle.place, holder, holder).await?;
            if self.shared.roster().closing {
                return Err(closed());
            }
            handle.kept = true;
            Ok(Arc::new(handle) as Arc<dyn Announced>)
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.shared.roster().close();
            // Whoever gives up waiting ends the task.
            let _end = self.shared.dropped.clone().drop_guard();
            let Some(task) = self.shared.task().take() else { return };
            self.shared.work.notify_one();
            // A panic was told where it came.
            let _ = task.await;
        })
    }
}

impl<S: Store> Drop for StoreRegistry<S> {
    fn drop(&mut self) {
        self.shared.dropped.cancel();
    }
}

impl<S: Store> fmt::Debug for StoreRegistry<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreRegistry").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

/// What was announced; until it is kept, dropping it takes it back.
struct Handed<S: Store> {
    shared: Arc<Shared<S>>,
    place: Place,
    holder: u64,
    kept: bool,
}

impl<S: Store> Announced for Handed<S> {
    fn update(&self, metadata: NodeMetadata) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let change = self.shared.roster().update(&self.place, self.holder, metadata.as_str().to_owned());
            let Some(change) = change else { return Ok(()) };
            self.shared.wake()?;
            self.shared.settled(&self.place, self.holder, change).await
        })
    }

    fn withdraw(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.shared.roster().leave(&self.place, self.holder);
            self.shared.wake()?;
            self.shared.settled(&self.place, self.holder, u64::MAX).await
        })
    }
}

impl<S: Store> Drop for Handed<S> {
    fn drop(&mut self) {
        if !self.kept {
            self.shared.roster().leave(&self.place, self.holder);
            self.shared.work.notify_one();
        }
    }
}
