//! SSH: certificates, and where to go with them.

use crate::ports::{Certified, SshFront, SshHost};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A wish for a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateRequest {
    /// The target it shall open.
    pub target: String,
    /// The public key that shall be certified, as in `ssh-ed25519 AAAA…`: Ed25519 or ECDSA.
    pub public_key: String,
    /// How long it shall be good, in seconds. It never outlives the token it is asked for with.
    pub ttl_seconds: u64,
    /// It opens one session, and no other.
    #[serde(default)]
    pub single_use: bool,
    /// It opens sessions from these addresses alone: `10.0.0.7`, `10.0.0.0/24`, `2001:db8::/32`. From anywhere when empty.
    #[serde(default)]
    pub from: Vec<String>,
}

/// A certificate, and where to show it. It is no secret: it is worth nothing without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateBody {
    /// The id of the credential that it belongs to, by which it is listed and revoked.
    pub id: String,
    /// The certificate, as a `-cert.pub` file has it.
    pub certificate: String,
    /// The user names that it is good for; the first is the usual one.
    pub users: Vec<String>,
    /// The target it opens.
    pub target: String,
    /// Where to connect.
    pub host: String,
    /// At which port.
    pub port: u16,
    /// When it ends (RFC 3339).
    pub expires_at: String,
}

impl From<&Certified> for CertificateBody {
    fn from(c: &Certified) -> Self {
        Self {
            id: c.id.to_string(),
            certificate: c.certificate.clone(),
            users: c.users.clone(),
            target: c.target.clone(),
            host: c.host.clone(),
            port: c.port,
            expires_at: c.expires_at.to_string(),
        }
    }
}

/// What the caller may reach with SSH, and how the gateway is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SshBody {
    /// Where to connect.
    pub host: String,
    /// At which port.
    pub port: u16,
    /// The public key that certifies the listener: for a line of `known_hosts` that begins with `@cert-authority`.
    pub host_ca: String,
    /// The listener's own public key, for clients that know no authorities.
    pub host_key: String,
    /// The public key that signs callers' certificates.
    pub user_ca: String,
    /// The public key that signs the gateway's own logins at hosts: for their `TrustedUserCAKeys`.
    pub target_ca: String,
    /// The hosts that the caller may connect to.
    pub targets: Vec<SshTargetBody>,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SshTargetBody {
    /// The target's name.
    pub target: String,
    /// The accounts that may be asked for, as `ACCOUNT@TARGET`; the first is the usual one.
    pub accounts: Vec<String>,
    /// Whether the gateway logs in there with a certificate of its own.
    pub certified: bool,
}

impl SshBody {
    /// The listener, and these of its hosts.
    pub fn of(front: &SshFront, open: impl Fn(&SshHost) -> bool) -> Self {
        let targets = front.targets.iter().filter(|t| open(t));
        Self {
            host: front.host.clone(),
            port: front.port,
            host_ca: front.host_ca.clone(),
            host_key: front.host_key.clone(),
            user_ca: front.user_ca.clone(),
            target_ca: front.target_ca.clone(),
            targets: targets
                .map(|t| SshTargetBody {
                    target: t.name.clone(),
                    accounts: t.accounts.clone(),
                    certified: t.is_certified,
                })
                .collect(),
        }
    }
}
