//! The arguments of `brattice ssh`.
//!
//! Lives here: their form. Never: what a command does. No argument takes a secret.

use super::ttl;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// `ssh`.
#[derive(Debug, Args)]
pub struct SshArgs {
    /// What else to do.
    #[command(subcommand)]
    pub command: Option<SshCommand>,
    /// The host, as TARGET or ACCOUNT@TARGET; one that is called as one of the commands below, with its account.
    #[arg(required = true)]
    pub target: Option<String>,
    /// Ask for a terminal, also for a command.
    #[arg(short = 't', long)]
    pub tty: bool,
    /// A shell of one line at a time: each line is judged as a command of its own, so that who may run commands needs no right to an
    /// open shell. It reads lines from the input and says how each ended on the stream of errors.
    #[arg(long, conflicts_with_all = ["tty", "words"])]
    pub typed: bool,
    /// Get a new certificate, also where the last one still holds: it may have been revoked.
    #[arg(long)]
    pub fresh: bool,
    /// How long a certificate that is made for this shall be good; never longer than your token.
    #[arg(long, default_value = "15m", value_parser = ttl)]
    pub ttl: Duration,
    /// The command, for the shell of the host; without one, a shell.
    #[arg(last = true, value_name = "CMD")]
    pub words: Vec<String>,
}

/// What to do with SSH.
#[derive(Debug, Subcommand)]
pub enum SshCommand {
    /// The hosts that you may connect to, and their accounts.
    #[command(visible_alias = "ls")]
    List,
    /// Get a certificate: for a key that is made for it and put into your agent, or into a file; or for a key of yours.
    #[command(
        after_help = "Examples:\n  brattice ssh cert web-1 --ttl 1h   # into the agent that SSH_AUTH_SOCK names\n  brattice ssh cert web-1 --out ~/.ssh/brattice/web-1\n  brattice ssh cert web-1 --key ~/.ssh/id_ed25519.pub"
    )]
    Cert(SshCertArgs),
    /// Print a configuration for ssh, scp, sftp, rsync and git; or write it.
    #[command(
        after_help = "Examples:\n  brattice ssh config\n  brattice ssh config --write ~/.ssh/brattice"
    )]
    Config {
        /// Write the files `config` and `known_hosts` into this directory.
        #[arg(long, value_name = "DIR")]
        write: Option<PathBuf>,
    },
    /// Print the public key that hosts trust to let the gateway in, for their `TrustedUserCAKeys`.
    #[command(
        after_help = "Example:\n  brattice ssh ca > brattice.pub   # and on the host: TrustedUserCAKeys /etc/ssh/brattice.pub"
    )]
    Ca,
}

/// `ssh cert`.
#[derive(Debug, Args)]
pub struct SshCertArgs {
    /// The target it shall open.
    pub target: String,
    /// How long it shall be good; never longer than your token.
    #[arg(long, default_value = "15m", value_parser = ttl)]
    pub ttl: Duration,
    /// It opens one session, and no other.
    #[arg(long)]
    pub single_use: bool,
    /// It opens sessions from this address or network alone; may be given again.
    #[arg(long, value_name = "ADDRESS")]
    pub from: Vec<String>,
    /// Certify this public key, and write the certificate beside it.
    #[arg(long, value_name = "FILE.pub", conflicts_with = "out")]
    pub key: Option<PathBuf>,
    /// Write the private key here and the certificate beside it, readable by you alone.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}
