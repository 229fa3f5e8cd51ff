//! The configuration as the other crates take it.
//!
//! Lives here: conversions that can fail only by a file that went away since the check. Never: rules about values.

use super::checked::{Issuer, SecretSource, TargetConfig, TargetCredential};
use brattice_identity::lend::{SecretFrom, TargetCredential as Lent, UpstreamProof};
use brattice_identity::oidc::{
    ClaimIs, ClaimMap, ClaimPath, IssuerConfig, KindRule, SigningAlgorithm,
};
use std::io;
use std::path::Path;

/// A part of the configuration that could not be handed on.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// A file that was there when the bundle was checked.
    #[error("{path} cannot be read")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A value that the check let through and the other side does not take.
    #[error("{path} is not taken: {why}")]
    Refused {
        /// The key.
        path: String,
        /// Why.
        why: String,
    },
}

/// Reads a file that the check has seen.
pub fn file(path: &Path) -> Result<Vec<u8>, ConvertError> {
    std::fs::read(path).map_err(|source| ConvertError::File {
        path: path.display().to_string(),
        source,
    })
}

impl Issuer {
    /// As the verifier of tokens takes it.
    pub fn to_identity(&self) -> Result<IssuerConfig, ConvertError> {
        let refused = |key: &str, why: &str| ConvertError::Refused {
            path: format!("issuers.{}.{key}", self.name),
            why: why.to_owned(),
        };
        let claim = |key: &str, text: &str| {
            ClaimPath::parse(text).ok_or_else(|| refused(key, "it does not name a claim"))
        };
        let conditions = |key: &str, all: &[(String, String)]| {
            all.iter()
                .map(|(name, value)| {
                    Ok(ClaimIs {
                        claim: claim(key, name)?,
                        equals: value.clone(),
                    })
                })
                .collect::<Result<Vec<_>, ConvertError>>()
        };
        let kind = KindRule {
            agent_when: conditions("claims.agent_when", &self.claims.agent_when)?,
            user_when: conditions("claims.user_when", &self.claims.user_when)?,
            otherwise: self.claims.otherwise,
        };
        let groups = match &self.claims.groups {
            Some(text) => Some(claim("claims.groups", text)?),
            None => None,
        };
        let algorithms = self
            .algorithms
            .iter()
            .map(|name| {
                name.parse::<SigningAlgorithm>()
                    .map_err(|e| refused("algorithms", &e.to_string()))
            })
            .collect::<Result<_, _>>()?;
        let mut config = IssuerConfig::new(&self.name, &self.url, "", kind.clone());
        config.audience = self.audiences.clone();
        config.audience_beside = self.audiences_beside.clone();
        config.jwks_uri = self.jwks_uri.clone();
        config.algorithms = algorithms;
        config.claims = ClaimMap {
            subject: claim("claims.subject", &self.claims.subject)?,
            groups,
            kind,
            mfa_when: self.claims.mfa_when.clone(),
        };
        config.leeway = self.leeway;
        config.access_token_type_required = self.access_token_type_required;
        config.clients = self.clients.clone();
        config.lifetime_max = self.token_lifetime_max;
        config.delegation_depth_max = self.delegation_depth_max;
        config.ca = self.ca.as_deref().map(file).transpose()?;
        config.allow_loopback_http = self.is_loopback_http();
        config.jwks_refresh = self.keys_refresh;
        config.jwks_stale_max = self.keys_stale_max;
        match config.problems().first() {
            Some(problem) => Err(refused(problem.setting, problem.why)),
            None => Ok(config),
        }
    }
}

impl TargetConfig {
    /// As the lender of credentials takes it.
    pub fn to_lent(&self) -> Lent {
        let from = |source: &SecretSource| match source {
            SecretSource::Env(name) => SecretFrom::Env(name.clone()),
            SecretSource::File(path) => SecretFrom::File(path.clone()),
            SecretSource::Sealed => SecretFrom::Sealed,
        };
        let pem = |path: &Path| {
            SecretFrom::File(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
        };
        let proof = match &self.credential {
            TargetCredential::Password(source) => UpstreamProof::Password(from(source)),
            TargetCredential::Certificate(files) => UpstreamProof::Certificate {
                chain: pem(&files.cert),
                key: pem(&files.key),
            },
            TargetCredential::Both(source, files) => UpstreamProof::Both {
                password: from(source),
                chain: pem(&files.cert),
                key: pem(&files.key),
            },
        };
        Lent {
            user: self.user.clone(),
            proof,
        }
    }
}
