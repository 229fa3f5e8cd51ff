//! Revoking somebody: everything of theirs ends together, or nothing does.
//!
//! Lives here: the one transaction. Never: who may revoke, cutting sessions.

use super::standing::Ended;
use super::{Change, Db};
use brattice_core::ids::{CredentialId, DelegationId};
use brattice_core::ports::StoreError;
use brattice_core::principal::Principal;
use brattice_core::time::Timestamp;

/// What was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voided {
    /// Up to when their proofs are void.
    pub at: Timestamp,
    /// Credentials with them anywhere in the chain.
    pub credentials: Vec<CredentialId>,
    /// Delegations by them or to them, or that one itself.
    pub delegations: Vec<DelegationId>,
    /// What people's answers still allowed.
    pub standing: Ended,
    /// Whether it was a sign-in that had not ended.
    pub signed_out: bool,
}

impl Db {
    /// Voids everything that this principal has proved so far, with all that hangs on it. The name `*` is everybody of its
    /// kind and issuer; a token, a sign-in and a delegation are principals of the gateway's own.
    pub async fn revoke(&self, principal: &Principal) -> Result<Voided, StoreError> {
        let now = self.0.clock.now();
        let mut write = self.write("revoke a principal").await?;
        let at = write.note_revocation(principal, now).await?;
        let credentials = write.end_credentials_of(principal, now).await?;
        let delegations = write.end_delegations_with(principal, now).await?;
        let standing = write.end_standing(principal, now).await?;
        let signed_out = write.forget_sign_in(principal).await?;
        write.commit().await?;
        self.tell(Change::Revoked(principal.clone()));
        for id in &credentials {
            self.tell(Change::CredentialRevoked(id.clone()));
        }
        for id in &standing.approvals {
            self.tell(Change::Settled(id.clone()));
        }
        for id in &standing.grants {
            self.tell(Change::GrantEnded(id.clone()));
        }
        Ok(Voided {
            at,
            credentials,
            delegations,
            standing,
            signed_out,
        })
    }
}
