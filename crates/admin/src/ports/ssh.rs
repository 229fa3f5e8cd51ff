//! The port of SSH: certificates of callers' keys, and what the listener is known by.
//!
//! Lives here: the trait, what it takes and returns. Never: an implementation, HTTP.

use super::CreateError;
use brattice_core::ids::CredentialId;
use brattice_core::ports::{Bounds, BoxFuture};
use brattice_core::principal::Identity;
use brattice_core::time::Timestamp;
use std::time::Duration;

/// What is asked for a key.
#[derive(Debug, Clone)]
pub struct Certify {
    /// The target it shall open.
    pub target: String,
    /// The public key, as a `.pub` file has it.
    pub public_key: String,
    /// For so long at most.
    pub lifetime: Duration,
    /// And what it is bound to.
    pub bounds: Bounds,
}

/// A certificate. It is no secret: it is worth nothing without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// The credential that it belongs to.
    pub id: CredentialId,
    /// The certificate, as a `-cert.pub` file has it.
    pub certificate: String,
    /// The user names that it is good for; the first is the usual one.
    pub users: Vec<String>,
    /// The target it is for.
    pub target: String,
    /// Where to connect: the host.
    pub host: String,
    /// And the port.
    pub port: u16,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The listener for SSH, and what is behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshFront {
    /// The host that callers connect to.
    pub host: String,
    /// And the port.
    pub port: u16,
    /// The public key that signs the listener's certificate.
    pub host_ca: String,
    /// The listener's own public key, for clients that know no authorities.
    pub host_key: String,
    /// The public key that signs callers' certificates.
    pub user_ca: String,
    /// The public key that signs the gateway's logins at hosts.
    pub target_ca: String,
    /// All hosts.
    pub targets: Vec<SshHost>,
}

/// A target that is a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshHost {
    /// Its name.
    pub name: String,
    /// The accounts that may be asked for; the first is the usual one.
    pub accounts: Vec<String>,
    /// Whether the gateway logs in there with a certificate of its own.
    pub is_certified: bool,
}

/// SSH.
pub trait SshApi: Send + Sync {
    /// The fingerprint of a public key that may be certified; else why it may not, for the caller.
    fn fingerprint(&self, public_key: &str) -> Result<String, String>;
    /// Mints a credential that is bound to a key, and certifies the key with it. It never lives longer than the identity's
    /// own proof.
    fn certify<'a>(
        &'a self,
        who: &'a Identity,
        asked: Certify,
    ) -> BoxFuture<'a, Result<Certified, CreateError>>;
    /// The listener; nothing where there is none.
    fn front(&self) -> Option<SshFront>;
}
