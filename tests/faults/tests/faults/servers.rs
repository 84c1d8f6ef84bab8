//! Several servers of which some are killed, stopped or slow: what fails, what moves on, and who takes the load.

use crate::support::{MARGIN, call, client, eventually, ms, raw, run, victim};
use bytes::Bytes;
use rpcx::client::{CallOptions, ClientBuilder, Service};
use rpcx::codec::Raw;
use rpcx::error::{Delivery, Error, ErrorKind, Reason};
use rpcx_faults::{Fault, Proxy, Victim};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const SERVERS: usize = 3;
const SECOND: Duration = Duration::from_secs(1);

/// A client for all of them, which tries again and soon asks for servers that were down.
fn client_of<'a>(servers: impl IntoIterator<Item = &'a str>) -> ClientBuilder {
    let list: Vec<&str> = servers.into_iter().collect();
    client(&format!("multiple://{}", list.join(","))).option("retries", "3").option("time_to_disallow", "200ms")
}

fn victims() -> Vec<Victim> {
    (0..SERVERS).map(|_| victim(&[])).collect()
}

fn addresses(servers: &[Victim]) -> impl Iterator<Item = &str> {
    servers.iter().map(Victim::address)
}

fn idempotent() -> CallOptions {
    CallOptions::new().idempotent(true)
}

/// What became of one call.
struct Ended {
    result: Result<Arc<str>, Error>,
    at: Instant,
    took: Duration,
}

/// Callers that make one call after the other until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    callers: Vec<JoinHandle<Vec<Ended>>>,
}

impl Load {
    fn start(service: &Service<Raw>, callers: usize, options: &CallOptions) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let callers = (0..callers).map(|_| {
            let (service, options, stop) = (service.clone(), options.clone(), stop.clone());
            tokio::spawn(async move {
                let mut ended = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let result = service.call_with::<_, Bytes>("Sleep", &2_u16.to_be_bytes()[..], &options).await;
                    let result = result.map(|response| response.server);
                    ended.push(Ended { result, at: Instant::now(), took: began.elapsed() });
                }
                ended
            })
        });
        let callers = callers.collect();
        Load { stop, callers }
    }

    async fn end(self) -> Vec<Ended> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for caller in self.callers {
            all.extend(caller.await.unwrap());
        }
        all
    }
}

fn assert_all_good<'a>(ended: impl IntoIterator<Item = &'a Ended>, within: Duration) {
    for call in ended {
        assert!(call.result.is_ok(), "{:?}", call.result);
        assert!(call.took < within + MARGIN, "{:?}: {:?}", call.took, call.result);
    }
}

fn served<'a>(ended: impl IntoIterator<Item = &'a Ended>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for server in ended.into_iter().filter_map(|call| call.result.as_deref().ok()) {
        *counts.entry(server).or_default() += 1;
    }
    counts
}

/// Lets time pass while calls run.
async fn pass(until: Instant) {
    tokio::time::sleep_until(until.into()).await;
}

/// Calls until each of these servers has answered one.
async fn all_serve(service: &Service<Raw>, servers: &[Victim]) {
    let mut missing: BTreeSet<&str> = addresses(servers).collect();
    let until = Instant::now() + Duration::from_secs(15);
    while !missing.is_empty() {
        assert!(Instant::now() < until, "{missing:?} do not serve in time");
        let answer = service.call_with::<_, Bytes>("Echo", &b""[..], &idempotent()).await;
        missing.remove(&*answer.unwrap().server);
    }
}

#[test]
fn all_servers_go_and_come_back() {
    run(async {
        let mut servers = victims();
        let client = client_of(addresses(&servers)).build().unwrap();
        let service = raw(&client);
        for _ in 0..2 {
            all_serve(&service, &servers).await;
            for server in &mut servers {
                server.kill().unwrap();
            }
            eventually("the client knows that they are gone", || async {
                call(&service, "Echo", b"").await.unwrap_err().kind() == ErrorKind::Connect
            })
            .await;
            let began = Instant::now();
            let error = call(&service, "Echo", b"").await.unwrap_err();
            assert!(began.elapsed() < ms(500) + MARGIN, "{error:?} after {:?}", began.elapsed());
            assert_eq!((error.delivery(), error.attempts()), (Delivery::NotSent, 4), "{error:?}");
            for server in &mut servers {
                *server = victim(&[&format!("bind={}", server.address())]);
            }
        }
        all_serve(&service, &servers).await;
    });
}

#[test]
fn a_server_that_flaps_fails_no_idempotent_call() {
    run(async {
        let mut servers = victims();
        let client = client_of(addresses(&servers)).build().unwrap();
        let service = raw(&client);
        all_serve(&service, &servers).await;
        let load = Load::start(&service, 10, &idempotent());
        for _ in 0..4 {
            servers[0].kill().unwrap();
            servers[0] = victim(&[&format!("bind={}", servers[0].address())]);
            all_serve(&service, &servers).await;
            let calls = client.stats().calls;
            eventually("calls go to it in their turn", || async { client.stats().calls > calls + 100 }).await;
        }
        let ended = load.end().await;
        assert_all_good(&ended, ms(500));
        assert_eq!(served(&ended).len(), SERVERS);
    });
}

#[test]
fn the_others_take_the_load_of_a_stopped_server_within_a_second() {
    run(async {
        let servers = victims();
        let client = client_of(addresses(&servers)).option("server_stats", "true").build().unwrap();
        let service = raw(&client);
        all_serve(&service, &servers).await;
        let calls_to_stopped = || {
            let stats = client.stats().servers;
            let of_it = stats.iter().find(|server| server.server == servers[0].address()).unwrap();
            of_it.calls.map(|calls| calls.good + calls.failed)
        };
        let load = Load::start(&service, 10, &idempotent());
        pass(Instant::now() + SECOND).await;
        servers[0].signal("STOP").unwrap();
        let stopped = Instant::now();
        pass(stopped + SECOND).await;
        // How many calls the others answer is the machine's business; that none waits for the stopped one is ours.
        let found_out = (Instant::now(), calls_to_stopped());
        pass(stopped + 3 * SECOND).await;
        assert_eq!(calls_to_stopped(), found_out.1, "it is asked though it is stopped");
        let resumed = Instant::now();
        servers[0].signal("CONT").unwrap();
        let ended = load.end().await;
        // Found out after twice 200 ms of silence, with a second server asked then.
        assert_all_good(&ended, ms(800));
        let counts = served(ended.iter().filter(|call| (found_out.0..resumed).contains(&call.at)));
        assert!(counts.keys().copied().eq(addresses(&servers[1..]).collect::<BTreeSet<_>>()), "{counts:?}");
        // It is asked for a sign of life again and again; the calls follow when it has given one.
        all_serve(&service, &servers).await;
    });
}

#[test]
fn a_slow_server_costs_its_own_calls_their_deadline() {
    run(async {
        let servers = victims();
        let proxy = Proxy::start(servers[0].address()).await.unwrap();
        let slow = proxy.url();
        let list = [slow.as_str(), servers[1].address(), servers[2].address()];
        let client = client_of(list).option("stuck_timeout", "0").option("heartbeat_timeout", "0").build().unwrap();
        let service = raw(&client);
        let options = idempotent().timeout(ms(300));
        for _ in 0..SERVERS {
            service.call_with::<_, Bytes>("Echo", &b""[..], &options).await.unwrap();
        }
        proxy.set(Fault::Delay(ms(2000)));
        let mut late = 0;
        for _ in 0..4 * SERVERS {
            let began = Instant::now();
            match service.call_with::<_, Bytes>("Echo", &b""[..], &options).await {
                Ok(answer) => assert_ne!(*answer.server, *slow),
                Err(error) => {
                    // The deadline is that of the whole call: nothing is left for another attempt.
                    assert_eq!((error.reason(), error.delivery()), (Reason::TimeoutCall, Delivery::MaybeRun));
                    assert_eq!((error.server(), error.attempts()), (Some(&*slow), 1), "{error:?}");
                    assert!((ms(300)..ms(300) + MARGIN).contains(&began.elapsed()), "{:?}", began.elapsed());
                    late += 1;
                }
            }
        }
        assert_eq!(late, 4, "in turn");
        proxy.set(Fault::None);
        eventually("it serves again", || async {
            let answer = service.call_with::<_, Bytes>("Echo", &b""[..], &options).await;
            answer.is_ok_and(|answer| *answer.server == *slow)
        })
        .await;
    });
}

#[test]
fn the_least_loaded_servers_are_asked_when_one_is_slow() {
    run(async {
        let servers = victims();
        let proxy = Proxy::start(servers[0].address()).await.unwrap();
        let slow = proxy.url();
        let list = [slow.as_str(), servers[1].address(), servers[2].address()];
        let client = client_of(list).option("select_mode", "least_loaded").build().unwrap();
        let service = raw(&client);
        proxy.set(Fault::Delay(ms(50)));
        let load = Load::start(&service, 10, &CallOptions::new());
        eventually("calls run", || async { client.stats().calls > 2000 }).await;
        let ended = load.end().await;
        assert_all_good(&ended, ms(500));
        let counts = served(&ended);
        let of_slow = counts.get(&*slow).copied().unwrap_or_default();
        assert!(of_slow * 5 < ended.len(), "{counts:?}");
    });
}

/// Runs every call on servers that are killed one after the other and come back; returns how the calls ended, and how often each ran.
async fn notes_under_kills(folder: &Path, options: &CallOptions) -> (Vec<Result<(), Error>>, Vec<usize>) {
    const CALLS: usize = 1500;
    std::fs::create_dir_all(folder).unwrap();
    let files: Vec<PathBuf> = (0..SERVERS).map(|index| folder.join(index.to_string())).collect();
    for file in &files {
        std::fs::write(file, "").unwrap();
    }
    let notes = |index: usize| format!("notes={}", files[index].display());
    let mut servers: Vec<Victim> = (0..SERVERS).map(|index| victim(&[&notes(index)])).collect();
    let client = client_of(addresses(&servers)).build().unwrap();
    let service = raw(&client);
    let callers = (0..10).map(|caller| {
        let (service, options) = (service.clone(), options.clone());
        tokio::spawn(async move {
            let mut ended = Vec::new();
            for index in (caller..CALLS).step_by(10) {
                let line = index.to_string().into_bytes();
                ended.push((index, service.call_with::<_, Bytes>("Note", &line[..], &options).await.map(drop)));
            }
            ended
        })
    });
    let callers: Vec<_> = callers.collect();
    for index in 0..SERVERS {
        let noted = || std::fs::metadata(&files[index]).unwrap().len();
        let before = noted();
        eventually("the server works", || async { noted() > before + 100 }).await;
        servers[index].kill().unwrap();
        servers[index] = victim(&[&notes(index), &format!("bind={}", servers[index].address())]);
    }
    let mut results: Vec<Option<Result<(), Error>>> = (0..CALLS).map(|_| None).collect();
    for caller in callers {
        for (index, result) in caller.await.unwrap() {
            results[index] = Some(result);
        }
    }
    let mut runs = vec![0; CALLS];
    for file in &files {
        for line in std::fs::read_to_string(file).unwrap().lines() {
            runs[line.parse::<usize>().unwrap()] += 1;
        }
    }
    (results.into_iter().map(|result| result.expect("every call ended")).collect(), runs)
}

#[test]
fn what_may_have_run_runs_again_only_where_it_is_marked() {
    run(async {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("notes");
        let (results, runs) = notes_under_kills(&folder, &CallOptions::new()).await;
        let mut lost = 0;
        for (index, (result, runs)) in results.iter().zip(&runs).enumerate() {
            match result {
                Ok(()) => assert_eq!(*runs, 1, "call {index}"),
                Err(error) if error.delivery() == Delivery::NotSent => assert_eq!(*runs, 0, "call {index}: {error:?}"),
                Err(error) => {
                    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Closed, Delivery::MaybeRun), "{error:?}");
                    assert!(*runs <= 1, "call {index} ran {runs} times: {error:?}");
                    lost += 1;
                }
            }
        }
        assert!(lost > 0, "the kills hit no call");

        let (results, runs) = notes_under_kills(&folder, &idempotent()).await;
        for (index, (result, runs)) in results.iter().zip(&runs).enumerate() {
            assert!(result.is_ok(), "call {index}: {result:?}");
            assert!(*runs >= 1, "call {index}");
        }
        assert!(runs.iter().any(|runs| *runs > 1), "the kills hit no call");
    });
}
