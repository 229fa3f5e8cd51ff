//! Where the servers are: the tools directory that `cargo xtask setup` fills. Fetches nothing.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::{During, PostgresError};
use super::files;
use super::user::User;

/// The versions that an ordinary test run has: the oldest that Debian stable still ships, and the newest.
const MAJORS: [u8; 2] = [15, 18];

/// The directory of fetched tools: `BRATTICE_TOOLS`, else `tools` in this workspace's target directory.
pub fn tools_dir() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match env::var_os("BRATTICE_TOOLS").filter(|dir| !dir.is_empty()) {
        Some(dir) => root.join(dir),
        None => match env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty()) {
            Some(target) => root.join(target).join("tools"),
            None => root.join("target/tools"),
        },
    }
}

/// The versions that this test run is about: 15 and 18, or what `BRATTICE_POSTGRES_MAJORS` lists (`13,14,…`), which
/// `cargo xtask test --full` sets. A test that must hold on every version loops over these.
pub fn majors() -> Result<Vec<u8>, PostgresError> {
    match env::var("BRATTICE_POSTGRES_MAJORS") {
        Ok(list) => parse_majors(&list).ok_or(PostgresError::Options {
            reason: "BRATTICE_POSTGRES_MAJORS is not a list like 15,18",
        }),
        Err(_) => Ok(MAJORS.to_vec()),
    }
}

fn parse_majors(list: &str) -> Option<Vec<u8>> {
    list.split(',')
        .map(|major| major.trim().parse().ok())
        .collect()
}

/// One version's programs and libraries.
#[derive(Debug, Clone)]
pub(super) struct Install {
    pub major: u8,
    pub root: PathBuf,
    /// The exact version, as set-up recorded it: a new one must not use an old template.
    pub version: String,
}

impl Install {
    /// The installation of that version in the tools directory.
    pub fn find(major: u8) -> Result<Install, PostgresError> {
        let root = tools_dir().join("postgres").join(major.to_string());
        match fs::read_to_string(root.join(".version")) {
            Ok(version) => Ok(Install {
                major,
                root,
                version,
            }),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                Err(PostgresError::NotInstalled { major, path: root })
            }
            Err(e) => Err(e).during(format!("reading {}", root.display())),
        }
    }

    /// Can this user run it where it is? Not so below a home directory that is closed to others, say.
    pub fn is_within_reach(&self, user: Option<&User>) -> bool {
        let mut probe = Command::new(self.program("postgres"));
        probe
            .arg("--version")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        User::run(user, &mut probe);
        user.is_none() || probe.status().is_ok_and(|status| status.success())
    }

    /// A copy of this installation in `dir`, for a user who cannot reach the original.
    pub fn copied_into(self, dir: &Path, user: Option<&User>) -> Result<Install, PostgresError> {
        let root = dir.join("install");
        files::copy_tree(&self.root, &root, user)?;
        Ok(Install { root, ..self })
    }

    /// A program of this installation; one that it lacks (it has the server alone) is the machine's newest.
    pub fn program(&self, name: &str) -> PathBuf {
        let own = self.root.join("bin").join(name);
        if own.is_file() {
            own
        } else {
            machine_program(name).unwrap_or_else(|| PathBuf::from(name))
        }
    }
}

/// Debian's programs, past the wrapper that is on PATH. A client works with any server that is not newer by its word, and
/// with newer ones as long as no catalogue command of psql is used.
fn machine_program(name: &str) -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_string_lossy().parse().ok()?;
            let program = entry.path().join("bin").join(name);
            program.is_file().then_some((version, program))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, program)| program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_versions_is_read_whole_or_not_at_all() {
        assert_eq!(parse_majors("13, 18"), Some(vec![13, 18]));
        assert_eq!(parse_majors("13,eighteen"), None);
        assert_eq!(parse_majors(""), None);
    }
}
