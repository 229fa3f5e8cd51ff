//! Files that the stock clients read: keys, certificates, `config`, `known_hosts`.
//!
//! Lives here: their text, and writing them whole, never over a key of somebody else's making. Never: asking the gateway.

use crate::cli::exit::Failure;
use brattice_admin::body::SshBody;
use brattice_core::ids::CredentialId;
use brattice_identity::ssh::{Certificate, PrivateKey, private_text};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The mode of what everybody may read.
pub const PUBLIC: u32 = 0o644;
/// The mode of what its owner may.
pub const PRIVATE: u32 = 0o600;

/// Where the certificate of a public key goes, so that ssh finds it: `KEY-cert.pub` beside `KEY.pub`.
pub fn certificate_of(public: &Path) -> Result<PathBuf, Failure> {
    let name = public
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default();
    match name.strip_suffix(".pub") {
        Some(stem) if !stem.is_empty() && !stem.ends_with("-cert") => {
            Ok(public.with_file_name(format!("{stem}-cert.pub")))
        }
        _ => Err(
            Failure::usage(format!("{} is not a public key's file", public.display()))
                .hint("give the file that ends in .pub"),
        ),
    }
}

/// The certificate beside a private key.
pub fn beside(key: &Path) -> PathBuf {
    let mut name = key.file_name().unwrap_or_default().to_owned();
    name.push("-cert.pub");
    key.with_file_name(name)
}

/// A place for a key: free, or taken by one that was made here before.
pub fn may_write(path: &Path) -> Result<PathBuf, Failure> {
    let path = std::path::absolute(path).map_err(|why| unwritten(path, &why))?;
    if let Some(parent) = path.parent() {
        private_dir(parent)?;
    }
    let taken = fs::symlink_metadata(&path).is_ok();
    if taken && kept(&path).is_none() {
        return Err(Failure::usage(format!(
            "{} is there already, and not made by this command",
            path.display()
        ))
        .hint("give another file"));
    }
    Ok(path)
}

/// The certificate of a key that was made here, if that is one.
pub fn kept(key: &Path) -> Option<Certificate> {
    let certificate = Certificate::read_file(&beside(key)).ok()?;
    let id = certificate.key_id().split(' ').next()?;
    id.parse::<CredentialId>().ok().map(|_| certificate)
}

/// A key and its certificate. The certificate goes last: without it the key is nothing to ssh.
pub fn write_pair(path: &Path, key: &PrivateKey, certificate: &str) -> Result<(), Failure> {
    let text = private_text(key).map_err(|why| Failure::failed(why.to_string()))?;
    write(path, text.expose(), PRIVATE)?;
    write(&beside(path), certificate.as_bytes(), PUBLIC)
}

/// Written beside and moved into place: a file is whole, or it is the one before.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    // One that was left behind may have another mode.
    let _ = fs::remove_file(&new);
    let mut options = OpenOptions::new();
    options.create_new(true).write(true).mode(mode);
    options
        .open(&new)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            match bytes.ends_with(b"\n") {
                true => Ok(()),
                false => file.write_all(b"\n"),
            }?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&new, path))
        .map_err(|why| unwritten(path, &why))
}

/// A directory that is there, made for its owner alone where it was not.
pub fn private_dir(dir: &Path) -> Result<PathBuf, Failure> {
    let dir = std::path::absolute(dir).map_err(|why| unwritten(dir, &why))?;
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    match builder.create(&dir) {
        Err(why) if why.kind() != ErrorKind::AlreadyExists => Err(unwritten(&dir, &why)),
        _ => Ok(dir),
    }
}

/// The line by which clients know the gateway: its authority's key, for that host and port.
pub fn known_hosts(front: &SshBody) -> String {
    let place = match front.port {
        22 => front.host.clone(),
        port => format!("[{}]:{port}", front.host),
    };
    format!("@cert-authority {place} {}\n", front.host_ca)
}

/// A file to include in `~/.ssh/config`: a name for each host.
pub fn config(front: &SshBody, dir: &Path) -> Result<String, Failure> {
    let mut text = String::from(
        "# Made by `brattice ssh config`. The names below work in ssh, scp, sftp, rsync, git and Ansible.\n\
         # A certificate: brattice ssh cert TARGET --out FILE, with the IdentityFile of the target.\n\
         # Another account: ssh -l ACCOUNT@TARGET TARGET.brattice\n",
    );
    for host in &front.targets {
        let (target, key) = (&host.target, dir.join(&host.target));
        let user = match host.accounts.first() {
            Some(account) => format!("{account}@{target}"),
            None => target.clone(),
        };
        text.push_str(&format!(
            "\nHost {target}.brattice\n  HostName {}\n  Port {}\n  User {}\n  IdentityFile {}\n  CertificateFile {}\n  \
             UserKnownHostsFile {}\n  GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n  UpdateHostKeys no\n  \
             PreferredAuthentications publickey\n",
            front.host,
            front.port,
            quoted(&user)?,
            quoted(&shown(&key))?,
            quoted(&shown(&beside(&key)))?,
            quoted(&shown(&dir.join("known_hosts")))?,
        ));
    }
    Ok(text)
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A word of `ssh_config`: in quotes, with nothing in it that is replaced.
pub fn quoted(word: &str) -> Result<String, Failure> {
    if word.contains(|c: char| c == '"' || c == '\\' || c.is_control()) || word.contains("${") {
        return Err(Failure::usage(format!(
            "{word:?} cannot be written in a configuration of ssh"
        )));
    }
    Ok(format!("\"{}\"", word.replace('%', "%%")))
}

fn unwritten(path: &Path, why: &io::Error) -> Failure {
    Failure::failed(format!("{} cannot be written: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::SystemRandomness;
    use brattice_identity::ssh::new_key;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_that_was_not_made_here_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id_ed25519");
        assert!(may_write(&path).is_ok());
        fs::write(&path, "a key of somebody's").unwrap();
        assert!(may_write(&path).is_err());
        fs::write(beside(&path), "not a certificate").unwrap();
        assert!(may_write(&path).is_err());
    }

    #[test]
    fn a_private_key_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let key = new_key(&SystemRandomness).unwrap();
        write_pair(&path, &key, "certificate").unwrap();
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&beside(&path))), (0o600, 0o644));
    }

    #[test]
    fn a_certificate_goes_where_ssh_looks_for_it() {
        let of = |p: &str| certificate_of(Path::new(p)).ok();
        assert_eq!(of("/a/id.pub"), Some(PathBuf::from("/a/id-cert.pub")));
        assert_eq!(of("/a/id"), None);
        assert_eq!(of("/a/id-cert.pub"), None);
        assert_eq!(
            beside(Path::new("/a/web-1.x")),
            Path::new("/a/web-1.x-cert.pub")
        );
    }

    #[test]
    fn a_word_says_nothing_but_itself() {
        assert_eq!(quoted("/a b/%h").unwrap(), "\"/a b/%%h\"");
        for bad in ["a\"b", "a\nHost *", "${HOME}"] {
            assert!(quoted(bad).is_err(), "{bad}");
        }
    }
}
