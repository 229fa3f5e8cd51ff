//! What a message is judged against.
//!
//! Lives here: the inputs of judging. Never: the walk over the tree.

use super::catalogue::{Catalogue, Major, SearchPath};
use super::command::{Command, PreparedLookup, Unclear};
use super::lists::Lists;
use super::parse::Parsed;
use super::pending::Pending;
use super::walk::Walk;

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
    /// What earlier messages of the same pipeline leave behind that the catalogue does not show yet.
    pub earlier: Option<&'a Pending>,
}

/// What a message does: effects on objects, and what it leaves behind.
pub fn classify(parsed: &Parsed, ctx: &Context<'_>) -> Command {
    let mut walk = Walk::new(*ctx, parsed.text());
    for (statement, range) in parsed.statements() {
        walk.statement(statement, range.clone());
    }
    let encoding = ctx.catalogue.server_encoding.as_str();
    if !matches!(encoding, "" | "UTF8") && !parsed.text().is_ascii() {
        walk.refuse(
            Unclear::new(
                "brattice.sql.encoding",
                "The server's encoding is not UTF8, so only ASCII statements can be judged.",
            )
            .hint("Pass other characters as parameters."),
        );
    }
    let mut command = walk.finish();
    command.utility = !parsed.is_plannable();
    command.redacted = parsed.redacted().map(str::to_owned);
    command
}
