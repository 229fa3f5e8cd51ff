//! Who sends a request, as it shows itself: the token in its header, and the certificate of its connection.
//!
//! Lives here: reading both, and what is asked of the authenticator with them. Never: rights.

use crate::call::Admin;
use crate::problem::Problem;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use brattice_core::ports::AuthError;
use brattice_core::principal::Identity;
use brattice_core::secret::Secret;
use brattice_core::sender::{Certificate, Missing, Sender};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The longest access token.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// The peer of a connection, put into each request by [`crate::serve`].
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub at: SocketAddr,
    /// The certificate whose key it showed.
    pub certificate: Option<Arc<Certificate>>,
}

/// The address that a request comes from.
pub(crate) fn from(parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<Peer>();
    peer.map_or(IpAddr::from([0, 0, 0, 0]), |p| p.at.ip())
}

/// What a request's connection shows.
pub(crate) fn sender(parts: &Parts) -> Sender {
    let peer = parts.extensions.get::<Peer>();
    Sender {
        certificate: peer.and_then(|p| p.certificate.clone()),
        key: None,
    }
}

/// Who sends a request. A token decides, where there is one; else the connection's certificate.
pub(crate) async fn who(admin: &Admin, parts: &Parts) -> Result<Identity, Problem> {
    let (sender, source) = (sender(parts), from(parts).to_string());
    let authenticator = &admin.ports.authenticator;
    let proven = match (
        &sender.certificate,
        parts.headers.get(header::AUTHORIZATION),
    ) {
        (Some(certificate), None) => {
            let certificate = Arc::clone(certificate);
            authenticator
                .verify_certificate(&certificate, &source)
                .await
        }
        _ => {
            let token = bearer(&parts.headers)?;
            authenticator.verify_token(&token, &sender, &source).await
        }
    };
    proven.map_err(not_proven)
}

/// The token of exactly one `Authorization: Bearer` header (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Result<Secret, Problem> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let token = given
        .next()
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    match (token, given.next()) {
        (Some(token), None) if !token.is_empty() && token.len() <= TOKEN_BYTES_MAX => {
            Ok(Secret::new(token.as_bytes()))
        }
        _ => Err(Problem::unauthenticated()),
    }
}

fn not_proven(why: AuthError) -> Problem {
    match why {
        AuthError::Rejected(why) => {
            tracing::info!(%why, "a proof was refused on the API");
            Problem::unauthenticated()
        }
        AuthError::Unheld(missing) => {
            tracing::warn!(%missing, "a bound token came without what it is bound to");
            unheld(missing)
        }
        AuthError::Throttled => {
            let mut problem = Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "throttled",
                "Too many attempts from this address.",
            );
            problem.retry = true;
            problem
        }
        AuthError::Unavailable(why) => {
            tracing::warn!(%why, "a proof could not be checked");
            Problem::unavailable()
        }
    }
}

/// A token in hands that it is not for.
fn unheld(missing: Missing) -> Problem {
    let (detail, hint) = match missing {
        Missing::Certificate => (
            "The token is bound to a client certificate, and the connection does not show it.",
            "Connect over TLS with that certificate and its key.",
        ),
        Missing::Key => (
            "The token is bound to a key, and the request does not show it.",
            "Send it as `Authorization: DPoP`, with a proof by its key in the header `DPoP`.",
        ),
    };
    Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail).hint(hint)
}
