//! Users, TLS, several endpoints.

use crate::support::{LIMIT, Registry, address, discovery, eventually, run, schemes, server, until_seen};
use librpcx_zookeeper::wire::{Acl, Change, Code};
use rpcx::{ErrorKind, Server};
use rpcx_registries::zookeeper::ZooKeeper;
use rpcx_registries::{Pem, Port};
use std::time::Duration;

#[test]
fn tls_with_certificates_of_both_sides_and_several_endpoints() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let pem = Pem::make(folder.path());
        let [ca, cert, key] = [&pem.ca, &pem.cert, &pem.key].map(|path| path.display().to_string());
        let registry = ZooKeeper::secured(&pem.ca, &pem.cert, &pem.key);
        // Two servers that are not there, around the one that is.
        let (before, after) = (Port::free(), Port::free());
        let hosts = format!("127.0.0.1:{},{},127.0.0.1:{}", before.number(), registry.host(), after.number());
        let url = format!("zookeeper://{hosts}/tls?ca={ca}&cert={cert}&key={key}&ttl=5s");
        let server = server(&url, &[]).await;
        let discovery = discovery(&url);
        until_seen(&discovery.watch("Arith"), &format!("{} live", address(&server))).await;
        server.shutdown(LIMIT).await.unwrap();
        // Whoever does not know the authority, has no certificate, or no TLS at all, is told so.
        for (host, options, part) in [
            (registry.host(), format!("ca={ca}"), ""),
            (registry.host(), "tls=true".to_owned(), "certificate"),
            (registry.host(), String::new(), ""),
            (registry.plain_host(), format!("ca={ca}"), "TLS"),
        ] {
            let refused = crate::support::discovery(&format!("zookeeper://{host}/tls?{options}"));
            let watch = refused.watch("Arith");
            eventually("a problem", async || watch.problem().is_some()).await;
            let problem = watch.problem().unwrap_or_default();
            println!("{options}: {problem}");
            assert!(problem.contains(part), "{problem}");
        }
    });
}

#[test]
fn a_user_and_what_others_may() {
    run(async {
        let registry = ZooKeeper::start();
        let session = registry.open(Some(("rpcx", "p@ss/w:rd"))).await.unwrap();
        let base = Change::Create { path: "/auth", data: b"", ephemeral: false, acl: Acl::Own };
        session.change(base).await.unwrap().unwrap();
        let nobody = registry.open(None).await.unwrap();
        for (acl, read) in [("own", false), ("read", true), ("open", true)] {
            let by_authority = format!("zookeeper://rpcx:p%40ss%2Fw:rd@{}/auth/{acl}?acl={acl}", registry.host());
            let by_option = format!("zookeeper://{}/auth/{acl}?user=rpcx&password=p@ss/w:rd", registry.host());
            let server = server(&by_authority, &[]).await;
            let node = format!("/auth/{acl}/Arith/{}", address(&server));
            until_seen(&discovery(&by_option).watch("Arith"), &format!("{} live", address(&server))).await;
            let may = nobody.data(&node, false).await.unwrap().map(drop);
            assert_eq!(may, if read { Ok(()) } else { Err(Code::NO_AUTH) }, "{acl}");
            let may = nobody.change(Change::Set(&node, b"state=inactive", -1)).await.unwrap();
            assert_eq!(may, if acl == "open" { Ok(()) } else { Err(Code::NO_AUTH) }, "{acl}");
            // What an operator removes comes back: the watches are allowed too.
            session.change(Change::Delete(&node, -1)).await.unwrap().unwrap();
            eventually("the node is back", async || session.stat(&node, false).await.unwrap().is_ok()).await;
            server.shutdown(LIMIT).await.unwrap();
            assert_eq!(session.stat(&node, false).await.unwrap().map(drop), Err(Code::NO_NODE));
        }
        for (what, url) in [
            ("password", format!("zookeeper://rpcx:secret-guess@{}/auth", registry.host())),
            ("nobody", format!("zookeeper://{}/auth", registry.host())),
        ] {
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
            println!("{what}: {error}");
            assert_eq!(error.kind(), ErrorKind::Auth, "{what}: {error}");
            assert!(!error.to_string().contains("secret-guess"), "{error}");
            server.close();
        }
    });
}
