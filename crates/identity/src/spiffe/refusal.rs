//! Why a certificate was not accepted.
//!
//! Lives here: the reasons, for the operator's log. Never: any text from the certificate, which its sender chose.

/// A reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("it is not a certificate of version 3 that can be read")]
    NotACertificate,
    #[error("it has not exactly one URI among its names")]
    Names,
    #[error("its URI is not the SPIFFE ID of a workload")]
    Id,
    #[error("its trust domain is not one that was configured")]
    TrustDomain,
    #[error("it is an authority's and not a workload's")]
    Authority,
    #[error("its key is not for signing alone")]
    KeyUsage,
    #[error("its trust domain does not vouch for it")]
    Untrusted,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    NotYet,
    #[error("it lives longer than svid_lifetime_max")]
    LivesTooLong,
    #[error("its SPIFFE ID is longer than a name may be")]
    LongName,
}
