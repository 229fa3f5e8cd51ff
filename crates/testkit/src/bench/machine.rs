//! What the measurements run on, for whoever reads the figures. Nothing here measures.

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
