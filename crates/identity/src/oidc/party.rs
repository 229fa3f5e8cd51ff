//! The gateway as a client of a provider, by whom people sign in.
//!
//! Lives here: the authorization code flow with PKCE and a nonce (OpenID Connect Core, section 3.1; RFC 7636), the ID
//! token and, where that lacks something, the UserInfo document. Never: whose browser it is, what becomes of the sign-in.

use super::config::{ClientConfig, IssuerConfig};
use super::fetch::{Endpoints, FetchError, Fetcher, Proof};
use super::keys::Lookup;
use super::{Oidc, Provider, claims, json, people, token};
use crate::lend::read_plain;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use brattice_core::ports::AuthError;
use brattice_core::principal::{Chain, Identity, LoginBy, PrincipalKind};
use brattice_core::scope::Scope;
use brattice_core::secret::Secret;
use brattice_core::sender::Binding;
use brattice_core::time::Timestamp;
use reqwest::{StatusCode, Url};
use serde_json::{Map, Value};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long it is remembered where a provider is asked.
const ENDPOINTS_AGE_MAX: Duration = Duration::from_secs(300);

/// What a provider answers when it no longer vouches for somebody (RFC 6749, section 5.2; OpenID Connect Core, section
/// 3.1.2.6).
const NO_TO_THE_PERSON: [&str; 6] = [
    "invalid_grant",
    "access_denied",
    "interaction_required",
    "login_required",
    "consent_required",
    "account_selection_required",
];

/// A client of one provider.
pub(super) struct Party {
    client: ClientConfig,
    fetcher: Fetcher,
    endpoints: Mutex<Option<(Timestamp, Arc<Endpoints>)>>,
}

/// Where a person's browser is sent with. `state`, `nonce` and `verifier` are fresh secrets of this sign-in; the first is
/// seen by the browser, the second by the provider, the last by neither until the code is traded.
#[derive(Debug)]
pub struct SignInRequest<'a> {
    /// Where the provider sends the browser back.
    pub redirect_uri: &'a str,
    /// `state`.
    pub state: &'a str,
    /// `nonce`.
    pub nonce: &'a str,
    /// What `code_challenge` is the hash of.
    pub verifier: &'a str,
    /// The person must show anew who they are, whatever the provider remembers (`prompt=login`).
    pub again: bool,
}

/// A person whom a provider vouched for just now.
#[derive(Debug)]
pub struct SignedIn {
    /// Who, in which groups. Ends when the provider must be asked again.
    pub identity: Identity,
    /// With what the provider can be asked again.
    pub refresh: Option<Secret>,
    /// Whether the provider said when the person authenticated.
    pub dated: bool,
}

/// Why somebody was not signed in. The text is for the operator's log.
#[derive(Debug, thiserror::Error)]
pub enum SignInFailed {
    /// Nobody signs in by this provider.
    #[error("nobody signs in by `{0}`")]
    NotHere(String),
    /// The provider says no.
    #[error("{0}")]
    Refused(String),
    /// What the provider says does not hold.
    #[error("{0}")]
    Rejected(String),
    /// It cannot be told now.
    #[error("{0}")]
    Unavailable(String),
}

impl From<AuthError> for SignInFailed {
    fn from(why: AuthError) -> Self {
        match why {
            AuthError::Rejected(why) => Self::Rejected(why),
            AuthError::Unheld(_) => Self::Rejected(why.to_string()),
            AuthError::Throttled => Self::Unavailable("too many attempts".to_owned()),
            AuthError::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

impl Party {
    /// Nothing is asked yet; `None` where nobody signs in by this provider.
    pub(super) fn new(config: &IssuerConfig) -> Result<Option<Self>, reqwest::Error> {
        let Some(client) = config.client.clone() else {
            return Ok(None);
        };
        Ok(Some(Self {
            client,
            fetcher: Fetcher::new(config)?,
            endpoints: Mutex::default(),
        }))
    }

    async fn endpoints(&self, now: Timestamp) -> Result<Arc<Endpoints>, FetchError> {
        let held = |p: &Self| {
            let held = p.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
            held.clone()
        };
        if let Some((at, endpoints)) = held(self)
            && now.since(at) < ENDPOINTS_AGE_MAX
        {
            return Ok(endpoints);
        }
        let found = Arc::new(self.fetcher.endpoints().await?);
        let mut held = self
            .endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *held = Some((now, found.clone()));
        Ok(found)
    }
}

impl Oidc {
    /// The providers that people sign in by, by name.
    pub fn sign_in_providers(&self) -> Vec<String> {
        let providers = self.providers.load();
        let parties = providers.list.iter().filter(|p| p.party.is_some());
        parties.map(|p| p.config.name.clone()).collect()
    }

    /// Where a person's browser is sent to sign in.
    pub async fn begin_sign_in(
        &self,
        issuer: &str,
        request: &SignInRequest<'_>,
    ) -> Result<Url, SignInFailed> {
        let (provider, party) = self.party(issuer)?;
        let endpoints = party
            .endpoints(self.now())
            .await
            .map_err(|e| provider.away(&e))?;
        let mut url = endpoints
            .authorization
            .clone()
            .ok_or_else(|| provider.lacks("authorization_endpoint"))?;
        let scopes = std::iter::once("openid")
            .chain(party.client.scopes.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ");
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, request.verifier.as_bytes()));
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &party.client.id)
            .append_pair("redirect_uri", request.redirect_uri)
            .append_pair("scope", &scopes)
            .append_pair("state", request.state)
            .append_pair("nonce", request.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        // OpenID Connect Core, section 11: offline access is given where consent was asked for.
        let offline = party.client.scopes.iter().any(|s| s == "offline_access");
        let prompts: Vec<&str> = [("login", request.again), ("consent", offline)]
            .into_iter()
            .filter_map(|(prompt, wanted)| wanted.then_some(prompt))
            .collect();
        if !prompts.is_empty() {
            url.query_pairs_mut()
                .append_pair("prompt", &prompts.join(" "));
        }
        Ok(url)
    }

    /// Trades the code that the browser brought for who the person is. `named` is the issuer that came with the code, if
    /// one did (RFC 9207).
    pub async fn finish_sign_in(
        &self,
        issuer: &str,
        named: Option<&str>,
        redirect_uri: &str,
        code: &str,
        (nonce, verifier): (&str, &str),
    ) -> Result<SignedIn, SignInFailed> {
        let (provider, party) = self.party(issuer)?;
        let endpoints = party
            .endpoints(self.now())
            .await
            .map_err(|e| provider.away(&e))?;
        let right = match named {
            Some(named) => named == provider.config.issuer,
            None => !endpoints.names_itself,
        };
        if !right {
            return Err(provider.refuses("its answer does not name it as the issuer"));
        }
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        self.ask(&provider, &party, &endpoints, &form, Some(nonce))
            .await
    }

    /// Asks the provider whether, and how, it still knows the person.
    pub async fn check_again(
        &self,
        issuer: &str,
        refresh: &Secret,
    ) -> Result<SignedIn, SignInFailed> {
        let (provider, party) = self.party(issuer)?;
        let endpoints = party
            .endpoints(self.now())
            .await
            .map_err(|e| provider.away(&e))?;
        let token = refresh
            .expose_str()
            .ok_or_else(|| provider.refuses("its refresh token is no text"))?;
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.ask(&provider, &party, &endpoints, &form, None).await
    }

    fn party(&self, issuer: &str) -> Result<(Provider, Arc<Party>), SignInFailed> {
        let providers = self.providers.load();
        let provider = providers.list.iter().find(|p| p.config.name == issuer);
        provider
            .and_then(|p| Some((p.clone(), p.party.clone()?)))
            .ok_or_else(|| SignInFailed::NotHere(issuer.to_owned()))
    }

    async fn ask(
        &self,
        provider: &Provider,
        party: &Party,
        endpoints: &Endpoints,
        form: &[(&str, &str)],
        nonce: Option<&str>,
    ) -> Result<SignedIn, SignInFailed> {
        let answer = party.tokens(provider, endpoints, form).await?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str);
        let refresh = text("refresh_token").map(Secret::new);
        let Some(id_token) = text("id_token") else {
            // There need be none when it is asked again (OpenID Connect Core, section 12.2).
            let (None, Some(url), Some(token)) = (nonce, &endpoints.userinfo, text("access_token"))
            else {
                return Err(provider.refuses("it gave no ID token"));
            };
            let said = party
                .document(provider, url.clone(), &Secret::new(token))
                .await?;
            let chain = people::chain(&provider.config, &said);
            let chain = chain.map_err(|why| SignInFailed::from(provider.rejected(&why)))?;
            let identity = party.identity(alone(provider, chain)?, self.now());
            return Ok(SignedIn {
                identity,
                refresh,
                dated: false,
            });
        };
        let unverified =
            token::split(id_token).map_err(|why| SignInFailed::from(provider.rejected(&why)))?;
        let (kid, algorithm) = (&unverified.kid, unverified.algorithm);
        let keys = &provider.keys;
        if let Lookup::Unavailable = keys.find_surely(kid, algorithm, self.now()).await {
            return Err(provider.unavailable().into());
        }
        provider.signed(&unverified, self.now()).await?;
        let config = &provider.config;
        let reject = |why| SignInFailed::from(provider.rejected(&why));
        if !matches!(unverified.typ.as_deref(), None | Some("jwt")) {
            return Err(provider.refuses("its ID token is of another type"));
        }
        let now = self.now();
        let said = &unverified.claims;
        let authenticated_at =
            claims::check_id_token(config, &party.client.id, nonce, said, now).map_err(reject)?;
        let chain = match people::chain(config, said) {
            Ok(chain) => chain,
            // Many providers put into the ID token only who it is, and the rest into a document beside it.
            Err(why) => match (&endpoints.userinfo, text("access_token")) {
                (Some(url), Some(token)) => {
                    let token = Secret::new(token);
                    let whole = party.whole(provider, url.clone(), &token, said).await?;
                    people::chain(config, &whole).map_err(reject)?
                }
                _ => return Err(reject(why)),
            },
        };
        let identity = Identity {
            mfa: people::used_second_factor(config, said).map_err(reject)?,
            authenticated_at,
            ..party.identity(alone(provider, chain)?, now)
        };
        Ok(SignedIn {
            identity,
            refresh,
            dated: said.contains_key("auth_time"),
        })
    }
}

impl Party {
    /// Somebody whom the provider vouched for now, by no more than its word.
    fn identity(&self, chain: Chain, now: Timestamp) -> Identity {
        Identity {
            chain,
            by: LoginBy::Oidc,
            mfa: false,
            binding: Binding::default(),
            authenticated_at: now,
            expires_at: now.plus(self.client.recheck_max),
            token_id: None,
            credential: None,
            scope: Scope::whole(),
            lineage: Vec::new(),
            sign_in: None,
        }
    }

    /// The token endpoint's answer.
    async fn tokens(
        &self,
        provider: &Provider,
        endpoints: &Endpoints,
        form: &[(&str, &str)],
    ) -> Result<Map<String, Value>, SignInFailed> {
        let url = endpoints
            .token
            .clone()
            .ok_or_else(|| provider.lacks("token_endpoint"))?;
        let secret = match &self.client.secret {
            Some(from) => Some(read_plain(from).await.map_err(|why| {
                SignInFailed::Unavailable(format!(
                    "the client secret of `{}`: {why}",
                    provider.config.name
                ))
            })?),
            None => None,
        };
        let (proof, own) = match &secret {
            Some(secret) if endpoints.takes_basic => {
                (Proof::Basic(&self.client.id, secret), Vec::new())
            }
            Some(secret) => (
                Proof::None,
                vec![
                    ("client_id", self.client.id.as_str()),
                    ("client_secret", secret.expose_str().unwrap_or_default()),
                ],
            ),
            None => (Proof::None, vec![("client_id", self.client.id.as_str())]),
        };
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .extend_pairs(own)
            .finish();
        let posted = self.fetcher.post(url, body, proof).await;
        let (status, answer) = posted.map_err(|e| provider.away(&e))?;
        let document = json::object(&answer);
        match (status, document) {
            (StatusCode::OK, Some(document)) => Ok(document),
            (status, document) if status.is_client_error() => {
                let error = document
                    .as_ref()
                    .and_then(|d| d.get("error"))
                    .and_then(Value::as_str)
                    .filter(|e| {
                        e.len() <= 60 && e.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                    })
                    .unwrap_or("no reason");
                let about_the_person =
                    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED)
                        && NO_TO_THE_PERSON.contains(&error);
                let why = format!(
                    "sign-in by `{}`: it refused ({error})",
                    provider.config.name
                );
                // Anything else is a fault of ours, too many requests, or something on the way: nobody left for that.
                match about_the_person {
                    true => Err(SignInFailed::Refused(why)),
                    false => Err(SignInFailed::Unavailable(format!("{why}, with {status}"))),
                }
            }
            (status, _) => Err(provider.away(&FetchError::Status(status))),
        }
    }

    /// The ID token's claims, and those that the UserInfo document adds (OpenID Connect Core, section 5.3). What the ID
    /// token says counts.
    async fn whole(
        &self,
        provider: &Provider,
        url: Url,
        token: &Secret,
        said: &Map<String, Value>,
    ) -> Result<Map<String, Value>, SignInFailed> {
        let mut whole = self.document(provider, url, token).await?;
        if whole.get("sub") != said.get("sub") || !said.contains_key("sub") {
            return Err(provider.refuses("its UserInfo document is about somebody else"));
        }
        whole.extend(said.clone());
        Ok(whole)
    }

    /// The UserInfo document.
    async fn document(
        &self,
        provider: &Provider,
        url: Url,
        token: &Secret,
    ) -> Result<Map<String, Value>, SignInFailed> {
        let document = self.fetcher.get_with(url, token).await;
        let document = document.map_err(|e| provider.away(&e))?;
        json::object(&document)
            .ok_or_else(|| provider.refuses("its UserInfo document is not one JSON object"))
    }
}

/// People sign in, and nobody in another's place.
fn alone(provider: &Provider, chain: Chain) -> Result<Chain, SignInFailed> {
    if chain.acting.kind == PrincipalKind::User && chain.on_behalf_of.is_empty() {
        Ok(chain)
    } else {
        Err(provider.refuses("it is people who sign in, each for themselves"))
    }
}

impl Provider {
    fn refuses(&self, why: &str) -> SignInFailed {
        SignInFailed::Rejected(format!("sign-in by `{}`: {why}", self.config.name))
    }
    fn lacks(&self, what: &str) -> SignInFailed {
        SignInFailed::Unavailable(format!(
            "`{}` names no {what} in its discovery document",
            self.config.name
        ))
    }
    fn away(&self, why: &FetchError) -> SignInFailed {
        let cause = std::error::Error::source(why).map(|c| format!(": {c}"));
        SignInFailed::Unavailable(format!(
            "sign-in by `{}`: {why}{}",
            self.config.name,
            cause.unwrap_or_default()
        ))
    }
}
