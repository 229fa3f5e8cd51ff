//! People signing in at the gateway: the authorization server that the command line and the console are clients of
//! (OAuth 2.1), with the company's providers behind it.
//!
//! Lives here: what happens between a client's request and its token: the browser's way (`browser`), the ways without a
//! browser (`device`, `over_ssh`), what a client gets (`grant`), and how each step is kept (`step`). Never: HTTP, pages,
//! storage, rules.
//!
//! A person is `(issuer, subject)`, as their provider says. Every handle is 256 random bits, kept by its digest, good once,
//! and, where a browser brings it, only together with the cookie of the browser that began.

mod browser;
mod client;
mod device;
mod grant;
mod over_ssh;
mod posted;
mod step;
mod store;

pub use browser::{Answered, AskedBy, Authorize, Callback, Choice, Confirm, Next};
pub use client::CLI;
pub use device::{DEVICE_INTERVAL, DeviceCodes};
pub use grant::Given;
pub use over_ssh::{LOGIN_CHARS_MAX, SshCode, is_login};
pub use store::{LoginStore, NewSignIn, SignInRow, StillGood, Turned};

use crate::lend::{SealError, SealingKeys};
use crate::oidc::{Oidc, SignInFailed};
use crate::saml::{SamlProvider, SamlRefused};
use crate::sts::{NoKey, OwnTokens};
use crate::throttle::Throttle;
use arc_swap::ArcSwap;
use brattice_core::ports::{Randomness, RecordFailed, StoreError};
use brattice_core::time::{Clock, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a person may take to sign in.
pub const SIGN_IN_WAIT_MAX: Duration = Duration::from_secs(600);

/// Why a step was not taken. The names are those of RFC 6749, sections 4.1.2.1 and 5.2, and RFC 8628, section 3.5.
#[derive(Debug, thiserror::Error)]
pub enum No {
    /// `invalid_request`.
    #[error("{0}")]
    Request(&'static str),
    /// `invalid_client`: no client of this name, or not with this address.
    #[error("{0}")]
    Client(&'static str),
    /// `invalid_grant`: the code, the device code or the refresh token is not good, or no longer.
    #[error("{0}")]
    Grant(&'static str),
    /// `invalid_grant` as well, and a sign-in was ended over it.
    #[error("a sign-in is ended: {}", .0.why)]
    Ended(Box<Ending>),
    /// `access_denied`: the person, or their provider, said no. The text is for the operator's log.
    #[error("{0}")]
    Denied(String),
    /// `authorization_pending`.
    #[error("nobody has answered yet")]
    Pending,
    /// `slow_down`.
    #[error("asked too often")]
    SlowDown,
    /// `expired_token`.
    #[error("the device code has ended")]
    Expired,
    /// Too many attempts from this source.
    #[error("too many attempts")]
    Throttled,
    /// `temporarily_unavailable`. The text is for the operator's log.
    #[error("{0}")]
    Unavailable(String),
}

/// A sign-in that was ended without its person's doing, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Which.
    pub sign_in: String,
    /// Whose.
    pub chain: String,
    /// Why, for the operator.
    pub why: String,
}

impl From<StoreError> for No {
    fn from(why: StoreError) -> Self {
        Self::Unavailable(format!("{why}: {}", why.cause))
    }
}

impl From<RecordFailed> for No {
    fn from(why: RecordFailed) -> Self {
        Self::Unavailable(why.to_string())
    }
}

impl From<SealError> for No {
    fn from(why: SealError) -> Self {
        Self::Unavailable(why.to_string())
    }
}

impl From<NoKey> for No {
    fn from(why: NoKey) -> Self {
        Self::Unavailable(why.to_string())
    }
}

impl From<SignInFailed> for No {
    fn from(why: SignInFailed) -> Self {
        match why {
            SignInFailed::Unavailable(why) => Self::Unavailable(why),
            why => Self::Denied(why.to_string()),
        }
    }
}

impl From<SamlRefused> for No {
    fn from(why: SamlRefused) -> Self {
        Self::Denied(why.to_string())
    }
}

/// What signing in needs from the rest.
pub struct LoginParts {
    /// The providers.
    pub oidc: Arc<Oidc>,
    /// The maker of the tokens that clients get.
    pub own: Arc<OwnTokens>,
    /// Where steps and sign-ins are kept.
    pub store: Arc<dyn LoginStore>,
    /// Whether somebody was revoked since.
    pub still_good: Arc<dyn StillGood>,
    /// Seals what is kept.
    pub sealing: Arc<SealingKeys>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For handles.
    pub randomness: Arc<dyn Randomness>,
}

/// The authorization server.
pub struct Logins {
    parts: LoginParts,
    /// Providers that speak SAML, by name.
    saml: ArcSwap<BTreeMap<String, Arc<SamlProvider>>>,
    /// Longest life of a sign-in, in seconds.
    sign_in_seconds: AtomicU64,
    /// Longest life of an access token, in seconds.
    token_seconds: AtomicU64,
    /// Guesses of user codes, by source.
    guesses: Throttle,
}

impl Logins {
    /// Puts it together.
    pub fn new(parts: LoginParts) -> Self {
        Self {
            parts,
            saml: ArcSwap::default(),
            sign_in_seconds: AtomicU64::new(0),
            token_seconds: AtomicU64::new(0),
            guesses: Throttle::new(device::GUESSES),
        }
    }

    /// Takes the bounds of a bundle: how long a sign-in lasts, and an access token.
    pub fn set_lifetimes(&self, sign_in: Duration, token: Duration) {
        self.sign_in_seconds
            .store(sign_in.as_secs(), Ordering::Release);
        self.token_seconds.store(token.as_secs(), Ordering::Release);
    }

    /// Takes the SAML providers of a bundle.
    pub fn set_saml(&self, providers: Vec<SamlProvider>) {
        let by_name = providers
            .into_iter()
            .map(|p| (p.config().name.clone(), Arc::new(p)));
        self.saml.store(Arc::new(by_name.collect()));
    }

    fn saml(&self, issuer: &str) -> Option<Arc<SamlProvider>> {
        self.saml.load().get(issuer).cloned()
    }

    /// What a SAML provider's operator needs to know of us, as metadata.
    pub fn metadata(&self, issuer: &str) -> Option<String> {
        self.saml(issuer).map(|p| p.metadata())
    }

    /// The providers that people sign in by, by name.
    pub fn providers(&self) -> Vec<String> {
        let mut names = self.parts.oidc.sign_in_providers();
        names.extend(self.saml.load().keys().cloned());
        names.sort();
        names
    }

    /// Whether there are people who sign in at all.
    pub fn has_people(&self) -> bool {
        !self.providers().is_empty()
    }

    /// The same, where there has to be one.
    fn some_providers(&self) -> Result<Vec<String>, No> {
        let names = self.providers();
        if names.is_empty() {
            return Err(No::Request(
                "nobody signs in at this gateway: its bundle has no provider with `sign_in`",
            ));
        }
        Ok(names)
    }

    /// Where a provider sends browsers back to.
    pub fn callback_uri(&self, issuer: &str) -> String {
        format!("{}/oauth/callback/{issuer}", self.parts.own.issuer())
    }

    fn now(&self) -> Timestamp {
        self.parts.oidc.now()
    }
}
