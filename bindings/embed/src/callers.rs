//! Which of the threads that wait for a call drives its shard meanwhile: one that is alone, call after call.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::shard::Shard;

/// So many calls one after the other, none of them beside another, are worth calling our own thread off.
const CALM: u32 = 8;
/// Calls that are further apart than this are not one after the other: nobody drives between them.
const GAP: Duration = Duration::from_micros(500);

/// The threads that wait for calls of one shard.
#[derive(Default)]
pub(crate) struct Callers {
    waiting: AtomicUsize,
    /// Calls in a row that were alone.
    calm: AtomicU32,
    /// When the last one ended.
    ended: Mutex<Option<Instant>>,
    /// One of them drove last, and our own thread has not been called back.
    hold: AtomicBool,
}

/// A thread that waits, until it is dropped.
pub(crate) struct Waiting<'a> {
    shard: &'a Shard,
    alone: bool,
    drives: bool,
}

impl<'a> Waiting<'a> {
    pub(crate) fn begin(shard: &'a Shard) -> Waiting<'a> {
        let callers = shard.callers();
        let alone = callers.waiting.fetch_add(1, Ordering::AcqRel) == 0;
        let recent = callers.ended.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() < GAP);
        let calm = if alone && recent { callers.calm.load(Ordering::Relaxed) } else { 0 };
        callers.calm.store(calm, Ordering::Relaxed);
        let drives = calm >= CALM;
        if drives {
            callers.hold.store(true, Ordering::Release);
        } else if alone && callers.hold.swap(false, Ordering::AcqRel) {
            // Nobody may be driving.
            shard.recall();
        }
        Waiting { shard, alone, drives }
    }

    /// This one is to drive.
    pub(crate) fn drives(&self) -> bool {
        self.drives
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let callers = self.shard.callers();
        let others = callers.waiting.fetch_sub(1, Ordering::AcqRel) > 1;
        if others {
            callers.calm.store(0, Ordering::Relaxed);
            if self.drives && callers.hold.swap(false, Ordering::AcqRel) {
                self.shard.recall();
            }
        } else if self.alone {
            callers.calm.fetch_add(1, Ordering::Relaxed);
        }
        *callers.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}
