//! What the measurements run on, for whoever reads the figures. Nothing here measures.

use super::error::{BenchError, During};
use std::path::Path;
use std::process::Command;

/// Processors that this process may use.
pub(super) fn cores() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.to_string()
}

/// What holds this directory; empty where that cannot be told.
pub(super) fn file_system(dir: &Path) -> String {
    Command::new("df")
        .arg("--output=fstype")
        .arg(dir)
        .output()
        .ok()
        .and_then(|output| {
            let out = String::from_utf8_lossy(&output.stdout);
            Some(out.lines().nth(1)?.trim().to_owned())
        })
        .unwrap_or_default()
}

/// What a directory takes of the disk, all below it included, in KiB.
pub(super) fn on_disk_kib(dir: &Path) -> Result<u64, BenchError> {
    let mut du = Command::new("du");
    let output = du.arg("-sk").arg(dir).output().during("running du")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let kib = said.split_whitespace().next().and_then(|n| n.parse().ok());
    kib.ok_or_else(|| BenchError::Program {
        what: format!("du -sk {}", dir.display()),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
