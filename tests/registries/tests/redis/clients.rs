//! What our clients see, and when.

use crate::support::{
    Duration, Instant, LIMIT, Registry, addresses, discovery, eventually, run, seen, server, until_seen,
};
use rpcx::discovery::{Discovery, SourceDiscovery};
use rpcx_registries::redis::{Redis, wrapped};

fn open(redis: &Redis, base: &str, options: &str) -> SourceDiscovery<librpcx_redis::Redis> {
    let rest = format!("{}?base_path={base}&{options}", redis.host());
    librpcx_redis::discovery(librpcx_redis::RedisOptions::parse(&rest).expect("options")).expect("a discovery")
}

#[test]
fn the_leading_slash_counts_and_patterns_are_text() {
    run(async {
        let redis = Redis::start();
        redis.put("slash", "Arith", "tcp@127.0.0.1:1", "").await;
        redis.put("/slash", "Arith", "tcp@127.0.0.1:2", "").await;
        let path = discovery(&format!("redis://{}/slash", redis.host()));
        until_seen(&path.watch("Arith"), "tcp@127.0.0.1:2 live").await;
        until_seen(&discovery(&redis.url("slash", "")).watch("Arith"), "tcp@127.0.0.1:1 live").await;
        // What Go's clients would take for a pattern.
        for (base, other) in [("/s*h", "/slash"), ("/[s]x", "/sx"), ("/a?b", "/acb"), ("/a\\b", "/ab")] {
            redis.put(other, "Arith", "tcp@127.0.0.1:3", "").await;
            redis.put(base, "Arith", "tcp@127.0.0.1:4", "").await;
            let escaped = base.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
            let discovery = discovery(&redis.url(&escaped, ""));
            let watch = discovery.watch("Arith");
            until_seen(&watch, "tcp@127.0.0.1:4 live").await;
            redis.put(base, "Arith", "tcp@127.0.0.1:5", "").await;
            let took = until_seen(&watch, "tcp@127.0.0.1:4 tcp@127.0.0.1:5 live").await;
            assert!(took < Duration::from_secs(1), "it is told: {took:?}");
        }
    });
}

#[test]
fn what_is_no_node_is_passed_over_and_the_value_says_where_it_is() {
    run(async {
        let redis = Redis::start();
        let key = "//odd/Arith/tcp@127.0.0.1:1";
        redis.put("/odd", "Arith", "tcp@127.0.0.1:1", "").await;
        redis.put("/odd", "Arith", "unix@/run/a.sock", "k=1").await;
        for (key, raw) in
            [("//odd/Arith/tcp@127.0.0.1:2", "weight=7"), ("//odd/Arith/", "{}"), ("//odd/Arith", "no json")]
        {
            redis.ask::<()>(&["SET", key, raw]).await;
        }
        redis.ask::<()>(&["HSET", "//odd/Arith/tcp@127.0.0.1:3", "Key", "x"]).await;
        redis.ask::<()>(&["SET", "//odd/Arith/4", &wrapped("/odd/Arith/tcp@127.0.0.1:4", "")]).await;
        let discovery = discovery(&redis.url("/odd", ""));
        let watch = discovery.watch("Arith");
        until_seen(&watch, "tcp@127.0.0.1:1 tcp@127.0.0.1:4 unix@/run/a.sock?k=1 live").await;
        redis.ask::<()>(&["SET", "//odd/Arith/4", &wrapped("/odd/Arith/tcp@127.0.0.1:5", "")]).await;
        until_seen(&watch, "tcp@127.0.0.1:1 tcp@127.0.0.1:5 unix@/run/a.sock?k=1 live").await;
        redis.ask::<()>(&["DEL", "//odd/Arith/4"]).await;
        until_seen(&watch, "tcp@127.0.0.1:1 unix@/run/a.sock?k=1 live").await;
        redis.ask::<()>(&["RENAME", key, "//odd/Arith/tcp@127.0.0.1:6"]).await;
        redis.ask::<()>(&["SET", key, "no json"]).await;
        redis.ask::<()>(&["DEL", "//odd/Arith/unix@/run/a.sock"]).await;
        eventually("one is left", async || addresses(&watch) == ["tcp@127.0.0.1:1"]).await;
    });
}

#[test]
fn each_database_is_a_place_of_its_own() {
    run(async {
        let redis = Redis::start();
        let server = server(&redis.url("/db", "db=3&update_interval=1h"), &[]).await;
        let at = server.addresses()[0].to_string();
        let (third, first) = (open(&redis, "/db", "db=3"), open(&redis, "/db", ""));
        let (here, there) = (third.watch("Arith"), first.watch("Arith"));
        until_seen(&here, &format!("{at} live")).await;
        until_seen(&there, "live").await;
        assert!(redis.entries("//db").await.is_empty(), "nothing in the first");
        server.shutdown(LIMIT).await.unwrap();
        assert!(until_seen(&here, "live").await < Duration::from_secs(1), "it is told");
        let none = open(&redis, "/db", "db=999");
        let watch = none.watch("Arith");
        eventually("a problem", async || watch.problem().is_some()).await;
        assert!(watch.problem().is_some_and(|problem| problem.contains("DB index")), "{:?}", watch.problem());
    });
}

/// A change is seen by listing, and a server's node comes back, where nothing is told.
async fn polls(redis: &Redis, options: &str) {
    let url = redis.url("/poll", &format!("poll_interval=200ms&update_interval=1h&{options}"));
    let first = server(&url, &[("metadata", "weight=7")]).await;
    let at = first.addresses()[0].to_string();
    let discovery = open(redis, "/poll", &format!("poll_interval=200ms&{options}"));
    let watch = discovery.watch("Arith");
    until_seen(&watch, &format!("{at}?weight=7 live")).await;
    eventually("it polls", async || discovery.source().is_polling()).await;
    first.set_metadata("Arith", "weight=8");
    let took = until_seen(&watch, &format!("{at}?weight=8 live")).await;
    println!("{options}: a change was seen after {took:.1?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    redis.delete("/poll", "Arith", &at).await;
    eventually("it is back", async || redis.nodes("/poll", "Arith").await.is_some_and(|nodes| nodes.len() == 1)).await;
    first.shutdown(LIMIT).await.unwrap();
    until_seen(&watch, "live").await;
}

#[test]
fn where_changes_are_not_told_services_are_listed_again_and_again() {
    run(async {
        // It may not be configured; it knows no protocol in which it could tell; nobody wants it configured.
        polls(&Redis::with(&["--rename-command", "CONFIG", ""]), "").await;
        polls(&Redis::with(&["--rename-command", "HELLO", ""]), "").await;
        polls(&Redis::start(), "set_events=false").await;
        let redis = Redis::start();
        redis.ask::<()>(&["ACL", "SETUSER", "deaf", "on", ">deaf", "~*", "+@all", "resetchannels"]).await;
        polls(&redis, "user=deaf&password=deaf").await;
    });
}

#[test]
fn a_provider_who_tells_without_being_asked_is_believed_when_he_does() {
    run(async {
        let redis = Redis::with(&["--notify-keyspace-events", "KEA", "--rename-command", "CONFIG", ""]);
        redis.put("/told", "Arith", "tcp@127.0.0.1:1", "").await;
        let discovery = open(&redis, "/told", "poll_interval=1h");
        let watch = discovery.watch("Arith");
        until_seen(&watch, "tcp@127.0.0.1:1 live").await;
        eventually("nothing was told so far", async || discovery.source().is_polling()).await;
        redis.put("/told", "Arith", "tcp@127.0.0.1:2", "").await;
        until_seen(&watch, "tcp@127.0.0.1:1 tcp@127.0.0.1:2 live").await;
        eventually("it is believed", async || !discovery.source().is_polling()).await;
    });
}

#[test]
fn events_are_added_to_those_of_others_and_switched_on_again() {
    run(async {
        let redis = Redis::with(&["--notify-keyspace-events", "Ex"]);
        let flags = async || redis.ask::<Vec<String>>(&["CONFIG", "GET", "notify-keyspace-events"]).await.remove(1);
        redis.put("/flags", "Arith", "tcp@127.0.0.1:1", "").await;
        let discovery = open(&redis, "/flags", "poll_interval=200ms");
        let watch = discovery.watch("Arith");
        until_seen(&watch, "tcp@127.0.0.1:1 live").await;
        let now = flags().await;
        assert!("KExg$".chars().all(|flag| now.contains(flag)), "{now}");
        assert!(!discovery.source().is_polling());
        redis.ask::<()>(&["CONFIG", "SET", "notify-keyspace-events", ""]).await;
        redis.put("/flags", "Arith", "tcp@127.0.0.1:2", "").await;
        // With the next list, which is not soon while changes are told.
        let took = until_seen(&watch, "tcp@127.0.0.1:1 tcp@127.0.0.1:2 live").await;
        println!("events were missed for {took:.1?}");
        eventually("they are on", async || flags().await.contains('K')).await;
        redis.put("/flags", "Arith", "tcp@127.0.0.1:3", "").await;
        let told = until_seen(&watch, "tcp@127.0.0.1:1 tcp@127.0.0.1:2 tcp@127.0.0.1:3 live").await;
        assert!(told < Duration::from_secs(1), "{told:?}");
    });
}

#[test]
fn a_database_that_was_emptied_under_a_client_empties_nobody() {
    run(async {
        let redis = Redis::with(&["--rename-command", "CONFIG", ""]);
        redis.write("/flush", "rpcx_path").await;
        redis.write("/flush/Arith", "Arith").await;
        redis.put("/flush", "Arith", "tcp@127.0.0.1:1", "").await;
        let discovery = open(&redis, "/flush", "poll_interval=100ms&empty_hold=2s");
        let watch = discovery.watch("Arith");
        until_seen(&watch, "tcp@127.0.0.1:1 live").await;
        redis.ask::<()>(&["FLUSHALL"]).await;
        let began = Instant::now();
        until_seen(&watch, "tcp@127.0.0.1:1 stale").await;
        until_seen(&watch, "live").await;
        assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
        // With the service's key it is no doubt that the last server has left.
        redis.write("/flush/Arith", "Arith").await;
        redis.put("/flush", "Arith", "tcp@127.0.0.1:2", "").await;
        until_seen(&watch, "tcp@127.0.0.1:2 live").await;
        redis.delete("/flush", "Arith", "tcp@127.0.0.1:2").await;
        let mut follower = watch.clone();
        while seen(&follower) != "live" {
            assert_eq!(seen(&follower), "tcp@127.0.0.1:2 live");
            follower.changed().await.unwrap();
        }
    });
}

#[test]
fn a_connection_is_shared_and_ends_with_the_last_watch() {
    run(async {
        let redis = Redis::start();
        let clients = async || {
            let list: String = redis.ask(&["CLIENT", "LIST"]).await;
            list.lines()
                .filter(|line| {
                    line.contains("lib-name=librpcx") || line.contains(" psub=1") || line.contains(" psub=2")
                })
                .count()
        };
        let patterns = async || redis.ask::<usize>(&["PUBSUB", "NUMPAT"]).await;
        let discovery = open(&redis, "/share", "");
        let (arith, second) = (discovery.watch("Arith"), discovery.watch("Arith2"));
        until_seen(&arith, "live").await;
        until_seen(&second, "live").await;
        assert_eq!((clients().await, patterns().await), (1, 2));
        drop(second);
        eventually("one subscription is left", async || patterns().await == 1).await;
        let again = discovery.watch("Arith2");
        until_seen(&again, "live").await;
        redis.put("/share", "Arith2", "tcp@127.0.0.1:1", "").await;
        until_seen(&again, "tcp@127.0.0.1:1 live").await;
        assert_eq!((clients().await, patterns().await), (1, 2));
        drop((arith, again));
        eventually("the connection ends", async || clients().await == 0).await;
        let last = discovery.watch("Arith2");
        until_seen(&last, "tcp@127.0.0.1:1 live").await;
        discovery.close();
        eventually("the connection ends", async || clients().await == 0).await;
    });
}
