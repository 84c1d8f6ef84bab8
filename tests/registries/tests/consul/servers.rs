//! What our servers write, and when.

use crate::support::{
    Duration, Instant, LIMIT, Registry, address, eventually, run, schemes, server, until_entry, without_means,
};
use bytes::Bytes;
use rpcx::{Context, ErrorKind, Server};
use rpcx_registries::consul::{Consul, FLAGS};

/// Keys, values, and whether a session holds them, as in the vectors.
async fn shape(consul: &Consul, base: &str, address: &str) -> Vec<(String, String, bool)> {
    let entries = consul.entries(base).await;
    assert!(entries.iter().all(|entry| entry.flags == FLAGS), "{entries:?}");
    entries
        .into_iter()
        .map(|entry| (entry.key.replace(address, "ADDRESS"), entry.value, entry.session.is_some()))
        .collect()
}

fn row(key: &str, value: &str, held: bool) -> (String, String, bool) {
    (key.to_owned(), value.to_owned(), held)
}

#[test]
fn keys_and_values_are_those_of_go_and_leave_with_the_server() {
    run(async {
        let consul = Consul::start();
        let url = consul.url("/rpcx_test", "update_interval=300ms&ttl=25s");
        let server = server(&url, &[("metadata", "weight=7&group=g1")]).await;
        let at = address(&server);
        let mut expected = vec![
            row("rpcx_test", "rpcx_path", false),
            row("rpcx_test/Arith", "Arith", false),
            row("rpcx_test/Arith/ADDRESS", "weight=7&group=g1", true),
            row("rpcx_test/Arith2", "Arith2", false),
            row("rpcx_test/Arith2/ADDRESS", "weight=7&group=g1", true),
        ];
        let now: Vec<_> = shape(&consul, "rpcx_test", &at).await;
        let now: Vec<_> = now.into_iter().map(|(key, value, held)| (key, plain(&value), held)).collect();
        assert_eq!(now, expected, "when start has returned");
        let node = format!("rpcx_test/Arith/{at}");
        let session = until_entry(&consul, &node, |_| true).await.session;
        let ticked = until_entry(&consul, &node, |entry| entry.value.contains("calls")).await;
        assert_eq!(without_means(&ticked.value), "calls=*&connections=*&group=g1&weight=7");
        assert_eq!(ticked.session, session, "a refresh keeps the session");
        let sessions = consul.sessions().await;
        assert_eq!(sessions.len(), 2, "one for each node, as Go has them: {sessions:?}");
        for session in sessions {
            let text = |field: &str| session[field].as_str().unwrap_or_default().to_owned();
            assert_eq!((text("Behavior").as_str(), text("TTL").as_str()), ("delete", "12500ms"));
            assert_eq!(session["LockDelay"], 1_000_000, "in nanoseconds");
            assert_eq!(session["NodeChecks"].as_array().map(Vec::len), Some(0), "the agent's health does not end it");
            assert!(text("Name").starts_with("rpcx Arith") && text("Name").ends_with(&at), "{session}");
        }
        server.shutdown(LIMIT).await.unwrap();
        expected.retain(|(_, _, held)| !held);
        assert_eq!(shape(&consul, "rpcx_test", &at).await, expected, "the keys that stay show rpcx-ui the services");
        assert!(consul.sessions().await.is_empty(), "the sessions are ended");
    });
}

/// As it was given, whether or not an update has come meanwhile.
fn plain(value: &str) -> String {
    match value.contains("calls=") {
        true => "weight=7&group=g1".to_owned(),
        false => value.to_owned(),
    }
}

#[test]
fn keys_that_stay_and_ended_sessions_are_there_again_at_once() {
    run(async {
        let mut consul = Consul::start();
        let server = server(&consul.url("/gone", "update_interval=1h"), &[("metadata", "weight=7")]).await;
        let node = format!("gone/Arith/{}", address(&server));
        for key in [node.as_str(), "gone", "gone/Arith"] {
            let before = until_entry(&consul, key, |_| true).await;
            consul.remove(key).await;
            let again = until_entry(&consul, key, |entry| entry.index > before.index).await;
            assert_eq!((again.value, again.session), (before.value, before.session));
        }
        let session = until_entry(&consul, &node, |_| true).await.session.unwrap();
        consul.destroy(&session).await;
        let again = until_entry(&consul, &node, |entry| entry.session.is_some()).await;
        assert_eq!(again.value, "weight=7");
        assert_ne!(again.session, Some(session));
        // Held by nobody: taken back, as it is.
        let session = again.session.unwrap();
        consul.json("PUT", &format!("/v1/kv/{node}?release={session}&flags=1"), "weight=8").await;
        let again = until_entry(&consul, &node, |entry| entry.session.is_some()).await;
        assert_eq!(without_means(&again.value), "calls=*&connections=*&weight=8");
        assert_eq!((again.flags, again.session), (FLAGS, Some(session)));
        // Over another connection, on which nothing had to be written.
        consul.daemon_mut().down();
        consul.daemon_mut().up();
        until_entry(&consul, &node, |_| true).await;
        consul.remove("gone/Arith").await;
        until_entry(&consul, "gone/Arith", |entry| entry.value == "Arith").await;
        server.shutdown(LIMIT).await.unwrap();
        assert!(consul.entries(&node).await.is_empty());
    });
}

#[test]
fn a_key_that_consul_locks_for_a_while_is_taken_afterwards() {
    run(async {
        let consul = Consul::start();
        // As a tool leaves it whose session has ended: for so long nobody may hold the key.
        let session = r#"{"Behavior": "delete", "LockDelay": "3s", "TTL": "60s"}"#;
        let session = consul.json("PUT", "/v1/session/create", session).await["ID"].as_str().unwrap().to_owned();
        let node = "delay/Arith/tcp@127.0.0.1:1";
        assert_eq!(consul.json("PUT", &format!("/v1/kv/{node}?acquire={session}"), "").await, true);
        consul.destroy(&session).await;
        let began = Instant::now();
        let url = consul.url("/delay", "ttl=4s");
        let server = server(&url, &[("metadata", "weight=7"), ("advertise", "tcp@127.0.0.1:1")]).await;
        println!("a key that was locked for 3 s was taken after {:.1?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        until_entry(&consul, node, |entry| entry.session.is_some() && entry.value.contains("weight=7")).await;
        server.shutdown(LIMIT).await.unwrap();
        assert!(consul.entries("delay/Arith/").await.is_empty());
    });
}

#[test]
fn a_server_of_many_services_keeps_them_all() {
    run(async {
        let consul = Consul::start();
        let mut builder = Server::builder()
            .schemes(schemes())
            .bind("tcp@127.0.0.1:0")
            .registry_url(&consul.url("/many", "update_interval=1h&ttl=5s"));
        for service in 0..150 {
            let name = format!("S{service:03}");
            builder = builder.raw(&name, "Echo", |_: Context, payload: Bytes| async move { Ok(payload) });
        }
        let server = builder.start().await.expect("a server");
        server.announced(LIMIT).await.expect("announced");
        let nodes = async || {
            let entries = consul.try_entries("many/").await.unwrap_or_default();
            entries.iter().filter(|entry| entry.session.is_some()).count()
        };
        assert_eq!(nodes().await, 150);
        for service in [0, 63, 64, 149] {
            consul.remove(&format!("many/S{service:03}/{}", address(&server))).await;
            consul.remove(&format!("many/S{service:03}")).await;
        }
        eventually("all are back", async || nodes().await == 150 && consul.entries("many/").await.len() == 300).await;
        // Longer than a session lives that nobody renews.
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(nodes().await, 150);
        server.shutdown(LIMIT).await.unwrap();
        assert_eq!(nodes().await, 0);
        assert!(consul.sessions().await.is_empty());
    });
}

#[test]
fn a_ttl_that_consul_does_not_take_is_told_at_once() {
    run(async {
        let consul = Consul::strict();
        server(&consul.url("/ttl", "ttl=20s"), &[]).await.shutdown(LIMIT).await.unwrap();
        let started = Server::builder()
            .schemes(schemes())
            .bind("tcp@127.0.0.1:0")
            .raw("Arith", "Echo", |_: Context, payload: Bytes| async move { Ok(payload) })
            .registry_url(&consul.url("/ttl", "ttl=19s"))
            .start();
        let error = started.await.expect_err("too short");
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("must be between [10s="), "{error}");
    });
}
