//! The nodes with the smallest great-circle distance.

use super::table::{Built, Table};
use super::{CallInfo, Selector};
use crate::discovery::{Diff, Node, Snapshot};
use crate::random::below;

/// The mean radius that Go's rpcx uses, so that distances agree; in metres.
const EARTH_RADIUS: f64 = 6_378_100.0;

/// A place on earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

impl Position {
    /// The great-circle distance in metres (haversine formula).
    ///
    /// ```
    /// use rpcx::balance::Position;
    ///
    /// let (paris, tokyo) = (Position { latitude: 48.8566, longitude: 2.3522 }, Position { latitude: 35.6762, longitude: 139.6503 });
    /// assert_eq!((paris.distance(tokyo) / 1000.0).round(), 9723.0);
    /// ```
    pub fn distance(self, other: Self) -> f64 {
        let half_sine_squared = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
        let parallel = self.latitude.to_radians().cos() * other.latitude.to_radians().cos();
        let haversine = half_sine_squared(other.latitude - self.latitude)
            + parallel * half_sine_squared(other.longitude - self.longitude);
        // Rounding may lead a little out of the domain of the arc sine.
        2.0 * EARTH_RADIUS * haversine.clamp(0.0, 1.0).sqrt().asin()
    }
}

/// The node nearest to a position, one of several at random; nodes without `latitude` and `longitude` never.
#[derive(Debug)]
pub struct Closest {
    here: Position,
    table: Table<Distances>,
}

#[derive(Debug, Default)]
struct Distances {
    /// By index of the node, in metres; `None` for a node that does not say where it is.
    metres: Box<[Option<f64>]>,
    /// The nodes that do, nearest first.
    order: Box<[u32]>,
    /// How many of them are nearest.
    nearest: usize,
}

impl Closest {
    /// A selector for a client at this position.
    pub fn new(here: Position) -> Self {
        Self { here, table: Table::default() }
    }

    fn distance(&self, node: &Node) -> Option<f64> {
        let metadata = node.metadata();
        let there = Position { latitude: metadata.latitude()?, longitude: metadata.longitude()? };
        Some(self.here.distance(there)).filter(|metres| metres.is_finite())
    }
}

impl Selector for Closest {
    fn update(&self, snapshot: &Snapshot, change: &Diff) {
        self.table.update(snapshot, change, |old, change| {
            let nodes = snapshot.nodes().iter().zip(change.carried());
            let metres = nodes.map(|(node, origin)| match origin {
                Some(origin) => old.state.metres[origin],
                None => self.distance(node),
            });
            Distances::new(metres.collect())
        });
    }

    fn select(&self, snapshot: &Snapshot, call: &CallInfo<'_>) -> Option<usize> {
        self.table.select(snapshot, call, |built| choose(built, call), |state, index| state.metres[index].is_some())
    }
}

impl Distances {
    fn new(metres: Box<[Option<f64>]>) -> Self {
        let distance = |node: &u32| metres[*node as usize].unwrap_or(f64::INFINITY);
        let mut order: Vec<u32> =
            (0..).zip(&metres).filter(|(_, metres)| metres.is_some()).map(|(node, _)| node).collect();
        order.sort_unstable_by(|a, b| distance(a).total_cmp(&distance(b)));
        let nearest = order.partition_point(|node| distance(node) <= distance(&order[0]));
        Self { order: order.into(), nearest, metres }
    }
}

fn choose(built: &Built<Distances>, call: &CallInfo<'_>) -> Option<usize> {
    let Distances { order, nearest, .. } = &built.state;
    if order.is_empty() {
        return None;
    }
    let start = below(*nearest, call.random);
    // The nearest ones from a random one around, then all others by distance. No more are looked at than the call
    // avoids, and one.
    let by_preference =
        (start..*nearest).chain(0..start).chain(*nearest..order.len()).map(|place| order[place] as usize);
    let mut fitting =
        by_preference.take(call.avoid.len() + 1).filter(|node| !call.avoids(&built.snapshot.nodes()[*node]));
    Some(fitting.next().unwrap_or(order[start] as usize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::testing::{avoid_rules_hold, begin, counts, nodes};
    use proptest::prelude::*;

    const HERE: Position = Position { latitude: 31.23, longitude: 121.47 };

    #[test]
    fn distances_are_right() {
        let at = |latitude, longitude| Position { latitude, longitude };
        let quarter = std::f64::consts::FRAC_PI_2 * EARTH_RADIUS;
        for (from, to, metres) in [
            (at(0.0, 0.0), at(0.0, 0.0), 0.0),
            (at(0.0, 0.0), at(0.0, 90.0), quarter),
            (at(0.0, 170.0), at(0.0, -100.0), quarter),
            (at(90.0, 12.0), at(0.0, -77.0), quarter),
            (at(0.0, 0.0), at(0.0, 180.0), 2.0 * quarter),
        ] {
            assert!((from.distance(to) - metres).abs() < 1.0, "{from:?} {to:?}: {}", from.distance(to));
        }
    }

    #[test]
    fn only_the_nearest_are_selected_and_ties_at_random() {
        let snapshot = nodes(&[
            "near1?latitude=30&longitude=120",
            "near2?latitude=30&longitude=120&weight=0",
            "far?latitude=-30&longitude=20",
            "half?latitude=31.23",
            "nowhere",
            "text?latitude=31.23&longitude=here",
        ]);
        let selector = Closest::new(HERE);
        begin(&selector, &snapshot);
        let share = counts(&selector, &snapshot, &[], 4_000);
        assert!(share[2].abs_diff(2_000) < 200 && share[3].abs_diff(2_000) < 200, "{share:?}");
        let avoid = ["near1".into(), "near2".into()];
        assert_eq!(counts(&selector, &snapshot, &avoid, 10)[0], 10, "then the next one");

        let unplaced = nodes(&["half?latitude=31.23", "nowhere"]);
        selector.update(&unplaced, &unplaced.diff(&snapshot));
        assert_eq!(selector.select(&unplaced, &CallInfo::new("Arith", "Mul")), None);
    }

    #[test]
    fn what_was_tried_is_avoided() {
        avoid_rules_hold(|| Box::new(Closest::new(HERE)));
    }

    proptest! {
        #[test]
        fn after_any_updates_the_nearest_is_selected(
            rounds in proptest::collection::vec(
                proptest::collection::btree_map(0..20_u8, proptest::option::of((-90..=90_i32, -180..=180_i32)), 0..12), 1..5)
        ) {
            let selector = Closest::new(HERE);
            let mut before = Snapshot::unknown();
            for round in rounds {
                let texts = round.iter().map(|(node, place)| match place {
                    Some((latitude, longitude)) => format!("n{node:03}?latitude={latitude}&longitude={longitude}"),
                    None => format!("n{node:03}"),
                });
                let now = nodes(&texts.collect::<Vec<_>>());
                selector.update(&now, &now.diff(&before));
                before = now;
                let distances: Vec<_> = before.nodes().iter().map(|node| selector.distance(node)).collect();
                let nearest = distances.iter().flatten().copied().min_by(f64::total_cmp);
                let selected = selector.select(&before, &CallInfo::new("Arith", "Mul"));
                prop_assert_eq!(selected.and_then(|index| distances[index]), nearest);
            }
        }

        #[test]
        fn distance_is_finite_and_symmetric(a in any::<(f64, f64)>(), b in any::<(f64, f64)>()) {
            let at = |(latitude, longitude): (f64, f64)| Position { latitude: latitude % 90.0, longitude: longitude % 180.0 };
            prop_assume!([a.0, a.1, b.0, b.1].iter().all(|number| number.is_finite()));
            let (there, back) = (at(a).distance(at(b)), at(b).distance(at(a)));
            prop_assert!(there.is_finite() && (0.0..=3.15 * EARTH_RADIUS).contains(&there));
            prop_assert!((there - back).abs() < 1.0);
        }
    }
}
