use super::*;
use rpcx::discovery::{Discovery, SourceDiscovery, Watch};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An agent that answers the n-th list as it is told.
struct Agent {
    host: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Index and body of each list, the last one for all further ones. Without one, nobody answers.
    lists: Vec<(u64, &'static str)>,
    asked: std::sync::Mutex<Vec<String>>,
    open: AtomicUsize,
    denies: AtomicBool,
    /// It takes requests, and answers none.
    still: AtomicBool,
}

impl Agent {
    async fn start(lists: Vec<(u64, &'static str)>) -> Agent {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let host = listener.local_addr().expect("address").to_string();
        let shared = Arc::new(Shared { lists, ..Shared::default() });
        let all = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = all.clone();
                tokio::spawn(async move {
                    shared.open.fetch_add(1, Ordering::SeqCst);
                    shared.serve(stream).await;
                    shared.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Agent { host, shared }
    }

    fn discovery(&self) -> SourceDiscovery<Consul> {
        let url = format!("{}/rpcx?reconnect_interval=10ms&max_reconnect_interval=20ms", self.host);
        crate::discovery(ConsulOptions::parse(&url).expect("options")).expect("a discovery")
    }

    /// The lists that were asked for, by what follows the `?`.
    fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().expect("no panic").clone()
    }
}

impl Shared {
    async fn serve(&self, mut stream: TcpStream) {
        let mut request = Vec::new();
        while stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&request).into_owned();
            if !text.contains("\r\n\r\n") {
                continue;
            }
            request.clear();
            let answer = |status: &str, index: u64, body: &str| {
                let length = body.len();
                format!("HTTP/1.1 {status}\r\nX-Consul-Index: {index}\r\nContent-Length: {length}\r\n\r\n{body}")
            };
            let target = text.split(' ').nth(1).unwrap_or_default();
            let (path, query) = target.split_once('?').expect("options");
            let answer = if self.still.load(Ordering::SeqCst) {
                continue;
            } else if path == "/v1/status/leader" {
                answer("200 OK", 1, "\"127.0.0.1:8300\"")
            } else if query.starts_with("recurse") {
                assert_eq!(path, "/v1/kv/rpcx/Arith/");
                let number = {
                    let mut asked = self.asked.lock().expect("no panic");
                    asked.push(query.to_owned());
                    asked.len() - 1
                };
                let Some((index, body)) = self.lists.get(number).or(self.lists.last()) else { continue };
                answer(if body.is_empty() { "404 Not Found" } else { "200 OK" }, *index, body)
            } else if self.denies.load(Ordering::SeqCst) {
                answer("403 Forbidden", 1, "Permission denied")
            } else {
                answer("404 Not Found", 1, "")
            };
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

const A: &str = r#"[{"Key":"rpcx/Arith/tcp@a:1","Value":null,"ModifyIndex":1}]"#;
const B: &str = r#"[{"Key":"rpcx/Arith/tcp@b:1","Value":null,"ModifyIndex":1}]"#;

fn seen(watch: &Watch) -> String {
    let latest = watch.latest();
    let nodes: String = latest.nodes().iter().map(|node| format!("{node} ")).collect();
    format!("{nodes}{}", if latest.state() == rpcx::discovery::SnapshotState::Live { "live" } else { "not live" })
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let so = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), so).await.unwrap_or_else(|_| panic!("{what}: not so"));
}

#[tokio::test]
async fn an_index_that_goes_backwards_is_followed_from_there() {
    let agent = Agent::start(vec![(100, A), (3, B), (4, A), (4, A)]).await;
    let watch = agent.discovery();
    let watch = (watch.watch("Arith"), watch);
    until("four lists", || agent.asked().len() >= 4).await;
    let index = |query: &String| query.split('&').find(|part| part.starts_with("index")).map(str::to_owned);
    let asked: Vec<_> = agent.asked().iter().take(4).map(index).collect();
    let expected = [None, Some("index=100".to_owned()), Some("index=3".to_owned()), Some("index=4".to_owned())];
    assert_eq!(asked, expected);
    assert_eq!(seen(&watch.0), "tcp@a:1 live");
}

#[tokio::test]
async fn an_agent_that_does_not_wait_is_not_asked_without_end() {
    for index in [0, 7] {
        let agent = Agent::start(vec![(index, A)]).await;
        let discovery = agent.discovery();
        let watch = discovery.watch("Arith");
        until("a list", || seen(&watch) == "tcp@a:1 live").await;
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let asked = agent.asked();
        assert!((2..=5).contains(&asked.len()), "{asked:?}");
        assert!(asked[1..].iter().all(|query| query.contains(&format!("index={}", index.max(1)))), "{asked:?}");
    }
}

#[tokio::test]
async fn an_empty_list_is_believed_only_of_what_may_be_read() {
    let agent = Agent::start(vec![(1, A), (2, "")]).await;
    agent.shared.denies.store(true, Ordering::SeqCst);
    let discovery = agent.discovery();
    let watch = discovery.watch("Arith");
    until("a refusal", || watch.problem().is_some_and(|text| text.contains("Permission denied"))).await;
    assert_eq!(seen(&watch), "tcp@a:1 not live");
    let allowed = Agent::start(vec![(1, A), (2, "")]).await;
    let discovery = allowed.discovery();
    let watch = discovery.watch("Arith");
    until("nothing", || seen(&watch) == "live").await;
}

#[tokio::test]
async fn an_agent_that_stands_still_is_noticed_and_nothing_stays_open_after_the_end() {
    let agent = Agent::start(vec![(1, A), (2, B), (2, B)]).await;
    let discovery = agent.discovery();
    let watch = discovery.watch("Arith");
    until("a list", || seen(&watch) == "tcp@b:1 live").await;
    agent.shared.still.store(true, Ordering::SeqCst);
    let began = Instant::now();
    until("stale", || seen(&watch) == "tcp@b:1 not live").await;
    // Once in two seconds, for two seconds; whatever else this machine does.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    agent.shared.still.store(false, Ordering::SeqCst);
    until("live again", || seen(&watch) == "tcp@b:1 live").await;
    discovery.close();
    until("every connection is closed", || agent.shared.open.load(Ordering::SeqCst) == 0).await;
}
