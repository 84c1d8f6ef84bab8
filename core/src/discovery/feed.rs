//! What the answers of a registry mean: the rule that keeps one that is down, restarts or is out of date from emptying
//! clients that work.

#[cfg(feature = "json")]
use super::SnapshotState;
use super::{Node, NodeChange, Publisher, Snapshot, Watch};
use crate::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Where a [`Source`](super::Source) puts what it learns about one service.
///
/// The source says what it was told; the feed decides what the readers see:
///
/// | the source says | the readers see |
/// |---|---|
/// | nothing yet | `Unknown`: calls wait |
/// | nodes | these nodes, `Live` |
/// | no nodes | no nodes, `Live` |
/// | no nodes, in the first answer of a session, within `empty_hold` after an interruption, or under a lower revision than before | the nodes of before, `Stale`, for `empty_hold`; then none |
/// | that it was interrupted | the nodes of before, `Stale`, until the next answer |
///
/// Methods may be called from any thread and never wait.
#[derive(Debug)]
pub struct Feed {
    publisher: Publisher,
    empty_hold: Duration,
    state: Mutex<State>,
    /// The time of a hold has changed.
    holds: Notify,
}

#[derive(Debug)]
struct State {
    /// The next answer is the first of a session.
    first: bool,
    /// Something was answered since the last interruption.
    answered: bool,
    /// That of the last answer, where the registry has such numbers.
    revision: Option<u64>,
    /// No nodes were answered, and are not believed before then.
    held: Option<Instant>,
    /// There was no answer since an interruption.
    interrupted: bool,
    /// The source has come back: until then no nodes are not believed. A registry that stood still lists what it had, and
    /// ends a moment later the sessions that could not be kept alive meanwhile.
    doubt: Option<Instant>,
}

impl Feed {
    pub(super) fn new(empty_hold: Duration) -> Self {
        let state = State { first: true, answered: false, revision: None, held: None, interrupted: false, doubt: None };
        Self { publisher: Publisher::new(), empty_hold, state: Mutex::new(state), holds: Notify::new() }
    }

    /// All nodes of the service, in any order, as the registry has them now.
    pub fn answer(&self, nodes: Vec<Node>) {
        self.take(None, nodes, now());
    }

    /// As [`answer`](Self::answer), from a registry that numbers its states: a lower number than before is a replica that
    /// lags, or a registry that has lost its data.
    pub fn answer_at(&self, revision: u64, nodes: Vec<Node>) {
        self.take(Some(revision), nodes, now());
    }

    /// What changed since the last answer or change of this session, in order: for a registry that tells it, and much
    /// cheaper than the whole list where nodes are many. Does nothing before the first answer of a session, when there is
    /// nothing that could have changed.
    pub fn change(&self, revision: Option<u64>, changes: impl IntoIterator<Item = NodeChange>) {
        self.change_now(revision, changes, now());
    }

    fn change_now(&self, revision: Option<u64>, changes: impl IntoIterator<Item = NodeChange>, now: Instant) {
        let mut state = self.state();
        if state.first {
            return;
        }
        state.revision = revision;
        if state.held.is_none() {
            if state.doubt.is_none_or(|until| until <= now) {
                return self.publisher.change(changes);
            }
            let changes: Vec<_> = changes.into_iter().collect();
            let latest = self.publisher.latest();
            if latest.is_empty() || !latest.after(changes.iter().cloned()).is_empty() {
                return self.publisher.change(changes);
            }
            return self.hold(&mut state, now);
        }
        // The session began with no nodes; those of before, which are still shown, are not what changes.
        let nodes = Snapshot::unknown().after(changes).nodes().to_vec();
        if !nodes.is_empty() {
            state.held = None;
            self.publisher.publish(nodes);
        }
    }

    /// A new session begins: if its first answer is empty it is in doubt. Each [`Source::follow`](super::Source::follow)
    /// begins with one; a source whose client library reconnects by itself says so here.
    pub fn begin(&self) {
        self.state().first = true;
    }

    /// The registry cannot be reached; the next answer is the first of a new session. The end of
    /// [`Source::follow`](super::Source::follow) says so by itself.
    pub fn interrupted(&self, why: &Error) {
        self.interrupt(why, now());
    }

    /// Nodes that were known once, from a file for instance: used, as `Stale`, until there is an answer.
    pub fn remember(&self, nodes: Vec<Node>) {
        self.publisher.remember(nodes, now());
    }

    /// As [`answer`](Self::answer), from somebody who has judged it already.
    #[cfg(feature = "json")]
    pub(super) fn believe(&self, nodes: Vec<Node>) {
        {
            let mut state = self.state();
            (state.first, state.interrupted, state.doubt) = (false, false, None);
        }
        self.answer(nodes);
    }

    /// Whether the readers have not seen anything yet.
    #[cfg(feature = "json")]
    pub(super) fn is_unknown(&self) -> bool {
        self.publisher.latest().state() == SnapshotState::Unknown
    }

    pub(super) fn watch(&self) -> Watch {
        self.publisher.watch()
    }

    pub(super) fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// Whether there was an answer since the last interruption.
    pub(super) fn has_answered(&self) -> bool {
        self.state().answered
    }

    /// Ends each hold when its time has come. Never returns; one task at a time waits here.
    pub(super) async fn end_holds(&self) {
        loop {
            let changed = self.holds.notified();
            let until = self.state().held;
            match until {
                None => changed.await,
                Some(until) => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(until.into()) => self.end_hold(now()),
                },
            }
        }
    }

    fn take(&self, revision: Option<u64>, nodes: Vec<Node>, now: Instant) {
        let mut state = self.state();
        let first = std::mem::take(&mut state.first);
        let older = matches!((revision, state.revision), (Some(new), Some(old)) if new < old);
        state.revision = revision;
        state.answered = true;
        if std::mem::take(&mut state.interrupted) {
            state.doubt = Some(now + self.empty_hold);
        }
        let young = state.doubt.is_some_and(|until| now < until);
        let doubtful = nodes.is_empty() && (first || older || young || state.held.is_some());
        if doubtful && !self.empty_hold.is_zero() && !self.publisher.latest().is_empty() {
            return self.hold(&mut state, now);
        }
        state.held = None;
        // Under the lock, so that two answers are published in the order in which they were judged.
        self.publisher.publish(nodes);
    }

    /// No nodes are not believed for a while.
    fn hold(&self, state: &mut State, now: Instant) {
        if state.held.is_none() {
            state.held = Some(now + self.empty_hold);
            self.holds.notify_one();
        }
        self.publisher.mark_stale(now);
    }

    fn interrupt(&self, why: &Error, now: Instant) {
        let mut state = self.state();
        state.first = true;
        state.interrupted = true;
        state.answered = false;
        // What nobody can confirm does not come true by waiting.
        state.held = None;
        self.publisher.mark_stale(now);
        self.publisher.report(Some(why.message()));
    }

    fn end_hold(&self, now: Instant) {
        let mut state = self.state();
        if state.held.is_some_and(|until| until <= now) {
            state.held = None;
            self.publisher.publish(Vec::new());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock of the runtime, which tests can stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::SnapshotState;
    use crate::error::Reason;
    use proptest::prelude::*;

    const HOLD: Duration = Duration::from_secs(60);

    /// The feed, the moment, and what a reader sees: `a,b live`, `a stale 3` (since second 3).
    struct Scene(Feed, Instant);

    impl Scene {
        fn new() -> Self {
            Scene(Feed::new(HOLD), Instant::now())
        }

        fn at(&self, second: u64) -> Instant {
            self.1 + Duration::from_secs(second)
        }

        fn answer(&self, second: u64, revision: u64, nodes: &str) -> String {
            let nodes = nodes.split_terminator(',').map(|node| node.parse().expect(node)).collect();
            self.0.take(Some(revision), nodes, self.at(second));
            self.seen()
        }

        fn interrupt(&self, second: u64) -> String {
            self.0.interrupt(&Error::new(Reason::ConnectRefused, "down"), self.at(second));
            self.seen()
        }

        fn end_hold(&self, second: u64) -> String {
            self.0.end_hold(self.at(second));
            self.seen()
        }

        fn seen(&self) -> String {
            let latest = self.0.watch().latest();
            let nodes = latest.nodes().iter().map(Node::address).collect::<Vec<_>>().join(",");
            match latest.state() {
                SnapshotState::Unknown => "unknown".into(),
                SnapshotState::Live => format!("{nodes} live"),
                SnapshotState::Stale(since) => format!("{nodes} stale {}", (since - self.1).as_secs()),
            }
        }
    }

    #[test]
    fn an_empty_answer_is_empty() {
        let scene = Scene::new();
        assert_eq!(scene.seen(), "unknown");
        assert_eq!(scene.answer(0, 1, ""), " live");
        assert_eq!(scene.answer(1, 2, "b,a"), "a,b live");
        assert_eq!(scene.answer(2, 3, ""), " live");
    }

    #[test]
    fn the_first_empty_answer_after_a_reconnect_is_held() {
        let scene = Scene::new();
        scene.answer(0, 1, "a,b");
        assert_eq!(scene.interrupt(5), "a,b stale 5");
        assert_eq!(scene.0.watch().problem().as_deref(), Some("down"));
        assert_eq!(scene.answer(9, 7, ""), "a,b stale 5");
        assert_eq!(scene.answer(10, 8, ""), "a,b stale 5", "a second empty answer does not confirm the first");
        assert_eq!(scene.end_hold(68), "a,b stale 5");
        assert_eq!(scene.end_hold(69), " live");
        assert_eq!(scene.0.watch().problem(), None);
        assert_eq!(scene.answer(70, 9, "c"), "c live");
        assert_eq!(scene.answer(71, 10, ""), " live");
    }

    #[test]
    fn nodes_end_a_hold_and_another_set_is_believed_at_once() {
        let scene = Scene::new();
        scene.answer(0, 1, "a,b");
        scene.interrupt(5);
        scene.answer(6, 2, "");
        assert_eq!(scene.answer(7, 3, "c"), "c live");
        assert_eq!(scene.end_hold(70), "c live");
        assert_eq!(scene.answer(71, 4, ""), " live");
    }

    #[test]
    fn an_empty_answer_of_a_lower_revision_is_held() {
        let scene = Scene::new();
        scene.answer(0, 100, "a");
        assert_eq!(scene.answer(1, 99, ""), "a stale 1");
        assert_eq!(scene.answer(2, 101, ""), "a stale 1");
        assert_eq!(scene.end_hold(61), " live");
        // The registry lost its data and counts anew: from here on its numbers grow from where they are.
        assert_eq!(scene.answer(62, 3, "b"), "b live");
        assert_eq!(scene.answer(63, 4, ""), " live");
    }

    #[test]
    fn while_the_registry_is_down_nothing_is_emptied() {
        let scene = Scene::new();
        scene.answer(0, 1, "a");
        scene.interrupt(1);
        scene.answer(2, 2, "");
        assert_eq!(scene.interrupt(3), "a stale 1");
        assert_eq!(scene.end_hold(1000), "a stale 1", "the hold ended with the session");
        assert_eq!(scene.answer(1001, 3, ""), "a stale 1");
        assert_eq!(scene.end_hold(1060), "a stale 1");
        assert_eq!(scene.end_hold(1061), " live");
    }

    #[test]
    fn changes_follow_an_answer_of_the_same_session() {
        let scene = Scene::new();
        let set = |text: &str| NodeChange::Set(text.parse().expect(text));
        let change_at = |second: u64, changes: Vec<NodeChange>| {
            scene.0.change_now(None, changes, scene.at(second));
            scene.seen()
        };
        let change = |changes| change_at(0, changes);
        assert_eq!(change(vec![set("a")]), "unknown", "nothing is known that could have changed");
        scene.answer(0, 1, "b,d");
        assert_eq!(change(vec![set("c"), set("a"), NodeChange::Remove("d".into())]), "a,b,c live");
        assert_eq!(change(vec![NodeChange::Remove("a".into()), set("a"), NodeChange::Remove("b".into())]), "a,c live");
        scene.interrupt(5);
        assert_eq!(change(vec![NodeChange::Remove("a".into())]), "a,c stale 5");
        scene.answer(6, 2, "");
        let remove = |address: &str| vec![NodeChange::Remove(address.into())];
        assert_eq!(change_at(7, remove("a")), "a,c stale 5", "nothing was there to be removed");
        assert_eq!(change_at(8, vec![set("e")]), "e live", "the session began with none");
        assert_eq!(change_at(66, remove("e")), " live");
    }

    #[test]
    fn sessions_that_end_just_after_a_registry_stood_still_empty_nobody() {
        let scene = Scene::new();
        let remove = |second: u64, address: &str| {
            scene.0.change_now(None, [NodeChange::Remove(address.into())], scene.at(second));
            scene.seen()
        };
        scene.answer(0, 1, "a,b");
        scene.interrupt(5);
        assert_eq!(scene.answer(10, 2, "a,b"), "a,b live");
        assert_eq!(remove(11, "a"), "b live", "one that is gone is gone");
        assert_eq!(remove(12, "b"), "b stale 12", "the last one stays until it is sure");
        scene.0.change_now(None, ["a".parse().map(NodeChange::Set).expect("node")], scene.at(13));
        assert_eq!(scene.seen(), "a live", "the list was empty in truth");
        assert_eq!(remove(14, "a"), "a stale 14");
        assert_eq!(scene.end_hold(73), "a stale 14");
        assert_eq!(scene.end_hold(74), " live");
        scene.answer(75, 3, "c");
        assert_eq!(remove(76, "c"), " live", "the session is old enough");
        scene.answer(77, 4, "c");
        assert_eq!(scene.answer(78, 5, ""), " live");
    }

    #[test]
    fn memories_serve_until_there_is_an_answer() {
        let scene = Scene::new();
        scene.0.remember(vec!["old".parse().expect("node")]);
        assert!(scene.seen().starts_with("old stale"), "{}", scene.seen());
        assert!(scene.answer(1, 1, "").starts_with("old stale"), "the first answer may come from an empty registry");
        assert_eq!(scene.answer(2, 2, "new"), "new live");
        scene.0.remember(vec!["old".parse().expect("node")]);
        assert_eq!(scene.seen(), "new live");
    }

    #[test]
    fn without_a_hold_every_answer_is_believed() {
        let feed = Feed::new(Duration::ZERO);
        feed.answer(vec!["a".parse().expect("node")]);
        feed.interrupted(&Error::new(Reason::ConnectRefused, "down"));
        feed.answer(Vec::new());
        assert_eq!((feed.watch().latest().len(), feed.watch().latest().state()), (0, SnapshotState::Live));
    }

    proptest! {
        /// Whatever a registry does, a client that had servers is without only after the registry said so twice as long as
        /// the rule asks: within a session, or for the whole hold.
        #[test]
        fn nobody_is_emptied_by_a_single_doubtful_answer(
            steps in proptest::collection::vec((0..4u8, 0..6u64, 1..50u64), 1..40)
        ) {
            let scene = Scene::new();
            let (mut second, mut good_since, mut empty_since) = (0, false, None);
            // Interrupted, and when the first answer came after that.
            let (mut interrupted, mut back) = (false, None::<u64>);
            let mut highest = 0;
            for (what, revision, pause) in steps {
                second += pause;
                let before = scene.0.watch().latest().len();
                scene.end_hold(second);
                let held = empty_since.is_some_and(|since| second - since >= HOLD.as_secs());
                prop_assert!(before == 0 || !scene.0.watch().latest().is_empty() || held);
                match what {
                    0 => {
                        if std::mem::take(&mut interrupted) {
                            back = Some(second);
                        }
                        scene.answer(second, revision, "a");
                        (good_since, empty_since) = (true, None);
                        highest = revision;
                    }
                    1 => {
                        let had = !scene.0.watch().latest().is_empty();
                        if std::mem::take(&mut interrupted) {
                            back = Some(second);
                        }
                        let young = back.is_some_and(|back| second - back < HOLD.as_secs());
                        let believed = good_since && revision >= highest && empty_since.is_none() && !young;
                        scene.answer(second, revision, "");
                        let has = !scene.0.watch().latest().is_empty();
                        prop_assert_eq!(has, had && !believed);
                        if has {
                            empty_since.get_or_insert(second);
                        } else {
                            empty_since = None;
                        }
                        (good_since, highest) = (true, revision);
                    }
                    _ => {
                        scene.interrupt(second);
                        interrupted = true;
                        (good_since, empty_since) = (false, None);
                    }
                }
            }
        }
    }
}
