//! SQL for PostgreSQL: parsed with its own grammar, resolved against the target's live catalogue.
//!
//! Lives here: what a statement does. Never: whether it may.

pub mod catalogue;
