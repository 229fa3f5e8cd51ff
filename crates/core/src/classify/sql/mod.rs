//! SQL for PostgreSQL: parsed with its own grammar, resolved against the target's live catalogue.
//!
//! Lives here: what a statement does. Never: whether it may.
//!
//! `parse` turns bytes into a tree or refuses them (`tokens` by word, `redact` for the record). `classify` walks the
//! tree (`walk`, with `scope` and `nodes`) against a [`catalogue::Catalogue`], what is known beforehand (`lists`), and
//! what earlier statements changed (`pending`). `queries` and `rows` are how a catalogue is fetched.

pub mod catalogue;
mod command;
mod context;
mod lists;
mod nodes;
mod parse;
mod pending;
mod queries;
mod redact;
mod rows;
mod scope;
mod template;
mod tokens;
mod unseen;
mod walk;

pub use command::{
    Command, Consequence, Copy, CopyFormat, CopyKind, Direction, NothingPrepared, PreparedLookup,
    Step, Transaction, Unclear,
};
pub use context::{Context, classify};
pub use lists::{Class, Lists, Setting, packs, unlisted};
pub use parse::{Parsed, SqlLimits, parse};
pub use pending::{Doubt, Pending};
pub use queries::{CatalogueQueries, Part, queries};
pub use redact::redacted_unparsed;
pub use rows::{CatalogueError, Rows};
pub use template::Template;
pub use unseen::unseen_effects;
