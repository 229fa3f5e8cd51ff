//! The key by which SSH clients know this gateway.
//!
//! Lives here: reading it, and making one at the first start. Never: a key that changes by itself.

use super::error::{StartError, boxed};
use crate::config::Checked;
use brattice_core::ports::Randomness;
use brattice_proxy::ssh::{PrivateKey, new_key, read_key};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Where it is kept that was made here, below the data directory.
const OWN: &str = "ssh_host_ed25519_key";

/// The key that the bundle names, or else the gateway's own.
pub(super) fn of(checked: &Checked, randomness: &dyn Randomness) -> Result<PrivateKey, StartError> {
    let listener = checked.listen.ssh.as_ref();
    match listener.and_then(|l| l.host_key.as_ref()) {
        Some(path) => read(path),
        None => own(&checked.data_dir.join(OWN), randomness),
    }
}

fn own(path: &Path, randomness: &dyn Randomness) -> Result<PrivateKey, StartError> {
    if path.exists() {
        return read(path);
    }
    let mut seed = [0; 32];
    randomness
        .fill(&mut seed)
        .map_err(|e| StartError::Randomness(boxed(e)))?;
    let (key, text) = new_key(&seed).map_err(|e| StartError::HostKey {
        path: path.to_owned(),
        cause: boxed(e),
    })?;
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
    read_key(&text).map_err(|e| StartError::HostKey {
        path: path.to_owned(),
        cause: boxed(e),
    })
}
