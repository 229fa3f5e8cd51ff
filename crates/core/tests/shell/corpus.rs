//! The corpora: honest command lines, and those that do more than they seem to. Both only grow.

use brattice_core::action::Effect;
use brattice_core::classify::shell::{Shell, ShellLimits, Understanding, understand};

pub const HONEST: &str = include_str!("corpus/honest.txt");
pub const BASH: &str = include_str!("corpus/bash.txt");
pub const EVASIONS: &str = include_str!("corpus/evasions.txt");
/// What people and agents run on hosts, day in, day out.
pub const EVERYDAY: &str = include_str!("corpus/everyday.txt");
/// The shells that a target can declare.
pub const SHELLS: [Shell; 3] = [Shell::Sh, Shell::Bash, Shell::Zsh];

pub struct Case {
    pub effect: Effect,
    pub line: String,
}

pub fn cases(text: &str) -> Vec<Case> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (effect, line) = line.split_once(' ').expect("an effect and a command line");
            let effect = serde_json::from_str(&format!("{effect:?}")).expect("an effect");
            let line = line.replace('⏎', "\n").replace('␍', "\r");
            Case { effect, line }
        })
        .collect()
}

pub fn said(line: &str, shell: Shell) -> Understanding {
    understand(line.as_bytes(), shell, &ShellLimits::default())
}

fn wrongs(
    cases: &[Case],
    shells: &[Shell],
    right: impl Fn(Effect, Effect, Shell) -> bool,
) -> String {
    let mut wrongs = String::new();
    for case in cases {
        for shell in shells {
            let understood = said(&case.line, *shell);
            if !right(understood.effect(), case.effect, *shell) {
                let effect = understood.effect();
                wrongs += &format!("{shell:?} {effect} {}: {understood:?}\n", case.line);
            }
        }
    }
    wrongs
}

#[test]
fn honest_lines_have_the_effect_that_they_have() {
    let all = cases(HONEST);
    assert!(all.len() >= 300, "{}", all.len());
    let found = wrongs(&all, &[Shell::Sh, Shell::Bash], |found, is, _| found == is);
    assert!(found.is_empty(), "{found}");
}

#[test]
fn everyday_lines_have_the_effect_that_they_have() {
    let all = cases(EVERYDAY);
    assert!(all.len() >= 2_000, "{}", all.len());
    let found = wrongs(&all, &[Shell::Bash], |found, is, _| found == is);
    assert!(found.is_empty(), "{found}");
    let found = wrongs(&all, &[Shell::Sh, Shell::Zsh], |found, is, _| found >= is);
    assert!(found.is_empty(), "{found}");
}

#[test]
fn honest_lines_are_never_taken_for_milder_in_zsh() {
    let found = wrongs(&cases(HONEST), &[Shell::Zsh], |found, is, _| found >= is);
    assert!(found.is_empty(), "{found}");
    let understood = |case: &&Case| said(&case.line, Shell::Zsh).effect() == case.effect;
    let all = cases(HONEST);
    let share = all.iter().filter(understood).count() * 100 / all.len();
    assert!(share >= 85, "{share} in a hundred");
}

#[test]
fn what_only_bash_has_is_understood_there_and_nowhere_else() {
    let all = cases(BASH);
    let found = wrongs(&all, &[Shell::Bash], |found, is, _| found == is);
    assert!(found.is_empty(), "{found}");
    let found = wrongs(&all, &[Shell::Sh], |found, _, _| found == Effect::Unknown);
    assert!(found.is_empty(), "{found}");
    let found = wrongs(&all, &[Shell::Zsh], |found, is, _| found >= is);
    assert!(found.is_empty(), "{found}");
}

#[test]
fn evasions_are_never_taken_for_milder() {
    let all = cases(EVASIONS);
    assert!(all.len() >= 150, "{}", all.len());
    let found = wrongs(&all, &SHELLS, |found, is, _| found >= is);
    assert!(found.is_empty(), "{found}");
}

#[test]
fn nothing_is_understood_behind_a_forced_command() {
    for case in cases(HONEST) {
        assert_eq!(said(&case.line, Shell::Forced).effect(), Effect::Unknown);
    }
}
