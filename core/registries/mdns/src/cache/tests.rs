use super::*;
use crate::packet::Names;
use proptest::prelude::*;

const TTL: Duration = Duration::from_secs(30);

/// A cache and the moment of its beginning.
struct Scene(Cache, Instant, Names);

impl Scene {
    fn new() -> Self {
        Scene(Cache::new(TTL), Instant::now(), Names::new("local").expect("names"))
    }

    fn at(&self, second: u64) -> Instant {
        self.1 + Duration::from_secs(second)
    }

    fn name(&self, label: &str) -> Name {
        self.2.instance(label).expect("a name")
    }

    /// `tcp@a:1?weight=7,tcp@b:1` of `Arith`; `none` for a packet without TXT, `foreign` for one with another.
    fn hear(&mut self, second: u64, label: &str, ttl: u32, list: &str) -> bool {
        let entry = |text: &str| {
            let (address, metadata) = text.split_once('?').unwrap_or((text, ""));
            Entry { service: "Arith".into(), address: address.into(), metadata: metadata.into() }
        };
        let text = match list {
            "none" => Text::Absent,
            "foreign" => Text::Foreign,
            list => Text::List(list.split_terminator(',').map(entry).collect()),
        };
        let (name, now) = (self.name(label), self.at(second));
        self.0.hear(&name, Told { ttl, text }, now)
    }

    fn seen(&self) -> String {
        self.0.nodes("Arith").iter().map(Node::to_string).collect::<Vec<_>>().join(",")
    }

    fn expire(&mut self, second: u64) -> Passed {
        let now = self.at(second);
        self.0.expire(now)
    }

    fn asked(&mut self, second: u64) -> Vec<String> {
        let now = self.at(second);
        self.0.take_asked(now).iter().map(Name::to_ascii).collect()
    }
}

#[test]
fn a_server_is_there_until_its_time_is_over() {
    let mut scene = Scene::new();
    assert!(scene.hear(0, "a", 20, "a?weight=1"));
    assert!(scene.hear(0, "b", 3200, "b"));
    assert_eq!(scene.seen(), "a?weight=1,b");
    assert!(!scene.hear(10, "a", 20, "a?weight=1"), "nothing new");
    assert!(scene.hear(11, "a", 20, "a?weight=2"));
    assert!(scene.hear(12, "c", 3200, "c"));
    assert_eq!(scene.expire(29), Passed::Nothing);
    assert!(!scene.hear(29, "c", 3200, "c"));
    assert_eq!(scene.expire(30), Passed::Changed, "Go's 53 minutes are too long");
    assert_eq!(scene.seen(), "a?weight=2,c");
    assert_eq!(scene.expire(31), Passed::Changed);
    assert_eq!(scene.seen(), "c");
    assert!(scene.hear(32, "c", 0, "c"));
    assert_eq!(scene.seen(), "");
    assert!(scene.0.is_empty() && scene.0.servers == 0);
}

#[test]
fn when_all_are_silent_all_stay() {
    let mut scene = Scene::new();
    scene.hear(0, "a", 3200, "a");
    scene.hear(10, "b", 20, "b");
    assert_eq!(scene.0.life(), Duration::from_secs(20));
    assert_eq!(scene.expire(30), Passed::Quiet);
    assert!(scene.0.is_quiet());
    assert_eq!((scene.seen().as_str(), scene.0.next()), ("a,b", None));
    assert_eq!(scene.expire(500), Passed::Nothing);
    assert!(scene.asked(500).is_empty());
    // One of them is heard again: the other one has a while to be heard, too.
    let now = scene.at(600);
    scene.0.doubt_all(now, Duration::from_secs(3));
    scene.hear(600, "b", 20, "b");
    assert_eq!(scene.expire(602), Passed::Nothing);
    scene.hear(603, "b", 20, "b");
    assert_eq!(scene.expire(603), Passed::Changed);
    assert_eq!(scene.seen(), "b");
    // One that dies while others are heard goes at once.
    scene.hear(604, "c", 1, "c");
    assert_eq!(scene.0.life(), Duration::from_secs(2));
    assert_eq!(scene.expire(605), Passed::Changed);
    assert_eq!(scene.seen(), "b");
}

#[test]
fn one_that_is_silent_is_asked_for_before_it_goes() {
    let mut scene = Scene::new();
    scene.hear(0, "a", 100, "a");
    assert!(scene.asked(23).is_empty());
    assert_eq!(scene.0.next(), Some(scene.at(24)));
    assert_eq!(scene.asked(24).len(), 1);
    assert!(scene.asked(24).is_empty(), "once each time");
    assert_eq!(scene.asked(29).len(), 1);
    assert_eq!(scene.asked(29).len(), 1);
    assert_eq!(scene.0.next(), Some(scene.at(30)));
    // An answer without the text is a sign of life too.
    assert!(!scene.hear(29, "a", 100, "none"));
    assert_eq!(scene.expire(58), Passed::Nothing);
    assert_eq!(scene.asked(53).len(), 1);
}

#[test]
fn one_whose_services_were_not_told_is_asked_for() {
    let mut scene = Scene::new();
    assert!(!scene.hear(0, "a", 100, "none"));
    assert_eq!(scene.0.next(), Some(scene.at(0)));
    assert_eq!(scene.asked(0), ["a._rpcxservices.local."]);
    assert_eq!(scene.0.next(), None);
    assert!(scene.asked(1).is_empty());
    assert!(!scene.hear(0, "b", 100, "foreign"));
    assert!(!scene.hear(0, "c", 0, "none") && !scene.hear(0, "d", 100, ""));
    assert!(scene.asked(1).is_empty() && scene.0.is_empty());
}

#[test]
fn an_empty_list_takes_the_services_and_not_the_server() {
    let mut scene = Scene::new();
    scene.hear(0, "vm", 3200, "a,b");
    assert_eq!(scene.seen(), "a,b");
    assert!(scene.hear(1, "vm", 3200, ""));
    assert_eq!(scene.seen(), "");
    assert!(scene.hear(2, "vm", 3200, "c"));
    assert_eq!((scene.seen().as_str(), scene.0.servers), ("c", 1));
}

#[test]
fn servers_that_share_a_name_are_told_apart() {
    let mut scene = Scene::new();
    scene.hear(0, "vm", 3200, "a?n=1");
    scene.hear(0, "vm", 3200, "b");
    scene.hear(1, "vm", 3200, "a?n=2");
    assert_eq!(scene.seen(), "a?n=2,b");
    assert!(!scene.hear(2, "vm", 3200, "none"));
    assert_eq!(scene.asked(2).len(), 1, "whose sign of life that was is asked");
    assert!(scene.hear(3, "vm", 0, "a"));
    assert_eq!(scene.seen(), "b");
    scene.hear(4, "vm", 3200, "a");
    // One of the two has no services any more: who has shows when they are asked.
    assert!(!scene.hear(5, "vm", 3200, ""));
    assert_eq!(scene.seen(), "a,b");
    assert_eq!(scene.asked(5).len(), 1);
    assert!(!scene.hear(5, "vm", 3200, "b"));
    assert_eq!(scene.expire(7), Passed::Changed);
    assert_eq!(scene.seen(), "b");
    for other in 0..100 {
        scene.hear(8, "vm", 3200, &format!("x{other}"));
    }
    assert_eq!(scene.0.servers, MOST_SHARING);
}

#[test]
fn a_successor_counts_and_neither_takes_the_other_along() {
    let mut scene = Scene::new();
    let (old, new) = ("Arith-1-0-0000000000000001", "Arith-1-0-0000000000000002");
    scene.hear(0, old, 30, "a?version=1");
    assert!(scene.hear(0, new, 30, "a?version=2"));
    assert_eq!(scene.seen(), "a?version=2");
    assert_eq!(scene.asked(0).len(), 1, "the old one is asked whether it lives");
    scene.hear(0, old, 30, "a?version=1");
    assert_eq!(scene.seen(), "a?version=2", "whichever is heard last");
    scene.hear(1, old, 0, "a");
    assert_eq!(scene.seen(), "a?version=2");
    scene.hear(2, old, 30, "a?version=1");
    assert_eq!(scene.seen(), "a?version=2", "whichever is seen first");
    scene.hear(2, new, 0, "a");
    assert_eq!(scene.seen(), "a?version=1", "back again");
}

#[test]
fn one_that_has_a_successor_and_does_not_live_is_not_missed() {
    let mut scene = Scene::new();
    let (old, new) = ("Arith-1-0-0000000000000001", "Arith-1-0-0000000000000002");
    scene.hear(0, old, 30, "a?version=1");
    scene.hear(1, new, 30, "a?version=2");
    scene.hear(2, new, 0, "a");
    assert_eq!(scene.seen(), "", "its successor has said goodbye");
    assert!(scene.hear(2, old, 30, "none"));
    assert_eq!(scene.seen(), "a?version=1", "it lives");
    assert!(!scene.hear(2, old, 30, "a?version=1"));
    scene.hear(3, "Arith-1-0-0000000000000003", 30, "a?version=3");
    scene.hear(3, "Arith2-1-0-0000000000000004", 30, "b");
    scene.expire(5);
    assert_eq!((scene.seen().as_str(), scene.0.servers), ("a?version=3,b", 2));
    scene.hear(6, "vm", 3200, "b?go");
    assert_eq!(scene.seen(), "a?version=3,b", "one without a date of birth is nobody's successor");
}

#[test]
fn what_was_known_is_doubted_when_nobody_listened() {
    let mut scene = Scene::new();
    scene.hear(0, "a", 30, "a");
    scene.hear(0, "b", 30, "b");
    let now = scene.at(100);
    scene.0.doubt_all(now, Duration::from_secs(3));
    assert!(!scene.0.all_heard_since(now));
    scene.hear(101, "a", 30, "a");
    assert_eq!(scene.seen(), "a,b");
    scene.hear(102, "a", 30, "a");
    assert_eq!(scene.expire(103), Passed::Changed);
    assert_eq!(scene.seen(), "a");
    assert!(scene.0.all_heard_since(now));
}

#[test]
fn there_is_an_end_to_what_is_remembered() {
    let mut scene = Scene::new();
    for number in 0..MOST_INSTANCES + 100 {
        scene.hear(0, &format!("i{number}"), 30, &format!("tcp@h:{number}"));
        scene.hear(0, &format!("p{number}"), 30, "none");
    }
    assert_eq!((scene.0.nodes("Arith").len(), scene.0.instances.len()), (MOST_INSTANCES, MOST_INSTANCES));
    assert_eq!(scene.asked(0).len(), MOST_ASKED);
}

proptest! {
    /// Whatever is said in whichever order, the counts are right and what is shown has not expired.
    #[test]
    fn it_stays_consistent(
        steps in proptest::collection::vec((0..4usize, prop_oneof![Just(0u32), 1..60u32], 0..6usize, 0..20u64), 1..60)
    ) {
        let mut scene = Scene::new();
        let mut second = 0;
        for (label, ttl, list, pause) in steps {
            second += pause;
            scene.expire(second);
            let list = ["none", "foreign", "", "a", "b?weight=2", "a,b"][list];
            scene.hear(second, ["w", "x", "y", "z"][label], ttl, list);
            let now = scene.at(second);
            let servers: Vec<_> = scene.0.instances.values().flatten().collect();
            prop_assert_eq!(servers.len(), scene.0.servers);
            prop_assert!(servers.iter().all(|server| (scene.0.quiet || server.ends() > now) && server.life <= TTL));
            prop_assert!(scene.0.instances.values().all(|servers| !servers.is_empty()));
            scene.0.take_asked(now);
            prop_assert!(scene.0.next().is_none_or(|next| next <= now + TTL));
        }
        if !scene.0.is_empty() && !scene.0.quiet {
            prop_assert_eq!(scene.expire(second + 61), Passed::Quiet);
        }
        prop_assert!(scene.0.next().is_none());
    }
}
