//! The gateway's own secrets, read from where the configuration says: keys and signing secrets.
//!
//! Lives here: reading them. Never: targets' credentials (the lender's), a secret in an error.

use super::checked::{AwsLogin, Checked, SecretSource, TargetCredential, VaultLogin};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brattice_core::secret::Secret;
use std::io::Read;

/// The largest secret.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Why a secret could not be read. Names where it was looked for, never what was found.
#[derive(Debug, thiserror::Error)]
#[error("no secret from {from}: {why}")]
pub struct NoSecret {
    from: String,
    why: String,
}

/// Reads a secret. A file's last newline is not part of it.
pub fn read(source: &SecretSource) -> Result<Secret, NoSecret> {
    let fail = |from: String, why: &str| NoSecret {
        from,
        why: why.to_owned(),
    };
    let (from, bytes) = match source {
        SecretSource::Env(name) => {
            let from = format!("env:{name}");
            match std::env::var(name) {
                Ok(value) => (from, value.into_bytes()),
                Err(std::env::VarError::NotPresent) => {
                    return Err(fail(from, "the variable is not set"));
                }
                Err(_) => return Err(fail(from, "the variable is not UTF-8")),
            }
        }
        SecretSource::File(path) => {
            let from = format!("file:{}", path.display());
            let mut bytes = Vec::new();
            let read = std::fs::File::open(path)
                .and_then(|f| f.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes));
            if let Err(why) = read {
                return Err(fail(from, &why.to_string()));
            }
            if bytes.len() as u64 > SECRET_BYTES_MAX {
                return Err(fail(from, "it is too large"));
            }
            if bytes.last() == Some(&b'\n') {
                bytes.pop();
            }
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
            (from, bytes)
        }
        SecretSource::Sealed | SecretSource::Vault(_) | SecretSource::Aws(_) => {
            return Err(fail(
                "elsewhere".to_owned(),
                "only targets' credentials are sealed, in a vault or with AWS",
            ));
        }
    };
    if bytes.is_empty() {
        return Err(fail(from, "it is empty"));
    }
    Ok(Secret::new(bytes))
}

/// Reads a key of 32 bytes, written as 64 hexadecimal digits or in base64.
pub fn read_key(source: &SecretSource) -> Result<Secret, NoSecret> {
    let text = read(source)?;
    key_of(&text).ok_or_else(|| NoSecret {
        from: match source {
            SecretSource::Env(name) => format!("env:{name}"),
            SecretSource::File(path) => format!("file:{}", path.display()),
            SecretSource::Sealed | SecretSource::Vault(_) | SecretSource::Aws(_) => {
                "elsewhere".to_owned()
            }
        },
        why: "it is not 32 bytes, as 64 hexadecimal digits or in base64; make one with `openssl rand -hex 32`".to_owned(),
    })
}

fn key_of(text: &Secret) -> Option<Secret> {
    let text = text.expose_str()?.trim();
    let bytes = if text.len() == 64 {
        hex::decode(text).ok()?
    } else {
        STANDARD.decode(text).ok()?
    };
    (bytes.len() == 32).then(|| Secret::new(bytes))
}

impl Checked {
    /// Environment variables that the bundle takes secrets from and that are not set here, each with what it is for.
    pub fn unset_variables(&self) -> Vec<(String, String)> {
        let mut sources = vec![(
            &self.recording.master_key,
            "recording.master_key".to_owned(),
        )];
        sources.extend(
            self.sealing_key
                .iter()
                .map(|s| (s, "store.sealing_key".to_owned())),
        );
        for (name, target) in &self.targets {
            if let TargetCredential::Password(s) | TargetCredential::Both(s, _) = &target.credential
            {
                sources.push((s, format!("targets.{name}.password")));
            }
            if let TargetCredential::PrivateKey(s) = &target.credential {
                sources.push((s, format!("targets.{name}.private_key")));
            }
        }
        for (name, vault) in &self.vaults {
            let parts: Vec<(&SecretSource, &str)> = match &vault.login {
                VaultLogin::Token(token) => vec![(token, "token")],
                VaultLogin::AppRole {
                    role_id, secret_id, ..
                } => vec![
                    (role_id, "approle.role_id"),
                    (secret_id, "approle.secret_id"),
                ],
                VaultLogin::Jwt { token, .. } => vec![(token, "jwt.token")],
            };
            let at = |(source, part)| (source, format!("vaults.{name}.{part}"));
            sources.extend(parts.into_iter().map(at));
        }
        for (name, aws) in &self.aws {
            let parts: Vec<(&SecretSource, &str)> = match &aws.keys {
                AwsLogin::Keys { id, secret, token } => [
                    (id, "keys.access_key_id"),
                    (secret, "keys.secret_access_key"),
                ]
                .into_iter()
                .chain(token.iter().map(|t| (t, "keys.session_token")))
                .collect(),
                AwsLogin::WebIdentity { token, .. } => vec![(token, "web_identity.token")],
                AwsLogin::Container | AwsLogin::Instance { .. } => Vec::new(),
            };
            let at = |(source, part)| (source, format!("aws.{name}.{part}"));
            sources.extend(parts.into_iter().map(at));
        }
        for route in &self.routes {
            sources.push((&route.secret, format!("routes.{}.secret", route.name)));
        }
        let unset = |(source, at): (&SecretSource, String)| match source {
            SecretSource::Env(name) if std::env::var_os(name).is_none() => Some((name.clone(), at)),
            _ => None,
        };
        sources.into_iter().filter_map(unset).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_bytes_in_either_form() {
        let hex = Secret::new("00".repeat(32));
        let base64 = Secret::new(STANDARD.encode([0; 32]));
        assert_eq!(key_of(&hex).unwrap().expose(), [0; 32]);
        assert_eq!(key_of(&base64).unwrap().expose(), [0; 32]);
        assert!(key_of(&Secret::new("00".repeat(16))).is_none());
    }

    #[test]
    fn a_file_loses_its_last_line_end_and_an_error_tells_no_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "canary\r\n").unwrap();
        let source = SecretSource::File(path);
        assert_eq!(read(&source).unwrap().expose(), b"canary");
        let error = read_key(&source).unwrap_err().to_string();
        assert!(!error.contains("canary"), "{error}");
    }
}
