//! The routes: one list that drives the router, the OpenAPI document and the tests.
//!
//! Lives here: what there is, what it takes, who may. Never: how it is done (`handle`).

use crate::body::{
    AnswerRequest, ApprovalBody, ApprovalsBody, AuditFilesBody, AuditLineBody, BundleBody,
    CertificateBody, CertificateRequest, CheckBody, CredentialBody, CredentialRequest,
    CredentialsBody, DecisionRequest, DelegatedBody, DelegationRequest, DelegationsBody, DoneBody,
    FrameBody, FreezeRequest, FreezesBody, FrozenBody, GrantRequest, GrantsBody, PrincipalRequest,
    ReasonRequest, RequestedBody, SessionBody, SessionsBody, SshBody, SuspendedBody, WatchBody,
    WhoamiBody,
};
use crate::call::{Call, Reply};
use crate::handle::{
    agents, approvals, audit, bundle, credentials, delegations, freezes, grants, sessions, ssh,
    watch, whoami,
};
use crate::problem::Problem;
use brattice_core::ports::BoxFuture;
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// What a route is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Looks.
    Get,
    /// Acts.
    Post,
}

impl Method {
    /// In lower case, as OpenAPI has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "get",
            Method::Post => "post",
        }
    }
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Everyone who proves who they are; it tells them about themselves alone.
    Anyone,
    /// Whom policy permits one of these actions on the thing at hand.
    Policy(&'static [&'static str]),
    /// Whom policy permits all of these actions on the thing at hand.
    All(&'static [&'static str]),
    /// The thing's own principal; others whom policy permits one of these actions.
    OwnOr(&'static [&'static str]),
    /// The receiver of a signed webhook; the person that it names is judged by `approve`.
    Receiver,
}

/// A query parameter.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
}

/// Makes a type's schema.
pub type MakeSchema = fn(&mut SchemaGenerator) -> Schema;

/// A route's body.
#[derive(Clone, Copy)]
pub struct Body {
    /// Its schema.
    pub schema: MakeSchema,
    /// Whether it may be left out.
    pub optional: bool,
}

/// What a route answers with.
#[derive(Clone, Copy)]
pub enum Answers {
    /// A JSON document.
    Json(MakeSchema),
    /// JSON documents, one a line.
    Lines(MakeSchema),
    /// Bytes.
    Octets,
    /// A JSON document whose schema is not ours.
    Document,
}

/// Handles a call.
pub type Handle = for<'a> fn(&'a Call) -> BoxFuture<'a, Result<Reply, Problem>>;

/// A route.
#[derive(Clone, Copy)]
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, with `{name}` for parts that vary.
    pub path: &'static str,
    /// Its name: OpenAPI's operationId.
    pub id: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Who may.
    pub right: Right,
    /// Query parameters.
    pub query: &'static [Param],
    /// Its body.
    pub body: Option<Body>,
    /// What it answers with when it is done.
    pub answers: Answers,
    /// Does it.
    pub handle: Handle,
}

const LIMIT: Param = Param {
    name: "limit",
    about: "At most so many; 1000 is the most there can be. Default: 100.",
};
const TARGET: Param = Param {
    name: "target",
    about: "Of this target alone.",
};

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn required<T: JsonSchema>() -> Option<Body> {
    Some(Body {
        schema: of::<T>,
        optional: false,
    })
}

const fn optional<T: JsonSchema>() -> Option<Body> {
    Some(Body {
        schema: of::<T>,
        optional: true,
    })
}

/// Every route there is.
pub static ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/api/v1/whoami",
        id: "whoami",
        summary: "Who you are, as the gateway sees it.",
        right: Right::Anyone,
        query: &[],
        body: None,
        answers: Answers::Json(of::<WhoamiBody>),
        handle: whoami::get,
    },
    Route {
        method: Method::Get,
        path: "/api/v1/openapi.json",
        id: "openapi",
        summary: "This document.",
        right: Right::Anyone,
        query: &[],
        body: None,
        answers: Answers::Document,
        handle: whoami::openapi,
    },
    Route {
        method: Method::Get,
        path: "/api/v1/approvals",
        id: "approvals.list",
        summary: "Questions that you may answer, read, or asked yourself; the newest first.",
        right: Right::OwnOr(&["approval.read", "approve"]),
        query: &[
            Param {
                name: "state",
                about: "In this state alone: pending, approved, denied, consumed, expired, not_run.",
            },
            TARGET,
            LIMIT,
        ],
        body: None,
        answers: Answers::Json(of::<ApprovalsBody>),
        handle: approvals::list,
    },
    Route {
        method: Method::Get,
        path: "/api/v1/approvals/{id}",
        id: "approvals.get",
        summary: "One question, with its complete text.",
        right: Right::OwnOr(&["approval.read", "approve"]),
        query: &[],
        body: None,
        answers: Answers::Json(of::<ApprovalBody>),
        handle: approvals::get,
    },
    Route {
        method: Method::Post,
        path: "/api/v1/approvals/{id}/approve",
        id: "approvals.approve",
        summary: "Say yes to exactly the action whose hash you name.",
        right: Right::Policy(&["approve"]),
        query: &[],
        body: required::<AnswerRequest>(),
        answers: Answers::Json(of::<ApprovalBody>),
        handle: approvals::approve,
    },
    Route {
        method: Method::Post,
        path: "/api/v1/approvals/{id}/deny",
        id: "approvals.deny",
        summary: "Say no, which ends the question.",
        right: Right::Policy(&["approve"]),
        query: &[],
        body: required::<AnswerRequest>(),
        answers: Answers::Json(of::<ApprovalBody>),
        handle: approvals::deny,
    },
    Route {
        method: Method::Post,
        path: "/api/v1/approvals/{id}/decision",
        id: "approvals.decision",
        summary: "Bring a person's decision, signed with a route's secret. The person is judged by policy as always.",
        right: Right::Receiver,
        query: &[],
        body: required::<DecisionRequest>(),
        answers: Answers::Json(of::<ApprovalBody>),
        handle: approvals::decision,
    },
    Route {
        method: Method::Get,
        path: "/api/v1/sessions",
        id: "sessions.list",
        summary: "Sessions that you may see or opened yourself; the newest first.",
        right: Right::OwnOr(&["session.read"]),
        query: &[
            Param {
                name: "state",
                about: "In this state alone: live, closed, interrupted.",
            },
            TARGET,
            LIMIT,
        ],
        body: None,
        answers: Answers::Json(of::<SessionsBody>),
        handle: sessions::list,
    },
    Route {
        method: Method::Get,
        path: "/api/v1/sessions/{id}",
        id: "sessions.get",
        summary: "One session.",
        right: Right::OwnOr(&["session.read"]),
        query: &[],
        body: None,
        answers: Answers::Json(of::<SessionBody>),
        handle: sessions::get,
    },
    Route {
        method: Method::Get,
        path: "/api/v1/sessions/{id}/replay",
        id: "sessions.replay",
        summary: "Frames of a session's recording, one a line. The header `brattice-next` says where to go on.",
        right: Right::Policy(&["replay"]),
        query: &[
            Param {
                name: "from",
                about: "The index of the first frame. Default: 0.",
            },
            LIMIT,
        ],
        body: None,
        answers: Answers::Lines(of::<FrameBody>),
        handle: sessions::replay,
    },
    Route {
        method: Method::Get,
        path: "/api/v1/sessions/{id}/watch",
        id: "sessions.watch",
        summary: "What passes in an open session as it does, an event a line, until the session ends or you may no longer see it.",
        right: Right::All(&["watch", "replay"]),
        query: &[Param {
            name: "from",
            about: "`start`: first all that was recorded so far. `now`: what comes. Default: now.",
        }],
        body: None,
        answers: Answers::Lines(of::<WatchBody>),
        handle: watch::watch,
    },
    Route {
        method: Method::Post,
        path: "/api/v1/sessions/{id}/kill",
        id: "sessions.kill",
        summary: "Cut a session: its connection closes and a running command is cancelled.",
        right: Right::OwnOr(&["session.end"]),
        query: &[],
        body: optional::<ReasonRequest>(),
        answers: Answers::Json(of::<DoneBody>),
        handle: sessions::kill,
    },
    Route {
        method: Method::Post,
        path: "/api/v1/agents/revoke",
        id: "agents.revoke",
        summary: "Void everything that a principal has proved so far: sessions, credentials, tokens.",
        right: Right::Policy(&["identity.suspend"]),
        query: &[],
        body: required::<PrincipalRequest>(),
        answers: Answers::Json(of::<SuspendedBody>),
        handle: agents::revoke,
    },
    Route {
        method: Method::Get,
        path: "/api/v1/delegations",
        id: "delegations.list",
        summary: "Delegations in force that you gave, were given, or may end; those that end last first.",
        right: Right::OwnOr(&["identity.suspend"]),
        query: &[],
        body: None,
        answers: Answers::Json(of::<DelegationsBody>),
        handle: delegations::list,
    },
    Route {
        method: Method::Post,
        path: "/api/v1/delegations",
        id: "delegations.create",
        summary: "Let an agent act for you, within bounds, for a while. It trades the id and its own token for one.",
        right: Right::Anyone,
        query: &[],
        body: required::<DelegationRequest>(),
        answers: Answers::Json(of::<DelegatedBody>),
        handle: delegations::create,
    },
    Route {
        method: Method::Post,
        path: "/api/v1/delegations/{id}/end",
        id: "delegations.end",
        summary: "End a delegation: tokens that came of it count no more, and their sessions are cut.",
        right: Right::OwnOr(&["identity.suspend"]),
        query: &[],
        body: optional::<ReasonRequest>(),
        answers: Answers::Json(of::<DoneBody>),
        handle: delegations::end,
    },
    Route {
        method: Method::Post,
        path: "/api/v1/grants/requests",
        id: "grants.request",
        summary: "Ask people, in one question, for grants of the rules that may stand in your way.",
        right: Right::Anyone,
        query: &[],
        body: required::<GrantRequest>(),
        answers: Answers::Json(of::<RequestedBody>),
        handle: grants::request,
    },
    Route {
        method: Method::Get,
        path: "/api/v1/grants",
        id: "grants.list",
        summary: "Grants in force that are yours, or that you may end; those that end last first.",
        right: Right::OwnOr(&["grant.end"]),
        query: &[],
        body: None,
        answers: Answers::Json(of::<GrantsBody>),
        handle: grants::list,
    },
    Route {
        method: Method::Post,
        path: "/api/v1/grants/{id}/end",
        id: "grants.end",
        summary: "End a grant before its time, and the sessions that were opened by it.",
        right: Right::OwnOr(&["grant.end"]),
        query: &[],
        body: optional::<ReasonRequest>(),
        answers: Answers::Json(of::<DoneBody>),
        handle: grants::end,
    },
    Route {
        method: Method::Get,
        path: "/api/v1/freezes",
        id: "freezes.list",
        summary: "What is stopped, as far as you may stop it or let it go on; the oldest first.",
        right: Right::Policy(&["target.freeze", "target.thaw"]),
        query: &[],
        body: None,
        answers: Answers::Json(of::<FreezesBody>),
        handle: freezes::list,
    },
    Route {
        method: Method::Post,
        path: "/api/v1/freezes",
        id: "freezes.create",
        summary: "Stop targets: open sessions are cut, new ones refused, until the freeze is ended.",
        right: Right::Policy(&["target.freeze"]),
        query: &[],
        body: required::<FreezeRequest>(),
        answers: Answers::Json(of::<FrozenBody>),
        handle: freezes::create,
    },
    Route {
        method: Method::Post,
        path: "/api/v1/freezes/{id}/thaw",
        id: "freezes.thaw",
        summary: "End a freeze: what no other freeze stops goes on.",
        right: Right::Policy(&["target.thaw"]),
        query: &[],
        body: optional::<ReasonRequest>(),
        answers: Answers::Json(of::<DoneBody>),
        handle: freezes::thaw,
    },
    Route {
        method: Method::Get,
        path: "/api/v1/credentials",
        id: "credentials.list",
        summary: "Credentials that are good now and that you may revoke; the newest first.",
        right: Right::OwnOr(&["credential.revoke"]),
        query: &[],
        body: None,
        answers: Answers::Json(of::<CredentialsBody>),
        handle: credentials::list,
    },
    Route {
        method: Method::Post,
        path: "/api/v1/credentials",
        id: "credentials.create",
        summary: "Mint a short-lived credential for one target, for yourself. Its password is told once.",
        right: Right::Policy(&["connect"]),
        query: &[],
        body: required::<CredentialRequest>(),
        answers: Answers::Json(of::<CredentialBody>),
        handle: credentials::create,
    },
    Route {
        method: Method::Post,
        path: "/api/v1/credentials/{id}/revoke",
        id: "credentials.revoke",
        summary: "End a credential and the sessions that were opened with it.",
        right: Right::OwnOr(&["credential.revoke"]),
        query: &[],
        body: None,
        answers: Answers::Json(of::<DoneBody>),
        handle: credentials::revoke,
    },
    Route {
        method: Method::Get,
        path: "/api/v1/ssh",
        id: "ssh.get",
        summary: "What you may reach with SSH, where, and by what keys the gateway is known.",
        right: Right::Anyone,
        query: &[],
        body: None,
        answers: Answers::Json(of::<SshBody>),
        handle: ssh::reach,
    },
    Route {
        method: Method::Post,
        path: "/api/v1/ssh/certificates",
        id: "ssh.certify",
        summary: "Mint a short-lived credential for one target that is proven by your key, and certify the key with it.",
        right: Right::Policy(&["connect"]),
        query: &[],
        body: required::<CertificateRequest>(),
        answers: Answers::Json(of::<CertificateBody>),
        handle: ssh::certify,
    },
    Route {
        method: Method::Get,
        path: "/api/v1/audit",
        id: "audit.tail",
        summary: "Entries of the audit log, one a line. The header `brattice-next` says where to go on.",
        right: Right::Policy(&["audit.read"]),
        query: &[
            Param {
                name: "from",
                about: "The position of the first entry. Default: the last `limit` entries.",
            },
            LIMIT,
            Param {
                name: "wait",
                about: "Seconds to wait for a first entry, at most 30. Default: 0.",
            },
        ],
        body: None,
        answers: Answers::Lines(of::<AuditLineBody>),
        handle: audit::tail,
    },
    Route {
        method: Method::Get,
        path: "/api/v1/audit/files",
        id: "audit.files",
        summary: "The files that offline verification needs.",
        right: Right::Policy(&["audit.read"]),
        query: &[],
        body: None,
        answers: Answers::Json(of::<AuditFilesBody>),
        handle: audit::files,
    },
    Route {
        method: Method::Get,
        path: "/api/v1/audit/files/{name}",
        id: "audit.export",
        summary: "Bytes of one of those files from `offset` on; an empty answer is its end.",
        right: Right::Policy(&["audit.read"]),
        query: &[Param {
            name: "offset",
            about: "Where to begin. Default: 0.",
        }],
        body: None,
        answers: Answers::Octets,
        handle: audit::export,
    },
    Route {
        method: Method::Get,
        path: "/api/v1/bundle",
        id: "bundle.get",
        summary: "The bundle in force.",
        right: Right::Policy(&["policy.read"]),
        query: &[],
        body: None,
        answers: Answers::Json(of::<BundleBody>),
        handle: bundle::get,
    },
    Route {
        method: Method::Post,
        path: "/api/v1/bundle/check",
        id: "bundle.check",
        summary: "Read the bundle's directory anew and tell what is wrong with it; nothing changes.",
        right: Right::Policy(&["policy.read"]),
        query: &[],
        body: None,
        answers: Answers::Json(of::<CheckBody>),
        handle: bundle::check,
    },
    Route {
        method: Method::Post,
        path: "/api/v1/bundle/reload",
        id: "bundle.reload",
        summary: "Read the bundle's directory anew and put it in force whole, or change nothing.",
        right: Right::Policy(&["policy.apply"]),
        query: &[],
        body: None,
        answers: Answers::Json(of::<BundleBody>),
        handle: bundle::reload,
    },
];
