//! `brattice ssh TARGET`: the stock client, with a certificate of the moment.
//!
//! Lives here: getting a certificate where the last one does not hold any more, and what ssh is told. Never: a secret among
//! its arguments.

use super::{files, front, unmade};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure};
use crate::cli::saved::{Saved, now};
use crate::run::SystemRandomness;
use brattice_admin::body::{CertificateBody, CertificateRequest, SshBody};
use brattice_core::ids::Digest;
use brattice_identity::ssh::{line, new_key};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A certificate that ends within so many seconds is not begun with.
const LEFT_MIN: u64 = 60;
/// The key's file, in a directory of its own.
const KEY: &str = "key";
const KNOWN_HOSTS: &str = "known_hosts";
/// The subsystem that is a shell of one line at a time.
const TYPED: &str = "brattice-typed";

/// What is asked for.
pub struct Wish<'a> {
    /// `TARGET` or `ACCOUNT@TARGET`.
    pub target: &'a str,
    /// Whether for a terminal.
    pub tty: bool,
    /// Whether for a shell of one line at a time.
    pub typed: bool,
    /// Whether by a new certificate in any case.
    pub fresh: bool,
    /// How long a new certificate is good.
    pub ttl: Duration,
    /// The command.
    pub words: &'a [String],
}

/// Becomes ssh. Returns only where that failed.
pub fn run(client: &Client, wish: &Wish<'_>) -> Result<(), Failure> {
    let front = front(client)?;
    let (target, user) = asked(&front, wish.target)?;
    let dir = ready(client, &front, &target, wish)?;
    let mut ssh = Command::new("ssh");
    for option in options(&front, &user, &dir)? {
        ssh.arg("-o").arg(option);
    }
    if wish.tty {
        ssh.arg("-t");
    }
    if wish.typed {
        ssh.args(["-T", "-s"]);
    }
    ssh.arg("--")
        .arg(format!("{target}.brattice"))
        .args(wish.words)
        .args(wish.typed.then_some(TYPED))
        // Who is asking is settled by the certificate; the host has no use for the token.
        .env_remove("BRATTICE_TOKEN");
    let why = ssh.exec();
    Err(Failure::failed(format!("ssh cannot be run: {why}")).hint("install OpenSSH's client"))
}

/// The target and the user name that are meant.
fn asked(front: &SshBody, text: &str) -> Result<(String, String), Failure> {
    let (account, target) = match text.rsplit_once('@') {
        Some((account, target)) => (Some(account), target),
        None => (None, text),
    };
    let found = front.targets.iter().find(|t| t.target == target);
    let found = found.ok_or_else(|| {
        Failure::new(
            Exit::NotPermitted,
            format!("there is no host `{target}` that you may connect to"),
        )
        .hint("`brattice ssh list` shows those that there are")
    })?;
    let account = match account {
        None => found.accounts.first(),
        Some(account) => found.accounts.iter().find(|a| *a == account),
    };
    let account = account.ok_or_else(|| {
        Failure::new(
            Exit::NotPermitted,
            format!("the account of `{text}` is not open"),
        )
        .hint(format!("it may be one of: {}", found.accounts.join(", ")))
    })?;
    Ok((target.to_owned(), format!("{account}@{target}")))
}

/// A directory with a key, a certificate that holds for a while, and what the gateway is known by. What was made with one
/// token is never used with another: it may be somebody else's, or narrower.
fn ready(
    client: &Client,
    front: &SshBody,
    target: &str,
    wish: &Wish<'_>,
) -> Result<PathBuf, Failure> {
    let base = Saved::open()?.ssh()?;
    clean(&base);
    let name = Digest::of(client.token().expose()).to_string();
    let name = name.get(..32).unwrap_or(&name);
    let dir = base.join(format!("{name}-{target}"));
    if !wish.fresh && holds(&dir, front) {
        return Ok(dir);
    }
    let key = new_key(&SystemRandomness).map_err(|why| unmade(&why))?;
    let request = CertificateRequest {
        target: target.to_owned(),
        public_key: line(key.public_key()).map_err(|why| unmade(&why))?,
        ttl_seconds: wish.ttl.as_secs(),
        single_use: false,
        from: Vec::new(),
    };
    let body: CertificateBody = client.post(&["ssh", "certificates"], &request)?;
    // Whole when it is there: of two that make one at once, either's will do.
    let new = files::private_dir(&base.join(format!("{name}-{target}.{}", body.id)))?;
    files::write_pair(&new.join(KEY), &key, &body.certificate)?;
    files::write(
        &new.join(KNOWN_HOSTS),
        files::known_hosts(front).as_bytes(),
        files::PUBLIC,
    )?;
    let _ = fs::remove_dir_all(&dir);
    match fs::rename(&new, &dir) {
        Ok(()) => Ok(dir),
        Err(_) => Ok(new),
    }
}

/// Whether what is kept there is whole, good for a while, and of this gateway as it is now.
fn holds(dir: &Path, front: &SshBody) -> bool {
    let known = fs::read_to_string(dir.join(KNOWN_HOSTS)).unwrap_or_default();
    let left = |at: u64| at > now().saturating_add(LEFT_MIN);
    let certificate = files::kept(&dir.join(KEY));
    let same_ca =
        |ca: &brattice_identity::ssh::PublicKey| line(ca).ok().as_ref() == Some(&front.user_ca);
    certificate
        .is_some_and(|c| left(c.valid_before()) && same_ca(&c.signature_key().clone().into()))
        && dir.join(KEY).is_file()
        && known == files::known_hosts(front)
}

/// Takes away what has ended.
fn clean(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else {
        return;
    };
    for entry in entries.flatten() {
        let ended = files::kept(&entry.path().join(KEY)).is_some_and(|c| c.valid_before() < now());
        if ended {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Options of ssh, as in its configuration. They win over what else is configured.
fn options(front: &SshBody, user: &str, dir: &Path) -> Result<Vec<String>, Failure> {
    let file = |name: &str| files::quoted(&dir.join(name).to_string_lossy());
    Ok(vec![
        format!("HostName={}", front.host),
        format!("Port={}", front.port),
        format!("User={}", files::quoted(user)?),
        format!("IdentityFile={}", file(KEY)?),
        format!(
            "CertificateFile={}",
            files::quoted(&files::beside(&dir.join(KEY)).to_string_lossy())?
        ),
        "IdentitiesOnly=yes".to_owned(),
        "IdentityAgent=none".to_owned(),
        "PreferredAuthentications=publickey".to_owned(),
        format!("UserKnownHostsFile={}", file(KNOWN_HOSTS)?),
        "GlobalKnownHostsFile=none".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        "UpdateHostKeys=no".to_owned(),
        // A connection that another token opened is not taken over.
        "ControlPath=none".to_owned(),
    ])
}
