//! The form of the command line.
//!
//! Lives here: commands, their arguments and their help with examples. Never: what a command does. No argument takes a
//! secret.

mod bundle;
mod people;
mod records;
mod rights;
mod ssh;

pub use bundle::{
    CheckArgs, DevArgs, DevCommand, ExplainArgs, PolicyArgs, PolicyCommand, ServeArgs,
};
pub use people::{
    AgentsArgs, AgentsCommand, CredentialArgs, CredentialCommand, LoginArgs, LogoutArgs, TokenArgs,
    TokenCommand, TokenExchangeArgs,
};
pub use records::{
    AnswerArgs, ApprovalsArgs, ApprovalsCommand, AuditArgs, AuditCommand, SessionsArgs,
    SessionsCommand,
};
pub use rights::{
    DelegateArgs, DelegationsArgs, DelegationsCommand, FreezeArgs, GrantsArgs, GrantsCommand,
    ReachArgs, RequestArgs, RequestCommand, RequestCreateArgs, ThawArgs,
};

pub use ssh::{SshArgs, SshCertArgs, SshCommand};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
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
        after_help = "Examples:\n  brattice approvals list\n  brattice approvals show apr_0123456789abcdef\n  brattice approvals approve apr_0123456789abcdef --action 5d41402abc4b2a76 --reason 'ticket 1234'\n  brattice approvals deny apr_0123456789abcdef --action 5d41402abc4b2a76 --reason 'not today'"
    )]
    Approvals(ApprovalsArgs),
    /// See, watch, replay and end sessions.
    #[command(
        after_help = "Examples:\n  brattice sessions list --state live\n  brattice sessions show ses_0123456789abcdef\n  brattice sessions replay ses_0123456789abcdef\n  brattice sessions replay ses_0123456789abcdef --output\n  brattice sessions replay ses_0123456789abcdef --asciicast shell.cast\n  brattice sessions watch ses_0123456789abcdef\n  brattice sessions kill ses_0123456789abcdef --reason 'runaway loop'"
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
        after_help = "Examples:\n  brattice credential create orders-db --ttl 15m\n  brattice credential create orders-db --single-use --from 10.0.0.7\n  brattice credential list\n  brattice credential revoke crd_0123456789abcdef\n  pass show orders-db | brattice credential seal orders-db --config /etc/brattice"
    )]
    Credential(CredentialArgs),
    /// Go to a host with the ssh that you have, by a certificate that is made for it.
    #[command(
        after_help = "Examples:\n  brattice ssh web-1\n  brattice ssh deploy@web-1 -- systemctl status app\n  brattice ssh --typed web-1 < lines.txt\n  brattice ssh list\n  brattice ssh cert web-1 --ttl 1h\n  brattice ssh config --write ~/.ssh/brattice\n  brattice ssh ca > brattice.pub",
        args_conflicts_with_subcommands = true,
        subcommand_negates_reqs = true
    )]
    Ssh(SshArgs),
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
        after_help = "Examples:\n  brattice policy check examples/orders\n  brattice policy test examples/orders\n  brattice policy explain examples/orders --agent dev/etl-7 --group dev/agents --group dev/writers --target orders-db --act sql.delete --on app/public.orders\n  brattice policy diff /etc/brattice ./proposed --no-wider\n  brattice policy reload\n  brattice policy show"
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

/// The whole command line. Commands without examples of their own show those of the command above that are about them.
pub fn command() -> clap::Command {
    with_examples(Program::command(), "brattice", "")
}

fn with_examples(command: clap::Command, path: &str, above: &str) -> clap::Command {
    let own = command.get_after_help().map(ToString::to_string);
    let about = |line: &&str| line.contains(&format!("{path} ")) || line.ends_with(path);
    let command = match &own {
        Some(_) => command,
        None => {
            let lines: Vec<&str> = above.lines().filter(about).collect();
            match lines.as_slice() {
                [] => command,
                [one] => command.after_help(format!("Example:\n{one}")),
                many => command.after_help(format!("Examples:\n{}", many.join("\n"))),
            }
        }
    };
    let examples = own.unwrap_or_default();
    command.mut_subcommands(|sub| {
        let path = format!("{path} {}", sub.get_name());
        with_examples(sub, &path, &examples)
    })
}

fn ttl(text: &str) -> Result<std::time::Duration, String> {
    crate::config::span_of(text)
        .filter(|span| span.as_secs() > 0)
        .ok_or_else(|| "write a number and a unit, as in 90s, 15m or 1h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed_and_every_command_has_an_example() {
        fn walk(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            assert!(help.contains("Example"), "{}", command.get_name());
            command.get_subcommands().for_each(walk);
        }
        command().debug_assert();
        command().get_subcommands().for_each(walk);
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
        walk(&command());
    }
}
