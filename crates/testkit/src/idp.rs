//! An OpenID Connect provider in the test's own process, that does as it is told: also what no provider should.
//!
//! Here live its keys, its documents over plain HTTP on loopback, and the making of tokens with any header, claims and
//! signature. Nothing here verifies anything, and nothing here knows the gateway's code.

mod key;
mod serve;
mod tls;
mod token;

#[cfg(test)]
mod tests;

pub use key::SigningKey;
pub use serve::Answer;
pub use token::TokenMaker;

use serde_json::json;
use serve::State;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use tls::Certified;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Where discovery is.
pub const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";
/// Where the keys are.
pub const JWKS_PATH: &str = "/keys";

/// What went wrong in the provider itself.
#[derive(Debug, thiserror::Error)]
pub enum IdpError {
    /// No port could be had.
    #[error("cannot listen on loopback")]
    Listen(#[source] std::io::Error),
    /// A key could not be made.
    #[error("cannot make a key")]
    Key(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A token could not be signed.
    #[error("cannot sign")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// A running provider. Dropping it stops it.
pub struct Idp {
    issuer: String,
    certificate: Option<String>,
    key: SigningKey,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

impl Idp {
    /// Starts one over plain HTTP, with a single ES256 key, `key-1`.
    pub async fn start() -> Result<Self, IdpError> {
        Self::start_on(None).await
    }
    /// The same over HTTPS, with a certificate that nobody else vouches for.
    pub async fn start_tls() -> Result<Self, IdpError> {
        Self::start_on(Some(Certified::for_loopback()?)).await
    }

    async fn start_on(tls: Option<Certified>) -> Result<Self, IdpError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(IdpError::Listen)?;
        let address = listener.local_addr().map_err(IdpError::Listen)?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let issuer = format!("{scheme}://{address}");
        let mut state = State::default();
        state.answers.insert(
            DISCOVERY_PATH.to_owned(),
            Answer::json(&json!({"issuer": issuer, "jwks_uri": format!("{issuer}{JWKS_PATH}")})),
        );
        let state = Arc::new(Mutex::new(state));
        let (certificate, acceptor) = tls.map(|t| (t.pem, t.acceptor)).unzip();
        let idp = Self {
            issuer,
            certificate,
            key: SigningKey::es256("key-1")?,
            server: tokio::spawn(serve::run(listener, acceptor, Arc::clone(&state))),
            state,
        };
        idp.publish(std::slice::from_ref(&idp.key));
        Ok(idp)
    }

    /// The certificate it serves with, in PEM, when it serves over HTTPS.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }
    /// Its issuer: the exact `iss` of its tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
    /// The key it started with.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Serves exactly these keys from now on.
    pub fn publish(&self, keys: &[SigningKey]) {
        let keys: Vec<_> = keys.iter().map(SigningKey::jwk).collect();
        self.answer(JWKS_PATH, Answer::json(&json!({ "keys": keys })));
    }
    /// Answers this path so from now on.
    pub fn answer(&self, path: &str, answer: Answer) {
        self.with(|s| s.answers.insert(path.to_owned(), answer));
    }
    /// Whether connections are dropped without an answer.
    pub fn set_down(&self, down: bool) {
        self.with(|s| s.down = down);
    }
    /// How often a path was asked for, also while down.
    pub fn fetches(&self, path: &str) -> usize {
        self.with(|s| s.fetches.get(path).copied().unwrap_or(0))
    }

    /// A token as it should be, to be spoilt: valid for five minutes from `now`, in seconds since the epoch, for the
    /// audience `brattice`, about `etl-7` in no group.
    pub fn token(&self, now: i64) -> TokenMaker {
        TokenMaker::new(&self.key)
            .claim("iss", self.issuer())
            .claim("aud", "brattice")
            .claim("sub", "etl-7")
            .claim("groups", json!([]))
            .claim("iat", now)
            .claim("exp", now + 300)
            .claim("jti", "token-1")
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Idp {
    fn drop(&mut self) {
        self.server.abort();
    }
}
