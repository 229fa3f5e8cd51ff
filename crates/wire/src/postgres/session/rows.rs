//! Rows and COPY data on their way to the client: passed in runs, masked cell by cell where needed.
//!
//! Here lives walking DataRow frames by a plan. Never here: what is masked, or by what (core's mask).

use crate::postgres::backend::{CopyShape, FieldDescription};
use crate::postgres::frame;
use crate::postgres::reply::RowBuilder;
use crate::{PeerMisbehaved, Side};
use brattice_core::classify::sql::{Copy, CopyKind};
use brattice_core::gate::Results;
use brattice_core::mask::{
    Change, CopyFormat, CopyMasker, CopyOptions, Detector, Format, MaskedColumns, Outputs, Reveal,
    RowColumn, RowPlan, Tally,
};
use bytes::{Buf, BytesMut};
use std::sync::Arc;

/// How the rows of one result are shown.
#[derive(Debug, Clone)]
pub(super) struct RowShow {
    plan: Arc<RowPlan>,
}

/// The masker for a COPY stream to the client, from its statement, its announcement and what judgement said.
pub(super) fn copy_masker(
    copy: &Copy,
    results: Option<&Results>,
    step: usize,
    shape: &CopyShape,
    detector: &Arc<Detector>,
) -> Result<CopyMasker, PeerMisbehaved> {
    let unforeseen = || PeerMisbehaved::Unexpected {
        side: Side::Target,
        message: "a COPY that lineage did not foresee",
        state: "a masked result",
    };
    let options = copy_options(copy).ok_or_else(unforeseen)?;
    let columns = shape.columns.len();
    let masker = match results {
        Some(r) => CopyMasker::new(
            options,
            columns,
            r.traced(step),
            &r.masked,
            &|f| r.reveal(f),
            detector,
            r.tokens.as_ref(),
        ),
        None => CopyMasker::new(
            options,
            columns,
            &Outputs::Unmasked,
            &MaskedColumns::default(),
            &|_| Reveal::Full,
            detector,
            None,
        ),
    };
    masker.map_err(|_| unforeseen())
}

/// The options that shape the data; `None` for one that is not a single byte where the data needs one.
fn copy_options(copy: &Copy) -> Option<CopyOptions> {
    let format = match copy.format.format {
        CopyKind::Text => CopyFormat::Text,
        CopyKind::Csv => CopyFormat::Csv,
        CopyKind::Binary => CopyFormat::Binary,
    };
    let mut options = CopyOptions::of_format(format);
    let byte = |text: &Option<String>| match text.as_deref().map(str::as_bytes) {
        None => Some(None),
        Some(&[byte]) => Some(Some(byte)),
        Some(_) => None,
    };
    if let Some(delimiter) = byte(&copy.format.delimiter)? {
        options.delimiter = delimiter;
    }
    if let Some(quote) = byte(&copy.format.quote)? {
        options.quote = quote;
        options.escape = quote;
    }
    if let Some(escape) = byte(&copy.format.escape)? {
        options.escape = escape;
    }
    if let Some(null) = &copy.format.null {
        options.null = null.clone().into_bytes();
    }
    options.header = copy.format.header;
    Some(options)
}

/// Names the masked columns of a plan in words, if there are any: for the notice.
pub(super) fn masked_of(plan: &RowPlan) -> Option<String> {
    let mut names: Vec<String> = plan
        .masks()
        .map(|(_, field, _)| format!("{} ({})", field.path(), field.class))
        .collect();
    names.sort();
    names.dedup();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The plan for a result, from its description and what judgement said. `formats` are those of the Bind, if any.
pub(super) fn show(
    columns: &[FieldDescription],
    results: Option<&Results>,
    step: usize,
    detector: &Arc<Detector>,
) -> Result<RowShow, PeerMisbehaved> {
    let described: Vec<RowColumn> = columns
        .iter()
        .map(|c| RowColumn {
            relation: c.table_oid,
            attribute: c.column,
            type_oid: c.type_oid,
            type_modifier: c.type_modifier,
            format: if c.format == 1 {
                Format::Binary
            } else {
                Format::Text
            },
        })
        .collect();
    let plan = match results {
        Some(r) => r.plan(&described, step, detector),
        None => RowPlan::new(
            &described,
            &Outputs::Unmasked,
            &MaskedColumns::default(),
            &|_| Reveal::Full,
            detector,
            None,
        ),
    };
    plan.map(|plan| RowShow {
        plan: Arc::new(plan),
    })
    .map_err(|_| PeerMisbehaved::Unexpected {
        side: Side::Target,
        message: "columns that lineage did not foresee",
        state: "a masked result",
    })
}

impl RowShow {
    /// The masked columns in words, if any: for the notice.
    pub fn masked(&self) -> Option<String> {
        masked_of(&self.plan)
    }

    /// Moves `run` bytes of whole DataRow frames from the start of `buf` to `out`, masked.
    pub fn rows(
        &self,
        buf: &mut BytesMut,
        run: usize,
        out: &mut BytesMut,
        scratch: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<(), PeerMisbehaved> {
        let bytes = buf.get(..run).unwrap_or_default();
        if self.plan.pass_all() {
            out.extend_from_slice(bytes);
            buf.advance(run);
            return Ok(());
        }
        let mut at = 0;
        while let Some((_, size)) = bytes.get(at..).and_then(frame::peek) {
            let Some(row) = bytes.get(at..at + size) else {
                break;
            };
            self.rewrite(row, out, scratch, tally)?;
            at += size;
        }
        buf.advance(run);
        Ok(())
    }

    /// Masks one row into `out`.
    fn rewrite(
        &self,
        row: &[u8],
        out: &mut BytesMut,
        scratch: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<(), PeerMisbehaved> {
        let mut builder = RowBuilder::new(out);
        cells(row, |index, value| {
            scratch.clear();
            let written = match self.plan.cell(index, value, scratch, tally) {
                Change::Same => builder.cell(value),
                Change::Null => builder.cell(None),
                Change::Bytes => builder.cell(Some(scratch)),
            };
            written.map_err(|_| malformed())
        })?;
        builder.finish().map_err(|_| malformed())
    }
}

/// Walks the cells of a DataRow frame, header included.
fn cells<'a>(
    row: &'a [u8],
    mut visit: impl FnMut(usize, Option<&'a [u8]>) -> Result<(), PeerMisbehaved>,
) -> Result<(), PeerMisbehaved> {
    let mut rest = row.get(frame::HEADER_BYTES..).ok_or_else(malformed)?;
    let (count, tail) = rest.split_first_chunk::<2>().ok_or_else(malformed)?;
    rest = tail;
    for index in 0..usize::from(u16::from_be_bytes(*count)) {
        let (length, tail) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
        let length = i32::from_be_bytes(*length);
        if length == -1 {
            rest = tail;
            visit(index, None)?;
            continue;
        }
        let length = usize::try_from(length).map_err(|_| malformed())?;
        let value = tail.get(..length).ok_or_else(malformed)?;
        rest = tail.get(length..).ok_or_else(malformed)?;
        visit(index, Some(value))?;
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(malformed())
    }
}

fn malformed() -> PeerMisbehaved {
    PeerMisbehaved::Truncated {
        side: Side::Target,
        message: "DataRow",
    }
}
