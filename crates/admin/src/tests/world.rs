//! Everything behind the API, in memory, and requests to it.

mod given;
mod records;
mod rights;

pub(super) use crate::body::{
    ApprovalBody, ApprovalsBody, CredentialBody, CredentialsBody, DelegationsBody, FreezesBody,
    GrantsBody, SessionsBody,
};
pub(super) use crate::ports::*;
pub(super) use crate::problem::Problem;
pub(super) use crate::proof::Peer;
pub(super) use crate::signature::{self, Signed};
pub(super) use crate::table::{Method, ROUTES, Right, Route};
pub(super) use crate::{Admin, Ports, Settings, openapi, router};
pub(super) use axum::body::Body;
pub(super) use axum::http::{Request, StatusCode, header};
pub(super) use brattice_core::action::Effect;
pub(super) use brattice_core::approval::{Answer, Approval, ApprovalState, Asked, Grant, Question};
pub(super) use brattice_core::audit::Event;
pub(super) use brattice_core::delegation::Delegation;
pub(super) use brattice_core::denial::{Code, Denial};
pub(super) use brattice_core::freeze::{Freeze, Reach};
pub(super) use brattice_core::ids::{
    ApprovalId, CredentialId, DelegationId, Digest, FreezeId, GrantId, Revision, SessionId,
};
pub(super) use brattice_core::ports::{
    AuthError, Authenticator, BoxFuture, MintedCredential, RecordFailed,
};
pub(super) use brattice_core::principal::{Chain, Identity, LoginBy, Principal, PrincipalKind};
pub(super) use brattice_core::secret::Secret;
pub(super) use brattice_core::sender::{Binding, Sender};
pub(super) use brattice_core::target::{Protocol, Target};
pub(super) use brattice_core::time::{Clock, Timestamp};
pub(super) use serde::de::DeserializeOwned;
pub(super) use std::collections::{BTreeMap, BTreeSet};
pub(super) use std::net::{IpAddr, SocketAddr};
pub(super) use std::sync::atomic::{AtomicBool, Ordering};
pub(super) use std::sync::{Arc, Mutex};
pub(super) use std::time::Duration;
pub(super) use tower::ServiceExt;

pub(super) const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
pub(super) const HOST: &str = "gateway.example.com";

pub(super) fn approval_id() -> ApprovalId {
    ApprovalId::from_bytes([1; 10])
}
pub(super) fn session_id() -> SessionId {
    SessionId::from_bytes([2; 10])
}
pub(super) fn credential_id() -> CredentialId {
    CredentialId::from_bytes([3; 10])
}
pub(super) fn freeze_id() -> FreezeId {
    FreezeId::from_bytes([4; 10])
}
pub(super) fn grant_id() -> GrantId {
    GrantId::from_bytes([5; 10])
}
pub(super) fn delegation() -> Delegation {
    Delegation {
        id: DelegationId::from_bytes([6; 10]),
        person: principal(PrincipalKind::User, "carol", &[]),
        agent: principal(PrincipalKind::Agent, "other", &[]),
        scope: brattice_core::scope::Scope::parse("target:orders-db read").unwrap(),
        reason: "holiday".to_owned(),
        at: NOW,
        until: NOW.plus(Duration::from_secs(60)),
    }
}
pub(super) fn action() -> Digest {
    Digest::of(b"the action")
}

pub(super) fn principal(kind: PrincipalKind, name: &str, groups: &[&str]) -> Principal {
    Principal {
        kind,
        issuer: "okta".to_owned(),
        name: name.to_owned(),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
    }
}

pub(super) fn identity(chain: Chain) -> Identity {
    Identity {
        chain,
        by: LoginBy::Oidc,
        mfa: true,
        binding: Binding::default(),
        authenticated_at: NOW,
        expires_at: NOW.plus(Duration::from_secs(600)),
        token_id: None,
        credential: None,
        scope: brattice_core::scope::Scope::whole(),
        lineage: Vec::new(),
        sign_in: None,
    }
}

pub(super) fn asking_chain() -> Chain {
    Chain {
        acting: principal(PrincipalKind::Agent, "etl", &[]),
        on_behalf_of: vec![principal(PrincipalKind::User, "bob", &["okta/dba"])],
    }
}

pub(super) fn approval(state: ApprovalState) -> Approval {
    Approval {
        question: Question {
            id: approval_id(),
            session: Some(session_id()),
            ahead: None,
            chain: asking_chain(),
            target: "orders-db".to_owned(),
            labels: vec!["env=production".to_owned()],
            place: "app".to_owned(),
            action: action(),
            text: "delete from t".to_owned(),
            parameters: Vec::new(),
            effects: vec![Effect::Write],
            acts: Vec::new(),
            asked: vec![Asked {
                rule: "writes".to_owned(),
                rule_text: Digest::of(b"rule"),
                groups: vec!["okta/dba".to_owned()],
                approvers: 1,
                grant_minutes: None,
                message: None,
            }],
            revision: Revision(1),
            asked_at: NOW,
            expires_at: NOW.plus(Duration::from_secs(3600)),
        },
        state,
        answers: Vec::new(),
    }
}

pub(super) fn session() -> SessionView {
    SessionView {
        id: session_id(),
        state: SessionState::Live,
        chain: asking_chain(),
        target: "orders-db".to_owned(),
        labels: BTreeMap::new(),
        place: "app".to_owned(),
        protocol: "postgres".to_owned(),
        client: "192.0.2.1:1".to_owned(),
        started_at: NOW,
        ended_at: None,
        commands: 1,
        bytes_to_client: 1,
        revision: Revision(1),
        holding: None,
        recording: None,
    }
}

pub(super) fn bundle() -> BundleView {
    BundleView {
        revision: Revision(1),
        digest: Digest::of(b"bundle"),
        applied_at: NOW,
        targets: vec!["orders-db".to_owned()],
        rules: vec!["writes".to_owned()],
        warnings: Vec::new(),
    }
}

/// What looking on at the session comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looking {
    Ends,
    Stays,
    Floods,
    Closed,
    Full,
}

/// Everything behind the API, in memory.
pub(super) struct World {
    /// The names of the policy's actions that are permitted.
    pub(super) permitted: Mutex<BTreeSet<&'static str>>,
    pub(super) state: Mutex<ApprovalState>,
    pub(super) answers: Mutex<Vec<Answer>>,
    pub(super) done: Mutex<Vec<&'static str>>,
    pub(super) record: Mutex<Vec<Event>>,
    pub(super) record_works: AtomicBool,
    /// Tokens are good no more.
    pub(super) revoked: AtomicBool,
    pub(super) watch: Looking,
}

impl World {
    pub(super) fn new(permitted: &[&'static str]) -> Arc<Self> {
        Self::watched(permitted, Looking::Ends)
    }
    pub(super) fn watched(permitted: &[&'static str], watch: Looking) -> Arc<Self> {
        Arc::new(Self {
            revoked: AtomicBool::new(false),
            watch,
            permitted: Mutex::new(permitted.iter().copied().collect()),
            state: Mutex::new(ApprovalState::Pending),
            answers: Mutex::new(Vec::new()),
            done: Mutex::new(Vec::new()),
            record: Mutex::new(Vec::new()),
            record_works: AtomicBool::new(true),
        })
    }
    pub(super) fn did(&self, what: &'static str) {
        self.done.lock().unwrap().push(what);
    }
    pub(super) fn admin(self: &Arc<Self>) -> Arc<Admin> {
        let ports = Ports {
            approvals: self.clone(),
            sessions: self.clone(),
            credentials: self.clone(),
            ssh: self.clone(),
            tokens: self.clone(),
            login: Arc::new(super::login::Desk),
            delegations: self.clone(),
            grants: self.clone(),
            freezes: self.clone(),
            identities: self.clone(),
            audit: self.clone(),
            bundle: self.clone(),
            proofs: self.clone(),
            authenticator: self.clone(),
            again: self.clone(),
            elsewhere: Arc::default(),
            authorizer: self.clone(),
            recorder: self.clone(),
            clock: self.clone(),
        };
        let mut settings = Settings::new(&format!("https://{HOST}"), &[]);
        settings
            .decision_secrets
            .insert("chat".to_owned(), Secret::new(vec![9; 32]));
        Admin::new(ports, settings)
    }
    pub(super) async fn send(
        self: &Arc<Self>,
        mut request: Request<Body>,
    ) -> axum::response::Response {
        let peer: SocketAddr = "192.0.2.7:9".parse().unwrap();
        request.extensions_mut().insert(Peer {
            at: peer,
            encrypted: true,
            certificate: None,
        });
        router(self.admin()).oneshot(request).await.unwrap()
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        NOW
    }
}

impl Authenticator for World {
    fn verify_token<'a>(
        &'a self,
        token: &'a Secret,
        sender: &'a Sender,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Identity, AuthError>> {
        Box::pin(async move {
            let user =
                |name, groups: &[&str]| Chain::of(principal(PrincipalKind::User, name, groups));
            if self.revoked.load(Ordering::SeqCst) {
                return Err(AuthError::Rejected("revoked".to_owned()));
            }
            match token.expose_str() {
                Some("alice") => Ok(identity(user("alice", &["okta/dba"]))),
                Some("bob") => Ok(identity(user("bob", &["okta/dba"]))),
                Some("carol") => Ok(identity(user("carol", &["okta/sales"]))),
                Some("etl") => Ok(identity(asking_chain())),
                Some("agent") => Ok(identity(Chain::of(principal(
                    PrincipalKind::Agent,
                    "other",
                    &["okta/dba"],
                )))),
                Some("delegate") => Ok(identity(Chain {
                    acting: principal(PrincipalKind::User, "alice", &["okta/dba"]),
                    on_behalf_of: vec![principal(PrincipalKind::User, "dave", &[])],
                })),
                Some("narrow") => Ok(Identity {
                    scope: brattice_core::scope::Scope::parse("target:other read").unwrap(),
                    ..identity(user("alice", &["okta/dba"]))
                }),
                Some("bound") => {
                    let bound = Identity {
                        binding: Binding::key(Digest::of(b"key")),
                        ..identity(user("alice", &["okta/dba"]))
                    };
                    match bound.binding.missing_of(sender) {
                        None => Ok(bound),
                        Some(missing) => Err(AuthError::Unheld(missing)),
                    }
                }
                Some("expired") => Ok(Identity {
                    expires_at: NOW,
                    ..identity(user("alice", &["okta/dba"]))
                }),
                _ => Err(AuthError::Rejected("no".to_owned())),
            }
        })
    }
    fn minted<'a>(
        &'a self,
        _: &'a CredentialId,
    ) -> BoxFuture<'a, Result<Option<MintedCredential>, AuthError>> {
        Box::pin(async { Ok(None) })
    }
    fn spend<'a>(&'a self, _: &'a CredentialId) -> BoxFuture<'a, Result<bool, AuthError>> {
        Box::pin(async { Ok(false) })
    }
}

impl TokensApi for World {
    fn exchange(
        &self,
        subject: &Identity,
        _: Option<&Identity>,
        asked: Exchange,
    ) -> Result<IssuedToken, ExchangeRefused> {
        let scope = asked.scope.within(&subject.scope);
        let scope = scope.map_err(|why| ExchangeRefused::Scope(why.to_string()))?;
        self.did("exchange");
        Ok(IssuedToken {
            token: Secret::new("a-new-token"),
            identity: Identity {
                scope,
                token_id: Some("new".to_owned()),
                expires_at: NOW.plus(asked.lifetime),
                binding: asked.binding,
                ..subject.clone()
            },
        })
    }
    fn key_set(&self) -> serde_json::Value {
        serde_json::json!({ "keys": [] })
    }
    fn trusted_issuers(&self) -> Vec<String> {
        vec!["https://okta.example.com".to_owned()]
    }
}

impl Authorizer for World {
    fn decide(&self, who: &Identity, act: &Act<'_>, _: IpAddr) -> Result<(), Denial> {
        let own = match act {
            Act::ReadApproval(a) => Some(&a.question.chain),
            Act::ReadSession(s) | Act::EndSession(s) => Some(&s.chain),
            Act::RevokeCredential(c) => Some(&c.chain),
            Act::EndGrant(g) => Some(&g.holder),
            Act::Request(_) | Act::Delegate(_) => return Ok(()),
            Act::EndDelegation(d) if who.chain.acting.is_same(&d.person) => return Ok(()),
            _ => None,
        };
        if own.is_some_and(|chain| who.chain.actors().all(|a| chain.includes(a))) {
            return Ok(());
        }
        let name = match act {
            Act::EndDelegation(_) => "identity.suspend",
            _ => act.name(),
        };
        if self.permitted.lock().unwrap().contains(name) {
            Ok(())
        } else {
            Err(Denial::new(
                Code::Forbidden,
                "brattice.default",
                "Nothing permits it.",
            ))
        }
    }

    fn may_answer(
        &self,
        who: &Identity,
        approval: &Approval,
        from: IpAddr,
    ) -> Result<Vec<String>, Denial> {
        self.decide(who, &Act::Approve(approval), from)?;
        let groups = &who.chain.acting.groups;
        let asked = approval.question.asked.iter();
        Ok(asked
            .filter(|a| a.groups.iter().any(|g| groups.contains(g)))
            .map(|a| a.rule.clone())
            .collect())
    }
}

impl Recorder for World {
    fn write<'a>(&'a self, event: Event) -> BoxFuture<'a, Result<(), RecordFailed>> {
        Box::pin(async move {
            if !self.record_works.load(Ordering::SeqCst) {
                return Err(RecordFailed("disk full".to_owned()));
            }
            self.record.lock().unwrap().push(event);
            Ok(())
        })
    }
}

/// For each route: a body that it takes, whether it acts, and the actions of which one opens it.
pub(super) fn cases() -> Vec<(&'static str, Option<String>, Option<&'static str>)> {
    let answer = format!("{{\"action\":\"{}\"}}", action());
    let some = |s: &str| Some(s.to_owned());
    vec![
        ("whoami", None, None),
        ("openapi", None, None),
        ("approvals.list", None, None),
        ("approvals.get", None, None),
        ("approvals.approve", Some(answer.clone()), Some("answer")),
        ("approvals.deny", Some(answer), Some("answer")),
        ("sessions.list", None, None),
        ("sessions.get", None, None),
        ("sessions.replay", None, Some("replay")),
        ("sessions.watch", None, Some("watch")),
        ("sessions.kill", some("{}"), Some("end")),
        (
            "agents.revoke",
            some("{\"id\":\"okta/etl\"}"),
            Some("suspend"),
        ),
        (
            "credentials.create",
            some("{\"target\":\"orders-db\",\"ttl_seconds\":60}"),
            Some("create"),
        ),
        ("credentials.list", None, None),
        (
            "ssh.certify",
            some("{\"target\":\"web-1\",\"public_key\":\"ssh-ed25519 AAAA\",\"ttl_seconds\":60}"),
            Some("certify"),
        ),
        ("ssh.get", None, None),
        ("delegations.list", None, None),
        ("delegations.end", some("{}"), Some("end delegation")),
        ("grants.list", None, None),
        ("grants.end", some("{}"), Some("end grant")),
        ("freezes.list", None, None),
        (
            "freezes.create",
            some("{\"all\":true,\"reason\":\"incident\"}"),
            Some("freeze"),
        ),
        ("freezes.thaw", some("{}"), Some("thaw")),
        ("credentials.revoke", None, Some("revoke")),
        ("audit.tail", None, Some("read")),
        ("audit.files", None, None),
        ("audit.export", None, Some("file")),
        ("bundle.get", None, None),
        ("bundle.check", None, None),
        ("bundle.reload", None, Some("reload")),
    ]
}

pub(super) fn route(id: &str) -> &'static Route {
    ROUTES.iter().find(|r| r.id == id).unwrap()
}

pub(super) fn path_of(route: &Route) -> String {
    let id = match route.id.split('.').next().unwrap() {
        "approvals" => approval_id().to_string(),
        "sessions" => session_id().to_string(),
        "delegations" => delegation().id.to_string(),
        "grants" => grant_id().to_string(),
        "freezes" => freeze_id().to_string(),
        _ => credential_id().to_string(),
    };
    route.path.replace("{id}", &id).replace("{name}", "heads")
}

pub(super) fn request(route: &Route, body: &Option<String>, token: Option<&str>) -> Request<Body> {
    let method = match route.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let mut builder = Request::builder()
        .method(method)
        .uri(path_of(route))
        .header(header::HOST, HOST);
    if let Some(token) = token {
        builder = builder.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    match body {
        Some(body) => builder
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.clone())),
        None => builder.body(Body::empty()),
    }
    .unwrap()
}

pub(super) async fn read<T: DeserializeOwned>(response: axum::response::Response) -> T {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20)
        .await
        .unwrap();
    serde_json::from_slice(&bytes)
        .unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&bytes)))
}
