//! This gateway's own name in what it leaves on targets.
//!
//! Lives here: making it once and finding it again. Never: a secret; the name is shown in the targets' own logs.

use super::error::StartError;
use brattice_core::ports::Randomness;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The file that it is in, in the data directory: whoever has the directory is the gateway that the name means.
const FILE: &str = "node-name";
/// Random bytes in it.
const BYTES: usize = 4;

/// The name, made at the first start.
pub(super) fn name(data_dir: &Path, randomness: &dyn Randomness) -> Result<String, StartError> {
    let path = data_dir.join(FILE);
    let fail = |cause| StartError::File {
        path: path.clone(),
        cause,
    };
    match std::fs::read_to_string(&path) {
        Ok(text) if is_name(text.trim()) => return Ok(text.trim().to_owned()),
        Ok(_) => return Err(fail(std::io::Error::other("it holds no node's name"))),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {}
        Err(why) => return Err(fail(why)),
    }
    let mut bytes = [0; BYTES];
    randomness
        .fill(&mut bytes)
        .map_err(|why| fail(std::io::Error::other(why)))?;
    let name = hex::encode(bytes);
    // Written beside and moved: a start that is cut short leaves no half of a name.
    let beside = data_dir.join(format!("{FILE}.new"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .map_err(fail)?;
    file.write_all(name.as_bytes()).map_err(fail)?;
    file.sync_all().map_err(fail)?;
    std::fs::rename(&beside, &path).map_err(fail)?;
    Ok(name)
}

fn is_name(text: &str) -> bool {
    text.len() == BYTES * 2 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::SystemRandomness;

    #[test]
    fn a_name_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let first = name(dir.path(), &SystemRandomness).unwrap();
        assert!(is_name(&first));
        assert_eq!(name(dir.path(), &SystemRandomness).unwrap(), first);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(name(other.path(), &SystemRandomness).unwrap(), first);
        std::fs::write(dir.path().join(FILE), "x' OR true").unwrap();
        assert!(name(dir.path(), &SystemRandomness).is_err());
    }
}
