//! TLS: the server shows a certificate, the client too (mutual TLS), and the handler learns who calls.
//!
//! The certificates are made here and kept in memory. With files: the options `tls.cert`, `tls.key`, `tls.ca` and
//! `tls.client_ca`, or the builders' functions of those names.

use rcgen::{CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rpcx::transport::{ClientTls, ServerTls, Transports};
use rpcx::{Client, Context, Error, Reason, Result, Server};

type Authority = CertifiedIssuer<'static, KeyPair>;

/// A certificate and its key, as PEM texts.
struct Identity {
    certificate: String,
    key: String,
}

fn authority() -> std::result::Result<Authority, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority of the example");
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn identity(
    authority: &Authority,
    name: &str,
    usage: ExtendedKeyUsagePurpose,
) -> std::result::Result<Identity, rcgen::Error> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages.push(usage);
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
}

async fn who_am_i(ctx: Context, (): ()) -> Result<String> {
    let subject = ctx.tls().and_then(|identity| identity.subject.as_deref());
    Ok(format!("you are {}", subject.unwrap_or("nobody I know")))
}

#[tokio::main]
async fn main() -> Result<()> {
    let made = |error: rcgen::Error| Error::new(Reason::ConfigTls, error.to_string());
    let authority = authority().map_err(made)?;
    let of_server = identity(&authority, "localhost", ExtendedKeyUsagePurpose::ServerAuth).map_err(made)?;
    let of_client = identity(&authority, "ada", ExtendedKeyUsagePurpose::ClientAuth).map_err(made)?;

    let tls =
        ServerTls::builder_from_pem(of_server.certificate, of_server.key).client_ca_pem(authority.pem()).build()?;
    let server = Server::builder()
        .function("Door", "WhoAmI", who_am_i)
        .transports(Transports::default().with_server_tls(tls))
        .bind("tcp@127.0.0.1:0")
        .start()
        .await?;
    let address = server.addresses()[0].to_string();

    // The address is an IP, the certificate's name is not: the name to expect is given.
    let trusting = ClientTls::builder().ca_pem(authority.pem()).server_name("localhost");
    let known = trusting.clone().identity_pem(of_client.certificate, of_client.key).build()?;
    println!("with a certificate: {}", ask(&address, Transports::default().with_client_tls(known)).await?);

    let Err(error) = ask(&address, Transports::default().with_client_tls(trusting.build()?)).await else {
        return Err("a client without a certificate came in".into());
    };
    println!("without one: {error}");
    let Err(error) = ask(&address, Transports::default()).await else {
        return Err("a client without TLS came in".into());
    };
    println!("without TLS: {error}");
    Ok(())
}

async fn ask(address: &str, transports: Transports) -> Result<String> {
    let client = Client::builder().discovery_url(address).transports(transports).build()?;
    client.service("Door")?.call("WhoAmI", &()).await
}
