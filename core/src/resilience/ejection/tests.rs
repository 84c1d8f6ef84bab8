//! Ejection under a clock of the test's own.

use super::*;
use crate::resilience::CallEnd;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// Servers that are looked at once a second.
struct World {
    ejector: Ejector,
    servers: Vec<Standing>,
    start: Instant,
    now: Duration,
}

impl World {
    fn new(rules: EjectionRules, servers: usize) -> Self {
        let start = Instant::now();
        let servers = (0..servers).map(|_| Standing::default()).collect();
        Self { ejector: Ejector::new(rules, start), servers, start, now: Duration::ZERO }
    }

    /// One interval in which every server in selection got `calls` calls: of them `bad` failed and the others took
    /// `latency`, by index of the server.
    fn second(&mut self, calls: u32, serve: impl Fn(usize) -> (u32, Duration)) -> Vec<usize> {
        for (index, server) in self.servers.iter().enumerate().filter(|(_, server)| server.until.is_none()) {
            let (bad, latency) = serve(index);
            (0..bad).for_each(|_| server.tally.record(CallEnd::Bad, SECOND));
            (bad..calls).for_each(|_| server.tally.record(CallEnd::Good, latency));
        }
        self.now += SECOND;
        let now = self.start + self.now;
        let before = self.out();
        assert!(self.ejector.claim(now) && !self.ejector.claim(now), "a look is due once");
        let changed = self.ejector.sweep(&mut self.servers, now);
        assert!(changed || before == self.out(), "{before:?} {:?}", self.out());
        self.out()
    }

    fn out(&self) -> Vec<usize> {
        (0..self.servers.len()).filter(|index| self.servers[*index].until.is_some()).collect()
    }
}

fn healthy(_: usize) -> (u32, Duration) {
    (0, MS)
}

#[test]
fn a_server_that_fails_more_than_the_others_leaves_and_comes_back() {
    let mut world = World::new(EjectionRules::default(), 5);
    assert_eq!(world.second(20, healthy), [0; 0]);
    let failing = |index| if index == 3 { (15, MS) } else { (1, MS) };
    assert_eq!(world.second(20, failing), [3]);
    for _ in 0..9 {
        assert_eq!(world.second(20, healthy), [3]);
    }
    assert_eq!(world.second(20, healthy), [0; 0], "its ten seconds are over, and nothing is held against it");
    assert_eq!(world.second(20, healthy), [0; 0]);
    assert_eq!(world.servers[3].ejections(), 1);
}

#[test]
fn a_slow_server_leaves_only_if_it_is_slow_among_the_others() {
    let mut world = World::new(EjectionRules::default(), 4);
    for _ in 0..5 {
        assert_eq!(world.second(20, |_| (0, 500 * MS)), [0; 0], "all are slow");
        assert_eq!(world.second(20, |index| (0, MS * (1 + index as u32))), [0; 0], "4 ms is not worth it");
    }
    assert_eq!(world.second(200, |index| (0, if index == 1 { 40 * MS } else { MS })), [1]);
}

#[test]
fn of_two_servers_the_worse_one_leaves_and_one_alone_never() {
    let mut two = World::new(EjectionRules::default(), 2);
    assert_eq!(two.second(20, |index| (20 * index as u32, MS)), [1]);
    assert_eq!(two.second(20, |_| (20, MS)), [1], "whoever is left stays");
    let mut one = World::new(EjectionRules::default(), 1);
    assert_eq!(one.second(20, |_| (20, MS)), [0; 0]);
}

#[test]
fn servers_with_few_calls_are_not_judged() {
    let mut world = World::new(EjectionRules::default(), 3);
    let failing = |index| if index == 0 { (4, MS) } else { (0, MS) };
    // 4, 6, 7, 7.5 … lately: never eight, let alone ten.
    for _ in 0..20 {
        assert_eq!(world.second(4, failing), [0; 0]);
    }
    world.second(7, |index| if index == 0 { (7, MS) } else { (0, MS) });
    assert_eq!(world.out(), [0]);
}

#[test]
fn each_ejection_is_longer_up_to_the_longest_and_calm_takes_a_step_back() {
    let mut world = World::new(EjectionRules { max_time: 60 * SECOND, ..EjectionRules::default() }, 3);
    let failing = |index| if index == 2 { (20, MS) } else { (0, MS) };
    for seconds in [10, 20, 40, 60, 60] {
        assert_eq!(world.second(20, failing), [2]);
        for _ in 1..seconds {
            assert_eq!(world.second(20, failing), [2], "{seconds} s");
        }
        assert_eq!(world.second(20, healthy), [0; 0], "after {seconds} s");
    }
    for _ in 0..30 {
        world.second(20, healthy);
    }
    assert_eq!(world.servers[2].level, 2, "three times ten seconds of calm");
}

#[test]
fn the_worst_leave_first_and_failures_before_latency() {
    let mut world = World::new(EjectionRules { max_share: 0.3, ..EjectionRules::default() }, 10);
    let trouble = |index| match index {
        1 => (10, MS),
        4 => (20, MS),
        6 => (0, 900 * MS),
        7 => (15, MS),
        _ => (0, MS),
    };
    assert_eq!(world.second(20, trouble), [1, 4, 7]);
}

#[test]
fn when_servers_leave_discovery_the_share_holds_for_those_that_are_left() {
    let mut world = World::new(EjectionRules::default(), 6);
    assert_eq!(world.second(20, |index| if index < 3 { (20, MS) } else { (0, MS) }), [0, 1, 2]);
    world.servers.truncate(4);
    let now = world.start + world.now;
    assert!(world.ejector.restore(&mut world.servers, now));
    assert_eq!(world.out().len(), 2);
    assert!(!world.ejector.restore(&mut world.servers, now));
    world.servers.clear();
    assert!(!world.ejector.sweep(&mut world.servers, now));
}

#[test]
fn a_cause_can_be_turned_off() {
    let trouble = |index| match index {
        0 => (20, MS),
        1 => (0, 900 * MS),
        _ => (0, MS),
    };
    let off = EjectionRules::default();
    assert_eq!(World::new(EjectionRules { error_margin: 1.0, ..off }, 6).second(20, trouble), [1]);
    assert_eq!(World::new(EjectionRules { latency_factor: 0.0, ..off }, 6).second(20, trouble), [0]);
    assert_eq!(World::new(EjectionRules { max_share: 0.0, ..off }, 6).second(20, trouble), [0; 0]);
}

proptest! {
    /// Whatever the servers do, no more than the share is out, somebody is in, and all come back once all is well.
    #[test]
    fn never_more_than_the_share(
        count in 1..12_usize,
        share in 0.0..1.0_f64,
        rounds in proptest::collection::vec(proptest::collection::vec((0..21_u32, 1..2_000_u64), 12), 1..40),
    ) {
        let rules = EjectionRules { max_share: share, base_time: 3 * SECOND, max_time: 30 * SECOND, ..EjectionRules::default() };
        let mut world = World::new(rules, count);
        for round in rounds {
            let out = world.second(20, |index| (round[index].0, MS * round[index].1 as u32));
            prop_assert!(out.len() as f64 <= share * count as f64 + 1e-6, "{:?} of {}", out, count);
        }
        for _ in 0..60 {
            world.second(20, healthy);
        }
        prop_assert_eq!(world.out(), [0_usize; 0]);
        prop_assert!(world.servers.iter().all(|server| server.until.is_none()));
    }
}
