//! Fetching a provider's documents.
//!
//! Lives here: discovery, the key set and the token endpoint over HTTPS, bounded in time and size, never redirected.
//! Never: when to fetch, what becomes of the keys, what is asked at the token endpoint.

use super::config::{IssuerConfig, checked_url};
use super::json;
use super::jwks::KeySet;
use brattice_core::secret::Secret;
use reqwest::{Certificate, Client, RequestBuilder, StatusCode, Url, redirect};
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

/// Where a provider is asked what, as its discovery document has it (OpenID Connect Discovery, section 3).
#[derive(Clone)]
pub(super) struct Endpoints {
    pub keys: Url,
    pub authorization: Option<Url>,
    pub token: Option<Url>,
    pub userinfo: Option<Url>,
    /// Whether a client may prove itself by HTTP's Basic scheme; what is meant when nothing is said.
    pub takes_basic: bool,
    /// Whether it names itself in the answer to the browser (RFC 9207).
    pub names_itself: bool,
}

/// How a request proves whose it is.
pub(super) enum Proof<'a> {
    None,
    /// A client's name and secret (RFC 6749, section 2.3.1).
    Basic(&'a str, &'a Secret),
    /// An access token (RFC 6750).
    Bearer(&'a Secret),
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
            None => self.endpoints().await?.keys,
        };
        let keys = KeySet::read(&self.get(uri).await?).ok_or(FetchError::NotAKeySet)?;
        if keys.len() == 0 {
            return Err(FetchError::NoKeys);
        }
        Ok(keys)
    }

    /// Asks the provider where it is asked what (OpenID Connect Discovery, section 4).
    pub(super) async fn endpoints(&self) -> Result<Endpoints, FetchError> {
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
        let url = |name: &str| {
            text(name)
                .map(|uri| checked_url(uri, self.allow_loopback_http))
                .transpose()
                .map_err(FetchError::Discovery)
        };
        let methods = document.get("token_endpoint_auth_methods_supported");
        Ok(Endpoints {
            keys: url("jwks_uri")?.ok_or(FetchError::Discovery("it has no jwks_uri"))?,
            authorization: url("authorization_endpoint")?,
            token: url("token_endpoint")?,
            userinfo: url("userinfo_endpoint")?,
            takes_basic: methods.and_then(Value::as_array).is_none_or(|methods| {
                methods
                    .iter()
                    .any(|m| m.as_str() == Some("client_secret_basic"))
            }),
            names_itself: document
                .get("authorization_response_iss_parameter_supported")
                .and_then(Value::as_bool)
                .unwrap_or(false),
        })
    }

    /// Sends a form. The status is the caller's to judge: refusals come with a document, too.
    pub(super) async fn post(
        &self,
        url: Url,
        form: String,
        proof: Proof<'_>,
    ) -> Result<(StatusCode, Vec<u8>), FetchError> {
        let request = self
            .client
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        self.send(proven(request, proof)).await
    }

    /// Fetches a document that an access token opens.
    pub(super) async fn get_with(&self, url: Url, token: &Secret) -> Result<Vec<u8>, FetchError> {
        let request = proven(self.client.get(url), Proof::Bearer(token));
        accepted(self.send(request).await?)
    }

    async fn get(&self, url: Url) -> Result<Vec<u8>, FetchError> {
        accepted(self.send(self.client.get(url)).await?)
    }

    async fn send(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), FetchError> {
        let request = request.header("accept", "application/json");
        let mut answer = request.send().await.map_err(FetchError::NoAnswer)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(FetchError::NoAnswer)? {
            if body.len().saturating_add(chunk.len()) > DOCUMENT_BYTES_MAX {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok((answer.status(), body))
    }
}

fn accepted((status, body): (StatusCode, Vec<u8>)) -> Result<Vec<u8>, FetchError> {
    if status == StatusCode::OK {
        Ok(body)
    } else {
        Err(FetchError::Status(status))
    }
}

fn proven(request: RequestBuilder, proof: Proof<'_>) -> RequestBuilder {
    match proof {
        Proof::None => request,
        Proof::Basic(id, secret) => {
            // RFC 6749, section 2.3.1: each part is form-encoded before it is put together.
            let part =
                |bytes: &[u8]| url::form_urlencoded::byte_serialize(bytes).collect::<String>();
            request.basic_auth(part(id.as_bytes()), Some(part(secret.expose())))
        }
        Proof::Bearer(token) => request.bearer_auth(String::from_utf8_lossy(token.expose())),
    }
}
