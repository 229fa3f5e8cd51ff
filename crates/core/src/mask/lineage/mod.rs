//! From which masked columns each result column comes, and what else a statement does with them.
//!
//! Lives here: the answer's shape and the statement's walk. Never: what is permitted (policy), or bytes.
//!
//! PostgreSQL's own scoping rules are followed name by name. What is not understood while masked relations are in
//! reach is said in [`Statement::unclear`], and the statement is refused.

mod cte;
mod dml;
mod document;
mod expr;
#[cfg(test)]
pub(crate) mod fixture;
mod from;
mod functions;
mod mentions;
mod names;
mod reference;
mod scope;
mod select;
mod statement;
mod tracer;

use crate::action::Verb;
use crate::classify::sql::catalogue::{Catalogue, SearchPath};
use crate::mask::columns::{Field, MaskedColumns};
use pg_query::protobuf::ParseResult;
use std::sync::Arc;

use tracer::DEPTH_MAX;

/// A use of a masked column other than showing it as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// The column.
    pub field: Arc<Field>,
    /// [`Verb::Filter`], [`Verb::Derive`] or [`Verb::RevealCount`].
    pub verb: Verb,
    /// Where, for the message: `in WHERE`, `inside lower(…)`.
    pub what: String,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutputColumn {
    /// Its name in the result.
    pub name: String,
    /// The masked columns whose value it shows as it is: several where a set operation or a merged join column
    /// shows one or the other. Empty: nothing masked.
    pub fields: Vec<Arc<Field>>,
    /// `pg_type.oid` of a plain column; 0 when not known.
    pub type_oid: u32,
    /// `atttypmod` of a plain column; -1 when there is none.
    pub type_modifier: i32,
}

/// The columns of a statement's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outputs {
    /// Position by position.
    Columns(Vec<OutputColumn>),
    /// A list whose length is not known, in which nothing is masked.
    Unmasked,
    /// The columns of a cursor declared earlier in the session (FETCH).
    Cursor(String),
    /// The columns of a statement prepared earlier in the session (EXECUTE).
    Prepared(String),
    /// Could not tell.
    Unknown,
}

/// Something that a statement names for later ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defines {
    /// `DECLARE name CURSOR`: what FETCH of it shows.
    Cursor(String, Outputs),
    /// `PREPARE name`: what EXECUTE of it shows.
    Prepared(String, Outputs),
}

/// What one statement does with masked columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its result columns.
    pub outputs: Outputs,
    /// Uses to be permitted, each once.
    pub uses: Vec<Use>,
    /// What could not be told. Not empty: refuse.
    pub unclear: Vec<String>,
    /// It names a relation that has masked columns or reads some.
    pub touches: bool,
    /// What it names for later.
    pub defines: Option<Defines>,
}

/// The statements of one message, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lineage {
    /// One for each.
    pub statements: Vec<Statement>,
}

impl Lineage {
    /// Every use in the message.
    pub fn uses(&self) -> impl Iterator<Item = &Use> {
        self.statements.iter().flat_map(|s| &s.uses)
    }
    /// Everything that could not be told.
    pub fn unclear(&self) -> impl Iterator<Item = &str> {
        self.statements
            .iter()
            .flat_map(|s| s.unclear.iter().map(String::as_str))
    }
}

/// Traces every statement of a message.
pub fn lineage(
    tree: &ParseResult,
    catalogue: &Catalogue,
    path: &SearchPath,
    masked: &MaskedColumns,
) -> Lineage {
    let statements = tree
        .stmts
        .iter()
        .map(|raw| statement::statement(raw, catalogue, path, masked))
        .collect();
    Lineage { statements }
}

#[cfg(test)]
mod tests;
