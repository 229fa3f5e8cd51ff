//! Minted credentials.

use crate::ports::{CredentialView, Minted};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A wish for a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialRequest {
    /// The target it shall open.
    pub target: String,
    /// How long it shall live, in seconds. It never outlives the token it is asked for with.
    pub ttl_seconds: u64,
    /// It opens one session, and no other.
    #[serde(default)]
    pub single_use: bool,
    /// It opens sessions from these addresses alone: `10.0.0.7`, `10.0.0.0/24`, `2001:db8::/32`. From anywhere when empty.
    #[serde(default)]
    pub from: Vec<String>,
}

/// A credential, told once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialBody {
    /// Its id.
    pub id: String,
    /// The user name.
    pub user: String,
    /// The password. It is told here and never again.
    pub password: String,
    /// The target it opens.
    pub target: String,
    /// Where to connect.
    pub host: String,
    /// At which port.
    pub port: u16,
    /// The database to name; a host has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// When it ends (RFC 3339).
    pub expires_at: String,
}

impl std::fmt::Debug for CredentialBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialBody")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl CredentialBody {
    /// `None` when the password is not text, which minted ones are.
    pub fn of(m: &Minted) -> Option<Self> {
        Some(Self {
            id: m.id.to_string(),
            user: m.user.clone(),
            password: m.password.expose_str()?.to_owned(),
            target: m.target.clone(),
            host: m.host.clone(),
            port: m.port,
            database: m.database.clone(),
            expires_at: m.expires_at.to_string(),
        })
    }
}

/// A credential that is good now. Its password is not known any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialLineBody {
    /// Its id, which is the user name as well.
    pub id: String,
    /// Whose it is: the whole chain.
    pub who: String,
    /// The target it opens.
    pub target: String,
    /// When it was minted (RFC 3339).
    pub issued_at: String,
    /// When it ends (RFC 3339).
    pub expires_at: String,
}

impl From<&CredentialView> for CredentialLineBody {
    fn from(c: &CredentialView) -> Self {
        Self {
            id: c.id.to_string(),
            who: c.chain.to_string(),
            target: c.target.clone(),
            issued_at: c.issued_at.to_string(),
            expires_at: c.expires_at.to_string(),
        }
    }
}

/// Credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialsBody {
    /// The newest first.
    pub credentials: Vec<CredentialLineBody>,
}
