//! The provider's certificate.
//!
//! Here live making one for loopback and serving with it. Nothing here is trusted by anyone who was not told to.

use super::IdpError;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

pub(super) struct Certified {
    pub pem: String,
    pub acceptor: TlsAcceptor,
}

impl Certified {
    /// For 127.0.0.1, signed by itself.
    pub(super) fn for_loopback() -> Result<Self, IdpError> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).map_err(key_error)?;
        let key = PrivateKeyDer::try_from(signing_key.serialize_der())
            .map_err(|why| IdpError::Key(why.into()))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(key_error)?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .map_err(key_error)?;
        Ok(Self {
            pem: cert.pem(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }
}

fn key_error(error: impl std::error::Error + Send + Sync + 'static) -> IdpError {
    IdpError::Key(Box::new(error))
}
