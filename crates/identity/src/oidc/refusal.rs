//! Why a token was not accepted.
//!
//! Lives here: the reasons, for the operator's log. Never: any text from the token itself, which its sender chose
//! and which may be a secret.

/// A reason. None of them quotes the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("it is not a signed token")]
    NotAToken,
    #[error("it is longer than any token may be")]
    TooLong,
    #[error("its header {0}")]
    Header(&'static str),
    #[error("its signature algorithm is not one that was pinned")]
    Algorithm,
    #[error("no configured provider issued it")]
    Issuer,
    #[error("the provider has no such key")]
    UnknownKey,
    #[error("its key is not for its algorithm")]
    KeyAlgorithm,
    #[error("its signature is wrong")]
    Signature,
    #[error("its claims {0}")]
    Claims(&'static str),
    #[error("its claim `{claim}` {why}")]
    Claim { claim: String, why: &'static str },
    #[error("it is not for this gateway")]
    Audience,
    #[error("it is also for somebody else")]
    AudienceBeside,
    #[error("it is not an access token: {0}")]
    NotAnAccessToken(&'static str),
    #[error("it was issued to a client that is not listed")]
    Client,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    NotYet,
    #[error("it lives longer than lifetime_max")]
    LivesTooLong,
    #[error("it is bound to something in a way that is not known here")]
    Bound,
    #[error("its groups are not listed in it: the provider found them too many")]
    GroupsElsewhere,
    #[error("nothing in it says whether it is an agent's or a person's")]
    Kind,
    #[error("it says both that it is an agent's and a person's")]
    BothKinds,
    #[error("its delegation is deeper than delegation_depth_max")]
    Delegation,
}

impl Refusal {
    pub(super) fn claim(claim: impl Into<String>, why: &'static str) -> Self {
        Self::Claim {
            claim: claim.into(),
            why,
        }
    }
}
