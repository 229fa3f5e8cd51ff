//! Statements and cursors with names, and EXPLAIN: a statement within a statement.
//!
//! Lives here: PREPARE, EXECUTE, DECLARE, FETCH, EXPLAIN, CALL. Never: what the inner statement does.

use super::Walk;
use crate::action::{Act, Object, RelationKind, Verb};
use crate::classify::sql::command::{Command, Consequence, Unclear};
use crate::classify::sql::nodes::{boolean_option, child, options};
use crate::classify::sql::scope::Columns;
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;
use std::sync::Arc;

/// Options of EXPLAIN that only change what is shown.
const EXPLAIN_OPTIONS: &[&str] = &[
    "verbose",
    "costs",
    "settings",
    "buffers",
    "wal",
    "timing",
    "summary",
    "format",
    "generic_plan",
    "memory",
    "serialize",
];

impl Walk<'_> {
    /// PREPARE is judged as executing it would be, and EXECUTE again: planning may run functions, and names may mean
    /// something else by then.
    pub(super) fn prepare(&mut self, s: &pb::PrepareStmt) {
        let pb::PrepareStmt {
            name,
            argtypes,
            query,
        } = s;
        let Some(query) = child(query) else {
            self.not_modelled("PREPARE");
            return;
        };
        let mut parameters = Vec::new();
        for node in argtypes {
            match node.node.as_ref() {
                Some(N::TypeName(t)) => parameters.extend(self.type_name(t)),
                _ => self.not_modelled("A parameter's type"),
            }
        }
        let mut walk = self.inside();
        walk.begin(self.now.step.range.clone());
        walk.now.types.extend(parameters);
        walk.dispatch(query);
        walk.finish_statement();
        let command = walk.finish();
        self.absorb(&command);
        let command = Arc::new(command);
        self.prepared
            .insert(name.clone(), Some(Arc::clone(&command)));
        let text = self.statement_text();
        self.leaves(Consequence::Prepares {
            name: name.clone(),
            command,
            text,
        });
    }

    pub(super) fn execute(&mut self, s: &pb::ExecuteStmt) {
        self.exprs(&s.params);
        self.now.step.returns_rows = None;
        match self.prepared_called(&s.name) {
            Some(command) => {
                let command = prepared_by(&command, &s.name);
                self.absorb(&command);
                if let [step] = command.steps.as_slice() {
                    self.now.step.returns_rows = step.returns_rows;
                }
                for consequence in &command.consequences {
                    self.leaves(consequence.clone());
                }
            }
            None => self.unclear(
                Unclear::new(
                    "brattice.sql.prepared",
                    format!("prepared statement \"{}\" does not exist", s.name),
                )
                .hint("Prepare it in this session first."),
            ),
        }
    }

    fn prepared_called(&self, name: &str) -> Option<Arc<Command>> {
        match self.prepared.get(name) {
            Some(known) => known.clone(),
            None if self.all_deallocated => None,
            None => self.ctx.prepared.prepared(name),
        }
    }

    pub(super) fn deallocate(&mut self, s: &pb::DeallocateStmt) {
        if s.isall || s.name.is_empty() {
            self.all_deallocated = true;
            self.prepared.clear();
            self.leaves(Consequence::DeallocatesAll);
        } else {
            self.prepared.insert(s.name.clone(), None);
            self.leaves(Consequence::Deallocates(s.name.clone()));
        }
    }

    pub(super) fn declare(&mut self, s: &pb::DeclareCursorStmt) {
        let pb::DeclareCursorStmt {
            portalname,
            options,
            query,
        } = s;
        let Some(query) = child(query) else {
            self.not_modelled("DECLARE");
            return;
        };
        let command = Arc::new(self.judged_inside(query));
        self.absorb(&command);
        self.cursors
            .insert(portalname.clone(), Some(Arc::clone(&command)));
        let text = self.statement_text();
        self.leaves(Consequence::Declares {
            name: portalname.clone(),
            command,
            // CURSOR_OPT_HOLD of the grammar.
            hold: options & 0x20 != 0,
            text,
        });
    }

    /// Fetching is judged as the cursor's query, each time.
    pub(super) fn fetch(&mut self, s: &pb::FetchStmt) {
        self.now.step.returns_rows = Some(!s.ismove);
        let known = match self.cursors.get(&s.portalname) {
            Some(known) => known.clone(),
            None if self.all_closed => None,
            None => self.ctx.prepared.cursor(&s.portalname),
        };
        match known {
            Some(command) => {
                self.absorb(&declared_by(&command, &s.portalname));
                self.now.step.fetches = Some(s.portalname.clone());
            }
            None => self.unclear(
                Unclear::new(
                    "brattice.sql.cursor",
                    format!("cursor \"{}\" does not exist", s.portalname),
                )
                .hint("Declare it in this transaction first."),
            ),
        }
    }

    pub(super) fn close(&mut self, s: &pb::ClosePortalStmt) {
        if s.portalname.is_empty() {
            self.all_closed = true;
            self.cursors.clear();
            self.leaves(Consequence::ClosesAll);
        } else {
            self.cursors.insert(s.portalname.clone(), None);
            self.leaves(Consequence::Closes(s.portalname.clone()));
        }
    }

    pub(super) fn explain(&mut self, s: &pb::ExplainStmt) {
        let pb::ExplainStmt {
            query,
            options: given,
        } = s;
        self.now.step.returns_rows = Some(true);
        let mut analyze = false;
        for option in options(given) {
            if option.defname == "analyze" {
                // Written twice, either may count.
                analyze |= boolean_option(option) != Some(false);
            } else if !EXPLAIN_OPTIONS.contains(&option.defname.as_str()) {
                self.not_modelled("An option of EXPLAIN");
            }
        }
        let Some(query) = child(query) else {
            self.not_modelled("EXPLAIN");
            return;
        };
        let mut command = self.judged_inside(query);
        if !analyze {
            command.acts = command.acts.into_iter().map(only_explained).collect();
            for step in &mut command.steps {
                step.reads_only = true;
            }
            self.absorb(&command);
            return;
        }
        self.absorb(&command);
        for consequence in command.consequences.drain(..) {
            self.leaves(consequence);
        }
        self.pending = command.leaves;
    }

    pub(super) fn call_procedure(&mut self, s: &pb::CallStmt) {
        self.now.changes = true;
        self.now.step.returns_rows = None;
        match &s.funccall {
            Some(f) => {
                self.exprs(&f.args);
                self.call_by_name(&f.funcname, Some(&f.args));
                self.unseen_procedure(&f.funcname);
            }
            None => self.not_modelled("CALL"),
        }
        self.anything_may_change();
    }

    pub(super) fn create_table_as(&mut self, s: &pb::CreateTableAsStmt) {
        let pb::CreateTableAsStmt {
            query,
            into,
            objtype,
            is_select_into: _,
            if_not_exists: _,
        } = s;
        let columns = match child(query) {
            Some(N::ExecuteStmt(e)) => {
                self.execute(e);
                Columns::Any
            }
            Some(query) => self.query(query),
            None => {
                self.not_modelled("CREATE TABLE AS");
                Columns::Any
            }
        };
        let kind = if *objtype == pb::ObjectType::ObjectMatview as i32 {
            RelationKind::MaterializedView
        } else {
            RelationKind::Table
        };
        match into.as_deref() {
            Some(into) => self.creates_from_query(into, &columns, kind),
            None => self.not_modelled("CREATE TABLE AS"),
        }
        self.now.step.returns_rows = Some(false);
    }
}

/// What executing a name does, when what is known of it is the PREPARE that made it.
fn prepared_by(command: &Arc<Command>, wanted: &str) -> Arc<Command> {
    let inner = command.consequences.iter().rev().find_map(|c| match c {
        Consequence::Prepares { name, command, .. } if name == wanted => Some(command),
        _ => None,
    });
    Arc::clone(inner.unwrap_or(command))
}

/// The same for a cursor and its DECLARE.
fn declared_by(command: &Arc<Command>, wanted: &str) -> Arc<Command> {
    let inner = command.consequences.iter().rev().find_map(|c| match c {
        Consequence::Declares { name, command, .. } if name == wanted => Some(command),
        _ => None,
    });
    Arc::clone(inner.unwrap_or(command))
}

/// What plain EXPLAIN does instead: plans, which may run functions, and looks at relations.
fn only_explained(act: Act) -> Act {
    match (&act.verb, &act.object) {
        (Verb::SqlCall | Verb::SqlUnknown | Verb::SqlDo | Verb::SqlNotify | Verb::SqlListen, _) => {
            act
        }
        (_, Object::Table { .. }) => Act {
            verb: Verb::SqlExplain,
            ..act
        },
        _ => act,
    }
}
