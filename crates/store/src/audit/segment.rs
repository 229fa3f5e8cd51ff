//! The form of a segment file, and the links of the chain.
//!
//! Lives here: bytes in, bytes out. Never: which file, when, whether it is right to go on.
//!
//! A segment is a header (magic, length, CRC, JSON) and then entries: length of the payload and CRC-32 of what follows,
//! both big endian, the payload (JSON of [`brattice_core::audit::Entry`]), and 32 bytes of chain:
//! SHA-256 of the chain before, the position as eight bytes big endian, and the payload.

use crate::crc::Crc;
use brattice_core::ids::{Digest, Hasher};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// First bytes of every segment; the last one is the format's version.
const MAGIC: &[u8; 8] = b"BRATAUD\x01";
/// Bytes before an entry's payload.
pub(crate) const PREFIX_BYTES: usize = 8;
/// Bytes after it.
pub(crate) const CHAIN_BYTES: usize = 32;
/// No entry's payload is longer.
pub(crate) const ENTRY_BYTES_MAX: usize = 1 << 20;
/// No header is longer.
const HEADER_BYTES_MAX: usize = 1 << 16;

/// What opens a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentHeader {
    /// The node whose chain this is.
    pub(crate) node: String,
    /// Position of the first entry.
    pub(crate) first: u64,
    /// The chain before it.
    pub(crate) previous: Digest,
}

/// The chain before a node's first entry.
pub(crate) fn genesis(node: &str) -> Digest {
    let mut h = Hasher::new();
    h.field(b"brattice audit 1").field(node.as_bytes());
    h.finish()
}

/// The chain after an entry.
pub(crate) fn link(before: &Digest, position: u64, payload: &[u8]) -> Digest {
    let mut h = Hasher::new();
    h.raw(&before.0).raw(&position.to_be_bytes()).raw(payload);
    h.finish()
}

/// The file name of the segment that begins at this position.
pub(crate) fn file_name(first: u64) -> String {
    format!("{first:020}.seg")
}

/// The position that a segment's file name tells.
pub(crate) fn first_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".seg")?;
    if name.len() == 20 {
        name.parse().ok()
    } else {
        None
    }
}

impl SegmentHeader {
    /// The bytes that open the file.
    pub(crate) fn encode(&self) -> io::Result<Vec<u8>> {
        let json = serde_json::to_vec(self)?;
        let length = u32::try_from(json.len()).map_err(io::Error::other)?;
        let mut out = Vec::with_capacity(MAGIC.len() + PREFIX_BYTES + json.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&crate::crc::crc32(&json).to_be_bytes());
        out.extend_from_slice(&json);
        Ok(out)
    }
}

/// Room for an entry's prefix, to be followed by its payload; completed by [`seal_entry`].
pub(crate) fn begin_entry() -> Vec<u8> {
    let mut frame = Vec::with_capacity(768);
    frame.extend_from_slice(&[0; PREFIX_BYTES]);
    frame
}

/// Completes the frame of an entry whose payload stands behind the prefix, and tells the chain after it.
pub(crate) fn seal_entry(frame: &mut Vec<u8>, before: &Digest, position: u64) -> Option<Digest> {
    let payload = frame.get(PREFIX_BYTES..)?;
    if payload.is_empty() || payload.len() > ENTRY_BYTES_MAX {
        return None;
    }
    let length = u32::try_from(payload.len()).ok()?;
    let chain = link(before, position, payload);
    frame.extend_from_slice(&chain.0);
    let mut sum = Crc::new();
    sum.update(frame.get(PREFIX_BYTES..)?);
    let mut prefix = [0; PREFIX_BYTES];
    let (l, s) = prefix.split_at_mut(4);
    l.copy_from_slice(&length.to_be_bytes());
    s.copy_from_slice(&sum.finish().to_be_bytes());
    frame.get_mut(..PREFIX_BYTES)?.copy_from_slice(&prefix);
    Some(chain)
}

/// What comes next in a segment.
#[derive(Debug)]
pub(crate) enum Next<'a> {
    /// An entry with a fitting CRC. Its chain is as written, not yet checked.
    Entry {
        /// The JSON.
        payload: &'a [u8],
        /// The chain after it.
        chain: Digest,
    },
    /// Bytes that are no entry, whatever follows.
    Rotten(&'static str),
    /// The file ends inside an entry.
    Short,
    /// The file ends here.
    End,
}

/// Reads a segment from its beginning.
pub(crate) struct SegmentReader {
    file: BufReader<File>,
    frame: Vec<u8>,
    offset: u64,
}

/// Why a segment cannot be read at all.
#[derive(Debug)]
pub(crate) enum BadHeader {
    /// The file ends inside its header: nothing was ever in it.
    Short,
    /// It is something else.
    Rotten(&'static str),
    /// The disk did not answer.
    Io(io::Error),
}

impl From<io::Error> for BadHeader {
    fn from(e: io::Error) -> Self {
        BadHeader::Io(e)
    }
}

impl SegmentReader {
    /// Opens a segment and reads its header.
    pub(crate) fn open(path: &Path) -> Result<(Self, SegmentHeader), BadHeader> {
        let mut file = BufReader::with_capacity(256 * 1024, File::open(path)?);
        let mut magic = [0; 8];
        if !fill(&mut file, &mut magic)? {
            return Err(BadHeader::Short);
        }
        if &magic != MAGIC {
            return Err(BadHeader::Rotten("not a segment of this version"));
        }
        let mut prefix = [0; PREFIX_BYTES];
        if !fill(&mut file, &mut prefix)? {
            return Err(BadHeader::Short);
        }
        let (length, sum) = split_prefix(prefix);
        if length == 0 || length > HEADER_BYTES_MAX {
            return Err(BadHeader::Rotten("the header's length is not possible"));
        }
        let mut json = vec![0; length];
        if !fill(&mut file, &mut json)? {
            return Err(BadHeader::Short);
        }
        if crate::crc::crc32(&json) != sum {
            return Err(BadHeader::Rotten("the header's checksum does not fit"));
        }
        let header = serde_json::from_slice(&json)
            .map_err(|_| BadHeader::Rotten("the header cannot be read"))?;
        let offset = (MAGIC.len() + PREFIX_BYTES + length) as u64;
        let reader = Self {
            file,
            frame: Vec::new(),
            offset,
        };
        Ok((reader, header))
    }

    /// Where the next entry begins in the file.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads on. After `Short` or `End` the file may have grown, and this may be asked again.
    pub(crate) fn next(&mut self) -> io::Result<Next<'_>> {
        let mut prefix = [0; PREFIX_BYTES];
        let got = read_up_to(&mut self.file, &mut prefix)?;
        if got < PREFIX_BYTES {
            self.file.seek(SeekFrom::Start(self.offset))?;
            return Ok(if got == 0 { Next::End } else { Next::Short });
        }
        let (length, sum) = split_prefix(prefix);
        if length == 0 || length > ENTRY_BYTES_MAX {
            self.file.seek(SeekFrom::Start(self.offset))?;
            return Ok(Next::Rotten("its length is not possible"));
        }
        self.frame.resize(length + CHAIN_BYTES, 0);
        if !fill(&mut self.file, &mut self.frame)? {
            self.file.seek(SeekFrom::Start(self.offset))?;
            return Ok(Next::Short);
        }
        if crate::crc::crc32(&self.frame) != sum {
            self.file.seek(SeekFrom::Start(self.offset))?;
            return Ok(Next::Rotten("its checksum does not fit"));
        }
        self.offset += (PREFIX_BYTES + length + CHAIN_BYTES) as u64;
        let (payload, rest) = self
            .frame
            .split_last_chunk::<CHAIN_BYTES>()
            .ok_or(io::ErrorKind::InvalidData)?;
        Ok(Next::Entry {
            payload,
            chain: Digest(*rest),
        })
    }
}

/// Whether a whole entry begins anywhere in these bytes: what lies before it was then not torn, but damaged.
pub(crate) fn holds_an_entry(bytes: &[u8]) -> bool {
    (0..bytes.len()).any(|start| {
        bytes
            .get(start..)
            .and_then(|rest| rest.split_first_chunk::<PREFIX_BYTES>())
            .is_some_and(|(prefix, rest)| {
                let (length, sum) = split_prefix(*prefix);
                length > 0
                    && length <= ENTRY_BYTES_MAX
                    && rest
                        .get(..length + CHAIN_BYTES)
                        .is_some_and(|frame| crate::crc::crc32(frame) == sum)
            })
    })
}

fn split_prefix(prefix: [u8; PREFIX_BYTES]) -> (usize, u32) {
    let [a, b, c, d, e, f, g, h] = prefix;
    (
        u32::from_be_bytes([a, b, c, d]) as usize,
        u32::from_be_bytes([e, f, g, h]),
    )
}

/// Fills the buffer; false if the file ends first.
fn fill(file: &mut impl Read, buf: &mut [u8]) -> io::Result<bool> {
    Ok(read_up_to(file, buf)? == buf.len())
}

fn read_up_to(file: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while let Some(rest) = buf.get_mut(got..).filter(|r| !r.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}
