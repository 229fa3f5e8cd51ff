//! Who a client is: by a token or by a minted credential.
//!
//! Lives here: reading the user name and the password that SSH has for them. Never: whether a claim is true (the
//! authenticator's), what is permitted.

use super::Service;
use brattice_core::denial::{Code, Denial};
use brattice_core::ids::CredentialId;
use brattice_core::ports::AuthError;
use brattice_core::principal::Identity;
use brattice_core::secret::Secret;
use brattice_core::sender::Sender;
use brattice_wire::postgres::scram::Verifier;
use std::net::SocketAddr;

/// What a user name asks for: `ACCOUNT@TARGET`, or `TARGET` alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub account: Option<String>,
    pub target: String,
}

impl Asked {
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
        asked: &Asked,
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
        proven.map_err(|error| {
            let denial = refused(&error);
            let mut recorded = denial.clone();
            recorded.reason = error.to_string();
            self.gate
                .refuse_login(&recorded, &asked.target, from.ip(), None);
            denial
        })
    }

    async fn minted(
        &self,
        id: &CredentialId,
        secret: &str,
        asked: &Asked,
        from: SocketAddr,
    ) -> Result<Identity, AuthError> {
        let unfit = |why: &str| AuthError::Rejected(why.to_owned());
        let credential = self
            .authenticator
            .minted(id)
            .await?
            .ok_or_else(|| unfit("there is no such credential, or it has expired"))?;
        let verifier = Verifier::parse(&credential.scram_verifier)
            .ok_or_else(|| unfit("the credential cannot be checked"))?;
        if !verifier.is_of(secret.as_bytes()) {
            return Err(unfit("the credential's secret is another"));
        }
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
        if credential.bounds.single_use && !self.authenticator.spend(id).await? {
            return Err(unfit("a credential for one login was used before"));
        }
        Ok(credential.identity)
    }
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
            let asked = Asked::read(user);
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
