//! Fuzz targets: command lines made from the corpora, held against what must be true of any, and against real shells.

use crate::corpus::{BASH, EVASIONS, HONEST, SHELLS, cases, said};
use crate::oracle::{Scratch, installed, is_safe, was_said};
use brattice_core::action::Effect;
use brattice_core::classify::shell::{Judged, Shell, Understanding, canonical};
use brattice_fuzz::{Fuzz, digest};
use std::cell::Cell;
use std::collections::BTreeSet;

const WORDS: &[&str] = &[
    "rm -rf x",
    "$(",
    ")",
    "`",
    "${x}",
    "$x",
    "\"",
    "'",
    "\\",
    "\n",
    ";",
    "&&",
    "||",
    "|",
    "&",
    "<",
    ">",
    "2>&1",
    "<<E\n",
    "\nE\n",
    "{",
    "}",
    "{a,b}",
    "if ",
    "; then ",
    "; fi",
    "for i in ",
    "; do ",
    "; done",
    "case x in ",
    ") ",
    ";;",
    " esac",
    "eval ",
    "sh -c '",
    "xargs ",
    "find . -exec ",
    " {} +",
    " \\;",
    "--",
    "-",
    "=",
    "~",
    "*",
    "[",
    "$'\\n'",
    "#",
    "!",
    "PATH=",
    "x=",
    "((",
    "$((1))",
    "env ",
    "sudo ",
    "<(",
    "\t",
];

#[test]
fn fuzz_shell_understand() {
    let mut fuzz = Fuzz::new("shell-understand", env!("CARGO_MANIFEST_DIR"))
        .words(WORDS)
        .smoke(1_500);
    for text in [HONEST, BASH, EVASIONS] {
        for case in cases(text) {
            fuzz = fuzz.seed(&case.line);
        }
    }
    fuzz.run(|input, rng| {
        let shell = SHELLS[rng.below(SHELLS.len())];
        let Ok(text) = std::str::from_utf8(input) else {
            return Ok(1);
        };
        let Understanding::Understood { commands } = said(text, shell) else {
            return Ok(2);
        };
        hides_nothing_behind_it(text, shell, &commands)?;
        is_the_same_in_a_group(text, shell, &commands)?;
        for judged in &commands {
            reads_back(judged, shell)?;
        }
        Ok(digest(effects(&commands)))
    });
}

/// What of a line may lead out of the directory, or away from the programs that do nothing.
const LEADS_OUT: &[&str] = &[
    "/", "..", "PATH", "path", "~", "HOME", "env", "exec", "command", "kill", "cd", "unset",
    "builtin", "PWD", "hash", "source", "ulimit", "umask", "suspend", "logout", "login", "-l",
    "coproc", "enable", "fc", "mod",
];

/// Real shells run what was made, in a directory and with programs that do nothing: what they run was said.
fn held_against(name: &'static str, shell: Shell, target: &'static str) {
    let path = installed(name);
    let programs =
        "rm ls cat tee echo sort grep find xargs sudo nice timeout sh bash tar git wc head"
            .split(' ');
    let programs: BTreeSet<String> = programs.map(str::to_owned).collect();
    let scratch = Scratch::new(target, &programs, &[]);
    let number = Cell::new(0);
    let mut fuzz = Fuzz::new(target, env!("CARGO_MANIFEST_DIR"))
        .words(WORDS)
        .smoke(60);
    let seeds = [HONEST, BASH, EVASIONS].map(cases).into_iter().flatten();
    for case in seeds.filter(|case| case.line.len() < 24).step_by(3) {
        fuzz = fuzz.seed(&case.line);
    }
    fuzz.run(|input, _| {
        let Ok(text) = std::str::from_utf8(input) else {
            return Ok(1);
        };
        let Understanding::Understood { commands } = said(text, shell) else {
            return Ok(2);
        };
        if LEADS_OUT.iter().any(|word| text.contains(word)) || !is_safe(text, &commands) {
            return Ok(3);
        }
        number.set(number.get() + 1);
        for call in scratch.ran(number.get(), &path, text) {
            if !commands.iter().any(|judged| was_said(&judged.argv, &call)) {
                return Err(format!("{text}\n  ran {call:?}\n  said {commands:?}"));
            }
        }
        Ok(digest(effects(&commands)))
    });
}

#[test]
fn fuzz_shell_dash() {
    held_against("dash", Shell::Sh, "shell-dash");
}

#[test]
fn fuzz_shell_bash() {
    held_against("bash", Shell::Bash, "shell-bash");
}

#[test]
fn fuzz_shell_zsh() {
    held_against("zsh", Shell::Zsh, "shell-zsh");
}

fn effects(commands: &[Judged]) -> Vec<(Effect, bool)> {
    commands
        .iter()
        .map(|judged| (judged.effect, judged.files.is_empty()))
        .collect()
}

fn hides_nothing_behind_it(text: &str, shell: Shell, commands: &[Judged]) -> Result<(), String> {
    let both = said(&format!("{text}\nrm x"), shell);
    match &both {
        Understanding::Understood { commands: more } => {
            let last = more.last().is_some_and(|judged| judged.program == "rm");
            if last && more.len() > commands.len() {
                Ok(())
            } else {
                Err(format!("what follows is hidden: {both:?}"))
            }
        }
        Understanding::Unknown { .. } => Ok(()),
    }
}

/// The same programs with the same arguments, and never milder: in a group, less is known of the directory it works in.
fn is_the_same_in_a_group(text: &str, shell: Shell, commands: &[Judged]) -> Result<(), String> {
    let Understanding::Understood { commands: again } = said(&format!("{{ {text}\n}}"), shell)
    else {
        return Ok(());
    };
    let same = |(one, other): (&Judged, &Judged)| {
        one.argv == other.argv && one.program == other.program && one.effect <= other.effect
    };
    match commands.len() == again.len() && commands.iter().zip(&again).all(same) {
        true => Ok(()),
        false => Err(format!("a group changes it: {commands:?} {again:?}")),
    }
}

/// What is written down of literal arguments is read back as the same arguments.
fn reads_back(judged: &Judged, shell: Shell) -> Result<(), String> {
    let is_literal = judged.argv.iter().all(|arg| arg.literal().is_some());
    if !is_literal || judged.argv.is_empty() || judged.program.ends_with('=') {
        return Ok(());
    }
    let line = canonical(&judged.argv);
    match said(&line, shell) {
        Understanding::Understood { commands } if commands[0].argv == judged.argv => Ok(()),
        // What was put into quotes may hold what is not read from the outside.
        Understanding::Unknown { .. } => Ok(()),
        other => Err(format!("{line} is read back as {other:?}")),
    }
}
