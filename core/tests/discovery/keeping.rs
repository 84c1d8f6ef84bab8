//! The life of announced nodes, in a store within the test: what is written when, over what, and what is left alone.

use crate::support::{LIMIT, eventually, ms, run};
use rpcx::config::RegistryOptions;
use rpcx::discovery::{
    Announced, Announcement, Found, Load, LoadCounts, Over, Owner, Place, Registry, Store, StoreRegistry, StoreSession,
    Touched,
};
use rpcx::{Error, Reason, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// A registry's own process.
#[derive(Clone, Default)]
struct Shelf(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// By place: text, session, version.
    nodes: BTreeMap<Place, (String, u64, u64)>,
    sessions: u64,
    version: u64,
    down: bool,
    /// Sessions below this are lost.
    lost: u64,
    refuses: bool,
    writes: usize,
    begins: usize,
    ended: usize,
    /// What somebody else writes between the next read and the write that follows it.
    meanwhile: Option<String>,
}

impl Shelf {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let done = change(&mut self.state());
        self.0.changed.notify_waiters();
        done
    }

    /// Writes as somebody else: an operator (0) or another server.
    fn put(&self, place: &Place, text: &str, session: u64) {
        self.change(|state| {
            state.version += 1;
            state.nodes.insert(place.clone(), (text.to_owned(), session, state.version));
        });
    }

    fn text(&self, place: &Place) -> Option<String> {
        self.state().nodes.get(place).map(|(text, ..)| text.clone())
    }

    fn registry(&self, options: &[(&str, &str)]) -> StoreRegistry<Shelf> {
        let mut all = RegistryOptions::default();
        for (name, value) in [("reconnect_interval", "1ms"), ("max_register_interval", "5ms")].iter().chain(options) {
            all.set(name, value).unwrap();
        }
        StoreRegistry::new(self.clone(), all).unwrap()
    }
}

fn down() -> Error {
    Error::new(Reason::ConnectRefused, "the shelf is down")
}

impl Store for Shelf {
    type Session = Session;

    async fn begin(&self) -> Result<Session> {
        self.change(|state| {
            state.begins += 1;
            if state.down {
                return Err(down());
            }
            state.sessions += 1;
            Ok(Session { shelf: self.clone(), number: state.sessions })
        })
    }
}

struct Session {
    shelf: Shelf,
    number: u64,
}

impl Session {
    fn state(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.shelf.state();
        if state.down || self.number < state.lost {
            return Err(down());
        }
        if state.refuses {
            return Err(Error::new(Reason::AuthRefused, "not there"));
        }
        Ok(state)
    }
}

impl StoreSession for Session {
    type Version = u64;

    async fn keep<'a>(&'a self, touched: &'a Touched) -> Error {
        loop {
            let changed = self.shelf.0.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            {
                let state = self.shelf.state();
                if state.down || self.number < state.lost {
                    return down();
                }
            }
            changed.await;
            for service in ["Arith", "Echo"] {
                touched.touch(place(service));
            }
        }
    }

    async fn read(&self, place: &Place) -> Result<Option<Found<u64>>> {
        let found = self.state()?.nodes.get(place).cloned();
        let meanwhile = self.shelf.state().meanwhile.take();
        if let Some(text) = meanwhile {
            self.shelf.put(place, &text, 0);
        }
        let owner = |session: u64| match session {
            session if session == self.number => Owner::Own,
            1000.. => Owner::Successor,
            _ => Owner::Nobody,
        };
        Ok(found.map(|(text, session, version)| Found { text, version, owner: owner(session) }))
    }

    async fn write(&self, place: &Place, text: &str, over: Over<u64>) -> Result<bool> {
        let mut state = self.state()?;
        let there = state.nodes.get(place).map(|(_, _, version)| *version);
        let fits = match over {
            Over::Anything => true,
            Over::Nothing => there.is_none(),
            Over::Version(version) => there == Some(version),
        };
        if fits {
            state.version += 1;
            state.writes += 1;
            let entry = (text.to_owned(), self.number, state.version);
            state.nodes.insert(place.clone(), entry);
        }
        Ok(fits)
    }

    async fn remove(&self, place: &Place) -> Result<()> {
        let mut state = self.state()?;
        if state.nodes.get(place).is_some_and(|(_, session, _)| *session == self.number) {
            state.nodes.remove(place);
        }
        Ok(())
    }

    async fn end(&self) -> Result<()> {
        self.shelf.state().ended += 1;
        Ok(())
    }
}

fn place(service: &str) -> Place {
    Place { service: service.into(), address: "tcp@10.0.0.1:8972".into() }
}

async fn announce(registry: &dyn Registry, service: &str, metadata: &str) -> Result<Arc<dyn Announced>> {
    let node = format!("{}?{metadata}", place(service).address).parse().unwrap();
    let load = Load::new(|| LoadCounts { calls: 0, connections: 0 });
    registry.announce(Announcement { service: service.into(), node, load: Some(load) }).await
}

#[test]
fn what_is_announced_is_written_as_given_then_merged_then_removed() {
    run(async {
        let shelf = Shelf::default();
        let registry = shelf.registry(&[("update_interval", "100ms")]);
        let arith = announce(&registry, "Arith", "weight=7&group=g1").await.unwrap();
        assert_eq!(shelf.text(&place("Arith")).as_deref(), Some("weight=7&group=g1"));
        let merged = "calls=0.00&connections=0.00&group=g1&weight=7";
        eventually("the first update", || shelf.text(&place("Arith")).as_deref() == Some(merged)).await;
        let writes = shelf.state().writes;
        tokio::time::sleep(ms(350)).await;
        assert_eq!(shelf.state().writes, writes, "what has not changed is not written");
        arith.update(rpcx::discovery::NodeMetadata::new("weight=1")).await.unwrap();
        assert_eq!(shelf.text(&place("Arith")).as_deref(), Some("weight=1"));
        announce(&registry, "Echo", "").await.unwrap();
        assert_eq!(shelf.text(&place("Echo")).as_deref(), Some(""));
        arith.withdraw().await.unwrap();
        assert_eq!(shelf.text(&place("Arith")), None);
        arith.withdraw().await.unwrap();
        registry.close().await;
        assert!(shelf.state().nodes.is_empty());
        assert_eq!(shelf.state().ended, 1);
        let error = announce(&registry, "Arith", "").await.err().expect("closed");
        assert_eq!(error.reason(), Reason::ClosedLocal);
    });
}

#[test]
fn an_edit_survives_even_between_read_and_write() {
    run(async {
        let shelf = Shelf::default();
        let registry = shelf.registry(&[("update_interval", "100ms"), ("metrics", "false")]);
        announce(&registry, "Arith", "weight=7&group=g1").await.unwrap();
        shelf.put(&place("Arith"), "state=inactive&weight=7", 0);
        let own = || shelf.state().nodes.get(&place("Arith")).is_some_and(|(_, session, _)| *session == 1);
        eventually("it lives by the session again", own).await;
        assert_eq!(shelf.text(&place("Arith")).as_deref(), Some("state=inactive&weight=7"));
        shelf.put(&place("Arith"), "z=1&a=1", 1);
        shelf.state().meanwhile = Some("z=2&state=active".to_owned());
        let edited = || shelf.text(&place("Arith")).as_deref() == Some("state=active&z=2") && own();
        eventually("the edit of the last moment", edited).await;
        registry.close().await;
        assert_eq!(shelf.text(&place("Arith")), None);
    });
}

#[test]
fn what_is_lost_is_written_again_and_a_successors_is_left_alone() {
    run(async {
        let shelf = Shelf::default();
        let registry = shelf.registry(&[("update_interval", "100ms"), ("metrics", "false")]);
        let arith = announce(&registry, "Arith", "weight=7&b=1").await.unwrap();
        let is = |text: &str| shelf.text(&place("Arith")).as_deref() == Some(text);
        // Removed, and the session lost with and without what it held.
        shelf.change(|state| state.nodes.clear());
        eventually("the node again", || is("weight=7&b=1") || is("b=1&weight=7")).await;
        shelf.put(&place("Arith"), "b=1&edit=1", 0);
        shelf.change(|state| state.lost = state.sessions + 1);
        let by_the_new_session =
            || shelf.state().nodes.get(&place("Arith")).is_some_and(|(_, session, _)| *session >= 2);
        eventually("the node in the new session", by_the_new_session).await;
        assert!(is("b=1&edit=1"), "as it was: {:?}", shelf.text(&place("Arith")));
        shelf.change(|state| (state.down, state.lost) = (true, state.sessions + 1));
        shelf.state().nodes.clear();
        let begins = shelf.state().begins;
        eventually("attempts", || shelf.state().begins > begins + 3).await;
        shelf.change(|state| state.down = false);
        eventually("the node as announced", || is("weight=7&b=1") || is("b=1&weight=7")).await;
        shelf.put(&place("Arith"), "version=2", 1000);
        tokio::time::sleep(ms(350)).await;
        assert!(is("version=2"), "{:?}", shelf.text(&place("Arith")));
        arith.withdraw().await.unwrap();
        assert!(is("version=2"), "it is another's");
        registry.close().await;
        assert!(is("version=2"));
    });
}

#[test]
fn who_announces_is_told_why_not_and_nothing_is_left() {
    run(async {
        let shelf = Shelf::default();
        shelf.state().down = true;
        let registry = shelf.registry(&[]);
        let error = announce(&registry, "Arith", "").await.err().expect("down");
        assert_eq!(error.message(), "the shelf is down");
        // Nobody wants anything: it is not asked any more.
        tokio::time::sleep(ms(50)).await;
        let begins = shelf.state().begins;
        tokio::time::sleep(ms(50)).await;
        assert_eq!(shelf.state().begins, begins);
        shelf.change(|state| (state.down, state.refuses) = (false, true));
        let error = announce(&registry, "Arith", "").await.err().expect("refused");
        assert_eq!(error.reason(), Reason::AuthRefused);
        shelf.change(|state| state.refuses = false);
        announce(&registry, "Echo", "").await.unwrap();
        assert_eq!(shelf.state().nodes.len(), 1, "{:?}", shelf.state().nodes);
        // An end while it is down is not held up.
        shelf.change(|state| state.down = true);
        tokio::time::timeout(LIMIT, registry.close()).await.expect("closed");
    });
}

#[test]
fn dropping_it_leaves_what_there_is() {
    run(async {
        let shelf = Shelf::default();
        let registry = shelf.registry(&[("update_interval", "100ms")]);
        announce(&registry, "Arith", "").await.unwrap();
        drop(registry);
        eventually("the task ends", || Arc::strong_count(&shelf.0) == 1).await;
        assert_eq!((shelf.text(&place("Arith")).as_deref(), shelf.state().ended), (Some(""), 0));
    });
}
