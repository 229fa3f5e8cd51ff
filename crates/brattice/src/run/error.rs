//! Why the gateway does not start, or a bundle is not applied.

use brattice_identity::oidc::OidcError;
use brattice_proxy::tls;
use std::path::PathBuf;

/// Why the gateway cannot start, or a bundle cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The bundle is wrong in ways that only its parts can tell.
    #[error("the bundle cannot be applied:\n  {}", .0.join("\n  "))]
    Bundle(Vec<String>),
    /// A file or a directory cannot be used.
    #[error("{} cannot be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A secret is not there.
    #[error("{what} is not there: {why}")]
    Secret {
        /// Which.
        what: String,
        /// Why.
        why: String,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The audit log cannot be opened or written.
    #[error("the audit log cannot be used")]
    Audit(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The recordings cannot be opened.
    #[error("the recordings cannot be opened")]
    Recordings(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The keys of access tokens cannot be had.
    #[error("the keys of access tokens cannot be had")]
    TokenKeys(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database cannot be opened.
    #[error("the database cannot be opened")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The providers cannot be set up.
    #[error(transparent)]
    Identity(#[from] OidcError),
    /// The machine gave no random bytes.
    #[error("there are no random bytes")]
    Randomness(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A key of the gateway's own for SSH cannot be used.
    #[error("{} is no key that this gateway can use for SSH: an unencrypted Ed25519 or ECDSA key as ssh-keygen writes it", path.display())]
    SshKey {
        /// Where it is.
        path: PathBuf,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Two of the gateway's own keys for SSH are one.
    #[error(
        "host_key, host_ca, user_ca and target_ca of listen.ssh are not four keys: who trusts one would trust another with it"
    )]
    OneKeyForAll,
    /// The certificate of the listener for SSH cannot be made.
    #[error("the certificate of the SSH listener cannot be made")]
    SshCertificate(#[source] brattice_identity::ssh::SshError),
    /// There are no threads for sessions.
    #[error("the threads that sessions run on cannot be started")]
    Threads(#[source] std::io::Error),
    /// A port cannot be had.
    #[error("the {what} listener cannot be opened at {address}: {cause}{}", hint(*address, cause))]
    Listen {
        /// Which listener.
        what: &'static str,
        /// Where.
        address: std::net::SocketAddr,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
}

/// What to do about it.
fn hint(address: std::net::SocketAddr, cause: &std::io::Error) -> String {
    match cause.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "\n  another program listens on port {} (`ss -ltnp` tells which): stop it, or choose another port in the \
             bundle's [listen] or, with `brattice dev`, by --port and --api-port",
            address.port()
        ),
        _ => String::new(),
    }
}

/// Puts a cause aside as it is.
pub(super) fn boxed<E: std::error::Error + Send + Sync + 'static>(
    error: E,
) -> Box<dyn std::error::Error + Send + Sync> {
    Box::new(error)
}

/// What went wrong, with whatever lies behind it.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut deeper = error.source();
    while let Some(cause) = deeper {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        deeper = cause.source();
    }
    text
}
