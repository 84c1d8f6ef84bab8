//! The shards of the process: made with the first handle, shared by all, ended with the last.

use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use rpcx::{Error, Reason, Result};

use crate::fork;
use crate::mailbox::Mailbox;
use crate::shard::{Other, Shard};

#[derive(Default)]
struct State {
    shards: Vec<Arc<Shard>>,
    leases: usize,
    /// Leases given out so far: where the next one begins.
    given: usize,
    floor: usize,
    name: Option<String>,
}

/// What a process has of this. Leaked: a forked child can neither use nor free its parent's, whose lock may be taken.
struct Process {
    generation: u64,
    forked: Once,
    state: Mutex<State>,
}

static PROCESS: AtomicPtr<Process> = AtomicPtr::new(std::ptr::null_mut());

fn process() -> &'static Process {
    fork::watch();
    let generation = fork::generation();
    loop {
        let raw = PROCESS.load(Ordering::Acquire);
        // SAFETY: what is stored was leaked: it is never freed, and changed only through its lock.
        if let Some(process) = unsafe { raw.as_ref() }
            && process.generation == generation
        {
            if generation > 0 {
                process.forked.call_once(rpcx::shard::after_fork);
            }
            return process;
        }
        let fresh = Box::into_raw(Box::new(Process { generation, forked: Once::new(), state: Mutex::default() }));
        if PROCESS.compare_exchange(raw, fresh, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: it was made here and nobody else has seen it.
            drop(unsafe { Box::from_raw(fresh) });
        }
    }
}

fn state() -> MutexGuard<'static, State> {
    process().state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says how shards are made from now on: at least `threads` of them, named `<name>-0`, `<name>-1` and so on. `None` leaves
/// what was said before; by default there are as many as the open handles ask for, named `rpcx-shard-0` ….
///
/// # Errors
/// `config.bad_argument` for more than 1,024 threads or a name that is empty or has a NUL.
pub fn configure(threads: Option<usize>, name: Option<&str>) -> Result<()> {
    if threads.is_some_and(|threads| threads > MAX_THREADS) {
        return Err(Error::new(Reason::ConfigBadArgument, format!("threads: at most {MAX_THREADS}")));
    }
    if name.is_some_and(|name| name.is_empty() || name.contains('\0')) {
        return Err(Error::new(Reason::ConfigBadArgument, "thread_name: must not be empty nor hold a NUL"));
    }
    let mut state = state();
    if let Some(threads) = threads {
        state.floor = threads;
    }
    if let Some(name) = name {
        state.name = Some(name.to_owned());
    }
    Ok(())
}

const MAX_THREADS: usize = 1024;

/// Whether this thread may wait for something that a shard does.
///
/// # Errors
/// `config` on a shard's own thread, which would wait for itself.
pub fn may_block() -> Result<()> {
    if Mailbox::here().is_none() {
        return Ok(());
    }
    let text = "a blocking call on a thread of the library would wait for itself: use the form with a callback";
    Err(Error::new(Reason::ConfigBadArgument, text))
}

/// The number of the shard whose thread this is, among those of the process; a handler and a sink run on one.
/// [`Driver::shard`](crate::Driver::shard) is comparable.
pub fn current_shard() -> Option<usize> {
    Mailbox::number_here()
}

/// Keeps shards running. Clients, servers and calls under way hold one.
pub(crate) struct Lease {
    shards: Vec<Arc<Shard>>,
    next: AtomicUsize,
}

impl Lease {
    /// So many shards, zero: one per core. The process gets as many as the greediest handle asked for.
    ///
    /// # Errors
    /// `internal.system` when the system refuses a thread, `config.bad_argument` for more than 1,024.
    pub(crate) fn new(threads: usize) -> Result<Arc<Lease>> {
        Lease::begin(threads, None)
    }

    /// The first shard: that of clients of one shard where nothing else needs more.
    ///
    /// # Errors
    /// `internal.system` when the system refuses a thread.
    pub(crate) fn first() -> Result<Arc<Lease>> {
        Lease::begin(1, Some(0))
    }

    fn begin(threads: usize, first: Option<usize>) -> Result<Arc<Lease>> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let count = if threads == 0 { cores() } else { threads };
        if count > MAX_THREADS {
            return Err(Error::new(Reason::ConfigBadArgument, format!("threads: at most {MAX_THREADS}")));
        }
        let mut state = state();
        let name = state.name.clone().unwrap_or_else(|| "rpcx-shard".to_owned());
        while state.shards.len() < count.max(state.floor) {
            let shard = Shard::start(&name, state.shards.len())?;
            state.shards.push(shard);
        }
        state.leases += 1;
        // Handles that want few shards are spread over those there are.
        let first = first.unwrap_or_else(|| {
            state.given = state.given.wrapping_add(1);
            state.given - 1
        });
        let shards = (0..count).map(|i| state.shards[(first + i) % state.shards.len()].clone()).collect();
        Ok(Arc::new(Lease { shards, next: AtomicUsize::new(0) }))
    }

    /// The shard to start a call on: this thread's own, if it is one of them, else each in turn.
    pub(crate) fn shard(&self) -> &Arc<Shard> {
        if let [only] = &self.shards[..] {
            return only;
        }
        match self.shards.iter().find(|shard| shard.mailbox().is_here()) {
            Some(here) => here,
            None => &self.shards[self.next.fetch_add(1, Ordering::Relaxed) % self.shards.len()],
        }
    }

    /// The shard, if there is just one.
    pub(crate) fn only(&self) -> Option<&Arc<Shard>> {
        match &self.shards[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Says of all of them that they are needed as long as the values live.
    pub(crate) fn others(&self) -> Vec<Other> {
        self.shards.iter().map(|shard| shard.other()).collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.shards.len()
    }

    /// One of them by its place.
    pub(crate) fn at(&self, place: usize) -> &Arc<Shard> {
        &self.shards[place]
    }

    /// All of them, for a server.
    pub(crate) fn core_shards(&self) -> Vec<rpcx::shard::Shard> {
        self.shards.iter().map(|shard| shard.handle().clone().into()).collect()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let ended = {
            let mut state = state();
            state.leases -= 1;
            if state.leases == 0 { std::mem::take(&mut state.shards) } else { Vec::new() }
        };
        // Their threads end at their next await; none is waited for.
        drop(ended);
    }
}
