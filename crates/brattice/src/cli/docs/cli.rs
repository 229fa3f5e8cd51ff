//! The command line's document.

use super::super::args::command;
use super::super::exit::Exit;
use super::cell;
use clap::Command;
use clap::builder::StyledStr;
use std::fmt::Write;

/// The document.
pub fn document() -> String {
    let mut program = command();
    program.build();
    let mut text = String::from("# Command line\n\n");
    let about = sentence(program.get_about());
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{about}\n");
    text.push_str("## Options of every command\n\n");
    options(&program, true, &mut text);
    for command in program.get_subcommands().filter(|c| c.get_name() != "help") {
        section(command, "brattice", 2, &mut text);
    }
    text.push_str("## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (exit, meaning) in Exit::ALL {
        let _ = writeln!(text, "| {} | {} |", exit.code(), cell(meaning));
    }
    text
}

fn section(command: &Command, parent: &str, depth: usize, text: &mut String) {
    let path = format!("{parent} {}", command.get_name());
    let about = sentence(command.get_about());
    let _ = writeln!(text, "{} `{path}`\n\n{about}\n", "#".repeat(depth));
    let below: Vec<&Command> = command
        .get_subcommands()
        .filter(|c| c.get_name() != "help")
        .collect();
    let own =
        |a: &&clap::Arg| !a.is_global_set() && !matches!(a.get_id().as_str(), "help" | "version");
    if below.is_empty() || command.get_arguments().any(|a| own(&a)) {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").trim();
        let _ = writeln!(text, "```\n{usage}\n```\n");
        options(command, false, text);
    }
    if let Some(examples) = command.get_after_help() {
        let lines: Vec<String> = examples
            .to_string()
            .lines()
            .skip(1)
            .map(|l| l.trim().to_owned())
            .collect();
        let _ = writeln!(text, "```sh\n{}\n```\n", lines.join("\n"));
    }
    for command in below {
        section(command, &path, depth + 1, text);
    }
}

fn options(command: &Command, global: bool, text: &mut String) {
    let mut rows = Vec::new();
    for argument in command.get_arguments() {
        let id = argument.get_id().as_str();
        if argument.is_global_set() != global
            || id == "help"
            || id == "version"
            || argument.is_hide_set()
        {
            continue;
        }
        let takes = argument.get_action().takes_values();
        let value = argument
            .get_value_names()
            .and_then(|names| names.first())
            .map(ToString::to_string)
            .unwrap_or_default();
        let name = match (argument.get_long(), takes) {
            (Some(long), true) => format!("`--{long} {value}`"),
            (Some(long), false) => format!("`--{long}`"),
            (None, _) => format!("`{value}`"),
        };
        let default: Vec<String> = argument
            .get_default_values()
            .iter()
            .filter(|_| takes)
            .map(|v| v.to_string_lossy().into_owned())
            .collect();
        let mut about = sentence(argument.get_help());
        if !default.is_empty() {
            let _ = write!(about, " Default: `{}`.", default.join(" "));
        }
        if let Some(variable) = argument.get_env() {
            let _ = write!(about, " Environment: `{}`.", variable.to_string_lossy());
        }
        rows.push(format!("| {name} | {} |", cell(&about)));
    }
    if !rows.is_empty() {
        let _ = writeln!(
            text,
            "| option | meaning |\n|---|---|\n{}\n",
            rows.join("\n")
        );
    }
}

/// Help as a whole sentence: the full stop that the command line leaves out is put back.
fn sentence(help: Option<&StyledStr>) -> String {
    let text = help.map(ToString::to_string).unwrap_or_default();
    if text.is_empty() || text.ends_with(['.', '!', '?']) {
        text
    } else {
        format!("{text}.")
    }
}
