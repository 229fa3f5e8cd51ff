//! The form of the command line.
//!
//! Lives here: commands, their arguments and their help with examples. Never: what a command does. No argument takes a
//! secret.

mod rights;

pub use rights::{
    DelegateArgs, DelegationsArgs, DelegationsCommand, FreezeArgs, GrantsArgs, GrantsCommand,
    ReachArgs, RequestArgs, RequestCommand, RequestCreateArgs, ThawArgs,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// The access gateway for fleets of autonomous agents.
#[derive(Debug, Parser)]
#[command(
    name = "brattice",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 called wrongly, 3 gateway not reached, 4 not permitted.\n\
        A token comes from BRATTICE_TOKEN, from --token-file PATH, or from standard input with --token-file -; without one \
        you are whom `brattice login` signed in."
)]
pub struct Program {
    /// How to print.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table, help_heading = EVERYWHERE)]
    pub format: Format,
    /// Where the gateway is.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For machines; the same fields as the REST API.
    Json,
}

/// The heading of what every command takes.
const EVERYWHERE: &str = "Options of every command";

/// Where the gateway is and who is asking.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = EVERYWHERE)]
pub struct GatewayArgs {
    /// The gateway's address, as in `listen.admin.public_url`.
    #[arg(long, global = true, env = "BRATTICE_URL", value_name = "URL")]
    pub url: Option<String>,
    /// PEM file with the authority of the gateway's certificate.
    #[arg(long, global = true, env = "BRATTICE_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// File with the access token; `-` is standard input. Default: the token in BRATTICE_TOKEN, or else your sign-in.
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway.
    #[command(
        after_help = "Examples:\n  brattice serve --config /etc/brattice\n  BRATTICE_LOG=debug brattice serve --config examples/orders"
    )]
    Serve(ServeArgs),
    /// Try the gateway out on this machine, with an identity provider of its own.
    #[command(
        after_help = "Examples:\n  brattice dev --config examples/orders\n  PGPASSWORD=… brattice dev --target-url postgres://app@127.0.0.1:5432/app\n  PGPASSWORD=\"$(brattice dev token analyst-1)\" psql …",
        args_conflicts_with_subcommands = true
    )]
    Dev(DevArgs),
    /// Check a bundle and tell everything that is wrong with it.
    #[command(
        after_help = "Examples:\n  brattice check /etc/brattice\n  brattice check --without-files . --format json\n  brattice check --schema > brattice.schema.json"
    )]
    Check(CheckArgs),
    /// Sign in, in your browser, by your company's identity provider.
    #[command(
        after_help = "Examples:\n  brattice login --url https://brattice.example.com\n  brattice login --device   # where there is no browser\n  brattice login --provider okta"
    )]
    Login(LoginArgs),
    /// Sign out.
    #[command(after_help = "Examples:\n  brattice logout\n  brattice logout --everywhere")]
    Logout(LogoutArgs),
    /// Where you are signed in.
    #[command(after_help = "Example:\n  brattice status --format json")]
    Status,
    /// Who you are, as the gateway sees it.
    #[command(
        after_help = "Example:\n  BRATTICE_TOKEN=… brattice whoami --url https://brattice.example.com"
    )]
    Whoami,
    /// See and answer what waits for people.
    #[command(
        after_help = "Examples:\n  brattice approvals list\n  brattice approvals show apr_0123456789abcdef\n  brattice approvals approve apr_0123456789abcdef --action 5d41402abc4b2a76 --reason 'ticket 1234'"
    )]
    Approvals(ApprovalsArgs),
    /// See, replay and end sessions.
    #[command(
        after_help = "Examples:\n  brattice sessions list --state live\n  brattice sessions replay ses_0123456789abcdef\n  brattice sessions kill ses_0123456789abcdef --reason 'runaway loop'"
    )]
    Sessions(SessionsArgs),
    /// Void what agents and people have proved so far.
    #[command(
        after_help = "Examples:\n  brattice agents revoke okta/etl-7 --reason 'token leaked'\n  brattice agents revoke --chain 5f1e9c0d2b7a48e6a1c3d4e5f6071829 --reason 'its worker ran wild'\n  brattice agents revoke --issuer okta --reason 'the provider was broken into'"
    )]
    Agents(AgentsArgs),
    /// Let an agent act for you, within bounds, for a while.
    #[command(
        after_help = "Examples:\n  brattice delegate --to okta/agent-7 --target orders-db --effects read --for 1h --reason 'monthly report'\n  brattice delegate --to okta/agent-7 --target orders-db --effects read,write --class email --for 8h --reason 'on leave'"
    )]
    Delegate(DelegateArgs),
    /// See and end delegations: yours, and those that were given to you.
    #[command(
        after_help = "Examples:\n  brattice delegations list\n  brattice delegations end dlg_0123456789abcdef --reason 'back at work'"
    )]
    Delegations(DelegationsArgs),
    /// Ask people ahead of time, so that nothing waits when you get there.
    #[command(
        after_help = "Examples:\n  brattice request create --target orders-db --effects write --for 30m --reason 'ticket 1234'\n  brattice request create --target orders-db --connect --effects write,destroy --for 1h --reason 'migration 7' --wait"
    )]
    Request(RequestArgs),
    /// See and end grants: what people said yes to for a while.
    #[command(
        after_help = "Examples:\n  brattice grants list\n  brattice grants end grt_0123456789abcdef --reason 'done early'"
    )]
    Grants(GrantsArgs),
    /// Stop targets at once: open sessions end, their statements are cancelled, new ones are refused.
    #[command(
        after_help = "Examples:\n  brattice freeze --target orders-db --reason 'incident 42'\n  brattice freeze --label env=production --reason 'agents run wild, ask #security'\n  brattice freeze --all --reason 'the provider was broken into'"
    )]
    Freeze(FreezeArgs),
    /// Let stopped targets go on.
    #[command(
        after_help = "Examples:\n  brattice thaw frz_0123456789abcdef --reason 'incident 42 is over'\n  brattice thaw --label env=production"
    )]
    Thaw(ThawArgs),
    /// See what is stopped.
    #[command(after_help = "Examples:\n  brattice freezes\n  brattice freezes --format json")]
    Freezes,
    /// Make and revoke short-lived credentials.
    #[command(
        after_help = "Examples:\n  brattice credential create orders-db --ttl 15m\n  brattice credential create orders-db --single-use --from 10.0.0.7\n  brattice credential revoke crd_0123456789abcdef\n  pass show orders-db | brattice credential seal orders-db --config /etc/brattice"
    )]
    Credential(CredentialArgs),
    /// Trade your token for a narrower one, for yourself or for a worker.
    #[command(
        after_help = "Examples:\n  brattice token exchange --target orders-db --effects read --ttl 10m\n  BRATTICE_TOKEN=\"$(brattice token exchange --worker w1 --target orders-db)\" ./worker\n  brattice token exchange --on-behalf-of bob.token --effects read"
    )]
    Token(TokenArgs),
    /// Follow, take away and verify the audit log.
    #[command(
        after_help = "Examples:\n  brattice audit tail --follow\n  brattice audit export --out ./audit\n  brattice audit verify ./audit --key signing.pub"
    )]
    Audit(AuditArgs),
    /// Check, test and explain rules.
    #[command(
        after_help = "Examples:\n  brattice policy check examples/orders\n  brattice policy test examples/orders\n  brattice policy explain examples/orders --agent dev/etl-7 --group dev/agents --group dev/writers --target orders-db --act sql.delete --on app/public.orders"
    )]
    Policy(PolicyArgs),
    /// Write the reference documents.
    #[command(
        after_help = "Examples:\n  brattice docs --out docs/reference\n  brattice docs --out docs/reference --check"
    )]
    Docs(DocsArgs),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  brattice completions bash > /etc/bash_completion.d/brattice"
    )]
    Completions(CompletionsArgs),
}

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

/// `approvals`.
#[derive(Debug, Args)]
pub struct ApprovalsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ApprovalsCommand,
}

/// What to do with questions.
#[derive(Debug, Subcommand)]
pub enum ApprovalsCommand {
    /// List them, the newest first.
    #[command(visible_alias = "ls")]
    List {
        /// In this state alone: pending, approved, denied, consumed, expired, not_run, or all.
        #[arg(long, default_value = "pending")]
        state: String,
        /// About this target alone.
        #[arg(long)]
        target: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show one with its complete text.
    Show {
        /// The question.
        id: String,
    },
    /// Say yes to exactly one action.
    Approve(AnswerArgs),
    /// Say no.
    Deny(AnswerArgs),
}

/// An answer.
#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// The question.
    pub id: String,
    /// The hash of the action that you looked at, as `show` prints it; 16 digits or more. Asked for on a terminal.
    #[arg(long, value_name = "HASH")]
    pub action: Option<String>,
    /// Why, for the record.
    #[arg(long)]
    pub reason: Option<String>,
}

/// `sessions`.
#[derive(Debug, Args)]
pub struct SessionsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: SessionsCommand,
}

/// What to do with sessions.
#[derive(Debug, Subcommand)]
pub enum SessionsCommand {
    /// List them, the newest first.
    #[command(visible_alias = "ls")]
    List {
        /// In this state alone: live, closed, interrupted, or all.
        #[arg(long, default_value = "all")]
        state: String,
        /// On this target alone.
        #[arg(long)]
        target: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show one.
    Show {
        /// The session.
        id: String,
    },
    /// Print its recording.
    Replay {
        /// The session.
        id: String,
        /// Print what the caller received, too.
        #[arg(long)]
        output: bool,
    },
    /// End it now.
    Kill {
        /// The session.
        id: String,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
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

/// `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// What to do with the audit log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Verify a log's files with the public key alone; no gateway is asked.
    Verify {
        /// The directory with the log's files.
        dir: PathBuf,
        /// The public key, in PEM. Keep a copy of it away from the gateway.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Signed heads that were kept elsewhere, one JSON object a line.
        #[arg(long, value_name = "FILE")]
        heads: Vec<PathBuf>,
    },
    /// Print the newest entries.
    Tail {
        /// So many of them.
        #[arg(short = 'n', long, default_value_t = 20)]
        lines: u32,
        /// Go on with those to come.
        #[arg(short, long)]
        follow: bool,
    },
    /// Take the log's files away, for verifying them elsewhere.
    Export {
        /// The directory to put them in; made if it is missing.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
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
        #[arg(default_value = ".", value_name = "PATH")]
        config: PathBuf,
    },
    /// Judge the example decisions that a bundle keeps in decisions/*.toml.
    Test {
        /// The bundle.
        #[arg(default_value = ".", value_name = "PATH")]
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
    #[arg(default_value = ".", value_name = "PATH")]
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
    /// What is done, as in the schema: connect, sql.select, sql.delete, reveal.full, …
    #[arg(long)]
    pub act: String,
    /// To what: `database/schema.table`, a column with its class (`database/schema.table.column:class`), `database`,
    /// `setting:NAME`, `role:NAME`, `function:database/schema.name(types)`. Default: the target itself.
    #[arg(long)]
    pub on: Option<String>,
    /// A second factor was used.
    #[arg(long)]
    pub mfa: bool,
}

/// `docs`.
#[derive(Debug, Args)]
pub struct DocsArgs {
    /// Where to.
    #[arg(long, default_value = "docs/reference", value_name = "DIR")]
    pub out: PathBuf,
    /// Write nothing; fail if what is there differs.
    #[arg(long)]
    pub check: bool,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// Bash 4 and up.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
}

fn ttl(text: &str) -> Result<std::time::Duration, String> {
    crate::config::span_of(text)
        .filter(|span| span.as_secs() > 0)
        .ok_or_else(|| "write a number and a unit, as in 90s, 15m or 1h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed_and_every_command_has_an_example() {
        Program::command().debug_assert();
        for command in Program::command().get_subcommands() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(help.contains("Example"), "{}", command.get_name());
        }
    }

    #[test]
    fn no_argument_takes_a_secret() {
        fn walk(command: &clap::Command) {
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                let takes_value = argument.get_action().takes_values();
                let secret = ["password", "secret", "token"]
                    .iter()
                    .any(|w| name.contains(w))
                    && !name.ends_with("file");
                assert!(!(secret && takes_value), "{} {name}", command.get_name());
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Program::command());
    }
}
