//! The files that somebody needs who checks the log elsewhere.
//!
//! Lives here: their names and bytes. Never: the signing key, or a path that the caller composed.

use super::head::{HEADS, SIGNING_PUB};
use super::{segment, segments_in};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// A segment, the signed heads, or the public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Its name, without a directory.
    pub name: String,
    /// Its length now. Segments and heads only grow.
    pub bytes: u64,
}

/// The files of a log that can be given away, segments in order. Their lengths fit together: the heads are measured
/// before the segments, so that no head up to its length vouches for an entry beyond theirs.
pub fn files(dir: &Path) -> io::Result<Vec<LogFile>> {
    let measured = |name: String| -> io::Result<LogFile> {
        let bytes = std::fs::metadata(dir.join(&name))?.len();
        Ok(LogFile { name, bytes })
    };
    let mut files = vec![
        measured(SIGNING_PUB.to_owned())?,
        measured(HEADS.to_owned())?,
    ];
    for (first, _) in segments_in(dir)? {
        files.push(measured(segment::file_name(first))?);
    }
    Ok(files)
}

/// Bytes of one of them from an offset on, at most so many; `None` if there is no such file to give.
pub fn read_file(
    dir: &Path,
    name: &str,
    offset: u64,
    bytes_max: usize,
) -> io::Result<Option<Vec<u8>>> {
    let is_segment = segment::first_of(Path::new(name)).is_some_and(|first| {
        // Composed anew, so that nothing but digits of the caller's text reaches the file system.
        segment::file_name(first) == name
    });
    if !is_segment && name != HEADS && name != SIGNING_PUB {
        return Ok(None);
    }
    let mut file = match File::open(dir.join(name)) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    file.take(most).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
