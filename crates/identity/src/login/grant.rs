//! What a client gets, and for how long: tokens for a code, fresh ones for a refresh token, and their end.
//!
//! Lives here: RFC 6749, sections 4.1.3 and 6, refresh tokens that are good once (RFC 9700, section 4.14.2), RFC 7009.
//! Never: how somebody came to a code.
//!
//! At every refresh the provider is asked again, so that a person who left, or a group, is gone within the life of an
//! access token.

use super::browser::Proven;
use super::step::{Step, challenge_of};
use super::store::{NewSignIn, SignInRow, Turned};
use super::{Ending, Logins, No, client};
use crate::lend::{open, seal};
use crate::oidc::SignInFailed;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use brattice_core::principal::{Identity, Principal};
use brattice_core::secret::Secret;
use brattice_core::sender::Sender;
use serde::{Deserialize, Serialize};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Random bytes of the id of a sign-in or a token.
const ID_BYTES: usize = 16;
/// What refresh tokens begin with, for those who look for leaked secrets.
const REFRESH_PREFIX: &str = "brattice-refresh.";

/// A code that its client has not traded yet.
#[derive(Serialize, Deserialize)]
pub(super) struct Code {
    pub client: String,
    pub redirect_uri: String,
    pub challenge: String,
    pub from: String,
    pub proven: Proven,
}

impl Step for Code {
    const KIND: &'static str = "code";
    const WAIT_MAX: Duration = Duration::from_secs(60);
}

/// The sign-in that a code began: whoever brings the code again ends it (RFC 6749, section 4.1.2).
#[derive(Serialize, Deserialize)]
struct Spent {
    sign_in: String,
}

impl Step for Spent {
    const KIND: &'static str = "spent";
}

/// What a client is given.
#[derive(Debug)]
pub struct Given {
    /// The access token.
    pub token: Secret,
    /// The refresh token, good once.
    pub refresh: Secret,
    /// What the access token proves.
    pub identity: Identity,
    /// The sign-in, for the record.
    pub sign_in: String,
}

impl Logins {
    /// Tokens for a code.
    pub async fn trade_code(
        &self,
        client: &str,
        redirect_uri: &str,
        code: &str,
        verifier: &str,
        sender: &Sender,
    ) -> Result<Given, No> {
        let wrong = No::Grant("no such code, or no longer, or not for this client");
        let Some(step) = self.take::<Code>(code).await? else {
            if let Some((spent, _)) = self.look::<Spent>(code).await? {
                let row = self.parts.store.sign_in(&spent.sign_in).await?;
                if let Some(row) = row {
                    return Err(self.ended(&row, "its code was brought twice").await);
                }
            }
            return Err(wrong);
        };
        let right = step.client == client
            && step.redirect_uri == redirect_uri
            && (43..=128).contains(&verifier.len())
            && challenge_of(verifier) == step.challenge;
        if !right {
            return Err(wrong);
        }
        let given = self
            .begin_sign_in(client, &step.from, step.proven, sender)
            .await?;
        let spent = Spent {
            sign_in: given.sign_in.clone(),
        };
        if let Err(why) = self.keep(code, &spent, &step.from).await {
            // Nobody gets its tokens.
            self.parts.store.end(&given.sign_in).await?;
            return Err(why);
        }
        Ok(given)
    }

    /// Begins a sign-in: a person said yes. It is bound to what its client shows now, for as long as it goes on.
    pub(super) async fn begin_sign_in(
        &self,
        client: &str,
        from: &str,
        proven: Proven,
        sender: &Sender,
    ) -> Result<Given, No> {
        let identity = Identity {
            binding: sender.binding(),
            ..proven.identity()
        };
        if !identity.binding.is_any() && self.parts.oidc.wants_bound(&identity.chain) {
            return Err(No::Request(
                "this provider's people are given bound tokens alone: send a DPoP proof",
            ));
        }
        if !self.parts.still_good.counts(&identity).await? {
            return Err(No::Grant("this person was revoked since"));
        }
        let id = self.id()?;
        let secret = Secret::new(self.fresh()?);
        let refresh = refresh_token(&secret, &id, 0);
        let now = self.now();
        let lasts = match client {
            // Nobody holds anything to renew it by.
            client::SSH => &self.token_seconds,
            _ => &self.sign_in_seconds,
        };
        let lasts = Duration::from_secs(lasts.load(Ordering::Acquire));
        let row = NewSignIn {
            client: client.to_owned(),
            from: from.to_owned(),
            secret: self.seal_for(&secret, &secret_name(&id))?,
            turn: 0,
            upstream: self.seal_upstream(&id, proven.refresh())?,
            began_at: now,
            checked_at: proven.checked_at,
            ends_at: now.plus(lasts),
            identity,
            id,
        };
        let given = self.issue(&row, refresh)?;
        self.parts.store.begin(row).await?;
        Ok(given)
    }

    /// Fresh tokens for a refresh token, if the person's provider still knows them.
    pub async fn refresh(&self, client: &str, token: &str, sender: &Sender) -> Result<Given, No> {
        let unknown = No::Grant("no such refresh token, or no longer: sign in again");
        let Some((row, secret, turn)) = self.row_of(token).await? else {
            return Err(unknown);
        };
        // Nor is it used up by whoever does not hold its key (RFC 9449, section 5).
        if row.client != client || row.identity.binding.missing_of(sender).is_some() {
            return Err(unknown);
        }
        if row.turn != turn {
            // It was good once: either the client or a thief holds what came after it, and nobody can tell which.
            let why = "a used refresh token of it was brought again";
            return Err(self.ended(&row, why).await);
        }
        if !self.parts.still_good.counts(&row.identity).await? {
            return Err(self.ended(&row, "its person was revoked").await);
        }
        let turned = match self.checked(&row).await {
            Ok(turned) => turned,
            // Its provider does not say that the person is gone: what they hold runs out, and this may be tried again.
            Err(why @ (SignInFailed::Unavailable(_) | SignInFailed::Rejected(_))) => {
                return Err(No::Unavailable(why.to_string()));
            }
            Err(why @ (SignInFailed::Refused(_) | SignInFailed::NotHere(_))) => {
                return Err(self.ended(&row, &why.to_string()).await);
            }
        };
        let fresh = refresh_token(&secret, &row.id, turn.saturating_add(1));
        let turned = Turned {
            upstream: match turned.1 {
                Some(upstream) => self.seal_upstream(&row.id, Some(upstream))?,
                None => row.upstream.clone(),
            },
            ..turned.0
        };
        let next = SignInRow {
            identity: turned.identity.clone(),
            checked_at: turned.checked_at,
            ..row.clone()
        };
        let given = self.issue(&next, fresh)?;
        if self.parts.store.turn(&row.id, turn, turned).await? {
            return Ok(given);
        }
        let why = "two brought the same refresh token at the same time";
        Err(self.ended(&row, why).await)
    }

    /// Ends a sign-in over a token that was brought.
    async fn ended(&self, row: &SignInRow, why: &str) -> No {
        match self.parts.store.end(&row.id).await {
            Ok(_) => No::Ended(Box::new(Ending {
                sign_in: row.id.clone(),
                chain: row.identity.chain.to_string(),
                why: why.to_owned(),
            })),
            Err(why) => why.into(),
        }
    }

    /// The person as their provider knows them now, and the provider's next refresh token.
    async fn checked(&self, row: &SignInRow) -> Result<(Turned, Option<Secret>), SignInFailed> {
        let issuer = &row.identity.chain.acting.issuer;
        let oidc = &self.parts.oidc;
        if !self.providers().contains(issuer) {
            return Err(SignInFailed::NotHere(issuer.clone()));
        }
        let now = self.now();
        // As long as the provider's last word holds.
        let fresh_enough = now < row.identity.expires_at;
        let as_before = || Turned {
            identity: row.identity.clone(),
            upstream: row.upstream.clone(),
            checked_at: row.checked_at,
        };
        let Some(sealed) = &row.upstream else {
            return if fresh_enough {
                Ok((as_before(), None))
            } else {
                Err(SignInFailed::Refused(format!(
                    "`{issuer}` gave nothing by which it can be asked again"
                )))
            };
        };
        let refresh = open(&self.parts.sealing, sealed, &upstream_name(&row.id))
            .map_err(|why| SignInFailed::Refused(why.to_string()))?;
        match oidc.check_again(issuer, &refresh).await {
            Ok(found) => {
                let who = &found.identity.chain.acting;
                if !who.is_same(&row.identity.chain.acting) {
                    return Err(SignInFailed::Refused(format!(
                        "`{issuer}` speaks of somebody else now"
                    )));
                }
                let identity = Identity {
                    // How they proved themselves is as old as it was.
                    authenticated_at: row.identity.authenticated_at,
                    mfa: row.identity.mfa,
                    binding: row.identity.binding,
                    ..found.identity
                };
                let turned = Turned {
                    identity,
                    checked_at: now,
                    ..as_before()
                };
                Ok((turned, found.refresh))
            }
            Err(SignInFailed::Unavailable(why)) if fresh_enough => {
                tracing::warn!(%why, sign_in = %row.id, "a sign-in goes on without its provider's word");
                Ok((as_before(), None))
            }
            Err(why) => Err(why),
        }
    }

    /// Ends the sign-in that this refresh token is of. Tells whose it was; `None` when there is none, which is no error
    /// (RFC 7009, section 2.2).
    pub async fn end_by_refresh(&self, token: &str) -> Result<Option<SignInRow>, No> {
        let found = self.row_of(token).await?;
        match found {
            Some((row, _, _)) => {
                self.parts.store.end(&row.id).await?;
                Ok(Some(row))
            }
            None => Ok(None),
        }
    }

    /// Ends a sign-in; false when there was none.
    pub async fn end(&self, id: &str) -> Result<bool, No> {
        Ok(self.parts.store.end(id).await?)
    }

    /// A person's sign-ins, the newest first.
    pub async fn of(&self, who: &Principal) -> Result<Vec<SignInRow>, No> {
        Ok(self.parts.store.of(who).await?)
    }

    /// The sign-in that a refresh token is of, what its tokens are made with, and the token's number. Nobody ends a
    /// sign-in by its id alone: what is not made with its secret is nothing.
    async fn row_of(&self, token: &str) -> Result<Option<(SignInRow, Secret, u64)>, No> {
        let parts = token
            .strip_prefix(REFRESH_PREFIX)
            .and_then(|t| t.split_once('.'));
        let Some((id, rest)) = parts else {
            return Ok(None);
        };
        let turn = rest.split_once('.').and_then(|(n, _)| n.parse().ok());
        let is_id = id.len() == ID_BYTES * 2 && id.bytes().all(|b| b.is_ascii_hexdigit());
        let (true, Some(turn)) = (is_id, turn) else {
            return Ok(None);
        };
        let Some(row) = self.parts.store.sign_in(id).await? else {
            return Ok(None);
        };
        let secret = match open(&self.parts.sealing, &row.secret, &secret_name(id)) {
            Ok(secret) => secret,
            Err(why) => {
                // The key is another by now: nobody can bring a token of it any more.
                tracing::warn!(sign_in = %id, %why, "a sign-in does not open, and is ended");
                self.parts.store.end(id).await?;
                return Ok(None);
            }
        };
        let right = Secret::new(refresh_token(&secret, id, turn)).equals(token.as_bytes());
        let good = right && turn <= row.turn && self.now() < row.ends_at;
        Ok(good.then_some((row, secret, turn)))
    }

    /// An access token for a sign-in.
    fn issue(&self, row: &SignInRow, refresh: String) -> Result<Given, No> {
        let now = self.now();
        let lives = Duration::from_secs(self.token_seconds.load(Ordering::Acquire));
        let identity = Identity {
            expires_at: brattice_core::time::Timestamp::from_seconds(
                now.plus(lives)
                    .min(row.ends_at)
                    .min(row.identity.expires_at)
                    .seconds(),
            ),
            authenticated_at: brattice_core::time::Timestamp::from_seconds(
                row.identity.authenticated_at.seconds(),
            ),
            token_id: Some(self.id()?),
            sign_in: Some(row.id.clone()),
            ..row.identity.clone()
        };
        let issued = self.parts.own.issue(identity, now)?;
        Ok(Given {
            token: issued.token,
            refresh: Secret::new(refresh),
            identity: issued.identity,
            sign_in: row.id.clone(),
        })
    }

    fn id(&self) -> Result<String, No> {
        let mut id = [0; ID_BYTES];
        self.parts.randomness.fill(&mut id)?;
        Ok(hex::encode(id))
    }

    fn seal_upstream(&self, id: &str, refresh: Option<Secret>) -> Result<Option<Vec<u8>>, No> {
        let sealed = refresh.map(|r| self.seal_for(&r, &upstream_name(id)));
        sealed.transpose()
    }

    fn seal_for(&self, secret: &Secret, name: &str) -> Result<Vec<u8>, No> {
        let (keys, randomness) = (&self.parts.sealing, self.parts.randomness.as_ref());
        Ok(seal(keys, secret, name, randomness)?)
    }
}

/// The refresh token of this number.
fn refresh_token(secret: &Secret, sign_in: &str, turn: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
    let said = format!("{sign_in}.{turn}");
    let tag = hmac::sign(&key, said.as_bytes());
    format!("{REFRESH_PREFIX}{said}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn upstream_name(id: &str) -> String {
    format!("brattice:sign-in:{id}")
}

fn secret_name(id: &str) -> String {
    format!("brattice:sign-in-secret:{id}")
}
