//! One row of a result (PostgreSQL documentation, "Message Formats", DataRow), its cells reached one
//! after another without a copy. Never here: what a cell means.

use bytes::Bytes;

use super::read::Reader;
use crate::{Limits, PeerMisbehaved, Side};

/// One row: its count was checked, its cells are checked as they are read.
#[derive(Clone, PartialEq, Eq)]
pub struct DataRow {
    columns: usize,
    cells: Bytes,
}

impl DataRow {
    /// Reads the body of a DataRow frame.
    ///
    /// # Errors
    /// When it announces more cells than it could hold or may have.
    pub fn read(body: Bytes, limits: &Limits) -> Result<Self, PeerMisbehaved> {
        let mut reader = Reader::new(Side::Target, "DataRow", body);
        let columns = reader.count("columns", limits.columns_max, 4)?;
        Ok(Self {
            columns,
            cells: reader.rest(),
        })
    }

    /// How many cells the row says it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.columns
    }

    /// Whether the row has no cells at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.columns == 0
    }

    /// The cells in order; `None` is NULL. After an error nothing follows.
    #[must_use]
    pub fn cells(&self) -> Cells<'_> {
        Cells {
            left: self.columns,
            rest: &self.cells,
            ended: false,
        }
    }
}

/// The cells of one row, each checked as it is reached; bytes after the last are an error too.
pub struct Cells<'a> {
    left: usize,
    rest: &'a [u8],
    ended: bool,
}

impl<'a> Iterator for Cells<'a> {
    type Item = Result<Option<&'a [u8]>, PeerMisbehaved>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        if self.left == 0 {
            self.ended = true;
            let extra = self.rest.len();
            return (extra > 0).then_some(Err(PeerMisbehaved::TrailingBytes {
                side: Side::Target,
                message: "DataRow",
                extra,
            }));
        }
        self.left = self.left.saturating_sub(1);
        let cell = self.cell();
        self.ended = cell.is_err();
        Some(cell)
    }
}

impl<'a> Cells<'a> {
    fn cell(&mut self) -> Result<Option<&'a [u8]>, PeerMisbehaved> {
        let truncated = || PeerMisbehaved::Truncated {
            side: Side::Target,
            message: "DataRow",
        };
        let (length, rest) = self.rest.split_first_chunk::<4>().ok_or_else(truncated)?;
        let length = i32::from_be_bytes(*length);
        let Ok(size) = usize::try_from(length) else {
            self.rest = rest;
            return if length == -1 {
                Ok(None)
            } else {
                Err(PeerMisbehaved::NegativeLength {
                    side: Side::Target,
                    message: "DataRow",
                    length,
                })
            };
        };
        let (cell, rest) = rest.split_at_checked(size).ok_or_else(truncated)?;
        self.rest = rest;
        Ok(Some(cell))
    }
}
