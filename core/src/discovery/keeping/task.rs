//! The task that keeps a registry as its roster says.

use super::roster::{Job, is_refusal};
use super::{Found, Over, Owner, Place, Shared, Store, StoreSession};
use crate::discovery::refreshed;
use crate::discovery::source::{catch_panic, jittered};
use crate::error::{Error, Reason, Result};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often a node is read again that somebody else writes at the same time.
const TRIES: usize = 8;

/// Runs until nothing is to be kept any more, or nobody is there who could want it.
pub(super) async fn run<S: Store>(shared: Arc<Shared<S>>) {
    tokio::select! {
        () = shared.dropped.cancelled() => {}
        () = keep(&shared) => {}
    }
}

async fn keep<S: Store>(shared: &Shared<S>) {
    let mut failures = 0;
    let mut clock = Clock::new(shared.options.update_interval);
    loop {
        if !wanted(shared).await {
            return;
        }
        let error = match begin(shared).await {
            Ok(session) => {
                failures = 0;
                match until_lost(shared, &session, &mut clock).await {
                    Ok(()) => {
                        leave(shared, session).await;
                        return;
                    }
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        failures += 1;
        shared.roster().failed(&error);
        shared.progress.send_replace(());
        if shared.roster().closing {
            return;
        }
        let pause = jittered(shared.options.reconnect_interval, shared.options.max_register_interval, failures);
        tracing::warn!(target: "rpcx::discovery", error = error.message(), failures, ?pause, "the session with a registry was lost");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = closing(shared) => {}
        }
    }
}

/// Waits until there is something to keep; false if there never will be.
async fn wanted<S>(shared: &Shared<S>) -> bool {
    loop {
        let work = shared.work.notified();
        {
            let roster = shared.roster();
            if !roster.is_empty() || roster.closing {
                return !roster.is_empty();
            }
        }
        work.await;
    }
}

/// Waits until everything is to leave.
async fn closing<S>(shared: &Shared<S>) {
    loop {
        let work = shared.work.notified();
        if shared.roster().closing {
            return;
        }
        work.await;
    }
}

async fn begin<S: Store>(shared: &Shared<S>) -> Result<S::Session> {
    // Longer than one request: connecting and opening the session are several.
    let limit = shared.options.request_timeout.saturating_mul(3);
    within(limit, shared.store.begin()).await
}

async fn leave<S: Store>(shared: &Shared<S>, session: S::Session) {
    if let Err(error) = within(shared.options.request_timeout, session.end()).await {
        tracing::warn!(target: "rpcx::discovery", error = error.message(), "a registry's session was not ended and will expire");
    }
    shared.progress.send_replace(());
}

/// Works until the session is lost, which is an error, or everything has left.
async fn until_lost<S: Store>(shared: &Shared<S>, session: &S::Session, clock: &mut Clock) -> Result<()> {
    // What the registry has, under another session, may be gone or about to go.
    for place in shared.roster().all() {
        shared.touched.touch(place);
    }
    let kept = Box::pin(session.keep(&shared.touched));
    let work = Work { shared, session };
    tokio::select! {
        biased;
        error = catch_panic(kept) => Err(error),
        ended = work.work(clock) => ended,
    }
}

/// When nodes are refreshed.
struct Clock {
    interval: Duration,
    next: Instant,
}

impl Clock {
    fn new(interval: Duration) -> Self {
        Self { interval, next: Instant::now() + interval }
    }

    async fn tick(&mut self) {
        if self.interval.is_zero() {
            return std::future::pending().await;
        }
        tokio::time::sleep_until(self.next).await;
        // Late ones are not made up for.
        self.next = Instant::now() + self.interval;
    }
}

struct Work<'a, S: Store> {
    shared: &'a Shared<S>,
    session: &'a S::Session,
}

impl<S: Store> Work<'_, S> {
    async fn work(&self, clock: &mut Clock) -> Result<()> {
        loop {
            let job = self.shared.roster().next();
            match job {
                Some(job) => self.perform(job).await?,
                None if self.shared.roster().closing => return Ok(()),
                None => match self.shared.touched.next() {
                    Some(place) => self.look(&place, false).await?,
                    None => tokio::select! {
                        () = self.shared.work.notified() => {}
                        () = self.shared.touched.some() => {}
                        () = clock.tick() => self.refresh().await?,
                    },
                },
            }
            self.shared.progress.send_replace(());
        }
    }

    async fn perform(&self, job: Job) -> Result<()> {
        match job {
            Job::Write { place, text, change } => {
                if self.judge(&place, self.session.write(&place, &text, Over::Anything)).await?.is_some() {
                    self.shared.roster().written(&place, change);
                }
            }
            Job::Remove(place) => {
                if self.judge(&place, self.session.remove(&place)).await?.is_some() {
                    self.shared.roster().left(&place);
                }
            }
        }
        Ok(())
    }

    /// Reads every node back and writes it again.
    async fn refresh(&self) -> Result<()> {
        let places = self.shared.roster().all();
        for place in places {
            // What somebody waits for goes first.
            while let Some(job) = { self.shared.roster().next() } {
                self.perform(job).await?;
                self.shared.progress.send_replace(());
            }
            self.look(&place, true).await?;
        }
        Ok(())
    }

    /// Sees to it that a node is there and lives by this session; when it is `due`, writes its metadata anew.
    async fn look(&self, place: &Place, due: bool) -> Result<()> {
        for _ in 0..TRIES {
            let Some((announced, load)) = self.shared.roster().wanted(place) else { return Ok(()) };
            let Some(found) = self.judge(place, self.session.read(place)).await? else { return Ok(()) };
            let (text, over) = match found {
                None => (announced, Over::Nothing),
                Some(Found { owner: Owner::Successor, .. }) => return Ok(()),
                Some(Found { owner: Owner::Own, .. }) if !due => return Ok(()),
                Some(Found { text, version, owner }) => {
                    let load = load.filter(|_| self.shared.options.metrics).map(|load| load.means());
                    let extra = load.iter().flatten().map(|(key, mean)| (*key, mean.as_str()));
                    let new = refreshed(&text, extra);
                    if owner == Owner::Own && new == text {
                        return Ok(());
                    }
                    (new, Over::Version(version))
                }
            };
            // False: somebody wrote it meanwhile; what he wrote counts.
            if self.judge(place, self.session.write(place, &text, over)).await? != Some(false) {
                return Ok(());
            }
        }
        // Whoever writes without end keeps the node there as well; the next update tries again.
        Ok(())
    }

    /// The outcome of one request; `None` where the registry refuses it for this node alone.
    async fn judge<T>(&self, place: &Place, request: impl Future<Output = Result<T>>) -> Result<Option<T>> {
        match within(self.shared.options.request_timeout, request).await {
            Ok(done) => Ok(Some(done)),
            Err(error) if is_refusal(&error) => {
                tracing::warn!(target: "rpcx::discovery", %place, error = error.message(), "a registry refuses a node");
                self.shared.roster().refused(place, error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

async fn within<T>(limit: Duration, request: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| {
        let text = format!("no answer from the registry within request_timeout ({limit:?})");
        Err(Error::new(Reason::ConnectTimeout, text))
    };
    tokio::time::timeout(limit, request).await.unwrap_or_else(late)
}
