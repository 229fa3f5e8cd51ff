//! The SSH clients that people and programs use, each as a process of its own with a home of its own: ssh, scp, sftp, rsync,
//! git, Ansible, and Python's asyncssh and paramiko.
//!
//! Lives here: running them against a port, with nothing of the machine's configuration or agent. A password is never an
//! argument. Never: whether a server or the gateway answers.

mod agent;
mod run;

pub use agent::SshAgent;
pub use run::SshSaid;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::python_program;

/// What clients call the host: `target:file` for scp, rsync and git.
pub const HOST: &str = "target";

const WITHIN_DEFAULT: Duration = Duration::from_secs(30);
const CONFIGURATION: &str = "ssh_config";
const KNOWN_HOSTS: &str = "known_hosts";
const ASKPASS: &str = "askpass";
/// Where the script below finds the password.
const PASSWORD: &str = "BRATTICE_SSH_PASSWORD";
const INVENTORY: &str = "inventory";
const ANSIBLE_CONFIGURATION: &str = "ansible.cfg";

/// Who logs in, where, and how the host is known.
#[derive(Debug, Clone)]
pub struct SshLogin {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// The user's name; the gateway's clients name the target in it.
    pub user: String,
    /// How the user proves it.
    pub proof: SshProof,
    /// Lines of `known_hosts`. A host that they do not name is refused.
    pub known_hosts: String,
}

/// How a client proves who it is. It tries nothing else.
#[derive(Debug, Clone)]
pub enum SshProof {
    /// By a private key in a file.
    Key(PathBuf),
    /// By a private key and a certificate for it.
    Certificate {
        /// The private key's file.
        key: PathBuf,
        /// The certificate's.
        certificate: PathBuf,
    },
    /// By a key in an agent, which listens here.
    Agent(PathBuf),
    /// By a password, also where it is asked for interactively.
    Password(String),
    /// By what is typed at a terminal, where the server asks.
    Terminal,
}

/// A library for Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SshLibrary {
    /// asyncssh
    Asyncssh,
    /// paramiko
    Paramiko,
}

/// One person's clients. Dropping it removes their home.
#[derive(Debug)]
pub struct SshClient {
    home: TempDir,
    login: SshLogin,
    within: Duration,
}

impl SshClient {
    /// Clients for this login, each of which may take 30 s.
    pub fn new(login: SshLogin) -> io::Result<SshClient> {
        let home = tempfile::Builder::new().prefix("brattice-ssh-").tempdir()?;
        let client = SshClient {
            home,
            login,
            within: WITHIN_DEFAULT,
        };
        fs::write(
            client.path(KNOWN_HOSTS),
            format!("{}\n", client.login.known_hosts),
        )?;
        fs::write(client.path(CONFIGURATION), client.configuration())?;
        let script = format!("#!/bin/sh\nprintf '%s\\n' \"${PASSWORD}\"\n");
        fs::write(client.path(ASKPASS), script)?;
        fs::set_permissions(client.path(ASKPASS), fs::Permissions::from_mode(0o700))?;
        Ok(client)
    }

    /// The same, killed after this time.
    #[must_use]
    pub fn within(mut self, within: Duration) -> SshClient {
        self.within = within;
        self
    }

    /// The same with further lines of `ssh_config`, which may begin with `Host`. What is said of the target already stands.
    pub fn configured(self, more: &str) -> io::Result<SshClient> {
        let text = format!("{}{more}", self.configuration());
        fs::write(self.path(CONFIGURATION), text)?;
        Ok(self)
    }

    /// The file with the hosts that they know.
    pub fn known_hosts(&self) -> PathBuf {
        self.path(KNOWN_HOSTS)
    }

    /// Their home directory, where they also work.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs `ssh OPTIONS target COMMAND` with this input; an empty command asks for a shell.
    pub fn ssh(&self, options: &[&str], command: &str, input: &[u8]) -> io::Result<SshSaid> {
        self.run(self.ssh_command(options, command), input)
    }

    /// The same, not yet running: for what goes on while a test does other things.
    pub fn ssh_command(&self, options: &[&str], command: &str) -> Command {
        let mut ssh = self.openssh("ssh");
        ssh.args(options).arg(HOST);
        if !command.is_empty() {
            ssh.arg(command);
        }
        ssh
    }

    /// The same on a terminal of its own, where a person sees what it writes and what they type: for [`Running`], whose
    /// output is that terminal's.
    ///
    /// [`Running`]: crate::client::Running
    pub fn on_terminal(&self, command: &str) -> Command {
        let line = format!("{} {HOST} {command}", self.transport());
        let mut script = self.command("script");
        script.args([
            "--quiet",
            "--return",
            "--flush",
            "--command",
            &line,
            "/dev/null",
        ]);
        script
    }

    /// Runs scp; `-O` among the options is the old protocol, otherwise it copies by sftp.
    pub fn scp(&self, options: &[&str], from: &str, to: &str) -> io::Result<SshSaid> {
        self.run(self.scp_command(options, from, to), b"")
    }

    /// The same, not yet running.
    pub fn scp_command(&self, options: &[&str], from: &str, to: &str) -> Command {
        let mut scp = self.openssh("scp");
        scp.arg("-q").args(options).args([from, to]);
        scp
    }

    /// Runs sftp over a batch of its commands, one a line, which ends at the first that fails.
    pub fn sftp(&self, batch: &str) -> io::Result<SshSaid> {
        let mut sftp = self.openssh("sftp");
        // A batch asks for no password by itself; what asks here is a program.
        sftp.args(["-o", "BatchMode=no", "-b", "-", HOST]);
        self.run(sftp, batch.as_bytes())
    }

    /// Runs rsync over ssh.
    pub fn rsync(&self, options: &[&str], from: &str, to: &str) -> io::Result<SshSaid> {
        let mut rsync = self.command("rsync");
        rsync.arg("-e").arg(self.transport()).args(options);
        self.run_last(rsync, &[from, to])
    }

    /// Runs git in this directory of their home, over ssh.
    pub fn git(&self, dir: &str, arguments: &[&str]) -> io::Result<SshSaid> {
        let mut git = self.command("git");
        git.current_dir(self.path(dir))
            .env("GIT_SSH_COMMAND", self.transport())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "Agent")
                .env(format!("GIT_{who}_EMAIL"), "agent@example.org");
        }
        self.run_last(git, arguments)
    }

    /// Runs one module of Ansible on the host. A password is not tried: Ansible would want another program for it.
    pub fn ansible(&self, module: &str, arguments: &str) -> io::Result<SshSaid> {
        fs::write(self.path(INVENTORY), self.inventory())?;
        fs::write(self.path(ANSIBLE_CONFIGURATION), "")?;
        let mut ansible = self.command(python_program());
        ansible
            .args(["-m", "ansible", "adhoc", HOST, "-i"])
            .arg(self.path(INVENTORY))
            .args(["-m", module, "-a", arguments])
            .env("ANSIBLE_HOME", self.path("ansible"))
            .env("ANSIBLE_CONFIG", self.path(ANSIBLE_CONFIGURATION))
            .env("ANSIBLE_NOCOLOR", "1")
            .env("ANSIBLE_HOST_KEY_CHECKING", "1");
        self.run(ansible, b"")
    }

    /// Has a library do something on one connection, and gives what came of it, or `error` with the kind and `message`.
    /// What it can be told is at the top of `python/ssh_asyncssh.py`; both understand the same.
    pub fn library(&self, library: SshLibrary, mut order: Value) -> io::Result<Value> {
        let script = match library {
            SshLibrary::Asyncssh => include_str!("../python/ssh_asyncssh.py"),
            SshLibrary::Paramiko => include_str!("../python/ssh_paramiko.py"),
        };
        if let Some(order) = order.as_object_mut() {
            order.insert("login".to_owned(), self.login_for_libraries());
        }
        let mut python = self.command(python_program());
        python.args(["-W", "ignore", "-c", script]);
        let said = self.run(python, order.to_string().as_bytes())?;
        serde_json::from_slice(&said.out)
            .map_err(|_| io::Error::other(format!("{library:?} ended badly: {said:?}")))
    }

    /// A program in their home, with nothing of this process's environment but the path.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("LC_ALL", "C.UTF-8")
            .current_dir(self.home());
        if let SshProof::Password(password) = &self.login.proof {
            command
                .env("SSH_ASKPASS", self.path(ASKPASS))
                .env("SSH_ASKPASS_REQUIRE", "force")
                .env(PASSWORD, password);
        }
        if let SshProof::Agent(socket) = &self.login.proof {
            command.env("SSH_AUTH_SOCK", socket);
        }
        command
    }

    /// Runs a program with this input, for as long as these clients may take.
    pub fn run(&self, command: Command, input: &[u8]) -> io::Result<SshSaid> {
        run::run(command, input, self.within)
    }

    fn run_last(&self, mut command: Command, arguments: &[&str]) -> io::Result<SshSaid> {
        command.args(arguments);
        self.run(command, b"")
    }

    fn openssh(&self, program: &str) -> Command {
        let mut command = self.command(program);
        command.arg("-F").arg(self.path(CONFIGURATION));
        command
    }

    /// The ssh that other programs shall use, as a line for a shell.
    fn transport(&self) -> String {
        format!("ssh -F {}", self.path(CONFIGURATION).display())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn configuration(&self) -> String {
        let proof = match &self.login.proof {
            SshProof::Key(key) => format!("IdentityFile \"{}\"\nIdentitiesOnly yes", key.display()),
            SshProof::Certificate { key, certificate } => format!(
                "IdentityFile \"{}\"\nCertificateFile \"{}\"\nIdentitiesOnly yes",
                key.display(),
                certificate.display()
            ),
            SshProof::Agent(_) => "IdentityFile none".to_owned(),
            SshProof::Password(_) | SshProof::Terminal => {
                "IdentityFile none\nPubkeyAuthentication no".to_owned()
            }
        };
        let methods = match &self.login.proof {
            SshProof::Password(_) => "password,keyboard-interactive",
            SshProof::Terminal => "keyboard-interactive",
            _ => "publickey",
        };
        format!(
            "Host {HOST}\n\
             HostName 127.0.0.1\n\
             Port {}\n\
             User \"{}\"\n\
             {proof}\n\
             PreferredAuthentications {methods}\n\
             NumberOfPasswordPrompts 1\n\
             UserKnownHostsFile \"{}\"\n\
             GlobalKnownHostsFile none\n\
             StrictHostKeyChecking yes\n\
             UpdateHostKeys no\n\
             ControlMaster no\n\
             ControlPath none\n\
             ConnectTimeout 20\n",
            self.login.port,
            self.login.user,
            self.path(KNOWN_HOSTS).display(),
        )
    }

    /// Ansible keeps connections open unless told otherwise, which would outlive the test.
    fn inventory(&self) -> String {
        format!(
            "{HOST} ansible_connection=ssh ansible_ssh_args='-F {} -o ControlMaster=no' \
             ansible_python_interpreter=auto_silent\n",
            self.path(CONFIGURATION).display()
        )
    }

    fn login_for_libraries(&self) -> Value {
        let (mut key, mut certificate, mut agent, mut password) = Default::default();
        match &self.login.proof {
            SshProof::Key(k) => key = Some(k),
            SshProof::Certificate {
                key: k,
                certificate: c,
            } => (key, certificate) = (Some(k), Some(c)),
            SshProof::Agent(socket) => agent = Some(socket),
            SshProof::Password(word) => password = Some(word),
            SshProof::Terminal => {}
        }
        json!({
            "port": self.login.port,
            "user": self.login.user,
            "key": key,
            "certificate": certificate,
            "agent": agent,
            "password": password,
            "known_hosts": self.path(KNOWN_HOSTS),
        })
    }
}
