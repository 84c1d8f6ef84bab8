//! Passwords, TLS, several endpoints.

use crate::support::{LIMIT, Registry, address, discovery, eventually, run, schemes, server, until_seen};
use etcd_client::{Permission, PermissionType};
use rpcx::{ErrorKind, Server};
use rpcx_registries::etcd::Etcd;
use rpcx_registries::{Pem, Port};
use std::time::Duration;

#[test]
fn tls_with_certificates_of_both_sides_and_several_endpoints() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let pem = Pem::make(folder.path());
        let etcd = Etcd::secured(pem.clone());
        // Two members that are not there, around the one that is.
        let (before, after) = (Port::free(), Port::free());
        let hosts = format!("127.0.0.1:{},{},127.0.0.1:{}", before.number(), etcd.host(), after.number());
        let [ca, cert, key] = [&pem.ca, &pem.cert, &pem.key].map(|path| path.display().to_string());
        let url = format!("etcd://{hosts}/tls?ca={ca}&cert={cert}&key={key}&ttl=5s");
        let server = server(&url, &[]).await;
        let discovery = discovery(&url);
        until_seen(&discovery.watch("Arith"), &format!("{} live", address(&server))).await;
        server.shutdown(LIMIT).await.unwrap();
        // Whoever does not know the authority, or has no certificate, is told why.
        for (options, part) in [(format!("ca={ca}"), ""), ("tls=true".to_owned(), "certificate")] {
            let refused = crate::support::discovery(&format!("etcd://{}/tls?{options}", etcd.host()));
            let watch = refused.watch("Arith");
            eventually("a problem", async || watch.problem().is_some()).await;
            let problem = watch.problem().unwrap_or_default();
            println!("{options}: {problem}");
            assert!(problem.contains(part), "{problem}");
        }
    });
}

#[test]
fn a_user_and_a_password() {
    run(async {
        let etcd = Etcd::start();
        let mut admin = etcd.client(None).await;
        admin.user_add("root", "root", None).await.unwrap();
        admin.role_add("root").await.unwrap();
        admin.user_grant_role("root", "root").await.unwrap();
        admin.role_add("rpcx").await.unwrap();
        // Of the base path itself and of what is below.
        let permission = Permission::new(PermissionType::Readwrite, "/auth").with_prefix();
        admin.role_grant_permission("rpcx", permission).await.unwrap();
        admin.user_add("rpcx", "p@ss/w:rd", None).await.unwrap();
        admin.user_grant_role("rpcx", "rpcx").await.unwrap();
        admin.auth_enable().await.unwrap();
        let by_authority = format!("etcd://rpcx:p%40ss%2Fw:rd@{}/auth?ttl=5s", etcd.host());
        let by_option = format!("etcd://{}/auth?user=rpcx&password=p@ss/w:rd", etcd.host());
        let server = server(&by_authority, &[]).await;
        let expected = format!("{} live", address(&server));
        until_seen(&discovery(&by_option).watch("Arith"), &expected).await;
        // What an operator removes comes back: the watches are allowed too.
        let mut root = etcd.client(Some(("root", "root"))).await;
        root.delete(format!("/auth/Arith/{}", address(&server)), None).await.unwrap();
        eventually("the node is back", async || {
            let found = root.get(format!("/auth/Arith/{}", address(&server)), None).await.unwrap();
            !found.kvs().is_empty()
        })
        .await;
        server.shutdown(LIMIT).await.unwrap();
        for (what, url) in [
            ("password", format!("etcd://rpcx:secret-guess@{}/auth", etcd.host())),
            ("nobody", format!("etcd://{}/auth", etcd.host())),
            ("place", format!("etcd://rpcx:p%40ss%2Fw:rd@{}/other", etcd.host())),
        ] {
            let refused = discovery(&url);
            let watch = refused.watch("Arith");
            eventually("a problem", async || watch.problem().is_some()).await;
            println!("{what}: {:?}", watch.problem());
            assert!(!watch.problem().unwrap_or_default().contains("secret-guess"));
            let server = Server::builder()
                .schemes(schemes())
                .bind("tcp@127.0.0.1:0")
                .raw("Arith", "Echo", |_: rpcx::Context, payload: bytes::Bytes| async move { Ok(payload) })
                .option("registry_timeout", "200ms")
                .registry_url(&url)
                .start()
                .await
                .expect("it serves all the same");
            let error = server.announced(Duration::from_secs(2)).await.expect_err(what);
            assert_eq!(error.kind(), ErrorKind::Auth, "{what}: {error}");
            assert!(!error.to_string().contains("secret-guess"), "{error}");
            server.close();
        }
    });
}
