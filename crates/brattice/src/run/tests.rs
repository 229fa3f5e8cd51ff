//! A gateway with its listeners open: certificates that change under it, and its end.

use super::*;
use crate::dev::certificate_files;
use rustls::pki_types::{CertificateDer, ServerName};
use std::net::SocketAddr;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const BUNDLE: &str = r#"
[listen.postgres]
address = "127.0.0.1:0"
tls = { cert = "server.crt", key = "server.key" }
[listen.admin]
address = "127.0.0.1:0"
tls = { cert = "server.crt", key = "server.key" }
public_url = "https://gateway.example.com"
[listen.metrics]
address = "127.0.0.1:0"
[store]
directory = "data"
allow_volatile = true
[recording]
master_key = "file:key"
[issuers.dev]
url = "https://id.example.com"
audiences = ["brattice"]
principals = "agent"
"#;

async fn running(dir: &Path) -> Running {
    std::fs::write(dir.join("brattice.toml"), BUNDLE).unwrap();
    std::fs::write(dir.join("key"), "07".repeat(32)).unwrap();
    let rule = "@id(\"none\")\nforbid (principal, action, resource);";
    std::fs::write(dir.join("a.cedar"), rule).unwrap();
    certificate_files(dir).unwrap();
    let source = Source::at(dir);
    let checked = source.read().unwrap();
    start(source, checked).await.unwrap()
}

/// The certificate that a TLS listener presents, verified by the authority that is there now.
async fn presented(
    dir: &Path,
    address: SocketAddr,
    first: &[u8],
) -> Option<CertificateDer<'static>> {
    let authority = std::fs::read(dir.join("ca.crt")).unwrap();
    let roots = brattice_proxy::tls::roots(&authority, "ca").unwrap();
    let config = rustls::ClientConfig::builder_with_provider(brattice_proxy::tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = TcpStream::connect(address).await.unwrap();
    if !first.is_empty() {
        tcp.write_all(first).await.unwrap();
        let mut answer = [0];
        tcp.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"S");
    }
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .ok()?;
    let chain = stream.get_ref().1.peer_certificates()?;
    chain.first().cloned().map(CertificateDer::into_owned)
}

/// PostgreSQL's SSLRequest.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

#[tokio::test]
async fn a_renewed_certificate_is_presented_once_the_bundle_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let running = running(dir.path()).await;
    let (postgres, admin) = (running.addresses.postgres.unwrap(), running.addresses.admin);
    let before = presented(dir.path(), admin, &[]).await.unwrap();
    assert_eq!(
        presented(dir.path(), postgres, &SSL_REQUEST).await.as_ref(),
        Some(&before)
    );

    certificate_files(dir.path()).unwrap();
    assert!(
        presented(dir.path(), admin, &[]).await.is_none(),
        "not before it is read"
    );
    running.reload().await;
    let after = presented(dir.path(), admin, &[]).await.unwrap();
    assert_ne!(before, after);
    assert_eq!(
        presented(dir.path(), postgres, &SSL_REQUEST).await.as_ref(),
        Some(&after)
    );

    // One that cannot be used changes nothing.
    std::fs::write(dir.path().join("server.key"), "no key").unwrap();
    let revision = running.gateway.revision();
    running.reload().await;
    assert_eq!(running.gateway.revision(), revision);
    assert_eq!(presented(dir.path(), admin, &[]).await, Some(after));
    running.stop().await;
}

#[tokio::test]
async fn a_gateway_that_stops_takes_nobody_and_closes_its_record() {
    let dir = tempfile::tempdir().unwrap();
    let running = running(dir.path()).await;
    let gateway = running.gateway.clone();
    let at = running.addresses;
    running.stop().await;
    for address in [at.postgres.unwrap(), at.admin, at.metrics.unwrap()] {
        assert!(TcpStream::connect(address).await.is_err(), "{address}");
    }
    assert!(gateway.is_draining());
    assert!(
        gateway
            .note(brattice_core::audit::Event::CancelRequested {
                client: String::new(),
                accepted: false
            })
            .is_err()
    );
    let key = gateway.log.public_key();
    let report = brattice_store::audit::verify(&gateway.audit_dir(), &key, &[]).unwrap();
    assert!(report.problem.is_none());
    assert_eq!(
        report.entries, report.signed_below,
        "the last head covers everything"
    );
}
