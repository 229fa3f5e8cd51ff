//! The arguments of what gives and takes for a while: delegations, grants, freezes.
//!
//! Lives here: their form. Never: what a command does. No argument takes a secret.

use super::ttl;
use clap::{Args, Subcommand};

/// `delegate`.
#[derive(Debug, Args)]
pub struct DelegateArgs {
    /// The agent, as issuer/name.
    #[arg(long, value_name = "AGENT")]
    pub to: String,
    /// A target that it may open for you; may be given again.
    #[arg(long, value_name = "NAME", required = true)]
    pub target: Vec<String>,
    /// The effects that its commands may have: read, write, destroy, administer or execute, separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    pub effects: Vec<String>,
    /// A class whose data it may see other than masked, where rules permit it; may be given again. Without: none.
    #[arg(long, value_name = "NAME")]
    pub class: Vec<String>,
    /// For how long.
    #[arg(long = "for", value_name = "TIME", value_parser = ttl)]
    pub lifetime: std::time::Duration,
    /// Why, for the record.
    #[arg(long)]
    pub reason: String,
}

/// `delegations`.
#[derive(Debug, Args)]
pub struct DelegationsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: DelegationsCommand,
}

/// What to do with delegations.
#[derive(Debug, Subcommand)]
pub enum DelegationsCommand {
    /// List those in force.
    #[command(visible_alias = "ls")]
    List,
    /// End one: tokens that came of it count no more, and their sessions end.
    End {
        /// The delegation.
        id: String,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
}

/// `request`.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: RequestCommand,
}

/// What to ask people ahead of time.
#[derive(Debug, Subcommand)]
pub enum RequestCommand {
    /// Ask for grants of every rule that may stand in the way and that a grant lifts.
    #[command(
        after_help = "Say what you mean to do with at least one of --connect, --effects and --reveal.\n\nExamples:\n  brattice request create --target orders-db --effects write --for 30m --reason 'ticket 1234'\n  brattice request create --target orders-db --connect --effects write,destroy --for 1h --reason 'migration 7' --wait"
    )]
    Create(RequestCreateArgs),
}

/// `request create`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").args(["effects", "connect", "reveal"]).required(true).multiple(true))]
pub struct RequestCreateArgs {
    /// On which target.
    #[arg(long, value_name = "NAME")]
    pub target: String,
    /// For commands with these effects: read, write, destroy, administer or execute, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub effects: Vec<String>,
    /// To open the target.
    #[arg(long)]
    pub connect: bool,
    /// To see or use what is masked.
    #[arg(long)]
    pub reveal: bool,
    /// For how long at most, from the moment of the yes, in whole minutes. A rule may grant less.
    #[arg(long = "for", value_name = "TIME", value_parser = ttl)]
    pub lifetime: std::time::Duration,
    /// Why: people decide by it.
    #[arg(long)]
    pub reason: String,
    /// Wait for the answer; fail if it is no.
    #[arg(long)]
    pub wait: bool,
}

/// `grants`.
#[derive(Debug, Args)]
pub struct GrantsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: GrantsCommand,
}

/// What to do with grants.
#[derive(Debug, Subcommand)]
pub enum GrantsCommand {
    /// List those in force that are yours, or that you may end.
    #[command(visible_alias = "ls")]
    List,
    /// End one before its time, and the sessions that were opened by it.
    End {
        /// The grant.
        id: String,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
}

/// What a freeze is of.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct ReachArgs {
    /// One target.
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,
    /// All targets with this label; those of bundles to come as well.
    #[arg(long, value_name = "KEY=VALUE")]
    pub label: Option<String>,
    /// All targets.
    #[arg(long)]
    pub all: bool,
}

/// `freeze`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").args(["target", "label", "all"]).required(true))]
pub struct FreezeArgs {
    /// What to stop.
    #[command(flatten)]
    pub reach: ReachArgs,
    /// Why: those who are stopped read it, so say whom to ask.
    #[arg(long)]
    pub reason: String,
}

/// `thaw`.
#[derive(Debug, Args)]
#[command(
    override_usage = "brattice thaw [OPTIONS] <ID | --target <NAME> | --label <KEY=VALUE> | --all>",
    group = clap::ArgGroup::new("what").args(["id", "target", "label", "all"]).required(true)
)]
pub struct ThawArgs {
    /// One freeze, as `brattice freezes` names it. With --target, --label or --all instead: the freezes that were made
    /// with exactly that.
    pub id: Option<String>,
    /// Instead: every freeze of exactly this.
    #[command(flatten)]
    pub reach: ReachArgs,
    /// Why, for the record.
    #[arg(long)]
    pub reason: Option<String>,
}
