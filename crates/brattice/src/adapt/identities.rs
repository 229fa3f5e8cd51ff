//! Principals: voiding everything that one has proved, and what is known of one.
//!
//! Lives here: the order of voiding. Never: who may (policy says, before this is asked).

use super::{concerns, failed};
use crate::run::Gateway;
use brattice_admin::ports::{Failed, IdentitiesApi, Suspended};
use brattice_core::gate::CutReason;
use brattice_core::ports::BoxFuture;
use brattice_core::principal::{Identity, Principal, PrincipalKind};
use std::sync::Arc;

/// The principals of a gateway.
pub struct Identities(pub Arc<Gateway>);

impl Identities {
    /// First nobody gets in any more, and what they were lent, what they delegated, and what was approved for them or by
    /// them has ended; then whoever is in is cut. Whoever was on the way in meanwhile is cut by the next sweep
    /// ([`Gateway::cut_voided`]).
    pub(super) async fn void(&self, who: &Principal) -> Result<Suspended, Failed> {
        let gateway = &self.0;
        let voided = gateway.db.revoke(who).await.map_err(failed)?;
        gateway.revocations.forget();
        gateway.oidc.forget_verified();
        let cut = gateway
            .live
            .cut_where(CutReason::Revoked, |s| concerns(who, &s.identity));
        tracing::info!(
            %who,
            approvals = voided.standing.approvals.len(),
            grants = voided.standing.grants.len(),
            delegations = voided.delegations.len(),
            "what was approved with a revoked principal, and delegated, was ended"
        );
        let came_of_it = !cut.is_empty()
            || voided.signed_out
            || !voided.credentials.is_empty()
            || !voided.delegations.is_empty();
        Ok(Suspended {
            found: came_of_it
                || (who.name == "*" && gateway.checked.load().has_provider(&who.issuer)),
            sessions: cut.len() as u64,
            credentials: voided.credentials.len() as u64,
        })
    }

    async fn fresh_person(&self, id: &str) -> Result<Option<Identity>, Failed> {
        let Some((issuer, name)) = id.split_once('/') else {
            return Ok(None);
        };
        let Some(known) = self.0.seen.person(issuer, name).await.map_err(failed)? else {
            return Ok(None);
        };
        let held = self.0.revocations.current().await.map_err(failed)?;
        let void = held.voids(&known).is_some();
        let checked = self.0.checked.load();
        let still_trusted = checked.has_provider(issuer);
        Ok((!void && still_trusted).then_some(known))
    }
}

impl IdentitiesApi for Identities {
    fn suspend<'a>(
        &'a self,
        who: &'a Principal,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<Suspended, Failed>> {
        Box::pin(async move {
            let suspended = self.void(who).await?;
            tracing::warn!(%who, reason, sessions = suspended.sessions, credentials = suspended.credentials, "a principal was revoked");
            Ok(suspended)
        })
    }

    fn seen<'a>(
        &'a self,
        kind: PrincipalKind,
        issuer: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Principal>, Failed>> {
        Box::pin(async move {
            self.0
                .seen
                .principal(kind, issuer, name)
                .await
                .map_err(failed)
        })
    }

    fn person<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Identity>, Failed>> {
        Box::pin(self.fresh_person(id))
    }
}
