//! Why a response was not accepted.
//!
//! Lives here: the reasons, for the operator's log. Never: any text from the response itself, which its sender chose
//! and which may be personal.

/// A reason. None of them quotes the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SamlRefused {
    /// What the gateway itself asked for cannot be put into a request.
    #[error("the request cannot be made: {0}")]
    Request(&'static str),
    /// Beyond any honest size.
    #[error("it is longer than any response may be")]
    TooLong,
    /// Not the HTTP-POST binding's form value.
    #[error("it is not base64")]
    NotBase64,
    /// Not the kind of XML that is read here.
    #[error("it is not the plain XML that is read here: {0}")]
    Xml(&'static str),
    /// Not as the schemas of SAML and XML Security have it, as far as they are accepted.
    #[error("it is not a response as it should be: {0}")]
    Shape(&'static str),
    /// The provider did not authenticate anybody.
    #[error("the provider says that it failed: {0}")]
    Status(&'static str),
    /// From somebody else, or not saying from whom.
    #[error("the configured provider did not issue it")]
    Issuer,
    /// Sent to another address.
    #[error("it was sent to another address")]
    Destination,
    /// The assertion has no signature of its own.
    #[error("the assertion is not signed; a signature of the response is not enough")]
    Unsigned,
    /// An algorithm, canonicalisation or transform that is not accepted.
    #[error("its signature uses {0} that is not accepted")]
    Algorithm(&'static str),
    /// The signature is over another element.
    #[error("its signature is not over the element it stands in")]
    Covers,
    /// Neither digest nor signature may be wrong.
    #[error("its signature is wrong")]
    Signature,
    /// The provider's metadata may not be used any more.
    #[error("the provider's metadata has expired")]
    Metadata,
    /// It could not be decrypted. Why is not told, lest a sender learn from it.
    #[error("it cannot be decrypted, or not in a way that is accepted")]
    Encryption,
    /// Not for this gateway.
    #[error("it is not for this gateway")]
    Audience,
    /// Whoever else it is for could replay it here.
    #[error("it is also for somebody else")]
    AudienceBeside,
    /// To be delivered elsewhere.
    #[error("its recipient is another address")]
    Recipient,
    /// An answer to another request, or one nobody asked for.
    #[error("it does not answer this request")]
    InResponseTo,
    /// Begun by the provider, and no answer to a request of ours.
    #[error("nobody asked for it")]
    Unasked,
    /// From the future.
    #[error("it is not valid yet")]
    NotYet,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// A time that cannot be read.
    #[error("a time in it is not written in UTC as SAML says")]
    Time,
    /// The session at the provider is too old; asking again with `again` helps.
    #[error("the authentication is older than authentication_max_age")]
    TooOld,
    /// Who it is about cannot be taken over.
    #[error("its subject {0}")]
    Subject(&'static str),
    /// The groups cannot be taken over.
    #[error("its groups {0}")]
    Groups(&'static str),
    /// Used before.
    #[error("it was used before")]
    Replayed,
    /// Too many are remembered: no new one is accepted until some expire.
    #[error("too many assertions are remembered to accept another")]
    Busy,
}
