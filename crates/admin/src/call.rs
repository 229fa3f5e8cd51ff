//! One authenticated request, and the proof that what it asks for is permitted.
//!
//! Lives here: the call, [`Permit`] and [`Reply`]. Never: a route of its own, how a token is checked.

use crate::decision::Nonces;
use crate::line::Line;
use crate::ports::login::LoginApi;
use crate::ports::proofs::ProofsApi;
use crate::ports::{
    Act, ApprovalsApi, AuditApi, Authorizer, BundleApi, CredentialsApi, DelegationsApi, FreezesApi,
    GrantsApi, IdentitiesApi, Recorder, SessionsApi, SshApi, TokensApi,
};
use crate::problem::Problem;
use crate::proof::Evidence;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use brattice_core::approval::Approval;
use brattice_core::audit::Event;
use brattice_core::denial::{Code, Denial};
use brattice_core::elsewhere::Elsewhere;
use brattice_core::policy::builtin;
use brattice_core::ports::Authenticator;
use brattice_core::principal::{Chain, Identity, PrincipalKind};
use brattice_core::secret::Secret;
use brattice_core::time::Clock;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What the binary brings.
pub struct Ports {
    /// Questions.
    pub approvals: Arc<dyn ApprovalsApi>,
    /// Sessions.
    pub sessions: Arc<dyn SessionsApi>,
    /// Credentials.
    pub credentials: Arc<dyn CredentialsApi>,
    /// SSH.
    pub ssh: Arc<dyn SshApi>,
    /// The gateway's own tokens.
    pub tokens: Arc<dyn TokensApi>,
    /// People who sign in.
    pub login: Arc<dyn LoginApi>,
    /// Delegations.
    pub delegations: Arc<dyn DelegationsApi>,
    /// Grants.
    pub grants: Arc<dyn GrantsApi>,
    /// What is stopped.
    pub freezes: Arc<dyn FreezesApi>,
    /// Principals.
    pub identities: Arc<dyn IdentitiesApi>,
    /// The audit log, for reading.
    pub audit: Arc<dyn AuditApi>,
    /// The bundle.
    pub bundle: Arc<dyn BundleApi>,
    /// Proofs that senders hold keys.
    pub proofs: Arc<dyn ProofsApi>,
    /// Who is calling.
    pub authenticator: Arc<dyn Authenticator>,
    /// Whether whoever called still is, by the same proof: the same checks, and nothing noted of it.
    pub again: Arc<dyn Authenticator>,
    /// Where proofs of identity were used from.
    pub elsewhere: Arc<Elsewhere>,
    /// What they may do.
    pub authorizer: Arc<dyn Authorizer>,
    /// The audit log, for writing.
    pub recorder: Arc<dyn Recorder>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// How the API is reached, and its bounds.
pub struct Settings {
    /// The address that people use, without a slash at its end.
    pub public_url: String,
    /// Values of `Host` that are answered, with their ports where those are not the scheme's own.
    pub hosts: Vec<String>,
    /// Those of them that are this machine's own names for itself, beside the public one.
    pub own_hosts: Vec<String>,
    /// Signing secrets of routes that may bring decisions, by route.
    pub decision_secrets: BTreeMap<String, Secret>,
    /// The longest life of a credential that may be asked for.
    pub credential_lifetime_max: Duration,
    /// The longest life of a token that is given for another.
    pub own_token_lifetime_max: Duration,
    /// The longest time that an agent may act for a person by a delegation.
    pub delegation_lifetime_max: Duration,
    /// Whether clients are asked for a certificate, which tokens can be bound to.
    pub client_certificates: bool,
}

impl Settings {
    /// Answers on the host of its public address and on those given, which may be `address:port`.
    pub fn new(public_url: &str, also: &[String]) -> Self {
        let own_hosts: Vec<String> = also.iter().map(|h| h.to_ascii_lowercase()).collect();
        let mut hosts = own_hosts.clone();
        if let Ok(url) = url::Url::parse(public_url) {
            let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
            hosts.push(match url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host,
            });
        }
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            hosts,
            own_hosts,
            decision_secrets: BTreeMap::new(),
            credential_lifetime_max: Duration::from_secs(3600),
            own_token_lifetime_max: Duration::from_secs(900),
            delegation_lifetime_max: Duration::from_secs(24 * 3600),
            client_certificates: false,
        }
    }
}

/// The API with everything it needs.
pub struct Admin {
    pub(crate) ports: Ports,
    pub(crate) settings: Settings,
    pub(crate) nonces: Nonces,
    requests: AtomicU64,
    started: i64,
}

impl Admin {
    /// Puts it together.
    pub fn new(ports: Ports, settings: Settings) -> Arc<Self> {
        let started = ports.clock.now().0;
        Arc::new(Self {
            ports,
            settings,
            nonces: Nonces::default(),
            requests: AtomicU64::new(0),
            started,
        })
    }

    /// Names a request: unique on this node, without meaning.
    pub(crate) fn request_id(&self) -> String {
        let n = self.requests.fetch_add(1, Ordering::Relaxed);
        format!("req-{:x}-{n}", self.started)
    }
}

/// That somebody may do something: the only way to a [`Reply`]. Made by this module alone.
#[derive(Debug)]
pub struct Permit(());

/// An answer to a request that was permitted.
#[derive(Debug)]
pub struct Reply(pub(crate) Response);

impl Reply {
    /// A JSON document.
    pub fn json(_: &Permit, status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        let bytes = serde_json::to_vec(body).map_err(|_| Problem::unavailable())?;
        Ok(Self::bytes(status, "application/json", bytes))
    }

    /// JSON documents, one a line, and where to go on.
    pub fn lines<T: Serialize>(
        _: &Permit,
        items: impl Iterator<Item = T>,
        next: Option<u64>,
    ) -> Result<Self, Problem> {
        let mut bytes = Vec::new();
        for item in items {
            serde_json::to_writer(&mut bytes, &item).map_err(|_| Problem::unavailable())?;
            bytes.push(b'\n');
        }
        let mut reply = Self::bytes(StatusCode::OK, "application/x-ndjson", bytes);
        if let Some(next) = next.and_then(|n| HeaderValue::from_str(&n.to_string()).ok()) {
            reply.0.headers_mut().insert(NEXT_HEADER, next);
        }
        Ok(reply)
    }

    /// JSON documents, one a line, as they come. The connection ends with them.
    pub(crate) fn stream(_: &Permit, lines: crate::line::Lines) -> Self {
        let mut reply = Self::bytes(StatusCode::OK, "application/x-ndjson", Vec::new());
        *reply.0.body_mut() = Body::new(lines);
        let headers = reply.0.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        // Proxies that would gather an answer before they pass it on are told not to.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        reply
    }

    /// Bytes as they are.
    pub fn octets(_: &Permit, bytes: Vec<u8>) -> Self {
        Self::bytes(StatusCode::OK, "application/octet-stream", bytes)
    }

    /// What is published to everyone, or answers a request that brings its own proof.
    pub(crate) fn published(body: &serde_json::Value) -> Result<Self, Problem> {
        let bytes = serde_json::to_vec(body).map_err(|_| Problem::unavailable())?;
        Ok(Self::bytes(StatusCode::OK, "application/json", bytes))
    }

    /// Text that is the same for everyone and tells nothing about anything.
    pub(crate) fn instructions(text: String) -> Self {
        Self::bytes(
            StatusCode::OK,
            "text/plain; charset=utf-8",
            text.into_bytes(),
        )
    }

    /// A page, or what belongs to one: it tells nothing but what its browser proved to be its own.
    pub(crate) fn public(media: &'static str, text: String) -> Self {
        Self::bytes(StatusCode::OK, media, text.into_bytes())
    }

    fn bytes(status: StatusCode, media: &'static str, bytes: Vec<u8>) -> Self {
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        Self(response)
    }
}

/// Says from where to ask on, in answers that come in pages.
pub const NEXT_HEADER: &str = "brattice-next";

/// Who sent a request.
#[derive(Clone)]
pub enum Caller {
    /// Somebody who proved who they are.
    Proven(Box<Identity>),
    /// A webhook's receiver, by the route's name; it may bring decisions of people and nothing else.
    Receiver(String),
}

/// One request after its guards.
#[derive(Clone)]
pub struct Call {
    pub(crate) admin: Arc<Admin>,
    pub(crate) caller: Caller,
    /// What the caller was proven by.
    pub(crate) evidence: Evidence,
    pub(crate) from: IpAddr,
    /// What the answer goes over.
    pub(crate) line: Line,
    pub(crate) path: BTreeMap<String, String>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) body: Bytes,
}

impl Call {
    /// Who is calling; a receiver is nobody.
    pub fn who(&self) -> Result<&Identity, Problem> {
        match &self.caller {
            Caller::Proven(who) => Ok(who),
            Caller::Receiver(_) => Err(Problem::unauthenticated()),
        }
    }

    /// What everyone may do who proved who they are.
    pub fn anyone(&self) -> Result<Permit, Problem> {
        self.who().map(|_| Permit(()))
    }

    /// Whether the caller may still do all of this: proven anew, by the rules in force now. For answers that last.
    pub(crate) async fn still(&self, acts: &[Act<'_>]) -> Result<(), Problem> {
        let again = self.admin.ports.again.as_ref();
        let who = self.evidence.proves(again, self.from).await?;
        for act in acts {
            self.decide(&who, act)?;
        }
        Ok(())
    }

    /// Whether the caller may do this. Nothing is recorded: for looking, and for what [`Call::must`] follows.
    pub fn may(&self, act: &Act<'_>) -> Result<Permit, Denial> {
        match &self.caller {
            Caller::Proven(who) => self.decide(who, act),
            Caller::Receiver(_) => Err(people_only(act)),
        }
    }

    /// Whether the caller may do this, on the record either way. The record is durable before this returns.
    pub async fn must(&self, act: &Act<'_>, details: &str) -> Result<Permit, Problem> {
        let who = self.who()?;
        let decided = self.decide(who, act);
        self.record(
            &who.chain,
            act.name(),
            &act.object(),
            decided.is_ok(),
            details,
        )
        .await?;
        Ok(decided?)
    }

    /// The same for several acts that are done together or not at all: one entry, allowed when all of them are. `acts` is
    /// never empty.
    pub async fn must_all(
        &self,
        acts: &[Act<'_>],
        object: &str,
        details: &str,
    ) -> Result<Permit, Problem> {
        let who = self.who()?;
        let name = acts.first().ok_or_else(Problem::unavailable)?.name();
        let decided: Result<Vec<Permit>, Denial> =
            acts.iter().map(|act| self.decide(who, act)).collect();
        self.record(&who.chain, name, object, decided.is_ok(), details)
            .await?;
        decided?.pop().ok_or_else(Problem::unavailable)
    }

    /// Decides for a given identity: the caller's, or that of a person whose decision was brought.
    pub(crate) fn decide(&self, who: &Identity, act: &Act<'_>) -> Result<Permit, Denial> {
        self.is_fit(who, act)?;
        let authorizer = &self.admin.ports.authorizer;
        authorizer.decide(who, act, self.from).map(|()| Permit(()))
    }

    /// For which of a question's rules somebody may answer.
    pub(crate) fn decide_answer(
        &self,
        who: &Identity,
        approval: &Approval,
    ) -> Result<(Permit, Vec<String>), Denial> {
        self.is_fit(who, &Act::Approve(approval))?;
        let authorizer = &self.admin.ports.authorizer;
        let rules = authorizer.may_answer(who, approval, self.from)?;
        // What the authoriser promises is cheap to hold it to.
        if rules.is_empty()
            || who
                .chain
                .actors()
                .any(|a| approval.question.chain.includes(a))
        {
            return Err(Denial::new(
                Code::Forbidden,
                builtin::NOT_ASKED,
                builtin::message(builtin::NOT_ASKED),
            ));
        }
        Ok((Permit(()), rules))
    }

    /// What code decides before any rule: the proof holds now, and what is for people is not done by others.
    fn is_fit(&self, who: &Identity, act: &Act<'_>) -> Result<(), Denial> {
        let alone = who.chain.on_behalf_of.is_empty();
        if act.is_for_people() && (who.chain.acting.kind != PrincipalKind::User || !alone) {
            return Err(people_only(act));
        }
        // A token that was given for another opens what it may, and governs nothing; what was narrowed sees its own alone.
        let own = |chain: &Chain, target: &str| {
            let same = chain.names_digest() == who.chain.names_digest();
            who.scope.is_whole() || (same && who.scope.has_target(target))
        };
        let in_scope = match act {
            Act::Connect(target) | Act::Request(target) => who.scope.has_target(target),
            Act::EndGrant(g) => own(&g.holder, &g.target),
            Act::ReadApproval(a) => own(&a.question.chain, &a.question.target),
            Act::ReadSession(s) | Act::EndSession(s) => own(&s.chain, &s.target),
            Act::RevokeCredential(c) => own(&c.chain, &c.target),
            _ => who.scope.is_whole() && who.lineage.is_empty(),
        };
        if !in_scope {
            return Err(Denial::new(
                Code::Forbidden,
                "brattice.scope",
                format!("The token was given for another, for `{}`.", who.scope),
            )
            .hint("Use the token of your provider."));
        }
        if who.expires_at <= self.admin.ports.clock.now() {
            return Err(Denial::new(
                Code::Unauthenticated,
                "brattice.expired",
                "The proof of identity has expired.",
            ));
        }
        Ok(())
    }

    /// Writes an administrative act to the audit log. What cannot be recorded does not happen.
    pub(crate) async fn record(
        &self,
        by: &Chain,
        act: &str,
        object: &str,
        allowed: bool,
        details: &str,
    ) -> Result<(), Problem> {
        self.write(Event::Administered {
            by: by.to_string(),
            act: act.to_owned(),
            object: object.to_owned(),
            allowed,
            details: details.to_owned(),
        })
        .await
    }

    /// Writes an event to the audit log.
    pub(crate) async fn write(&self, event: Event) -> Result<(), Problem> {
        self.admin.ports.recorder.write(event).await.map_err(|why| {
            tracing::error!(%why, "an administrative act could not be recorded and was refused");
            Problem::unavailable()
        })
    }

    /// A part of the path, parsed.
    pub fn path<T: std::str::FromStr>(&self, name: &str, what: &str) -> Result<T, Problem> {
        self.path
            .get(name)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Problem::not_found(what))
    }

    /// A number of the query, within bounds.
    pub fn number(&self, name: &str, default: u64, most: u64) -> Result<u64, Problem> {
        match self.query.get(name) {
            None => Ok(default),
            Some(text) => text.parse().ok().filter(|n| *n <= most).ok_or_else(|| {
                Problem::invalid(format!("`{name}` is not a number from 0 to {most}."))
            }),
        }
    }

    /// The body, read as what the route takes. An empty body is an empty object.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let bytes: &[u8] = if self.body.is_empty() {
            b"{}"
        } else {
            &self.body
        };
        serde_json::from_slice(bytes)
            .map_err(|why| Problem::invalid(format!("The body is not what this takes: {why}.")))
    }
}

fn people_only(act: &Act<'_>) -> Denial {
    Denial::new(
        Code::Forbidden,
        "brattice.people",
        format!("`{}` is for people who act for themselves.", act.name()),
    )
    .hint("Sign in as a person; an agent's token, or one that acts for somebody, does not do.")
}
