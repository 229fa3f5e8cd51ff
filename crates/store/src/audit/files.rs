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

/// The files of a log that can be given away, segments in order.
pub fn files(dir: &Path) -> io::Result<Vec<LogFile>> {
    let mut names = vec![SIGNING_PUB.to_owned(), HEADS.to_owned()];
    names.extend(
        segments_in(dir)?
            .into_iter()
            .map(|(first, _)| segment::file_name(first)),
    );
    names
        .into_iter()
        .map(|name| {
            let bytes = std::fs::metadata(dir.join(&name))?.len();
            Ok(LogFile { name, bytes })
        })
        .collect()
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
