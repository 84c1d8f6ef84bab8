//! The discoveries that need no registry, as clients meet them; and what every discovery has in common.

use crate::board::Board;
use crate::support::{LIMIT, ask, run, seen, until_seen, url, who};
use rpcx::client::CallOptions;
use rpcx::config::DiscoveryOptions;
use rpcx::discovery::{Discovery, FileCache, InProcess, Multiple, Peer2Peer, Schemes};
use rpcx::error::Reason;
use rpcx::{Client, Server};
use std::sync::Arc;

fn client(discovery: Arc<dyn Discovery>) -> Client {
    Client::builder().discovery(discovery).build().unwrap()
}

#[test]
fn a_process_finds_its_own_servers_by_url() {
    run(async {
        let server = Server::builder()
            .bind("memu@local-by-url")
            .function("Who", "Am", |_: rpcx::Context, (): ()| async { Ok("here".to_owned()) })
            .registry_url("inprocess://local")
            .start()
            .await
            .unwrap();
        let client = Client::new("inprocess://local").unwrap();
        assert_eq!(ask(&client).await.unwrap(), "here");
        let watch = InProcess::named("local").discovery();
        let watch = (watch.watch("Who"), watch);
        until_seen(&watch.0, "memu@local-by-url live").await;
        server.shutdown(LIMIT).await.unwrap();
        until_seen(&watch.0, "live").await;
        assert_eq!(ask(&client).await.unwrap_err().reason(), Reason::NoServerEmpty);
        assert_eq!(
            ask(&Client::new("inprocess://elsewhere").unwrap()).await.unwrap_err().reason(),
            Reason::NoServerEmpty
        );
    });
}

#[test]
fn a_client_that_starts_while_its_registry_is_down_calls_the_servers_of_last_time() {
    run(async {
        let (board, folder) = (Board::new(), tempfile::tempdir().unwrap());
        let server = who("known").registry(board.registry()).start().await.unwrap();
        let cache = || {
            let options = DiscoveryOptions::default();
            Arc::new(FileCache::new(folder.path(), board.discovery("60s"), options).unwrap())
        };
        let first = cache();
        assert_eq!(ask(&client(first.clone())).await.unwrap(), "known");
        let file = first.path_of("Who");
        crate::support::eventually("the file is written", || file.exists()).await;
        first.close();
        board.stop();
        let second = cache();
        let late = client(second.clone());
        assert_eq!(ask(&late).await.unwrap(), "known");
        assert_eq!(seen(&second.watch("Who")), format!("{} stale", url(&server)));
        // Back, with everything lost: the memory still counts, until the server announces itself again.
        board.wipe();
        board.start();
        until_seen(&second.watch("Who"), format!("{} live", url(&server))).await;
        assert_eq!(ask(&late).await.unwrap(), "known");
    });
}

/// State and group are the client's business: they hold alike for whatever discovery there is.
#[test]
fn every_discovery_passes_the_filters() {
    run(async {
        let servers = [
            who("plain").start().await.unwrap(),
            who("grouped").start().await.unwrap(),
            who("off").start().await.unwrap(),
        ];
        let [plain, grouped, off] = servers.each_ref().map(url);
        let nodes = [
            format!("{plain}?weight=2"),
            format!("{grouped}?group=a&group=b"),
            format!("{off}?group=a&state=inactive"),
        ];
        let parsed = || nodes.iter().map(|node| node.parse().unwrap()).collect::<Vec<_>>();
        let (board, place) = (Board::new(), InProcess::new());
        let (folder, registry) = (tempfile::tempdir().unwrap(), place.registry());
        for node in &nodes {
            board.put("Who", node);
            let node = node.parse().unwrap();
            let announcement = rpcx::discovery::Announcement { service: "Who".into(), node, load: None };
            rpcx::discovery::Registry::announce(&registry, announcement).await.unwrap();
        }
        let list: Arc<dyn Discovery> = Arc::new(Multiple::new(parsed()));
        let cached = FileCache::new(folder.path(), list.clone(), DiscoveryOptions::default()).unwrap();
        let discoveries: [(&str, Arc<dyn Discovery>); 5] = [
            ("list", list),
            ("url", Schemes::default().open(&format!("multiple://{}", nodes.join(","))).unwrap()),
            ("registry", board.discovery("60s")),
            ("in process", Arc::new(place.discovery())),
            ("cache", Arc::new(cached)),
        ];
        for (name, discovery) in discoveries {
            for (group, expected) in
                [("", vec!["grouped", "plain"]), ("a", vec!["grouped"]), ("b", vec!["grouped"]), ("c", vec![])]
            {
                let client = Client::builder().discovery(discovery.clone()).option("group", group).build().unwrap();
                let mut answers = Vec::new();
                for _ in 0..expected.len() {
                    answers.push(ask(&client).await.unwrap());
                }
                answers.sort();
                assert_eq!(answers, expected, "{name} with group {group:?}");
                if expected.is_empty() {
                    assert_eq!(ask(&client).await.unwrap_err().reason(), Reason::NoServerNoneEligible, "{name}");
                }
            }
            let options = CallOptions::new().target(off.as_str());
            let result = client(discovery).service("Who").unwrap().call_with::<_, String>("Am", &(), &options).await;
            assert_eq!(
                result.unwrap_err().reason(),
                Reason::NoServerNoneEligible,
                "{name}: an inactive one is no target"
            );
        }
        let one = Peer2Peer::new(format!("{off}?state=inactive").parse().unwrap());
        assert_eq!(ask(&client(Arc::new(one))).await.unwrap_err().reason(), Reason::NoServerNoneEligible);
    });
}
