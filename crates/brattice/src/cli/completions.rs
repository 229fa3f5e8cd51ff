//! `brattice completions`: scripts for shells, made from the command line's own form.
//!
//! Lives here: the scripts. Never: what a command means.

use super::args::{CompletionsArgs, Shell, command};
use super::exit::Failure;
use super::output::Output;
use clap::Command;

pub fn run(args: &CompletionsArgs, out: &mut Output) -> Result<(), Failure> {
    out.line(script(args.shell).trim_end());
    Ok(())
}

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    let mut program = command();
    program.build();
    let mut words = Vec::new();
    collect(&program, "", &mut words);
    match shell {
        Shell::Bash => bash(&words),
        Shell::Zsh => format!(
            "#compdef brattice\nautoload -U +X bashcompinit && bashcompinit\n{}",
            bash(&words)
        ),
        Shell::Fish => fish(&words),
    }
}

/// What can follow a command: its path, subcommands with what they do, options with what they mean.
struct Words {
    path: String,
    commands: Vec<(String, String)>,
    options: Vec<(String, String, bool)>,
}

fn collect(command: &Command, path: &str, into: &mut Vec<Words>) {
    let about = |text: Option<&clap::builder::StyledStr>| {
        text.map(|t| {
            t.to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .replace('\'', "’")
        })
        .unwrap_or_default()
    };
    let commands = command
        .get_subcommands()
        .filter(|c| c.get_name() != "help")
        .map(|c| (c.get_name().to_owned(), about(c.get_about())))
        .collect();
    let options = command
        .get_arguments()
        .filter_map(|a| {
            let long = a.get_long()?;
            Some((
                long.to_owned(),
                about(a.get_help()),
                a.get_action().takes_values(),
            ))
        })
        .collect();
    into.push(Words {
        path: path.to_owned(),
        commands,
        options,
    });
    for below in command.get_subcommands().filter(|c| c.get_name() != "help") {
        collect(below, format!("{path} {}", below.get_name()).trim(), into);
    }
}

fn bash(words: &[Words]) -> String {
    let mut script = String::from(
        "_brattice() {\n    local word path='' i\n    word=\"${COMP_WORDS[COMP_CWORD]}\"\n    \
         for ((i = 1; i < COMP_CWORD; i++)); do\n        case \"$path ${COMP_WORDS[i]}\" in\n",
    );
    for w in words.iter().filter(|w| !w.path.is_empty()) {
        let parent = w.path.rsplit_once(' ').map_or("", |(parent, _)| parent);
        let name = w.path.rsplit(' ').next().unwrap_or_default();
        script.push_str(&format!(
            "            \"{parent} {name}\") path='{}' ;;\n",
            w.path
        ));
    }
    script.push_str("        esac\n    done\n    case \"$path\" in\n");
    for w in words {
        let all: Vec<String> = w
            .commands
            .iter()
            .map(|(name, _)| name.clone())
            .chain(w.options.iter().map(|(name, ..)| format!("--{name}")))
            .collect();
        script.push_str(&format!(
            "        '{}') COMPREPLY=($(compgen -W '{}' -- \"$word\")) ;;\n",
            w.path,
            all.join(" ")
        ));
    }
    script.push_str("    esac\n}\ncomplete -o bashdefault -o default -F _brattice brattice\n");
    script
}

fn fish(words: &[Words]) -> String {
    let mut script = String::from("complete -c brattice -f\n");
    for w in words {
        let condition = if w.path.is_empty() {
            "__fish_use_subcommand".to_owned()
        } else {
            let seen: Vec<String> = w
                .path
                .split(' ')
                .map(|p| format!("__fish_seen_subcommand_from {p}"))
                .collect();
            seen.join("; and ")
        };
        for (name, about) in &w.commands {
            script.push_str(&format!(
                "complete -c brattice -n '{condition}' -a '{name}' -d '{about}'\n"
            ));
        }
        for (name, about, takes_value) in &w.options {
            let value = if *takes_value { " -r -F" } else { "" };
            script.push_str(&format!(
                "complete -c brattice -n '{condition}' -l '{name}'{value} -d '{about}'\n"
            ));
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_completed_in_every_shell() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            for word in [
                "approvals",
                "approve",
                "credential",
                "--token-file",
                "verify",
            ] {
                let bare = word.trim_start_matches('-');
                assert!(script.contains(bare), "{shell:?} {word}");
            }
        }
    }

    #[test]
    fn bash_takes_the_script() {
        let mut bash = std::process::Command::new("bash");
        let Ok(output) = bash
            .arg("-c")
            .arg(format!(
                "{}\nCOMP_WORDS=(brattice approvals ap); COMP_CWORD=2; _brattice; echo \"${{COMPREPLY[@]}}\"",
                script(Shell::Bash)
            ))
            .output()
        else {
            return;
        };
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "approve");
    }
}
