//! From a checked configuration to where the lender takes targets' credentials.
//!
//! Lives here: translation. Never: reading a secret.

use super::error::StartError;
use crate::config::Checked;
use crate::config::checked::{self, AwsLogin, SecretSource, VaultLogin};
use brattice_identity::lend::{
    AwsConfig, AwsKeys, RdsLogin, SecretFrom, TargetCredential, UpstreamProof, VaultAuth,
    VaultConfig,
};
use std::collections::BTreeMap;
use std::path::Path;

/// How each target is entered.
pub(super) fn by_target(checked: &Checked) -> BTreeMap<String, TargetCredential> {
    checked
        .targets
        .iter()
        .map(|(name, t)| {
            let proof = match &t.credential {
                checked::TargetCredential::Password(source) => {
                    UpstreamProof::Password(secret(source))
                }
                checked::TargetCredential::Certificate(files) => UpstreamProof::Certificate {
                    chain: SecretFrom::File(files.cert.clone()),
                    key: SecretFrom::File(files.key.clone()),
                },
                checked::TargetCredential::Both(source, files) => UpstreamProof::Both {
                    password: secret(source),
                    chain: SecretFrom::File(files.cert.clone()),
                    key: SecretFrom::File(files.key.clone()),
                },
                checked::TargetCredential::Issued(path) => UpstreamProof::Issued(path.clone()),
                checked::TargetCredential::AwsSecret(secret) => {
                    UpstreamProof::AwsSecret(secret.clone())
                }
                checked::TargetCredential::PrivateKey(source) => {
                    UpstreamProof::PrivateKey(secret(source))
                }
                checked::TargetCredential::Gateway => UpstreamProof::Gateway,
                checked::TargetCredential::Signed(by) => UpstreamProof::Signed(by.clone()),
                checked::TargetCredential::RdsIam(aws) => UpstreamProof::RdsIam(RdsLogin {
                    aws: aws.clone(),
                    host: t.host.clone(),
                    port: t.port,
                    user: t.user.clone(),
                }),
            };
            (
                name.clone(),
                TargetCredential {
                    user: t.user.clone(),
                    proof,
                    template: t.template.clone(),
                },
            )
        })
        .collect()
}

/// The vaults that credentials come from.
pub(super) fn vaults(checked: &Checked) -> Result<Vec<VaultConfig>, StartError> {
    let of = |(name, vault): (&String, &checked::Vault)| -> Result<VaultConfig, StartError> {
        Ok(VaultConfig {
            name: name.clone(),
            address: vault.address.clone(),
            ca: vault.ca.as_deref().map(file).transpose()?,
            namespace: vault.namespace.clone(),
            auth: match &vault.login {
                VaultLogin::Token(token) => VaultAuth::Token(secret(token)),
                VaultLogin::AppRole {
                    mount,
                    role_id,
                    secret_id,
                } => VaultAuth::AppRole {
                    mount: mount.clone(),
                    role_id: secret(role_id),
                    secret_id: secret(secret_id),
                },
                VaultLogin::Jwt { mount, role, token } => VaultAuth::Jwt {
                    mount: mount.clone(),
                    role: role.clone(),
                    token: secret(token),
                },
            },
        })
    };
    checked.vaults.iter().map(of).collect()
}

/// What of AWS credentials come from.
pub(super) fn aws(checked: &Checked) -> Result<Vec<AwsConfig>, StartError> {
    let of = |(name, aws): (&String, &checked::Aws)| -> Result<AwsConfig, StartError> {
        Ok(AwsConfig {
            name: name.clone(),
            region: aws.region.clone(),
            keys: match &aws.keys {
                AwsLogin::Keys {
                    id,
                    secret: of,
                    token,
                } => AwsKeys::Given {
                    id: secret(id),
                    secret: secret(of),
                    token: token.as_ref().map(secret),
                },
                AwsLogin::WebIdentity { role, token } => AwsKeys::WebIdentity {
                    role: role.clone(),
                    token: secret(token),
                },
                AwsLogin::Container => AwsKeys::Container,
                AwsLogin::Instance { at } => AwsKeys::Instance { at: at.clone() },
            },
            secretsmanager: aws.secretsmanager.clone(),
            sts: aws.sts.clone(),
            ca: aws.ca.as_deref().map(file).transpose()?,
            secret_age_max: aws.secret_age_max,
        })
    };
    checked.aws.iter().map(of).collect()
}

fn file(path: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(path).map_err(|cause| StartError::File {
        path: path.to_owned(),
        cause,
    })
}

/// Where a secret is read from, for those who read it later.
pub(super) fn secret(source: &SecretSource) -> SecretFrom {
    match source {
        SecretSource::Env(name) => SecretFrom::Env(name.clone()),
        SecretSource::File(path) => SecretFrom::File(path.clone()),
        SecretSource::Sealed => SecretFrom::Sealed,
        SecretSource::Vault(path) => SecretFrom::Vault(path.clone()),
        SecretSource::Aws(secret) => SecretFrom::Aws(secret.clone()),
    }
}
