//! Initialised data directories: initdb takes seconds, a copy of its result takes a tenth of one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::SUPERUSER;
use super::error::{During, PostgresError};
use super::files;
use super::install::{Install, tools_dir};
use super::user::User;

/// Changes whenever the arguments to initdb do, so that no old template is used.
const REVISION: u32 = 1;

/// Puts a fresh data directory at `data`, owned by the user.
pub(super) fn copy_to(
    install: &Install,
    user: Option<&User>,
    data: &Path,
) -> Result<(), PostgresError> {
    let template = ensure(install, user)?;
    files::copy_tree(&template, data, user)
}

/// The template of this version, made by whoever comes first; the others wait.
fn ensure(install: &Install, user: Option<&User>) -> Result<PathBuf, PostgresError> {
    let home = tools_dir().join("postgres");
    let template = home.join(format!("template-{}-{REVISION}", install.version));
    if template.is_dir() {
        return Ok(template);
    }
    let lock = File::create(home.join(format!(".template-{}.lock", install.major)))
        .during("creating the lock of the template data directory")?;
    lock.lock()
        .during("waiting for the template data directory")?;
    if template.is_dir() {
        return Ok(template);
    }
    let workshop = tempfile::Builder::new()
        .prefix("brattice-initdb-")
        .tempdir_in(files::quick_dir())
        .during("creating a directory for initdb")?;
    files::hand_over(workshop.path(), user)?;
    let fresh = workshop.path().join("data");
    initialise(install, user, workshop.path(), &fresh)?;
    // Copied beside its final place first: what has the final name is complete.
    let partial = home.join(format!(".template-{}.partial", install.major));
    if partial.exists() {
        fs::remove_dir_all(&partial).during("removing an unfinished template data directory")?;
    }
    files::copy_tree(&fresh, &partial, None)?;
    fs::rename(&partial, &template).during("putting the template data directory in place")?;
    Ok(template)
}

fn initialise(
    install: &Install,
    user: Option<&User>,
    dir: &Path,
    data: &Path,
) -> Result<(), PostgresError> {
    let mut initdb = Command::new(install.program("initdb"));
    initdb
        .args([
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--wal-segsize=1",
        ])
        .args(["--username", SUPERUSER, "--pgdata"])
        .arg(data)
        .env("LD_LIBRARY_PATH", install.root.join("lib"))
        .current_dir(dir)
        .stdin(Stdio::null());
    User::run(user, &mut initdb);
    let output = initdb.output().during("running initdb")?;
    if output.status.success() {
        return Ok(());
    }
    Err(PostgresError::Failed {
        what: format!("initdb of PostgreSQL {}", install.major),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
