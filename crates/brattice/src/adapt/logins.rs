//! People signing in: the authorization server, its store, and whom it no longer knows.
//!
//! Lives here: translation. Never: the flows, SQL, HTTP.

use super::Revocations;
use super::revocations::token;
use crate::run::Gateway;
use brattice_admin::ports::login::{
    Answered, AskedBy, AuthorizeRequest, Choice, Confirm, DeviceCodes, Elsewhere, Ending, LoginApi,
    LoginRefused, Next, Returned, SignInView, SignedIn,
};
use brattice_core::ids::Digest;
use brattice_core::ports::{BoxFuture, StoreError};
use brattice_core::principal::{Identity, Principal};
use brattice_core::sender::Sender;
use brattice_core::time::Timestamp;
use brattice_identity::login::{
    self, Authorize, Callback, DEVICE_INTERVAL, Given, LoginStore, No, SignInRow, StillGood, Turned,
};
use brattice_store::db::{Db, SignIn, SignInTurn};
use std::sync::Arc;

/// Steps and sign-ins in a database; what is ended is void at once.
pub struct StepsIn(pub Db, pub Arc<Revocations>);

impl LoginStore for StepsIn {
    fn keep_step<'a>(
        &'a self,
        key: Digest,
        body: Vec<u8>,
        source: &'a str,
        until: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.0.keep_step(key, &body, source, until).await })
    }

    fn step(&self, key: Digest) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(self.0.step(key))
    }

    fn take_step(&self, key: Digest) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(self.0.take_step(key))
    }

    fn change_step(
        &self,
        key: Digest,
        from: Vec<u8>,
        to: Vec<u8>,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move { self.0.change_step(key, &from, &to).await })
    }

    fn begin(&self, sign_in: SignInRow) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let kept = SignIn {
                id: sign_in.id,
                client: sign_in.client,
                source: sign_in.from,
                identity: sign_in.identity,
                secret: sign_in.secret,
                turn: sign_in.turn,
                upstream: sign_in.upstream,
                began_at: sign_in.began_at,
                checked_at: sign_in.checked_at,
                ends_at: sign_in.ends_at,
            };
            self.0.begin_sign_in(&kept).await
        })
    }

    fn sign_in<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<SignInRow>, StoreError>> {
        Box::pin(async move { Ok(self.0.sign_in(id).await?.map(row)) })
    }

    fn turn<'a>(
        &'a self,
        id: &'a str,
        from: u64,
        to: Turned,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let to = SignInTurn {
                identity: to.identity,
                upstream: to.upstream,
                checked_at: to.checked_at,
            };
            self.0.turn_sign_in(id, from, &to).await
        })
    }

    fn end<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let voided = self.0.revoke(&token(id)).await?;
            self.1.forget();
            Ok(voided.signed_out)
        })
    }

    fn of<'a>(&'a self, who: &'a Principal) -> BoxFuture<'a, Result<Vec<SignInRow>, StoreError>> {
        Box::pin(async move {
            let found = self.0.sign_ins_of(who).await?;
            Ok(found.into_iter().map(row).collect())
        })
    }
}

fn row(kept: SignIn) -> SignInRow {
    SignInRow {
        id: kept.id,
        client: kept.client,
        from: kept.source,
        identity: kept.identity,
        secret: kept.secret,
        turn: kept.turn,
        upstream: kept.upstream,
        began_at: kept.began_at,
        checked_at: kept.checked_at,
        ends_at: kept.ends_at,
    }
}

/// Whom the revocations do not void.
pub struct Unvoided(pub Arc<Revocations>);

impl StillGood for Unvoided {
    fn counts<'a>(&'a self, identity: &'a Identity) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.0.current().await?.voids(identity).is_none()) })
    }
}

/// The authorization server of a gateway.
pub struct Desk(pub Arc<Gateway>);

impl Desk {
    fn logins(&self) -> &login::Logins {
        &self.0.logins
    }
}

impl LoginApi for Desk {
    fn providers(&self) -> Vec<String> {
        self.logins().providers()
    }

    fn authorize(
        &self,
        asked: AuthorizeRequest,
        cookie: Option<String>,
    ) -> Result<Choice, LoginRefused> {
        let asked = Authorize {
            client: asked.client,
            redirect_uri: asked.redirect_uri,
            response_type: asked.response_type,
            state: asked.state,
            challenge: asked.challenge,
            method: asked.method,
        };
        let begun = self.logins().authorize(asked, cookie);
        begun.map(choice).map_err(refused)
    }

    fn authorize_device<'a>(
        &'a self,
        user_code: &'a str,
        cookie: Option<String>,
        source: &'a str,
    ) -> BoxFuture<'a, Result<Choice, LoginRefused>> {
        Box::pin(async move {
            let logins = self.logins();
            let begun = logins.authorize_device(user_code, cookie, source).await;
            begun.map(choice).map_err(refused)
        })
    }

    fn choose<'a>(
        &'a self,
        request: &'a str,
        issuer: &'a str,
        cookie: &'a str,
        source: &'a str,
    ) -> BoxFuture<'a, Result<String, LoginRefused>> {
        Box::pin(async move {
            let logins = self.logins();
            let url = logins.choose(request, issuer, cookie, source).await;
            url.map_err(refused)
        })
    }

    fn returned<'a>(
        &'a self,
        issuer: &'a str,
        answer: Returned,
        cookie: &'a str,
        source: &'a str,
    ) -> BoxFuture<'a, Result<Next, LoginRefused>> {
        let answer = Callback {
            state: answer.state,
            code: answer.code,
            iss: answer.iss,
            error: answer.error,
        };
        Box::pin(async move {
            let next = self.logins().callback(issuer, answer, cookie, source).await;
            next.map(|n| went_on(issuer, n)).map_err(refused)
        })
    }

    fn posted<'a>(
        &'a self,
        issuer: &'a str,
        response: &'a str,
        relay_state: &'a str,
        source: &'a str,
    ) -> BoxFuture<'a, Result<String, LoginRefused>> {
        Box::pin(async move {
            let logins = self.logins();
            let handle = logins.posted(issuer, response, relay_state, source).await;
            handle.map_err(refused)
        })
    }

    fn collect<'a>(
        &'a self,
        issuer: &'a str,
        handle: &'a str,
        cookie: &'a str,
        source: &'a str,
    ) -> BoxFuture<'a, Result<Next, LoginRefused>> {
        Box::pin(async move {
            let next = self.logins().collect(issuer, handle, cookie, source).await;
            next.map(|n| went_on(issuer, n)).map_err(refused)
        })
    }

    fn metadata(&self, issuer: &str) -> Option<String> {
        self.logins().metadata(issuer)
    }

    fn answer<'a>(
        &'a self,
        question: &'a str,
        yes: bool,
        cookie: &'a str,
        source: &'a str,
    ) -> BoxFuture<'a, Result<Answered, LoginRefused>> {
        Box::pin(async move {
            let answered = self.logins().answer(question, yes, cookie, source).await;
            let (answered, identity, by) = answered.map_err(refused)?;
            Ok(Answered {
                leads_to: match answered {
                    login::Answered::Leads(to) => Some(to),
                    login::Answered::Done { .. } => None,
                },
                identity,
                by: asked_by(by),
            })
        })
    }

    fn begin_device<'a>(
        &'a self,
        client: &'a str,
        source: &'a str,
    ) -> BoxFuture<'a, Result<DeviceCodes, LoginRefused>> {
        Box::pin(async move {
            let codes = self.logins().begin_device(client, source).await;
            let codes = codes.map_err(refused)?;
            Ok(DeviceCodes {
                device_code: codes.device_code,
                user_code: codes.user_code,
                expires_in: codes.expires_in,
                interval: DEVICE_INTERVAL,
            })
        })
    }

    fn poll_device<'a>(
        &'a self,
        client: &'a str,
        device_code: &'a str,
        sender: &'a Sender,
    ) -> BoxFuture<'a, Result<SignedIn, LoginRefused>> {
        Box::pin(async move {
            let given = self.logins().poll_device(client, device_code, sender).await;
            given.map(signed_in).map_err(refused)
        })
    }

    fn trade_code<'a>(
        &'a self,
        client: &'a str,
        redirect_uri: &'a str,
        code: &'a str,
        verifier: &'a str,
        sender: &'a Sender,
    ) -> BoxFuture<'a, Result<SignedIn, LoginRefused>> {
        Box::pin(async move {
            let logins = self.logins();
            let given = logins
                .trade_code(client, redirect_uri, code, verifier, sender)
                .await;
            given.map(signed_in).map_err(refused)
        })
    }

    fn refresh<'a>(
        &'a self,
        client: &'a str,
        token: &'a str,
        sender: &'a Sender,
    ) -> BoxFuture<'a, Result<SignedIn, LoginRefused>> {
        Box::pin(async move {
            let given = self.logins().refresh(client, token, sender).await;
            given.map(signed_in).map_err(refused)
        })
    }

    fn end_by_refresh<'a>(
        &'a self,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Option<SignInView>, LoginRefused>> {
        Box::pin(async move {
            let ended = self.logins().end_by_refresh(token).await;
            Ok(ended.map_err(refused)?.map(view))
        })
    }

    fn end<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<bool, LoginRefused>> {
        Box::pin(async move { self.logins().end(id).await.map_err(refused) })
    }

    fn of<'a>(
        &'a self,
        who: &'a Principal,
    ) -> BoxFuture<'a, Result<Vec<SignInView>, LoginRefused>> {
        Box::pin(async move {
            let found = self.logins().of(who).await.map_err(refused)?;
            Ok(found.into_iter().map(view).collect())
        })
    }
}

fn went_on(issuer: &str, next: login::Next) -> Next {
    match next {
        login::Next::Confirm(asked) => Next::Confirm(Box::new(Confirm {
            question: asked.question,
            identity: asked.identity,
            by: asked_by(asked.by),
            leads_to: asked.leads_to,
        })),
        login::Next::Again(to) => Next::Again(to),
        login::Next::Back { to, why } => {
            tracing::warn!(issuer, %why, "somebody could not be signed in");
            let why = why.to_string();
            Next::Back { to, why }
        }
    }
}

fn choice(begun: login::Choice) -> Choice {
    Choice {
        request: begun.request,
        cookie: begun.cookie,
        providers: begun.providers,
    }
}

fn asked_by(by: login::AskedBy) -> AskedBy {
    match by {
        login::AskedBy::Here { client } => AskedBy {
            client,
            device: None,
        },
        login::AskedBy::Device {
            client,
            from,
            user_code,
            login,
        } => AskedBy {
            client,
            device: Some(Elsewhere {
                from,
                code: user_code,
                login,
            }),
        },
    }
}

fn signed_in(given: Given) -> SignedIn {
    SignedIn {
        token: given.token,
        refresh: given.refresh,
        identity: given.identity,
        sign_in: given.sign_in,
    }
}

fn view(row: SignInRow) -> SignInView {
    SignInView {
        id: row.id,
        client: row.client,
        from: row.from,
        who: row.identity.chain.acting,
        began_at: row.began_at,
        ends_at: row.ends_at,
    }
}

/// A refusal in OAuth's words. What only the operator may read goes to the log.
fn refused(why: No) -> LoginRefused {
    let plain = |error, why: &str| LoginRefused {
        error,
        why: why.to_owned(),
        ended: None,
    };
    match why {
        No::Request(why) => plain("invalid_request", why),
        No::Client(why) => plain("invalid_client", why),
        No::Grant(why) => plain("invalid_grant", why),
        No::Ended(ending) => {
            let login::Ending {
                sign_in,
                chain,
                why,
            } = *ending;
            tracing::warn!(%sign_in, %chain, %why, "a sign-in is ended");
            LoginRefused {
                ended: Some(Ending {
                    sign_in,
                    chain,
                    why,
                }),
                ..plain("invalid_grant", "this sign-in has ended: sign in again")
            }
        }
        No::Denied(why) => {
            tracing::warn!(%why, "somebody was not signed in");
            plain("access_denied", "nobody was signed in")
        }
        No::Pending => plain("authorization_pending", "nobody has answered yet"),
        No::SlowDown => plain("slow_down", "asked too often"),
        No::Expired => plain("expired_token", "the code has ended"),
        No::Throttled => plain("throttled", "too many attempts; wait a little"),
        No::Unavailable(why) => {
            tracing::error!(%why, "signing in does not work now");
            plain(
                "temporarily_unavailable",
                "it cannot be done now; try again",
            )
        }
    }
}
