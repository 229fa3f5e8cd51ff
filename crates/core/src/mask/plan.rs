//! What happens to each column of a result set.
//!
//! Lives here: bringing RowDescription, lineage and decisions together, and the cell's path. Never: the decisions.

mod scan;

use crate::mask::cell::{self, Form, Format, Replacement, TokenKey, ValueType};
use crate::mask::columns::{Field, MaskedColumns};
use crate::mask::detect::{Detector, Tally};
use crate::mask::lineage::Outputs;
use std::sync::Arc;

pub(crate) use scan::scan;

/// How a principal may see a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reveal {
    /// In this form. Ordered before [`Reveal::Full`]: it tells less.
    As(Form),
    /// As it is.
    Full,
}

/// A column as RowDescription has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowColumn {
    /// The base relation's OID; 0 when it is no plain column.
    pub relation: u32,
    /// The base column's number; 0 when it is no plain column.
    pub attribute: i16,
    /// `pg_type.oid`.
    pub type_oid: u32,
    /// `atttypmod`.
    pub type_modifier: i32,
    /// The format in which its cells come: from Bind, never from a Describe of the statement alone.
    pub format: Format,
}

/// A result that cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Lineage could not tell the columns while masked ones are in reach.
    #[error("the columns of this result could not be traced to the tables they come from")]
    Untraced,
    /// The server's columns are not those that were traced.
    #[error("the server describes {described} columns where {traced} were traced")]
    Mismatch {
        /// In RowDescription.
        described: usize,
        /// In the lineage.
        traced: usize,
    },
}

/// What happens to one column.
#[derive(Debug, Clone)]
enum Cell {
    /// It passes untouched.
    Pass,
    /// Detectors look at it.
    Scan,
    /// It is replaced.
    Mask {
        field: Arc<Field>,
        class: Arc<str>,
        form: Form,
    },
}

/// What became of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is to be sent as it came.
    Same,
    /// Its new bytes were appended to the output.
    Bytes,
    /// It is to be sent as NULL.
    Null,
}

/// What happens to each column of a result set. Made once for a result, used for every row.
#[derive(Debug, Clone)]
pub struct RowPlan {
    cells: Vec<(Cell, ValueType)>,
    detector: Arc<Detector>,
    key: Option<TokenKey>,
    pass_all: bool,
}

impl RowPlan {
    /// Plans a result. A column is masked when its base column is, by RowDescription, or when lineage says so at its
    /// position; `reveal` says in which form this principal sees a field.
    pub fn new(
        columns: &[RowColumn],
        outputs: &Outputs,
        masked: &MaskedColumns,
        reveal: &dyn Fn(&Field) -> Reveal,
        detector: &Arc<Detector>,
        key: Option<&TokenKey>,
    ) -> Result<Self, Refused> {
        let traced = match outputs {
            Outputs::Columns(list) if list.len() == columns.len() => Some(list),
            Outputs::Columns(list) => {
                return Err(Refused::Mismatch {
                    described: columns.len(),
                    traced: list.len(),
                });
            }
            Outputs::Unmasked => None,
            Outputs::Unknown | Outputs::Cursor(_) | Outputs::Prepared(_) if masked.is_empty() => {
                None
            }
            Outputs::Unknown | Outputs::Cursor(_) | Outputs::Prepared(_) => {
                return Err(Refused::Untraced);
            }
        };
        let mut cells = Vec::with_capacity(columns.len());
        for (i, column) in columns.iter().enumerate() {
            let mut fields: Vec<&Arc<Field>> = masked
                .field(column.relation, column.attribute)
                .into_iter()
                .collect();
            fields.extend(
                traced
                    .and_then(|t| t.get(i))
                    .into_iter()
                    .flat_map(|o| &o.fields),
            );
            let of = ValueType {
                oid: column.type_oid,
                modifier: column.type_modifier,
                format: column.format,
            };
            let seen = !detector.is_idle();
            cells.push((decide(&fields, reveal, of, seen), of));
        }
        let pass_all = cells.iter().all(|(cell, _)| matches!(cell, Cell::Pass));
        Ok(Self {
            cells,
            detector: Arc::clone(detector),
            key: key.cloned(),
            pass_all,
        })
    }

    /// Nothing needs to be looked at: rows can be copied whole.
    pub fn pass_all(&self) -> bool {
        self.pass_all
    }

    /// The masked columns, by position, with the form they are shown in: for the notice and the record.
    pub fn masks(&self) -> impl Iterator<Item = (usize, &Arc<Field>, Form)> {
        self.cells
            .iter()
            .enumerate()
            .filter_map(|(i, (cell, _))| match cell {
                Cell::Mask { field, form, .. } => Some((i, field, *form)),
                Cell::Pass | Cell::Scan => None,
            })
    }

    /// Masks one cell. New bytes are appended to `out`; a position that was not planned becomes NULL.
    pub fn cell(
        &self,
        index: usize,
        value: Option<&[u8]>,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Change {
        let Some(value) = value else {
            return Change::Same;
        };
        match self.cells.get(index) {
            Some((Cell::Pass, _)) => Change::Same,
            Some((Cell::Scan, of)) => scan(&self.detector, *of, value, out, tally),
            Some((Cell::Mask { class, form, .. }, of)) => {
                tally.count(class, crate::mask::classes::OnHit::Mask);
                match cell::mask(class, *form, self.key.as_ref(), *of, value, out) {
                    Replacement::Bytes => Change::Bytes,
                    Replacement::Null => Change::Null,
                }
            }
            None => Change::Null,
        }
    }
}

/// Several fields at one position: the one of which least may be seen decides.
fn decide(
    fields: &[&Arc<Field>],
    reveal: &dyn Fn(&Field) -> Reveal,
    of: ValueType,
    seen: bool,
) -> Cell {
    match fields
        .iter()
        .map(|f| (reveal(f), *f))
        .min_by_key(|(r, _)| *r)
    {
        Some((Reveal::As(form), field)) => Cell::Mask {
            field: Arc::clone(field),
            class: Arc::from(field.class.as_str()),
            form,
        },
        Some((Reveal::Full, _)) => Cell::Pass,
        None if !seen || cell::kind(of.oid).is_mute() => Cell::Pass,
        None => Cell::Scan,
    }
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
