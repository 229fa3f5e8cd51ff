//! Fetching a provider's documents.
//!
//! Lives here: discovery and the key set over HTTPS, bounded in time and size, never redirected. Never: when to
//! fetch, what becomes of the keys.

use super::config::{IssuerConfig, checked_url};
use super::json;
use super::jwks::KeySet;
use reqwest::{Certificate, Client, StatusCode, Url, redirect};
use serde_json::Value;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Largest document that is read.
const DOCUMENT_BYTES_MAX: usize = 512 * 1024;
/// Longest wait for a connection.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(2);
/// Longest wait for a whole document.
const DOCUMENT_WAIT_MAX: Duration = Duration::from_secs(4);

/// Why a document could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the provider did not answer")]
    NoAnswer(#[source] reqwest::Error),
    #[error("the provider answered {0}")]
    Status(StatusCode),
    #[error("the provider's answer is too large")]
    TooLarge,
    #[error("the discovery document is not what it should be: {0}")]
    Discovery(&'static str),
    #[error("the key set is not one")]
    NotAKeySet,
    #[error("the key set has no usable key")]
    NoKeys,
}

/// Fetches one provider's documents.
pub(super) struct Fetcher {
    client: Client,
    issuer: String,
    jwks_uri: Option<Url>,
    allow_loopback_http: bool,
}

impl Fetcher {
    /// A client for this provider alone.
    pub(super) fn new(config: &IssuerConfig) -> Result<Self, reqwest::Error> {
        let loopback: [SocketAddr; 2] = [
            (Ipv4Addr::LOCALHOST, 0).into(),
            (Ipv6Addr::LOCALHOST, 0).into(),
        ];
        let mut client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .https_only(!config.allow_loopback_http)
            .connect_timeout(CONNECT_WAIT_MAX)
            .timeout(DOCUMENT_WAIT_MAX)
            .pool_max_idle_per_host(0)
            .resolve_to_addrs("localhost", &loopback)
            .user_agent("brattice");
        if let Some(pem) = &config.ca {
            client = client.tls_certs_only(Certificate::from_pem_bundle(pem)?);
        }
        let jwks_uri = config
            .jwks_uri
            .as_deref()
            .and_then(|uri| checked_url(uri, config.allow_loopback_http).ok());
        Ok(Self {
            client: client.build()?,
            issuer: config.issuer.clone(),
            jwks_uri,
            allow_loopback_http: config.allow_loopback_http,
        })
    }

    /// The provider's keys as they are now.
    pub(super) async fn keys(&self) -> Result<KeySet, FetchError> {
        let uri = match &self.jwks_uri {
            Some(uri) => uri.clone(),
            None => self.discover().await?,
        };
        let keys = KeySet::read(&self.get(uri).await?).ok_or(FetchError::NotAKeySet)?;
        if keys.len() == 0 {
            return Err(FetchError::NoKeys);
        }
        Ok(keys)
    }

    /// Asks the provider where its keys are (OpenID Connect Discovery, section 4).
    async fn discover(&self) -> Result<Url, FetchError> {
        let address = format!(
            "{}/.well-known/openid-configuration",
            self.issuer.trim_end_matches('/')
        );
        let address =
            checked_url(&address, self.allow_loopback_http).map_err(FetchError::Discovery)?;
        let document = json::object(&self.get(address).await?)
            .ok_or(FetchError::Discovery("it is not one JSON object"))?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        if text("issuer") != Some(self.issuer.as_str()) {
            return Err(FetchError::Discovery("it is another issuer's"));
        }
        let uri = text("jwks_uri").ok_or(FetchError::Discovery("it has no jwks_uri"))?;
        checked_url(uri, self.allow_loopback_http).map_err(FetchError::Discovery)
    }

    async fn get(&self, url: Url) -> Result<Vec<u8>, FetchError> {
        let request = self.client.get(url).header("accept", "application/json");
        let mut answer = request.send().await.map_err(FetchError::NoAnswer)?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(FetchError::NoAnswer)? {
            if body.len().saturating_add(chunk.len()) > DOCUMENT_BYTES_MAX {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}
