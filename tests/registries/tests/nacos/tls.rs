//! TLS, which r-nacos has not: in front of it, as a proxy would have it.

use rpcx_registries::Pem;
use rpcx_registries::nacos::{Nacos, USER};
use rpcx_registries::suite::Registry;
use rpcx_registries::suite::support::{address, addresses, discovery, server};
use rpcx_registries::wait::{LIMIT, eventually, run};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::Path;
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Takes TLS off for a port, and asks for a certificate; its own port.
async fn in_front_of(port: u16, pem: &Pem, protocols: &[&str]) -> u16 {
    let read = |path: &Path| CertificateDer::from_pem_file(path).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(read(&pem.ca)).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let key = PrivateKeyDer::from_pem_file(&pem.key).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![read(&pem.cert)], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Whoever has no certificate gets nowhere.
                let Ok(mut inside) = acceptor.accept(stream).await else { return };
                let mut outside = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = copy_bidirectional(&mut inside, &mut outside).await;
            });
        }
    });
    own
}

#[test]
fn tls_with_certificates_of_both_sides_for_grpc_and_for_the_login() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let pem = Pem::make(folder.path());
        let nacos = Nacos::secured();
        let http = in_front_of(nacos.daemon().port(0), &pem, &[]).await;
        let grpc = in_front_of(nacos.daemon().port(1), &pem, &["h2"]).await;
        let [ca, cert, key] = [&pem.ca, &pem.cert, &pem.key].map(|path| path.display().to_string());
        let base = format!("nacos://{}:s%40cret%20word@127.0.0.1:{http}/test?grpc_port={grpc}", USER.0);
        let url = format!("{base}&ca={ca}&cert={cert}&key={key}");
        let server = server::<Nacos>(&url, &[]).await;
        let known = discovery::<Nacos>(&url);
        let watch = known.watch("Arith");
        let at = address(&server);
        eventually("it is seen", async || addresses(&watch) == [at.clone()]).await;
        server.shutdown(LIMIT).await.unwrap();
        // Whoever does not know the authority, has no certificate, or expects another name is told why.
        for (options, part) in [
            (format!("ca={ca}"), ""),
            ("tls=true".to_owned(), "certificate"),
            (format!("ca={ca}&cert={cert}&key={key}&server_name=other"), "certificate"),
            (format!("ca={ca}.none"), "ca.pem.none"),
        ] {
            let refused = discovery::<Nacos>(&format!("{base}&{options}"));
            let watch = refused.watch("Arith");
            eventually("a problem", async || watch.problem().is_some()).await;
            let problem = watch.problem().unwrap_or_default();
            println!("{options}: {problem}");
            assert!(problem.contains(part), "{problem}");
        }
    });
}
