//! The arguments of running a gateway and its rules.
//!
//! Lives here: their form. Never: what a command does. No argument takes a secret.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The bundle's directory, or its brattice.toml.
    #[arg(
        long,
        default_value = ".",
        env = "BRATTICE_CONFIG",
        value_name = "PATH"
    )]
    pub config: PathBuf,
}

/// `dev`.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// The bundle's directory, or its brattice.toml. Default: the one here.
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// A database to stand in front of, with the rules of an example. Its password is in BRATTICE_TARGET_PASSWORD or
    /// PGPASSWORD.
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    pub target_url: Option<String>,
    /// The port for agents, instead of the bundle's or 6432; 0 takes a free one.
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// The port of the REST API, instead of the bundle's or 8443; 0 takes a free one.
    #[arg(long, value_name = "PORT")]
    pub api_port: Option<u16>,
    /// Where keys, secrets and records of trying out are kept.
    #[arg(long, global = true, default_value = crate::dev::STATE, value_name = "DIRECTORY")]
    pub state: PathBuf,
    /// What to do instead of running.
    #[command(subcommand)]
    pub command: Option<DevCommand>,
}

/// What to do beside a gateway that is tried out.
#[derive(Debug, Subcommand)]
pub enum DevCommand {
    /// Print a fresh token of one of the agents and people that `brattice dev` made up.
    #[command(
        after_help = "Examples:\n  brattice dev token analyst-1\n  brattice dev token analyst-1 --on-behalf-of dana"
    )]
    Token(DevTokenArgs),
}

/// `dev token`.
#[derive(Debug, Args)]
pub struct DevTokenArgs {
    /// Whose.
    pub name: String,
    /// For whom it acts; nearest first, once for each.
    #[arg(long, value_name = "NAME")]
    pub on_behalf_of: Vec<String>,
}

/// `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The bundle's directory, or its brattice.toml.
    #[arg(default_value = ".", env = "BRATTICE_CONFIG", value_name = "PATH")]
    pub config: PathBuf,
    /// Do not look whether files exist that the configuration names.
    #[arg(long)]
    pub without_files: bool,
    /// Print the JSON Schema of brattice.toml instead.
    #[arg(long)]
    pub schema: bool,
}

/// `policy`.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PolicyCommand,
}

/// What to do with rules.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Load the rules of a bundle and list them, or tell what is wrong with them.
    Check {
        /// The bundle.
        #[arg(default_value = ".", env = "BRATTICE_CONFIG", value_name = "PATH")]
        config: PathBuf,
    },
    /// Judge the example decisions that a bundle keeps in decisions/*.toml.
    Test {
        /// The bundle.
        #[arg(default_value = ".", env = "BRATTICE_CONFIG", value_name = "PATH")]
        config: PathBuf,
    },
    /// Tell which rules decide about one act, and why.
    Explain(ExplainArgs),
    /// Tell how the rules of one bundle differ from another's, and what may let more through.
    Diff {
        /// The bundle as it was.
        before: PathBuf,
        /// The bundle as it would be.
        after: PathBuf,
        /// Fail if anything may let more through.
        #[arg(long)]
        no_wider: bool,
    },
    /// Have the gateway read its bundle anew and put it in force.
    Reload,
    /// Show the bundle in force at the gateway.
    Show,
}

/// `policy explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The bundle.
    #[arg(default_value = ".", env = "BRATTICE_CONFIG", value_name = "PATH")]
    pub config: PathBuf,
    /// The agent that acts, as issuer/name.
    #[arg(long, conflicts_with = "user", required_unless_present = "user")]
    pub agent: Option<String>,
    /// The person who acts, as issuer/name.
    #[arg(long)]
    pub user: Option<String>,
    /// A group of theirs, as issuer/name. May be given several times.
    #[arg(long = "group")]
    pub groups: Vec<String>,
    /// The person it acts for, as issuer/name.
    #[arg(long)]
    pub behalf: Option<String>,
    /// A group of that person. May be given several times.
    #[arg(long = "behalf-group")]
    pub behalf_groups: Vec<String>,
    /// The target.
    #[arg(long)]
    pub target: String,
    /// What is done, as in the schema: connect, sql.select, sql.delete, ssh.download, reveal.full, …
    #[arg(long, required_unless_present = "command")]
    pub act: Option<String>,
    /// A command line of a host, with all that it does: `--command 'systemctl restart app'`.
    #[arg(long, conflicts_with_all = ["act", "on"])]
    pub command: Option<String>,
    /// The command line runs on a terminal.
    #[arg(long)]
    pub terminal: bool,
    /// To what: `database/schema.table`, a column with its class (`database/schema.table.column:class`), `database`,
    /// `setting:NAME`, `role:NAME`, `function:database/schema.name(types)`, `program:NAME`, `file:/PATH`,
    /// `forward:HOST:PORT`. Default: the target itself.
    #[arg(long)]
    pub on: Option<String>,
    /// A second factor was used.
    #[arg(long)]
    pub mfa: bool,
}
