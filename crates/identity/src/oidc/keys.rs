//! A provider's keys over time.
//!
//! Lives here: when they are fetched, how long they may be used, one fetch at a time however many wait. Never: how
//! they are fetched, tokens.

use super::algorithm::SigningAlgorithm;
use super::config::IssuerConfig;
use super::fetch::{FetchError, Fetcher};
use super::jwks::{Found, KeySet, VerifyKey};
use arc_swap::ArcSwapOption;
use brattice_core::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// What came of looking for a key.
pub(super) enum Lookup {
    /// The key, current and right for the algorithm.
    Key(Arc<VerifyKey>),
    /// The provider has that key, but not for this algorithm.
    NotForAlgorithm,
    /// The provider has no such key.
    Unknown,
    /// It cannot be told now.
    Unavailable,
}

/// One provider's keys.
pub(super) struct Keys {
    shared: Arc<Shared>,
    refresh_after: Duration,
    stale_after: Duration,
    refetch_min: Duration,
}

struct Shared {
    name: String,
    fetcher: Fetcher,
    current: ArcSwapOption<Dated>,
    /// Held while fetching; remembers the last attempt.
    attempt: Arc<Mutex<Option<Attempt>>>,
}

struct Dated {
    set: KeySet,
    fetched_at: Timestamp,
}

#[derive(Clone, Copy)]
struct Attempt {
    at: Timestamp,
    failed: bool,
}

impl Keys {
    /// Nothing fetched yet.
    pub(super) fn new(config: &IssuerConfig) -> Result<Self, reqwest::Error> {
        Ok(Self {
            shared: Arc::new(Shared {
                name: config.name.clone(),
                fetcher: Fetcher::new(config)?,
                current: ArcSwapOption::empty(),
                attempt: Arc::new(Mutex::new(None)),
            }),
            refresh_after: config.jwks_refresh,
            stale_after: config.jwks_stale_max,
            refetch_min: config.jwks_refetch_min,
        })
    }

    /// Finds a key, asking the provider when what is known is old or does not have it.
    pub(super) async fn find(
        &self,
        kid: &str,
        algorithm: SigningAlgorithm,
        now: Timestamp,
    ) -> Lookup {
        if let Some(dated) = self.shared.current.load().as_ref()
            && now.since(dated.fetched_at) < self.refresh_after
        {
            match dated.set.find(kid, algorithm) {
                Found::Key(key) => return Lookup::Key(key),
                Found::NotForAlgorithm => return Lookup::NotForAlgorithm,
                Found::Unknown => {}
            }
        }
        self.find_anew(kid, algorithm, now, self.refetch_min).await
    }

    /// The same for a token that the provider itself handed over just now: its key is one of the provider's, so that a key
    /// that is not known is asked for at once.
    pub(super) async fn find_surely(
        &self,
        kid: &str,
        algorithm: SigningAlgorithm,
        now: Timestamp,
    ) -> Lookup {
        match self.find(kid, algorithm, now).await {
            Lookup::Unknown => self.find_anew(kid, algorithm, now, Duration::ZERO).await,
            found => found,
        }
    }

    async fn find_anew(
        &self,
        kid: &str,
        algorithm: SigningAlgorithm,
        now: Timestamp,
        refetch_min: Duration,
    ) -> Lookup {
        let failed = self.refresh(now, refetch_min).await;
        match self.shared.current.load().as_ref() {
            Some(dated) if now.since(dated.fetched_at) < self.stale_after => {
                match dated.set.find(kid, algorithm) {
                    Found::Key(key) => Lookup::Key(key),
                    Found::NotForAlgorithm => Lookup::NotForAlgorithm,
                    Found::Unknown if failed => Lookup::Unavailable,
                    Found::Unknown => Lookup::Unknown,
                }
            }
            _ => Lookup::Unavailable,
        }
    }

    /// Fetches unless that was tried a moment ago; true when the last attempt failed.
    async fn refresh(&self, now: Timestamp, refetch_min: Duration) -> bool {
        let attempt = Arc::clone(&self.shared.attempt).lock_owned().await;
        if let Some(last) = *attempt
            && now.since(last.at) < refetch_min
        {
            return last.failed;
        }
        // A task of its own: a caller that goes away must not undo a fetch that others wait for.
        let shared = Arc::clone(&self.shared);
        tokio::spawn(shared.fetch(attempt, now))
            .await
            .unwrap_or(true)
    }
}

impl Shared {
    async fn fetch(
        self: Arc<Self>,
        mut attempt: OwnedMutexGuard<Option<Attempt>>,
        now: Timestamp,
    ) -> bool {
        *attempt = Some(Attempt {
            at: now,
            failed: true,
        });
        match self.fetcher.keys().await {
            Ok(set) => {
                tracing::debug!(issuer = %self.name, keys = set.len(), "fetched signing keys");
                self.current.store(Some(Arc::new(Dated {
                    set,
                    fetched_at: now,
                })));
                *attempt = Some(Attempt {
                    at: now,
                    failed: false,
                });
                false
            }
            Err(error) => {
                self.complain(&error);
                true
            }
        }
    }

    fn complain(&self, error: &FetchError) {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::warn!(issuer = %self.name, %error, cause, "cannot fetch signing keys");
    }
}
