//! TLS that does not come about: at building, where the text names the file, and in the handshake, where it names the peer.

use crate::support::{accept, assert_error, bind, dial, exchange, run};
use crate::tls::{Authority, serving, trusting};
use rpcx::error::{Error, Reason};
use rpcx::transport::{ClientTls, Io, Listener, ServerTls, Transports};

/// What both ends say of a connection that must fail.
async fn fails(transports: &Transports, listener: &mut dyn Listener) -> (Error, Result<Io, Error>) {
    let to = listener.address();
    let (client, server) = tokio::join!(dial(transports, &to), accept(listener));
    (client.unwrap_err(), server)
}

#[test]
fn a_server_of_another_authority_is_refused() {
    run(async {
        let mut listener = bind(&serving(&Authority::new().server(&["127.0.0.1"])), "tcp@127.0.0.1:0").await;
        let (client, server) = fails(&trusting(&Authority::new()), &mut *listener).await;
        assert_error(&client, Reason::ConnectTls, listener.address().as_str());
        assert_error(&server.unwrap_err(), Reason::ConnectTls, "127.0.0.1:");
    });
}

#[test]
fn the_authorities_of_the_system_do_not_know_the_test() {
    run(async {
        let mut listener = bind(&serving(&Authority::new().server(&["127.0.0.1"])), "tcp@127.0.0.1:0").await;
        match ClientTls::builder().build() {
            Ok(tls) => {
                let (client, _) = fails(&Transports::default().with_client_tls(tls), &mut *listener).await;
                assert_error(&client, Reason::ConnectTls, listener.address().as_str());
            }
            // A machine without any authority.
            Err(error) => assert_error(&error, Reason::ConfigTls, "authorities"),
        }
    });
}

#[test]
fn the_name_must_fit_unless_another_is_expected() {
    run(async {
        let authority = Authority::new();
        let mut listener = bind(&serving(&authority.server(&["arith.test"])), "tcp@127.0.0.1:0").await;
        let (client, _) = fails(&trusting(&authority), &mut *listener).await;
        assert_error(&client, Reason::ConnectTls, listener.address().as_str());

        let tls = ClientTls::builder().ca_pem(authority.pem()).server_name("arith.test").build().unwrap();
        let to = listener.address();
        let at_client = Transports::default().with_client_tls(tls);
        let (client, server) = tokio::join!(dial(&at_client, &to), accept(&mut *listener));
        let (client, server) = (client.unwrap(), server.unwrap());
        assert_eq!(server.info.tls.as_ref().unwrap().server_name.as_deref(), Some("arith.test"));
        exchange(client, server).await;
    });
}

#[test]
fn tls_on_one_side_only_fails_on_both() {
    run(async {
        let authority = Authority::new();
        let mut plain = bind(&Transports::default(), "tcp@127.0.0.1:0").await;
        let to = plain.address();
        let at_client = trusting(&authority);
        let (client, ()) = tokio::join!(dial(&at_client, &to), async {
            let (mut stream, _) = accept(&mut *plain).await.unwrap().into_stream();
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"\x08no TLS here").await.unwrap();
        });
        assert_error(&client.unwrap_err(), Reason::ConnectTls, to.as_str());

        let mut listener = bind(&serving(&authority.server(&["127.0.0.1"])), "tcp@127.0.0.1:0").await;
        let to = listener.address();
        let plain = Transports::default();
        let (client, server) = tokio::join!(
            async {
                let (mut stream, _) = dial(&plain, &to).await.unwrap().into_stream();
                tokio::io::AsyncWriteExt::write_all(&mut stream, b"\x08no TLS here").await.unwrap();
                stream
            },
            accept(&mut *listener)
        );
        assert_error(&server.unwrap_err(), Reason::ConnectTls, "127.0.0.1:");
        drop(client);
    });
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (one, other) = (authority.server(&["localhost"]), authority.server(&["localhost"]));
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let certificate = file("certificate", &one.certificate);
    let key = file("key", &one.key);
    let other_key = file("other-key", &other.key);
    let missing = folder.path().join("missing");
    let empty = file("empty", "");
    let cut = file("cut", &one.certificate[..one.certificate.len() / 2]);
    let garbage = file("garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let encrypted =
        file("encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");

    for (certificate, key, named) in [
        (&missing, &key, &missing),
        (&certificate, &missing, &missing),
        (&empty, &key, &empty),
        (&certificate, &empty, &empty),
        (&cut, &key, &cut),
        (&garbage, &key, &garbage),
        (&certificate, &encrypted, &encrypted),
        (&certificate, &other_key, &other_key),
    ] {
        let named = named.to_str().unwrap();
        let server = ServerTls::builder(certificate, key).build().map(drop).unwrap_err();
        assert_error(&server, Reason::ConfigTls, named);
        let client = ClientTls::builder().ca_pem(authority.pem()).identity_files(certificate, key);
        assert_error(&client.build().map(drop).unwrap_err(), Reason::ConfigTls, named);
    }
    for ca in [&missing, &empty, &cut, &garbage] {
        let named = ca.to_str().unwrap();
        assert_error(&ClientTls::builder().ca_file(ca).build().map(drop).unwrap_err(), Reason::ConfigTls, named);
        let server = ServerTls::builder(&certificate, &key).client_ca_file(ca);
        assert_error(&server.build().map(drop).unwrap_err(), Reason::ConfigTls, named);
    }
}

#[test]
fn a_server_name_that_is_none_is_named() {
    let authority = Authority::new();
    let builder = ClientTls::builder().ca_pem(authority.pem());
    let error = builder.clone().server_name("not a name").build().map(drop).unwrap_err();
    assert_error(&error, Reason::ConfigTls, "\"not a name\"");
}

#[test]
fn keys_are_never_shown() {
    let signed = Authority::new().server(&["localhost"]);
    let builder = ServerTls::builder_from_pem(signed.certificate.as_str(), signed.key.as_str());
    let shown = format!("{builder:?} {:?}", builder.clone().build().unwrap());
    assert!(!shown.contains("PRIVATE") && !shown.contains(&signed.key[40..60]), "{shown}");
}
