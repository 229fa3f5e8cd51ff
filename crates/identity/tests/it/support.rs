//! What the tests share: a clock, a gateway's view of one provider, and the two questions asked of it.

use brattice_core::ids::CredentialId;
use brattice_core::ports::{AuthError, Authenticator, BoxFuture, MintedCredential, StoreError};
use brattice_core::principal::{Identity, PrincipalKind};
use brattice_core::secret::Secret;
use brattice_core::sender::Sender;
use brattice_core::time::{Clock, Timestamp};
use brattice_identity::oidc::{IssuerConfig, KindRule, MintedLookup, Oidc};
use brattice_identity::throttle::ThrottleLimits;
use brattice_testkit::idp::{Idp, TokenMaker};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Some moment, in seconds since the epoch.
pub const NOW: i64 = 1_800_000_000;

pub struct SteppedClock(AtomicI64);

impl SteppedClock {
    pub fn step(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
    pub fn seconds(&self) -> i64 {
        self.now().seconds()
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A store of minted credentials that holds what it is given, or is away.
#[derive(Default)]
pub struct MintedStore {
    pub held: Mutex<Option<MintedCredential>>,
    pub away: Mutex<bool>,
}

impl MintedLookup for MintedStore {
    fn minted<'a>(
        &'a self,
        _: &'a CredentialId,
    ) -> BoxFuture<'a, Result<Option<MintedCredential>, StoreError>> {
        let found = if *self.away.lock().unwrap() {
            Err(StoreError {
                operation: "reading a credential",
                cause: "no connection".into(),
            })
        } else {
            Ok(self.held.lock().unwrap().clone())
        };
        Box::pin(async move { found })
    }
    fn spend<'a>(&'a self, _: &'a CredentialId) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async { Ok(true) })
    }
}

pub struct World {
    pub idp: Idp,
    pub clock: Arc<SteppedClock>,
    pub minted: Arc<MintedStore>,
    pub oidc: Arc<Oidc>,
}

/// A gateway that knows one provider, with the default settings.
pub async fn world() -> World {
    world_with(|_| {}).await
}

/// The same with some settings changed.
pub async fn world_with(change: impl FnOnce(&mut IssuerConfig)) -> World {
    let limits = ThrottleLimits {
        failures_max: 10_000,
        ..ThrottleLimits::default()
    };
    world_limited(limits, change).await
}

/// The same with fewer failures allowed.
pub async fn world_limited(
    limits: ThrottleLimits,
    change: impl FnOnce(&mut IssuerConfig),
) -> World {
    world_of(Idp::start().await.unwrap(), limits, change)
}

/// A gateway that knows a provider over HTTPS, with some settings changed.
pub fn world_over_tls(idp: Idp, change: impl FnOnce(&mut IssuerConfig)) -> World {
    world_of(idp, ThrottleLimits::default(), |config| {
        config.allow_loopback_http = false;
        change(config);
    })
}

fn world_of(idp: Idp, limits: ThrottleLimits, change: impl FnOnce(&mut IssuerConfig)) -> World {
    let mut config = config_of(&idp);
    change(&mut config);
    let clock = Arc::new(SteppedClock(AtomicI64::new(NOW * 1_000_000)));
    let minted = Arc::new(MintedStore::default());
    let oidc = Oidc::new(vec![config], minted.clone(), clock.clone(), limits).unwrap();
    World {
        idp,
        clock,
        minted,
        oidc: Arc::new(oidc),
    }
}

pub fn config_of(idp: &Idp) -> IssuerConfig {
    let mut config = IssuerConfig::new(
        "okta",
        idp.issuer(),
        "brattice",
        KindRule::always(PrincipalKind::Agent),
    );
    config.allow_loopback_http = true;
    config
}

impl World {
    /// A good token as of now.
    pub fn token(&self) -> TokenMaker {
        self.idp.token(self.clock.seconds())
    }
    pub async fn verify(&self, token: &TokenMaker) -> Result<Identity, AuthError> {
        self.verify_text(&token.sign().unwrap()).await
    }
    pub async fn verify_text(&self, token: &str) -> Result<Identity, AuthError> {
        self.oidc
            .verify_token(&Secret::new(token), &Sender::default(), "192.0.2.7")
            .await
    }
    /// Verified, or the test fails.
    pub async fn accepts(&self, token: &TokenMaker) -> Identity {
        match self.verify(token).await {
            Ok(identity) => identity,
            Err(error) => panic!("refused: {error}; claims {}", token.claims_text()),
        }
    }
    /// Rejected for this reason, or the test fails.
    pub async fn rejects(&self, token: &TokenMaker, why: &str) {
        self.rejects_text(&token.sign().unwrap(), why).await;
    }
    pub async fn rejects_text(&self, token: &str, why: &str) {
        match self.verify_text(token).await {
            Err(AuthError::Rejected(text)) => {
                assert!(text.contains(why), "rejected, but because: {text}");
            }
            other => panic!("not rejected ({why}): {other:?}"),
        }
    }
    /// Could not be told, or the test fails.
    pub async fn cannot_tell(&self, token: &TokenMaker) {
        match self.verify(token).await {
            Err(AuthError::Unavailable(_)) => {}
            other => panic!("told: {other:?}"),
        }
    }
}

pub fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// The clock of the machine, set ahead by as much as was stepped: for what others sign by their own clocks.
#[derive(Default)]
pub struct Forward(AtomicI64);

impl Forward {
    pub fn step(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Forward {
    fn now(&self) -> Timestamp {
        let real = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        let ahead = self.0.load(Ordering::SeqCst);
        Timestamp::from_seconds(i64::try_from(real.as_secs()).unwrap() + ahead)
    }
}
