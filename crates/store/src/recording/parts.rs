//! A recording's file, part by part, without its key.
//!
//! Lives here: framing, checksums, the digest. Never: what is inside a part.

use super::format::{
    self, FileHeader, HEADER_BYTES_MAX, MAGIC, PART_BYTES_MAX, PART_PREFIX_BYTES, TAG_BLOCK,
    TAG_INTERRUPTED, TAG_SEALED,
};
use super::key::TAG_BYTES;
use super::read::ReadError;
use crate::crc::crc32;
use brattice_core::ids::Digest;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// The digest of a recording that has its end, as sealing told it. Needs no key: it runs over what is on disk.
pub fn digest_of(path: &Path) -> Result<Digest, ReadError> {
    let (mut parts, _) = Parts::open(path)?;
    let mut block = 0;
    loop {
        match parts.next()? {
            Part::Block => block += 1,
            Part::End { .. } => return Ok(parts.digest),
            Part::Cut => {
                return Err(ReadError::Damaged {
                    block,
                    what: "it has no end",
                });
            }
        }
    }
}

/// The file's parts in order, with the digest over them. The part at hand is in `body`.
pub(crate) struct Parts {
    file: BufReader<File>,
    length: u64,
    /// Where the next part begins.
    pub(crate) offset: u64,
    /// Over the header and the parts so far.
    pub(crate) digest: Digest,
    pub(crate) body: Vec<u8>,
    number: u64,
}

pub(crate) enum Part {
    Block,
    /// With the digest before it.
    End {
        interrupted: bool,
        before: Digest,
    },
    /// The file ends inside a part, or where one should begin.
    Cut,
}

impl Parts {
    pub(crate) fn open(path: &Path) -> Result<(Self, FileHeader), ReadError> {
        let damaged = |what| ReadError::Damaged { block: 0, what };
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut file = BufReader::with_capacity(128 * 1024, file);
        let mut start = [0; 16];
        let cut = |e: io::Error| match e.kind() {
            io::ErrorKind::UnexpectedEof => damaged("its header is cut"),
            _ => ReadError::Io(e),
        };
        file.read_exact(&mut start).map_err(cut)?;
        let [magic @ .., a, b, c, d, e, f, g, h] = start;
        let size = u32::from_be_bytes([a, b, c, d]) as usize;
        if magic != *MAGIC || size > HEADER_BYTES_MAX {
            return Err(damaged("not a recording of this version"));
        }
        let mut json = vec![0; size];
        file.read_exact(&mut json).map_err(cut)?;
        if crc32(&json) != u32::from_be_bytes([e, f, g, h]) {
            return Err(damaged("its header's checksum does not fit"));
        }
        let header =
            serde_json::from_slice(&json).map_err(|_| damaged("its header cannot be read"))?;
        let parts = Self {
            file,
            length,
            offset: (start.len() + size) as u64,
            digest: format::digest_header(&json),
            body: Vec::new(),
            number: 0,
        };
        Ok((parts, header))
    }

    /// Bytes behind the parts read so far, as long as the file was when it was last looked at.
    pub(crate) fn behind(&self) -> u64 {
        self.length.saturating_sub(self.offset)
    }

    /// Goes back to where the part begins that was cut, and looks how long the file is now.
    pub(crate) fn look_again(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.offset))?;
        self.length = self.file.get_ref().metadata()?.len();
        Ok(())
    }

    pub(crate) fn next(&mut self) -> Result<Part, ReadError> {
        let left = self.length.saturating_sub(self.offset);
        if left < PART_PREFIX_BYTES as u64 {
            return Ok(Part::Cut);
        }
        let mut prefix = [0; PART_PREFIX_BYTES];
        self.file.read_exact(&mut prefix)?;
        let (tag, size, sum) = format::split_part_prefix(prefix);
        if prefix == [0; PART_PREFIX_BYTES] && self.only_zeros_follow()? {
            return Ok(Part::Cut);
        }
        let known = [TAG_BLOCK, TAG_SEALED, TAG_INTERRUPTED].contains(&tag);
        if !known || !(TAG_BYTES..=PART_BYTES_MAX).contains(&size) {
            return Err(self.damaged("its prefix is not possible"));
        }
        let all = (PART_PREFIX_BYTES + size) as u64;
        if left < all {
            return Ok(Part::Cut);
        }
        self.body.resize(size, 0);
        self.file.read_exact(&mut self.body)?;
        if crc32(&self.body) != sum {
            // Where the machine died, the end of the last part may never have reached the disk.
            return if left == all && self.body.ends_with(&[0; TAG_BYTES]) {
                Ok(Part::Cut)
            } else {
                Err(self.damaged("its checksum does not fit"))
            };
        }
        let before = self.digest;
        self.digest = format::digest_part(&before, tag, &self.body);
        self.offset += all;
        self.number += 1;
        if tag == TAG_BLOCK {
            return Ok(Part::Block);
        }
        if left != all {
            return Err(self.damaged("something follows its end"));
        }
        Ok(Part::End {
            interrupted: tag == TAG_INTERRUPTED,
            before,
        })
    }

    fn only_zeros_follow(&mut self) -> io::Result<bool> {
        let mut rest = Vec::new();
        self.file.read_to_end(&mut rest)?;
        Ok(rest.iter().all(|b| *b == 0))
    }

    fn damaged(&self, what: &'static str) -> ReadError {
        ReadError::Damaged {
            block: self.number,
            what,
        }
    }
}
