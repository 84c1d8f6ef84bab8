//! What our servers write, and when.

use crate::support::{Duration, Instant, LIMIT, Registry, address, run, server, until_entry, without_means};
use rpcx_registries::redis::Redis;

/// Keys, the keys in them, values, and whether they live for a while, as in the vectors.
async fn shape(redis: &Redis, base: &str, address: &str) -> Vec<(String, String, String, bool)> {
    let entries = redis.entries(&format!("/{base}")).await;
    let named = |text: &str| text.replace(address, "ADDRESS");
    entries
        .iter()
        .map(|entry| (named(&entry.key), named(&entry.inner), entry.text.clone(), entry.ttl.is_some()))
        .collect()
}

#[test]
fn keys_and_values_are_those_of_go_and_leave_with_the_server() {
    run(async {
        let redis = Redis::start();
        println!("{}", Redis::version());
        for base in ["/rpcx_test", "rpcx_test"] {
            let url = redis.url(base, "update_interval=2s");
            let server = server(&url, &[("metadata", "weight=7&group=g1")]).await;
            let at = address(&server);
            let row = |rest: &str, value: &str, mortal| {
                (format!("/{base}{rest}"), format!("{base}{rest}"), value.to_owned(), mortal)
            };
            let mut expected = vec![
                row("", "rpcx_path", false),
                row("/Arith", "Arith", false),
                row("/Arith/ADDRESS", "weight=7&group=g1", true),
                row("/Arith2", "Arith2", false),
                row("/Arith2/ADDRESS", "weight=7&group=g1", true),
            ];
            assert_eq!(shape(&redis, base, &at).await, expected, "when start has returned");
            let node = format!("/{base}/Arith/{at}");
            let first = until_entry(&redis, &node, |_| true).await;
            let inner = &first.inner;
            let go =
                format!("{{\"Key\":\"{inner}\",\"Value\":\"d2VpZ2h0PTcmZ3JvdXA9ZzE=\",\"LastIndex\":{}}}", first.index);
            assert_eq!(first.raw, go, "byte for byte");
            assert!(first.ttl.is_some_and(|ttl| ttl <= Duration::from_secs(4)), "twice the interval: {:?}", first.ttl);
            let ticked = until_entry(&redis, &node, |entry| entry.text.contains("calls")).await;
            assert_eq!(without_means(&ticked.text), "calls=*&connections=*&group=g1&weight=7");
            assert_eq!(ticked.index, first.index);
            server.shutdown(LIMIT).await.unwrap();
            expected.retain(|(.., mortal)| !mortal);
            assert_eq!(
                shape(&redis, base, &at).await,
                expected,
                "Go's clients see an empty list by the keys that stay"
            );
            redis.ask::<()>(&["FLUSHALL"]).await;
        }
    });
}

#[test]
fn a_node_lives_on_without_updates_and_whatever_tools_do_to_its_time() {
    run(async {
        let redis = Redis::start();
        for interval in ["0", "1h"] {
            let url = redis.url("/live", &format!("update_interval={interval}&ttl=2s"));
            let server = server(&url, &[("metadata", "weight=7")]).await;
            let node = format!("//live/Arith/{}", address(&server));
            let until = std::time::Instant::now() + Duration::from_secs(5);
            while std::time::Instant::now() < until {
                let entry = until_entry(&redis, &node, |_| true).await;
                assert!(entry.ttl.is_some_and(|ttl| ttl <= Duration::from_secs(2)), "{:?}", entry.ttl);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            // Written by hand with all that was there but its time.
            let raw = until_entry(&redis, &node, |_| true).await.raw;
            redis.ask::<()>(&["SET", &node, &raw]).await;
            until_entry(&redis, &node, |entry| entry.ttl.is_some()).await;
            redis.ask::<()>(&["PERSIST", &node]).await;
            until_entry(&redis, &node, |entry| entry.ttl.is_some()).await;
            server.shutdown(LIMIT).await.unwrap();
            assert!(redis.entries(&node).await.is_empty());
        }
    });
}

#[test]
fn keys_that_stay_are_there_again_and_everything_after_a_flush_that_tells_nobody() {
    run(async {
        let redis = Redis::start();
        let server = server(&redis.url("/gone", "update_interval=1h"), &[("metadata", "weight=7")]).await;
        let node = format!("//gone/Arith/{}", address(&server));
        for key in ["//gone", "//gone/Arith"] {
            let before = until_entry(&redis, key, |_| true).await;
            redis.ask::<()>(&["DEL", key]).await;
            assert_eq!(until_entry(&redis, key, |_| true).await.text, before.text);
        }
        redis.ask::<()>(&["FLUSHALL"]).await;
        let began = std::time::Instant::now();
        for (key, text) in [(node.as_str(), "weight=7"), ("//gone", "rpcx_path"), ("//gone/Arith", "Arith")] {
            assert_eq!(until_entry(&redis, key, |_| true).await.text, text);
        }
        println!("after a flush, all was back after {:.1?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        server.shutdown(LIMIT).await.unwrap();
    });
}

#[test]
fn what_nobody_could_read_gives_way_to_what_was_announced() {
    run(async {
        let redis = Redis::start();
        let server = server(&redis.url("/bad", "update_interval=1h"), &[("metadata", "weight=7")]).await;
        let node = format!("//bad/Arith/{}", address(&server));
        for raw in ["weight=9", "{\"Key\":1}", ""] {
            redis.ask::<()>(&["SET", &node, raw]).await;
            let entry = until_entry(&redis, &node, |entry| entry.text == "weight=7").await;
            assert!(entry.ttl.is_some());
        }
        server.shutdown(LIMIT).await.unwrap();
        assert!(redis.entries(&node).await.is_empty());
    });
}

#[test]
fn each_node_says_whose_it_is_and_a_successors_is_left_alone() {
    run(async {
        let redis = Redis::start();
        let url = redis.url("/own", "update_interval=200ms&ttl=3s");
        let old = server(&url, &[("metadata", "version=1")]).await;
        let at = address(&old);
        let node = format!("//own/Arith/{at}");
        let first = until_entry(&redis, &node, |_| true).await;
        assert!(
            (1_000_000_000..1 << 53).contains(&first.index),
            "no number of Go's, exact as a float: {}",
            first.index
        );
        let new = server(&url, &[("metadata", "version=2"), ("advertise", &at)]).await;
        let second = until_entry(&redis, &node, |entry| entry.index != first.index).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        old.shutdown(LIMIT).await.unwrap();
        assert_eq!(until_entry(&redis, &node, |_| true).await.index, second.index);
        // What a tool writes is nobody's, and taken back.
        redis.put("/own", "Arith", &at, "version=3").await;
        let back = until_entry(&redis, &node, |entry| entry.index == second.index).await;
        assert!(back.text.ends_with("version=3") && back.ttl.is_some(), "{back:?}");
        new.shutdown(LIMIT).await.unwrap();
        assert!(redis.entries(&node).await.is_empty());
    });
}

#[test]
fn the_tests_own_requests_wait_for_a_redis_that_is_slow() {
    run(async {
        let redis = Redis::start();
        let began = Instant::now();
        let pause = async {
            redis.daemon().signal("STOP");
            tokio::time::sleep(Duration::from_millis(1500)).await;
            redis.daemon().signal("CONT");
        };
        let ((), answer) = tokio::join!(pause, redis.ask::<String>(&["PING"]));
        assert!(answer == "PONG" && began.elapsed() >= Duration::from_millis(1500), "{answer}");
    });
}
