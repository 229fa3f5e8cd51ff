//! A SAML provider's answer, which the browser posts from the provider's page (SAML Bindings, section 3.5).
//!
//! Lives here: the request, and keeping what was posted until the same browser comes by itself. Never: how a response is
//! checked.
//!
//! What another site posts comes without our cookie. So the response is checked when it is posted, and counts only when the
//! browser that began comes for it: whoever makes somebody post a response of their own signs nobody in.

use super::browser::{Away, GONE, Next, Proven};
use super::step::Step;
use super::{Logins, No};
use crate::saml::{LoginRequest, SamlProvider};
use serde::{Deserialize, Serialize};

/// Random bytes of a request's id (SAML Core, section 1.3.4).
const REQUEST_ID_BYTES: usize = 16;

/// A response that was posted and checked.
#[derive(Serialize, Deserialize)]
struct Posted {
    /// Where the browser that began is waited for.
    state: String,
    /// Whom it proves; `None` where it proves nobody, which the browser that began is told.
    proven: Option<Proven>,
}

impl Step for Posted {
    const KIND: &'static str = "posted";
}

impl Logins {
    /// The address that a browser is sent to, and the id of the request.
    pub(super) fn begin_saml(
        &self,
        provider: &SamlProvider,
        state: &str,
        again: bool,
    ) -> Result<(String, String), No> {
        let mut bytes = [0; REQUEST_ID_BYTES];
        self.parts.randomness.fill(&mut bytes)?;
        // An id of XML does not begin with a digit.
        let id = format!("_{}", hex::encode(bytes));
        let request = LoginRequest {
            id: &id,
            relay_state: Some(state),
            again,
        };
        let url = provider
            .begin(&request, self.now())
            .map_err(|why| No::Unavailable(why.to_string()))?;
        Ok((url, id))
    }

    /// Takes what was posted: the handle that the browser brings next.
    pub async fn posted(
        &self,
        issuer: &str,
        response: &str,
        relay_state: &str,
        source: &str,
    ) -> Result<String, No> {
        let provider = self.saml(issuer).ok_or(No::Grant(GONE))?;
        // The step stays: it is the browser's that began to take.
        let away = self.look::<Away>(relay_state).await?;
        let (away, _) = away
            .filter(|(a, _)| a.issuer == issuer)
            .ok_or(No::Grant(GONE))?;
        let now = self.now();
        let proven = match provider.finish(response, &away.nonce, now) {
            Ok(proof) => Some(Proven::of(proof.identity, now)),
            Err(why) => {
                tracing::warn!(issuer, %why, "a SAML response signs nobody in");
                None
            }
        };
        // Fresh, and told to the browser that posted alone: the one that began has the cookie, and both are needed. Whoever
        // began knows the state, and may have had somebody else post.
        let handle = self.fresh()?;
        let posted = Posted {
            state: relay_state.to_owned(),
            proven,
        };
        self.keep(&handle, &posted, source).await?;
        Ok(handle)
    }

    /// Takes the browser that began, with the handle of what was posted.
    pub async fn collect(
        &self,
        issuer: &str,
        handle: &str,
        cookie: &str,
        source: &str,
    ) -> Result<Next, No> {
        let posted = self.take::<Posted>(handle).await?;
        let posted = posted.ok_or(No::Grant(GONE))?;
        let away = self.back_from(&posted.state, issuer, cookie).await?;
        let vouched = posted
            .proven
            .ok_or_else(|| No::Denied(format!("the response of `{issuer}` signs nobody in")));
        self.arrived(away, vouched, source).await
    }
}
