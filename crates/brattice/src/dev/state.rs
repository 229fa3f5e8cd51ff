//! The state directory of trying out: keys, certificates, secrets of made-up people, records.
//!
//! Lives here: what is where, for whose eyes. Never: what is in it.

use super::DevError;
use crate::dev_issuer::DevIssuer;
use brattice_core::ports::Randomness;
use brattice_core::secret::Secret;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Only this user.
const PRIVATE: u32 = 0o600;
/// Everybody may read.
const PUBLIC: u32 = 0o644;

/// The directory. Its path is absolute.
#[derive(Debug, Clone)]
pub(super) struct State {
    dir: PathBuf,
    /// As it was given, for showing.
    pub(super) given: PathBuf,
}

impl State {
    /// Opens the directory, which only this user may enter.
    pub(super) fn open(given: &Path) -> Result<Self, DevError> {
        let state = Self::at(given)?;
        state.directory(&state.dir)?;
        state.directory(&state.clients())?;
        // Nothing of it belongs in a repository.
        state.write(&state.dir.join(".gitignore"), b"*\n", PUBLIC)?;
        Ok(state)
    }

    /// The directory, without making it.
    pub(super) fn at(given: &Path) -> Result<Self, DevError> {
        let dir = std::path::absolute(given).map_err(failed(given))?;
        Ok(Self {
            dir,
            given: given.to_owned(),
        })
    }

    /// The authority that made the gateway's certificate.
    pub(super) fn authority(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// The gateway's certificate.
    pub(super) fn certificate(&self) -> PathBuf {
        self.dir.join("server.crt")
    }

    /// Its key.
    pub(super) fn certificate_key(&self) -> PathBuf {
        self.dir.join("server.key")
    }

    /// The key of the recordings.
    pub(super) fn recording_key_file(&self) -> PathBuf {
        self.dir.join("recording.key")
    }

    /// Audit log, recordings, database.
    pub(super) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// A bundle that was made for a database.
    pub(super) fn bundle(&self) -> PathBuf {
        self.dir.join("bundle")
    }

    /// The file with the address of the running provider.
    pub(super) fn issuer(&self) -> PathBuf {
        self.dir.join("issuer.url")
    }

    /// Where each one's secret is.
    pub(super) fn clients(&self) -> PathBuf {
        self.dir.join("clients")
    }

    /// One's secret, in the form that `curl --netrc-file` reads.
    pub(super) fn client(&self, name: &str) -> PathBuf {
        self.clients().join(format!("{name}.netrc"))
    }

    /// Makes the key of the recordings unless there is one: what was recorded before stays readable.
    pub(super) fn recording_key(&self, random: &dyn Randomness) -> Result<(), DevError> {
        let path = self.recording_key_file();
        if path.is_file() {
            return Ok(());
        }
        let mut key = [0; 32];
        random.fill(&mut key).map_err(|why| DevError::State {
            path: path.clone(),
            cause: io::Error::other(why),
        })?;
        let text = Secret::new(hex::encode(key));
        self.private(&path, text.expose())
    }

    /// Writes down where the provider is and everybody's secret of this run.
    pub(super) fn running(&self, issuer: &DevIssuer) -> Result<(), DevError> {
        for client in &issuer.clients {
            self.private(
                &self.client(&client.name),
                client.netrc("127.0.0.1").expose(),
            )?;
        }
        self.private(&self.issuer(), issuer.issuer_url.as_bytes())
    }

    /// Takes them away: they open nothing any more.
    pub(super) fn stopped(&self) {
        let _gone = std::fs::remove_file(self.issuer());
        for entry in std::fs::read_dir(self.clients())
            .into_iter()
            .flatten()
            .flatten()
        {
            let _gone = std::fs::remove_file(entry.path());
        }
    }

    /// Makes a directory for this user alone.
    pub(super) fn directory(&self, path: &Path) -> Result<(), DevError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed(path))?;
        std::fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(failed(path))
    }

    /// Writes a file for this user alone.
    pub(super) fn private(&self, path: &Path, bytes: &[u8]) -> Result<(), DevError> {
        self.write(path, bytes, PRIVATE)
    }

    /// Writes a file that others may read.
    pub(super) fn public(&self, path: &Path, bytes: &[u8]) -> Result<(), DevError> {
        self.write(path, bytes, PUBLIC)
    }

    /// Writes a new file and puts it in the old one's place, so that nobody reads half of it or through a link.
    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), DevError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = path.with_file_name(name);
        let _left_over = std::fs::remove_file(&new);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&new)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| std::fs::rename(&new, path))
            .map_err(failed(path))
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> DevError {
    let path = path.to_owned();
    move |cause| DevError::State { path, cause }
}
