//! What a message is judged against.
//!
//! Lives here: the inputs of judging. Never: the walk over the tree.

use super::catalogue::{Catalogue, Major, SearchPath};
use super::command::{Command, PreparedLookup, Step, Unclear};
use super::parse::Parsed;
use crate::action::{Act, Object, Verb};

/// What is known of functions, settings, relations and extensions beyond what the catalogue says.
#[derive(Debug, Default)]
pub struct Lists {}

/// What a message is judged against.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The target's catalogue.
    pub catalogue: &'a Catalogue,
    /// The effective search path.
    pub path: &'a SearchPath,
    /// The server's version.
    pub major: Major,
    /// Named statements and cursors.
    pub prepared: &'a dyn PreparedLookup,
    /// What is known of functions, settings and extensions.
    pub lists: &'a Lists,
    /// Inside an explicit transaction block.
    pub in_transaction: bool,
    /// Types of the parameters, as OIDs the client declared; 0 or missing is undeclared.
    pub parameter_types: &'a [u32],
}
/// What a message does: effects on objects, and what it leaves behind.
pub fn classify(parsed: &Parsed, ctx: &Context<'_>) -> Command {
    let mut command = Command::default();
    for (_, range) in parsed.statements() {
        command.steps.push(Step {
            range: range.clone(),
            ..Step::default()
        });
        command.unclear.push(Unclear::new(
            "brattice.sql.statement",
            "This kind of statement is not judged.",
        ));
    }
    if !command.unclear.is_empty() {
        let database = ctx.catalogue.database.clone();
        command
            .acts
            .push(Act::new(Verb::SqlUnknown, Object::Database { database }));
    }
    command
}
