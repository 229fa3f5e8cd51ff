//! The command line: what there is, and what each command answers with.
//!
//! Lives here: the commands' form and dispatch. Never: a secret as an argument, a prompt without a terminal.

mod agents;
mod approvals;
mod args;
mod audit;
mod check;
mod client;
mod completions;
mod credential;
mod decision;
mod delegations;
mod dev;
mod docs;
mod exit;
mod freeze;
mod gateway;
mod grants;
mod key;
mod login;
mod loopback;
mod output;
mod policy;
mod rows;
mod saved;
mod sessions;
mod show;
mod ssh;
mod token;
mod whoami;

use args::{Command, Program};
use clap::FromArgMatches;
use exit::{Exit, Failure};
use output::Output;
use std::process::ExitCode;

/// Runs the command that was given.
pub fn run() -> ExitCode {
    let parsed = args::command()
        .try_get_matches()
        .and_then(|found| Program::from_arg_matches(&found));
    let program = match parsed {
        Ok(program) => program,
        Err(error) => {
            // Help and the version are not errors and go to standard output.
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            let _ = error.print();
            return exit.into();
        }
    };
    match &program.command {
        Command::Serve(args) => return crate::run::serve(&args.config),
        Command::Dev(args) => return dev::run(args),
        _ => {}
    }
    let mut out = Output::new(program.format);
    let done = dispatch(program, &mut out);
    out.finish(done).into()
}

/// Whether the command line would take these words, the program's name first.
#[cfg(test)]
pub fn takes<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    args::command()
        .try_get_matches_from(words)
        .map(drop)
        .map_err(|error| error.to_string())
}

fn dispatch(program: Program, out: &mut Output) -> Result<(), Failure> {
    let Program {
        gateway, command, ..
    } = program;
    match command {
        // These answer with a log rather than with output, and have ended by now.
        Command::Serve(_) | Command::Dev(_) => Ok(()),
        Command::Check(args) => check::run(&args, out),
        Command::Login(args) => login::login(&gateway, &args, out),
        Command::Logout(args) => login::logout(&gateway, &args, out),
        Command::Status => login::status(&gateway, out),
        Command::Whoami => whoami::run(&gateway, out),
        Command::Approvals(args) => approvals::run(&gateway, args, out),
        Command::Sessions(args) => sessions::run(&gateway, args, out),
        Command::Agents(args) => agents::run(&gateway, args, out),
        Command::Delegate(args) => delegations::delegate(&gateway, args, out),
        Command::Delegations(args) => delegations::run(&gateway, args, out),
        Command::Request(args) => grants::request(&gateway, args, out),
        Command::Grants(args) => grants::grants(&gateway, args, out),
        Command::Freeze(args) => freeze::freeze(&gateway, args, out),
        Command::Thaw(args) => freeze::thaw(&gateway, args, out),
        Command::Freezes => freeze::list(&gateway, out),
        Command::Token(args) => token::run(&gateway, args, out),
        Command::Credential(args) => credential::run(&gateway, args, out),
        Command::Ssh(args) => ssh::run(&gateway, args, out),
        Command::Audit(args) => audit::run(&gateway, args, out),
        Command::Policy(args) => policy::run(&gateway, args, out),
        Command::Docs(args) => docs::run(&args, out),
        Command::Completions(args) => completions::run(&args, out),
    }
}
