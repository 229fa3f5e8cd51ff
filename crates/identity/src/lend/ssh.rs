//! Logins at hosts with the gateway's own certificates: a key for each session, a certificate for each login.
//!
//! Lives here: what such a certificate says. Never: the key that signs it, hosts.

use crate::ssh::{Authority, For, Terms, new_key, private_text};
use brattice_core::ports::{Borrower, KeyCertifier, Lease, Purpose, Randomness};
use brattice_core::secret::Secret;
use brattice_core::time::Clock;
use ssh_key::PublicKey;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long after it was signed a certificate opens a host. A login follows at once.
const LOGIN_MAX: Duration = Duration::from_secs(120);
/// How far behind a host's clock may be.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(120);
/// The most that a certificate says of the agent, for the host's own log.
const NAME_CHARS_MAX: usize = 128;

/// What signs.
pub(super) struct Signer {
    pub authority: Option<Arc<Authority>>,
    pub clock: Arc<dyn Clock>,
    pub randomness: Arc<dyn Randomness>,
}

impl Signer {
    /// A key that nobody had before, for one session on this account.
    pub(super) fn lend(self: &Arc<Self>, to: Borrower<'_>) -> Result<Lease, String> {
        let Purpose::Session { id, agent } = to.purpose else {
            return Err("the gateway does not log in to hosts for itself".to_owned());
        };
        if self.authority.is_none() {
            return Err("the gateway has no `listen.ssh`, and so no key that signs".to_owned());
        }
        let key = new_key(self.randomness.as_ref()).map_err(|why| why.to_string())?;
        let text = private_text(&key).map_err(|why| why.to_string())?;
        let agent: String = agent.chars().filter(|c| !c.is_control()).collect();
        let agent: String = agent.chars().take(NAME_CHARS_MAX).collect();
        Ok(Lease {
            user: to.place.to_owned(),
            rights: to.place.to_owned(),
            password: Secret::new(Vec::new()),
            private_key: Some(text),
            certifier: Some(Box::new(Certifier {
                signer: self.clone(),
                key: key.public_key().clone(),
                key_id: format!("brattice session={id} agent={agent}"),
                account: to.place.to_owned(),
            })),
            client_certificate: None,
            held: None,
        })
    }
}

struct Certifier {
    signer: Arc<Signer>,
    key: PublicKey,
    key_id: String,
    account: String,
}

impl fmt::Debug for Certifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certifier")
            .field("key_id", &self.key_id)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl KeyCertifier for Certifier {
    fn certify(&self) -> Result<String, String> {
        let authority = self.signer.authority.as_ref();
        let authority = authority.ok_or("there is no key that signs")?;
        let now = self.signer.clock.now();
        let terms = Terms {
            holder: For::Login,
            key_id: &self.key_id,
            principals: std::slice::from_ref(&self.account),
            after: now.minus(CLOCKS_APART_MAX),
            before: now.plus(LOGIN_MAX),
        };
        let made = authority.certify(&self.key, &terms, self.signer.randomness.as_ref());
        let text = made.map_err(|why| why.to_string())?.to_openssh();
        text.map_err(|why| why.to_string())
    }
}
