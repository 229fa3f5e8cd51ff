//! `cargo xtask test`: everything that must hold before a change lands, and the same for people and CI.
//!
//! Each step runs even if an earlier one failed, so that one run says all. Nothing is skipped: what is missing is an error.

mod summary;
mod tee;

use std::io::IsTerminal;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome};
use crate::setup::{self, Purpose};
use crate::workspace::Workspace;
use crate::{docs, run, tidy, tools};
use summary::Counts;

pub const HELP: &str = "\
cargo xtask test [--full]

Set-up, formatting, lints, tidy, generated documents, then every unit and integration test, with
cargo-nextest if it is installed and cargo test otherwise. Integration tests run against real PostgreSQL servers: 15 and 18,
or with --full 13 to 18. The last line counts tests and failed steps: `N passed, N failed`.";

/// How long a run may take on two cores from an empty target directory, in minutes. Going over is said, not failed.
const BUDGET_MINUTES: u64 = 25;
const BUDGET_MINUTES_FULL: u64 = 50;

/// Runs every step and reports.
pub fn run(workspace: &Workspace, full: bool) -> Outcome {
    let budget = Duration::from_secs(
        60 * if full {
            BUDGET_MINUTES_FULL
        } else {
            BUDGET_MINUTES
        },
    );
    println!("test: the budget is {} minutes", budget.as_secs() / 60);
    let mut report = Report::new(budget);
    report.step("setup", || setup::run(workspace, &[Purpose::Test], full));
    if report.failed() {
        return report.end();
    }
    report.step("fmt", || {
        run::shown(cargo(workspace).args(["fmt", "--all", "--check"]))
    });
    report.step("clippy", || {
        let lint = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ];
        run::shown(cargo(workspace).args(lint))
    });
    report.step("tidy", || tidy::run(workspace));
    report.step("docs", || docs::run(workspace, docs::Mode::Check));
    report.step("build", || {
        run::shown(cargo(workspace).args(["test", "--workspace", "--no-run", "--quiet"]))
    });
    if report.failed_at("build") {
        println!("the tests cannot run: they do not compile");
        return report.end();
    }
    let majors = tools::postgres_majors(workspace, full)?.join(",");
    if run::on_path("cargo-nextest").is_some() {
        let nextest = ["nextest", "run", "--workspace", "--no-fail-fast"];
        report.tests("tests", test_command(workspace, &majors, full, &nextest));
    } else {
        let tests = ["test", "--workspace", "--all-targets", "--no-fail-fast"];
        report.tests("tests", test_command(workspace, &majors, full, &tests));
    }
    report.end()
}

fn cargo(workspace: &Workspace) -> Command {
    let mut command = Command::new("cargo");
    command
        .current_dir(&workspace.root)
        .env("BRATTICE_TOOLS", &workspace.tools);
    command
}

fn test_command(workspace: &Workspace, majors: &str, full: bool, args: &[&str]) -> Command {
    let mut command = cargo(workspace);
    command.args(args).env("BRATTICE_POSTGRES_MAJORS", majors);
    if full {
        // Tests that count do so a hundred times over.
        command.env("BRATTICE_FULL", "1");
    }
    if std::io::stdout().is_terminal() {
        // Its output goes through a pipe, where it would leave out the colours.
        command.env("CARGO_TERM_COLOR", "always");
    }
    command
}

/// What has been run so far.
struct Report {
    started: Instant,
    budget: Duration,
    steps: Vec<(&'static str, Duration, bool)>,
    counts: Counts,
    last_summary: Option<String>,
}

impl Report {
    fn new(budget: Duration) -> Report {
        Report {
            started: Instant::now(),
            budget,
            steps: Vec::new(),
            counts: Counts::default(),
            last_summary: None,
        }
    }

    /// A step that holds or does not.
    fn step(&mut self, name: &'static str, work: impl FnOnce() -> Outcome) {
        println!("\n== {name}");
        let started = Instant::now();
        let outcome = work();
        if let Err(failure) = &outcome {
            eprintln!("{failure}");
        }
        self.finish(name, started, outcome.is_ok());
        if outcome.is_err() {
            self.counts.failed += 1;
        }
    }

    /// A step whose tests are counted.
    fn tests(&mut self, name: &'static str, command: Command) {
        println!("\n== {name}");
        let started = Instant::now();
        match tee::run(command) {
            Ok(ran) => {
                let (counts, last) = summary::read(&ran.lines);
                self.finish(name, started, ran.success);
                self.counts.passed += counts.passed;
                self.counts.failed += counts.failed;
                if !ran.success && counts.failed == 0 {
                    // It did not get as far as running them.
                    self.counts.failed += 1;
                }
                self.last_summary = last.or(self.last_summary.take());
            }
            Err(failure) => {
                eprintln!("{failure}");
                self.finish(name, started, false);
                self.counts.failed += 1;
            }
        }
    }

    fn finish(&mut self, name: &'static str, started: Instant, ok: bool) {
        let took = started.elapsed();
        println!(
            "== {name}: {} in {:.1} s",
            if ok { "ok" } else { "FAILED" },
            took.as_secs_f64()
        );
        self.steps.push((name, took, ok));
    }

    fn failed_at(&self, step: &str) -> bool {
        self.steps.iter().any(|(name, _, ok)| !ok && *name == step)
    }

    fn failed(&self) -> bool {
        self.steps.iter().any(|(_, _, ok)| !ok)
    }

    fn end(self) -> Outcome {
        println!();
        for (name, took, ok) in &self.steps {
            println!(
                "{:>8.1} s  {}{name}",
                took.as_secs_f64(),
                if *ok { "" } else { "FAILED " }
            );
        }
        let took = self.started.elapsed();
        let over = if took > self.budget {
            ", over the budget"
        } else {
            ""
        };
        println!(
            "{:>8.1} s  of {} in all{over}",
            took.as_secs_f64(),
            self.budget.as_secs()
        );
        if let Some(summary) = &self.last_summary {
            println!("{summary}");
        }
        println!(
            "{} passed, {} failed",
            self.counts.passed, self.counts.failed
        );
        if self.failed() {
            let names: Vec<&str> = self
                .steps
                .iter()
                .filter(|(_, _, ok)| !ok)
                .map(|(name, _, _)| *name)
                .collect();
            return Err(Failure::new(format!("failed: {}", names.join(", "))));
        }
        if self.counts.passed == 0 {
            return Err(Failure::new("no test ran"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failed_step_fails_the_run_though_all_tests_pass() {
        let mut report = Report::new(Duration::from_secs(60));
        report.step("tidy", || Err(Failure::new("untidy")));
        report.tests(
            "tests",
            shell("echo 'test result: ok. 3 passed; 0 failed; 0 ignored'"),
        );
        assert_eq!((report.counts.passed, report.counts.failed), (3, 1));
        assert!(report.end().unwrap_err().to_string().contains("tidy"));
    }

    #[test]
    fn tests_that_could_not_be_built_count_as_a_failure() {
        let mut report = Report::new(Duration::from_secs(60));
        report.tests("tests", shell("echo 'error: could not compile'; exit 101"));
        assert_eq!((report.counts.passed, report.counts.failed), (0, 1));
        assert!(report.end().is_err());
    }

    #[test]
    fn a_run_without_any_test_is_not_a_pass() {
        let mut report = Report::new(Duration::from_secs(60));
        report.tests("tests", shell("echo nothing to do"));
        assert!(report.end().is_err());
    }
}
