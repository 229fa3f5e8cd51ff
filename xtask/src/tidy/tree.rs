//! The files that rules look at: every text file of the repository, with its path from the root.

use std::path::Path;

use crate::failure::{Failure, Outcome};

/// One text file.
#[derive(Debug)]
pub struct SourceFile {
    /// From the repository's root, with forward slashes.
    pub path: String,
    pub text: String,
}

impl SourceFile {
    /// The crate that the file belongs to: `core` for `crates/core/src/lib.rs`, `xtask` for its own.
    pub fn crate_name(&self) -> Option<&str> {
        let mut parts = self.path.split('/');
        match parts.next()? {
            "crates" => parts.next(),
            "xtask" => Some("xtask"),
            _ => None,
        }
    }
}

/// Not ours, or not written by people.
const SKIPPED: [&str; 6] = [
    "target",
    ".git",
    "node_modules",
    ".brattice",
    "dist",
    "vendor",
];
/// It names the registry on every line, as cargo writes it.
const LOCK_FILE: &str = "Cargo.lock";

/// Reads the tree; files that are not text are left out.
pub fn read(root: &Path) -> Outcome<Vec<SourceFile>> {
    let mut files = Vec::new();
    walk(root, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(dir: &Path, prefix: &str, files: &mut Vec<SourceFile>) -> Outcome {
    let doing = || format!("reading {}", dir.display());
    for entry in std::fs::read_dir(dir).map_err(|e| Failure::io(doing(), &e))? {
        let entry = entry.map_err(|e| Failure::io(doing(), &e))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(|e| Failure::io(doing(), &e))?;
        if SKIPPED.contains(&name.as_str()) || name == LOCK_FILE {
            continue;
        }
        let path = format!("{prefix}{name}");
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path())
                .map_err(|e| Failure::io(format!("reading {path}"), &e))?;
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(SourceFile { path, text });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_know_their_crate() {
        let file = |path: &str| SourceFile {
            path: path.to_owned(),
            text: String::new(),
        };
        assert_eq!(file("crates/core/src/lib.rs").crate_name(), Some("core"));
        assert_eq!(file("xtask/src/main.rs").crate_name(), Some("xtask"));
        assert_eq!(file("docs/a.md").crate_name(), None);
    }
}
