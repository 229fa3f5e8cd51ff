//! Signature algorithms that may be pinned.
//!
//! Lives here: the closed list and its names. Never: HMAC, `none`, anything that is not signed with a private key.

use jsonwebtoken::Algorithm;
use std::fmt;
use std::str::FromStr;

/// Signature algorithms that may be pinned: public-key ones only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SigningAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl SigningAlgorithm {
    /// All of them.
    pub const ALL: [SigningAlgorithm; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];
    /// The name in RFC 7518, section 3.1, and RFC 8037.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }
    pub(super) fn library(self) -> Algorithm {
        match self {
            Self::RS256 => Algorithm::RS256,
            Self::RS384 => Algorithm::RS384,
            Self::RS512 => Algorithm::RS512,
            Self::PS256 => Algorithm::PS256,
            Self::PS384 => Algorithm::PS384,
            Self::PS512 => Algorithm::PS512,
            Self::ES256 => Algorithm::ES256,
            Self::ES384 => Algorithm::ES384,
            Self::EdDSA => Algorithm::EdDSA,
        }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is not a permitted signature algorithm; `none` and the HMAC family never are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a permitted signature algorithm: expected RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA"
)]
pub struct NotAnAlgorithm;

impl FromStr for SigningAlgorithm {
    type Err = NotAnAlgorithm;
    fn from_str(s: &str) -> Result<Self, NotAnAlgorithm> {
        Self::ALL
            .into_iter()
            .find(|a| a.as_str() == s)
            .ok_or(NotAnAlgorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hmac_family_and_none_have_no_name() {
        for name in [
            "none", "nOnE", "HS256", "HS512", "rs256", "ES256K", "ES512", "",
        ] {
            assert!(name.parse::<SigningAlgorithm>().is_err(), "{name}");
        }
        for a in SigningAlgorithm::ALL {
            assert_eq!(a.as_str().parse(), Ok(a));
        }
    }
}
