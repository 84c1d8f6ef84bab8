//! The breaker under a clock of the test's own, against a model, and between threads.

use super::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

/// A breaker with its clock.
struct World {
    breaker: Breaker,
    start: Instant,
    now: Duration,
}

impl World {
    fn new(rules: BreakerRules) -> Self {
        let start = Instant::now();
        Self { breaker: Breaker::new(rules, start), start, now: Duration::ZERO }
    }

    fn now(&self) -> Instant {
        self.start + self.now
    }

    fn begin(&self) -> Option<Permit> {
        self.breaker.try_begin(self.now())
    }

    fn end(&self, permit: Option<Permit>, how: CallEnd) -> Option<BreakerState> {
        self.breaker.end(permit.expect("leave to call"), how, self.now())
    }

    fn calls(&self, ends: &[CallEnd]) -> Option<BreakerState> {
        ends.iter().map(|how| self.end(self.begin(), *how)).last().flatten()
    }

    fn state(&self) -> BreakerState {
        self.breaker.state(self.now())
    }
}

fn in_a_row(failures: u32, probes: u32) -> BreakerRules {
    BreakerRules { failures, ratio: 0.0, probes, ..BreakerRules::default() }
}

use BreakerState::{Closed, HalfOpen, Open};
use CallEnd::{Bad, Good, Untold};

#[test]
fn failures_in_a_row_open_it_and_a_good_call_begins_the_row_anew() {
    let world = World::new(in_a_row(3, 1));
    assert_eq!(world.calls(&[Bad, Bad, Good, Bad, Untold, Bad]), None);
    assert_eq!(world.state(), Closed);
    assert_eq!(world.calls(&[Bad]), Some(Open));
    assert_eq!((world.state(), world.begin(), world.breaker.opened()), (Open, None, 1));
    assert_eq!(world.breaker.open_until(world.now()), Some(world.start + 5 * SECOND));
}

#[test]
fn good_probes_close_it_and_a_bad_one_opens_it_again() {
    let mut world = World::new(in_a_row(1, 2));
    world.calls(&[Bad]);
    world.now = 5 * SECOND;
    assert_eq!((world.state(), world.breaker.open_until(world.now())), (HalfOpen, None));
    let (one, two) = (world.begin(), world.begin());
    assert_eq!(world.begin(), None, "two probes at a time");
    assert_eq!(world.end(one, Good), None);
    assert_eq!(world.begin(), None, "two probes altogether");
    assert_eq!(world.end(two, Bad), Some(Open));
    assert_eq!(world.breaker.open_until(world.now()), Some(world.start + 10 * SECOND));

    world.now = 10 * SECOND;
    let (one, two) = (world.begin(), world.begin());
    assert_eq!((world.end(two, Good), world.end(one, Good)), (None, Some(Closed)));
    assert_eq!((world.state(), world.breaker.opened()), (Closed, 2));
}

#[test]
fn breakers_that_open_together_probe_apart() {
    let start = Instant::now();
    let breakers = || (0..1000).map(|random| Breaker::new(in_a_row(1, 1), start).with_jitter(random));
    // When each of them lets its first two probes through; the first one fails.
    let probes: Vec<_> = breakers()
        .map(|breaker| {
            let fail = |at| {
                let permit = breaker.try_begin(at).expect("leave to call");
                assert_eq!(breaker.end(permit, Bad, at), Some(Open));
                breaker.open_until(at).expect("it is open")
            };
            let first = fail(start);
            (first - start, fail(first) - first)
        })
        .collect();
    for waits in [probes.iter().map(|(first, _)| *first).collect(), probes.iter().map(|(_, next)| *next).collect()] {
        let waits: Vec<Duration> = waits;
        assert!(waits.iter().all(|wait| (5 * SECOND..=6 * SECOND).contains(wait)));
        let early = waits.iter().filter(|wait| **wait < 5 * SECOND + SECOND / 10).count();
        assert!((50..=150).contains(&early), "a tenth of the time has a tenth of the probes: {early}");
    }
    let moved = probes.iter().filter(|(first, next)| first.abs_diff(*next) > SECOND / 20).count();
    assert!(moved > 800, "a breaker waits for another time each time: {moved}");
}

#[test]
fn a_probe_that_says_nothing_gives_its_place_back() {
    let mut world = World::new(in_a_row(1, 1));
    world.calls(&[Bad]);
    world.now = 5 * SECOND;
    for _ in 0..100 {
        let probe = world.begin();
        assert_eq!((world.begin(), world.end(probe, Untold)), (None, None));
    }
    assert_eq!(world.calls(&[Good]), Some(Closed));
}

#[test]
fn calls_of_an_earlier_state_no_longer_count() {
    let mut world = World::new(in_a_row(2, 1));
    let old: Vec<_> = (0..4).map(|_| world.begin()).collect();
    world.calls(&[Bad, Bad]);
    assert_eq!(world.end(old[0], Good), None);
    assert_eq!(world.state(), Open);
    world.now = 5 * SECOND;
    let probe = world.begin();
    assert_eq!((world.end(old[1], Good), world.end(old[2], Bad)), (None, None));
    assert_eq!((world.state(), world.end(probe, Good)), (HalfOpen, Some(Closed)));
    assert_eq!((world.end(old[3], Bad), world.calls(&[Bad])), (None, None));
    assert_eq!(world.state(), Closed);
}

#[test]
fn a_share_of_failures_opens_it_once_there_are_enough_calls() {
    let rules = BreakerRules { failures: 0, ratio: 0.25, min_calls: 8, probes: 1, ..BreakerRules::default() };
    let mut world = World::new(rules);
    assert_eq!(world.calls(&[Bad, Bad, Good, Good, Good, Good, Good]), None, "seven calls are too few");
    assert_eq!(world.calls(&[Good, Good, Good, Good, Good]), None, "two of twelve");
    assert_eq!(world.calls(&[Bad]), None, "three of thirteen");
    // The first calls leave the window: what counts is what is in it.
    world.now = 11 * SECOND;
    assert_eq!(world.calls(&[Good, Good, Good, Good, Good, Good, Bad]), None);
    assert_eq!(world.calls(&[Bad]), Some(Open));
    world.now = 16 * SECOND;
    assert_eq!(world.calls(&[Good]), Some(Closed));
    assert_eq!(world.calls(&[Bad, Good, Good, Good, Good, Good, Good]), None, "it counts anew after closing");
}

#[test]
fn rules_of_nothing_never_open_it() {
    let world = World::new(BreakerRules { failures: 0, ratio: 0.0, ..BreakerRules::default() });
    for _ in 0..1_000 {
        assert_eq!(world.calls(&[Bad]), None);
    }
    assert_eq!(world.state(), Closed);
}

#[test]
fn threads_together_get_no_more_probes_than_there_are() {
    let mut world = World::new(in_a_row(1, 3));
    for _ in 0..50 {
        world.calls(&[Bad]);
        world.now += 5 * SECOND;
        let probes: Vec<Permit> = std::thread::scope(|scope| {
            let take = || (0..20).filter_map(|_| world.begin()).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("thread")).collect()
        });
        assert_eq!(probes.len(), 3);
        let became: Vec<_> = probes.into_iter().map(|probe| world.end(Some(probe), Good)).collect();
        assert_eq!(became, [None, None, Some(Closed)]);
    }
    assert_eq!(world.breaker.opened(), 50);
}

#[test]
fn threads_lose_no_failure() {
    for round in 1..20 {
        let world = World::new(in_a_row(4 * round, 1));
        let opened = std::thread::scope(|scope| {
            let fail = || (0..round).filter(|_| world.calls(&[Bad]) == Some(Open)).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(fail)).collect();
            threads.into_iter().map(|thread| thread.join().expect("thread")).sum::<usize>()
        });
        assert_eq!((opened, world.state()), (1, Open));
    }
}

/// The same machine with a list of calls instead of words and slots; only for failures in a row.
#[derive(Default)]
struct Model {
    row: u32,
    open_until: Option<Duration>,
    probing: Option<(u32, u32)>,
    generation: u32,
}

impl Model {
    fn begin(&mut self, now: Duration, probes: u32) -> Option<u32> {
        if self.open_until.is_some_and(|until| now >= until) {
            self.open_until = None;
            self.probing = Some((probes, probes));
            self.generation += 1;
        }
        match &mut self.probing {
            _ if self.open_until.is_some() => return None,
            Some((0, _)) => return None,
            Some((left, _)) => *left -= 1,
            None => {}
        }
        Some(self.generation)
    }

    fn end(&mut self, generation: u32, how: CallEnd, now: Duration, rules: &BreakerRules) {
        if generation != self.generation || self.open_until.is_some() {
            return;
        }
        let opens = match (&mut self.probing, how) {
            (None, Good) => {
                self.row = 0;
                false
            }
            (None, Bad) => {
                self.row += 1;
                self.row >= rules.failures
            }
            (None, Untold) => false,
            (Some((left, _)), Untold) => {
                *left += 1;
                false
            }
            (Some((_, needed)), Good) => {
                *needed -= 1;
                if *needed == 0 {
                    (self.probing, self.row) = (None, 0);
                    self.generation += 1;
                }
                false
            }
            (Some(_), Bad) => true,
        };
        if opens {
            *self =
                Self { open_until: Some(now + rules.open_time), generation: self.generation + 1, ..Self::default() };
        }
    }
}

proptest! {
    /// Whatever calls come and end in whatever order, the breaker does what the model does.
    #[test]
    fn it_agrees_with_the_model(
        failures in 1..4_u32,
        probes in 1..4_u32,
        steps in proptest::collection::vec((0..2_000_u64, 0..3_usize, any::<prop::sample::Index>(), 0..3_usize), 1..200),
    ) {
        let rules = in_a_row(failures, probes);
        let mut world = World::new(rules);
        let mut model = Model::default();
        let mut running = Vec::new();
        for (pause, begun, which, how) in steps {
            world.now += Duration::from_millis(pause);
            for _ in 0..begun {
                let (permit, expected) = (world.begin(), model.begin(world.now, probes));
                prop_assert_eq!(permit.is_some(), expected.is_some());
                running.extend(permit.zip(expected));
            }
            if !running.is_empty() {
                let (permit, generation) = running.swap_remove(which.index(running.len()));
                let how = [Good, Bad, Untold][how];
                world.end(Some(permit), how);
                model.end(generation, how, world.now, &rules);
            }
            let state = match (&model.open_until, &model.probing) {
                (Some(until), _) if world.now < *until => Open,
                (None, None) => Closed,
                _ => HalfOpen,
            };
            prop_assert_eq!(world.state(), state);
        }
    }
}
