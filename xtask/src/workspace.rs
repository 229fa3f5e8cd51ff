//! Where things are: the repository, its target directory, the tools directory. Reads nothing but paths.

use std::env;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};

/// The paths that commands need.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The repository.
    pub root: PathBuf,
    /// Cargo's target directory.
    pub target: PathBuf,
    /// Fetched tools: `BRATTICE_TOOLS`, or `tools` under the target directory.
    pub tools: PathBuf,
}

impl Workspace {
    /// The workspace that this xtask belongs to.
    pub fn find() -> Outcome<Workspace> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map(PathBuf::from)
            .ok_or_else(|| {
                Failure::usage("run this as `cargo xtask`: cargo tells it where the repository is")
            })?;
        let root = manifest
            .parent()
            .ok_or_else(|| Failure::new("xtask's manifest has no parent directory"))?
            .to_path_buf();
        let target =
            absolute(&root, env::var_os("CARGO_TARGET_DIR")).unwrap_or_else(|| root.join("target"));
        let tools =
            absolute(&root, env::var_os("BRATTICE_TOOLS")).unwrap_or_else(|| target.join("tools"));
        Ok(Workspace {
            root,
            target,
            tools,
        })
    }

    /// A binary that cargo built, in the profile's directory.
    pub fn binary(&self, profile: &str, name: &str) -> PathBuf {
        self.target.join(profile).join(name)
    }
}

fn absolute(root: &Path, path: Option<std::ffi::OsString>) -> Option<PathBuf> {
    path.filter(|path| !path.is_empty())
        .map(|path| root.join(path))
}
