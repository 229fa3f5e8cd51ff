//! The account that may log in: a name, a home and a shell that exist for one server only.
//!
//! sshd asks the system's table of users who may log in, where, and with which shell; and one that does not run as root can
//! log in nobody but the user it runs as. That user exists on every machine, but with a shell that refuses (`nobody`) or a
//! home that is somebody's, and adding another would change the machine. So the server is started under nss_wrapper, which
//! answers its questions from files of ours: same user number, another name, home and shell. It reaches no session: sshd
//! makes their environment anew. What sessions see of it is `$USER`, `$HOME` and `$SHELL`; `id` says the machine's name.
//!
//! The shell notes what it is asked to run, byte for byte, and becomes bash: sshd's own log never has the text of a command.
//!
//! Lives here: the files of that account. Never: anything outside the server's directory.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::{During, SshdError};
use crate::postgres::files;
use crate::postgres::process::feed;
use crate::postgres::user::User;

/// The account's name, which is none of the machine's.
pub(super) const NAME: &str = "deploy";
/// Found by the loader in the machine's library directories.
const WRAPPER: &str = "libnss_wrapper.so";
/// A field that no password matches.
const NO_PASSWORD: &str = "*";

/// The files of the account, below the server's directory.
#[derive(Debug)]
pub(super) struct Account {
    dir: PathBuf,
}

impl Account {
    /// Makes an account in this directory, for a server that runs as this user.
    pub fn create(
        dir: &Path,
        user: Option<&User>,
        password: Option<&str>,
    ) -> Result<Account, SshdError> {
        let account = Account {
            dir: dir.to_owned(),
        };
        let (uid, gid) = numbers(user)?;
        let hash = password.map(hash).transpose()?;
        let hash = hash.as_deref().unwrap_or(NO_PASSWORD);
        let home = account.home();
        fs::create_dir(&home).during("making the account's home")?;
        files::hand_over(&home, user)?;
        files::write(&account.commands(), "", user)?;
        account.write_shell(user)?;
        let passwd = format!(
            "{NAME}:{hash}:{uid}:{gid}::{}:{}\n",
            home.display(),
            account.shell().display()
        );
        files::write(&account.passwd(), &passwd, user)?;
        // Without a group `tty` sshd leaves terminals to the user's own group, which needs no privilege anywhere.
        files::write(&account.group(), &format!("{NAME}:*:{gid}:\n"), user)?;
        Ok(account)
    }

    /// Where its sessions begin.
    pub fn home(&self) -> PathBuf {
        self.dir.join("home")
    }

    /// What its shell was asked to run: for each time the number of arguments and the arguments, each ended by NUL.
    pub fn commands(&self) -> PathBuf {
        self.dir.join("commands")
    }

    /// Makes a server see this account, and no other.
    pub fn show(&self, server: &mut Command) {
        server
            .env("LD_PRELOAD", WRAPPER)
            .env("NSS_WRAPPER_PASSWD", self.passwd())
            .env("NSS_WRAPPER_GROUP", self.group());
    }

    fn passwd(&self) -> PathBuf {
        self.dir.join("passwd")
    }

    fn group(&self) -> PathBuf {
        self.dir.join("group")
    }

    fn shell(&self) -> PathBuf {
        self.dir.join("shell")
    }

    /// It runs in dash, which reads neither BASH_ENV nor a start-up file: bash does what it would do as the login shell.
    fn write_shell(&self, user: Option<&User>) -> Result<(), SshdError> {
        let script = format!(
            "#!/bin/sh\n\
             printf '%s\\0' \"$#\" \"$@\" >>'{}'\n\
             [ \"$#\" -gt 0 ] || exec /bin/bash --login\n\
             exec /bin/bash \"$@\"\n",
            self.commands().display()
        );
        let shell = self.shell();
        files::write(&shell, &script, user)?;
        fs::set_permissions(&shell, fs::Permissions::from_mode(0o755))
            .during("making the account's shell a program")
    }
}

fn numbers(user: Option<&User>) -> Result<(u32, u32), SshdError> {
    if let Some(user) = user {
        return Ok((user.uid, user.gid));
    }
    let this = fs::metadata("/proc/self").during("asking who this process is")?;
    Ok((this.uid(), this.gid()))
}

/// As the table of users keeps passwords; sshd compares by crypt(3) when the machine's shadow file is closed to it.
fn hash(password: &str) -> Result<String, SshdError> {
    let mut command = Command::new("openssl");
    command.args(["passwd", "-6", "-stdin"]);
    Ok(feed(&mut command, "openssl passwd", password)?)
}
