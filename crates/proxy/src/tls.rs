//! TLS on both sides: our certificate for clients, and the checks of targets' certificates.
//!
//! Lives here: rustls configurations, and what a client shows in its handshake. Never: which target wants which, whom a
//! certificate names.

use crate::endpoint::TargetTls;
use brattice_core::sender::Certificate;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why TLS cannot be set up; the text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file holds no usable certificate or key.
    #[error("{what} cannot be used: {why}")]
    Unusable {
        /// Which file or value.
        what: String,
        /// Why.
        why: String,
    },
}

fn unusable(what: &str, why: impl std::fmt::Display) -> TlsError {
    TlsError::Unusable {
        what: what.to_owned(),
        why: why.to_string(),
    }
}

/// The one crypto provider of this program.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The certificates of a PEM text.
pub fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|e| unusable(what, e))?;
    if found.is_empty() {
        Err(unusable(what, "no certificate in it"))
    } else {
        Ok(found)
    }
}

/// The authorities of a PEM text.
pub fn roots(pem: &[u8], what: &str) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for c in certificates(pem, what)? {
        store.add(c).map_err(|e| unusable(what, e))?;
    }
    Ok(store)
}

/// What clients are answered with: our certificate, TLS 1.2 and 1.3, ALPN as given. While `asked` is true, clients are asked
/// for a certificate, which they need not have.
pub fn server(
    cert_pem: &[u8],
    key_pem: &[u8],
    alpn: &[&[u8]],
    asked: Arc<AtomicBool>,
) -> Result<(Arc<ServerConfig>, CertificateDer<'static>), TlsError> {
    let chain = certificates(cert_pem, "the listener's certificate")?;
    let key =
        PrivateKeyDer::from_pem_slice(key_pem).map_err(|e| unusable("the listener's key", e))?;
    let leaf = chain
        .first()
        .cloned()
        .ok_or_else(|| unusable("the listener's certificate", "no certificate in it"))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable("TLS", e))?
        .with_client_cert_verifier(Arc::new(Possession {
            asked,
            provider: provider(),
        }))
        .with_single_cert(chain, key)
        .map_err(|e| unusable("the listener's certificate and key", e))?;
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    config.max_early_data_size = 0;
    // A connection shows its client's key itself, and takes nothing over from one before.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok((Arc::new(config), leaf))
}

/// The certificate that a client showed the key of in its handshake, and those that came with it.
pub fn shown(connection: &ServerConnection) -> Option<Arc<Certificate>> {
    let sent = connection.peer_certificates()?;
    Certificate::of(sent.iter().map(|c| c.as_ref()))
}

/// Takes any certificate whose key the client shows: tokens are bound to certificates that nobody else vouches for
/// (RFC 8705, section 2.2). Whom one names is asked later, where its trust domain is known.
#[derive(Debug)]
struct Possession {
    asked: Arc<AtomicBool>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Possession {
    fn offer_client_auth(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }
    fn client_auth_mandatory(&self) -> bool {
        false
    }
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }
    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(m, c, d, algorithms)
    }
    fn verify_tls13_signature(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(m, c, d, algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// How a target is greeted. The second value says whether its certificate and name are verified.
pub fn client(
    tls: &TargetTls,
    certificate: Option<(&[u8], &[u8])>,
    alpn: &[&[u8]],
) -> Result<Option<(ClientConfig, bool)>, TlsError> {
    let (verifier, verified): (Arc<dyn ServerCertVerifier>, bool) = match tls {
        TargetTls::Disable => return Ok(None),
        TargetTls::Require => (Arc::new(Unchecked(provider())), false),
        TargetTls::VerifyCa(roots) => (Arc::new(NameUnchecked(webpki(roots)?)), false),
        TargetTls::VerifyFull(roots) => (webpki(roots)?, true),
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable("TLS", e))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match certificate {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = certificates(chain, "the target's client certificate")?;
            let key = PrivateKeyDer::from_pem_slice(key)
                .map_err(|e| unusable("the target's client key", e))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|e| unusable("the target's client certificate and key", e))?
        }
    };
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    Ok(Some((config, verified)))
}

fn webpki(roots: &Arc<RootCertStore>) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    WebPkiServerVerifier::builder_with_provider(roots.clone(), provider())
        .build()
        .map_err(|e| unusable("the target's authority", e))
}

/// `require`: encrypted, the peer unknown, as libpq's `sslmode=require`. The configuration's check says so loudly.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(m, c, d, &self.0.signature_verification_algorithms)
    }
    fn verify_tls13_signature(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(m, c, d, &self.0.signature_verification_algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// `verify-ca`: the chain is checked, the name is not, as libpq's `sslmode=verify-ca`.
#[derive(Debug)]
struct NameUnchecked(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for NameUnchecked {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
        match self
            .0
            .verify_server_cert(end_entity, intermediates, name, ocsp, now)
        {
            // The name is compared last: everything else has been checked by then.
            Err(rustls::Error::InvalidCertificate(
                NotValidForName | NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }
    fn verify_tls12_signature(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(m, c, d)
    }
    fn verify_tls13_signature(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(m, c, d)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
