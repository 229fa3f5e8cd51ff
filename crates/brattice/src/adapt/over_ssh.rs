//! People who sign in in a browser for a connection over SSH.
//!
//! Lives here: translation, and the record of a sign-in. Never: the flow, what a client is shown.

use super::audit::OnRecord;
use crate::run::Gateway;
use brattice_admin::oauth::DEVICE_PAGE_PATH;
use brattice_admin::ports::Recorder;
use brattice_core::audit::Event;
use brattice_core::ports::{AuthError, Authenticator, BoxFuture};
use brattice_core::principal::{Identity, PrincipalKind};
use brattice_core::sender::Sender;
use brattice_identity::login::{Given, No};
use brattice_proxy::ssh::{Invitation, NotSignedIn, SignIns};
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use tokio::runtime::Handle;

/// The gateway's authorization server, for its own SSH listener.
pub struct OverSsh {
    // The listener is a part of what it belongs to.
    gateway: Weak<Gateway>,
    /// Where what nobody waits for is done.
    runtime: Handle,
}

impl OverSsh {
    /// Works on the runtime of whoever calls.
    pub fn new(gateway: &Arc<Gateway>) -> Self {
        Self {
            gateway: Arc::downgrade(gateway),
            runtime: Handle::current(),
        }
    }

    fn gateway(&self) -> Result<Arc<Gateway>, NotSignedIn> {
        self.gateway
            .upgrade()
            .ok_or_else(|| away("the gateway is stopping".to_owned()))
    }

    async fn begin_now(&self, login: &str, from: IpAddr) -> Result<Invitation, NotSignedIn> {
        let gateway = self.gateway()?;
        let begun = gateway
            .logins
            .begin_over_ssh(login, &from.to_string())
            .await;
        let code = begun.map_err(not_signed_in)?;
        let checked = gateway.checked.load();
        let page = format!("{}{DEVICE_PAGE_PATH}", checked.listen.admin.public_url);
        Ok(Invitation {
            page_with_code: format!("{page}?user_code={}", code.user_code),
            page,
            code: code.user_code,
            lives: code.expires_in,
        })
    }

    async fn hear_now(
        &self,
        code: &str,
        login: &str,
        from: IpAddr,
    ) -> Result<Option<Identity>, NotSignedIn> {
        let gateway = self.gateway()?;
        let source = from.to_string();
        let given = match gateway.logins.hear_over_ssh(code, &source).await {
            Ok(given) => given,
            Err(No::Pending) => return Ok(None),
            Err(no) => return Err(not_signed_in(no)),
        };
        match self.noted(&gateway, &given, login, &source).await {
            Ok(identity) => Ok(Some(identity)),
            Err(no) => {
                // What is not on record, or not good, is over before anybody has it.
                if let Err(no) = gateway.logins.end(&given.sign_in).await {
                    tracing::error!(why = %no, "a sign-in that was refused could not be ended");
                }
                Err(no)
            }
        }
    }

    /// Puts a sign-in on record, and proves it as any other token is proven.
    async fn noted(
        &self,
        gateway: &Arc<Gateway>,
        given: &Given,
        login: &str,
        source: &str,
    ) -> Result<Identity, NotSignedIn> {
        let proven = gateway
            .authenticator
            .verify_token(&given.token, &Sender::default(), source)
            .await;
        let identity = proven.map_err(|why| match why {
            AuthError::Rejected(_) | AuthError::Unheld(_) => refused(why.to_string()),
            AuthError::Throttled | AuthError::Unavailable(_) => away(why.to_string()),
        })?;
        let is_person = identity.chain.acting.kind == PrincipalKind::User
            && identity.chain.on_behalf_of.is_empty();
        if !is_person {
            return Err(refused("it is people who sign in".to_owned()));
        }
        let event = Event::Administered {
            by: identity.chain.to_string(),
            act: "sign_in".to_owned(),
            object: given.sign_in.clone(),
            allowed: true,
            details: format!("from {source}, over SSH for {login}"),
        };
        OnRecord(gateway.clone())
            .write(event)
            .await
            .map_err(|why| away(format!("it could not be recorded: {why}")))?;
        Ok(identity)
    }
}

impl SignIns for OverSsh {
    fn is_open(&self) -> bool {
        let gateway = self.gateway.upgrade();
        gateway.is_some_and(|g| g.logins.has_people())
    }

    fn begin<'a>(
        &'a self,
        login: &'a str,
        from: IpAddr,
    ) -> BoxFuture<'a, Result<Invitation, NotSignedIn>> {
        Box::pin(self.begin_now(login, from))
    }

    fn hear<'a>(
        &'a self,
        code: &'a str,
        login: &'a str,
        from: IpAddr,
    ) -> BoxFuture<'a, Result<Option<Identity>, NotSignedIn>> {
        Box::pin(self.hear_now(code, login, from))
    }

    fn withdraw(&self, code: String) {
        let Some(gateway) = self.gateway.upgrade() else {
            return;
        };
        self.runtime.spawn(async move {
            if let Err(why) = gateway.logins.withdraw_over_ssh(&code).await {
                tracing::warn!(%why, "a code that nobody waits for could not be taken back; it ends by itself");
            }
        });
    }
}

fn refused(why: String) -> NotSignedIn {
    NotSignedIn {
        says: "Nobody signed in.",
        why: format!("nobody signed in: {why}"),
        is_away: false,
    }
}

fn away(why: String) -> NotSignedIn {
    tracing::error!(%why, "signing in over SSH does not work now");
    NotSignedIn {
        says: "Nobody can be signed in now; try again.",
        why: format!("nobody could be signed in: {why}"),
        is_away: true,
    }
}

fn not_signed_in(no: No) -> NotSignedIn {
    match no {
        // Sentences of the gateway's own.
        No::Request(says) | No::Client(says) | No::Grant(says) => NotSignedIn {
            says,
            why: format!("nobody signed in: {says}"),
            is_away: false,
        },
        No::Denied(why) => NotSignedIn {
            says: "Nobody signed in: the answer was no.",
            why: format!("nobody signed in: {why}"),
            is_away: false,
        },
        No::Expired => NotSignedIn {
            says: "Nobody signed in: the code has ended. Connect again for another.",
            why: "nobody signed in: the code has ended".to_owned(),
            is_away: false,
        },
        No::Pending | No::Throttled | No::SlowDown | No::Ended(_) => refused(no.to_string()),
        No::Unavailable(why) => away(why),
    }
}
