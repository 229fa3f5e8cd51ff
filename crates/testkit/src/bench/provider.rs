//! Who proves who somebody is: an identity provider on loopback, and credentials that the gateway mints for its tokens.
//!
//! Here live the tokens of those who are measured. Nothing here decides what they may do.

use super::error::{BenchError, During};
use crate::gateway::Gateway;
use crate::idp::Idp;
use crate::postgres::random_hex;
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;

/// How long a minted credential is good for.
const MINTED_SECONDS: u32 = 900;

/// The provider, with what it runs on.
pub(super) struct Provider {
    idp: Idp,
    _runtime: Runtime,
}

impl Provider {
    pub fn start() -> Result<Provider, BenchError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .during("starting the identity provider")?;
        let idp = runtime.block_on(Idp::start())?;
        Ok(Provider {
            idp,
            _runtime: runtime,
        })
    }

    /// As a bundle names it.
    pub fn issuer(&self) -> (String, String) {
        ("dev".to_owned(), self.idp.issuer().to_owned())
    }

    /// A token for somebody, good for the hour that a bundle's default allows.
    pub fn proof(&self, subject: &str, kind: &str, groups: &[&str]) -> Result<String, BenchError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX));
        let token = self
            .idp
            .token(now)
            .claim("sub", subject)
            .claim("kind", kind)
            .claim("groups", json!(groups))
            .claim("exp", now + 3600)
            .claim("jti", random_hex()?);
        Ok(token.sign()?)
    }
}

/// A user name and a password.
pub(super) struct Minted {
    pub user: String,
    pub password: String,
}

/// Has the gateway mint a credential for a target.
pub(super) fn mint(gateway: &Gateway, token: &str, target: &str) -> Result<Minted, BenchError> {
    let wanted = json!({"target": target, "ttl_seconds": MINTED_SECONDS});
    let reply = gateway.api("POST", "/api/v1/credentials", token, Some(&wanted))?;
    let minted = reply.json();
    let text = |name: &str| Some(minted.get(name)?.as_str()?.to_owned());
    match (text("user"), text("password")) {
        (Some(user), Some(password)) => Ok(Minted { user, password }),
        _ => Err(BenchError::Wrong(format!(
            "no credential was minted: status {}",
            reply.status
        ))),
    }
}
