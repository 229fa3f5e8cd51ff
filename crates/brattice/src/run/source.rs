//! Where the gateway's bundle is read from.
//!
//! Lives here: the place, and what stands in for parts of it while trying out. Never: what is in it.

use crate::config::{self, Checked, Report};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where a bundle is.
#[derive(Debug, Clone)]
pub struct Source {
    path: PathBuf,
    instead: Option<toml::Table>,
}

/// How a bundle's files looked: the newest change among them, and how many there are.
pub(super) type Look = (Option<SystemTime>, usize);

impl Source {
    /// A bundle's directory, or its `brattice.toml`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            instead: None,
        }
    }

    /// The same, with these tables instead of its own, and read anew whenever a file changes: for trying out.
    pub fn replaced(path: impl Into<PathBuf>, instead: toml::Table) -> Self {
        Self {
            path: path.into(),
            instead: Some(instead),
        }
    }

    /// Reads and checks it.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn read(&self) -> Result<Checked, Report> {
        match &self.instead {
            None => config::load(&self.path),
            Some(instead) => config::load_replaced(&self.path, instead),
        }
    }

    /// Whether a change of a file is a wish to apply it. It is not where several people write several files: half of a
    /// change would come into force.
    pub(super) fn is_followed(&self) -> bool {
        self.instead.is_some()
    }

    /// How its files look now.
    pub(super) fn look(&self) -> Look {
        let root = if self.path.is_dir() {
            Some(self.path.as_path())
        } else {
            self.path.parent()
        };
        let root = root.unwrap_or(Path::new("."));
        let mut look = (None, 0);
        for directory in [root.to_owned(), root.join("policies")] {
            let Ok(entries) = std::fs::read_dir(&directory) else {
                continue;
            };
            for entry in entries.flatten() {
                let is_ours = entry
                    .path()
                    .extension()
                    .is_some_and(|e| e == "toml" || e == "cedar");
                if let (true, Ok(changed)) = (is_ours, entry.metadata().and_then(|m| m.modified()))
                {
                    look.0 = look.0.max(Some(changed));
                    look.1 += 1;
                }
            }
        }
        look
    }
}
