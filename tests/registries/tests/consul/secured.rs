//! Tokens, TLS, several endpoints.

use crate::support::{LIMIT, Registry, address, discovery, eventually, run, schemes, server, until_seen};
use bytes::Bytes;
use rpcx::{Context, ErrorKind, Server};
use rpcx_registries::consul::{Consul, ROOT};
use rpcx_registries::suite::support::seen;
use rpcx_registries::{Pem, Port};
use serde_json::json;
use std::time::Duration;

#[test]
fn tls_with_certificates_of_both_sides_and_several_endpoints() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let pem = Pem::make(folder.path());
        let consul = Consul::secured(&pem);
        // Two agents that are not there, around the one that is.
        let (before, after) = (Port::free(), Port::free());
        let hosts = format!("127.0.0.1:{},{},127.0.0.1:{}", before.number(), consul.host(), after.number());
        let [ca, cert, key] = [&pem.ca, &pem.cert, &pem.key].map(|path| path.display().to_string());
        let url = format!("consul://{hosts}/tls?ca={ca}&cert={cert}&key={key}&ttl=5s");
        let server = server(&url, &[]).await;
        let discovery = discovery(&url);
        until_seen(&discovery.watch("Arith"), &format!("{} live", address(&server))).await;
        server.shutdown(LIMIT).await.unwrap();
        // Whoever does not know the authority, or has no certificate, is told why.
        for (options, part) in [(format!("ca={ca}"), "certificate"), ("tls=true".to_owned(), "certificate")] {
            let refused = crate::support::discovery(&format!("consul://{}/tls?{options}", consul.host()));
            let watch = refused.watch("Arith");
            eventually("a problem", async || watch.problem().is_some()).await;
            let problem = watch.problem().unwrap_or_default();
            println!("{options}: {problem}");
            assert!(problem.to_lowercase().contains(part), "{problem}");
            assert_eq!(seen(&watch), "unknown");
        }
    });
}

/// A token for what these rules allow.
async fn token(consul: &Consul, name: &str, rules: &str) -> String {
    let policy = json!({"Name": name, "Rules": rules}).to_string();
    consul.json("PUT", "/v1/acl/policy", &policy).await;
    let token = json!({"Policies": [{"Name": name}]}).to_string();
    consul.json("PUT", "/v1/acl/token", &token).await["SecretID"].as_str().expect("a token").to_owned()
}

/// Has a policy allow something else.
async fn narrow(consul: &Consul, name: &str, rules: &str) {
    let policies = consul.json("GET", "/v1/acl/policies", "").await;
    let policy = policies.as_array().expect("a list").iter().find(|policy| policy["Name"] == name).expect(name);
    let id = policy["ID"].as_str().expect("its number");
    let rules = json!({"Name": name, "Rules": rules}).to_string();
    consul.json("PUT", &format!("/v1/acl/policy/{id}"), &rules).await;
}

/// As the guide has them.
const SERVER: &str = r#"key_prefix "auth" { policy = "write" } session_prefix "" { policy = "write" }"#;
const CLIENT: &str = r#"key_prefix "auth/" { policy = "read" }"#;

#[test]
fn tokens_for_servers_and_for_clients() {
    run(async {
        let consul = Consul::with_tokens();
        let (for_servers, for_clients) =
            (token(&consul, "servers", SERVER).await, token(&consul, "clients", CLIENT).await);
        let server = server(&consul.url("/auth", &format!("token={for_servers}&ttl=5s")), &[]).await;
        let expected = format!("{} live", address(&server));
        let client = discovery(&consul.url("/auth", &format!("token={for_clients}&reconnect_interval=50ms")));
        let watch = client.watch("Arith");
        until_seen(&watch, &expected).await;
        // What an operator removes comes back: the token allows to look, too.
        consul.remove(&format!("auth/Arith/{}", address(&server))).await;
        until_seen(&watch, "live").await;
        until_seen(&watch, &expected).await;
        // What the token may not read any more, Consul leaves out of the list: that empties nobody.
        narrow(&consul, "clients", r#"key_prefix "other/" { policy = "read" }"#).await;
        server.set_metadata("Arith", "weight=2");
        server.announced(LIMIT).await.unwrap();
        eventually("stale", async || seen(&watch).ends_with("stale")).await;
        assert!(watch.problem().is_some_and(|text| text.contains("Permission denied")), "{:?}", watch.problem());
        server.shutdown(LIMIT).await.unwrap();
    });
}

#[test]
fn whoever_may_not_is_told_at_once() {
    run(async {
        let consul = Consul::with_tokens();
        let reader = token(&consul, "clients", CLIENT).await;
        let servers = token(&consul, "servers", SERVER).await;
        for (what, base, token) in [
            ("nobody", "/auth", String::new()),
            ("an unknown token", "/auth", "token=66666666-0000-0000-0000-000000000000".to_owned()),
            ("a reader", "/auth", format!("token={reader}")),
            ("another place", "/other", format!("token={servers}")),
        ] {
            if what != "a reader" {
                let refused = discovery(&consul.url(base, &token));
                let watch = refused.watch("Arith");
                eventually("a problem", async || watch.problem().is_some()).await;
                println!("{what}: {:?}", watch.problem());
                assert_eq!(seen(&watch), "unknown", "{what}");
            }
            let server = Server::builder()
                .schemes(schemes())
                .bind("tcp@127.0.0.1:0")
                .raw("Arith", "Echo", |_: Context, payload: Bytes| async move { Ok(payload) })
                .option("registry_timeout", "200ms")
                .registry_url(&consul.url(base, &token))
                .start()
                .await
                .expect("it serves all the same");
            let error = server.announced(Duration::from_secs(2)).await.expect_err(what);
            assert_eq!(error.kind(), ErrorKind::Auth, "{what}: {error}");
            assert!(!error.to_string().contains(ROOT) && !error.to_string().contains("66666666"), "{error}");
            server.close();
        }
        // The key of the base path itself is nobody's need.
        let below = r#"key_prefix "auth/" { policy = "write" } session_prefix "" { policy = "write" }"#;
        let below = token(&consul, "below", below).await;
        server(&consul.url("/auth", &format!("token={below}")), &[]).await.shutdown(LIMIT).await.unwrap();
    });
}
