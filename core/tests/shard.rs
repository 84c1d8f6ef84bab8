//! Shards: which one a thread is on, a program's main on every core, and sets that end within a deadline.

use rpcx::error::Reason;
use rpcx::shard::{PerCore, Shard, ShardId, ShardSet, per_core};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(10);

fn thread_name() -> String {
    std::thread::current().name().unwrap_or_default().to_owned()
}

#[test]
fn outside_of_a_runtime_there_is_none() {
    let error = Shard::current().unwrap_err();
    assert_eq!(error.reason(), Reason::ConfigBadArgument);
    assert!(error.message().contains("tokio runtime"), "{error}");
    assert_eq!(Shard::current_id(), ShardId::NONE);
}

#[test]
fn a_runtime_of_the_users_is_a_shard() {
    let one = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let of_one = one.block_on(async { Shard::current().unwrap() });
    let of_many = many.block_on(async { Shard::current().unwrap() });
    assert_ne!(of_one, of_many);
    assert!(!of_one.is_current() && !of_many.is_current());
    one.block_on(async {
        assert!(of_one.is_current() && !of_many.is_current());
        assert_eq!(Shard::current_id(), of_one.id());
        // Every thread of the runtime is on its one shard.
        let same = of_many.clone();
        assert!(of_many.spawn(async move { same.is_current() }).await.unwrap());
    });
}

#[test]
fn a_set_runs_tasks_on_its_threads_in_turn() {
    let set = ShardSet::builder().count(3).thread_name("mine").build().unwrap();
    assert_eq!(set.handles(), set.shards());
    let (sender, receiver) = mpsc::channel();
    let placed: Vec<Shard> = (0..6).map(|_| set.next().clone()).collect();
    for shard in &placed {
        let (sender, own) = (sender.clone(), shard.clone());
        shard.spawn(async move {
            let known = own.is_current() && Shard::current().unwrap() == own && Shard::current_id() == own.id();
            sender.send((thread_name(), known)).unwrap();
        });
    }
    drop(sender);
    let mut seen: Vec<_> = receiver.iter().collect();
    seen.sort();
    let expected: Vec<_> =
        ["mine-0", "mine-0", "mine-1", "mine-1", "mine-2", "mine-2"].map(|name| (name.to_owned(), true)).to_vec();
    assert_eq!(seen, expected);
    assert_eq!(placed[..3], *set.shards());
    assert!(!set.shards()[0].is_current());
}

#[test]
fn a_panic_ends_its_task_only() {
    let set = ShardSet::new(1).unwrap();
    let (sender, receiver) = mpsc::channel();
    let failed = set.next().spawn(async { panic!("on purpose") });
    set.next().spawn(async move { sender.send(failed.await.is_err_and(|error| error.is_panic())) });
    assert!(receiver.recv_timeout(LONG).unwrap());
    assert!(set.shutdown(LONG));
}

/// Says so when it is dropped.
struct Dropped(mpsc::Sender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[test]
fn shutdown_drops_what_waits_and_refuses_what_comes_later() {
    let set = ShardSet::new(2).unwrap();
    let (sender, receiver) = mpsc::channel();
    for shard in set.shards() {
        let waits = Dropped(sender.clone());
        shard.spawn(async move {
            let _waits = waits;
            std::future::pending::<()>().await;
        });
    }
    assert!(set.shutdown(LONG));
    assert_eq!(receiver.try_iter().count(), 2);
    assert!(set.shutdown(Duration::ZERO), "again");
    let late = Dropped(sender);
    set.next().spawn(async move {
        let _late = late;
        panic!("this must not run");
    });
    receiver.recv_timeout(LONG).unwrap();
}

#[test]
fn shutdown_does_not_wait_for_a_task_that_never_awaits() {
    let set = ShardSet::new(2).unwrap();
    let (release, blocked) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    set.next().spawn(async move {
        started.send(()).unwrap();
        let _ = blocked.recv();
    });
    has_started.recv_timeout(LONG).unwrap();
    let begin = Instant::now();
    assert!(!set.shutdown(Duration::from_millis(20)));
    assert!(begin.elapsed() < LONG);
    drop(release);
    assert!(set.shutdown(LONG));
}

#[test]
fn shutdown_from_a_shard_of_the_set_does_not_wait_for_itself() {
    let set = ShardSet::new(2).unwrap();
    let (sender, receiver) = mpsc::channel();
    let shard = set.shards()[1].clone();
    shard.spawn(async move {
        let ended = set.shutdown(LONG);
        sender.send(ended).unwrap();
        // The set is dropped on its own thread.
    });
    assert!(!receiver.recv_timeout(LONG).unwrap());
}

#[test]
fn dropping_a_set_ends_its_threads() {
    let set = ShardSet::new(1).unwrap();
    let (sender, receiver) = mpsc::channel();
    let waits = Dropped(sender);
    set.next().spawn(async move {
        let _waits = waits;
        std::future::pending::<()>().await;
    });
    drop(set);
    receiver.recv_timeout(LONG).unwrap();
}

#[test]
fn main_runs_on_every_core_at_once() {
    let barrier = Barrier::new(4);
    let names = per_core(4, |shard| {
        // Nobody gets past this unless all four are here.
        barrier.wait();
        async move {
            assert!(Shard::current().unwrap().is_current());
            let spawned = tokio::spawn(async { thread_name() }).await.unwrap();
            (shard, thread_name(), spawned)
        }
    })
    .unwrap();
    for (index, (shard, name, spawned)) in names.into_iter().enumerate() {
        assert_eq!((shard, &name, &spawned), (index, &format!("rpcx-shard-{index}"), &name));
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(per_core(0, |_| async {}).unwrap().len(), cores);
    let names = PerCore::new(1).thread_name("worker").run(|_| async { thread_name() }).unwrap();
    assert_eq!(names, ["worker-0"]);
    assert_eq!(Shard::current_id(), ShardId::NONE);
}

#[test]
fn a_main_that_panics_lets_the_others_end_first() {
    let ended = Arc::new(AtomicUsize::new(0));
    let count = ended.clone();
    let panic = std::panic::catch_unwind(move || {
        per_core(3, |shard| {
            let count = count.clone();
            async move {
                assert_ne!(shard, 0, "on purpose");
                tokio::time::sleep(Duration::from_millis(1)).await;
                count.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    assert!(panic.is_err());
    assert_eq!(ended.load(Ordering::SeqCst), 2);
}
