//! Forms, and refusals, as OAuth has them.
//!
//! Lives here: reading a form strictly (RFC 6749, appendix B), and the form of a refusal (section 5.2). Never: what is asked.

use crate::guard;
use crate::ports::proofs::ProofRefused;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const FORM: &str = "application/x-www-form-urlencoded";

/// A refusal in OAuth's form (RFC 6749, section 5.2).
#[derive(Debug)]
pub(super) struct No {
    pub status: StatusCode,
    pub error: &'static str,
    pub why: String,
}

impl No {
    pub(super) fn new(error: &'static str, why: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            why: why.into(),
        }
    }
    pub(super) fn unavailable() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            ..Self::new(
                "temporarily_unavailable",
                "It cannot be done now; try again.",
            )
        }
    }
    pub(super) fn body(&self) -> Value {
        json!({ "error": self.error, "error_description": self.why })
    }
}

impl From<ProofRefused> for No {
    fn from(refused: ProofRefused) -> Self {
        match refused {
            ProofRefused::Wrong(why) => Self::new(
                "invalid_dpop_proof",
                format!("The DPoP proof is not good: {why}."),
            ),
            ProofRefused::Busy => Self::unavailable(),
        }
    }
}

/// The parameters of a form, each with its values.
pub(super) type Parameters = BTreeMap<String, Vec<String>>;

/// Reads a form.
pub(super) async fn form(headers: &HeaderMap, body: Body) -> Result<Parameters, No> {
    form_of(headers, body, guard::BODY_BYTES_MAX).await
}

/// Reads a form of at most so many bytes.
pub(super) async fn form_of(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
) -> Result<Parameters, No> {
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split(';').next());
    if !media.is_some_and(|m| m.trim().eq_ignore_ascii_case(FORM)) {
        return Err(No::new(
            "invalid_request",
            format!("The body must be {FORM}."),
        ));
    }
    let reading = axum::body::to_bytes(body, bytes_max);
    let limit = Duration::from_secs(guard::BODY_SECONDS_MAX);
    let bytes = match tokio::time::timeout(limit, reading).await {
        Ok(Ok(bytes)) => bytes,
        _ => {
            return Err(No::new(
                "invalid_request",
                "The body is too large or too slow.",
            ));
        }
    };
    Ok(parameters(&bytes))
}

/// The parameters of a query or a form.
pub(super) fn parameters(bytes: &[u8]) -> Parameters {
    let mut found = Parameters::new();
    for (name, value) in url::form_urlencoded::parse(bytes) {
        // RFC 6749, section 3.2: a parameter without a value is as if it were not there.
        if !value.is_empty() {
            found
                .entry(name.into_owned())
                .or_default()
                .push(value.into_owned());
        }
    }
    found
}

/// A parameter that may be there once (RFC 6749, section 3.2).
pub(super) fn one<'f>(form: &'f Parameters, name: &str) -> Result<Option<&'f str>, No> {
    match form.get(name).map(Vec::as_slice) {
        None => Ok(None),
        Some([one]) => Ok(Some(one)),
        Some(_) => Err(No::new(
            "invalid_request",
            format!("`{name}` is given twice."),
        )),
    }
}

/// A parameter that must be there.
pub(super) fn needed<'f>(form: &'f Parameters, name: &'static str) -> Result<&'f str, No> {
    one(form, name)?.ok_or_else(|| No::new("invalid_request", format!("`{name}` is missing.")))
}

/// That nothing else was given: what is not understood might have been meant to narrow.
pub(super) fn only(form: &Parameters, known: &[&str]) -> Result<(), No> {
    match form.keys().find(|n| !known.contains(&n.as_str())) {
        None => Ok(()),
        Some(name) => {
            let shown: String = name.chars().take(40).collect();
            Err(No::new(
                "invalid_request",
                format!("`{shown}` is not a parameter here."),
            ))
        }
    }
}
