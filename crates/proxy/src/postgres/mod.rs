//! PostgreSQL: from `accept` to the target and back.
//!
//! Lives here: the service and its parts, in the order of a connection's life: [`serve`] (opening, login, admission),
//! [`dial`] (the target), [`pump`] (the session). Never: what a statement does.

pub mod cancel;
pub mod catalogue;
pub mod dial;
mod login;
pub mod own;
mod pump;
mod serve;

use crate::endpoint::Endpoints;
use crate::live::Live;
use arc_swap::ArcSwap;
use brattice_core::gate::Gate;
use brattice_core::ids::{Digest, SessionId};
use brattice_core::ports::{Authenticator, CredentialSource, Randomness, Recordings};
use brattice_core::record::Header;
pub use brattice_wire::Limits;
use brattice_wire::postgres::end_point::tls_server_end_point;
use cancel::Cancels;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

/// What clients are offered for encryption.
#[derive(Clone)]
pub struct ListenerTls {
    /// The acceptor.
    pub acceptor: TlsAcceptor,
    /// `tls-server-end-point` data of our certificate (RFC 5929).
    pub end_point: Option<Vec<u8>>,
}

impl ListenerTls {
    /// Offers this certificate, given as DER.
    pub fn new(acceptor: TlsAcceptor, certificate: &[u8]) -> Self {
        Self {
            acceptor,
            end_point: tls_server_end_point(certificate),
        }
    }
}

/// Where a client that speaks OAUTHBEARER is told to get its token (RFC 7628).
#[derive(Debug, Clone, Default)]
pub struct OauthDiscovery {
    /// The provider's discovery document.
    pub configuration_url: String,
    /// The scope to ask for.
    pub scope: String,
}

/// Everything a PostgreSQL connection needs.
pub struct Service {
    /// The gate.
    pub gate: Arc<Gate>,
    /// Who proves callers.
    pub authenticator: Arc<dyn Authenticator>,
    /// Who lends targets' credentials.
    pub lender: Arc<dyn CredentialSource>,
    /// Where recordings go.
    pub recordings: Arc<dyn Recordings>,
    /// Targets' addresses.
    pub endpoints: Arc<Endpoints>,
    /// Open sessions.
    pub live: Arc<Live>,
    /// Cancel keys of open sessions.
    pub cancels: Arc<Cancels>,
    /// Told about sessions that open and close.
    pub witness: Arc<dyn Witness>,
    /// Random bytes.
    pub randomness: Arc<dyn Randomness>,
    /// TLS towards clients, unless there is none. A connection keeps what it began with.
    pub tls: Option<Arc<ArcSwap<ListenerTls>>>,
    /// Whether clients are asked for a certificate, as the bundle in force has it.
    pub certificates_asked: Arc<AtomicBool>,
    /// Whether a token in clear is taken over loopback.
    pub plaintext_loopback: bool,
    /// Where OAUTHBEARER clients get their token, if offered.
    pub oauth: Option<OauthDiscovery>,
    /// Bounds of messages.
    pub limits: Limits,
    /// How long opening and login may take.
    pub login_max: Duration,
    /// Key of the exchange that unknown users go through.
    pub mock_key: [u8; 32],
}

/// Told about sessions, to keep the list that outlives them.
pub trait Witness: Send + Sync {
    /// A session opened.
    fn opened(&self, header: &Header);
    /// It closed.
    fn closed(&self, id: &SessionId, reason: &str, commands: u64, recording: Option<Digest>);
}
