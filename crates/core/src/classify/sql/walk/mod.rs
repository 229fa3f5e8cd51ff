//! The walk over a message's tree, statement by statement, node by node.
//!
//! Lives here: what is gathered on the way, and how it becomes a [`Command`]. A node that no part of the walk models
//! makes the command unclear. Never: policy.

mod bounds;
mod call;
mod column;
mod copy;
mod create;
mod cursor;
mod define;
mod dispatch;
mod dml;
mod drop;
mod expr;
mod extent;
mod finish;
mod from;
mod grant;
mod json;
mod maintain;
mod names;
mod object;
mod query;
mod settings;
mod table;
mod transaction;
mod unseen;
mod values;

use super::catalogue::Relation;
use super::command::{Command, Consequence, Step, Unclear};
use super::context::Context;
use super::pending::{Doubt, Pending};
use super::scope::Level;
use crate::action::{Act, FIGURE_MAX, Object, SqlFacts, Verb};
use pg_query::protobuf as pb;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// What the walk has gathered so far.
pub(super) struct Walk<'a> {
    ctx: Context<'a>,
    text: &'a str,
    acts: BTreeMap<(Verb, Object), SqlFacts>,
    out: Command,
    relations: BTreeSet<u32>,
    pending: Pending,
    prepared: HashMap<String, Option<Arc<Command>>>,
    all_deallocated: bool,
    cursors: HashMap<String, Option<Arc<Command>>>,
    all_closed: bool,
    in_transaction: bool,
    now: Now,
}

/// What was gathered of the statement at hand.
#[derive(Default)]
struct Now {
    acts: Vec<Act>,
    touches: Vec<Touch>,
    levels: Vec<Level>,
    operators: BTreeSet<(Option<String>, String)>,
    /// Types named anywhere.
    types: BTreeSet<u32>,
    /// Types cast to.
    casts: BTreeSet<u32>,
    /// Types that literals are read as.
    read_as: BTreeSet<u32>,
    /// Values of types that nobody can tell may be around.
    any_type: bool,
    /// Values are computed, so casts may apply.
    computes: bool,
    /// A name without schema was looked up that may mean different things along different paths.
    unqualified: bool,
    /// Any name was looked up.
    named: bool,
    /// It changes something besides what its acts say: locks, the session, structure.
    changes: bool,
    /// It runs code that may set, create and drop.
    opaque: bool,
    /// How sure it can be of names, after what went before.
    doubt: Doubt,
    step: Step,
}

/// One relation in one place of a statement.
struct Touch {
    relation: Arc<Relation>,
    columns_known: bool,
    only: bool,
    verb: Verb,
    columns: BTreeSet<String>,
    whole: bool,
    has_where: bool,
    limit: i64,
    rows: i64,
}

impl Touch {
    fn new(relation: Arc<Relation>, columns_known: bool, verb: Verb) -> Self {
        Self {
            relation,
            columns_known,
            only: false,
            verb,
            columns: BTreeSet::new(),
            whole: false,
            has_where: false,
            limit: FIGURE_MAX,
            rows: FIGURE_MAX,
        }
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(ctx: Context<'a>, text: &'a str) -> Self {
        Self {
            ctx,
            text,
            acts: BTreeMap::new(),
            out: Command::default(),
            relations: BTreeSet::new(),
            pending: ctx.earlier.cloned().unwrap_or_default(),
            prepared: HashMap::new(),
            all_deallocated: false,
            cursors: HashMap::new(),
            all_closed: false,
            in_transaction: ctx.in_transaction,
            now: Now::default(),
        }
    }

    /// Judges one statement.
    pub(super) fn statement(&mut self, statement: &pb::RawStmt, range: Range<usize>) {
        self.begin(range);
        match statement.stmt.as_deref().and_then(super::nodes::inner) {
            Some(node) => self.dispatch(node),
            None => self.not_modelled("An empty statement"),
        }
        self.finish_statement();
    }

    fn begin(&mut self, range: Range<usize>) {
        self.now = Now {
            doubt: self.pending.doubt(),
            step: Step {
                range,
                returns_rows: Some(false),
                ..Step::default()
            },
            ..Now::default()
        };
    }

    /// A walk over a statement inside this one, in the same place.
    fn inside(&self) -> Walk<'a> {
        let mut walk = Walk::new(self.ctx, self.text);
        walk.pending = self.pending.clone();
        walk.prepared.clone_from(&self.prepared);
        walk.all_deallocated = self.all_deallocated;
        walk.cursors.clone_from(&self.cursors);
        walk.all_closed = self.all_closed;
        walk.in_transaction = self.in_transaction;
        walk
    }

    /// Judges a statement inside this one by itself.
    fn judged_inside(&self, node: &pg_query::NodeEnum) -> Command {
        let mut walk = self.inside();
        walk.begin(self.now.step.range.clone());
        walk.dispatch(node);
        walk.finish_statement();
        walk.finish()
    }

    /// The text of the statement at hand.
    fn statement_text(&self) -> String {
        self.text
            .get(self.now.step.range.clone())
            .unwrap_or(self.text)
            .to_owned()
    }

    fn act(&mut self, verb: Verb, object: Object) {
        self.now.opaque |= verb == Verb::SqlCall;
        self.now.acts.push(Act::new(verb, object));
    }

    fn unclear(&mut self, unclear: Unclear) {
        if !self.out.unclear.contains(&unclear) {
            self.out.unclear.push(unclear);
        }
        let database = self.ctx.catalogue.database.clone();
        self.act(Verb::SqlUnknown, Object::Database { database });
    }

    /// A refusal that no policy lifts.
    pub(in crate::classify::sql) fn refuse(&mut self, refusal: Unclear) {
        if !self.out.refusals.contains(&refusal) {
            self.out.refusals.push(refusal.clone());
        }
        self.unclear(refusal);
    }

    fn not_modelled(&mut self, what: &str) {
        self.unclear(
            Unclear::new(
                "brattice.sql.not_modelled",
                format!("{what} is not understood well enough to be judged."),
            )
            .hint("Write the statement differently."),
        );
    }

    fn leaves(&mut self, consequence: Consequence) {
        let again = |c: &Consequence| {
            matches!(
                (c, &consequence),
                (Consequence::PathInDoubt, Consequence::PathInDoubt)
            )
        };
        if self.out.consequences.last().is_some_and(again) {
            return;
        }
        self.out.consequences.push(consequence);
    }

    /// Structure changed: the catalogue has to be read anew.
    fn changes_catalogue(&mut self) {
        self.now.changes = true;
        let noted = self
            .out
            .consequences
            .iter()
            .any(|c| matches!(c, Consequence::CatalogueChanged));
        if !noted {
            self.leaves(Consequence::CatalogueChanged);
        }
    }

    fn database(&self) -> Object {
        Object::Database {
            database: self.ctx.catalogue.database.clone(),
        }
    }
}
