//! Latencies: one HDR histogram per thread, merged at the end. Callers record every completed call; the ones inside the
//! measured window are kept.

use hdrhistogram::Histogram;
use std::cell::RefCell;
use std::fmt::Display;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const WARM: u8 = 0;
const MEASURE: u8 = 1;
const STOP: u8 = 2;

static PHASE: AtomicU8 = AtomicU8::new(WARM);
static ERRORS: AtomicU64 = AtomicU64::new(0);
static FIRST_ERROR: Mutex<Option<String>> = Mutex::new(None);
static THREADS: Mutex<Vec<Arc<Mutex<Local>>>> = Mutex::new(Vec::new());

struct Local {
    latencies: Histogram<u64>,
    warm: u64,
}

thread_local! {
    static MINE: RefCell<Option<Arc<Mutex<Local>>>> = const { RefCell::new(None) };
}

/// A panicking caller must not take the figures of the others with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(100, 120_000_000_000, 3).expect("constant bounds are valid")
}

fn with_local(f: impl FnOnce(&mut Local)) {
    MINE.with_borrow_mut(|mine| {
        let local = mine.get_or_insert_with(|| {
            let local = Arc::new(Mutex::new(Local { latencies: histogram(), warm: 0 }));
            lock(&THREADS).push(Arc::clone(&local));
            local
        });
        f(&mut lock(local));
    });
}

/// Whether callers should make another call.
#[inline]
#[must_use]
pub fn running() -> bool {
    PHASE.load(Relaxed) != STOP
}

/// Records a completed call and its latency in nanoseconds.
#[inline]
pub fn record(nanos: u64) {
    match PHASE.load(Relaxed) {
        MEASURE => with_local(|l| l.latencies.saturating_record(nanos)),
        WARM => with_local(|l| l.warm += 1),
        _ => {}
    }
}

/// Records a failed call; the first one is printed. Failures after the window don't count: connections are going down.
#[cold]
pub fn error(what: impl Display) {
    if !running() {
        return;
    }
    ERRORS.fetch_add(1, Relaxed);
    let mut first = lock(&FIRST_ERROR);
    if first.is_none() {
        eprintln!("first error: {what}");
        *first = Some(what.to_string());
    }
}

pub(crate) fn measure() {
    PHASE.store(MEASURE, Relaxed);
}

pub(crate) fn stop() {
    PHASE.store(STOP, Relaxed);
}

pub(crate) struct Merged {
    pub(crate) latencies: Histogram<u64>,
    pub(crate) warm: u64,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
}

pub(crate) fn merge() -> Merged {
    let mut merged = Merged {
        latencies: histogram(),
        warm: 0,
        errors: ERRORS.load(Relaxed),
        first_error: lock(&FIRST_ERROR).clone(),
    };
    for local in lock(&THREADS).iter() {
        let local = lock(local);
        merged.latencies.add(&local.latencies).expect("all histograms have the same bounds");
        merged.warm += local.warm;
    }
    merged
}
