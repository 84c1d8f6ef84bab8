//! The circuit breaker: keeps calls away from a server that fails them, and lets a few through to see whether it is back.
//!
//! ```text
//!            enough failures               open_time is over
//!   closed ──────────────────▶ open ──────────────────────────▶ half-open
//!      ▲                        ▲                                │     │
//!      │                        └──────── a probe failed ────────┘     │
//!      └──────────────────── as many good probes as asked for ─────────┘
//! ```

use super::window::{SLOTS_IN_WINDOW, SlotClock, Slots};
use crate::nanoseconds::nanoseconds;
use crate::random::mix;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// When a breaker opens and closes: the group of options `breaker`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerRules {
    /// Opens after so many failures in a row; 0: however many.
    pub failures: u32,
    /// Opens when this share of the window's calls failed; 0: whatever the share.
    pub ratio: f64,
    /// Calls that the window must hold before their share of failures is looked at.
    pub min_calls: u32,
    /// The time over which the share of failures is taken; at least 1 s.
    pub window: Duration,
    /// How long it stays open before it lets probes through, jitter aside.
    pub open_time: Duration,
    /// Calls that are let through when it is half-open; it closes when all of them ended well. From 1 to 2²⁰ − 1.
    pub probes: u32,
}

/// 5 failures in a row or half of at least 20 calls in 10 s; open for 5 s; 3 probes.
impl Default for BreakerRules {
    fn default() -> Self {
        Self {
            failures: 5,
            ratio: 0.5,
            min_calls: 20,
            window: Duration::from_secs(10),
            open_time: Duration::from_secs(5),
            probes: 3,
        }
    }
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Calls pass and are counted.
    Closed,
    /// No call passes.
    Open,
    /// A bounded number of calls passes, as probes.
    HalfOpen,
}

impl BreakerState {
    /// The name in snake_case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// How a call that a breaker let pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// The server did its part.
    Good,
    /// The server failed.
    Bad,
    /// It says nothing about the server: the caller gave up, or nothing was sent after all.
    Untold,
}

/// Leave to call a server, to be given back with how the call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a breaker waits for the end of every call that it let pass"]
pub struct Permit(NonZeroU32);

/// A circuit breaker for one server, shared by all its callers.
///
/// All of it is one word and, for the share of failures, a few counters; nothing is locked. With the breaker closed a good
/// call costs two loads and, if a share is asked for, one addition to a count of the thread's own. Calls that began before
/// the breaker last changed its state no longer count.
///
/// ```
/// use rpcx::resilience::{Breaker, BreakerRules, BreakerState, CallEnd};
/// use std::time::{Duration, Instant};
///
/// let rules = BreakerRules { failures: 2, probes: 1, ..BreakerRules::default() };
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let breaker = Breaker::new(rules, start);
/// for _ in 0..2 {
///     let permit = breaker.try_begin(start).expect("a closed breaker");
///     breaker.end(permit, CallEnd::Bad, start);
/// }
/// assert!(breaker.try_begin(start + 4 * second).is_none());
///
/// let later = start + 5 * second;
/// let probe = breaker.try_begin(later).expect("the first probe");
/// assert!(breaker.try_begin(later).is_none(), "there is no second one");
/// assert_eq!(breaker.end(probe, CallEnd::Good, later), Some(BreakerState::Closed));
/// ```
#[derive(Debug)]
pub struct Breaker {
    rules: BreakerRules,
    clock: SlotClock,
    /// A [`Word`].
    word: AtomicU64,
    /// Calls and failed calls since the breaker closed: of the word's generation.
    calls: Slots,
    failures: Slots,
    opened: AtomicU64,
    /// What the open times are lengthened by.
    jitter: Option<u64>,
}

/// The most that jitter adds to an open time, as a share of it.
const MAX_JITTER: f64 = 0.2;

/// The state as one number: 2 bits for which, 22 for how often it changed, 40 for what it holds.
#[derive(Clone, Copy)]
struct Word(u64);

const DATA_BITS: u32 = 40;
const DATA: u64 = (1 << DATA_BITS) - 1;
const GENERATION: u64 = (1 << 22) - 1;
const HALF: u64 = (1 << 20) - 1;

/// What a word holds.
enum State {
    /// Failures in a row.
    Closed { failures: u64 },
    /// Milliseconds from the epoch to the end of it: 40 bits last for 34 years.
    Open { until: u64 },
    /// Probes that may still begin and good ends that are still needed.
    HalfOpen { left: u64, needed: u64 },
}

impl Word {
    fn new(generation: u64, state: &State) -> Self {
        let (which, data) = match state {
            State::Closed { failures } => (0, *failures),
            State::Open { until } => (1, *until),
            State::HalfOpen { left, needed } => (2, left << 20 | needed),
        };
        Self(which << 62 | (generation & GENERATION) << DATA_BITS | data.min(DATA))
    }

    fn state(self) -> State {
        let data = self.0 & DATA;
        match self.0 >> 62 {
            0 => State::Closed { failures: data },
            1 => State::Open { until: data },
            _ => State::HalfOpen { left: data >> 20, needed: data & HALF },
        }
    }

    fn generation(self) -> u64 {
        self.0 >> DATA_BITS & GENERATION
    }

    /// The same state with other contents.
    fn with(self, state: &State) -> Self {
        Self::new(self.generation(), state)
    }

    /// Another state.
    fn next(self, state: &State) -> Self {
        Self::new(self.generation() + 1, state)
    }

    fn permit(self) -> Permit {
        // One more, so that `Option<Permit>` takes no more room.
        Permit(NonZeroU32::MIN.saturating_add(self.generation() as u32))
    }
}

impl Breaker {
    /// A closed breaker. `now` is the beginning of its time.
    pub fn new(rules: BreakerRules, now: Instant) -> Self {
        Self {
            rules: BreakerRules { probes: rules.probes.clamp(1, HALF as u32), ..rules },
            clock: SlotClock::new(rules.window, now),
            word: AtomicU64::new(0),
            calls: Slots::default(),
            failures: Slots::default(),
            opened: AtomicU64::new(0),
            jitter: None,
        }
    }

    /// Makes each open time longer by up to a fifth of it, another share each time: breakers that open together, as those of
    /// all clients do when a server goes, do not send it their probes together. `random` are random bits; the shares
    /// follow from them.
    #[must_use]
    pub fn with_jitter(self, random: u64) -> Self {
        Self { jitter: Some(random), ..self }
    }

    /// Leave to call the server; `None`: the call shall go elsewhere or fail. Whoever gets leave calls
    /// [`end`](Self::end) once.
    pub fn try_begin(&self, now: Instant) -> Option<Permit> {
        let word = self.load();
        match word.state() {
            State::Closed { .. } => Some(word.permit()),
            _ => self.try_probe(word, now),
        }
    }

    #[cold]
    fn try_probe(&self, mut word: Word, now: Instant) -> Option<Permit> {
        loop {
            let probes = u64::from(self.rules.probes);
            let next = match word.state() {
                State::Closed { .. } => return Some(word.permit()),
                State::Open { until } if self.millis(now) < until => return None,
                State::Open { .. } => word.next(&State::HalfOpen { left: probes - 1, needed: probes }),
                State::HalfOpen { left: 0, .. } => return None,
                State::HalfOpen { left, needed } => word.with(&State::HalfOpen { left: left - 1, needed }),
            };
            match self.replace(word, next) {
                Ok(()) => return Some(next.permit()),
                Err(newer) => word = newer,
            }
        }
    }

    /// A call ended. Returns the new state if this changed it.
    pub fn end(&self, permit: Permit, how: CallEnd, now: Instant) -> Option<BreakerState> {
        let word = self.load();
        if word.permit() != permit {
            return None;
        }
        match (word.state(), how) {
            (State::Closed { failures: 0 }, CallEnd::Good) if self.rules.ratio <= 0.0 => None,
            (State::Closed { failures }, CallEnd::Good) => {
                if self.rules.ratio > 0.0 {
                    self.calls.add(self.clock.slot(now), word.generation());
                }
                if failures > 0 { self.change(word, permit, how, now) } else { None }
            }
            (State::Closed { .. }, CallEnd::Untold) => None,
            _ => self.change(word, permit, how, now),
        }
    }

    /// An end that changes the word.
    #[cold]
    fn change(&self, mut word: Word, permit: Permit, how: CallEnd, now: Instant) -> Option<BreakerState> {
        let too_many = matches!((word.state(), how), (State::Closed { .. }, CallEnd::Bad))
            && self.share_is_high(word.generation(), now);
        while word.permit() == permit {
            let (next, became) = match (word.state(), how) {
                (State::Closed { failures: 0 }, CallEnd::Good) => return None,
                (State::Closed { .. }, CallEnd::Good) => (word.with(&State::Closed { failures: 0 }), None),
                (State::Closed { failures }, CallEnd::Bad) => {
                    let limit = u64::from(self.rules.failures);
                    if too_many || (limit > 0 && failures + 1 >= limit) {
                        (word.next(&self.opening(word, now)), Some(BreakerState::Open))
                    } else {
                        (word.with(&State::Closed { failures: failures + 1 }), None)
                    }
                }
                (State::HalfOpen { .. }, CallEnd::Bad) => {
                    (word.next(&self.opening(word, now)), Some(BreakerState::Open))
                }
                (State::HalfOpen { needed: 0 | 1, .. }, CallEnd::Good) => {
                    (word.next(&State::Closed { failures: 0 }), Some(BreakerState::Closed))
                }
                (State::HalfOpen { left, needed }, CallEnd::Good) => {
                    (word.with(&State::HalfOpen { left, needed: needed - 1 }), None)
                }
                (State::HalfOpen { left, needed }, CallEnd::Untold) => {
                    (word.with(&State::HalfOpen { left: left + 1, needed }), None)
                }
                (State::Closed { .. }, CallEnd::Untold) | (State::Open { .. }, _) => return None,
            };
            match self.replace(word, next) {
                Ok(()) => {
                    if became == Some(BreakerState::Open) {
                        self.opened.fetch_add(1, Relaxed);
                    }
                    return became;
                }
                Err(newer) => word = newer,
            }
        }
        None
    }

    /// Counts a failure, and tells whether the share of failures is too high with it.
    fn share_is_high(&self, generation: u64, now: Instant) -> bool {
        if self.rules.ratio <= 0.0 {
            return false;
        }
        let slot = self.clock.slot(now);
        self.calls.add(slot, generation);
        self.failures.add(slot, generation);
        let calls = self.calls.sum(slot, SLOTS_IN_WINDOW, generation);
        let failures = self.failures.sum(slot, SLOTS_IN_WINDOW, generation);
        calls >= u64::from(self.rules.min_calls) && failures as f64 >= calls as f64 * self.rules.ratio
    }

    /// Where it stands. Open turns to half-open with the time, not only with the first probe.
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.load().state() {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { until } if self.millis(now) < until => BreakerState::Open,
            _ => BreakerState::HalfOpen,
        }
    }

    /// While it is open, when probes may begin.
    pub fn open_until(&self, now: Instant) -> Option<Instant> {
        match self.load().state() {
            State::Open { until } if self.millis(now) < until => self.clock.epoch.after(Duration::from_millis(until)),
            _ => None,
        }
    }

    /// How often it has opened.
    pub fn opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }

    /// The open state that follows on `word`.
    fn opening(&self, word: Word, now: Instant) -> State {
        let share = self.jitter.map_or(0.0, |random| {
            let bits = mix(random.wrapping_add(word.generation()));
            MAX_JITTER * (bits >> 32) as f64 / f64::from(u32::MAX)
        });
        let open_time = self.rules.open_time.saturating_add(self.rules.open_time.mul_f64(share));
        let until = self.clock.epoch.nanoseconds(now).saturating_add(nanoseconds(open_time));
        // Rounded up: an open time is never cut short.
        State::Open { until: until.div_ceil(1_000_000) }
    }

    fn load(&self) -> Word {
        Word(self.word.load(Relaxed))
    }

    fn replace(&self, old: Word, new: Word) -> Result<(), Word> {
        self.word.compare_exchange_weak(old.0, new.0, Relaxed, Relaxed).map(drop).map_err(Word)
    }

    fn millis(&self, now: Instant) -> u64 {
        self.clock.epoch.nanoseconds(now) / 1_000_000
    }
}

#[cfg(test)]
mod tests;
