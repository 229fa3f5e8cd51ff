//! Whole statements: what each kind shows, and where it puts what it reads.
//!
//! Lives here: everything that can be sent, and what is let through unread. Never: clauses and expressions.

use super::mentions;
use super::names;
use super::scope::{Col, Cols, Item, Level};
use super::tracer::{Ctx, Tracer};
use super::{Defines, OutputColumn, Outputs, Statement};
use crate::action::Verb;
use crate::classify::sql::catalogue::{Catalogue, SearchPath};
use crate::mask::columns::MaskedColumns;
use pg_query::NodeEnum;
use pg_query::protobuf::{
    AlterTableStmt, AlterTableType, CopyStmt, IntoClause, Node, RangeVar, RawStmt, SelectStmt,
};

/// Traces one statement.
pub(super) fn statement(
    raw: &RawStmt,
    catalogue: &Catalogue,
    path: &SearchPath,
    masked: &MaskedColumns,
) -> Statement {
    if masked.is_empty() {
        return Statement {
            outputs: Outputs::Unmasked,
            uses: Vec::new(),
            unclear: Vec::new(),
            touches: false,
            defines: None,
        };
    }
    let mut tracer = Tracer::new(catalogue, path, masked);
    let made = match raw.stmt.as_deref() {
        Some(node) => tracer.statement(node),
        None => Made::nothing(),
    };
    let touches = tracer.touches || mentions::any(raw, masked);
    let hidden = tracer.hidden;
    let (uses, mut unclear) = tracer.finish();
    // A doubt about a statement that nowhere names anything masked is none about masking.
    if !touches && !hidden {
        unclear.clear();
    }
    Statement {
        outputs: made.outputs,
        uses,
        unclear,
        touches,
        defines: made.defines,
    }
}

/// What a statement makes.
struct Made {
    outputs: Outputs,
    defines: Option<Defines>,
}

impl Made {
    fn nothing() -> Self {
        Self {
            outputs: Outputs::Columns(Vec::new()),
            defines: None,
        }
    }
    /// Columns of its own, which show no table's data.
    fn own() -> Self {
        Self {
            outputs: Outputs::Unmasked,
            defines: None,
        }
    }
    fn of(outputs: Outputs) -> Self {
        Self {
            outputs,
            defines: None,
        }
    }
    fn defining(defines: Defines) -> Self {
        Self {
            outputs: Outputs::Columns(Vec::new()),
            defines: Some(defines),
        }
    }
}

fn outputs(cols: Cols) -> Outputs {
    match (cols.open, cols.fields().is_empty()) {
        (true, true) => Outputs::Unmasked,
        (true, false) => Outputs::Unknown,
        (false, _) => Outputs::Columns(
            cols.list
                .into_iter()
                .map(|c| OutputColumn {
                    name: c.name,
                    fields: c.fields,
                    type_oid: c.type_oid,
                    type_modifier: c.type_modifier,
                })
                .collect(),
        ),
    }
}

impl Tracer<'_> {
    fn statement(&mut self, node: &Node) -> Made {
        let made = self.deeper(|t| t.kind(node));
        made.unwrap_or_else(|| Made::of(Outputs::Unknown))
    }

    fn kind(&mut self, node: &Node) -> Made {
        let Some(kind) = node.node.as_ref() else {
            return Made::nothing();
        };
        match kind {
            NodeEnum::SelectStmt(s) => {
                let cols = self.select(s, None);
                match into_clause(s) {
                    Some(into) => self.stored(&cols, into, "by SELECT INTO"),
                    None => Made::of(outputs(cols)),
                }
            }
            NodeEnum::InsertStmt(_)
            | NodeEnum::UpdateStmt(_)
            | NodeEnum::DeleteStmt(_)
            | NodeEnum::MergeStmt(_) => Made::of(outputs(self.query(node, None))),
            NodeEnum::CopyStmt(c) => self.copy(c),
            NodeEnum::ExplainStmt(e) => {
                if let Some(query) = e.query.as_deref() {
                    self.statement(query);
                }
                Made::own()
            }
            NodeEnum::DeclareCursorStmt(d) => {
                let inner = d
                    .query
                    .as_deref()
                    .map_or(Outputs::Unknown, |q| self.statement(q).outputs);
                Made::defining(Defines::Cursor(d.portalname.clone(), inner))
            }
            NodeEnum::FetchStmt(f) if f.ismove => Made::nothing(),
            NodeEnum::FetchStmt(f) => Made::of(Outputs::Cursor(f.portalname.clone())),
            NodeEnum::PrepareStmt(p) => {
                let inner = p
                    .query
                    .as_deref()
                    .map_or(Outputs::Unknown, |q| self.statement(q).outputs);
                Made::defining(Defines::Prepared(p.name.clone(), inner))
            }
            NodeEnum::ExecuteStmt(e) => {
                self.exprs(&e.params, &Level::default(), Ctx::derive("in EXECUTE"));
                Made::of(Outputs::Prepared(e.name.clone()))
            }
            NodeEnum::CreateTableAsStmt(c) => {
                let cols = match c.query.as_deref() {
                    Some(query) if matches!(query.node, Some(NodeEnum::ExecuteStmt(_))) => {
                        self.hidden = true;
                        self.doubt("a table made of a prepared statement's result");
                        Cols::unknown()
                    }
                    Some(query) => self.query(query, None),
                    None => Cols::unknown(),
                };
                match c.into.as_deref() {
                    Some(into) => self.stored(&cols, into, "by CREATE … AS"),
                    None => Made::nothing(),
                }
            }
            NodeEnum::ViewStmt(v) => {
                let cols = v
                    .query
                    .as_deref()
                    .map_or_else(Cols::unknown, |q| self.query(q, None));
                let name = v
                    .view
                    .as_ref()
                    .map(|v| v.relname.as_str())
                    .unwrap_or_default();
                self.record_as(
                    &cols.fields(),
                    Verb::Derive,
                    &format!("shown by the view {name}"),
                );
                Made::nothing()
            }
            NodeEnum::CallStmt(c) => {
                if let Some(call) = c.funccall.as_deref() {
                    self.exprs(&call.args, &Level::default(), Ctx::derive("in CALL"));
                }
                Made::own()
            }
            NodeEnum::AlterTableStmt(a) => {
                self.alter_table(a);
                Made::nothing()
            }
            NodeEnum::IndexStmt(i) => {
                let level = self.alone(i.relation.as_ref());
                for node in i.index_params.iter().chain(&i.index_including_params) {
                    if let Some(NodeEnum::IndexElem(elem)) = node.node.as_ref() {
                        self.maybe(elem.expr.as_deref(), &level, Ctx::derive("in an index"));
                    }
                }
                self.maybe(
                    i.where_clause.as_deref(),
                    &level,
                    Ctx::filter("in a partial index"),
                );
                Made::nothing()
            }
            NodeEnum::CreateSchemaStmt(c) => {
                for element in &c.schema_elts {
                    self.statement(element);
                }
                Made::nothing()
            }
            // These read no rows into anything, whatever they name.
            NodeEnum::DropStmt(_)
            | NodeEnum::TruncateStmt(_)
            | NodeEnum::LockStmt(_)
            | NodeEnum::VacuumStmt(_)
            | NodeEnum::ClusterStmt(_)
            | NodeEnum::ReindexStmt(_)
            | NodeEnum::RefreshMatViewStmt(_)
            | NodeEnum::GrantStmt(_)
            | NodeEnum::CommentStmt(_)
            | NodeEnum::AlterOwnerStmt(_)
            | NodeEnum::CreateStmt(_)
            | NodeEnum::CreateSeqStmt(_)
            | NodeEnum::AlterSeqStmt(_)
            | NodeEnum::TransactionStmt(_)
            | NodeEnum::VariableSetStmt(_)
            | NodeEnum::ConstraintsSetStmt(_)
            | NodeEnum::DiscardStmt(_)
            | NodeEnum::DeallocateStmt(_)
            | NodeEnum::ClosePortalStmt(_)
            | NodeEnum::CheckPointStmt(_)
            | NodeEnum::ListenStmt(_)
            | NodeEnum::UnlistenStmt(_)
            | NodeEnum::NotifyStmt(_) => Made::nothing(),
            NodeEnum::VariableShowStmt(_) => Made::own(),
            _ => {
                self.doubt("a statement of a kind that is not traced names something masked");
                Made::own()
            }
        }
    }

    /// A result that becomes a table: its masked columns leave their masks behind.
    fn stored(&mut self, cols: &Cols, into: &IntoClause, how: &str) -> Made {
        let name = into
            .rel
            .as_ref()
            .map(|r| r.relname.as_str())
            .unwrap_or_default();
        self.record_as(
            &cols.fields(),
            Verb::Derive,
            &format!("written to {name} {how}"),
        );
        Made::nothing()
    }

    fn copy(&mut self, c: &CopyStmt) -> Made {
        if let Some(query) = c.query.as_deref() {
            let cols = self.query(query, None);
            return Made::of(outputs(cols));
        }
        let Some(var) = c.relation.as_ref() else {
            return Made::of(Outputs::Unknown);
        };
        if c.is_from {
            let level = self.alone(Some(var));
            self.maybe(
                c.where_clause.as_deref(),
                &level,
                Ctx::filter("in COPY … WHERE"),
            );
            return Made::nothing();
        }
        let item = self.table(var);
        let mut cols = item.cols.clone();
        if c.attlist.is_empty() {
            // Without a list of columns, those that are generated are not copied.
            let relation = self.relation(var);
            let is_generated = |name: &str| {
                let column = relation.as_deref().and_then(|r| r.column(name));
                column.is_some_and(|c| !c.generated_from.is_empty())
            };
            cols.list.retain(|c| !is_generated(&c.name));
        } else {
            cols = Cols::of(
                names::strings(&c.attlist)
                    .map(|n| item.column(n).unwrap_or_else(|| Col::plain(n)))
                    .collect(),
            );
        }
        Made::of(outputs(cols))
    }

    /// A level that sees one relation.
    fn alone(&mut self, relation: Option<&RangeVar>) -> Level<'static> {
        let mut level = Level::default();
        if let Some(var) = relation {
            let relation = self.relation(var);
            let cols = relation
                .as_deref()
                .map_or_else(Cols::unknown, |r| self.columns(r));
            level.items.push(Item {
                table: true,
                ..Item::new(Some(var.relname.clone()), cols)
            });
        }
        level
    }

    /// Expressions in ALTER TABLE: a generated column or a changed type can carry a masked value away.
    fn alter_table(&mut self, a: &AlterTableStmt) {
        let level = self.alone(a.relation.as_ref());
        let ctx = Ctx::derive("in ALTER TABLE");
        for node in &a.cmds {
            let Some(NodeEnum::AlterTableCmd(cmd)) = node.node.as_ref() else {
                self.doubt("an ALTER TABLE of a kind that is not traced");
                continue;
            };
            match cmd.def.as_deref().and_then(|n| n.node.as_ref()) {
                Some(NodeEnum::ColumnDef(def)) => {
                    self.maybe(def.raw_default.as_deref(), &level, ctx);
                    for constraint in &def.constraints {
                        self.constraint(constraint, &level, ctx);
                    }
                }
                Some(NodeEnum::Constraint(_)) => {
                    if let Some(def) = cmd.def.as_deref() {
                        self.constraint(def, &level, ctx);
                    }
                }
                // Out of the family, it leaves the mask behind that it has by its kin.
                _ if matches!(
                    cmd.subtype(),
                    AlterTableType::AtDetachPartition
                        | AlterTableType::AtDetachPartitionFinalize
                        | AlterTableType::AtDropInherit
                ) =>
                {
                    let masked: Vec<_> = level.items.iter().flat_map(|i| i.cols.fields()).collect();
                    self.record_as(&masked, Verb::Derive, "in a table that leaves its parent");
                }
                // Partitions, parents, owners, options: no expression over rows.
                Some(
                    NodeEnum::PartitionCmd(_)
                    | NodeEnum::RangeVar(_)
                    | NodeEnum::RoleSpec(_)
                    | NodeEnum::List(_)
                    | NodeEnum::Integer(_)
                    | NodeEnum::String(_)
                    | NodeEnum::ReplicaIdentityStmt(_)
                    | NodeEnum::AtalterConstraint(_)
                    | NodeEnum::TypeName(_),
                )
                | None => {}
                // SET DEFAULT, SET EXPRESSION.
                Some(_) => self.maybe(cmd.def.as_deref(), &level, ctx),
            }
        }
    }

    fn constraint(&mut self, node: &Node, level: &Level<'_>, ctx: Ctx<'_>) {
        let Some(NodeEnum::Constraint(c)) = node.node.as_ref() else {
            return;
        };
        self.maybe(c.raw_expr.as_deref(), level, ctx);
        self.maybe(c.where_clause.as_deref(), level, ctx);
    }
}

/// SELECT … INTO: of a set operation, the clause stands in its leftmost query.
fn into_clause(s: &SelectStmt) -> Option<&IntoClause> {
    let mut s = s;
    loop {
        if let Some(into) = s.into_clause.as_deref() {
            return Some(into);
        }
        s = s.larg.as_deref()?;
    }
}
