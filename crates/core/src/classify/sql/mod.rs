//! SQL for PostgreSQL: parsed with its own grammar, resolved against the target's live catalogue.
//!
//! Lives here: what a statement does. Never: whether it may.

pub mod catalogue;
mod command;
mod context;
mod parse;
pub mod queries;
mod redact;
mod rows;
mod tokens;

pub use command::{
    Command, Consequence, Copy, CopyFormat, CopyKind, Direction, NothingPrepared, PreparedLookup,
    Step, Transaction, Unclear,
};
pub use context::{Context, Lists, classify};
pub use parse::{Parsed, SqlLimits, parse};
pub use queries::{CatalogueQueries, queries};
pub use redact::redacted_unparsed;
pub use rows::StrangeRows;
