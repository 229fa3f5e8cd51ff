//! Where one secret is read from.
//!
//! Lives here: the sources' written form and the reading of each. Never: caching; a rotated secret is seen at the
//! next lend. (What AWS is asked for is kept for a while, by the part that asks it.)

use super::aws::{Accounts, AwsPart, AwsSecret};
use super::sealed::{SealedStore, SealingKeys};
use super::vault::{VaultPath, Vaults};
use super::{TargetCredential, UpstreamProof, file, sealed};
use brattice_core::ports::{Lease, LeaseHeld};
use brattice_core::secret::Secret;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// Where a secret comes from: `env:NAME`, `file:/absolute/path`, `sealed`, `vault:NAME/MOUNT/PATH#FIELD` or
/// `aws:NAME/SECRET#KEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretFrom {
    /// A variable of the gateway's environment.
    Env(String),
    /// A file, read anew each time.
    File(PathBuf),
    /// The sealed store, under the target's name.
    Sealed,
    /// One value of a secret in a vault, read anew each time.
    Vault(VaultPath),
    /// A secret that AWS keeps, or one value of it; never one that names the user too.
    Aws(AwsSecret),
}

/// Text that is not a source. The text itself is not repeated: it may be a secret put in the wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a source of secrets: expected `env:NAME`, `file:/absolute/path`, `sealed`, `vault:NAME/MOUNT/PATH#FIELD` or `aws:NAME/SECRET#KEY`"
)]
pub struct NotASource;

impl FromStr for SecretFrom {
    type Err = NotASource;
    fn from_str(s: &str) -> Result<Self, NotASource> {
        if s == "sealed" {
            return Ok(Self::Sealed);
        }
        if let Some(name) = s.strip_prefix("env:") {
            let good = !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && !name.starts_with(|c: char| c.is_ascii_digit());
            return if good {
                Ok(Self::Env(name.to_owned()))
            } else {
                Err(NotASource)
            };
        }
        if s.starts_with("vault:") {
            return match s.parse::<VaultPath>() {
                Ok(path) if path.field.is_some() => Ok(Self::Vault(path)),
                _ => Err(NotASource),
            };
        }
        if s.starts_with("aws:") {
            return match s.parse::<AwsSecret>() {
                Ok(secret) if !matches!(secret.part, AwsPart::Both { .. }) => Ok(Self::Aws(secret)),
                _ => Err(NotASource),
            };
        }
        match s.strip_prefix("file:").map(PathBuf::from) {
            Some(path) if path.is_absolute() => Ok(Self::File(path)),
            _ => Err(NotASource),
        }
    }
}

impl fmt::Display for SecretFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Sealed => f.write_str("sealed"),
            Self::Vault(path) => path.fmt(f),
            Self::Aws(secret) => secret.fmt(f),
        }
    }
}

/// The gateway's environment.
pub trait Environment: Send + Sync {
    /// A variable's value.
    fn variable(&self, name: &str) -> Option<Secret>;
}

/// The environment of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<Secret> {
        use std::os::unix::ffi::OsStringExt;
        std::env::var_os(name).map(|v| Secret::new(v.into_vec()))
    }
}

/// The sources that need nothing else: the environment and files.
#[derive(Clone)]
pub(super) struct Plain(pub Arc<dyn Environment>);

impl Plain {
    /// One line, no NUL.
    pub(super) async fn line(&self, from: &SecretFrom) -> Result<Secret, String> {
        match self.read(from).await {
            Some(read) => one_line(from, read?),
            None => Err(format!("{from} cannot be used here")),
        }
    }

    async fn read(&self, from: &SecretFrom) -> Option<Result<Secret, String>> {
        match from {
            SecretFrom::Env(name) => {
                let found = self.0.variable(name);
                Some(found.ok_or_else(|| format!("{from} is not set")))
            }
            SecretFrom::File(path) => {
                let read = file::read(path).await;
                Some(read.map_err(|why| format!("{from}: {why}")))
            }
            SecretFrom::Sealed | SecretFrom::Vault(_) | SecretFrom::Aws(_) => None,
        }
    }
}

fn one_line(from: &impl fmt::Display, secret: Secret) -> Result<Secret, String> {
    let secret = without_line_end(secret);
    let bytes = secret.expose();
    if bytes.is_empty() {
        return Err(format!("{from} is empty"));
    }
    if bytes.iter().any(|b| matches!(b, 0 | b'\n' | b'\r')) {
        return Err(format!("{from} holds more than one line"));
    }
    Ok(secret)
}

/// Reads secrets. Errors are texts for the operator that name the source, never its content.
pub(super) struct Sources {
    pub plain: Plain,
    pub sealed: Option<(Arc<dyn SealedStore>, SealingKeys)>,
    pub vaults: Vaults,
    pub aws: Accounts,
}

impl Sources {
    /// What a target is entered with, as it is now.
    pub(super) async fn login(
        &self,
        target: &str,
        credential: &TargetCredential,
    ) -> Result<Lease, String> {
        let (password, certificate) = match &credential.proof {
            UpstreamProof::Password(p) => (Some(p), None),
            UpstreamProof::Certificate { chain, key } => (None, Some((chain, key))),
            UpstreamProof::Both {
                password,
                chain,
                key,
            } => (Some(password), Some((chain, key))),
            UpstreamProof::Issued(path) => return self.vaults.issue(path).await,
            UpstreamProof::AwsSecret(from) => return self.both(from).await,
            UpstreamProof::PrivateKey(from) => {
                return Ok(Lease {
                    user: credential.user.clone(),
                    rights: credential.user.clone(),
                    password: Secret::new(Vec::new()),
                    private_key: Some(self.pem(target, "private_key", from).await?),
                    certifier: None,
                    client_certificate: None,
                    held: None,
                });
            }
            UpstreamProof::Gateway | UpstreamProof::Signed(_) => {
                return Err("it is signed, and read nowhere".to_owned());
            }
            UpstreamProof::RdsIam(to) => {
                return Ok(Lease {
                    user: credential.user.clone(),
                    rights: credential.user.clone(),
                    password: self.aws.database_login(to).await?,
                    private_key: None,
                    certifier: None,
                    client_certificate: None,
                    held: None,
                });
            }
        };
        let (password, held) = match password {
            Some(from) => self.password(target, from).await?,
            None => (Secret::new(Vec::new()), None),
        };
        let client_certificate = match certificate {
            Some((chain, key)) => {
                let chain = self.pem(target, "chain", chain).await?;
                let key = self.pem(target, "key", key).await?;
                Some((chain.expose().to_vec(), key))
            }
            None => None,
        };
        Ok(Lease {
            user: credential.user.clone(),
            rights: credential.user.clone(),
            password,
            private_key: None,
            certifier: None,
            client_certificate,
            held,
        })
    }

    /// A user and a password out of one secret. All sessions have the same rights, whichever of its users the secret names
    /// today: rotation may take turns between two that are alike.
    async fn both(&self, from: &AwsSecret) -> Result<Lease, String> {
        let found = self.aws.secret(from).await?;
        let user = found.user.filter(|u| !u.chars().any(char::is_control));
        Ok(Lease {
            user: user.ok_or_else(|| format!("{from} names no user"))?,
            rights: from.to_string(),
            password: one_line(from, found.password)?,
            private_key: None,
            certifier: None,
            client_certificate: None,
            held: Some(found.held),
        })
    }

    /// A password: one line, no NUL.
    async fn password(
        &self,
        target: &str,
        from: &SecretFrom,
    ) -> Result<(Secret, Option<Box<dyn LeaseHeld>>), String> {
        let (secret, held) = match from {
            SecretFrom::Aws(secret) => {
                let found = self.aws.secret(secret).await?;
                (found.password, Some(found.held))
            }
            _ => (self.read(target, "password", from).await?, None),
        };
        Ok((one_line(from, secret)?, held))
    }

    /// PEM text.
    async fn pem(&self, target: &str, part: &str, from: &SecretFrom) -> Result<Secret, String> {
        let secret = self.read(target, part, from).await?;
        let is_pem = secret
            .expose_str()
            .is_some_and(|t| t.contains("-----BEGIN ") && t.contains("-----END "));
        if is_pem {
            Ok(secret)
        } else {
            Err(format!("{from} is not PEM"))
        }
    }

    async fn read(&self, target: &str, part: &str, from: &SecretFrom) -> Result<Secret, String> {
        if let Some(read) = self.plain.read(from).await {
            return read;
        }
        match from {
            SecretFrom::Vault(path) => self.vaults.read(path).await,
            SecretFrom::Aws(secret) => Ok(self.aws.secret(secret).await?.password),
            SecretFrom::Env(_) | SecretFrom::File(_) => Err(format!("{from} cannot be read")),
            SecretFrom::Sealed => {
                let (store, keys) = self
                    .sealed
                    .as_ref()
                    .ok_or("no key was given for the sealed store")?;
                let name = sealed::name_of(target, part);
                let blob = store.sealed(&name).await.map_err(|e| e.to_string())?;
                let blob = blob.ok_or_else(|| format!("nothing is sealed as `{name}`"))?;
                sealed::open(keys, &blob, &name).map_err(|e| e.to_string())
            }
        }
    }
}

/// A secret of the gateway itself, one line, from the process's environment or a file.
pub(crate) async fn read_plain(from: &SecretFrom) -> Result<Secret, String> {
    Plain(Arc::new(ProcessEnvironment)).line(from).await
}

/// Drops the one line end that editors and shells put behind a password.
fn without_line_end(secret: Secret) -> Secret {
    let bytes = secret.expose();
    let kept = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let kept = kept.strip_suffix(b"\r").unwrap_or(kept);
    if kept.len() == bytes.len() {
        secret
    } else {
        Secret::new(kept)
    }
}
