//! Keys and certificates, made by `ssh-keygen`.
//!
//! Lives here: making a key, and certifying one with another, as an operator would. Never: reading either; what a
//! certificate says is for its verifiers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::{During, SshdError};

/// What kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// `ssh-ed25519`
    Ed25519,
    /// `ecdsa-sha2-nistp256`
    Ecdsa,
    /// `ssh-rsa`, of 2048 bits.
    Rsa,
}

impl KeyKind {
    fn arguments(self) -> [&'static str; 4] {
        match self {
            KeyKind::Ed25519 => ["-t", "ed25519", "-b", "256"],
            KeyKind::Ecdsa => ["-t", "ecdsa", "-b", "256"],
            KeyKind::Rsa => ["-t", "rsa", "-b", "2048"],
        }
    }
}

/// A key pair in files: the private half without a passphrase, the public half beside it as `.pub`.
#[derive(Debug, Clone)]
pub struct SshKey {
    private: PathBuf,
    public: String,
}

impl SshKey {
    /// Makes one; the private half goes to this path, where nothing may be yet.
    pub fn create(private: &Path, kind: KeyKind) -> Result<SshKey, SshdError> {
        keygen(
            Command::new("ssh-keygen")
                .args(["-q", "-N", "", "-C", ""])
                .args(kind.arguments())
                .arg("-f")
                .arg(private),
            "making a key",
        )?;
        let beside = private.with_extension("pub");
        let line = fs::read_to_string(&beside).during(format!("reading {}", beside.display()))?;
        Ok(SshKey {
            private: private.to_owned(),
            public: line.trim().to_owned(),
        })
    }

    /// The file of the private half.
    pub fn private(&self) -> &Path {
        &self.private
    }

    /// The public half as a line has it: `ssh-ed25519 AAAA…`, without a comment.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// Certifies a key with this one, and writes the certificate to `to`.
    pub fn certify(&self, subject: &SshKey, terms: &Terms<'_>, to: &Path) -> Result<(), SshdError> {
        let dir = tempfile::tempdir().during("making a directory for a certificate")?;
        let public = dir.path().join("key.pub");
        fs::write(&public, subject.public()).during("writing the key to certify")?;
        let mut command = Command::new("ssh-keygen");
        command
            .arg("-q")
            .arg("-s")
            .arg(&self.private)
            .args(["-I", terms.id, "-V", terms.valid]);
        if !terms.principals.is_empty() {
            command.args(["-n", &terms.principals.join(",")]);
        }
        if terms.host {
            command.arg("-h");
        }
        for option in terms.options {
            command.args(["-O", option]);
        }
        keygen(command.arg(&public), "certifying a key")?;
        fs::copy(dir.path().join("key-cert.pub"), to)
            .during(format!("writing {}", to.display()))
            .map(drop)
    }
}

/// What a certificate says.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// For a host; else for a user.
    pub host: bool,
    /// Its key id, which the server logs.
    pub id: &'a str,
    /// Whom it speaks for; none at all means anybody.
    pub principals: &'a [&'a str],
    /// When it is good, as `ssh-keygen -V` reads it: `-1m:+5m`.
    pub valid: &'a str,
    /// Restrictions, as `ssh-keygen -O` reads them: `no-pty`, `force-command=…`, `source-address=…`.
    pub options: &'a [&'a str],
}

fn keygen(command: &mut Command, what: &str) -> Result<(), SshdError> {
    let output = command.stdin(Stdio::null()).output().during(format!(
        "{what} (`cargo xtask setup test` installs ssh-keygen)"
    ))?;
    if output.status.success() {
        return Ok(());
    }
    Err(SshdError::Failed {
        what: what.to_owned(),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
