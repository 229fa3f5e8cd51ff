//! Who a client is: by a token, by a minted credential, or by a certificate of one.
//!
//! Lives here: reading the user name and the password that SSH has for them, and what makes a credential fit. Never: whether a claim is true (the
//! authenticator's), what is permitted.

use super::{Service, certificate};
use brattice_core::denial::{Code, Denial};
use brattice_core::ids::CredentialId;
use brattice_core::ports::{AuthError, MintedCredential, MintedProof};
use brattice_core::principal::Identity;
use brattice_core::secret::Secret;
use brattice_core::sender::Sender;
use brattice_wire::postgres::scram::Verifier;
use russh::keys::ssh_key::Certificate;
use std::net::SocketAddr;

/// What a user name asks for: `ACCOUNT@TARGET`, or `TARGET` alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub account: Option<String>,
    pub target: String,
}

impl Login {
    pub fn read(user: &str) -> Self {
        match user.rsplit_once('@') {
            Some((account, target)) => Self {
                account: Some(account.to_owned()),
                target: target.to_owned(),
            },
            None => Self {
                account: None,
                target: user.to_owned(),
            },
        }
    }
}

/// What stands between the id of a minted credential and its secret.
const MINTED_SEPARATOR: char = ':';

impl Service {
    /// Finds out who it is by what it gives for a password: an access token, or a minted credential as `ID:SECRET`. Every
    /// failure looks the same to the client; the reason goes to the record.
    pub(super) async fn prove(
        &self,
        password: &Secret,
        asked: &Login,
        from: SocketAddr,
    ) -> Result<Identity, Denial> {
        let text = std::str::from_utf8(password.expose()).unwrap_or_default();
        let minted = text
            .split_once(MINTED_SEPARATOR)
            .and_then(|(id, secret)| Some((id.parse::<CredentialId>().ok()?, secret)));
        let proven = match minted {
            Some((id, secret)) => self.minted(&id, secret, asked, from).await,
            None => {
                let source = from.ip().to_string();
                self.authenticator
                    .verify_token(password, &Sender::default(), &source)
                    .await
            }
        };
        proven.map_err(|error| self.refuse(&error, asked, from))
    }

    /// Finds out who it is by a certificate. That the client holds its key was proven by a signature over this connection
    /// just now; who that is says the credential, and nothing that is written in the certificate.
    pub(super) async fn certified(
        &self,
        shown: &Certificate,
        user: &str,
        asked: &Login,
        from: SocketAddr,
    ) -> Result<Identity, Denial> {
        let now = self.gate.clock().now();
        let proven = match certificate::read(shown, &self.user_ca, user, now, from.ip()) {
            Ok(shown) => self.keyed(&shown, asked, from).await,
            Err(why) => Err(AuthError::Rejected(why.to_owned())),
        };
        proven.map_err(|error| self.refuse(&error, asked, from))
    }

    pub(super) fn refuse(&self, error: &AuthError, asked: &Login, from: SocketAddr) -> Denial {
        let denial = refused(error);
        let mut recorded = denial.clone();
        recorded.reason = error.to_string();
        self.gate
            .refuse_login(&recorded, &asked.target, from.ip(), None);
        denial
    }

    async fn keyed(
        &self,
        shown: &certificate::Shown,
        asked: &Login,
        from: SocketAddr,
    ) -> Result<Identity, AuthError> {
        let credential = self.credential(&shown.credential).await?;
        match &credential.proof {
            MintedProof::Key(of) if *of == shown.key_sha256 => {}
            MintedProof::Key(_) => return Err(unfit("the credential is of another key")),
            MintedProof::Secret(_) => return Err(unfit("the credential is not one of a key")),
        }
        self.used(credential, asked, from).await
    }

    async fn credential(&self, id: &CredentialId) -> Result<MintedCredential, AuthError> {
        let found = self.authenticator.minted(id).await?;
        found.ok_or_else(|| unfit("there is no such credential, or it has expired"))
    }

    async fn minted(
        &self,
        id: &CredentialId,
        secret: &str,
        asked: &Login,
        from: SocketAddr,
    ) -> Result<Identity, AuthError> {
        let credential = self.credential(id).await?;
        let verifier = match &credential.proof {
            MintedProof::Secret(verifier) => Verifier::parse(verifier)
                .ok_or_else(|| unfit("the credential cannot be checked"))?,
            MintedProof::Key(_) => return Err(unfit("the credential is one of a key")),
        };
        if !verifier.is_of(secret.as_bytes()) {
            return Err(unfit("the credential's secret is another"));
        }
        self.used(credential, asked, from).await
    }

    /// A credential whose holder is proven: it fits what is asked, and is used up if it is for one login.
    async fn used(
        &self,
        credential: MintedCredential,
        asked: &Login,
        from: SocketAddr,
    ) -> Result<Identity, AuthError> {
        if credential.target != asked.target {
            return Err(unfit("the credential is for another target"));
        }
        if credential.spent {
            return Err(unfit("a credential for one login was used before"));
        }
        if !credential.bounds.permit(from.ip()) {
            return Err(unfit("the credential is not for this address"));
        }
        if let Some(missing) = credential.identity.binding.missing_of(&Sender::default()) {
            return Err(AuthError::Unheld(missing));
        }
        if credential.bounds.single_use && !self.authenticator.spend(&credential.id).await? {
            return Err(unfit("a credential for one login was used before"));
        }
        Ok(credential.identity)
    }
}

fn unfit(why: &str) -> AuthError {
    AuthError::Rejected(why.to_owned())
}

fn refused(error: &AuthError) -> Denial {
    match error {
        AuthError::Rejected(_) | AuthError::Unheld(_) => Denial::new(
            Code::Unauthenticated,
            "brattice.login",
            "the credential was not accepted",
        ),
        AuthError::Throttled => Denial::new(
            Code::Throttled,
            "brattice.login",
            "too many failed logins from this address",
        ),
        AuthError::Unavailable(_) => Denial::new(
            Code::Unavailable,
            "brattice.login",
            "the identity provider cannot be asked now",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_at_sign_of_a_user_name_is_before_the_target() {
        let asked = |user| {
            let asked = Login::read(user);
            (asked.account, asked.target)
        };
        assert_eq!(asked("web-1"), (None, "web-1".to_owned()));
        assert_eq!(
            asked("deploy@web-1"),
            (Some("deploy".to_owned()), "web-1".to_owned())
        );
        assert_eq!(
            asked("sam@example.com@web-1"),
            (Some("sam@example.com".to_owned()), "web-1".to_owned())
        );
    }
}
