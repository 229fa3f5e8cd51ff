//! Refusals over HTTP: problem details (RFC 9457) with what a machine needs to act on them.
//!
//! Lives here: the form and the status of each refusal. Never: internal causes; those go to the log.

use crate::ports::Failed;
use crate::ports::proofs::PROOF_ALGORITHMS;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use brattice_core::denial::{Code, Denial};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The media type of RFC 9457.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// A URI reference that names the kind of problem: `urn:brattice:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status.
    pub status: u16,
    /// A short summary of the kind.
    pub title: String,
    /// What went wrong this time.
    pub detail: String,
    /// A stable code for machines.
    pub code: String,
    /// The rules that decided; built-in ones begin with `brattice.`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub rules: Vec<String>,
    /// What to do instead.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
    /// Whether the same request may succeed later unchanged.
    pub retry: bool,
    /// What is wrong with a bundle, each with its place.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub problems: Vec<crate::body::BundleProblemBody>,
    /// The request, for finding it in the log.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem with a code that is the API's own.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:brattice:problem:{code}"),
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Refused").to_owned(),
            detail: detail.into(),
            code: code.to_owned(),
            rules: Vec::new(),
            hint: None,
            retry: false,
            problems: Vec::new(),
            request_id: None,
        }
    }

    /// The code of a request whose DPoP proof is not good (RFC 9449, section 7.1).
    pub(crate) const INVALID_PROOF: &'static str = "invalid_dpop_proof";

    /// The same with advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// There is no such thing, or not for this caller: the two are told apart by nobody.
    pub fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("There is no such {what}, or it is not for you to see."),
        )
    }

    /// The request is not one of those the API takes.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
    }

    /// Nothing proves who is calling.
    pub fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "The request proves nobody's identity.",
        )
        .hint("Send a current access token of a configured provider: Authorization: Bearer …")
    }

    /// A part that the answer needs is failing. The cause is logged, never told.
    pub fn unavailable() -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Unavailable.as_str(),
            "A part of the gateway that this needs is not working.",
        );
        problem.retry = true;
        problem
    }
}

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Self {
        let status = match denial.code {
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            Code::Throttled => StatusCode::TOO_MANY_REQUESTS,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::NotSupported => StatusCode::NOT_IMPLEMENTED,
            Code::Unavailable | Code::Misconfigured => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::FORBIDDEN,
        };
        let mut problem = Self::new(status, denial.code.as_str(), denial.reason);
        problem.rules = denial.rules;
        problem.hint = denial.hint;
        problem.retry = denial.code.retry();
        problem
    }
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        tracing::error!(operation = failed.operation, why = %failed.why, "a request could not be answered");
        Self::unavailable()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            let algorithms = PROOF_ALGORITHMS.join(" ");
            let challenge = match self.code.as_str() {
                Self::INVALID_PROOF => {
                    format!("DPoP error=\"invalid_dpop_proof\", algs=\"{algorithms}\"")
                }
                _ => format!("DPoP algs=\"{algorithms}\""),
            };
            if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                headers.append(header::WWW_AUTHENTICATE, challenge);
            }
        }
        if self.retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
