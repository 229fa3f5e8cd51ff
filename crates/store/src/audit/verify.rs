//! The offline check of a log, with the public key alone.
//!
//! Lives here: what is wrong, and at which position. Never: repair, or anything that needs the gateway.
//!
//! What it can tell: an edit, a deletion, a swap, an insertion at its exact position, unless everything after it was
//! linked anew; then the first signed head behind it gives the span. Entries after the newest head are linked but not
//! yet vouched for, and heads that were kept elsewhere can be given beside those in the directory.

use super::head::{HEADS, Head, PublicKey, read_heads};
use super::segment::{self, BadHeader, Next, SegmentHeader, SegmentReader};
use super::segments_in;
use brattice_core::audit::Position;
use brattice_core::ids::Digest;
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whose log it is.
    pub node: Option<String>,
    /// Entries that are whole and in their place.
    pub entries: u64,
    /// Segments read.
    pub segments: u64,
    /// Signed heads that fit the chain.
    pub heads_checked: u64,
    /// Position of the first entry read.
    pub first: Option<Position>,
    /// Position of the last good one.
    pub last: Option<Position>,
    /// Entries at positions below this are vouched for by a signed head.
    pub signed_below: u64,
    /// Bytes of an unfinished last write: not a problem, the next start cuts them.
    pub torn_bytes: u64,
    /// What is wrong, if anything.
    pub problem: Option<Problem>,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The position it shows at.
    pub position: u64,
    /// In words.
    pub what: String,
}

impl Problem {
    fn at(position: u64, what: impl Into<String>) -> Self {
        Self {
            position,
            what: what.into(),
        }
    }
}

/// Checks a log's directory, from its first entry on. `kept` are heads that were kept elsewhere.
pub fn verify(dir: &Path, key: &PublicKey, kept: &[Head]) -> io::Result<Report> {
    // Heads first: an entry that is added meanwhile is then newer than all heads, not missing.
    let (heads, unreadable) = sorted(read_heads(&dir.join(HEADS))?);
    let heads: Vec<Head> = heads.into_iter().chain(kept.iter().cloned()).collect();
    let segments: Vec<PathBuf> = segments_in(dir)?.into_iter().map(|(_, p)| p).collect();
    let mut report = check(&segments, &heads, key, true)?;
    if let (None, Some(line)) = (&report.problem, unreadable) {
        report.problem = Some(Problem::at(
            report.signed_below,
            format!("line {line} of the signed heads cannot be read"),
        ));
    }
    Ok(report)
}

/// Checks some consecutive segments, which need not begin at the first entry, against heads.
pub fn verify_segments(
    segments: &[PathBuf],
    heads: &[Head],
    key: &PublicKey,
) -> io::Result<Report> {
    check(segments, heads, key, false)
}

fn sorted(read: Vec<Result<Head, usize>>) -> (Vec<Head>, Option<usize>) {
    let mut heads = Vec::new();
    let mut unreadable = None;
    for head in read {
        match head {
            Ok(head) => heads.push(head),
            Err(line) => unreadable = unreadable.or(Some(line)),
        }
    }
    (heads, unreadable)
}

fn check(
    segments: &[PathBuf],
    heads: &[Head],
    key: &PublicKey,
    from_start: bool,
) -> io::Result<Report> {
    let mut good: Vec<&Head> = heads.iter().filter(|h| h.is_signed_by(key)).collect();
    good.sort_by_key(|h| h.entries);
    let forged = heads.iter().find(|h| !h.is_signed_by(key));
    let mut walk = Walk {
        report: Report::default(),
        heads: good,
        next_head: 0,
        next: 0,
        chain: None,
        from_start,
    };
    let mut problem = walk.run(segments)?;
    problem = problem.or_else(|| {
        forged.map(|head| Problem::at(head.entries, "a head is not signed with this key"))
    });
    if problem.is_none() && walk.heads.is_empty() {
        problem = Some(Problem::at(0, "no signed head vouches for this log"));
    }
    walk.report.problem = problem;
    Ok(walk.report)
}

struct Walk<'a> {
    report: Report,
    heads: Vec<&'a Head>,
    next_head: usize,
    next: u64,
    chain: Option<Digest>,
    from_start: bool,
}

impl Walk<'_> {
    fn run(&mut self, segments: &[PathBuf]) -> io::Result<Option<Problem>> {
        for (n, path) in segments.iter().enumerate() {
            let is_last = n + 1 == segments.len();
            if let Some(problem) = self.segment(path, is_last)? {
                return Ok(Some(problem));
            }
        }
        let ahead = self.heads.last().filter(|h| h.entries > self.next);
        Ok(ahead.map(|head| {
            Problem::at(
                self.next,
                format!(
                    "the log ends here, but a signed head covers {} entries",
                    head.entries
                ),
            )
        }))
    }

    fn segment(&mut self, path: &Path, is_last: bool) -> io::Result<Option<Problem>> {
        let (mut reader, header) = match SegmentReader::open(path) {
            Ok(opened) => opened,
            Err(BadHeader::Io(e)) => return Err(e),
            Err(BadHeader::Short) if is_last => {
                self.report.torn_bytes = std::fs::metadata(path)?.len();
                return Ok(None);
            }
            Err(BadHeader::Short) => {
                return Ok(Some(Problem::at(self.next, "a segment's header is cut")));
            }
            Err(BadHeader::Rotten(what)) => return Ok(Some(Problem::at(self.next, what))),
        };
        if let Some(problem) = self.join(path, &header) {
            return Ok(Some(problem));
        }
        self.report.segments += 1;
        loop {
            if let Some(problem) = self.meet_heads() {
                return Ok(Some(problem));
            }
            let before = self.chain.unwrap_or(header.previous);
            match reader.next()? {
                Next::Entry { payload, chain } => {
                    if segment::link(&before, self.next, payload) != chain {
                        return Ok(Some(Problem::at(
                            self.next,
                            "the entry here is not the one that was chained here",
                        )));
                    }
                    self.chain = Some(chain);
                    self.report.entries += 1;
                    self.report.first.get_or_insert(Position(self.next));
                    self.report.last = Some(Position(self.next));
                    self.next += 1;
                }
                Next::End => return Ok(None),
                Next::Short => {
                    let offset = reader.offset();
                    return self.short(path, offset, is_last);
                }
                Next::Rotten(what) => return Ok(Some(Problem::at(self.next, what))),
            }
        }
    }

    /// Whether a segment goes on where the one before ended.
    fn join(&mut self, path: &Path, header: &SegmentHeader) -> Option<Problem> {
        let begins = match self.chain {
            Some(chain) => chain,
            None if self.from_start => segment::genesis(&header.node),
            None => header.previous,
        };
        if self.chain.is_none() && !self.from_start {
            self.next = header.first;
            let skip = |h: &&Head| h.entries < header.first;
            self.next_head = self.heads.iter().take_while(|h| skip(h)).count();
        }
        let node = self.report.node.get_or_insert_with(|| header.node.clone());
        if *node != header.node {
            return Some(Problem::at(self.next, "a segment of another node"));
        }
        if header.first > self.next {
            let what = format!("entries {} to {} are missing", self.next, header.first - 1);
            return Some(Problem::at(self.next, what));
        }
        if header.first < self.next || segment::first_of(path) != Some(header.first) {
            return Some(Problem::at(header.first, "a segment is out of its place"));
        }
        if header.previous != begins {
            return Some(Problem::at(
                self.next,
                "a segment does not join the chain before it",
            ));
        }
        self.chain = Some(begins);
        None
    }

    fn meet_heads(&mut self) -> Option<Problem> {
        while let Some(head) = self.heads.get(self.next_head) {
            if head.entries > self.next {
                return None;
            }
            if Some(head.chain) != self.chain || Some(&head.node) != self.report.node.as_ref() {
                let what = format!(
                    "the signed head over {} entries does not fit: something from here on was replaced",
                    head.entries
                );
                return Some(Problem::at(self.report.signed_below, what));
            }
            self.next_head += 1;
            self.report.heads_checked += 1;
            self.report.signed_below = head.entries;
        }
        None
    }

    /// The file ends inside an entry: an unfinished write, or something cut.
    fn short(&mut self, path: &Path, offset: u64, is_last: bool) -> io::Result<Option<Problem>> {
        let bytes = std::fs::read(path)?;
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| bytes.get(offset..))
            .unwrap_or_default();
        if !is_last || segment::holds_an_entry(rest.get(1..).unwrap_or_default()) {
            return Ok(Some(Problem::at(self.next, "the entry here is not whole")));
        }
        self.report.torn_bytes = rest.len() as u64;
        Ok(None)
    }
}
