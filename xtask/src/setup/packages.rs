//! `packages.txt`: reading it, and probing the machine for what it lists. Installs nothing.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Purpose;
use crate::failure::{Failure, Outcome};
use crate::run;

/// One line of the list.
#[derive(Debug, PartialEq, Eq)]
pub struct Need {
    pub probe: Probe,
    pub package: String,
    pub purposes: Vec<Purpose>,
    pub why: String,
}

/// How to see whether something is there.
#[derive(Debug, PartialEq, Eq)]
pub enum Probe {
    /// A command on PATH.
    Command(String),
    /// A program at this place, which need not be on PATH: ordinary users have no `/usr/sbin` on theirs.
    Program(PathBuf),
    /// A shared library, found where clang-sys looks.
    Library(String),
    /// A PostgreSQL client program that is not only Debian's wrapper.
    PostgresClient(String),
    /// A module of the system's Python.
    PythonModule(String),
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Probe::Command(name) | Probe::PostgresClient(name) => f.write_str(name),
            Probe::Program(path) => write!(f, "{}", path.display()),
            Probe::Library(name) => write!(f, "the library {name}"),
            Probe::PythonModule(name) => write!(f, "Python's module {name}"),
        }
    }
}

/// Reads the list; every line must be understood.
pub fn parse(text: &str) -> Outcome<Vec<Need>> {
    let mut needs = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let (fields, why) = line.split_once('#').unwrap_or((line, ""));
        if fields.trim().is_empty() {
            continue;
        }
        let wrong = || {
            Failure::new(format!(
                "packages.txt line {}: expected `probe package commands # why`, found {line:?}",
                number + 1
            ))
        };
        let mut words = fields.split_whitespace();
        let (Some(probe), Some(package), Some(commands), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(wrong());
        };
        if why.trim().is_empty() {
            return Err(wrong());
        }
        needs.push(Need {
            probe: parse_probe(probe).ok_or_else(wrong)?,
            package: package.to_owned(),
            purposes: parse_purposes(commands).ok_or_else(wrong)?,
            why: why.trim().to_owned(),
        });
    }
    Ok(needs)
}

fn parse_probe(word: &str) -> Option<Probe> {
    match word.split_once(':') {
        None => Some(Probe::Command(word.to_owned())),
        Some(("file", path)) if path.starts_with('/') => Some(Probe::Program(path.into())),
        Some(("lib", name)) => Some(Probe::Library(name.to_owned())),
        Some(("pg", name)) => Some(Probe::PostgresClient(name.to_owned())),
        Some(("py", name)) => Some(Probe::PythonModule(name.to_owned())),
        Some(_) => None,
    }
}

fn parse_purposes(word: &str) -> Option<Vec<Purpose>> {
    if word == "all" {
        return Some(vec![Purpose::Test, Purpose::Demo, Purpose::Bench]);
    }
    word.split(',').map(Purpose::parse).collect()
}

/// What these purposes need and the machine lacks.
pub fn missing<'a>(needs: &'a [Need], purposes: &[Purpose]) -> Vec<&'a Need> {
    needs
        .iter()
        .filter(|need| {
            need.purposes
                .iter()
                .any(|purpose| purposes.contains(purpose))
        })
        .filter(|need| !is_there(&need.probe))
        .collect()
}

fn is_there(probe: &Probe) -> bool {
    match probe {
        Probe::Command(name) => run::on_path(name).is_some(),
        Probe::Program(path) => run::is_executable(path),
        Probe::Library(name) => library_directories()
            .iter()
            .any(|dir| holds_library(dir, name)),
        Probe::PostgresClient(name) => has_postgres_client(name),
        Probe::PythonModule(name) => run::succeeds(
            Command::new("python3").args(["-c", &format!("import {name}, ensurepip")]),
        ),
    }
}

/// Where clang-sys looks, without asking llvm-config (which may not be there).
fn library_directories() -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = [
        "/usr/lib",
        "/usr/lib64",
        "/usr/local/lib",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
    ]
    .iter()
    .map(PathBuf::from)
    .collect();
    dirs.extend(std::env::var_os("LIBCLANG_PATH").map(PathBuf::from));
    for entry in list("/usr/lib") {
        if entry
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("llvm"))
        {
            dirs.push(entry.join("lib"));
        }
    }
    dirs
}

/// `libclang.so`, `libclang-14.so`, or either with a version behind it; `LIBCLANG_PATH` may also name the file.
fn holds_library(dir: &Path, name: &str) -> bool {
    let matches = |path: &Path| {
        let file = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let Some(rest) = file.strip_prefix(name) else {
            return false;
        };
        let rest = rest.trim_start_matches(|c: char| c == '-' || c == '.' || c.is_ascii_digit());
        rest == "so" || rest.starts_with("so.")
    };
    if dir.is_file() {
        return matches(dir);
    }
    list(dir).iter().any(|path| matches(path))
}

/// Debian keeps the programs under a directory per version, and a Perl wrapper of each name on PATH.
fn has_postgres_client(name: &str) -> bool {
    if list("/usr/lib/postgresql")
        .iter()
        .any(|version| run::is_executable(&version.join("bin").join(name)))
    {
        return true;
    }
    run::on_path(name).is_some_and(|path| {
        path.canonicalize()
            .is_ok_and(|real| real.file_name().is_some_and(|file| file != "pg_wrapper"))
    })
}

fn list(dir: impl AsRef<Path>) -> Vec<PathBuf> {
    match std::fs::read_dir(dir) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_probe_package_commands_and_reason() {
        let needs = parse("# a comment\n\nlib:libclang libclang-dev all # bindgen\npgbouncer pgbouncer bench # compare\n").unwrap();
        assert_eq!(needs.len(), 2);
        assert_eq!(needs[0].probe, Probe::Library("libclang".into()));
        assert_eq!(needs[0].purposes.len(), 3);
        assert_eq!(needs[1].purposes, vec![Purpose::Bench]);
        assert_eq!(needs[1].why, "compare");
    }

    #[test]
    fn refuses_lines_it_cannot_read() {
        for line in [
            "cc all # why",
            "cc gcc all",
            "cc gcc sometimes # why",
            "zip:cc gcc all # why",
            "file:cc gcc all # why",
            "cc gcc all x # why",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_repository_s_own_list_is_readable() {
        let needs = parse(include_str!("../../../packages.txt")).unwrap();
        assert!(
            needs
                .iter()
                .any(|need| need.probe == Probe::Library("libclang".into()))
        );
    }

    #[test]
    fn only_what_the_purpose_needs_can_be_missing() {
        let needs = parse("no-such-program nothing bench # why\nsh dash all # why\n").unwrap();
        assert!(missing(&needs, &[Purpose::Test]).is_empty());
        assert_eq!(missing(&needs, &[Purpose::Bench]).len(), 1);
    }

    #[test]
    fn a_program_is_found_where_it_is_said_to_be() {
        let needs = parse("file:/bin/sh dash test # why\nfile:/bin/no-such nothing test # why\n");
        let needs = needs.unwrap();
        let missing = missing(&needs, &[Purpose::Test]);
        assert_eq!(missing, [&needs[1]]);
    }

    #[test]
    fn a_versioned_library_counts_and_a_longer_name_does_not() {
        let dir = std::env::temp_dir().join(format!("xtask-libraries-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("libclang-cpp.so.14"), "").unwrap();
        assert!(!holds_library(&dir, "libclang"));
        std::fs::write(dir.join("libclang-14.so.1"), "").unwrap();
        assert!(holds_library(&dir, "libclang"));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
