//! TLS over tcp, unix and a transport from outside: who each end is, mutual TLS, and a certificate renewed.

use crate::custom::Greeting;
use crate::support::{accept, address, assert_error, bind, dial, exchange, pair, run};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rpcx::error::Reason;
use rpcx::transport::{ClientTls, ListenOptions, ServerTls, Transports, Writer};
use std::path::PathBuf;
use tokio::io::AsyncReadExt;

/// An authority and what it signs, as PEM texts.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

pub(crate) struct Signed {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) der: Vec<u8>,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority of a test");
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server's certificate for these names.
    pub(crate) fn server(&self, names: &[&str]) -> Signed {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.sign(CertificateParams::new(names).unwrap(), ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client's certificate with this subject, its parts from the root on.
    pub(crate) fn client(&self, subject: &[(DnType, &str)]) -> Signed {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (part, value) in subject {
            params.distinguished_name.push(part.clone(), *value);
        }
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Signed {
        params.extended_key_usages.push(usage);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Signed { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().to_vec() }
    }
}

pub(crate) fn serving(signed: &Signed) -> Transports {
    let tls = ServerTls::builder_from_pem(signed.certificate.as_str(), signed.key.as_str()).build().unwrap();
    Transports::default().with_server_tls(tls)
}

pub(crate) fn trusting(authority: &Authority) -> Transports {
    Transports::default().with_client_tls(ClientTls::builder().ca_pem(authority.pem()).build().unwrap())
}

#[test]
fn over_tcp_and_unix_both_ends_know_what_was_verified() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let signed = authority.server(&["localhost", "127.0.0.1"]);
        let (at_server, at_client) = (serving(&signed), trusting(&authority));
        let unix = format!("unix@{}", folder.path().join("s").display());
        // An IP address is verified, but never sent as the name asked for.
        for (at, verified, asked) in [
            ("tcp@localhost:0", "localhost", Some("localhost")),
            ("tcp4@127.0.0.1:0", "127.0.0.1", None),
            ("reuseport@127.0.0.1:0", "127.0.0.1", None),
            (unix.as_str(), "localhost", Some("localhost")),
        ] {
            let mut listener = bind(&at_server, at).await;
            let to = listener.address();
            let (client, server) = tokio::join!(dial(&at_client, &to), accept(&mut *listener));
            let (client, server) = (client.unwrap(), server.unwrap());
            assert!(matches!((&client.writer, &server.writer), (Writer::Driven(_), Writer::Driven(_))));
            let seen = client.info.tls.clone().unwrap();
            assert_eq!(seen.server_name.as_deref(), Some(verified));
            assert_eq!(seen.certificates, std::slice::from_ref(&signed.der));
            let seen = server.info.tls.clone().unwrap();
            assert_eq!((seen.subject, seen.server_name.as_deref()), (None, asked));
            assert!(seen.certificates.is_empty());
            if at.contains(':') {
                assert_eq!(server.info.remote, client.info.local.clone().unwrap().rest());
            }
            exchange(client, server).await;
        }
    });
}

#[test]
fn memory_and_other_schemes_stay_as_they_are() {
    run(async {
        let authority = Authority::new();
        let transports = serving(&authority.server(&["localhost"]));
        let mut listener = bind(&transports, "memu@without-tls").await;
        let (client, server) = pair(&trusting(&authority), &mut *listener).await;
        assert!(client.info.tls.is_none() && server.info.tls.is_none());
        exchange(client, server).await;
    });
}

#[test]
fn over_a_transport_from_outside() {
    run(async {
        let authority = Authority::new();
        let signed = authority.server(&["127.0.0.1"]);
        let client_tls = ClientTls::builder().ca_pem(authority.pem()).build().unwrap();
        let server_tls = ServerTls::builder_from_pem(signed.certificate.as_str(), signed.key.as_str()).build().unwrap();
        let greeting = Greeting { first: "" };
        let transports = Transports::default().with("safe", client_tls.over(greeting), server_tls.over(greeting));
        let mut listener = bind(&transports, "safe@127.0.0.1:0").await;
        let port = listener.address().port().unwrap();
        let to = address(&format!("safe@127.0.0.1:{port}"));
        let (client, server) = tokio::join!(dial(&transports, &to), accept(&mut *listener));
        let (client, server) = (client.unwrap(), server.unwrap());
        assert_eq!(client.info.tls.as_ref().unwrap().certificates, [signed.der]);
        assert!(server.info.tls.is_some());
        exchange(client, server).await;
    });
}

#[test]
fn an_inherited_listener_is_served_with_tls() {
    run(async {
        let authority = Authority::new();
        let plain = bind(&Transports::default(), "tcp@127.0.0.1:0").await;
        let at_server = serving(&authority.server(&["127.0.0.1"]));
        let mut listener = at_server.adopt(plain.try_clone_fd().unwrap(), &ListenOptions::default()).unwrap();
        assert!(listener.try_clone_fd().is_ok());
        let (client, server) = pair(&trusting(&authority), &mut *listener).await;
        exchange(client, server).await;
    });
}

#[test]
fn mutual_tls_tells_the_subject() {
    run(async {
        let (authority, clients) = (Authority::new(), Authority::new());
        let signed = authority.server(&["127.0.0.1"]);
        let tls = ServerTls::builder_from_pem(signed.certificate.as_str(), signed.key.as_str())
            .client_ca_pem(clients.pem())
            .build()
            .unwrap();
        let mut listener = bind(&Transports::default().with_server_tls(tls), "tcp@127.0.0.1:0").await;
        let to = listener.address();
        for (subject, text) in [
            (vec![(DnType::CommonName, "alice")], "CN=alice"),
            (
                vec![
                    (DnType::CountryName, "CH"),
                    (DnType::OrganizationName, "Smith, Jones + Co"),
                    (DnType::CommonName, "#1 \"alice\""),
                ],
                r#"CN=\#1 \"alice\",O=Smith\, Jones \+ Co,C=CH"#,
            ),
            (vec![], ""),
        ] {
            let alice = clients.client(&subject);
            let tls = ClientTls::builder()
                .ca_pem(authority.pem())
                .identity_pem(alice.certificate, alice.key)
                .build()
                .unwrap();
            let at_client = Transports::default().with_client_tls(tls);
            let (client, server) = tokio::join!(dial(&at_client, &to), accept(&mut *listener));
            let (client, server) = (client.unwrap(), server.unwrap());
            let seen = server.info.tls.clone().unwrap();
            assert_eq!(seen.subject.as_deref(), Some(text));
            assert_eq!(seen.certificates, [alice.der]);
            exchange(client, server).await;
        }
    });
}

#[test]
fn mutual_tls_lets_nobody_else_in() {
    run(async {
        let (authority, clients) = (Authority::new(), Authority::new());
        let signed = authority.server(&["127.0.0.1"]);
        let tls = ServerTls::builder_from_pem(signed.certificate.as_str(), signed.key.as_str())
            .client_ca_pem(clients.pem())
            .build()
            .unwrap();
        let mut listener = bind(&Transports::default().with_server_tls(tls), "tcp@127.0.0.1:0").await;
        let to = listener.address();
        let stranger = Authority::new().client(&[(DnType::CommonName, "alice")]);
        let without = ClientTls::builder().ca_pem(authority.pem());
        let with_another = without.clone().identity_pem(stranger.certificate, stranger.key);
        for builder in [without, with_another] {
            let at_client = Transports::default().with_client_tls(builder.build().unwrap());
            let (client, server) = tokio::join!(dial(&at_client, &to), accept(&mut *listener));
            assert_error(&server.unwrap_err(), Reason::ConnectTls, "127.0.0.1:");
            // In TLS 1.3 the client is done before the server has looked: it learns of it when it reads.
            if let Ok(mut client) = client {
                assert!(client.reader.read(&mut [0]).await.is_err());
            }
        }
    });
}

/// A certificate and its key as files.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, signed: &Signed) {
        std::fs::write(self.path("certificate"), &signed.certificate).unwrap();
        std::fs::write(self.path("key"), &signed.key).unwrap();
    }
}

#[test]
fn a_reload_shows_the_new_certificate_on_new_connections() {
    run(async {
        let authority = Authority::new();
        let (old, new) = (authority.server(&["127.0.0.1"]), authority.server(&["127.0.0.1"]));
        let files = Files { folder: tempfile::tempdir().unwrap() };
        files.write(&old);
        let tls = ServerTls::builder(files.path("certificate"), files.path("key")).build().unwrap();
        let mut listener = bind(&Transports::default().with_server_tls(tls.clone()), "tcp@127.0.0.1:0").await;
        // One client throughout: it would resume its session, and show the old certificate, if the server let it.
        let at_client = trusting(&authority);
        let (first_client, first_server) = pair(&at_client, &mut *listener).await;
        assert_eq!(first_client.info.tls.as_ref().unwrap().certificates, std::slice::from_ref(&old.der));

        files.write(&new);
        tls.reload().unwrap();
        let (client, server) = pair(&at_client, &mut *listener).await;
        assert_eq!(client.info.tls.as_ref().unwrap().certificates, std::slice::from_ref(&new.der));
        exchange(client, server).await;
        exchange(first_client, first_server).await;

        // Half of a pair changes nothing, and says so.
        std::fs::write(files.path("key"), &old.key).unwrap();
        assert_error(&tls.reload().unwrap_err(), Reason::ConfigTls, files.path("key").to_str().unwrap());
        let (client, _server) = pair(&at_client, &mut *listener).await;
        assert_eq!(client.info.tls.unwrap().certificates, [new.der]);
    });
}

#[test]
fn a_reload_changes_whom_a_client_trusts_and_a_server_lets_in() {
    run(async {
        let (old, new) = (Authority::new(), Authority::new());
        let folder = tempfile::tempdir().unwrap();
        let (ca, clients) = (folder.path().join("ca"), folder.path().join("clients"));
        std::fs::write(&ca, old.pem()).unwrap();
        std::fs::write(&clients, old.pem()).unwrap();
        let (signed, alice) = (new.server(&["127.0.0.1"]), new.client(&[(DnType::CommonName, "alice")]));
        let server_tls =
            ServerTls::builder_from_pem(signed.certificate, signed.key).client_ca_file(&clients).build().unwrap();
        let client_tls = ClientTls::builder().ca_file(&ca).identity_pem(alice.certificate, alice.key).build().unwrap();
        let mut listener = bind(&Transports::default().with_server_tls(server_tls.clone()), "tcp@127.0.0.1:0").await;
        let at_client = Transports::default().with_client_tls(client_tls.clone());
        let to = listener.address();
        let (client, server) = tokio::join!(dial(&at_client, &to), accept(&mut *listener));
        assert_error(&client.unwrap_err(), Reason::ConnectTls, to.as_str());
        assert_error(&server.unwrap_err(), Reason::ConnectTls, "127.0.0.1:");

        std::fs::write(&ca, new.pem()).unwrap();
        std::fs::write(&clients, new.pem()).unwrap();
        client_tls.reload().unwrap();
        server_tls.reload().unwrap();
        let (client, server) = pair(&at_client, &mut *listener).await;
        exchange(client, server).await;
    });
}
