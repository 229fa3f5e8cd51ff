//! The listeners' certificates, renewed with each bundle that comes into force, without a restart.
//!
//! Lives here: reading and exchanging them. Never: whether a listener has one; that is settled at the start.

use super::error::StartError;
use crate::config::Checked;
use crate::config::checked::TlsFiles;
use arc_swap::ArcSwap;
use brattice_proxy::postgres::ListenerTls;
use brattice_proxy::tls;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_rustls::TlsAcceptor;

/// Certificates as they were read, and not used yet.
pub(super) struct Read {
    postgres: Option<ListenerTls>,
    admin: Option<Arc<ServerConfig>>,
    asked: bool,
}

/// Whether clients are asked for theirs. All listeners look here at each handshake.
pub(super) type Asked = Arc<AtomicBool>;

impl Read {
    /// Reads the certificates that a bundle names.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub(super) fn of(checked: &Checked, asked: &Asked) -> Result<Self, StartError> {
        let postgres = checked
            .listen
            .postgres
            .as_ref()
            .and_then(|p| p.tls.as_ref());
        let postgres = postgres
            .map(|files| read(files, &[b"postgresql"], asked))
            .transpose()?;
        let admin = checked.listen.admin.tls.as_ref();
        let admin = admin
            .map(|files| read(files, &[b"http/1.1"], asked))
            .transpose()?;
        Ok(Self {
            postgres: postgres
                .map(|(config, leaf)| ListenerTls::new(TlsAcceptor::from(config), leaf.as_ref())),
            admin: admin.map(|(config, _)| config),
            asked: checked.listen.client_certificates,
        })
    }
}

/// The certificates in use.
pub(super) struct Certificates {
    postgres: Option<Arc<ArcSwap<ListenerTls>>>,
    admin: Option<(Arc<ServerConfig>, Arc<Newest>)>,
    asked: Asked,
}

impl Certificates {
    /// Those that listeners start with.
    pub(super) fn new(read: Read, asked: Asked) -> Self {
        asked.store(read.asked, Ordering::Release);
        let admin = read.admin.map(|first| {
            let newest = Arc::new(Newest(ArcSwap::new(first.clone())));
            let mut config = ServerConfig::clone(&first);
            config.cert_resolver = newest.clone();
            (Arc::new(config), newest)
        });
        Self {
            postgres: read
                .postgres
                .map(|tls| Arc::new(ArcSwap::from_pointee(tls))),
            admin,
            asked,
        }
    }

    /// Whether clients are asked for theirs.
    pub(super) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Puts others in their place. Where there was none there will be none before the next start, and the reverse.
    pub(super) fn renew(&self, read: Read) {
        self.asked.store(read.asked, Ordering::Release);
        if let (Some(current), Some(new)) = (&self.postgres, read.postgres) {
            current.store(Arc::new(new));
        }
        if let (Some((_, current)), Some(new)) = (&self.admin, read.admin) {
            current.0.store(new);
        }
    }

    /// The PostgreSQL listener's.
    pub(super) fn postgres(&self) -> Option<Arc<ArcSwap<ListenerTls>>> {
        self.postgres.clone()
    }

    /// The API's.
    pub(super) fn admin(&self) -> Option<Arc<ServerConfig>> {
        self.admin.as_ref().map(|(config, _)| config.clone())
    }
}

/// Presents what the newest configuration would.
#[derive(Debug)]
struct Newest(ArcSwap<ServerConfig>);

impl ResolvesServerCert for Newest {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().cert_resolver.resolve(hello)
    }
}

fn read(
    files: &TlsFiles,
    alpn: &[&[u8]],
    asked: &Asked,
) -> Result<(Arc<ServerConfig>, CertificateDer<'static>), StartError> {
    let bytes = |path: &Path| {
        std::fs::read(path).map_err(|cause| StartError::File {
            path: path.to_owned(),
            cause,
        })
    };
    Ok(tls::server(
        &bytes(&files.cert)?,
        &bytes(&files.key)?,
        alpn,
        asked.clone(),
    )?)
}
