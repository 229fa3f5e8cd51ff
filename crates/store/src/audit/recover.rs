//! Opening a log: is what is there whole, and where does the chain go on?
//!
//! Lives here: the check of the tail, and the cut of an entry whose writing never finished. Never: any other change.

use super::head::{self, HEADS, Head, PublicKey};
use super::segment::{self, BadHeader, Next, SegmentHeader, SegmentReader};
use super::{OpenError, segments_in};
use brattice_core::ids::Digest;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// What opening a log found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Entries in the chain.
    pub entries: u64,
    /// Bytes of an unfinished last write that were cut off.
    pub cut_bytes: u64,
}

/// Where the chain goes on.
pub(crate) struct End {
    /// The segment to go on in; `None` when a new one must be begun.
    pub(crate) segment: Option<PathBuf>,
    /// Its length in bytes.
    pub(crate) bytes: u64,
    /// Position of its first entry.
    pub(crate) first: u64,
    /// Position of the next entry.
    pub(crate) next: u64,
    /// The chain before it.
    pub(crate) chain: Digest,
    /// What was cut.
    pub(crate) cut_bytes: u64,
    /// The newest signed head.
    pub(crate) newest: Option<Head>,
}

/// Checks the last segment and what it joins, and cuts a torn last entry.
pub(crate) fn recover(dir: &Path, node: &str, key: PublicKey) -> Result<End, OpenError> {
    let newest = newest_head(dir, node, key)?;
    let signed = newest.as_ref().map_or(0, |h| h.entries);
    let mut cut_bytes = 0;
    let list = || segments_in(dir).map_err(|e| OpenError::io("list the segments", dir, e));
    let mut segments = list()?;
    if let Some((first, path)) = segments.last()
        && let Some(bytes) = never_begun(path, *first, signed)?
    {
        cut_bytes += bytes;
        segments = list()?;
    }
    let Some((first, path)) = segments.last() else {
        let start = End {
            segment: None,
            bytes: 0,
            first: 0,
            next: 0,
            chain: segment::genesis(node),
            cut_bytes,
            newest,
        };
        return at_least(start);
    };
    let before = segments.iter().rev().nth(1).map(|(_, path)| path.as_path());
    let previous = chain_before(node, *first, before)?;
    let mut end = scan(path, node, *first, previous, newest)?;
    end.cut_bytes += cut_bytes;
    at_least(end)
}

fn newest_head(dir: &Path, node: &str, key: PublicKey) -> Result<Option<Head>, OpenError> {
    let newest = head::newest(&dir.join(HEADS))?;
    match &newest {
        Some(head) if !head.is_signed_by(&key) => Err(OpenError::Heads(
            "its last head is not signed with this log's key".to_owned(),
        )),
        Some(head) if head.node != node => Err(OpenError::OtherNode {
            expected: node.to_owned(),
            found: head.node.clone(),
        }),
        _ => Ok(newest),
    }
}

fn at_least(end: End) -> Result<End, OpenError> {
    match &end.newest {
        Some(head) if head.entries > end.next => Err(OpenError::Truncated {
            entries: end.next,
            signed: head.entries,
        }),
        _ => Ok(end),
    }
}

/// Removes a segment that was being made when the process died: its header is not whole, so nothing is in it.
fn never_begun(path: &Path, first: u64, signed: u64) -> Result<Option<u64>, OpenError> {
    if signed > first || !matches!(SegmentReader::open(path), Err(BadHeader::Short)) {
        return Ok(None);
    }
    let remove = || {
        let bytes = std::fs::metadata(path)?.len();
        std::fs::remove_file(path).map(|()| bytes)
    };
    remove()
        .map(Some)
        .map_err(|e| OpenError::io("remove an empty segment", path, e))
}

/// The chain before the last segment: the last bytes of the one before it.
fn chain_before(
    node: &str,
    first: u64,
    before: Option<&Path>,
) -> Result<Option<Digest>, OpenError> {
    let Some(path) = before else {
        return Ok((first == 0).then(|| segment::genesis(node)));
    };
    let read = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-(segment::CHAIN_BYTES as i64)))?;
        let mut chain = [0; segment::CHAIN_BYTES];
        file.read_exact(&mut chain).map(|()| Digest(chain))
    };
    read()
        .map(Some)
        .map_err(|e| OpenError::io("read the end of a segment", path, e))
}

fn scan(
    path: &Path,
    node: &str,
    first: u64,
    previous: Option<Digest>,
    newest: Option<Head>,
) -> Result<End, OpenError> {
    let fail = |e| OpenError::io("read a segment", path, e);
    let damaged = |position, what: &str| OpenError::Damaged {
        position,
        path: path.to_owned(),
        what: what.to_owned(),
    };
    let (mut reader, header) = match SegmentReader::open(path) {
        Ok(opened) => opened,
        Err(BadHeader::Io(e)) => return Err(fail(e)),
        Err(BadHeader::Rotten(what)) => return Err(damaged(first, what)),
        Err(BadHeader::Short) => return Err(damaged(first, "its header is cut")),
    };
    check_header(&header, node, first, previous, &damaged)?;
    let mut end = End {
        segment: Some(path.to_owned()),
        bytes: reader.offset(),
        first,
        next: first,
        chain: header.previous,
        cut_bytes: 0,
        newest,
    };
    loop {
        if let Some(head) = &end.newest
            && head.entries == end.next
            && head.chain != end.chain
        {
            return Err(damaged(end.next, "a signed head does not fit the chain"));
        }
        match reader.next().map_err(fail)? {
            Next::Entry { payload, chain } => {
                if segment::link(&end.chain, end.next, payload) != chain {
                    return Err(damaged(end.next, "it does not fit the chain"));
                }
                end.chain = chain;
                end.next += 1;
                end.bytes = reader.offset();
            }
            Next::End => return Ok(end),
            Next::Short => {
                end.cut_bytes = cut(path, &end, false)?;
                return Ok(end);
            }
            Next::Rotten(what) => {
                end.cut_bytes = cut(path, &end, true).map_err(|e| match e {
                    OpenError::Damaged { position, .. } => damaged(position, what),
                    other => other,
                })?;
                return Ok(end);
            }
        }
    }
}

fn check_header(
    header: &SegmentHeader,
    node: &str,
    first: u64,
    previous: Option<Digest>,
    damaged: &dyn Fn(u64, &str) -> OpenError,
) -> Result<(), OpenError> {
    if header.node != node {
        return Err(OpenError::OtherNode {
            expected: node.to_owned(),
            found: header.node.clone(),
        });
    }
    if header.first != first {
        return Err(damaged(first, "its header tells another position"));
    }
    if previous.is_some_and(|p| p != header.previous) {
        return Err(damaged(
            first,
            "it does not join the chain of the segment before",
        ));
    }
    Ok(())
}

/// Cuts what stands behind the last whole entry, if it can only be a write that never finished: no head covers it, no
/// whole entry follows, and it either ends early or, where the machine died, in bytes that never reached the disk.
fn cut(path: &Path, end: &End, must_end_in_zeros: bool) -> Result<u64, OpenError> {
    let fail = |e| OpenError::io("cut a torn entry", path, e);
    let damaged = |what: &str| OpenError::Damaged {
        position: end.next,
        path: path.to_owned(),
        what: what.to_owned(),
    };
    if end.newest.as_ref().is_some_and(|h| h.entries > end.next) {
        return Err(damaged("a signed head covers it, but it is not whole"));
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(fail)?;
    file.seek(SeekFrom::Start(end.bytes)).map_err(fail)?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest).map_err(fail)?;
    if segment::holds_an_entry(rest.get(1..).unwrap_or_default()) {
        return Err(damaged("whole entries follow one that is not"));
    }
    if must_end_in_zeros && !rest.ends_with(&[0; 8]) {
        return Err(damaged("it is not whole"));
    }
    file.set_len(end.bytes).map_err(fail)?;
    file.sync_all().map_err(fail)?;
    Ok(rest.len() as u64)
}
