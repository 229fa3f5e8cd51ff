//! The authorities of a trust domain, from a file that others rotate.
//!
//! Lives here: reading the file when it has changed, and which of its authorities count now. Never: who they vouch for.

use super::leaf::span_of;
use arc_swap::ArcSwapOption;
use brattice_core::ids::Digest;
use brattice_core::time::Timestamp;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;

/// How often the file is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the authorities that were read last count while the file cannot be read: whoever rotates it may be writing it.
const STALE_MAX: Duration = Duration::from_secs(300);
/// The largest file.
const BUNDLE_BYTES_MAX: u64 = 1 << 20;
/// The most authorities.
const AUTHORITIES_MAX: usize = 100;

/// A trust domain's file.
pub(super) struct Bundle {
    path: PathBuf,
    current: ArcSwapOption<Read>,
    reading: Mutex<()>,
}

/// The file as it was read.
#[derive(Clone)]
struct Read {
    verifier: Arc<dyn ClientCertVerifier>,
    digest: Digest,
    /// When the first of the authorities that count now ends.
    until: Timestamp,
    looked_at: Timestamp,
    good_at: Timestamp,
}

impl Bundle {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            current: ArcSwapOption::empty(),
            reading: Mutex::new(()),
        }
    }

    /// What checks a certificate by the authorities of now; the error is for the operator.
    pub(super) async fn verifier(
        &self,
        now: Timestamp,
    ) -> Result<Arc<dyn ClientCertVerifier>, String> {
        if let Some(read) = self.fresh(now) {
            return Ok(read);
        }
        let _turn = self.reading.lock().await;
        if let Some(read) = self.fresh(now) {
            return Ok(read);
        }
        let before = self.current.load_full();
        let found = match self.bytes().await {
            Ok(bytes) => Read::again(before.as_deref(), &bytes, now),
            Err(why) => Err(why),
        };
        let read = match (found, before) {
            (Ok(read), _) => read,
            (Err(why), Some(before))
                if now.since(before.good_at) < STALE_MAX && now < before.until =>
            {
                tracing::error!(path = %self.path.display(), %why, "the authorities of a trust domain cannot be read; those that were read last count for a while");
                Read {
                    looked_at: now,
                    ..Read::clone(&before)
                }
            }
            (Err(why), _) => return Err(format!("{}: {why}", self.path.display())),
        };
        let verifier = read.verifier.clone();
        self.current.store(Some(Arc::new(read)));
        Ok(verifier)
    }

    fn fresh(&self, now: Timestamp) -> Option<Arc<dyn ClientCertVerifier>> {
        let read = self.current.load();
        let read = read.as_ref()?;
        let young = now.since(read.looked_at) < LOOK_EVERY && now < read.until;
        young.then(|| read.verifier.clone())
    }

    async fn bytes(&self) -> Result<Vec<u8>, String> {
        let failed = |e: std::io::Error| e.to_string();
        let file = tokio::fs::File::open(&self.path).await.map_err(failed)?;
        let mut bytes = Vec::new();
        let mut file = file.take(BUNDLE_BYTES_MAX + 1);
        file.read_to_end(&mut bytes).await.map_err(failed)?;
        if bytes.len() as u64 > BUNDLE_BYTES_MAX {
            return Err("it is larger than any bundle may be".to_owned());
        }
        Ok(bytes)
    }
}

impl Read {
    /// What these bytes say, unless that is known.
    fn again(before: Option<&Self>, bytes: &[u8], now: Timestamp) -> Result<Self, String> {
        let digest = Digest::of(bytes);
        match before {
            Some(before) if before.digest == digest && now < before.until => Ok(Self {
                looked_at: now,
                good_at: now,
                ..before.clone()
            }),
            _ => Self::of(bytes, digest, now),
        }
    }

    fn of(bytes: &[u8], digest: Digest, now: Timestamp) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let mut until = Timestamp(i64::MAX);
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(bytes) {
            let certificate = certificate.map_err(|e| format!("it is not PEM: {e}"))?;
            count += 1;
            if count > AUTHORITIES_MAX {
                return Err("it has too many certificates".to_owned());
            }
            let (begins_at, ends_at) =
                span_of(&certificate).ok_or("one of its certificates cannot be read")?;
            // An authority that has ended vouches for nobody (RFC 5280 leaves that to the trust store, which this is).
            if now >= ends_at {
                continue;
            }
            until = until.min(if now < begins_at { begins_at } else { ends_at });
            if now >= begins_at {
                let added = roots.add(certificate);
                added.map_err(|_| "one of its certificates is not an authority's")?;
            }
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::new(aws_lc_rs::default_provider()),
        );
        let verifier = verifier
            .build()
            .map_err(|_| "it has no authority that counts now")?;
        Ok(Self {
            verifier,
            digest,
            until,
            looked_at: now,
            good_at: now,
        })
    }
}

/// Whether a file's bytes are a bundle; the error says why not.
pub(super) fn check(bytes: &[u8], now: Timestamp) -> Result<(), String> {
    Read::of(bytes, Digest::of(bytes), now).map(drop)
}
