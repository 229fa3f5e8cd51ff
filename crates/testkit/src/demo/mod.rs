//! The demonstration: an agent at work through the gateway, told step by step, every step checked.
//!
//! Here live the order of the steps and what they share. Each step is in a module of its own. Nothing here links the
//! gateway's code: it is the real program, driven from outside, in front of a real PostgreSQL, whose rows and log are what
//! the claims are checked against.

mod approving;
mod asking;
mod credentials;
mod cutting;
mod failure;
mod hosts;
mod records;
mod shell;
mod stage;
mod terminal;
mod transcript;

pub use failure::Failure;

use crate::client::Said;
use shell::Shell;
use stage::Stage;
use std::path::Path;
use std::time::{Duration, Instant};
use terminal::{End, Terminal};
use transcript::Transcript;

/// How long an answer of psql may take that waits for nobody.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Runs it, and leaves what there is to look at in `dir`.
///
/// # Errors
/// When a step does not go as it should, or cannot be taken at all. What was shown until then is left in `dir` as well.
pub fn run(dir: &Path, brattice: &Path) -> Result<(), Failure> {
    let began = Instant::now();
    let mut shown = Transcript::new();
    let done = play(dir, brattice, &mut shown);
    if let Err(Failure::NotSo(_)) = &done {
        shown.tell("The demonstration stops here.");
    }
    if done.is_ok() {
        epilogue(&mut shown, dir, began.elapsed());
    }
    match shown.write(dir) {
        Ok(()) => done,
        Err(source) => done.and(Err(Failure::Io {
            doing: "writing the transcript".to_owned(),
            source,
        })),
    }
}

fn play(dir: &Path, brattice: &Path, shown: &mut Transcript) -> Result<(), Failure> {
    let stage = Stage::set(dir, brattice, shown)?;
    let mut demo = Demo { stage, shown };
    let mut psql = asking::connects(&mut demo)?;
    asking::reads_masked(&mut demo, &mut psql)?;
    asking::may_not_drop(&mut demo, &mut psql)?;
    approving::waits_for_a_person(&mut demo, &mut psql)?;
    hosts::are_reached_by_ssh(&mut demo)?;
    cutting::is_cut_when_revoked(&mut demo, psql)?;
    let session = records::replays(&mut demo)?;
    records::verifies(&mut demo)?;
    credentials::stay_apart(&mut demo, &session)?;
    demo.stage.stop();
    Ok(())
}

/// What every step has at hand.
struct Demo<'a> {
    stage: Stage,
    shown: &'a mut Transcript,
}

impl Demo<'_> {
    /// Somebody types a command; it is shown with its answer.
    fn types(&mut self, shell: &Shell, line: &str) -> Result<Said, Failure> {
        self.shown.typed(&shell.prompt(), line);
        let said = shell.run(line)?;
        self.shown.said(&said.out);
        self.shown.said(&said.err);
        Ok(said)
    }

    /// A statement in the open psql; shown with its answer.
    fn asks(&mut self, psql: &mut Terminal, statement: &str) -> Result<String, Failure> {
        use failure::During;
        self.shown.typed(asking::PROMPT, statement);
        let (answer, end) = psql.ask(statement, ANSWER_MAX).during("typing into psql")?;
        self.shown.said(&answer);
        let still_there = end == End::Ready;
        if still_there {
            Ok(answer)
        } else {
            self.broken(
                "psql answers and stays connected",
                &format!("it is {end:?}"),
            )
        }
    }

    /// A fact: shown when it holds, the end of the demonstration when it does not.
    fn fact(&mut self, fact: &str, by: &str, holds: bool, seen: &str) -> Result<(), Failure> {
        if holds {
            self.shown.holds(fact, by);
            Ok(())
        } else {
            self.broken(fact, seen)
        }
    }

    fn broken<T>(&mut self, fact: &str, seen: &str) -> Result<T, Failure> {
        self.shown.is_broken(fact, seen);
        Err(Failure::NotSo(fact.to_owned()))
    }
}

fn epilogue(shown: &mut Transcript, dir: &Path, took: Duration) {
    shown.chapter("Done");
    let checks = shown.checks();
    shown.tell(&format!(
        "{checks} facts were checked in {} s. The servers are stopped; this is left behind to look at:",
        took.as_secs()
    ));
    let list = [
        ("transcript.html", "all of this, in colour, as one page"),
        ("transcript.txt", "the same as plain text"),
        (
            "orders/",
            "the configuration and the rules the gateway ran with",
        ),
        ("audit/", "the audit log, exported, with its signed heads"),
        ("kept/signing.pub", "the public key that verifies it"),
        ("audit-changed/", "the copy with one byte changed"),
        (
            "replay.txt",
            "the agent's session, replayed with its output",
        ),
        (
            "state/data/recordings/",
            "the same session as it lies on disk, encrypted",
        ),
        ("postgres.log", "what PostgreSQL logged"),
    ];
    let width = list.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = list
        .iter()
        .map(|(name, what)| format!("{name:width$}  {what}"))
        .collect();
    shown.said(&format!("in {}:\n{}", dir.display(), lines.join("\n")));
    shown.tell("To try next:");
    let here = dir.display();
    for line in [
        format!("brattice audit verify {here}/audit --key {here}/kept/signing.pub"),
        format!("brattice policy test {here}/orders"),
        format!(
            "brattice policy explain {here}/orders --agent dev/etl-7 --group dev/agents --group dev/writers \
             --target orders-db --act sql.delete --on app/public.orders"
        ),
    ] {
        shown.typed("$", &line);
    }
    shown.tell("And with a PostgreSQL of your own: README.md, A first session.");
}
