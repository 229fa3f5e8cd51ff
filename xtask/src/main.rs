//! `cargo xtask`: the commands that people and CI run on this repository.
//!
//! Here live the command line and its help. Each command is a module of its own. Nothing here may depend on another
//! crate, ours or anyone's: it must compile in seconds, before anything that the workspace needs is installed.

#![allow(
    clippy::print_stdout,
    reason = "a command's output is what it is for, and there is no logger without dependencies"
)]

mod bench;
mod demo;
mod docs;
mod failure;
mod fuzz;
mod run;
mod setup;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use failure::{Failure, Outcome};
use setup::Purpose;
use workspace::Workspace;

const HELP: &str = "\
cargo xtask COMMAND

  setup [test|demo|bench] [--full]   check and install what a command needs (default: test)
  test [--full]                      everything that CI checks; --full runs against PostgreSQL 13 to 18
  tidy                               the rules of the house that no compiler checks
  docs [--check]                     write the generated reference documents, or check that they are current
  demo                               a gateway, a database and an agent, started and shown
  fuzz [TARGET]                      hostile inputs for everything that reads a stranger's bytes
  bench                              what the gateway costs, measured on this machine

cargo xtask COMMAND --help says more about one command.

Environment:
  BRATTICE_TOOLS   where fetched tools are kept (default: target/tools)";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn dispatch(args: &[&str]) -> Outcome {
    let Some((command, rest)) = args.split_first() else {
        println!("{HELP}");
        return Err(Failure::usage("no command given"));
    };
    if matches!(*command, "help" | "--help" | "-h") {
        println!("{HELP}");
        return Ok(());
    }
    let help = match *command {
        "setup" => setup::HELP,
        "test" => test::HELP,
        "tidy" => tidy::HELP,
        "docs" => docs::HELP,
        "demo" => demo::HELP,
        "bench" => bench::HELP,
        "fuzz" => fuzz::HELP,
        other => {
            return Err(Failure::usage(format!(
                "no command {other:?}; see cargo xtask --help"
            )));
        }
    };
    if rest.iter().any(|arg| matches!(*arg, "--help" | "-h")) {
        println!("{help}");
        return Ok(());
    }
    let workspace = Workspace::find()?;
    match (*command, rest) {
        ("setup", rest) => {
            let (purposes, full) = setup_arguments(rest)?;
            setup::run(&workspace, &purposes, full)
        }
        ("test", []) => test::run(&workspace, false),
        ("test", ["--full"]) => test::run(&workspace, true),
        ("tidy", []) => tidy::run(&workspace),
        ("docs", []) => docs::run(&workspace, docs::Mode::Write),
        ("docs", ["--check"]) => docs::run(&workspace, docs::Mode::Check),
        ("demo", []) => demo::run(&workspace),
        ("fuzz", rest) => fuzz::run(&workspace, rest),
        ("bench", rest) => bench::run(&workspace, rest),
        (command, rest) => Err(Failure::usage(format!(
            "{command} does not take {rest:?}; see cargo xtask {command} --help"
        ))),
    }
}

fn setup_arguments(args: &[&str]) -> Outcome<(Vec<Purpose>, bool)> {
    let mut purposes = Vec::new();
    let mut full = false;
    for arg in args {
        match *arg {
            "--full" => full = true,
            other => purposes.push(Purpose::parse(other).ok_or_else(|| {
                Failure::usage(format!(
                    "setup does not take {other:?}; see cargo xtask setup --help"
                ))
            })?),
        }
    }
    if purposes.is_empty() {
        purposes.push(Purpose::Test);
    }
    Ok((purposes, full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setup_prepares_for_the_tests_unless_told_otherwise() {
        assert_eq!(setup_arguments(&[]).unwrap(), (vec![Purpose::Test], false));
        assert_eq!(
            setup_arguments(&["bench", "--full"]).unwrap(),
            (vec![Purpose::Bench], true)
        );
        assert!(setup_arguments(&["everything"]).is_err());
    }

    #[test]
    fn unknown_commands_and_arguments_are_usage_errors() {
        for args in [&["frobnicate"][..], &["test", "--fast"][..], &[][..]] {
            assert_eq!(dispatch(args).unwrap_err().exit_code(), 2);
        }
    }
}
