//! Who a client is: by a token, a minted credential or a certificate.
//!
//! Lives here: which way is offered, and what becomes of each claim. Never: whether a claim is true (the authenticator's),
//! what is permitted.

use super::{NotIn, Stranger};
use brattice_core::denial::{Code, Denial};
use brattice_core::gate;
use brattice_core::ids::CredentialId;
use brattice_core::ports::{AuthError, MintedCredential, MintedProof};
use brattice_core::principal::Identity;
use brattice_core::secret::Secret;
use brattice_core::sender::Missing;
use brattice_wire::postgres::login::{Claim, ClientLogin, LoginRefused, Method};
use brattice_wire::postgres::parameters::Startup;
use brattice_wire::postgres::scram::{NONCE_BYTES, Verifier};
use brattice_wire::postgres::{oauthbearer, reply};
use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use tokio::io::AsyncReadExt;

/// The user name by which a client asks for OAUTHBEARER.
const OAUTH_USER: &str = "oauth";
/// The user name by which a client says that its certificate tells who it is. Under any other a token does, so that whoever
/// holds a narrower token does not get in as all that its certificate names.
const CERTIFICATE_USER: &str = "spiffe";
/// What such names begin with where they are the workload's own.
const CERTIFICATE_USER_PREFIX: &str = "spiffe://";
/// Iterations an unknown user's exchange pretends to.
const MOCK_ITERATIONS: u32 = 4096;

impl Stranger<'_> {
    /// Finds out who it is. Every failure looks the same to the client; the reason goes to the record.
    pub(super) async fn prove(
        &mut self,
        startup: &Startup,
        target: &str,
    ) -> Result<Identity, NotIn> {
        let minted: Option<CredentialId> = startup.user.parse().ok();
        if self.is_by_certificate(&startup.user) {
            return self.certified(&startup.user, target).await;
        }
        let method = self
            .method(startup, minted.is_some())
            .map_err(NotIn::Refused)?;
        let mut login =
            ClientLogin::begin(method, &mut self.out).map_err(|e| self.login_refused(&e))?;
        let mut proven: Option<MintedCredential> = None;
        let mut why: Option<Denial> = None;
        loop {
            self.flush().await?;
            let claim = match login.input(&mut self.input, &self.service.limits, &mut self.out) {
                Ok(Some(claim)) => claim,
                Ok(None) => {
                    self.flush().await?;
                    if self.stream.read_buf(&mut self.input).await? == 0 {
                        return Err(NotIn::Gone(std::io::ErrorKind::UnexpectedEof.into()));
                    }
                    continue;
                }
                // A token that was refused by SASL is refused with what there is to say of it, which is on record by now.
                Err(LoginRefused::Token) if why.is_some() => {
                    return Err(NotIn::Refused(why.unwrap_or_else(not_authenticated)));
                }
                Err(e) => {
                    let refused = self.login_refused(&e);
                    self.record(&refused, target, e.to_string());
                    return Err(refused);
                }
            };
            match claim {
                Claim::Password(token) => {
                    let identity = self.token(&token, target).await?;
                    login
                        .accept(&mut self.out)
                        .map_err(|e| self.login_refused(&e))?;
                    return Ok(identity);
                }
                Claim::Token(token) => match self.token(&token, target).await {
                    Ok(identity) => {
                        login
                            .accept(&mut self.out)
                            .map_err(|e| self.login_refused(&e))?;
                        return Ok(identity);
                    }
                    Err(NotIn::Refused(denial)) => {
                        why = Some(denial);
                        login
                            .refuse_token(&mut self.out)
                            .map_err(|e| self.login_refused(&e))?;
                    }
                    Err(other) => return Err(other),
                },
                Claim::Scram => {
                    let (verifier, credential) = self
                        .verifier(minted.as_ref(), &startup.user, target)
                        .await?;
                    proven = credential;
                    let mut nonce = [0; NONCE_BYTES];
                    self.service
                        .randomness
                        .fill(&mut nonce)
                        .map_err(|_| NotIn::Refused(gate::CutReason::Failing.denial()))?;
                    login
                        .verifier(verifier, &nonce, &mut self.out)
                        .map_err(|e| self.login_refused(&e))?;
                }
                Claim::Proven => {
                    let Some(credential) = proven.take() else {
                        return Err(NotIn::Refused(not_authenticated()));
                    };
                    if credential.bounds.single_use {
                        self.spend(&credential.id, target).await?;
                    }
                    let identity = credential.identity;
                    login
                        .accept(&mut self.out)
                        .map_err(|e| self.login_refused(&e))?;
                    return Ok(identity);
                }
            }
        }
    }

    /// Whether a client says that its certificate tells who it is. Where no certificate is asked for, the name means nothing;
    /// nor does a workload's own, where it shows none: it may have a JWT-SVID for a password.
    fn is_by_certificate(&self, user: &str) -> bool {
        self.service.certificates_asked.load(Ordering::Acquire)
            && (user == CERTIFICATE_USER
                || (user.starts_with(CERTIFICATE_USER_PREFIX) && self.sender.certificate.is_some()))
    }

    /// Lets in whom the certificate names, without asking for more.
    async fn certified(&mut self, user: &str, target: &str) -> Result<Identity, NotIn> {
        let refused = |why: &str| AuthError::Rejected(why.to_owned());
        let proven = match &self.sender.certificate {
            None => Err(refused("there is no client certificate")),
            Some(certificate) => {
                let source = self.from.ip().to_string();
                let authenticator = &self.service.authenticator;
                authenticator.verify_certificate(certificate, &source).await
            }
        };
        let proven = match proven {
            // A client that names itself means nobody else.
            Ok(who) if user != CERTIFICATE_USER && who.chain.acting.name != user => {
                Err(refused("the client certificate is another workload's"))
            }
            other => other,
        };
        match proven {
            Ok(identity) => {
                reply::authentication_ok(&mut self.out);
                Ok(identity)
            }
            Err(error @ AuthError::Rejected(_)) => {
                let refused = NotIn::Refused(not_certified());
                self.record(&refused, target, error.to_string());
                Err(refused)
            }
            Err(error) => Err(self.auth_error(&error, target)),
        }
    }

    fn method(&self, startup: &Startup, minted: bool) -> Result<Method, Denial> {
        let end_point = self
            .tls
            .as_ref()
            .filter(|_| startup.encrypted)
            .and_then(|t| t.end_point.clone());
        if minted {
            return Ok(Method::Sasl {
                scram: true,
                end_point,
                oauth: None,
            });
        }
        let safe =
            startup.encrypted || (self.service.plaintext_loopback && self.from.ip().is_loopback());
        if !safe {
            return Err(Denial::new(
                Code::Unauthenticated,
                "brattice.tls",
                "a token is taken over TLS only",
            )
            .hint("connect with sslmode=verify-full, or use a minted credential"));
        }
        match (&self.service.oauth, startup.user == OAUTH_USER) {
            (Some(where_from), true) => Ok(Method::Sasl {
                scram: false,
                end_point: None,
                oauth: Some(oauthbearer::Discovery {
                    openid_configuration: where_from.configuration_url.clone(),
                    scope: where_from.scope.clone(),
                }),
            }),
            _ => Ok(Method::Clear),
        }
    }

    async fn token(&self, token: &Secret, target: &str) -> Result<Identity, NotIn> {
        let source = self.from.ip().to_string();
        self.service
            .authenticator
            .verify_token(token, &self.sender, &source)
            .await
            .map_err(|e| self.auth_error(&e, target))
    }

    /// Uses up a credential that is for one login.
    async fn spend(&self, id: &CredentialId, target: &str) -> Result<(), NotIn> {
        let spent = self.service.authenticator.spend(id).await;
        match spent.map_err(|e| self.auth_error(&e, target))? {
            true => Ok(()),
            false => {
                let used =
                    AuthError::Rejected("a credential for one login was used before".to_owned());
                Err(self.auth_error(&used, target))
            }
        }
    }

    /// The verifier of a minted credential for this target, or one that nothing fits.
    async fn verifier(
        &self,
        id: Option<&CredentialId>,
        user: &str,
        target: &str,
    ) -> Result<(Verifier, Option<MintedCredential>), NotIn> {
        let iterations = NonZeroU32::new(MOCK_ITERATIONS).unwrap_or(NonZeroU32::MIN);
        let mock = || {
            (
                Verifier::mock(&self.service.mock_key, user, iterations),
                None,
            )
        };
        let Some(id) = id else { return Ok(mock()) };
        let found = self
            .service
            .authenticator
            .minted(id)
            .await
            .map_err(|e| self.auth_error(&e, target))?;
        let from = self.from.ip();
        let good = |c: &MintedCredential| {
            let held = c.identity.binding.missing_of(&self.sender).is_none();
            c.target == target && !c.spent && c.bounds.permit(from) && held
        };
        let verifier = |c: &MintedCredential| match &c.proof {
            MintedProof::Secret(verifier) => Verifier::parse(verifier),
            MintedProof::Key(_) => None,
        };
        let found = found.filter(good);
        let fitting = found.and_then(|c| Some((verifier(&c)?, Some(c))));
        Ok(fitting.unwrap_or_else(mock))
    }

    fn auth_error(&self, error: &AuthError, target: &str) -> NotIn {
        let denial = match error {
            AuthError::Rejected(_) => not_authenticated(),
            AuthError::Unheld(missing) => unheld(*missing),
            AuthError::Throttled => Denial::new(
                Code::Throttled,
                "brattice.login",
                "too many failed logins from this address",
            )
            .hint("wait a minute"),
            AuthError::Unavailable(_) => Denial::new(
                Code::Unavailable,
                "brattice.login",
                "the identity provider cannot be asked now",
            )
            .hint("try again later"),
        };
        let refused = NotIn::Refused(denial);
        self.record(&refused, target, error.to_string());
        refused
    }

    fn login_refused(&self, error: &LoginRefused) -> NotIn {
        match error {
            LoginRefused::Misbehaved(sin) => NotIn::Misbehaved(sin.clone()),
            _ => NotIn::Refused(not_authenticated()),
        }
    }

    /// The client is told little; the record says why.
    fn record(&self, refused: &NotIn, target: &str, why: String) {
        if let NotIn::Refused(denial) = refused {
            let mut recorded = denial.clone();
            recorded.reason = why;
            self.service
                .gate
                .refuse_login(&recorded, target, self.from.ip(), None);
        }
    }
}

/// A token in hands that it is not for. Its holder may know: whoever has it can read as much in it.
fn unheld(missing: Missing) -> Denial {
    let (what, hint) = match missing {
        Missing::Certificate => (
            "the token is bound to a client certificate, and this connection does not show it",
            "connect with that certificate and its key: sslcert and sslkey, over TLS",
        ),
        Missing::Key => (
            "the token is bound to a key (DPoP), which cannot be shown by this protocol",
            "mint a credential for this target with the token and its key: POST /v1/credentials with a DPoP proof, or `brattice credential create`",
        ),
    };
    Denial::new(Code::Unauthenticated, "brattice.binding", what).hint(hint)
}

fn not_certified() -> Denial {
    Denial::new(
        Code::Unauthenticated,
        "brattice.login",
        "the client certificate was not accepted",
    )
    .hint("connect with an X.509-SVID that is current, of a trust domain of this gateway (sslcert, sslkey), or with a token under another user name")
}

fn not_authenticated() -> Denial {
    Denial::new(Code::Unauthenticated, "brattice.login", "the credential was not accepted")
        .hint("the password is an access token for this gateway, or that of a minted credential; both are short-lived")
}
