//! The gateway's own token at a vault: had by one of three ways, renewed while it can be.
//!
//! Lives here: logging in and how long that is good for. Never: what is read with it.
//!
//! A vault revokes what a token took when the token ends, so whoever holds such a thing asks here how long that is.

use super::client::{Http, VaultError};
use super::{VaultAuth, VaultConfig};
use crate::lend::source::{Plain, SecretFrom};
use brattice_core::secret::Secret;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// A token with less time than this, or than a third of what it was given, is replaced before it is used: what is taken
/// with it would end with it.
const LEFT_MIN: Duration = Duration::from_secs(5);
/// The shortest and the longest wait between two renewals.
const RENEW_EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));

/// A token in use.
pub(super) struct Token {
    pub secret: Secret,
    renewable: bool,
    /// How long it was given; `None` for one that does not end.
    pub time: Option<Duration>,
    /// When it ends; `None` for one that does not.
    ends: Mutex<Option<Instant>>,
}

impl Token {
    /// When it ends, as far as is known now.
    pub(super) fn ends(&self) -> Option<Instant> {
        match self.ends.lock() {
            Ok(ends) => *ends,
            Err(poisoned) => *poisoned.into_inner(),
        }
    }

    pub(super) fn is_good(&self) -> bool {
        let least = self.time.map_or(LEFT_MIN, |time| LEFT_MIN.max(time / 3));
        self.ends().is_none_or(|at| at > Instant::now() + least)
    }

    fn set_end(&self, at: Option<Instant>) {
        match self.ends.lock() {
            Ok(mut ends) => *ends = at,
            Err(poisoned) => *poisoned.into_inner() = at,
        }
    }
}

#[derive(Deserialize)]
struct LoggedIn {
    auth: Granted,
}

#[derive(Deserialize)]
struct Granted {
    client_token: String,
    lease_duration: u64,
    renewable: bool,
}

#[derive(Deserialize)]
struct LookedUp {
    data: Known,
}

#[derive(Deserialize)]
struct Known {
    ttl: u64,
    renewable: Option<bool>,
}

/// Logs in.
pub(super) async fn log_in(
    http: &Arc<Http>,
    config: &VaultConfig,
    plain: &Plain,
) -> Result<Arc<Token>, VaultError> {
    let begun = Instant::now();
    let text = |secret: &Secret| {
        secret
            .expose_str()
            .map(str::to_owned)
            .ok_or_else(|| VaultError::Credential("a credential for it is not text".to_owned()))
    };
    let (path, body) = match &config.auth {
        VaultAuth::Token(from) => {
            let secret = line(plain, from).await?;
            let path = "auth/token/lookup-self";
            let answer = http.send(Method::GET, path, Some(&secret), None).await?;
            let known: LookedUp = answer.read()?;
            let (ttl, renewable) = (known.data.ttl, known.data.renewable.unwrap_or(false));
            return Ok(keep(http, secret, ttl, renewable, begun));
        }
        VaultAuth::AppRole {
            mount,
            role_id,
            secret_id,
        } => {
            let role_id = text(&line(plain, role_id).await?)?;
            let secret_id = text(&line(plain, secret_id).await?)?;
            let body = json!({ "role_id": role_id, "secret_id": secret_id });
            (format!("auth/{mount}/login"), body)
        }
        VaultAuth::Jwt { mount, role, token } => {
            let jwt = text(&line(plain, token).await?)?;
            (
                format!("auth/{mount}/login"),
                json!({ "role": role, "jwt": jwt }),
            )
        }
    };
    let answer = http.send(Method::POST, &path, None, Some(&body)).await?;
    let LoggedIn { auth } = answer.read()?;
    let secret = Secret::new(auth.client_token);
    Ok(keep(
        http,
        secret,
        auth.lease_duration,
        auth.renewable,
        begun,
    ))
}

async fn line(plain: &Plain, from: &SecretFrom) -> Result<Secret, VaultError> {
    plain.line(from).await.map_err(VaultError::Credential)
}

/// A new token, renewed in the background for as long as somebody has it.
fn keep(
    http: &Arc<Http>,
    secret: Secret,
    seconds: u64,
    renewable: bool,
    begun: Instant,
) -> Arc<Token> {
    // No time at all is how a vault says that a token does not end.
    let time = (seconds > 0).then(|| Duration::from_secs(seconds));
    let ends = time.map(|time| begun + time);
    let token = Arc::new(Token {
        secret,
        renewable,
        time,
        ends: Mutex::new(ends),
    });
    if token.renewable && ends.is_some() {
        tokio::spawn(renew(http.clone(), Arc::downgrade(&token)));
    }
    token
}

async fn renew(http: Arc<Http>, token: Weak<Token>) {
    loop {
        let Some(ends) = token.upgrade().and_then(|t| t.ends()) else {
            return;
        };
        let left = ends.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep((left / 2).clamp(RENEW_EVERY.0, RENEW_EVERY.1)).await;
        let Some(token) = token.upgrade() else {
            return;
        };
        let begun = Instant::now();
        let (path, body) = ("auth/token/renew-self", json!({}));
        let answer = http
            .send(Method::POST, path, Some(&token.secret), Some(&body))
            .await;
        match answer.and_then(|a| a.read::<LoggedIn>()) {
            Ok(LoggedIn { auth }) if auth.lease_duration > 0 => {
                token.set_end(Some(begun + Duration::from_secs(auth.lease_duration)));
            }
            Ok(_) => return,
            Err(VaultError::Denied) => {
                // It is no longer a token: what was taken with it is gone as well.
                token.set_end(Some(begun));
                return;
            }
            Err(why) => tracing::warn!(%why, "the token of a vault could not be renewed yet"),
        }
    }
}
