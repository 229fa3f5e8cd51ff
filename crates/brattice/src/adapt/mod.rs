//! Joining what the API needs to what the gateway has: the implementations of the API's ports.
//!
//! Lives here: translation between the API's traits and store, gate, log and providers. Never: HTTP, SQL, a decision
//! (the rules of the bundle in force decide).

mod approvals;
mod audit;
mod authenticator;
mod authorizer;
mod bundle;
mod credentials;
mod delegations;
pub mod figures;
mod freezes;
mod grants;
mod identities;
mod logins;
mod over_ssh;
mod proofs;
mod revocations;
mod sealed;
mod seen;
mod servers;
mod sessions;
mod ssh;
mod tally;
mod tokens;
mod watch;
mod webhooks;

#[cfg(test)]
mod tests;

pub use authenticator::Unrevoked;
pub(crate) use bundle::warnings;
pub use freezes::Freezes;
pub use logins::{StepsIn, Unvoided};
pub(crate) use over_ssh::OverSsh;
pub use revocations::{Revocations, concerns};
pub use sealed::SealedIn;
pub use seen::{LastProofs, Seen};
pub use servers::OwnServers;
pub use tally::{CountedRecordings, SessionTally, Tally};
pub use tokens::KeysIn;
pub use watch::Watchers;
pub use webhooks::{Routes, announce};

use crate::run::Gateway;
use brattice_admin::ports::Failed;
use brattice_admin::{Ports, Settings};
use brattice_core::ports::StoreError;
use std::net::SocketAddr;
use std::sync::Arc;

/// Everything the API needs, from a gateway.
pub fn ports(gateway: &Arc<Gateway>) -> Ports {
    let of = || Arc::clone(gateway);
    Ports {
        approvals: Arc::new(approvals::Questions(of())),
        sessions: Arc::new(sessions::Sessions(of())),
        credentials: Arc::new(credentials::Credentials(of())),
        ssh: Arc::new(ssh::Ssh(of())),
        tokens: Arc::new(tokens::Trade(of())),
        login: Arc::new(logins::Desk(of())),
        delegations: Arc::new(delegations::Delegations(of())),
        grants: Arc::new(grants::Grants(of())),
        freezes: Arc::new(freezes::Stops(of())),
        identities: Arc::new(identities::Identities(of())),
        audit: Arc::new(audit::AuditFiles(of())),
        bundle: Arc::new(bundle::Bundle(of())),
        proofs: Arc::new(proofs::Possession(of())),
        authenticator: gateway.authenticator.clone(),
        again: Arc::new(gateway.authenticator.again()),
        elsewhere: gateway.gate.elsewhere().clone(),
        authorizer: Arc::new(authorizer::Policy::new(gateway.gate.clone())),
        recorder: Arc::new(audit::OnRecord(of())),
        clock: gateway.clock.clone(),
    }
}

/// How the API is reached, as the bundle in force says.
pub fn settings(gateway: &Gateway, bound: SocketAddr) -> Settings {
    let checked = gateway.checked.load();
    let mut settings = Settings::new(&checked.listen.admin.public_url, &own_names(bound));
    settings.decision_secrets = gateway.routes.load().decision_secrets.clone();
    settings.credential_lifetime_max = checked.limits.credential_lifetime_max;
    settings.client_certificates = checked.listen.client_certificates;
    settings.delegation_lifetime_max = checked.limits.delegation_lifetime_max;
    settings.own_token_lifetime_max = checked.limits.own_token_lifetime_max;
    settings
}

/// What this machine itself may call a listener. One that is open to others is called by its public name alone.
fn own_names(bound: SocketAddr) -> Vec<String> {
    if bound.ip().is_loopback() {
        vec![bound.to_string(), format!("localhost:{}", bound.port())]
    } else {
        Vec::new()
    }
}

/// A failure of the store, for the operator's log: with its cause.
fn failed(error: StoreError) -> Failed {
    let StoreError { operation, cause } = error;
    Failed::new(operation, cause)
}
