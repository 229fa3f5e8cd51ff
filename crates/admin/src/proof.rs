//! Who sends a request, as it shows itself: the token in its header, the proof beside it, and the certificate of its
//! connection.
//!
//! Lives here: reading these (RFC 6750, RFC 9449, section 7), and what is asked of the authenticator with them. Never:
//! rights, what makes a proof good.

use crate::call::Admin;
use crate::ports::proofs::ProofRefused;
use crate::problem::Problem;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use brattice_core::ports::{AuthError, Authenticator, RecordFailed};
use brattice_core::principal::Identity;
use brattice_core::secret::Secret;
use brattice_core::sender::{Certificate, KeyProof, Missing, ProofWanted, Sender};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The longest access token.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// The header with a proof.
pub(crate) const DPOP: &str = "dpop";

/// The peer of a connection, put into each request by [`crate::serve`].
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub at: SocketAddr,
    /// Whether the connection is encrypted up to here.
    pub encrypted: bool,
    /// The certificate whose key it showed.
    pub certificate: Option<Arc<Certificate>>,
}

/// The address that a request comes from.
pub(crate) fn from(parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<Peer>();
    peer.map_or(IpAddr::from([0, 0, 0, 0]), |p| p.at.ip())
}

/// What a request shows of the keys that its sender holds.
pub(crate) struct Shown {
    pub from: IpAddr,
    pub sender: Sender,
    proof: Option<KeyProof>,
}

impl Shown {
    /// With the connection's certificate alone.
    fn connection(parts: &Parts) -> Self {
        let peer = parts.extensions.get::<Peer>();
        let sender = Sender {
            certificate: peer.and_then(|p| p.certificate.clone()),
            key: None,
        };
        Self {
            from: from(parts),
            sender,
            proof: None,
        }
    }

    /// With the proof in the header, which must be good where there is one. `token` is what is sent beside it.
    pub(crate) fn with_proof(
        admin: &Admin,
        parts: &Parts,
        token: Option<&Secret>,
    ) -> Result<Self, ProofRefused> {
        let mut shown = Self::connection(parts);
        let mut given = parts.headers.get_all(DPOP).iter();
        let Some(first) = given.next() else {
            return Ok(shown);
        };
        let wrong = |why: &str| ProofRefused::Wrong(why.to_owned());
        if given.next().is_some() {
            return Err(wrong("there is more than one"));
        }
        let proof = first.to_str().map_err(|_| wrong("it is not text"))?;
        let wanted = ProofWanted {
            method: parts.method.as_str(),
            urls: &urls(admin, parts),
            token,
        };
        let proof = admin.ports.proofs.check(proof, wanted)?;
        shown.sender.key = Some(proof.key);
        shown.proof = Some(proof);
        Ok(shown)
    }

    /// Uses the proof up, once all else was found good.
    pub(crate) fn use_up(&self, admin: &Admin) -> Result<(), ProofRefused> {
        match &self.proof {
            Some(proof) => admin.ports.proofs.use_up(proof, self.from),
            None => Ok(()),
        }
    }
}

/// The addresses that lead to where a request went: the public one, and this machine's own names for itself.
fn urls(admin: &Admin, parts: &Parts) -> Vec<String> {
    let settings = &admin.settings;
    let path = parts.uri.path();
    let mut urls = vec![format!("{}{path}", settings.public_url)];
    let peer = parts.extensions.get::<Peer>();
    let scheme = match peer.is_some_and(|p| p.encrypted) {
        true => "https",
        false => "http",
    };
    let host = parts
        .headers
        .get(header::HOST)
        .and_then(|h| h.to_str().ok());
    let host = host.map(str::to_ascii_lowercase);
    urls.extend(
        host.filter(|h| settings.own_hosts.contains(h))
            .map(|h| format!("{scheme}://{h}{path}")),
    );
    urls
}

/// How a token is sent.
enum Token {
    Bearer(Secret),
    /// Together with a proof (RFC 9449, section 7.1).
    Bound(Secret),
}

/// What a request proves its sender with, kept for as long as the answer lasts.
#[derive(Clone, Default)]
pub(crate) struct Evidence {
    /// The token; without one the connection's certificate decides.
    token: Option<Secret>,
    sender: Sender,
}

impl Evidence {
    /// Who it proves, now.
    pub(crate) async fn proves(
        &self,
        authenticator: &dyn Authenticator,
        from: IpAddr,
    ) -> Result<Identity, Problem> {
        let source = from.to_string();
        let Some(token) = &self.token else {
            let shown = self.sender.certificate.as_ref();
            let certificate = shown.ok_or_else(Problem::unauthenticated)?;
            let proven = authenticator.verify_certificate(certificate, &source).await;
            return proven.map_err(not_proven);
        };
        let proven = authenticator.verify_token(token, &self.sender, &source);
        let identity = proven.await.map_err(not_proven)?;
        // Whoever proves a key means a token that is bound to it: one that is not was got, or changed, elsewhere.
        if self.sender.key != identity.binding.key {
            return Err(Problem::unauthenticated());
        }
        Ok(identity)
    }
}

/// Who sends a request, and by what that is known. A token decides, where there is one; else the connection's certificate.
pub(crate) async fn who(admin: &Admin, parts: &Parts) -> Result<(Identity, Evidence), Problem> {
    let (identity, evidence) = proven(admin, parts).await?;
    notice(admin, &identity, from(parts))
        .await
        .map_err(|_| Problem::unavailable())?;
    Ok((identity, evidence))
}

async fn proven(admin: &Admin, parts: &Parts) -> Result<(Identity, Evidence), Problem> {
    let (token, shown) = if parts.headers.contains_key(header::AUTHORIZATION) {
        match token(&parts.headers)? {
            Token::Bearer(token) => (Some(token), Shown::connection(parts)),
            Token::Bound(token) => {
                let shown = Shown::with_proof(admin, parts, Some(&token));
                let shown = shown.map_err(not_shown)?;
                (Some(token), shown)
            }
        }
    } else {
        (None, Shown::connection(parts))
    };
    let evidence = Evidence {
        token,
        sender: shown.sender.clone(),
    };
    let identity = evidence
        .proves(admin.ports.authenticator.as_ref(), shown.from)
        .await?;
    shown.use_up(admin).map_err(not_shown)?;
    Ok((identity, evidence))
}

/// Puts on record where a proof was used from another place than before.
pub(crate) async fn notice(
    admin: &Admin,
    identity: &Identity,
    from: IpAddr,
) -> Result<(), RecordFailed> {
    let Some(event) = admin.ports.elsewhere.noted(identity, from) else {
        return Ok(());
    };
    let written = admin.ports.recorder.write(event).await;
    written.inspect_err(|why| {
        tracing::error!(%why, "where a proof was used from could not be recorded, and it was refused");
        admin.ports.elsewhere.forget(identity, from);
    })
}

/// The token of exactly one `Authorization` header (RFC 6750, section 2.1).
fn token(headers: &HeaderMap) -> Result<Token, Problem> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let value = given.next().and_then(|v| v.to_str().ok());
    let (Some((scheme, token)), None) = (value.and_then(|v| v.split_once(' ')), given.next())
    else {
        return Err(Problem::unauthenticated());
    };
    let token = token.trim();
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
        return Err(Problem::unauthenticated());
    }
    let secret = Secret::new(token.as_bytes());
    match scheme {
        s if s.eq_ignore_ascii_case("bearer") => Ok(Token::Bearer(secret)),
        s if s.eq_ignore_ascii_case("dpop") && headers.contains_key(DPOP) => {
            Ok(Token::Bound(secret))
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

/// A proof that proves nothing.
fn not_shown(why: ProofRefused) -> Problem {
    match why {
        ProofRefused::Wrong(why) => {
            tracing::info!(%why, "a DPoP proof was refused on the API");
            Problem::new(
                StatusCode::UNAUTHORIZED,
                Problem::INVALID_PROOF,
                format!("The DPoP proof is not good: {why}."),
            )
            .hint("Make a fresh proof for each request.")
        }
        ProofRefused::Busy => {
            tracing::warn!("a DPoP proof could not be remembered, and was refused");
            Problem::unavailable()
        }
    }
}
