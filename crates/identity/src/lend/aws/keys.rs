//! What the gateway signs with, had in one of four ways and replaced before it ends.
//!
//! Lives here: how long keys are kept. Never: the requests that bring them.

use super::once::Kept;
use super::platform;
use super::sign::Keys;
use super::sts::{self, Role};
use super::{AGAIN, Account, AwsError, AwsKeys};
use brattice_core::time::Timestamp;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;
use tokio::time::Instant;

/// Keys with less time than this are replaced. AWS gives new ones earlier.
const LEFT: Duration = Duration::from_secs(5 * 60);
/// Keys with less time than this are not used: a signature that is made in time must arrive in time.
const LEFT_MIN: Duration = Duration::from_secs(30);
/// How often it is tried to replace keys that are good still.
const TRY_EVERY: Duration = Duration::from_secs(20);

impl Account {
    /// What signs now.
    pub(super) async fn keys(&self) -> Result<Kept<Keys>, AwsError> {
        if let AwsKeys::Given { id, secret, token } = &self.config.keys {
            let since = Instant::now();
            let line = async |from| self.plain.line(from).await.map_err(AwsError::Source);
            let token = match token {
                Some(from) => Some(line(from).await?),
                None => None,
            };
            let keys = Keys::new(&line(id).await?, &line(secret).await?, token.as_ref(), None)?;
            return Ok(Kept {
                value: Arc::new(keys),
                since,
            });
        }
        let left = |keys: &Keys| match keys.expires {
            Some(at) => at.since(self.clock.now()),
            None => Duration::MAX,
        };
        let good = |kept: &Kept<Keys>| {
            let left = left(&kept.value);
            // What is near its end and was asked for just now is not to be had any fresher: nobody waits for that.
            left > LEFT || (left > LEFT_MIN && self.has_just_tried())
        };
        let fresh = self.keys.get(good, self.fetch()).await;
        let before = self.keys.now().filter(|k| left(&k.value) > LEFT_MIN);
        match (fresh, before) {
            (Ok(kept), _) if left(&kept.value) > LEFT_MIN => Ok(kept),
            (Ok(_), _) => Err(self.about(AwsError::Stale)),
            (Err(why), Some(before)) => {
                let name = &self.config.name;
                tracing::warn!(aws = name, %why, "keys of AWS could not be replaced yet");
                Ok(before)
            }
            (Err(why), None) => Err(why),
        }
    }

    fn has_just_tried(&self) -> bool {
        let now = self.clock.now();
        self.tried().is_some_and(|at| now.since(at) < TRY_EVERY)
    }

    fn tried(&self) -> MutexGuard<'_, Option<Timestamp>> {
        match self.tried.lock() {
            Ok(tried) => tried,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    async fn fetch(&self) -> Result<Keys, AwsError> {
        *self.tried() = Some(self.clock.now());
        let brought = match self.bring().await {
            Err(why) if why.passes() => {
                tokio::time::sleep(AGAIN).await;
                self.bring().await
            }
            brought => brought,
        };
        brought.map_err(|why| self.about(why))
    }

    async fn bring(&self) -> Result<Keys, AwsError> {
        match &self.config.keys {
            AwsKeys::Given { .. } => Err(AwsError::Keys("they are not fetched")),
            AwsKeys::WebIdentity { role, token } => {
                let token = self.plain.line(token).await.map_err(AwsError::Source)?;
                let role = Role {
                    arn: role,
                    session: &self.node,
                    token: &token,
                };
                let address = self.address("sts", self.config.sts.as_ref());
                let client = self.client(&self.services)?;
                sts::assume(client, &address, role, self.clock.now()).await
            }
            AwsKeys::Container => {
                platform::container(self.client(&self.platform)?, &self.plain).await
            }
            AwsKeys::Instance { at } => {
                platform::instance(self.client(&self.platform)?, at.as_deref()).await
            }
        }
    }

    /// Says which of the places it is that has no keys: the secret is asked for elsewhere.
    fn about(&self, why: AwsError) -> AwsError {
        let of = match &self.config.keys {
            AwsKeys::Given { .. } => "its keys",
            AwsKeys::WebIdentity { .. } => "STS, asked for the role",
            AwsKeys::Container => "the container's credentials",
            AwsKeys::Instance { .. } => "the instance's metadata service",
        };
        match why {
            AwsError::Source(why) => AwsError::Source(why),
            why => AwsError::Source(format!("{of}: {why}")),
        }
    }
}
