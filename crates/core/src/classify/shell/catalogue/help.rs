//! What the catalogue says of options, held against what the programs that are installed here say themselves.
//!
//! Lives here: reading `--help`, and telling where it and the catalogue differ about which options take a value. Never: what
//! options do.

use super::{KNOWN, OptionSpec, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// Programs whose `--help` lists their options in GNU's way.
const PROGRAMS: &str = "
    ls dir vdir cat tac nl head tail wc stat df du readlink realpath basename dirname md5sum sha1sum sha256sum sha512sum b2sum
    cksum cmp diff sdiff rm rmdir unlink shred truncate mv cp ln mkdir touch mktemp mkfifo chmod chown chgrp tee tar gzip
    gunzip bzip2 xz unxz dd install grep egrep fgrep cut paste fold fmt expand unexpand pr tr uniq sort comm join tsort shuf
    seq od base64 base32 numfmt split csplit nohup nice stdbuf timeout env xargs date printenv uname hostid nproc who users
    id groups logname tty arch sed ionice setsid flock lscpu lsmem findmnt lsblk blkid mountpoint namei column rev hexdump
    getopt losetup fallocate taskset renice dmesg last bunzip2 zstd unzstd mkswap wipefs blkdiscard fdisk fsck chrt swapon
    swapoff mtr slabtop ss fuser pg_dump lsattr getfacl getcap
";
/// Others whose options were compared by reading what they say, and builtins, which say it in no such way.
const COMPARED: &str = "
    git psql systemctl sha224sum sha384sum sum cd pwd umask type which command read
";
/// The same for subcommands of git, which says it with `-h`.
const GIT: &str = "
    add commit checkout switch merge rebase cherry-pick revert branch tag stash notes pull fetch push mv clone archive grep
    reset restore clean rm gc ls-remote ls-files ls-tree status describe for-each-ref show-ref count-objects name-rev
    cat-file worktree/add shortlog blame
";
/// Where the catalogue is right to say something else, with the reason.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("ls", "-p", "short for another option with that value"),
    ("dir", "-p", "short for another option with that value"),
    ("vdir", "-p", "short for another option with that value"),
    (
        "git commit",
        "--fixup",
        "what is in brackets is a part of the value",
    ),
    (
        "git show-ref",
        "-s",
        "shares a list with subcommands that have it without a value",
    ),
    ("git branch", "--merged", "at the end it has none"),
    ("git branch", "--no-merged", "at the end it has none"),
    ("git branch", "--contains", "at the end it has none"),
    ("git branch", "--no-contains", "at the end it has none"),
    ("git tag", "--merged", "at the end it has none"),
    ("git tag", "--no-merged", "at the end it has none"),
    ("git tag", "--contains", "at the end it has none"),
    ("git tag", "--no-contains", "at the end it has none"),
    ("git for-each-ref", "--merged", "at the end it has none"),
    ("git for-each-ref", "--no-merged", "at the end it has none"),
    ("git for-each-ref", "--contains", "at the end it has none"),
    (
        "git for-each-ref",
        "--no-contains",
        "at the end it has none",
    ),
];

/// Options with whether they take a value, as a help text tells it.
fn told(help: &str) -> BTreeMap<String, Option<Value>> {
    let mut all = BTreeMap::new();
    for line in help.lines() {
        let line = line
            .trim_start()
            .replace("[no-]", "")
            .replace("  --", ", --");
        if !line.starts_with('-') {
            continue;
        }
        let options = line.split("  ").next().unwrap_or_default();
        let read: Vec<(String, Option<Value>)> =
            options.split([',', '|']).filter_map(option).collect();
        // Of a short and a long one, often only the long one is shown with the value that both need.
        let shared = match read.as_slice() {
            [(_, None), (_, Some(Value::Needed))] => Some(Value::Needed),
            [_] | [_, _] => None,
            // More of them are told in ways of their own.
            _ => continue,
        };
        let unsure = matches!(read.as_slice(), [(_, None), (_, Some(Value::Attached))]);
        for (at, (name, value)) in read.into_iter().enumerate() {
            let value = value.or(shared).unwrap_or(Value::None);
            let value = (at > 0 || !unsure).then_some(value);
            // Told twice in different ways, it is not compared.
            all.entry(name)
                .and_modify(|known| {
                    if *known != value {
                        *known = None;
                    }
                })
                .or_insert(value);
        }
    }
    all
}

/// `-w`, `--width=COLS`, `--color[=WHEN]`, `-b <branch>`.
fn option(text: &str) -> Option<(String, Option<Value>)> {
    let text = text.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let behind = text.trim_start_matches(plain);
    let name = text.strip_suffix(behind)?;
    if !name.starts_with('-') || name.len() < 2 {
        return None;
    }
    let value = match behind.trim_start().chars().next() {
        Some('[') => Some(Value::Attached),
        Some('=' | '<' | '(') => Some(Value::Needed),
        Some(c) if c.is_ascii_uppercase() => Some(Value::Needed),
        _ => None,
    };
    Some((name.to_owned(), value))
}

fn help(program: &str, args: &[&str]) -> Option<String> {
    let places = ["/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin"];
    let found = places.map(|place| format!("{place}/{program}"));
    let found = found.into_iter().find(|path| Path::new(path).exists())?;
    let output = Command::new(found)
        .args(args)
        .env("LC_ALL", "C")
        .env("COLUMNS", "200")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Some(text)
}

/// What an option of the catalogue is said to be elsewhere.
fn disagreements(program: &str, known: &[OptionSpec], help: &str) -> Vec<String> {
    let told = told(help);
    let allowed = |name: &str| {
        let mut all = ALLOWED.iter();
        all.any(|(of, option, _)| *of == program && *option == name)
    };
    let mut wrongs = Vec::new();
    for spec in known {
        let Some(Some(value)) = told.get(spec.name) else {
            continue;
        };
        // A long one that may have a value has it behind a `=`: where the program takes none, nothing is read otherwise.
        let same = *value == spec.value
            || (spec.name.starts_with("--")
                && (*value, spec.value) == (Value::None, Value::Attached));
        if !same && !allowed(spec.name) {
            wrongs.push(format!(
                "{program} {} takes {value:?}, not {:?}",
                spec.name, spec.value
            ));
        }
    }
    wrongs
}

/// Long options that are not in the catalogue, though they begin as some do that are: they would be taken for those.
fn hidden(program: &str, known: &[OptionSpec], help: &str) -> Vec<String> {
    let told = told(help);
    let is_long = |name: &&String| name.starts_with("--") && name.len() > 2;
    let is_known = |name: &str| known.iter().any(|spec| spec.name == name);
    told.keys()
        .filter(is_long)
        .filter(|name| !is_known(name))
        .filter(|name| {
            known
                .iter()
                .any(|spec| spec.name.starts_with(name.as_str()))
        })
        .map(|name| format!("{program} {name} is not listed"))
        .collect()
}

/// Programs of an entry that is sure of its options.
fn sure() -> Vec<&'static str> {
    let all = KNOWN.programs.iter().filter(|(_, program)| program.sure);
    all.map(|(name, _)| *name).collect()
}

#[test]
fn where_options_are_sure_no_other_is_taken_for_one_of_them() {
    let mut wrongs = Vec::new();
    for name in sure() {
        let (Some(program), Some(help)) = (KNOWN.program(name), help(name, &["--help"])) else {
            continue;
        };
        wrongs.extend(hidden(name, &program.options, &help));
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
}

#[test]
fn where_options_are_sure_they_were_compared() {
    let compared: Vec<&str> = PROGRAMS
        .split_whitespace()
        .chain(COMPARED.split_whitespace())
        .collect();
    let wrongs: Vec<&str> = sure()
        .into_iter()
        .filter(|name| !compared.contains(name))
        .collect();
    assert!(wrongs.is_empty(), "{}", wrongs.join(" "));
}

#[test]
fn options_take_the_values_that_programs_say_they_take() {
    let mut wrongs = Vec::new();
    let mut compared = 0;
    for name in PROGRAMS.split_whitespace() {
        let (Some(program), Some(help)) = (KNOWN.program(name), help(name, &["--help"])) else {
            continue;
        };
        compared += 1;
        wrongs.extend(disagreements(name, &program.options, &help));
    }
    if let Some(git) = KNOWN.program("git") {
        for name in GIT.split_whitespace() {
            let args: Vec<&str> = name.split('/').chain(["-h"]).collect();
            let (Some(sub), Some(help)) = (git.subs.get(name), help("git", &args)) else {
                continue;
            };
            compared += 1;
            wrongs.extend(disagreements(&format!("git {name}"), &sub.options, &help));
        }
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
    assert!(compared >= 40, "{compared} programs are installed here");
}
