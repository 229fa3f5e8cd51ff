//! Short-lived credentials: minted for a target, kept as a verifier, ended with their sessions.
//!
//! Lives here: what a credential names and how long it lives. Never: who may have one (the API asks policy whether the
//! caller may connect, before this is asked), the password after it was told.

use super::failed;
use crate::config::Checked;
use crate::config::checked::TargetConfig;
use crate::run::Gateway;
use brattice_admin::ports::{CreateError, CredentialView, CredentialsApi, Failed, Minted};
use brattice_core::gate::CutReason;
use brattice_core::ids::CredentialId;
use brattice_core::ports::{Bounds, BoxFuture};
use brattice_core::principal::{Identity, LoginBy, Principal};
use brattice_core::secret::Secret;
use brattice_identity::mint::{MintError, mint};
use brattice_store::db::CredentialSummary;
use std::sync::Arc;
use std::time::Duration;

/// The credentials of a gateway.
pub struct Credentials(pub Arc<Gateway>);

impl Credentials {
    async fn mint_for(
        &self,
        who: &Identity,
        target: &str,
        lifetime: Duration,
        bounds: Bounds,
    ) -> Result<Minted, CreateError> {
        let gateway = &self.0;
        let checked = gateway.checked.load_full();
        let config = target_for(who, target, &checked)?;
        let address = match config.ssh {
            Some(_) => gateway.ssh_address(),
            None => gateway.postgres_address(),
        };
        let Some((host, port)) = address else {
            return Err(refused(
                "This gateway has no listener that takes credentials.",
            ));
        };
        let lifetime = lifetime.min(checked.limits.credential_lifetime_max);
        let now = gateway.clock.now();
        let randomness = gateway.randomness.as_ref();
        let minted = mint(target, who, lifetime, bounds, now, randomness).map_err(not_minted)?;
        gateway
            .db
            .insert_credential(&minted.credential, None)
            .await
            .map_err(failed)?;
        let id = minted.credential.id;
        let (user, password, database) = match config.ssh {
            Some(_) => {
                let user = format!("{}@{target}", config.user);
                (user, with_id(&id, &minted.password), None)
            }
            None => {
                let named = config.database.as_ref();
                let database = named.map_or_else(|| target.to_owned(), |d| format!("{target}/{d}"));
                (id.to_string(), minted.password, Some(database))
            }
        };
        Ok(Minted {
            id,
            user,
            password,
            target: target.to_owned(),
            host,
            port,
            database,
            expires_at: minted.credential.identity.expires_at,
        })
    }

    async fn end(&self, id: &CredentialId) -> Result<bool, Failed> {
        let ended = self.0.db.revoke_credential(id).await.map_err(failed)?;
        self.0.live.cut_where(CutReason::Revoked, |s| {
            s.identity.credential.as_ref() == Some(id)
        });
        Ok(ended)
    }
}

/// The target of that name, for somebody who may mint.
pub(super) fn target_for<'a>(
    who: &Identity,
    target: &str,
    checked: &'a Checked,
) -> Result<&'a TargetConfig, CreateError> {
    if who.by == LoginBy::Minted {
        return Err(refused(
            "A minted credential mints no other; use a token of your provider.",
        ));
    }
    let found = checked.targets.get(target);
    found.ok_or_else(|| refused("There is no such target."))
}

pub(super) fn refused(why: &str) -> CreateError {
    CreateError::Refused(why.to_owned())
}

pub(super) fn not_minted(why: MintError) -> CreateError {
    match why {
        MintError::Expired => refused("Your token has expired; get a fresh one."),
        MintError::NoTime => refused("A credential lives longer than that."),
        MintError::Randomness(why) => Failed::new("mint a credential", why).into(),
    }
}

/// SSH's user name says whose account on what target is meant, so that the id goes with the secret.
fn with_id(id: &CredentialId, secret: &Secret) -> Secret {
    let mut both = id.to_string().into_bytes();
    both.push(b':');
    both.extend_from_slice(secret.expose());
    Secret::new(both)
}

impl CredentialsApi for Credentials {
    fn create<'a>(
        &'a self,
        who: &'a Identity,
        target: &'a str,
        lifetime: Duration,
        bounds: Bounds,
    ) -> BoxFuture<'a, Result<Minted, CreateError>> {
        Box::pin(self.mint_for(who, target, lifetime, bounds))
    }

    fn list<'a>(
        &'a self,
        of: Option<&'a Principal>,
    ) -> BoxFuture<'a, Result<Vec<CredentialView>, Failed>> {
        Box::pin(async move {
            let found = self.0.db.credentials(of, self.0.clock.now()).await;
            Ok(found.map_err(failed)?.into_iter().map(view).collect())
        })
    }

    fn get<'a>(
        &'a self,
        id: &'a CredentialId,
    ) -> BoxFuture<'a, Result<Option<CredentialView>, Failed>> {
        Box::pin(async move {
            let found = self.0.db.credential_summary(id, self.0.clock.now()).await;
            Ok(found.map_err(failed)?.map(view))
        })
    }

    fn revoke<'a>(&'a self, id: &'a CredentialId) -> BoxFuture<'a, Result<bool, Failed>> {
        Box::pin(self.end(id))
    }
}

fn view(c: CredentialSummary) -> CredentialView {
    CredentialView {
        id: c.id,
        target: c.target,
        chain: c.chain,
        issued_at: c.issued_at,
        expires_at: c.expires_at,
    }
}
