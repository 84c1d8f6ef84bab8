//! Passwords, TLS, several hosts.

use crate::support::{
    Duration, LIMIT, Registry, address, discovery, eventually, run, schemes, seen, server, until_seen,
};
use rpcx::{ErrorKind, Server};
use rpcx_registries::redis::Redis;
use rpcx_registries::{Pem, Port};

#[test]
fn tls_with_certificates_of_both_sides() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let pem = Pem::make(folder.path());
        let redis = Redis::secured(pem.clone());
        let [ca, cert, key] = [&pem.ca, &pem.cert, &pem.key].map(|path| path.display().to_string());
        let all = format!("ca={ca}&cert={cert}&key={key}&server_name=localhost");
        let url = format!("rediss://{}/tls?{all}&ttl=5s", redis.host());
        let server = unannounced(&url).await;
        server.announced(LIMIT).await.unwrap();
        let discovery = discovery(&url);
        let watch = discovery.watch("Arith");
        let live = format!("{} live", address(&server));
        until_seen(&watch, &live).await;
        let by_option = crate::support::discovery(&format!("redis://{}/tls?{all}", redis.host()));
        until_seen(&by_option.watch("Arith"), &live).await;
        server.shutdown(LIMIT).await.unwrap();
        assert!(until_seen(&watch, "live").await < Duration::from_secs(1), "changes are told");
        // Whoever does not know the authority, asks for another name, or has no certificate, is told why.
        for (options, part) in [
            (String::new(), "certificate"),
            (format!("ca={ca}&cert={cert}&key={key}&server_name=other"), "certificate"),
            (format!("ca={ca}&server_name=localhost"), ""),
            (format!("ca={ca}/none"), "none"),
        ] {
            let refused = crate::support::discovery(&format!("rediss://{}/tls?{options}", redis.host()));
            let watch = refused.watch("Arith");
            eventually("a problem", async || watch.problem().is_some()).await;
            let problem = watch.problem().unwrap_or_default();
            println!("{options}: {problem}");
            assert!(problem.contains(part), "{problem}");
        }
    });
}

#[test]
fn a_password_alone_and_a_user_with_just_enough_rights() {
    run(async {
        let redis = Redis::with(&["--requirepass", "p@ss/w:rd"]);
        let by_authority = format!("redis://:p%40ss%2Fw:rd@{}/auth?ttl=5s", redis.host());
        let by_option = format!("redis://{}/auth?password=p@ss/w:rd", redis.host());
        let server = server(&by_authority, &[]).await;
        until_seen(&discovery(&by_option).watch("Arith"), &format!("{} live", address(&server))).await;
        server.shutdown(LIMIT).await.unwrap();
        refused("no password", &format!("redis://{}/auth", redis.host())).await;
        refused("another password", &format!("redis://:secret-guess@{}/auth", redis.host())).await;
        let redis = Redis::start();
        let rights = "+get +set +mget +scan +exists +del +pexpire +eval +ping +psubscribe +punsubscribe +subscribe +unsubscribe +hello +select ~//auth* &*";
        let user: Vec<&str> =
            ["ACL", "SETUSER", "rpcx", "on", ">secret"].into_iter().chain(rights.split_whitespace()).collect();
        redis.ask::<()>(&user).await;
        // What that user may not do itself.
        redis.ask::<()>(&["CONFIG", "SET", "notify-keyspace-events", "Kg$x"]).await;
        let url = format!("redis://rpcx:secret@{}/auth?ttl=2s&poll_interval=500ms", redis.host());
        let server = crate::support::server(&url, &[]).await;
        let discovery = discovery(&url);
        let watch = discovery.watch("Arith");
        until_seen(&watch, &format!("{} live", address(&server))).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(seen(&watch), format!("{} live", address(&server)), "beyond its time");
        server.shutdown(LIMIT).await.unwrap();
        until_seen(&watch, "live").await;
        refused("no right", &format!("redis://rpcx:secret@{}/other", redis.host())).await;
        refused("no such user", &format!("redis://nobody:secret-guess@{}/auth", redis.host())).await;
    });
}

/// A server that may not be let in.
async fn unannounced(url: &str) -> Server {
    Server::builder()
        .schemes(schemes())
        .bind("tcp@127.0.0.1:0")
        .raw("Arith", "Echo", |_: rpcx::Context, payload: bytes::Bytes| async move { Ok(payload) })
        .option("registry_timeout", "200ms")
        .registry_url(url)
        .start()
        .await
        .expect("it serves all the same")
}

/// Clients have a problem, servers are told at once, and neither tells the password.
async fn refused(what: &str, url: &str) {
    let refused = discovery(url);
    let watch = refused.watch("Arith");
    let server = unannounced(url).await;
    let error = server.announced(Duration::from_secs(2)).await.expect_err(what);
    println!("{what}: {error}");
    assert_eq!(error.kind(), ErrorKind::Auth, "{what}: {error}");
    assert!(!error.to_string().contains("secret-guess"), "{error}");
    // To list what is not one's own is no error.
    if what != "no right" {
        eventually("a problem", async || watch.problem().is_some()).await;
        assert!(!watch.problem().unwrap_or_default().contains("secret-guess"));
    }
    server.close();
}

#[test]
fn of_several_hosts_the_primary_is_used_and_the_next_one_after_a_failover() {
    run(async {
        let mut primary = Redis::start();
        let port = primary.daemon().port(0).to_string();
        let replica = Redis::with(&["--replicaof", "127.0.0.1", &port]);
        let none = Port::free();
        eventually("it replicates", async || {
            let info: String = replica.ask(&["INFO", "replication"]).await;
            info.contains("master_link_status:up")
        })
        .await;
        let hosts = format!("127.0.0.1:{},{},{}", none.number(), replica.host(), primary.host());
        let url = format!(
            "redis://{hosts}/many?ttl=5s&max_reconnect_interval=200ms&max_register_interval=200ms&empty_hold=1s"
        );
        let server = server(&url, &[]).await;
        let at = address(&server);
        let discovery = discovery(&url);
        let watch = discovery.watch("Arith");
        until_seen(&watch, &format!("{at} live")).await;
        let roles = async |redis: &Redis| {
            let list: String = redis.ask(&["CLIENT", "LIST"]).await;
            list.lines().filter(|line| line.contains("psub=1")).count()
        };
        assert_eq!((roles(&primary).await, roles(&replica).await), (1, 0));
        primary.daemon_mut().down();
        replica.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await;
        eventually("it is on the other", async || seen(&watch) == format!("{at} live") && roles(&replica).await == 1)
            .await;
        replica.delete("/many", "Arith", &at).await;
        eventually("it is kept there", async || {
            replica.nodes("/many", "Arith").await.is_some_and(|nodes| nodes.iter().any(|(node, _)| *node == at))
        })
        .await;
        server.shutdown(LIMIT).await.unwrap();
        until_seen(&watch, "live").await;
    });
}
