//! The arguments of what proves who somebody is: sign-ins, credentials, tokens, and their revocation.
//!
//! Lives here: their form. Never: what a command does. No argument takes a secret.

use super::ttl;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// Show a code that you type in a browser on any other machine, instead of opening one here.
    #[arg(long)]
    pub device: bool,
    /// Print the address, and open no browser.
    #[arg(long, conflicts_with = "device")]
    pub no_browser: bool,
    /// The provider to sign in by, as the gateway names it.
    #[arg(long, value_name = "NAME", conflicts_with = "device")]
    pub provider: Option<String>,
}

/// `logout`.
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// End all your sign-ins at this gateway, on whatever machine.
    #[arg(long)]
    pub everywhere: bool,
}

/// `agents`.
#[derive(Debug, Args)]
pub struct AgentsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AgentsCommand,
}

/// What to do with principals.
#[derive(Debug, Subcommand)]
pub enum AgentsCommand {
    /// Void everything it has proved so far: sessions end, credentials and tokens are good for nothing.
    Revoke {
        /// The principal, as issuer/name.
        #[arg(required_unless_present_any = ["issuer", "chain"])]
        id: Option<String>,
        /// It is a person, not an agent.
        #[arg(long)]
        user: bool,
        /// Everybody whom this provider vouched for, by its name in the bundle.
        #[arg(long, value_name = "NAME", conflicts_with_all = ["id", "user", "chain"])]
        issuer: Option<String>,
        /// A token by its id (`brattice whoami` and the record tell it), and all that descends from it.
        #[arg(long, value_name = "ID", conflicts_with_all = ["id", "user"])]
        chain: Option<String>,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
}

/// `credential`.
#[derive(Debug, Args)]
pub struct CredentialArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CredentialCommand,
}

/// What to do with credentials.
#[derive(Debug, Subcommand)]
pub enum CredentialCommand {
    /// Make one for yourself. Its password is printed once.
    #[command(
        after_help = "Examples:\n  brattice credential create orders-db --ttl 15m\n  brattice credential create orders-db --single-use --from 10.0.0.7 --format json"
    )]
    Create {
        /// The target it shall open.
        target: String,
        /// How long it shall live; never longer than your token.
        #[arg(long, default_value = "15m", value_parser = ttl)]
        ttl: std::time::Duration,
        /// It opens one session, and no other.
        #[arg(long)]
        single_use: bool,
        /// It opens sessions from this address or network alone; may be given again.
        #[arg(long, value_name = "ADDRESS")]
        from: Vec<String>,
    },
    /// List those that are good now: yours, and those that you may revoke.
    #[command(visible_alias = "ls")]
    List,
    /// End one, and the sessions that were opened with it.
    Revoke {
        /// The credential.
        id: String,
    },
    /// Seal the password of a target whose credential is `sealed`: read from standard input, kept encrypted in the
    /// bundle's store. Run it where the store is.
    Seal {
        /// The target.
        target: String,
        /// The bundle.
        #[arg(
            long,
            default_value = ".",
            env = "BRATTICE_CONFIG",
            value_name = "PATH"
        )]
        config: PathBuf,
    },
}

/// `token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: TokenCommand,
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Trade your token for a new one, which is printed: yours or a worker's, never wider than the old one and never
    /// longer.
    #[command(
        after_help = "Examples:\n  brattice token exchange --target orders-db --effects read,write --ttl 10m\n  brattice token exchange --worker w1 --target orders-db --effects read > w1.token\n  brattice token exchange --delegation dlg_0123456789abcdef"
    )]
    Exchange(TokenExchangeArgs),
}

/// `token exchange`.
#[derive(Debug, Args)]
pub struct TokenExchangeArgs {
    /// A target that it may open; may be given again. Without: all that yours may.
    #[arg(long, value_name = "NAME")]
    pub target: Vec<String>,
    /// The effects that commands may have: read, write, destroy, administer or execute, separated by commas. Without:
    /// all that yours may.
    #[arg(long, value_delimiter = ',')]
    pub effects: Vec<String>,
    /// A class whose data may be seen other than masked, where rules permit it; may be given again. Without: all that
    /// yours may.
    #[arg(long, value_name = "NAME")]
    pub class: Vec<String>,
    /// How many commands may be run with it in all. Without: as many as yours has left.
    #[arg(long, value_name = "NUMBER")]
    pub commands: Option<u64>,
    /// How many rows may be received with it in all. Without: as many as yours has left.
    #[arg(long, value_name = "NUMBER")]
    pub rows: Option<u64>,
    /// How many bytes may be received with it in all. Without: as many as yours has left.
    #[arg(long, value_name = "NUMBER")]
    pub bytes: Option<u64>,
    /// For a worker of yours by this name: it acts for you, and the record names both.
    #[arg(long, value_name = "NAME")]
    pub worker: Option<String>,
    /// File with the token of somebody you act for; the chain then names both.
    #[arg(long, value_name = "FILE")]
    pub on_behalf_of: Option<PathBuf>,
    /// A delegation that a person gave you (`brattice delegate`): you act for them, and the chain names both.
    #[arg(long, value_name = "ID", conflicts_with = "on_behalf_of")]
    pub delegation: Option<String>,
    /// What it counts with alone: `jkt:THUMBPRINT` of a DPoP key, or `x5t#S256:THUMBPRINT` of a client certificate. Without:
    /// what your own is bound to, if anything.
    #[arg(long, value_name = "KEY")]
    pub bind_to: Option<String>,
    /// How long it shall live; never longer than yours, or than the gateway permits.
    #[arg(long, default_value = "15m", value_parser = ttl)]
    pub ttl: std::time::Duration,
}
