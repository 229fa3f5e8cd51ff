//! Files that the server's user must own. Nothing here knows what is in them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::{During, PostgresError};
use super::user::User;

/// What a server may need, in KiB, when many run at once.
const MEMORY_AVAILABLE_MIN_KIB: u64 = 4 * 1024 * 1024;
const MEMORY: &str = "/dev/shm";

/// Where servers keep their files: in memory if there is plenty, since a data directory is a thousand small files.
pub(crate) fn quick_dir() -> PathBuf {
    let df = Command::new("df")
        .args(["-k", "--output=avail", MEMORY])
        .output();
    let available = df.ok().and_then(|output| {
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .nth(1)?
            .trim()
            .parse::<u64>()
            .ok()
    });
    if available.is_some_and(|kib| kib >= MEMORY_AVAILABLE_MIN_KIB) {
        PathBuf::from(MEMORY)
    } else {
        std::env::temp_dir()
    }
}

/// Gives a directory to the user, open for others to look into: tests read the log and the certificates there.
pub(crate) fn hand_over(dir: &Path, user: Option<&User>) -> Result<(), PostgresError> {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))
        .during(format!("opening {} to others", dir.display()))?;
    own(dir, user)
}

/// Writes a file that the user owns and only the user may read, as PostgreSQL wants its keys.
pub(crate) fn write(path: &Path, content: &str, user: Option<&User>) -> Result<(), PostgresError> {
    fs::write(path, content).during(format!("writing {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .during(format!("closing {} to others", path.display()))?;
    own(path, user)
}

/// Copies a tree, with permissions and links, to a place that does not exist yet; the user owns the copy.
pub(super) fn copy_tree(from: &Path, to: &Path, user: Option<&User>) -> Result<(), PostgresError> {
    let doing = || format!("copying {}", from.display());
    let meta = from.symlink_metadata().during(doing())?;
    if meta.is_symlink() {
        symlink(fs::read_link(from).during(doing())?, to).during(doing())?;
        return own(to, user);
    }
    if !meta.is_dir() {
        fs::copy(from, to).during(doing())?;
        return own(to, user);
    }
    fs::create_dir(to).during(doing())?;
    for entry in fs::read_dir(from).during(doing())? {
        let entry = entry.during(doing())?;
        copy_tree(&entry.path(), &to.join(entry.file_name()), user)?;
    }
    fs::set_permissions(to, meta.permissions()).during(doing())?;
    own(to, user)
}

fn own(path: &Path, user: Option<&User>) -> Result<(), PostgresError> {
    match user {
        Some(user) => lchown(path, Some(user.uid), Some(user.gid))
            .during(format!("giving {} to the server's user", path.display())),
        None => Ok(()),
    }
}
