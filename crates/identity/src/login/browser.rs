//! A person's browser on its way: from a client's request to the provider and back.
//!
//! Lives here: the authorization request (RFC 6749, section 4.1, with PKCE, RFC 7636), the choice of a provider, its answer
//! and the person's own yes. Never: HTTP, pages.
//!
//! `Begun` → (the person chooses a provider) → `Away` → (the provider sends them back) → `Proven` → (they say yes) → a code
//! for the client, or the device's answer. Every step but the first is good once, and all of them only in the browser that
//! began: a link that somebody else began signs nobody in.

use super::device::{self, Device};
use super::grant::Code;
use super::step::{Step, challenge_of, print_of};
use super::{Logins, No, client};
use crate::oidc::SignInRequest;
use brattice_core::principal::Identity;
use brattice_core::secret::Secret;
use brattice_core::sender::Binding;
use brattice_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

/// A client's request (RFC 6749, section 4.1.1; RFC 7636, section 4.3).
#[derive(Debug, Clone, Default)]
pub struct Authorize {
    /// `client_id`.
    pub client: String,
    /// `redirect_uri`.
    pub redirect_uri: String,
    /// `response_type`.
    pub response_type: String,
    /// `state`.
    pub state: String,
    /// `code_challenge`.
    pub challenge: String,
    /// `code_challenge_method`.
    pub method: String,
}

/// What a person chooses from.
#[derive(Debug)]
pub struct Choice {
    /// The handle of the request.
    pub request: String,
    /// The cookie of this browser.
    pub cookie: String,
    /// The providers, by name.
    pub providers: Vec<String>,
}

/// Where a person comes back with from a provider.
#[derive(Debug, Clone, Default)]
pub struct Callback {
    /// `state`.
    pub state: String,
    /// `code`.
    pub code: Option<String>,
    /// `iss` (RFC 9207).
    pub iss: Option<String>,
    /// `error`, in the provider's words.
    pub error: Option<String>,
}

/// What a person is asked before a client gets anything.
#[derive(Debug)]
pub struct Confirm {
    /// The handle of the question.
    pub question: String,
    /// Who they are.
    pub identity: Identity,
    /// Who asks.
    pub by: AskedBy,
    /// The origin that the answer leads to, where it leads to one.
    pub leads_to: Option<String>,
}

/// Where a person goes on to from a provider.
#[derive(Debug)]
pub enum Next {
    /// To a question.
    Confirm(Box<Confirm>),
    /// To the provider once more, to show anew who they are.
    Again(String),
    /// Back to the client, which is told that nobody signed in.
    Back {
        /// The address.
        to: String,
        /// Why, for the operator.
        why: No,
    },
}

/// Who asks to act as a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedBy {
    /// A program on the same machine.
    Here {
        /// The client.
        client: String,
    },
    /// A program elsewhere, that showed this code.
    Device {
        /// The client.
        client: String,
        /// Its address.
        from: String,
        /// What it shows.
        user_code: String,
        /// Over SSH: what the connection asks for, `ACCOUNT@TARGET` or `TARGET`.
        login: Option<String>,
    },
}

/// What becomes of a person's answer.
#[derive(Debug)]
pub enum Answered {
    /// The browser goes on to the client.
    Leads(String),
    /// There is nothing more for the browser to do.
    Done {
        /// What the person said.
        yes: bool,
    },
}

/// To whom the outcome goes.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Reply {
    Client {
        client: String,
        redirect_uri: String,
        state: String,
        challenge: String,
    },
    Device {
        client: String,
        from: String,
        user_code: String,
        #[serde(default)]
        login: Option<String>,
    },
}

/// A request that waits for its person to choose a provider.
#[derive(Serialize, Deserialize)]
struct Begun {
    reply: Reply,
    cookie: String,
}

impl Step for Begun {
    const KIND: &'static str = "begun";
}

/// A browser that is at a provider.
#[derive(Serialize, Deserialize)]
pub(super) struct Away {
    reply: Reply,
    cookie: String,
    pub issuer: String,
    /// What the provider's answer must name: a nonce, or the id of a SAML request.
    pub nonce: String,
    /// Empty where there is no code to trade.
    verifier: String,
    /// The provider was told to have the person show anew who they are.
    again: bool,
}

impl Step for Away {
    const KIND: &'static str = "away";
}

/// A person whom a provider vouched for, and who has not said yet what they want.
#[derive(Serialize, Deserialize)]
struct Question {
    reply: Reply,
    cookie: String,
    proven: Proven,
}

impl Step for Question {
    const KIND: &'static str = "question";
}

/// What a provider said.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Proven {
    pub who: brattice_core::principal::Principal,
    pub mfa: bool,
    pub by: brattice_core::principal::LoginBy,
    pub authenticated_at: Timestamp,
    /// Until when it holds if the provider is not asked again.
    pub until: Timestamp,
    pub checked_at: Timestamp,
    /// The provider's refresh token. Kept sealed, as the whole step is.
    pub refresh: Option<String>,
    /// Whether the provider said when they authenticated.
    pub dated: bool,
}

impl Logins {
    /// Begins for a client.
    pub fn authorize(&self, asked: Authorize, cookie: Option<String>) -> Result<Choice, No> {
        client::redirect(&asked.client, &asked.redirect_uri)?;
        if asked.response_type != "code" {
            return Err(No::Request("`response_type` must be code"));
        }
        let challenge = asked.challenge.as_str();
        let is_challenge = challenge.len() == challenge_of("").len()
            && challenge
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if asked.method != "S256" || !is_challenge {
            return Err(No::Request(
                "`code_challenge` must be there, with `code_challenge_method` S256",
            ));
        }
        if asked.state.is_empty() || asked.state.len() > 500 {
            return Err(No::Request("`state` must have 1 to 500 characters"));
        }
        let reply = Reply::Client {
            client: asked.client,
            redirect_uri: asked.redirect_uri,
            state: asked.state,
            challenge: asked.challenge,
        };
        self.begin(reply, cookie)
    }

    /// Begins, in a browser, for a device that shows this code.
    pub async fn authorize_device(
        &self,
        user_code: &str,
        cookie: Option<String>,
        source: &str,
    ) -> Result<Choice, No> {
        let now = self.now();
        if !self.guesses.may_try(source, now) {
            return Err(No::Throttled);
        }
        let code = device::read_user_code(user_code);
        let waiting = match &code {
            Some(code) => self.look::<Device>(code).await?,
            None => None,
        };
        let (
            Some(code),
            Some((
                Device::Waiting {
                    client,
                    from,
                    login,
                },
                _,
            )),
        ) = (code, waiting)
        else {
            self.guesses.failed(source, now);
            return Err(No::Grant("no device shows this code, or no longer"));
        };
        let reply = Reply::Device {
            client,
            from,
            user_code: code,
            login,
        };
        self.begin(reply, cookie)
    }

    fn begin(&self, reply: Reply, cookie: Option<String>) -> Result<Choice, No> {
        let providers = match &reply {
            Reply::Device { login: Some(_), .. } => self.providers_over_ssh()?,
            _ => self.some_providers()?,
        };
        let fresh = self.fresh()?;
        // A browser that is on another way already keeps its cookie, so that both ways lead on.
        let cookie = cookie.filter(|c| c.len() == fresh.len()).unwrap_or(fresh);
        let begun = Begun {
            reply,
            cookie: print_of(&cookie).to_string(),
        };
        Ok(Choice {
            request: self.handed_out(&begun)?,
            cookie,
            providers,
        })
    }

    /// Sends the person on to a provider: the address to go to.
    pub async fn choose(
        &self,
        request: &str,
        issuer: &str,
        cookie: &str,
        source: &str,
    ) -> Result<String, No> {
        let begun = self
            .handed_back::<Begun>(request)
            .filter(|b| b.cookie == print_of(cookie).to_string())
            .ok_or(No::Grant(GONE))?;
        self.send(begun, issuer, source, false).await
    }

    /// Sends a browser to a provider: the address to go to.
    async fn send(
        &self,
        begun: Begun,
        issuer: &str,
        source: &str,
        again: bool,
    ) -> Result<String, No> {
        let (state, nonce, verifier) = (self.fresh()?, self.fresh()?, self.fresh()?);
        let (url, nonce, verifier) = match self.saml(issuer) {
            Some(provider) => {
                let (url, request) = self.begin_saml(&provider, &state, again)?;
                (url, request, String::new())
            }
            None => {
                let request = SignInRequest {
                    redirect_uri: &self.callback_uri(issuer),
                    state: &state,
                    nonce: &nonce,
                    verifier: &verifier,
                    again,
                };
                let url = self.parts.oidc.begin_sign_in(issuer, &request).await?;
                (url.into(), nonce, verifier)
            }
        };
        let away = Away {
            reply: begun.reply,
            cookie: begun.cookie,
            issuer: issuer.to_owned(),
            nonce,
            verifier,
            again,
        };
        self.keep(&state, &away, source).await?;
        Ok(url)
    }

    /// Takes a provider's answer: what the person sees next.
    pub async fn callback(
        &self,
        issuer: &str,
        answer: Callback,
        cookie: &str,
        source: &str,
    ) -> Result<Next, No> {
        let away = self.back_from(&answer.state, issuer, cookie).await?;
        let vouched = self.vouched(&away, answer).await;
        self.arrived(away, vouched, source).await
    }

    /// Takes the step of a browser that is back; nobody else's.
    pub(super) async fn back_from(
        &self,
        state: &str,
        issuer: &str,
        cookie: &str,
    ) -> Result<Away, No> {
        // Looked at before it is taken: another browser uses nothing up.
        let (away, _) = self.look::<Away>(state).await?.ok_or(No::Grant(GONE))?;
        if away.issuer != issuer || away.cookie != print_of(cookie).to_string() {
            return Err(No::Grant(GONE));
        }
        self.take::<Away>(state).await?.ok_or(No::Grant(GONE))
    }

    /// What the person sees next, whatever way the provider's word came.
    pub(super) async fn arrived(
        &self,
        away: Away,
        vouched: Result<Proven, No>,
        source: &str,
    ) -> Result<Next, No> {
        let why = match vouched {
            Ok(proven) => {
                let mut identity = proven.identity();
                if !proven.dated && !away.again {
                    // It may be as old as the provider's memory: it counts for somebody who was never revoked.
                    identity.authenticated_at = Timestamp(0);
                }
                if self.parts.still_good.counts(&identity).await? {
                    let confirm = self.ask(away.reply, away.cookie, proven, source).await?;
                    return Ok(Next::Confirm(Box::new(confirm)));
                }
                if !away.again {
                    // What the provider remembers is from before the revocation: it is to ask the person itself.
                    let begun = Begun {
                        reply: away.reply,
                        cookie: away.cookie,
                    };
                    let url = self.send(begun, &away.issuer, source, true).await?;
                    return Ok(Next::Again(url));
                }
                No::Denied(format!("{} was revoked since", identity.chain))
            }
            Err(why) => why,
        };
        let error = match &why {
            No::Unavailable(_) => "temporarily_unavailable",
            _ => "access_denied",
        };
        match &away.reply {
            Reply::Client {
                redirect_uri,
                state,
                ..
            } => {
                let to = self.back(redirect_uri, &[("error", error)], state)?;
                Ok(Next::Back { to, why })
            }
            // The device goes on waiting: the person may try again.
            Reply::Device { .. } => Err(why),
        }
    }

    /// What the provider says, with the code that the browser brought.
    async fn vouched(&self, away: &Away, answer: Callback) -> Result<Proven, No> {
        let issuer = &away.issuer;
        if away.verifier.is_empty() {
            return Err(No::Denied(format!("`{issuer}` answers by a form")));
        }
        if let Some(error) = answer.error {
            let plain: String = error
                .chars()
                .filter(|c| c.is_ascii_graphic())
                .take(60)
                .collect();
            return Err(No::Denied(format!("`{issuer}` signed nobody in ({plain})")));
        }
        let code = answer
            .code
            .ok_or_else(|| No::Denied(format!("`{issuer}` brought no code")))?;
        let callback = self.callback_uri(issuer);
        let secrets = (away.nonce.as_str(), away.verifier.as_str());
        let oidc = &self.parts.oidc;
        let signed_in = oidc
            .finish_sign_in(issuer, answer.iss.as_deref(), &callback, &code, secrets)
            .await?;
        Ok(Proven {
            dated: signed_in.dated,
            refresh: signed_in
                .refresh
                .and_then(|r| r.expose_str().map(str::to_owned)),
            ..Proven::of(signed_in.identity, self.now())
        })
    }

    /// A client's address with an answer.
    fn back(&self, to: &str, answer: &[(&str, &str)], state: &str) -> Result<String, No> {
        let mut url = Url::parse(to).map_err(|_| No::Client("no such address"))?;
        // RFC 9207: the client can tell whose answer this is.
        url.query_pairs_mut()
            .extend_pairs(answer)
            .append_pair("state", state)
            .append_pair("iss", self.parts.own.issuer());
        Ok(url.into())
    }

    async fn ask(
        &self,
        reply: Reply,
        cookie: String,
        proven: Proven,
        source: &str,
    ) -> Result<Confirm, No> {
        let identity = proven.identity();
        let question = self.fresh()?;
        let (by, leads_to) = match &reply {
            Reply::Client {
                client,
                redirect_uri,
                ..
            } => {
                let by = AskedBy::Here {
                    client: client.clone(),
                };
                let to = Url::parse(redirect_uri)
                    .map(|u| u.origin().ascii_serialization())
                    .ok();
                (by, to)
            }
            Reply::Device {
                client,
                from,
                user_code,
                login,
            } => {
                let by = AskedBy::Device {
                    client: client.clone(),
                    from: from.clone(),
                    user_code: device::shown(user_code),
                    login: login.clone(),
                };
                (by, None)
            }
        };
        let step = Question {
            reply,
            cookie,
            proven,
        };
        self.keep(&question, &step, source).await?;
        Ok(Confirm {
            question,
            identity,
            by,
            leads_to,
        })
    }

    /// Takes the person's own answer. Also tells who it was, and who had asked.
    pub async fn answer(
        &self,
        question: &str,
        yes: bool,
        cookie: &str,
        source: &str,
    ) -> Result<(Answered, Identity, AskedBy), No> {
        let step = self.take::<Question>(question).await?;
        let step = step
            .filter(|s| s.cookie == print_of(cookie).to_string())
            .ok_or(No::Grant(GONE))?;
        let identity = step.proven.identity();
        match step.reply {
            Reply::Client {
                client,
                redirect_uri,
                state,
                challenge,
            } => {
                let to = redirect_uri.clone();
                let url = if yes {
                    let code = self.fresh()?;
                    let step = Code {
                        client: client.clone(),
                        redirect_uri,
                        challenge,
                        from: source.to_owned(),
                        proven: step.proven,
                    };
                    self.keep(&code, &step, source).await?;
                    self.back(&to, &[("code", &code)], &state)?
                } else {
                    self.back(&to, &[("error", "access_denied")], &state)?
                };
                let by = AskedBy::Here { client };
                Ok((Answered::Leads(url), identity, by))
            }
            Reply::Device {
                client,
                from,
                user_code,
                login,
            } => {
                let by = AskedBy::Device {
                    client,
                    from,
                    user_code: device::shown(&user_code),
                    login,
                };
                self.settle_device(&user_code, yes.then_some(step.proven))
                    .await?;
                Ok((Answered::Done { yes }, identity, by))
            }
        }
    }
}

pub(super) const GONE: &str =
    "this sign-in has ended, was begun in another browser, or was used already";

impl Proven {
    /// By an identity that a provider vouched for now.
    pub(super) fn of(identity: Identity, now: Timestamp) -> Self {
        Self {
            who: identity.chain.acting,
            mfa: identity.mfa,
            by: identity.by,
            authenticated_at: identity.authenticated_at,
            until: identity.expires_at,
            checked_at: now,
            refresh: None,
            dated: true,
        }
    }

    /// As an identity, until the provider must be asked again.
    pub(super) fn identity(&self) -> Identity {
        Identity {
            chain: brattice_core::principal::Chain::of(self.who.clone()),
            by: self.by,
            mfa: self.mfa,
            binding: Binding::default(),
            authenticated_at: self.authenticated_at,
            expires_at: self.until,
            token_id: None,
            credential: None,
            scope: brattice_core::scope::Scope::whole(),
            lineage: Vec::new(),
            sign_in: None,
        }
    }

    pub(super) fn refresh(&self) -> Option<Secret> {
        self.refresh.as_deref().map(Secret::new)
    }
}
