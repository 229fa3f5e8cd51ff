//! COPY … TO STDOUT: masks and detectors over rows in the text, CSV and binary formats.
//!
//! Lives here: finding rows in the stream and writing them anew. Never: the frames around them.

mod binary;
mod csv;
mod options;
mod text;

pub use options::{CopyFormat, CopyOptions, OptionsRefused};

use crate::mask::cell::{Format, TokenKey};
use crate::mask::columns::{Field, MaskedColumns};
use crate::mask::detect::{Detector, Tally};
use crate::mask::lineage::Outputs;
use crate::mask::plan::{Refused, Reveal, RowColumn, RowPlan};
use std::sync::Arc;

/// The longest row: what is held back until its end has come.
pub const ROW_BYTES_MAX: usize = 64 << 20;

/// The data is not what COPY with these options sends; nothing after it can be trusted to be masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CopyBroken {
    /// A row that is too long.
    #[error("a row of the copy is longer than {ROW_BYTES_MAX} bytes")]
    RowTooLong,
    /// A row with more or fewer columns than announced.
    #[error("a row of the copy has {found} columns where {expected} were announced")]
    Columns {
        /// Announced.
        expected: usize,
        /// In the row.
        found: usize,
    },
    /// Not the format that was asked for.
    #[error("the copy is not in the format that was asked for")]
    Format,
    /// The data ended inside a row.
    #[error("the copy ended inside a row")]
    Unfinished,
}

/// Masks the data of one COPY. After an error nothing more may be passed on.
#[derive(Debug)]
pub struct CopyMasker {
    options: CopyOptions,
    plan: RowPlan,
    columns: usize,
    /// The first row, or the binary header, has passed.
    begun: bool,
    held: Vec<u8>,
    search: csv::Search,
    broken: Option<CopyBroken>,
}

impl CopyMasker {
    /// A masker for a copy of `columns` columns, as CopyOutResponse announced them.
    pub fn new(
        options: CopyOptions,
        columns: usize,
        outputs: &Outputs,
        masked: &MaskedColumns,
        reveal: &dyn Fn(&Field) -> Reveal,
        detector: &Arc<Detector>,
        key: Option<&TokenKey>,
    ) -> Result<Self, Refused> {
        let format = match options.format {
            CopyFormat::Binary => Format::Binary,
            CopyFormat::Text | CopyFormat::Csv => Format::Text,
        };
        let described: Vec<RowColumn> = (0..columns)
            .map(|i| {
                let known = match outputs {
                    Outputs::Columns(list) => list.get(i),
                    _ => None,
                };
                RowColumn {
                    relation: 0,
                    attribute: 0,
                    type_oid: known.map_or(0, |c| c.type_oid),
                    type_modifier: known.map_or(-1, |c| c.type_modifier),
                    format,
                }
            })
            .collect();
        let plan = RowPlan::new(&described, outputs, masked, reveal, detector, key)?;
        Ok(Self {
            options,
            plan,
            columns,
            begun: false,
            held: Vec::new(),
            search: csv::Search::default(),
            broken: None,
        })
    }

    /// What is masked, for the notice and the record.
    pub fn plan(&self) -> &RowPlan {
        &self.plan
    }

    /// Takes the content of a CopyData frame and appends every row that is whole.
    pub fn push(
        &mut self,
        data: &[u8],
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<(), CopyBroken> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        if self.plan.pass_all() {
            out.extend_from_slice(data);
            return Ok(());
        }
        let begin = out.len();
        let done = self.rows(data, out, tally);
        if let Err(broken) = done {
            // A half-written row must not leave.
            out.truncate(begin);
            self.broken = Some(broken);
        }
        done
    }

    /// The copy has ended: what is left must be nothing.
    pub fn finish(&mut self) -> Result<(), CopyBroken> {
        match (self.broken, self.held.is_empty()) {
            (Some(broken), _) => Err(broken),
            (None, true) => Ok(()),
            (None, false) => Err(CopyBroken::Unfinished),
        }
    }

    fn rows(
        &mut self,
        data: &[u8],
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<(), CopyBroken> {
        let joined;
        let data = if self.held.is_empty() {
            data
        } else {
            self.held.extend_from_slice(data);
            joined = std::mem::take(&mut self.held);
            joined.as_slice()
        };
        let mut rest = data;
        while let Some(length) = self.row_length(rest)? {
            let (row, after) = rest.split_at_checked(length).ok_or(CopyBroken::Format)?;
            self.row(row, out, tally)?;
            self.begun = true;
            self.search = csv::Search::default();
            rest = after;
        }
        if rest.len() > ROW_BYTES_MAX {
            return Err(CopyBroken::RowTooLong);
        }
        self.held = rest.to_vec();
        Ok(())
    }

    /// The length of the first row with its end; `None` until it has come.
    fn row_length(&mut self, data: &[u8]) -> Result<Option<usize>, CopyBroken> {
        match self.options.format {
            CopyFormat::Text => Ok(self.search.line(data)),
            CopyFormat::Csv => Ok(self.search.row(data, &self.options)),
            CopyFormat::Binary if !self.begun => binary::header_length(data),
            CopyFormat::Binary => binary::row_length(data),
        }
    }

    fn row(&self, row: &[u8], out: &mut Vec<u8>, tally: &mut Tally) -> Result<(), CopyBroken> {
        let header =
            !self.begun && (self.options.header || self.options.format == CopyFormat::Binary);
        if header {
            out.extend_from_slice(row);
            return Ok(());
        }
        match self.options.format {
            CopyFormat::Text => text::row(&self.plan, self.columns, &self.options, row, out, tally),
            CopyFormat::Csv => csv::row(&self.plan, self.columns, &self.options, row, out, tally),
            CopyFormat::Binary => binary::row(&self.plan, self.columns, row, out, tally),
        }
    }
}

#[cfg(test)]
#[path = "copy/tests.rs"]
mod tests;
