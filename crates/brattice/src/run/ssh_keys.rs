//! The keys of the gateway's own for SSH: the one by which clients know it, and those that sign certificates.
//!
//! Lives here: reading them, making those that are missing at the first start, and the listener's certificate. Never: a key
//! that changes by itself; certificates of users and of logins at hosts.

use super::error::{StartError, boxed};
use crate::config::Checked;
use crate::config::checked::SshListener;
use brattice_core::ports::Randomness;
use brattice_core::time::Timestamp;
use brattice_identity::ssh::{Authority, Certificate, For, SshError, Terms};
use brattice_proxy::ssh::{PrivateKey, PublicKey, new_key, read_key};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long the listener's certificate is good; it is made anew while the gateway runs.
const CERTIFICATE_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How far behind a client's clock may be.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(300);

/// All of them.
#[derive(Debug)]
pub struct SshKeys {
    /// By which clients know the gateway.
    pub host: PrivateKey,
    /// Signs the listener's certificate.
    pub host_ca: Authority,
    /// Signs those of users.
    pub user_ca: Authority,
    /// Signs those of the gateway's own logins at hosts.
    pub target_ca: Arc<Authority>,
}

impl SshKeys {
    /// Those that the bundle names, or else the gateway's own; nothing where it does not listen for SSH.
    pub(super) fn of(
        checked: &Checked,
        randomness: &dyn Randomness,
    ) -> Result<Option<Self>, StartError> {
        let Some(listener) = &checked.listen.ssh else {
            return Ok(None);
        };
        let key = |named: &Option<PathBuf>, own: &str| match named {
            Some(path) => read(path),
            None => kept(&checked.data_dir.join(own), randomness),
        };
        let authority = |named: &Option<PathBuf>, own: &str| {
            let path = named.clone().unwrap_or_else(|| checked.data_dir.join(own));
            Authority::new(key(named, own)?).map_err(|e| unfit(&path, e))
        };
        let SshListener {
            host_key,
            host_ca,
            user_ca,
            target_ca,
            ..
        } = listener;
        let keys = Self {
            host: key(host_key, "ssh_host_ed25519_key")?,
            host_ca: authority(host_ca, "ssh_host_ca_ed25519_key")?,
            user_ca: authority(user_ca, "ssh_user_ca_ed25519_key")?,
            target_ca: Arc::new(authority(target_ca, "ssh_target_ca_ed25519_key")?),
        };
        let all = [
            keys.host.public_key(),
            keys.host_ca.public_key(),
            keys.user_ca.public_key(),
            keys.target_ca.public_key(),
        ];
        match is_distinct(&all) {
            true => Ok(Some(keys)),
            false => Err(StartError::OneKeyForAll),
        }
    }

    /// A certificate for the key by which clients know the gateway.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn certificate(
        &self,
        listener: &SshListener,
        now: Timestamp,
        randomness: &dyn Randomness,
    ) -> Result<Certificate, SshError> {
        let mut principals = vec![listener.public_host.clone()];
        let address = listener.addr.ip();
        if !address.is_unspecified() && address.to_string() != listener.public_host {
            principals.push(address.to_string());
        }
        let terms = Terms {
            holder: For::Host,
            key_id: &format!("brattice {}", listener.public_host),
            principals: &principals,
            after: now.minus(CLOCKS_APART_MAX),
            before: now.plus(CERTIFICATE_LIFE),
        };
        self.host_ca
            .certify(self.host.public_key(), &terms, randomness)
    }
}

/// A key that signs for one purpose is trusted by others for none else.
fn is_distinct(keys: &[&PublicKey]) -> bool {
    let mut all: Vec<_> = keys.iter().map(|k| k.key_data()).collect();
    all.sort();
    all.windows(2).all(|pair| !matches!(pair, [a, b] if a == b))
}

fn kept(path: &Path, randomness: &dyn Randomness) -> Result<PrivateKey, StartError> {
    if path.exists() {
        return read(path);
    }
    let mut seed = [0; 32];
    randomness
        .fill(&mut seed)
        .map_err(|e| StartError::Randomness(boxed(e)))?;
    let (key, text) = new_key(&seed).map_err(|e| unfit(path, e))?;
    let failed = |cause| StartError::File {
        path: path.to_owned(),
        cause,
    };
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.expose()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    Ok(key)
}

fn read(path: &Path) -> Result<PrivateKey, StartError> {
    let text = std::fs::read(path).map_err(|cause| StartError::File {
        path: path.to_owned(),
        cause,
    })?;
    read_key(&text).map_err(|e| unfit(path, e))
}

fn unfit<E: std::error::Error + Send + Sync + 'static>(path: &Path, cause: E) -> StartError {
    StartError::SshKey {
        path: path.to_owned(),
        cause: boxed(cause),
    }
}
