//! Requests to a vault: HashiCorp Vault's HTTP API, which OpenBao shares.
//!
//! Lives here: sending them, bounded in time and size, never redirected. Never: what is kept of an answer, a word of the
//! vault's own in an error (it may repeat what it was sent).

use super::VaultConfig;
use crate::lend::web::{self, NoAnswer};
use brattice_core::secret::Secret;
use reqwest::{Client, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

/// Why a vault gave nothing; for the operator.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum VaultError {
    #[error("it did not answer: {0}")]
    NoAnswer(String),
    #[error("it is sealed or not ready")]
    Sealed,
    #[error("it denied the request")]
    Denied,
    #[error("it has nothing there")]
    Nothing,
    #[error("it answered {0}; its own log says why")]
    Status(u16),
    #[error("its answer is too large")]
    TooLarge,
    #[error("its answer is not what it should be: {0}")]
    Unexpected(&'static str),
    #[error("{0}")]
    Credential(String),
    #[error(
        "it does not sign; its role has to exist and to let users be certified as `{0}` for five minutes, with permit-pty and permit-port-forwarding"
    )]
    NotSigned(String),
}

/// The way to one vault.
pub(super) struct Http {
    client: Client,
    address: String,
    namespace: Option<String>,
}

impl Http {
    pub(super) fn new(config: &VaultConfig) -> Result<Self, reqwest::Error> {
        let clear = !config.address.starts_with("https://");
        Ok(Self {
            client: web::client(config.ca.as_deref(), clear)?,
            address: config.address.trim_end_matches('/').to_owned(),
            namespace: config.namespace.clone(),
        })
    }

    /// A request.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret>,
        body: Option<&Value>,
    ) -> Result<Answer, VaultError> {
        let url = format!("{}/v1/{path}", self.address);
        let mut request = self
            .client
            .request(method, url)
            // Asked for by agents that stand before a vault, so that they cannot be reached through a browser.
            .header("x-vault-request", "true");
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        if let Some(token) = token {
            let mut value = reqwest::header::HeaderValue::from_bytes(token.expose())
                .map_err(|_| VaultError::Credential("its token is no token".to_owned()))?;
            value.set_sensitive(true);
            request = request.header("x-vault-token", value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let sent = request.send().await;
        let answer = sent.map_err(|e| VaultError::NoAnswer(web::why(e)))?;
        match answer.status() {
            StatusCode::OK | StatusCode::NO_CONTENT => {}
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => return Err(VaultError::Denied),
            StatusCode::NOT_FOUND => return Err(VaultError::Nothing),
            StatusCode::SERVICE_UNAVAILABLE => return Err(VaultError::Sealed),
            other => return Err(VaultError::Status(other.as_u16())),
        }
        match web::whole(answer).await {
            Ok(body) => Ok(Answer(body)),
            Err(NoAnswer::Broken(why)) => Err(VaultError::NoAnswer(why)),
            Err(NoAnswer::TooLarge) => Err(VaultError::TooLarge),
        }
    }
}

/// What a vault answered; wiped when dropped.
pub(super) struct Answer(Zeroizing<Vec<u8>>);

impl Answer {
    /// Reads it as what it should be.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, VaultError> {
        serde_json::from_slice(&self.0)
            .map_err(|_| VaultError::Unexpected("it lacks what was asked for"))
    }
}
