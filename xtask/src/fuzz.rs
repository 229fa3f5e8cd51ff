//! `cargo xtask fuzz`: runs the fuzz targets for longer than the tests do. The targets are tests named `fuzz_...` in the crates.

use std::process::Command;

use crate::failure::{Failure, Outcome};
use crate::run;
use crate::workspace::Workspace;

pub const HELP: &str = "\
cargo xtask fuzz [TARGET] [--seconds N] [--seed S]

Feeds mutated inputs to each fuzz target, one after the other, for N seconds each (default 60). TARGET is part of the name
of a test, e.g. wire_session; without it all run. The same seed (default 1) makes the same inputs. An input that breaks a
target is saved in target/fuzz/ and named.";

#[derive(Debug, PartialEq, Eq)]
struct Arguments<'a> {
    target: &'a str,
    seconds: u64,
    seed: u64,
}

/// Runs the targets.
pub fn run(workspace: &Workspace, args: &[&str]) -> Outcome {
    let arguments = parse(args)?;
    let filter = format!("fuzz_{}", arguments.target);
    // One thread: targets share the time of no other.
    let mut command = Command::new("cargo");
    command
        .current_dir(&workspace.root)
        .args(["test", "--workspace", "--tests", "--no-fail-fast", "--"])
        .args([&filter, "--nocapture", "--test-threads=1"])
        .env("BRATTICE_TOOLS", &workspace.tools)
        .env("BRATTICE_FUZZ_SECONDS", arguments.seconds.to_string())
        .env("BRATTICE_FUZZ_SEED", arguments.seed.to_string());
    run::shown(&mut command)
}

fn parse<'a>(args: &[&'a str]) -> Outcome<Arguments<'a>> {
    let mut found = Arguments {
        target: "",
        seconds: 60,
        seed: 1,
    };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let number = |next: Option<&&str>| {
            next.and_then(|text| text.parse::<u64>().ok())
                .ok_or_else(|| Failure::usage(format!("{arg} takes a whole number")))
        };
        match *arg {
            "--seconds" => found.seconds = number(rest.next())?,
            "--seed" => found.seed = number(rest.next())?,
            target if !target.starts_with('-') && found.target.is_empty() => {
                found.target = target.strip_prefix("fuzz_").unwrap_or(target);
            }
            other => {
                return Err(Failure::usage(format!(
                    "fuzz does not take {other:?}; see cargo xtask fuzz --help"
                )));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_target_a_time_and_a_seed() {
        let given = ["fuzz_wire_session", "--seconds", "5", "--seed", "9"];
        let expected = Arguments {
            target: "wire_session",
            seconds: 5,
            seed: 9,
        };
        assert_eq!(parse(&given).unwrap(), expected);
        assert_eq!(parse(&[]).unwrap().seconds, 60);
        for wrong in [&["--seconds"][..], &["--seed", "x"], &["a", "b"], &["-q"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
