//! Real shells as the oracle: what they run of a command line must be what was said of it.
//!
//! Each understood line of the corpora is run in an empty directory by `dash` or `bash`, with programs that do nothing but
//! write down what they were called with. A shell that is not installed is left out, and said so.

use crate::corpus::{BASH, EVASIONS, EVERYDAY, HONEST, cases, said};
use brattice_core::action::Effect;
use brattice_core::classify::shell::{Arg, Judged, Shell, Understanding};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Commands that act on more than the directory, or read what lies outside of it.
const NOT_RUN: &[&str] = &[
    "command", "kill", "source", ".", "suspend", "ulimit", "umask", "logout",
];
/// Programs that are what they are in the second run, so that what they run in turn is seen.
const REAL: &[&str] = &[
    "env", "nice", "nohup", "timeout", "setsid", "stdbuf", "xargs", "sh", "bash", "time",
];
const SECONDS_MAX: &str = "1";
/// Where a program writes down what it was called with: another directory for each line, so that one that is late is not
/// taken for one of the next line.
const LOG: &str = "BRATTICE_TEST_LOG";

pub struct Scratch {
    home: PathBuf,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.home);
    }
}

impl Scratch {
    pub fn new(name: &str, programs: &BTreeSet<String>, real: &[&str]) -> Self {
        let home =
            std::env::temp_dir().join(format!("brattice-shell-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&home);
        for folder in ["bin", "log", "work"] {
            fs::create_dir_all(home.join(folder)).unwrap();
        }
        let stub = format!(
            "#!/bin/sh\nprintf '%s\\0' \"${{0##*/}}\" \"$@\" >> \"${LOG}/$$\"\nprintf '\\0\\1\\0' >> \"${LOG}/$$\"\n"
        );
        for program in programs {
            let file = home.join("bin").join(program);
            if real.contains(&program.as_str()) {
                let found = ["/bin", "/usr/bin"].map(|place| Path::new(place).join(program));
                if let Some(found) = found.iter().find(|path| path.exists()) {
                    std::os::unix::fs::symlink(found, &file).unwrap();
                    continue;
                }
            }
            fs::write(&file, &stub).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { home }
    }

    /// What was run of a line. The number tells it from others.
    pub fn ran(&self, number: usize, shell: &str, line: &str) -> Vec<Vec<String>> {
        let log = self.home.join("log").join(number.to_string());
        let work = self.home.join("work").join(number.to_string());
        for place in [&work, &log] {
            fs::create_dir(place).unwrap();
        }
        // What an earlier line left behind is of no use.
        if let Some(before) = number.checked_sub(64) {
            for place in ["log", "work"] {
                let _ = fs::remove_dir_all(self.home.join(place).join(before.to_string()));
            }
        }
        for name in ["a.txt", "b.txt", "x.log"] {
            fs::write(work.join(name), "one\ntwo\n").unwrap();
        }
        // By its path: what is in `bin` may go by the same name.
        let timeout = installed("timeout");
        let _ = Command::new(timeout)
            .args(["-s", "KILL", SECONDS_MAX, shell, "-c", line])
            .env_clear()
            .env("PATH", self.home.join("bin"))
            .env("HOME", &work)
            .env(LOG, &log)
            .current_dir(&work)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("timeout runs");
        let mut all = Vec::new();
        for file in fs::read_dir(&log).unwrap() {
            let text = fs::read(file.unwrap().path()).unwrap();
            let text = String::from_utf8_lossy(&text).into_owned();
            for call in text.split("\0\u{1}\0") {
                let call = call.strip_suffix('\0').unwrap_or(call);
                if !call.is_empty() {
                    all.push(call.split('\0').map(str::to_owned).collect());
                }
            }
        }
        all
    }
}

/// What a shell is asked to run: of the everyday lines, which are many, bash all, and the others a third each.
fn lines(shell: Shell) -> Vec<String> {
    let (step, skip) = match shell {
        Shell::Bash | Shell::Forced => (1, 0),
        Shell::Sh => (3, 0),
        Shell::Zsh => (3, 1),
    };
    let everyday = cases(EVERYDAY).into_iter().skip(skip).step_by(step);
    let others = [HONEST, BASH, EVASIONS].map(cases).into_iter().flatten();
    others.chain(everyday).map(|case| case.line).collect()
}

/// Where a program is.
pub fn installed(name: &str) -> String {
    let found = ["/bin", "/usr/bin"].map(|place| format!("{place}/{name}"));
    let found = found.into_iter().find(|path| Path::new(path).exists());
    found.unwrap_or_else(|| panic!("{name} is not installed: cargo xtask setup test"))
}

/// Whether running a line with programs that do nothing leaves everything outside of the directory alone.
pub fn is_safe(line: &str, commands: &[Judged]) -> bool {
    let changes_directory = commands.iter().any(|judged| judged.program == "cd");
    commands.iter().all(|judged| {
        let inside = judged.files.iter().all(|file| match &file.path {
            _ if file.effect == Effect::Read => true,
            Arg::Exact(path) => {
                !path.starts_with('/') && !path.contains("..") && !changes_directory
            }
            _ => false,
        });
        let named = !judged.program.contains('/') && !judged.program.ends_with('=');
        // Without a path, programs would be looked for where the system keeps its own.
        let clears = judged.program == "env" || judged.program == "exec";
        let options = judged.argv.iter().filter_map(Arg::literal);
        let cleared = clears && options.clone().any(|arg| arg.starts_with('-'));
        // A login shell sets the path anew.
        let logs_in = ["sh", "bash"].contains(&judged.program.as_str())
            && options
                .clone()
                .any(|arg| arg.starts_with('-') && arg.contains('l'));
        // A text that is not part of the line, or what a shell computes: said to be open, and so it is.
        let is_open = judged.effect == Effect::Execute
            && REAL
                .iter()
                .chain(&["test", "["])
                .any(|name| *name == judged.program);
        let sets = ["export", "unset", "read", "printf"].contains(&judged.program.as_str())
            && judged.effect == Effect::Execute;
        inside
            && named
            && !cleared
            && !logs_in
            && !is_open
            && !sets
            && !NOT_RUN.contains(&judged.program.as_str())
    }) && !line.contains("/bin/")
}

/// Whether a call is one of those that were said.
pub fn was_said(said: &[Arg], call: &[String]) -> bool {
    match (said.split_first(), call.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((arg, rest)), None) => arg.is_many() && was_said(rest, call),
        (Some((arg, rest)), Some((given, others))) if arg.is_many() => {
            was_said(rest, call)
                || (arg.covers(given) && was_said(said, others))
                || was_said(rest, others)
        }
        (Some((arg, rest)), Some((given, others))) => arg.covers(given) && was_said(rest, others),
    }
}

/// Runs what is understood; gives how many lines ran, and what was run without having been said.
fn compared(name: &str, shell: Shell, real: &[&str]) -> (usize, usize, String) {
    let path = installed(name);
    let mut programs: BTreeSet<String> = BTreeSet::new();
    let mut understood = Vec::new();
    for line in lines(shell) {
        if let Understanding::Understood { commands } = said(&line, shell) {
            let names = commands.iter().map(|judged| judged.program.clone());
            programs.extend(
                names.filter(|name| !name.is_empty() && !name.contains(['/', '=', '\n', '.'])),
            );
            understood.push((line, commands));
        }
    }
    for always in ["rm", "ls", "cat", "tee"] {
        programs.insert(always.to_owned());
    }
    let scratch = Scratch::new(&format!("{name}-{}", real.len()), &programs, real);
    let (mut ran, mut calls, mut wrongs) = (0, 0, String::new());
    let runs_others = |judged: &Judged| REAL.contains(&judged.program.as_str());
    for (line, commands) in understood {
        // Only where one of them is there does the second run show more than the first.
        let shows_more = real.is_empty() || commands.iter().any(runs_others);
        if !shows_more || !is_safe(&line, &commands) {
            continue;
        }
        ran += 1;
        for call in scratch.ran(ran, &path, &line) {
            calls += 1;
            if !commands.iter().any(|judged| was_said(&judged.argv, &call)) {
                wrongs += &format!("{line}\n  ran {call:?}\n  said {commands:?}\n");
            }
        }
    }
    (ran, calls, wrongs)
}

fn hold_against(name: &str, shell: Shell, real: &[&str], ran_min: usize) {
    let (ran, calls, wrongs) = compared(name, shell, real);
    println!("{name}: {ran} lines ran {calls} programs");
    assert!(wrongs.is_empty(), "{wrongs}");
    assert!(ran >= ran_min && calls >= ran_min, "{ran} {calls}");
}

#[test]
fn dash_runs_what_was_said() {
    hold_against("dash", Shell::Sh, &[], 250);
}

#[test]
fn dash_runs_what_was_said_within_programs_that_run_others() {
    hold_against("dash", Shell::Sh, REAL, 45);
}

#[test]
fn bash_runs_what_was_said() {
    hold_against("bash", Shell::Bash, &[], 250);
}

#[test]
fn bash_runs_what_was_said_within_programs_that_run_others() {
    hold_against("bash", Shell::Bash, REAL, 45);
}

#[test]
fn zsh_runs_what_was_said() {
    hold_against("zsh", Shell::Zsh, &[], 200);
}

#[test]
fn shells_take_the_grammar_of_what_is_understood() {
    let mut wrongs = String::new();
    for (name, shell) in [
        ("dash", Shell::Sh),
        ("bash", Shell::Bash),
        ("zsh", Shell::Zsh),
    ] {
        let path = installed(name);
        for line in lines(shell) {
            let Understanding::Understood { .. } = said(&line, shell) else {
                continue;
            };
            let checked = Command::new(&path)
                .args(["-n", "-c", &line])
                .output()
                .unwrap();
            // A line that begins with `!` is answered with a failure by some shells.
            if !checked.status.success() && !checked.stderr.is_empty() {
                wrongs += &format!(
                    "{name}: {line}\n  {}",
                    String::from_utf8_lossy(&checked.stderr)
                );
            }
        }
    }
    assert!(wrongs.is_empty(), "{wrongs}");
}
