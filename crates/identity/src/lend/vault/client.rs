//! Requests to a vault: HashiCorp Vault's HTTP API, which OpenBao shares.
//!
//! Lives here: sending them, bounded in time and size, never redirected. Never: what is kept of an answer, a word of the
//! vault's own in an error (it may repeat what it was sent).

use super::VaultConfig;
use brattice_core::secret::Secret;
use reqwest::{Certificate, Client, Method, StatusCode, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;
use zeroize::Zeroizing;

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Longest wait for a connection.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(2);
/// Longest wait for a whole answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(6);

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
}

/// The way to one vault.
pub(super) struct Http {
    client: Client,
    address: String,
    namespace: Option<String>,
}

impl Http {
    pub(super) fn new(config: &VaultConfig) -> Result<Self, reqwest::Error> {
        let mut client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .https_only(config.address.starts_with("https://"))
            .connect_timeout(CONNECT_WAIT_MAX)
            .timeout(ANSWER_WAIT_MAX)
            .pool_max_idle_per_host(4)
            .user_agent("brattice");
        if let Some(pem) = &config.ca {
            client = client.tls_certs_only(Certificate::from_pem_bundle(pem)?);
        }
        Ok(Self {
            client: client.build()?,
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
        let mut answer = request.send().await.map_err(no_answer)?;
        match answer.status() {
            StatusCode::OK | StatusCode::NO_CONTENT => {}
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => return Err(VaultError::Denied),
            StatusCode::NOT_FOUND => return Err(VaultError::Nothing),
            StatusCode::SERVICE_UNAVAILABLE => return Err(VaultError::Sealed),
            other => return Err(VaultError::Status(other.as_u16())),
        }
        // Sized ahead, so that no half-read copy is left behind unwiped when the buffer grows.
        let mut body = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES_MAX));
        while let Some(chunk) = answer.chunk().await.map_err(no_answer)? {
            if body.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
                return Err(VaultError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer(body))
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

fn no_answer(error: reqwest::Error) -> VaultError {
    let why = if error.is_timeout() {
        "it took too long".to_owned()
    } else {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            text = inner.to_string();
            cause = inner.source();
        }
        text
    };
    VaultError::NoAnswer(why)
}
